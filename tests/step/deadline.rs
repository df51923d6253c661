//! `timeout`: what counts is when a run ended, not when the step saw it.

use std::thread::sleep;
use std::time::Duration;

use sandbox::world::Scenario;
use sandbox::{Fault, Moment, Occasion, Provider, Route};
use serde_json::json;

use crate::calls::{PROVIDERS, SECOND, call, in_parallel, signal, status_requests, with_scenario};
use crate::harness::{Done, Step};

fn is_success(done: &Done) {
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(done.outputs["conclusion"], "success", "{done}");
}

/// They share a credential, so each is polled only once a minute.
#[test]
fn rarely_polled_runs_keep_their_own_end_time() {
    let sandbox = with_scenario(Provider::Bitbucket, Scenario::passing(6 * SECOND));
    let entry = |number: u32| {
        json!({
            "repository": "octo-workspace/service",
            "ref": "main",
            "variables": { "NUMBER": number.to_string() },
        })
    };
    let targets: Vec<_> = (0..12).map(entry).collect();
    let done = Step::bitbucket(&sandbox)
        .input("repository", "")
        .input("targets", &json!(targets).to_string())
        .input("wait", "true")
        .input("timeout", "22s")
        .run();
    is_success(&done);
    assert!(sandbox.runs().iter().all(|run| !run.cancelled));
}

/// A run that is over isn't cancelled, and one that ended too late didn't end in time.
#[test]
fn a_step_frozen_past_its_deadline_sees_when_the_run_ended() {
    let cases = [
        (5 * SECOND, "8s", ": running", 10 * SECOND, "success"),
        (12 * SECOND, "3s", "accepted", 15 * SECOND, "timed-out"),
    ];
    let cases = PROVIDERS.map(|provider| cases.map(|case| (provider, case)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, case)| {
        let (life, timeout, log_line, frozen, conclusion) = case;
        let sandbox = with_scenario(provider, Scenario::passing(life));
        let step = call(provider, &sandbox).input("timeout", timeout);
        let child = step.start();
        step.until_said(log_line);
        signal(&child, "STOP");
        sleep(frozen);
        signal(&child, "CONT");
        let done = step.finish(child);
        assert_eq!(done.code == Some(0), conclusion == "success", "{done}");
        assert_eq!(done.outputs["conclusion"], conclusion, "{done}");
        assert!(!sandbox.runs()[0].cancelled);
    });
}

/// The last polls before the deadline fail, or are delayed by a rate limit.
#[test]
fn an_end_seen_after_the_deadline_counts_if_it_was_in_time() {
    let faults = [
        Fault::status(Moment::BeforeActing, 502),
        Fault::gitlab_limit(Some(3_600)),
    ];
    let cases = PROVIDERS.map(|provider| faults.clone().map(|fault| (provider, fault)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, fault)| {
        let sandbox = with_scenario(provider, Scenario::passing(4 * SECOND));
        let step = call(provider, &sandbox).input("timeout", "9s");
        let child = step.start();
        step.until_said(": running");
        sandbox.fault(status_requests(provider), Occasion::For(6 * SECOND), fault);
        is_success(&step.finish(child));
        assert!(!sandbox.runs()[0].cancelled);
    });
}

/// The polls fail before the deadline and for some seconds after it, and nothing else reads the run.
#[test]
fn the_poll_after_the_deadline_is_repeated_if_it_fails() {
    let faults = [
        Fault::status(Moment::BeforeActing, 502),
        Fault::Close(Moment::BeforeActing),
    ];
    let cases = PROVIDERS.map(|provider| faults.clone().map(|fault| (provider, fault)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, fault)| {
        let sandbox = with_scenario(provider, Scenario::passing(4 * SECOND));
        let step = call(provider, &sandbox)
            .input("timeout", "7s")
            .input("on-abandoned", "leave");
        let child = step.start();
        step.until_said(": running");
        sandbox.fault(status_requests(provider), Occasion::For(9 * SECOND), fault);
        is_success(&step.finish(child));
    });
}

/// Time that the trigger waits before it is sent doesn't count.
#[test]
fn timeout_counts_from_the_accepted_trigger() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(4 * SECOND));
        let limited = match provider {
            Provider::GitHub => Fault::github_secondary_limit(Some(5)),
            Provider::GitLab => Fault::gitlab_limit(Some(5)),
            Provider::Bitbucket => Fault::bitbucket_limit(Some(5)),
        };
        sandbox.fault(Route::triggers(), Occasion::First(1), limited);
        let timeout = Duration::from_secs(7).as_secs().to_string();
        let done = call(provider, &sandbox).input("timeout", &timeout).run();
        is_success(&done);
        assert_eq!(sandbox.trigger_requests().len(), 2);
    });
}
