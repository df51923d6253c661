//! Stopping while the step waits for a run: runs that are certainly its own are cancelled, runs that may still be
//! running are named, and the step ends in time.

use std::process::Child;
use std::time::{Instant, SystemTime};

use sandbox::world::{Conclusion, OnCancel, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, RecordedResponse, Route, Sandbox, World};
use serde_json::Value;

use crate::calls::{
    PROVIDERS, SECOND, call, dispatch, in_parallel, signal, start, until, with_scenario,
};
use crate::harness::{Done, Step};

/// Starts the step and returns once it polls a run in progress.
fn start_and_wait_for_run(step: &Step) -> Child {
    let child = step.start();
    step.until_said(": running");
    child
}

/// Sends a signal and checks that the step ends within seven seconds: the runner kills it after ten.
fn stop(step: &Step, child: Child, name: &str) -> Done {
    let signalled = Instant::now();
    signal(&child, name);
    let done = step.finish(child);
    assert!(
        signalled.elapsed() < 7 * SECOND,
        "{:?}\n{done}",
        signalled.elapsed()
    );
    assert_eq!(done.code, Some(1), "{done}");
    done
}

fn reason(done: &Done) -> Value {
    done.result()["runs"][0]["left_running_reason"].clone()
}

fn left_running(done: &Done) -> Option<String> {
    let run = &done.result()["runs"][0];
    // One is a sentence for people, the other a word that workflows can compare.
    assert_eq!(
        run["left_running"].is_null(),
        run["left_running_reason"].is_null()
    );
    run["left_running"].as_str().map(str::to_owned)
}

#[test]
fn a_signal_cancels_the_steps_own_run() {
    let cases = PROVIDERS.map(|provider| [(provider, "INT"), (provider, "TERM")]);
    in_parallel(cases.as_flattened().to_vec(), |(provider, name)| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let done = stop(&step, child, name);
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
        // The APIs describe no body for a cancel.
        let posts = sandbox
            .requests()
            .into_iter()
            .filter(|request| request.method == "POST");
        let cancels: Vec<_> = posts.filter(|request| !request.is_trigger()).collect();
        let bodies: Vec<_> = cancels
            .iter()
            .map(|cancel| cancel.body.as_slice())
            .collect();
        assert_eq!(bodies, [b""], "{done}");
        assert_eq!(left_running(&done), None, "{done}");
        assert_eq!(done.outputs["conclusion"], "cancelled");
        done.says("was cancelled after the step was stopped");
        assert!(done.summary.contains("cancelled"));
        assert_eq!(done.errors().len(), 1, "{done}");
    });
}

#[test]
fn on_abandoned_leave_leaves_the_run() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox).input("on-abandoned", "leave");
        let child = start_and_wait_for_run(&step);
        let done = stop(&step, child, "TERM");
        assert!(!sandbox.runs()[0].cancelled, "{done}");
        let cancels = sandbox.requests();
        let cancels = cancels.iter().filter(|request| request.method == "POST");
        assert_eq!(cancels.count(), 1, "the trigger alone");
        assert_eq!(
            left_running(&done),
            Some("`on-abandoned` is `leave`".to_owned())
        );
        assert_eq!(reason(&done), "by-policy");
        assert_eq!(done.outputs["conclusion"], "");
        let warnings = done.warnings();
        assert_eq!(warnings.len(), 1, "{done}");
        assert!(
            warnings[0].contains("may still be running"),
            "{}",
            warnings[0]
        );
        assert!(
            warnings[0].contains(&done.outputs["run-url"]),
            "{}",
            warnings[0]
        );
    });
}

/// Times of the cancels, in order of arrival.
fn cancels(sandbox: &Sandbox) -> Vec<SystemTime> {
    let requests = sandbox.requests();
    let cancels = requests
        .iter()
        .filter(|request| request.method == "POST" && !request.is_trigger());
    cancels.map(|request| request.arrived_at).collect()
}

#[test]
fn a_refused_cancel_is_resent_every_second_and_reported() {
    let mut cases = Vec::new();
    for provider in PROVIDERS {
        cases.extend([403, 409, 404, 500].map(|status| (provider, status)));
    }
    cases.push((Provider::Bitbucket, 400));
    in_parallel(cases, |(provider, status)| {
        let scenario = Scenario::endless().on_cancel(OnCancel::Refuses(status));
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let done = stop(&step, child, "INT");
        let left = left_running(&done).unwrap_or_default();
        let word = if status == 500 {
            "cancel-failed"
        } else {
            "cancel-refused"
        };
        assert_eq!(reason(&done), word, "{done}");
        let name = match provider {
            Provider::GitHub => "GitHub",
            Provider::GitLab => "GitLab",
            Provider::Bitbucket => "Bitbucket",
        };
        let refused = format!("the cancel failed ({name} answered {status}");
        assert!(left.starts_with(&refused), "{left}\n{done}");
        assert!(
            left.ends_with("no cancel was accepted before the step had to end"),
            "{left}"
        );
        assert_eq!(done.outputs["conclusion"], "");
        assert_eq!(sandbox.unfinished_runs().len(), 1);
        done.says("may still be running");
        let sent = cancels(&sandbox);
        assert!((4..=7).contains(&sent.len()), "{}\n{done}", sent.len());
        let mut apart = sent
            .windows(2)
            .flat_map(|pair| pair[1].duration_since(pair[0]));
        // The first cancel may have taken longer than the second to arrive.
        assert!(apart.all(|apart| apart > 7 * SECOND / 10), "{done}");
    });
}

/// A run that has just started can't be cancelled yet, and a token may be refused for a moment.
#[test]
fn a_refused_cancel_is_resent_until_it_is_accepted() {
    let mut cases = Vec::new();
    for provider in PROVIDERS {
        cases.extend([401, 404, 409, 400].map(|status| (provider, status)));
    }
    in_parallel(cases, |(provider, status)| {
        let scenario = Scenario::endless().on_cancel(OnCancel::RefusesAtFirst { status, times: 2 });
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let done = stop(&step, child, "INT");
        assert!(sandbox.runs()[0].cancelled, "{provider} {status}\n{done}");
        assert_eq!(left_running(&done), None, "{done}");
        assert_eq!(cancels(&sandbox).len(), 3, "{done}");
    });
}

/// A second attempt is somebody else's run.
#[test]
fn a_colleagues_new_attempt_is_not_cancelled() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = call(Provider::GitHub, &sandbox);
    let child = start_and_wait_for_run(&step);
    sandbox.with_world(|world| {
        world.runs[0].complete(Conclusion::Failure);
        let id = world.runs[0].id;
        world.run_again(id);
    });
    let done = stop(&step, child, "INT");
    assert_eq!(cancels(&sandbox).len(), 0, "{done}");
    assert!(!sandbox.runs()[0].cancelled, "{done}");
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
}

/// Starts a step with this many runs that never end.
fn start_many(provider: Provider, sandbox: &Sandbox, count: usize) -> (Step, Child) {
    let entry = |number: usize| match provider {
        Provider::GitHub => serde_json::json!({
            "repository": "octo-org/app",
            "workflow": "build.yml",
            "ref": "main",
            "inputs": { "version": number.to_string() },
        }),
        Provider::GitLab | Provider::Bitbucket => serde_json::json!({
            "repository": "octo-group/tools/deployer",
            "ref": "main",
            "variables": { "NUMBER": number.to_string() },
        }),
    };
    let targets: Vec<_> = (0..count).map(entry).collect();
    let step = call(provider, sandbox)
        .input("repository", "")
        .input("workflow", "")
        .input("ref", "")
        .input("targets", &serde_json::json!(targets).to_string())
        .input("max-parallel", "50");
    let child = step.start();
    until(sandbox, "all have been triggered", |sandbox| {
        sandbox.runs().len() == count
    });
    (step, child)
}

/// All runs are cancelled at once, however long each response takes. GitHub's cancel is preceded by a read.
#[test]
fn every_one_of_many_runs_gets_a_cancel() {
    for provider in [Provider::GitHub, Provider::GitLab] {
        let sandbox = with_scenario(provider, Scenario::endless());
        let (step, child) = start_many(provider, &sandbox, 220);
        let slow = Fault::Delay(Moment::BeforeActing, SECOND);
        sandbox.fault(Route::any().method("GET"), Occasion::Every, slow.clone());
        let cancels = Route::any().method("POST").path("/cancel");
        sandbox.fault(cancels, Occasion::Every, slow);
        stop(&step, child, "INT");
        let runs = sandbox.runs();
        let left = runs.iter().filter(|run| !run.cancelled).count();
        assert_eq!(left, 0, "{provider}");
    }
}

/// Only cancels that are already in flight, at most 90, can't be held back.
#[test]
fn a_rate_limited_cancel_pauses_the_other_cancels() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::endless());
    let (step, child) = start_many(Provider::GitLab, &sandbox, 200);
    let route = Route::any().method("POST").path("/cancel");
    let limit = Fault::gitlab_limit(Some(2));
    sandbox.fault(route, Occasion::First(1), limit);
    let done = stop(&step, child, "INT");
    let sent = cancels(&sandbox);
    let is_early = |at: &&SystemTime| **at < sent[0] + 2 * SECOND * 9 / 10;
    let early = sent.iter().filter(is_early).count();
    assert!(early <= 90, "{early} of {}", sent.len());
    assert!(sandbox.runs().iter().all(|run| run.cancelled), "{done}");
}

/// Cancelling twice does no harm.
#[test]
fn a_cancel_without_a_clear_response_is_resent() {
    let faults = [
        Fault::status(Moment::BeforeActing, 502),
        Fault::Reset(Moment::BeforeActing),
        Fault::Reset(Moment::AfterActing),
        Fault::gitlab_limit(Some(1)),
    ];
    let cases = PROVIDERS.map(|provider| faults.clone().map(|fault| (provider, fault)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, fault)| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let cancels = Route::any().method("POST");
        sandbox.fault(cancels, Occasion::First(1), fault);
        let done = stop(&step, child, "INT");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(left_running(&done), None, "{done}");
    });
}

#[test]
fn a_cancel_that_is_rate_limited_for_too_long_is_reported() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let cancels = Route::any().method("POST");
        sandbox.fault(cancels, Occasion::Every, Fault::gitlab_limit(Some(60)));
        let done = stop(&step, child, "INT");
        let left = left_running(&done).unwrap_or_default();
        assert!(left.starts_with("too many requests"), "{left}");
        assert!(
            left.ends_with("no cancel was accepted before the step had to end"),
            "{left}"
        );
    });
}

/// A rate limit that outlasts the step is ignored for one cancel of each run, but a cancel that never arrived is no cancel.
#[test]
fn a_cancel_that_is_lost_during_a_rate_limit_is_resent() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let reads = Route::any().method("GET");
        sandbox.fault(reads, Occasion::Every, Fault::gitlab_limit(Some(60)));
        until(&sandbox, "a poll is limited", |sandbox| {
            let requests = sandbox.requests();
            let mut responses = requests.iter().map(|request| &request.response);
            responses.any(|response| *response == RecordedResponse::Status(429))
        });
        let lost = Fault::Reset(Moment::BeforeActing);
        sandbox.fault(Route::any().method("POST"), Occasion::First(1), lost);
        let done = stop(&step, child, "INT");
        assert!(sandbox.runs()[0].cancelled, "{done}");
    });
}

#[test]
fn an_ignored_cancel_is_reported() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let scenario = Scenario::endless().on_cancel(OnCancel::Ignores);
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let done = stop(&step, child, "INT");
        let left = left_running(&done).unwrap_or_default();
        assert_eq!(
            left,
            "the cancel request was accepted, but didn't take effect before the step had to end"
        );
        assert_eq!(reason(&done), "cancel-unconfirmed");
        assert_eq!(done.outputs["conclusion"], "");
    });
}

#[test]
fn a_cancel_without_a_response_is_reported() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let silent = Fault::Delay(Moment::BeforeActing, 30 * SECOND);
        sandbox.fault(Route::any().method("POST"), Occasion::Every, silent);
        let done = stop(&step, child, "TERM");
        let left = left_running(&done).unwrap_or_default();
        assert_eq!(
            left,
            "the cancel request wasn't answered before the step had to end"
        );
    });
}

/// The run ended just before the cancel, so its own conclusion counts.
#[test]
fn a_run_that_ended_before_the_cancel_keeps_its_conclusion() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        sandbox.with_world(|world| world.runs[0].complete(Conclusion::Success));
        signal(&child, "INT");
        let done = step.finish(child).passes();
        assert_eq!(left_running(&done), None, "{done}");
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
        assert!(!sandbox.runs()[0].cancelled);
    });
}

#[test]
fn a_cancel_may_take_its_time() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let scenario = Scenario::endless().on_cancel(OnCancel::Ends(SECOND / 2));
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox);
        let child = start_and_wait_for_run(&step);
        let done = stop(&step, child, "TERM");
        assert_eq!(left_running(&done), None, "{done}");
        assert_eq!(done.outputs["conclusion"], "cancelled", "{done}");
    });
}

/// A deadline allows more time than a signal.
#[test]
fn after_a_deadline_a_cancel_is_watched_for_half_a_minute() {
    let cases = [
        (OnCancel::Ends(12 * SECOND), None),
        (OnCancel::Ignores, Some(())),
    ];
    in_parallel(cases.to_vec(), |(on_cancel, left)| {
        let sandbox = with_scenario(Provider::GitLab, Scenario::endless().on_cancel(on_cancel));
        let step = call(Provider::GitLab, &sandbox).input("timeout", "2s");
        let began = Instant::now();
        let done = step.run();
        assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
        assert_eq!(left_running(&done).map(drop), left, "{done}");
        assert!(began.elapsed() < 40 * SECOND);
        assert_eq!(done.code, Some(1));
    });
}

#[test]
fn a_second_signal_stops_the_step_immediately() {
    let scenario = Scenario::endless().on_cancel(OnCancel::Ignores);
    let sandbox = with_scenario(Provider::GitHub, scenario);
    let step = call(Provider::GitHub, &sandbox);
    let child = start_and_wait_for_run(&step);
    signal(&child, "INT");
    step.until_said("cancelling the run");
    let signalled = Instant::now();
    signal(&child, "TERM");
    let done = step.finish(child);
    assert!(
        signalled.elapsed() < SECOND,
        "{:?}\n{done}",
        signalled.elapsed()
    );
    assert_eq!(done.code, Some(1));
    let left = left_running(&done).unwrap_or_default();
    assert!(left.contains("before the second signal"), "{left}");
}

/// The response arrives within the four seconds allowed, so the run is known and can be cancelled.
#[test]
fn a_run_of_a_trigger_in_flight_is_cancelled() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let slow = Fault::Delay(Moment::AfterActing, 3 * SECOND);
        sandbox.fault(Route::triggers(), Occasion::Every, slow);
        let step = call(provider, &sandbox);
        let child = step.start();
        until(&sandbox, "the trigger is on the wire", |sandbox| {
            !sandbox.trigger_requests().is_empty()
        });
        let done = stop(&step, child, "INT");
        assert_eq!(done.outputs["outcome"], "accepted", "{done}");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(sandbox.unfinished_runs().len(), 0);
    });
}

/// The response doesn't arrive in time, so the outcome stays unknown.
#[test]
fn a_trigger_without_a_response_is_unknown() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let silent = Fault::Delay(Moment::AfterActing, 30 * SECOND);
        sandbox.fault(Route::triggers(), Occasion::Every, silent);
        let step = call(provider, &sandbox);
        let child = step.start();
        until(&sandbox, "the trigger is on the wire", |sandbox| {
            !sandbox.trigger_requests().is_empty()
        });
        let done = stop(&step, child, "INT");
        assert_eq!(done.outputs["outcome"], "unknown", "{done}");
        let left = done.result()["left_running"].clone();
        assert_eq!(left, "it's unclear whether the trigger started a run");
        assert!(!sandbox.runs()[0].cancelled);
    });
}

/// The response doesn't arrive in time, but the run has the marker.
#[test]
fn a_marked_run_of_a_trigger_without_a_response_is_cancelled() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let silent = Fault::Delay(Moment::AfterActing, 30 * SECOND);
    sandbox.fault(Route::triggers(), Occasion::Every, silent);
    let step = dispatch(&sandbox, "release");
    let child = step.start();
    until(&sandbox, "the trigger is on the wire", |sandbox| {
        !sandbox.trigger_requests().is_empty()
    });
    let done = stop(&step, child, "INT");
    assert_eq!(done.outputs["outcome"], "accepted", "{done}");
    assert_eq!(done.result()["runs"][0]["matched_by"], "marker");
    assert!(sandbox.runs()[0].cancelled, "{done}");
}

/// Not even the last search for the marker delays the end.
#[test]
fn a_second_signal_skips_the_last_search() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let silent = Fault::Delay(Moment::AfterActing, 30 * SECOND);
    sandbox.fault(Route::triggers(), Occasion::Every, silent.clone());
    let step = dispatch(&sandbox, "release");
    let child = step.start();
    until(&sandbox, "the trigger is on the wire", |sandbox| {
        !sandbox.trigger_requests().is_empty()
    });
    sandbox.fault(Route::any().method("GET"), Occasion::Every, silent);
    signal(&child, "INT");
    step.until_said("checking for a new run");
    let signalled = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(
        signalled.elapsed() < SECOND,
        "{:?}\n{done}",
        signalled.elapsed()
    );
    assert_eq!(done.outputs["outcome"], "unknown", "{done}");
}

#[test]
fn only_certain_runs_are_cancelled() {
    // Only one of the two workflows has the marker in its title.
    let sandbox = start(World::demo().scenario(Provider::GitHub, Scenario::endless()));
    sandbox.with_world(|world| {
        let workflows = &mut world.github.repositories[0].workflows;
        let notify = workflows
            .iter_mut()
            .find(|workflow| workflow.file == "notify.yml");
        let title = "Notify ${{ github.event.client_payload.trigger_id }}";
        notify.expect("it is there").run_name = Some(title.to_owned());
    });
    let step = dispatch(&sandbox, "deploy");
    let child = start_and_wait_for_run(&step);
    let done = stop(&step, child, "INT");
    for run in sandbox.runs() {
        assert_eq!(run.cancelled, run.pipeline == "notify.yml", "{done}");
    }
    let runs = done.result()["runs"].clone();
    for run in runs.as_array().expect("runs") {
        let is_left = run["left_running"] != Value::Null;
        assert_eq!(is_left, run["matched_by"] == "timing", "{run}");
    }
}

#[test]
fn a_signal_before_the_trigger_leaves_nothing_running() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox: Sandbox = with_scenario(provider, Scenario::endless());
        let slow = Fault::Delay(Moment::BeforeActing, 20 * SECOND);
        sandbox.fault(Route::any().method("GET"), Occasion::Every, slow);
        let step = call(provider, &sandbox);
        let child = step.start();
        until(&sandbox, "the preflight is on the wire", |sandbox| {
            !sandbox.requests().is_empty()
        });
        let done = stop(&step, child, "INT");
        assert_eq!(done.outputs["outcome"], "not-sent", "{done}");
        assert_eq!(sandbox.runs().len(), 0);
    });
}
