//! `on-rerun: once` for pipelines whose runs can't carry a marker: the commit statuses are the memory.

use std::time::Duration;

use sandbox::world::{Access, CommitStatus, RunDetails, Scenario, StatusState};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World, demo};
use serde_json::Value;

use crate::calls::{PROVIDERS, SECOND, call, in_parallel, signal, start, until};
use crate::harness::{Done, Step};
use crate::inputs::fails_with;

const UNCLEAR: &str = "not triggered, because an earlier attempt of this job may have done so: attempt 1 was about to trigger, and its commit status doesn't say what happened then";

/// The demo world, in which the caller's `GITHUB_TOKEN` may set statuses.
fn world(provider: Provider, scenario: Scenario) -> Sandbox {
    let world = World::demo().grant(demo::GITHUB_WORKFLOW_OF_CALLER, "statuses", Access::Write);
    start(world.scenario(provider, scenario))
}

/// Lets runs that are started from now on follow this scenario.
fn set_scenario(sandbox: &Sandbox, provider: Provider, scenario: Scenario) {
    sandbox.with_world(|world| {
        *world = std::mem::take(world).scenario(provider, scenario);
    });
}

/// A step of an attempt of the calling job.
fn step(provider: Provider, sandbox: &Sandbox, attempt: u32) -> Step {
    of_attempt(call(provider, sandbox), attempt)
}

fn of_attempt(step: Step, attempt: u32) -> Step {
    step.input("on-rerun", "once")
        .input("status", "true")
        .environment("GITHUB_RUN_ATTEMPT", &attempt.to_string())
}

fn setting_a_status() -> Route {
    Route::any().method("POST").path("/statuses/")
}

fn listing_statuses() -> Route {
    Route::any().method("GET").path_end("/statuses")
}

fn triggers(sandbox: &Sandbox) -> usize {
    sandbox.trigger_requests().len()
}

fn started_by(done: &Done) -> Value {
    done.result()["runs"][0]["started_by_attempt"].clone()
}

/// Kills the step as soon as the condition holds.
fn kill_when(step: &Step, sandbox: &Sandbox, what: &str, holds: impl Fn(&Sandbox) -> bool) {
    let child = step.start();
    until(sandbox, what, holds);
    signal(&child, "KILL");
    drop(child.wait_with_output());
}

/// Whether a status links to a run.
fn is_remembered(sandbox: &Sandbox) -> bool {
    let runs = sandbox.runs();
    let statuses = sandbox.statuses();
    let mut pages = statuses
        .iter()
        .filter_map(|status| status.target_url.as_ref());
    pages.any(|page| !page.contains("/octo-org/caller/") && !runs.is_empty())
}

fn descriptions(sandbox: &Sandbox) -> Vec<String> {
    let statuses = sandbox.statuses().into_iter();
    statuses.filter_map(|status| status.description).collect()
}

/// Nothing was sent by this attempt, and the step says why.
fn refuses(done: &Done, sandbox: &Sandbox, triggers_before: usize, why: &str) {
    done.outcome("not-sent").says(why);
    assert_eq!(done.code, Some(1), "{done}");
    assert_eq!(triggers(sandbox), triggers_before, "{done}");
    for request in sandbox.requests() {
        assert_eq!(request.objections, Vec::<String>::new());
    }
}

#[test]
fn the_statuses_say_what_was_started() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let done = step(provider, &sandbox, 1).run().passes();
        let said = descriptions(&sandbox);
        let statuses = sandbox.statuses();
        let key = said[0].strip_prefix("starting (run 17, attempt 1, ");
        let key = key.and_then(|rest| rest.strip_suffix(')'));
        let key = key.unwrap_or_else(|| panic!("{said:#?}"));
        assert_eq!(
            said[1],
            format!("starting (run 17, attempt 1, {key}, unclear)")
        );
        let note = format!(" (run 17, attempt 1, {key})");
        assert!(
            said[2..].iter().all(|text| text.ends_with(&note)),
            "{said:#?}"
        );
        let last = statuses.last().unwrap();
        assert_eq!(last.state, StatusState::Success);
        assert_eq!(last.target_url, Some(done.outputs["run-url"].clone()));
        // What was written ahead was there before the trigger was sent.
        let requests = sandbox.requests();
        let mut methods = requests.iter().filter(|request| request.method == "POST");
        let before = methods.position(|request| !request.path.contains("/statuses/"));
        assert_eq!(before, Some(2), "{done}");
        assert!(!done.log.contains("unclear"), "{done}");
    });
}

/// The description of a target whose memory is a marker is as it always was.
#[test]
fn a_target_with_a_marker_is_not_remembered_by_its_status() {
    let sandbox = world(Provider::GitHub, Scenario::passing(SECOND));
    let event = Step::github(&sandbox).input("event-type", "deploy-marked");
    of_attempt(event.input("wait", "true"), 1).run().passes();
    let said = descriptions(&sandbox);
    assert!(said.iter().all(|text| !text.contains("run 17")), "{said:?}");
    let lists = sandbox.requests().into_iter();
    let lists = lists.filter(|request| request.path.ends_with("/statuses"));
    assert_eq!(lists.count(), 0);
}

#[test]
fn a_run_that_is_going_on_is_followed() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(15 * SECOND));
        kill_when(
            &step(provider, &sandbox, 1),
            &sandbox,
            "known",
            is_remembered,
        );
        let done = step(provider, &sandbox, 2).run();
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
        assert_eq!(triggers(&sandbox), 1, "{done}");
        assert_eq!(started_by(&done), 1, "{done}");
        done.says("attempt 1 of this job started run #")
            .says("which is still going on; taking it up instead of triggering again");
    });
}

#[test]
fn a_run_that_has_passed_is_done() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let first = step(provider, &sandbox, 1).run();
        for attempt in [2, 3] {
            let again = step(provider, &sandbox, attempt).run().passes();
            assert_eq!(again.outputs["conclusion"], "success", "{again}");
            assert_eq!(again.outputs["outcome"], "accepted", "{again}");
            assert_eq!(again.outputs["run-url"], first.outputs["run-url"]);
            assert_eq!(again.outputs["run-id"], first.outputs["run-id"]);
            assert_eq!(started_by(&again), 1);
            again.says("which has ended as success; not triggering again");
        }
        assert_eq!(triggers(&sandbox), 1);
        let last = sandbox.statuses().pop().unwrap();
        assert_eq!(last.state, StatusState::Success);
        assert_eq!(last.target_url, Some(first.outputs["run-url"].clone()));
    });
}

#[test]
fn a_run_that_has_failed_is_triggered_again() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::failing(SECOND));
        let first = step(provider, &sandbox, 1).run();
        assert_eq!(first.outputs["conclusion"], "failure", "{first}");
        set_scenario(&sandbox, provider, Scenario::passing(SECOND));
        let second = step(provider, &sandbox, 2).run().passes();
        assert_eq!(triggers(&sandbox), 2, "{second}");
        assert_ne!(second.outputs["run-url"], first.outputs["run-url"]);
        assert_eq!(started_by(&second), Value::Null);
        second.says("which has ended as failure; triggering again");
        let third = step(provider, &sandbox, 3).run().passes();
        assert_eq!(third.outputs["run-url"], second.outputs["run-url"]);
        assert_eq!(started_by(&third), 2, "{third}");
        assert_eq!(triggers(&sandbox), 2, "{third}");
    });
}

/// The first attempt was cancelled, and cancelled its run.
#[test]
fn a_run_that_was_cancelled_is_triggered_again() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::endless());
        let first = step(provider, &sandbox, 1);
        let child = first.start();
        first.until_said(": running");
        signal(&child, "INT");
        first.finish(child);
        assert!(sandbox.runs()[0].cancelled);
        set_scenario(&sandbox, provider, Scenario::passing(SECOND));
        let second = step(provider, &sandbox, 2).run().passes();
        second.says("which has ended as cancelled; triggering again");
        assert_eq!(triggers(&sandbox), 2);
    });
}

#[test]
fn nothing_that_was_started_is_triggered() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let refused = Fault::status(Moment::BeforeActing, 422);
        sandbox.fault(Route::triggers(), Occasion::First(1), refused);
        step(provider, &sandbox, 1).run().outcome("rejected");
        let last = sandbox.statuses().pop().unwrap();
        assert!(
            last.target_url
                .unwrap()
                .ends_with("/caller/actions/runs/17")
        );
        let second = step(provider, &sandbox, 2).run().passes();
        assert_eq!(triggers(&sandbox), 2);
        assert_eq!(started_by(&second), Value::Null);
    });
}

/// The job of the first attempt ended before its step began.
#[test]
fn an_attempt_without_a_status_has_started_nothing() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let third = step(provider, &sandbox, 3).run().passes();
        assert_eq!(triggers(&sandbox), 1, "{third}");
    });
}

/// Killed before anything was written ahead, or stopped at any time before the trigger.
#[test]
fn an_attempt_that_ends_before_the_trigger_has_started_nothing() {
    let hanging = Fault::Delay(Moment::BeforeActing, 60 * SECOND);
    let cases = PROVIDERS.map(|provider| {
        [
            (provider, 1, "KILL"),
            (provider, 1, "INT"),
            (provider, 2, "INT"),
        ]
    });
    in_parallel(cases.as_flattened().to_vec(), |(provider, nth, name)| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        sandbox.fault(setting_a_status(), Occasion::Nth(nth), hanging.clone());
        let first = step(provider, &sandbox, 1);
        let child = first.start();
        until(&sandbox, "hanging", |sandbox| {
            let requests = sandbox.requests();
            let set = requests
                .iter()
                .filter(|request| request.path.contains("/statuses/"));
            set.count() == nth
        });
        signal(&child, name);
        drop(child.wait_with_output());
        assert_eq!(triggers(&sandbox), 0);
        sandbox.clear_faults();
        step(provider, &sandbox, 2).run().passes();
        assert_eq!(triggers(&sandbox), 1);
    });
}

/// The stop comes while the status is being set, and there is time to take it back.
#[test]
fn a_stop_takes_back_what_was_written_ahead() {
    let slow = Fault::Delay(Moment::AfterActing, 2 * SECOND);
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        sandbox.fault(setting_a_status(), Occasion::Nth(2), slow.clone());
        let first = step(provider, &sandbox, 1);
        let child = first.start();
        until(&sandbox, "written ahead", |sandbox| {
            sandbox.statuses().len() == 2
        });
        signal(&child, "INT");
        first.finish(child).outcome("not-sent");
        assert_eq!(triggers(&sandbox), 0);
        step(provider, &sandbox, 2).run().passes();
        assert_eq!(triggers(&sandbox), 1);
    });
}

/// Nobody knows whether the trigger was sent, or what came of it.
#[test]
fn an_attempt_that_is_killed_around_the_trigger_is_unclear() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        // Just before it.
        let sandbox = world(provider, Scenario::passing(SECOND));
        let late = Fault::Delay(Moment::AfterActing, 8 * SECOND);
        sandbox.fault(setting_a_status(), Occasion::Nth(2), late);
        kill_when(
            &step(provider, &sandbox, 1),
            &sandbox,
            "written ahead",
            |sandbox| sandbox.statuses().len() == 2,
        );
        sandbox.clear_faults();
        let second = step(provider, &sandbox, 2).run();
        refuses(&second, &sandbox, 0, UNCLEAR);
        // And so it is for the next attempt.
        refuses(&step(provider, &sandbox, 3).run(), &sandbox, 0, UNCLEAR);
    });
    let moments = [Moment::BeforeActing, Moment::AfterActing];
    let cases = PROVIDERS.map(|provider| moments.map(|moment| (provider, moment)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, moment)| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let late = Fault::Delay(moment, 3 * SECOND);
        sandbox.fault(Route::triggers(), Occasion::First(1), late);
        let first = step(provider, &sandbox, 1);
        let child = first.start();
        until(&sandbox, "on the wire", |sandbox| {
            let is_set = sandbox.statuses().len() == 2;
            is_set && (moment == Moment::BeforeActing || !sandbox.runs().is_empty())
        });
        std::thread::sleep(Duration::from_millis(500));
        signal(&child, "KILL");
        drop(child.wait_with_output());
        let second = step(provider, &sandbox, 2).run();
        refuses(&second, &sandbox, 1, UNCLEAR);
        assert!(sandbox.runs().len() <= 1, "{second}");
    });
}

#[test]
fn an_unknown_outcome_is_unclear() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let unclear = Fault::status(Moment::AfterActing, 502);
        sandbox.fault(Route::triggers(), Occasion::First(1), unclear);
        let first = step(provider, &sandbox, 1).input("wait", "false").run();
        first.outcome("unknown");
        let said = descriptions(&sandbox);
        assert!(said.last().unwrap().ends_with(", unclear)"), "{said:?}");
        refuses(&step(provider, &sandbox, 2).run(), &sandbox, 1, UNCLEAR);
    });
}

/// An old server doesn't say which run it starts.
#[test]
fn a_run_that_is_only_matched_by_its_time_is_unclear_and_named() {
    let sandbox = world(Provider::GitHub, Scenario::passing(SECOND));
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let first = step(Provider::GitHub, &sandbox, 1).run();
    assert_eq!(first.result()["runs"][0]["matched_by"], "timing", "{first}");
    let before = triggers(&sandbox);
    let second = step(Provider::GitHub, &sandbox, 2).run();
    let run = &first.outputs["run-url"];
    refuses(
        &second,
        &sandbox,
        before,
        &format!("{UNCLEAR}. Perhaps it started {run}"),
    );
}

#[test]
fn it_works_without_wait() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(3 * SECOND));
        let step = |attempt| step(provider, &sandbox, attempt).input("wait", "false");
        let first = step(1).run().passes();
        let second = step(2).run().passes();
        assert_eq!(
            second.outputs["run-id"], first.outputs["run-id"],
            "{second}"
        );
        assert_eq!(triggers(&sandbox), 1, "{second}");
    });
}

/// The trigger may only be sent once its memory is there, so this is known before anything is started.
#[test]
fn if_no_status_can_be_set_nothing_is_started() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox =
            start(World::demo().grant(demo::GITHUB_WORKFLOW_OF_CALLER, "statuses", Access::Read));
        let done = step(provider, &sandbox, 1).run();
        let why = "the commit status that has to remember the trigger can't be set: `GITHUB_TOKEN` lacks `statuses: write` (GitHub answered 403)";
        refuses(&done, &sandbox, 0, why);
        done.says("hint: add `statuses: write` to the job's `permissions:`");
    });
    // All or nothing: the other one would be remembered by its marker.
    let sandbox =
        start(World::demo().grant(demo::GITHUB_WORKFLOW_OF_CALLER, "statuses", Access::Read));
    let targets = "- event-type: deploy-marked\n- workflow: build.yml\n  ref: main\n";
    let both = Step::github(&sandbox).input("targets", targets);
    let done = of_attempt(both, 1).run();
    assert_eq!(triggers(&sandbox), 0, "{done}");
    done.says("not triggered because another target has an error");
}

/// The first status is set, and then the server is down.
#[test]
fn if_nothing_can_be_written_ahead_nothing_is_sent() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let failing = Fault::status(Moment::BeforeActing, 502);
        for nth in 2..=6 {
            sandbox.fault(setting_a_status(), Occasion::Nth(nth), failing.clone());
        }
        let done = step(provider, &sandbox, 1).run();
        refuses(
            &done,
            &sandbox,
            0,
            "the commit status that has to remember the trigger can't be set: ",
        );
        done.says("hint: check that the job can set commit statuses, and run it again");
        // The server has recovered in time for the last one.
        step(provider, &sandbox, 2).run().passes();
        assert_eq!(triggers(&sandbox), 1);
    });
}

/// A proxy may answer in GitHub's place.
#[test]
fn an_answer_that_names_no_status_sets_none() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let other = Fault::status(Moment::BeforeActing, 200);
        for nth in 2..=6 {
            sandbox.fault(setting_a_status(), Occasion::Nth(nth), other.clone());
        }
        let done = step(provider, &sandbox, 1).run();
        let unset = "the commit status that has to remember the trigger can't be set: ";
        refuses(&done, &sandbox, 0, unset);
    });
}

#[test]
fn a_status_that_is_set_after_a_failure_is_enough() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let failing = Fault::status(Moment::BeforeActing, 502);
        sandbox.fault(setting_a_status(), Occasion::Nth(2), failing);
        step(provider, &sandbox, 1).run().passes();
        assert_eq!(triggers(&sandbox), 1);
    });
}

#[test]
fn if_the_statuses_cannot_be_read_nothing_is_started() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        step(provider, &sandbox, 1).run().passes();
        let refused = Fault::status(Moment::BeforeActing, 403);
        sandbox.fault(listing_statuses(), Occasion::Every, refused);
        let second = step(provider, &sandbox, 2).run();
        let why = "may have done so: the commit statuses can't be read: ";
        refuses(&second, &sandbox, 1, why);
        // What the first attempt has written is still there.
        sandbox.clear_faults();
        let third = step(provider, &sandbox, 3).run().passes();
        assert_eq!(started_by(&third), 1, "{third}");
    });
}

#[test]
fn a_run_that_cannot_be_read_is_not_triggered_again() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        step(provider, &sandbox, 1).run().passes();
        sandbox.with_world(|world| world.delete_run(provider, world.runs[0].id));
        let second = step(provider, &sandbox, 2).run();
        refuses(&second, &sandbox, 1, "may have done so: ");
    });
}

/// Somebody has changed the status.
#[test]
fn a_status_that_names_something_else_is_unclear() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        for page in [
            "https://example.com/octo-org/app/actions/runs/1".to_owned(),
            "/octo-org/other".to_owned(),
            "/octo-workspace/other/pipelines/results/1".to_owned(),
        ] {
            let sandbox = world(provider, Scenario::passing(SECOND));
            let page = if page.starts_with('/') {
                format!("{}{page}", sandbox.http_url())
            } else {
                page
            };
            step(provider, &sandbox, 1).run().passes();
            sandbox.with_world(|world| {
                let last = world.github.statuses.last().cloned().unwrap();
                world.add_status(CommitStatus {
                    target_url: Some(page.clone()),
                    ..last
                });
            });
            let second = step(provider, &sandbox, 2).run();
            refuses(
                &second,
                &sandbox,
                1,
                "may have done so: attempt 1 was about to trigger",
            );
        }
    });
}

#[test]
fn statuses_of_other_calls_are_not_taken() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let first = step(provider, &sandbox, 1).run().passes();
        // Another workflow of the same commit, with a status of the same name.
        let other = step(provider, &sandbox, 2).environment("GITHUB_RUN_ID", "1702");
        let other = other.run().passes();
        assert_eq!(triggers(&sandbox), 2);
        assert_ne!(other.outputs["run-id"], first.outputs["run-id"]);
        // Another call of the same workflow run.
        let second_call = |attempt| step(provider, &sandbox, attempt).input("call-key", "second");
        let second = second_call(1).run().passes();
        assert_eq!(triggers(&sandbox), 3);
        for (again, original) in [
            (step(provider, &sandbox, 2), &first),
            (second_call(2), &second),
        ] {
            let again = again.run().passes();
            assert_eq!(again.outputs["run-id"], original.outputs["run-id"]);
        }
        assert_eq!(triggers(&sandbox), 3);
        // Another name in the next attempt changes nothing.
        let renamed = step(provider, &sandbox, 3).input("status", "other").run();
        assert_eq!(renamed.outputs["run-id"], first.outputs["run-id"]);
        assert_eq!(triggers(&sandbox), 3);
    });
}

#[test]
fn two_calls_with_one_key_are_refused() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let first = step(provider, &sandbox, 1).run().passes();
        let same = step(provider, &sandbox, 1).run();
        let why = "another step of this workflow run has started the same with the same `call-key`";
        refuses(&same, &sandbox, 1, why);
        // It doesn't change what the first one remembers.
        let again = step(provider, &sandbox, 2).run().passes();
        assert_eq!(again.outputs["run-id"], first.outputs["run-id"], "{again}");
        assert_eq!(triggers(&sandbox), 1);
    });
}

/// Of twelve, seven have passed, and five are triggered again.
#[test]
fn of_many_targets_only_the_failed_ones_are_triggered_again() {
    // Bitbucket's rate limit would make it take minutes.
    in_parallel(vec![Provider::GitHub, Provider::GitLab], |provider| {
        let sandbox = world(provider, Scenario::passing(SECOND));
        let targets: String = (0..12).map(|_| "- ref: main\n").collect();
        let step = |attempt| {
            let step = step(provider, &sandbox, attempt);
            step.input("targets", &targets).input("max-parallel", "1")
        };
        let refused = Fault::status(Moment::BeforeActing, 422);
        sandbox.fault(Route::triggers(), Occasion::First(5), refused);
        let first = step(1).run();
        first.outcome("rejected");
        assert_eq!(sandbox.runs().len(), 7, "{first}");
        let second = step(2).run();
        assert_eq!(second.outputs["conclusion"], "success", "{second}");
        assert_eq!(sandbox.runs().len(), 12, "{second}");
        let results = second.results();
        let taken = results
            .iter()
            .filter(|result| result["runs"][0]["started_by_attempt"] == 1);
        assert_eq!(taken.count(), 7, "{second}");
        // The statuses are read once for all of them.
        let lists = sandbox.requests().into_iter();
        let lists = lists.filter(|request| request.path.ends_with("/statuses"));
        let pages: Vec<_> = lists.map(|request| request.query).collect();
        assert_eq!(pages.len(), 2, "{pages:?}");
    });
}

/// The second process of a job that was cancelled leaves a status that the next attempt understands.
#[test]
fn the_second_chance_leaves_what_can_be_read_back() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        // The run is known, and the second process cancels it.
        let sandbox = world(provider, Scenario::endless());
        let first = step(provider, &sandbox, 1);
        kill_when(&first, &sandbox, "known", is_remembered);
        first.second_chance().run().passes();
        assert!(sandbox.runs()[0].cancelled);
        set_scenario(&sandbox, provider, Scenario::passing(SECOND));
        let second = step(provider, &sandbox, 2).run().passes();
        second.says("which has ended as cancelled; triggering again");
        assert_eq!(triggers(&sandbox), 2);

        // The trigger was on the wire.
        let sandbox = world(provider, Scenario::passing(SECOND));
        let late = Fault::Delay(Moment::AfterActing, 3 * SECOND);
        sandbox.fault(Route::triggers(), Occasion::First(1), late);
        let first = step(provider, &sandbox, 1);
        kill_when(&first, &sandbox, "started", |sandbox| {
            !sandbox.runs().is_empty()
        });
        let done = first.second_chance().run();
        let last = sandbox.statuses().pop().unwrap();
        assert_eq!(
            last.state,
            StatusState::Error,
            "{done}{:#?}",
            sandbox.statuses()
        );
        assert!(last.description.unwrap().ends_with(", unclear)"));
        refuses(&step(provider, &sandbox, 2).run(), &sandbox, 1, UNCLEAR);
    });
}

#[test]
fn it_needs_a_marker_or_a_status() {
    let sandbox = world(Provider::GitHub, Scenario::passing(SECOND));
    let once = |provider| call(provider, &sandbox).input("on-rerun", "once");
    let hints = [
        (
            Provider::GitHub,
            "octo-org/app",
            "set `marker-input` for it, or set `status`; or use `on-rerun: repeat`",
        ),
        (
            Provider::GitLab,
            "octo-group/tools/deployer",
            "set `marker-input` for it, or set `status`; or use `on-rerun: repeat`",
        ),
        (
            Provider::Bitbucket,
            "octo-workspace/service",
            "set `status`, or use `on-rerun: repeat`",
        ),
    ];
    for (provider, target, hint) in hints {
        let what = format!(
            "input `on-rerun`: can't be `once` for {target}, whose runs carry no marker\nhint: {hint}"
        );
        fails_with(&sandbox, &once(provider), &[&what]);
    }
}
