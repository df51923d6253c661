//! Malicious or broken servers: endless, very slow, huge, deeply nested or circular responses, or no HTTP at all. The
//! step ends in time, uses little memory, reports what it saw, and starts nothing twice.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::world::{JobScenario, Scenario};
use sandbox::{
    Fault, MalformedResponse, Moment, Occasion, Provider, RecordedRequest, Response, Route,
};
use serde_json::{Value, json};

use crate::calls::{
    PROVIDERS, SECOND, call, in_parallel, own_runs, signal, status_requests, trigger, until,
    with_scenario,
};
use crate::harness::{Done, Step};

/// For a whole request, including its response.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// For the search after an unknown outcome. Its last request may start just before that ends.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(30);
/// For starting and ending the process on a busy machine.
const TOLERANCE: Duration = Duration::from_secs(15);
/// Bytes; debug builds use more than release builds.
const MAX_MEMORY: u64 = 40 * 1024 * 1024;
const DEPTH: usize = 100_000;
const TEN_GIGABYTES: u64 = 10_000_000_000;

/// A fault, and part of the error that must report it.
#[derive(Clone)]
struct HostileResponse {
    name: &'static str,
    fault: fn(Provider, Moment) -> Fault,
    message: &'static str,
}

/// The status of a successful trigger.
fn accepted(provider: Provider) -> u16 {
    match provider {
        Provider::GitHub => 200,
        Provider::GitLab | Provider::Bitbucket => 201,
    }
}

fn deep(status: u16) -> Response {
    let nested = ["[".repeat(DEPTH), "]".repeat(DEPTH)].concat();
    Response::body(status, "application/json", nested)
}

/// Responses that fail immediately.
fn quick() -> Vec<HostileResponse> {
    vec![
        HostileResponse {
            name: "garbage",
            fault: |_, moment| Fault::Malformed(moment, MalformedResponse::garbage()),
            message: "broke before a response arrived: invalid HTTP",
        },
        HostileResponse {
            name: "endless headers",
            fault: |_, moment| Fault::Malformed(moment, MalformedResponse::endless_headers()),
            message: "broke before a response arrived: ",
        },
        HostileResponse {
            name: "an endless header line",
            fault: |_, moment| Fault::Malformed(moment, MalformedResponse::endless_header_line()),
            message: "broke before a response arrived: message head is too large",
        },
        HostileResponse {
            name: "10 GB",
            fault: |provider, moment| Fault::Huge {
                moment,
                status: accepted(provider),
                length: TEN_GIGABYTES,
            },
            message: "the response is larger than 4194304 bytes",
        },
        HostileResponse {
            name: "deep JSON",
            fault: |provider, moment| Fault::Response(moment, deep(accepted(provider))),
            message: "the response has an unexpected structure",
        },
    ]
}

/// Responses that don't end, or take as long as if they didn't.
fn slow() -> Vec<HostileResponse> {
    vec![
        HostileResponse {
            name: "slow headers",
            fault: |_, moment| Fault::Malformed(moment, MalformedResponse::slow_headers(SECOND)),
            message: "did not answer within 60 s",
        },
        HostileResponse {
            name: "a slow body",
            fault: |_, _| Fault::Slow(SECOND),
            message: "operation timed out",
        },
    ]
}

fn on_each_provider(responses: Vec<HostileResponse>) -> Vec<(Provider, HostileResponse)> {
    let cases = responses.into_iter();
    cases
        .flat_map(|hostile| PROVIDERS.map(|provider| (provider, hostile.clone())))
        .collect()
}

/// Runs the step and checks its limits of time and memory.
fn run_within_limits(step: &Step, max_duration: Duration, name: &str) -> Done {
    finish_within_limits(step, step.start(), max_duration, name)
}

/// Finishes a step and checks its limits: the time that is left to it, and its memory since it started.
fn finish_within_limits(step: &Step, child: Child, max_duration: Duration, name: &str) -> Done {
    let began = Instant::now();
    let id = child.id();
    let (done, peak) = thread::scope(|scope| {
        let peak = scope.spawn(move || peak_memory(id));
        (step.finish(child), peak.join().expect("it is measured"))
    });
    assert!(
        began.elapsed() < max_duration,
        "{name}: {:?}",
        began.elapsed()
    );
    assert!(peak > 0 && peak < MAX_MEMORY, "{name}: {peak}\n{done}");
    done
}

/// Peak memory of a process in bytes, polled until it ends, because afterwards it can't be read.
fn peak_memory(id: u32) -> u64 {
    let mut peak = 0;
    while let Some(kibibytes) = fs::read_to_string(format!("/proc/{id}/status"))
        .ok()
        .as_deref()
        .and_then(|status| status.split_once("VmHWM:"))
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<u64>().ok())
    {
        peak = kibibytes * 1024;
        thread::sleep(Duration::from_millis(10));
    }
    peak
}

/// The server starts the run. The step names it, but nothing proves that it is its own.
fn acts_despite_the_response(
    provider: Provider,
    hostile: &HostileResponse,
    max_duration: Duration,
) {
    let sandbox = with_scenario(provider, Scenario::passing(SECOND));
    let fault = (hostile.fault)(provider, Moment::AfterActing);
    sandbox.fault(Route::triggers(), Occasion::Every, fault);
    let step = trigger(provider, &sandbox);
    let done = run_within_limits(
        &step,
        max_duration + SEARCH_TIMEOUT + TOLERANCE,
        hostile.name,
    );
    let done = done.fails(&["This run might be the one: http"]);
    done.says("It's unclear whether the trigger was accepted")
        .outcome("unknown");
    assert_eq!(own_runs(&sandbox).len(), 1, "{done}");
    assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
}

#[test]
fn a_trigger_with_a_hostile_response_is_followed_by_a_search() {
    in_parallel(on_each_provider(quick()), |(provider, hostile)| {
        acts_despite_the_response(provider, &hostile, Duration::ZERO);
    });
}

#[test]
fn a_trigger_with_an_endless_response_is_followed_by_a_search_after_a_minute() {
    in_parallel(on_each_provider(slow()), |(provider, hostile)| {
        acts_despite_the_response(provider, &hostile, REQUEST_TIMEOUT);
    });
}

#[test]
fn a_hostile_response_without_a_run_stays_unknown() {
    in_parallel(on_each_provider(quick()), |(provider, hostile)| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let fault = (hostile.fault)(provider, Moment::BeforeActing);
        sandbox.fault(Route::triggers(), Occasion::Every, fault);
        let step = trigger(provider, &sandbox);
        let done = run_within_limits(&step, SEARCH_TIMEOUT + TOLERANCE, hostile.name);
        let done = done.fails(&[hostile.message]);
        done.outcome("unknown")
            .says("The trigger isn't repeated automatically");
        assert_eq!(sandbox.runs().len(), 0);
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    });
}

/// If every response is hostile, the search can't find anything.
#[test]
fn a_server_that_is_always_hostile_leaves_the_outcome_unknown() {
    in_parallel(on_each_provider(quick()), |(provider, hostile)| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let fault = (hostile.fault)(provider, Moment::AfterActing);
        sandbox.fault(Route::any(), Occasion::Every, fault);
        let step = trigger(provider, &sandbox);
        let done = run_within_limits(&step, SEARCH_TIMEOUT + TOLERANCE, hostile.name);
        let done = done.fails(&["The list of runs can't be read"]);
        done.outcome("unknown").says(hostile.message);
        assert_eq!(sandbox.runs().len(), 1);
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    });
}

/// The step doesn't wait for the server after a signal.
#[test]
fn a_signal_is_not_delayed_by_a_slow_server() {
    in_parallel(on_each_provider(slow()), |(provider, hostile)| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let fault = (hostile.fault)(provider, Moment::AfterActing);
        sandbox.fault(Route::triggers(), Occasion::Every, fault);
        let step = call(provider, &sandbox);
        let child = step.start();
        until(&sandbox, "the trigger is on the wire", |sandbox| {
            !sandbox.trigger_requests().is_empty()
        });
        let signalled = Instant::now();
        signal(&child, "TERM");
        let done = step.finish(child);
        assert!(signalled.elapsed() < 5 * SECOND, "{done}");
        done.outcome("unknown");
        assert!(done.result()["left_running"].is_string(), "{done}");
        assert_eq!(sandbox.runs().len(), 1);
    });
}

/// An error body is no more trusted than another, and isn't shown.
#[test]
fn a_rejection_may_be_deep_or_huge() {
    let answers: [fn() -> Fault; 2] = [
        || Fault::Response(Moment::BeforeActing, deep(422)),
        || Fault::Huge {
            moment: Moment::BeforeActing,
            status: 422,
            length: TEN_GIGABYTES,
        },
    ];
    let cases = PROVIDERS.map(|provider| answers.map(|response| (provider, response)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, response)| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        sandbox.fault(Route::triggers(), Occasion::Every, response());
        let done = run_within_limits(&trigger(provider, &sandbox), TOLERANCE, "422");
        let done = done.fails(&["answered 422"]);
        done.outcome("rejected");
        assert!(done.log.len() < 10_000 && done.summary.len() < 10_000);
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    });
}

/// Hostile responses to a poll, in addition to those to a trigger.
fn hostile_polls() -> Vec<HostileResponse> {
    let mut all = quick();
    all.extend([
        HostileResponse {
            name: "a torn body",
            fault: |_, _| Fault::Truncate,
            message: "; still waiting",
        },
        HostileResponse {
            name: "circles",
            // The path stays the same, so that the fault also hits the next request.
            fault: |_, _| Fault::redirect(302, "?round=and-round"),
            message: "redirected more than 5 times",
        },
    ]);
    all
}

#[test]
fn a_hostile_response_to_a_poll_does_not_end_the_wait() {
    // A redirect loop takes six requests.
    let quick = on_each_provider(hostile_polls()).into_iter();
    let slow = on_each_provider(slow()).into_iter();
    let mut cases: Vec<_> = quick.map(|case| (case, 6)).collect();
    cases.extend(slow.map(|case| (case, 1)));
    in_parallel(cases, |((provider, hostile), times)| {
        let sandbox = with_scenario(provider, Scenario::passing(5 * SECOND));
        let fault = (hostile.fault)(provider, Moment::AfterActing);
        sandbox.fault(status_requests(provider), Occasion::First(times), fault);
        let step = call(provider, &sandbox);
        let done = run_within_limits(&step, REQUEST_TIMEOUT + 2 * TOLERANCE, hostile.name).passes();
        done.says(hostile.message).says("can be read again");
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
        assert_eq!(sandbox.runs().len(), 1);
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    });
}

/// The deadline is kept, and the cancel, which is another request, is still sent.
#[test]
fn polls_that_are_always_hostile_end_at_the_deadline() {
    let mut cases = on_each_provider(quick());
    cases.extend(on_each_provider(slow()));
    in_parallel(cases, |(provider, hostile)| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let fault = (hostile.fault)(provider, Moment::AfterActing);
        sandbox.fault(status_requests(provider), Occasion::Every, fault);
        let step = call(provider, &sandbox).input("timeout", "6s");
        let done = run_within_limits(&step, 6 * SECOND + SEARCH_TIMEOUT + TOLERANCE, hostile.name);
        assert_eq!(done.code, Some(1), "{done}");
        assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
        let left = done.result()["runs"][0]["left_running"].clone();
        let left = left.as_str().unwrap_or_default();
        assert!(left.contains("didn't take effect within 30 s"), "{left}");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    });
}

/// An error body of almost the maximum length, full of tiny nested values.
#[test]
fn a_rejection_full_of_small_values_takes_no_memory() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let entries = [r#"{"message":["#, &r#"{"":0},"#.repeat(590_000), "0]}"].concat();
        let response = Response::body(422, "application/json", entries);
        let fault = Fault::Response(Moment::BeforeActing, response);
        sandbox.fault(Route::triggers(), Occasion::Every, fault);
        let done = run_within_limits(&trigger(provider, &sandbox), TOLERANCE, "small things");
        done.fails(&["answered 422"]).outcome("rejected");
    });
}

/// Adds jobs that have only an id, far more per page than requested.
fn many_jobs(response: &mut Value) {
    const MANY: usize = 30_000;
    let job = |id: usize| {
        json!({
            "id": id, "status": "running", "name": "build",
            "uuid": format!("{{3b9fd2b1-4a10-4c1c-8b3a-{id:012x}}}"), "state": { "name": "PENDING" },
        })
    };
    let jobs: Value = (0..MANY).map(job).collect();
    if response.is_array() {
        *response = jobs;
    } else if response["jobs"].is_array() {
        *response = json!({ "total_count": 10_000_000, "jobs": jobs });
    } else {
        response["values"] = jobs;
    }
}

/// Replaces names with strings of megabytes.
fn long_names(response: &mut Value) {
    let entries = if response.is_array() {
        response
    } else if response["jobs"].is_array() {
        &mut response["jobs"]
    } else {
        &mut response["values"]
    };
    let entries = entries.as_array_mut().into_iter().flatten();
    for entry in entries {
        entry["name"] = json!("a name that goes on and on ".repeat(140_000));
    }
}

/// Reads of a run's jobs.
fn jobs(provider: Provider) -> Route {
    Route::any().method("GET").path(match provider {
        Provider::GitHub | Provider::GitLab => "/jobs",
        Provider::Bitbucket => "/steps",
    })
}

fn is_of_jobs(request: &RecordedRequest) -> bool {
    let path = request.path.trim_end_matches('/');
    path.ends_with("/jobs") || path.ends_with("/steps")
}

#[test]
fn more_jobs_than_requested_are_not_kept() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        sandbox.fault(jobs(provider), Occasion::Every, Fault::Edit(many_jobs));
        let step = call(provider, &sandbox);
        let done = run_within_limits(&step, 8 * TOLERANCE, "many jobs").passes();
        assert!(done.log.len() < 1_000_000, "{}", done.log.len());
    });
}

/// They take ten pages.
#[test]
fn at_most_a_thousand_jobs_are_read() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let job = |number| JobScenario::new(&format!("job-{number}"), Duration::ZERO);
        let scenario = (0..1_100).map(job).fold(Scenario::new(), Scenario::job);
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox);
        let done = run_within_limits(&step, 2 * TOLERANCE, "a thousand jobs").passes();
        done.says("only 1000 of the run's jobs were read");
        let mut pages = sandbox.requests();
        pages.retain(is_of_jobs);
        assert_eq!(pages.len(), 10, "{provider}");
    });
}

#[test]
fn long_names_do_not_delay_the_shutdown() {
    const KEY: &str = include_str!("../sandbox/keys/test-only-app.pkcs1.pem");
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        sandbox.fault(jobs(provider), Occasion::Every, Fault::Edit(long_names));
        let secrets = format!("KEY: |\n  {}", KEY.replace('\n', "\n  "));
        let step = call(provider, &sandbox);
        let step = match provider {
            Provider::GitHub => step.input("token", "").signed_in_as_app(),
            Provider::GitLab => step.input("secret-variables", &secrets),
            Provider::Bitbucket => step
                .input("secret-variables", &secrets)
                .input("custom-pipeline", "deploy"),
        };
        let child = step.start();
        until(&sandbox, "the jobs are read", |sandbox| {
            let requests = sandbox.requests();
            requests.iter().any(is_of_jobs)
        });
        thread::sleep(SECOND);
        signal(&child, "TERM");
        let done = finish_within_limits(&step, child, 5 * SECOND, "long names");
        assert!(done.log.len() < 100_000, "{}", done.log.len());
        assert!(sandbox.runs()[0].cancelled, "{done}");
    });
}
