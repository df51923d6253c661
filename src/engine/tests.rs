//! Runs the whole engine in virtual time, with a provider that only exists in tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::{self, Observer};
use super::shutdown::{Shutdown, ShutdownMode};
use crate::input::{self, RawRequest};
use crate::model::{Caller, Conclusion, Event, LeftRunning, MatchedBy, Outcome};
use crate::providers::any::AnySpec;
use crate::providers::memory;
use crate::providers::target::Request;
use crate::providers::target_report::TargetReport;

struct NullObserver;

impl Observer for NullObserver {
    fn on_event(&self, _index: usize, _event: &Event<'_>) {}
    fn on_finished(&self, _index: usize, _report: &TargetReport<'_>) {}
}

fn request(repository: &str) -> Request {
    request_with(&[("repository", repository), ("wait", "true")])
}

fn request_with(more: &[(&str, &str)]) -> Request {
    let inputs = [("provider", "memory"), ("result-artifact", "result.json")];
    let inputs = inputs.iter().chain(more);
    let inputs = inputs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let given: BTreeMap<_, _> = inputs.collect();
    let raw_request = RawRequest::new(given.into());
    let read = input::read(&raw_request, &Caller::default(), &BTreeMap::new());
    let (request, _) = read.unwrap_or_else(|errors| panic!("{:?}", errors[0]));
    request
}

fn spec(request: &Request) -> &memory::MemorySpec {
    let AnySpec::Memory(spec) = &request.targets[0].spec else {
        panic!("it is the one that was asked for");
    };
    spec
}

#[tokio::test(start_paused = true)]
async fn any_provider_is_triggered_found_waited_for_and_read_back() {
    let request = request("octo-org/passing");
    let (_handle, shutdown) = Shutdown::manual();
    let reports = batch::run(&request, &shutdown, &NullObserver, None).await;
    let report = &reports[0];
    assert!(report.passes());
    assert_eq!(report.outcome, Outcome::Accepted);
    assert_eq!(report.monitored.runs.len(), 1);
    let run = &report.monitored.runs[0];
    assert_eq!(run.run.matched_by, MatchedBy::Marker);
    assert_eq!(run.conclusion, Some(Conclusion::Success));
    assert_eq!(
        report.monitored.result.as_deref(),
        Some("{\"version\": 1.10}")
    );
    let spec = spec(&request);
    assert_eq!((spec.triggers.get(), spec.cancels.get()), (1, 0));
    assert_eq!(spec.polls.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_run_of_any_provider_is_cancelled_on_a_shutdown() {
    let request = request("octo-org/endless");
    let (handle, shutdown) = Shutdown::manual();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        handle.request(ShutdownMode::Graceful);
    };
    let (reports, ()) = tokio::join!(
        batch::run(&request, &shutdown, &NullObserver, None),
        stopping
    );
    let run = &reports[0].monitored.runs[0];
    assert_eq!(run.conclusion, Some(Conclusion::Cancelled));
    assert!(run.left_running.is_none());
    let spec = spec(&request);
    assert_eq!((spec.triggers.get(), spec.cancels.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_followed_run_of_any_provider_is_waited_for_and_nothing_is_triggered() {
    let page = "https://memory.example/octo-org/passing/runs/7";
    let request = request_with(&[("follow", page)]);
    let (_handle, shutdown) = Shutdown::manual();
    let reports = batch::run(&request, &shutdown, &NullObserver, None).await;
    let report = &reports[0];
    assert!(report.passes());
    assert_eq!(report.trigger_outcome(), None);
    let run = &report.monitored.runs[0];
    assert_eq!((run.run.id.as_str(), run.run.url.as_str()), ("7", page));
    assert_eq!(run.run.matched_by, MatchedBy::Url);
    assert_eq!(run.conclusion, Some(Conclusion::Success));
    let spec = spec(&request);
    assert_eq!((spec.triggers.get(), spec.cancels.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_given_by_its_url_is_left_running_on_a_shutdown() {
    let page = "https://memory.example/octo-org/endless/runs/7";
    let request = request_with(&[("follow", page)]);
    let (handle, shutdown) = Shutdown::manual();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        handle.request(ShutdownMode::Graceful);
    };
    let (reports, ()) = tokio::join!(
        batch::run(&request, &shutdown, &NullObserver, None),
        stopping
    );
    let run = &reports[0].monitored.runs[0];
    let left = run.left_running.as_ref().map(LeftRunning::reason);
    assert_eq!(left, Some("followed"));
    assert_eq!(spec(&request).cancels.get(), 0);
}
