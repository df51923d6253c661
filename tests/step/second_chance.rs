//! The second process of a step whose job was cancelled: it cancels runs that the first process left running.

use std::process::Child;
use std::time::{Duration, Instant};

use sandbox::world::{OnCancel, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox};
use serde_json::{Value, json};

use crate::calls::{PROVIDERS, SECOND, call, dispatch, in_parallel, signal, until, with_scenario};
use crate::harness::{Done, Step};

/// Stops a step that waits for a run, and runs its second process.
fn cancelled_step(step: &Step) -> (Done, Done) {
    let child = step.start();
    step.until_said(": running");
    signal(&child, "INT");
    let first = step.finish(child);
    (first, step.second_chance().run())
}

/// The second signal ends a step at once.
fn interrupt_twice(child: &Child) {
    signal(child, "INT");
    std::thread::sleep(SECOND / 2);
    signal(child, "INT");
}

fn posts(sandbox: &Sandbox) -> usize {
    let requests = sandbox.requests();
    requests
        .iter()
        .filter(|request| request.method == "POST")
        .count()
}

#[test]
fn a_refused_cancel_is_resent_until_it_is_accepted() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let on_cancel = OnCancel::RefusesAtFirst {
            status: 409,
            times: 10,
        };
        let sandbox = with_scenario(provider, Scenario::endless().on_cancel(on_cancel));
        let step = call(provider, &sandbox);
        let (first, second) = cancelled_step(&step);
        first.says("may still be running");
        let second = second.passes();
        second.says("is over: cancelled");
        assert!(sandbox.runs()[0].cancelled, "{second}");
        assert_eq!(second.warnings(), Vec::<String>::new());
        assert_eq!(sandbox.trigger_requests().len(), 1, "{second}");
    });
}

#[test]
fn a_slow_cancel_is_confirmed() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let on_cancel = OnCancel::Ends(20 * SECOND);
        let sandbox = with_scenario(provider, Scenario::endless().on_cancel(on_cancel));
        let (first, second) = cancelled_step(&call(provider, &sandbox));
        first.says("didn't take effect");
        second.passes().says("is over: cancelled");
        assert_eq!(sandbox.unfinished_runs().len(), 0);
    });
}

/// The second process signs in anew, and its token is revoked like the first one's.
#[test]
fn an_app_signs_in_again_to_cancel_a_run() {
    let on_cancel = OnCancel::RefusesAtFirst {
        status: 409,
        times: 8,
    };
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless().on_cancel(on_cancel));
    let step = call(Provider::GitHub, &sandbox)
        .input("token", "")
        .signed_in_as_app();
    let (first, second) = cancelled_step(&step);
    first.says("may still be running");
    second.passes().says("is over: cancelled");
    assert!(sandbox.runs()[0].cancelled);
    assert_eq!(sandbox.trigger_requests().len(), 1);
    let (minted, valid) = sandbox.with_world(|world| {
        let valid = world.github.minted_tokens().len();
        (world.github.minted, valid)
    });
    assert_eq!((minted, valid), (2, 0));
}

/// The second process only knows the saved id or marker.
#[test]
fn runs_left_by_a_killed_process_are_cancelled() {
    let mut cases = PROVIDERS.map(|provider| (provider, "id")).to_vec();
    cases.push((Provider::GitHub, "marker"));
    cases.push((Provider::GitHub, "nothing"));
    in_parallel(cases, |(provider, known)| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = match known {
            "id" => call(provider, &sandbox),
            _ => dispatch(&sandbox, "release"),
        };
        if known == "nothing" {
            let silent = Fault::Delay(Moment::AfterActing, 30 * SECOND);
            sandbox.fault(Route::triggers(), Occasion::Every, silent);
        }
        let mut child = step.start();
        if known == "nothing" {
            until(&sandbox, "it runs", |sandbox| !sandbox.runs().is_empty());
        } else {
            step.until_said(": running");
        }
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        assert!(!sandbox.runs()[0].cancelled);
        let second = step.second_chance().run().passes();
        second.says("is over: cancelled");
        assert!(sandbox.runs()[0].cancelled, "{second}");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{second}");
    });
}

/// The run can't be identified with certainty, so it is only named.
#[test]
fn a_run_matched_by_time_is_named_and_not_cancelled() {
    in_parallel(vec![Provider::GitLab, Provider::Bitbucket], |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let silent = Fault::Delay(Moment::AfterActing, 30 * SECOND);
        sandbox.fault(Route::triggers(), Occasion::Every, silent);
        let step = call(provider, &sandbox);
        let mut child = step.start();
        until(&sandbox, "it runs", |sandbox| !sandbox.runs().is_empty());
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        let second = step.second_chance().run();
        assert_eq!(second.code, Some(1), "{second}");
        let warnings = second.warnings();
        assert_eq!(warnings.len(), 1, "{second}");
        assert!(
            warnings[0].contains("the trigger may have started one of these runs")
                && warnings[0].contains("http"),
            "{}",
            warnings[0]
        );
        assert!(!sandbox.runs()[0].cancelled);
        assert_eq!(posts(&sandbox), 1);
    });
}

/// Nothing is saved if nothing is left running, or if it is to be left running.
#[test]
fn nothing_is_done_if_nothing_is_left_running() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let (first, second) = cancelled_step(&call(provider, &sandbox));
        assert_eq!(first.outputs["conclusion"], "cancelled", "{first}");
        second.passes().says("nothing to do");

        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox).input("on-abandoned", "leave");
        let (_, second) = cancelled_step(&step);
        assert_eq!(step.saved().len(), 0);
        second.passes().says("nothing to do");
        assert_eq!(posts(&sandbox), 1, "the trigger");
        assert!(!sandbox.runs()[0].cancelled);
    });
}

/// A process that was killed before it sent anything has saved no state.
#[test]
fn a_second_process_never_triggers() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let done = call(provider, &sandbox).second_chance().run().passes();
        done.says("nothing to do");
        assert_eq!(sandbox.requests().len(), 0);
    });
}

#[test]
fn only_targets_left_running_are_cancelled() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::endless());
    let entry = |name: &str| {
        serde_json::json!({
            "repository": "octo-group/tools/deployer",
            "ref": "main",
            "variables": { "NAME": name },
        })
    };
    let targets: Vec<_> = ["a", "b", "c"].map(entry).to_vec();
    let step = call(Provider::GitLab, &sandbox)
        .input("repository", "")
        .input("ref", "")
        .input("targets", &Value::from(targets).to_string());
    let child = step.start();
    until(&sandbox, "all run", |sandbox| sandbox.runs().len() == 3);
    step.until_said("[3]");
    let id = sandbox.runs()[1].id;
    let route = Route::any()
        .method("POST")
        .path(&format!("/pipelines/{id}/cancel"));
    let refused = Fault::status(Moment::BeforeActing, 409);
    sandbox.fault(route, Occasion::For(8 * SECOND), refused);
    signal(&child, "INT");
    step.finish(child);
    assert_eq!(step.saved().len(), 1, "{:?}", step.saved());
    std::thread::sleep(Duration::from_secs(2));
    let began = Instant::now();
    let second = step.second_chance().run().passes();
    assert!(began.elapsed() < 20 * SECOND, "{second}");
    assert!(sandbox.runs().iter().all(|run| run.cancelled), "{second}");
    let cancelled = second.log.matches("is over: cancelled").count();
    assert_eq!(cancelled, 1, "{second}");
}

#[test]
fn a_run_that_ignores_its_cancel_is_named() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::endless());
    let step = call(Provider::GitLab, &sandbox);
    let mut child = step.start();
    step.until_said(": running");
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let refused = Fault::status(Moment::BeforeActing, 403);
    let cancels = Route::any().method("POST").path("/cancel");
    sandbox.fault(cancels, Occasion::Every, refused);
    let second = step.second_chance();
    let child = second.start();
    second.until_said("cancelling the run");
    // Only a person would send it a signal, perhaps with good reason.
    std::thread::sleep(3 * SECOND);
    interrupt_twice(&child);
    let second = second.finish(child);
    assert_eq!(second.code, Some(1), "{second}");
    assert!(
        second.warnings()[0].contains("may still be running: a proxy, firewall or login page refused the request in place of GitLab (403"),
        "{second}"
    );
}

/// A `repository_dispatch` may have started more runs than the first process knew.
#[test]
fn runs_that_cannot_be_listed_are_reported_even_if_one_is_known() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = dispatch(&sandbox, "release");
    let mut child = step.start();
    step.until_said(": running");
    child.kill().expect("it is still running");
    child.wait().expect("it ends");
    let lists = Route::any().method("GET").path_end("/actions/runs");
    sandbox.fault(
        lists,
        Occasion::Every,
        Fault::status(Moment::BeforeActing, 502),
    );
    let second = step.second_chance();
    let child = second.start();
    until(&sandbox, "it is cancelled", |sandbox| {
        sandbox.runs()[0].cancelled
    });
    std::thread::sleep(3 * SECOND);
    // It would search for minutes.
    interrupt_twice(&child);
    let second = second.finish(child);
    assert_eq!(second.code, Some(1), "{second}");
    second.says("is over: cancelled");
    let warnings = second.warnings();
    assert_eq!(warnings.len(), 1, "{second}");
    assert!(
        warnings[0].contains("still unclear whether the trigger started more runs"),
        "{}",
        warnings[0]
    );
}

/// Targets with the same credential share a sign-in, which the first one to finish must not end.
#[test]
fn targets_of_one_credential_finish_one_after_the_other() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let entry = |event_type| json!({"repository": "octo-org/app", "event-type": event_type});
    let targets = json!([entry("deploy-marked"), entry("release")]);
    let step = Step::github(&sandbox)
        .input("wait", "true")
        .input("targets", &targets.to_string());
    let mut child = step.start();
    until(&sandbox, "both are triggered", |_| step.saved().len() == 2);
    std::thread::sleep(3 * SECOND);
    child.kill().expect("it is still running");
    child.wait().expect("it ends");
    let last = sandbox.runs().last().expect("runs were started").id;
    let cancel = Route::any().method("POST").path(&format!("/{last}/cancel"));
    let refused = Fault::status(Moment::BeforeActing, 409);
    sandbox.fault(cancel, Occasion::First(5), refused);
    let second = step.second_chance().run();
    assert!(sandbox.runs().iter().all(|run| run.cancelled), "{second}");
    second.passes();
}
