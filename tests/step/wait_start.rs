//! `wait: start`: the step goes on as soon as its runs are known, and leaves them alone from then on.

use std::time::Instant;

use sandbox::world::{RunDetails, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, RecordedRequest, Route, Sandbox, World};
use serde_json::{Value, json};

use crate::calls::{PROVIDERS, SECOND, in_parallel, signal, start, trigger, until, with_scenario};
use crate::harness::{Done, Step, sandbox};
use crate::inputs::fails_with;

fn event(sandbox: &Sandbox, event_type: &str) -> Step {
    Step::github(sandbox)
        .input("event-type", event_type)
        .input("wait", "start")
}

fn matches(done: &Done) -> Vec<Value> {
    let runs = done.result()["runs"].clone();
    let runs = runs.as_array().cloned().unwrap_or_default();
    runs.iter().map(|run| run["matched_by"].clone()).collect()
}

/// Checks that all runs are still going, and that the step's second process leaves them alone.
fn leaves_its_runs(step: &Step, done: &Done, sandbox: &Sandbox) {
    assert_eq!(done.outputs["conclusion"], "", "{done}");
    assert_eq!(done.result()["conclusion"], Value::Null);
    step.second_chance().run().passes().says("nothing to do");
    assert!(sandbox.runs().iter().all(|run| !run.cancelled), "{done}");
    assert_eq!(done.outputs["outcome"], "accepted", "{done}");
    let first = &done.result()["runs"][0];
    assert_eq!(done.outputs["run-id"], first["id"], "{done}");
    assert_eq!(done.outputs["run-url"], first["url"], "{done}");
}

#[test]
fn a_run_with_an_id_is_known_at_once_and_not_polled() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = trigger(provider, &sandbox).input("wait", "start");
        let done = step.run().passes();
        assert_eq!(matches(&done), [json!("id")], "{done}");
        let requests = sandbox.requests();
        assert!(requests.last().is_some_and(RecordedRequest::is_trigger));
        done.says("was triggered");
        leaves_its_runs(&step, &done, &sandbox);
    });
}

#[test]
fn the_run_of_an_event_is_known_by_its_marker() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = event(&sandbox, "release");
    let done = step.run().passes();
    assert_eq!(matches(&done), [json!("marker")], "{done}");
    assert_eq!(done.warnings(), Vec::<String>::new(), "{done}");
    assert!(
        sandbox.runs()[0]
            .title
            .contains(&done.outputs["trigger-id"])
    );
    leaves_its_runs(&step, &done, &sandbox);
}

/// One event starts two workflows, neither of which shows the marker.
#[test]
fn runs_known_by_their_time_are_all_collected_with_a_warning() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = event(&sandbox, "deploy");
    let done = step.run().passes();
    assert_eq!(matches(&done), [json!("timing"), json!("timing")], "{done}");
    let warnings = done.warnings();
    assert_eq!(warnings.len(), 2, "{done}");
    for (warning, workflow) in warnings.iter().zip(["build.yml", "notify.yml"]) {
        let only = format!("is the only run of {workflow} that started");
        assert!(warning.contains(&only), "{warning}");
    }
    leaves_its_runs(&step, &done, &sandbox);
}

/// GitHub Enterprise Server before 3.21.
#[test]
fn a_server_that_does_not_name_the_run_leads_to_a_search() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let step = trigger(Provider::GitHub, &sandbox).input("wait", "start");
    let done = step.run().passes();
    assert_eq!(matches(&done), [json!("timing")], "{done}");
    leaves_its_runs(&step, &done, &sandbox);
}

#[test]
fn a_run_that_is_not_found_fails_the_step() {
    let sandbox = start(World::demo());
    let step = event(&sandbox, "nobody-listens").input("timeout", "12s");
    let done = step
        .run()
        .fails(&["no run was found within `timeout` (12s)"]);
    assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");

    let sandbox = start(World::demo().strangers(&["octocat"]));
    let done = event(&sandbox, "deploy").run();
    assert_eq!(done.code, Some(1), "{done}");
    assert_eq!(done.outputs["conclusion"], "lost", "{done}");
    assert_eq!(matches(&done), Vec::<Value>::new());
    done.says("several runs of build.yml");
}

/// There may be more runs than the one that was found before the lists failed.
#[test]
fn runs_that_cannot_be_listed_fail_the_step() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = event(&sandbox, "release");
    let child = step.start();
    step.until_said("by the marker in its title");
    let refused = Fault::status(Moment::BeforeActing, 404);
    let lists = Route::any().method("GET").path_end("/actions/runs");
    sandbox.fault(lists, Occasion::Every, refused);
    let done = step.finish(child);
    let done = done.fails(&["there may be more runs of this trigger, but they can't be listed"]);
    assert_eq!(done.outputs["conclusion"], "lost", "{done}");
    assert_eq!(matches(&done), [json!("marker")], "{done}");
    assert!(!sandbox.runs()[0].cancelled, "{done}");
}

#[test]
fn a_stop_before_the_run_is_known_cancels_it() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = event(&sandbox, "release");
    let child = step.start();
    until(&sandbox, "the run has started", |sandbox| {
        !sandbox.runs().is_empty()
    });
    let signalled = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(signalled.elapsed() < 7 * SECOND);
    assert_eq!(done.code, Some(1), "{done}");
    assert!(sandbox.runs()[0].cancelled, "{done}");
    assert_eq!(matches(&done), [json!("marker")], "{done}");
}

/// The search takes at least ten seconds.
#[test]
fn a_timeout_before_the_run_is_known_cancels_it_unless_it_is_to_be_left() {
    in_parallel(vec!["cancel", "leave"], |on_abandoned| {
        let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
        let step = event(&sandbox, "release")
            .input("timeout", "4s")
            .input("on-abandoned", on_abandoned);
        let done = step.run();
        assert_eq!(done.code, Some(1), "{done}");
        assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
        let is_cancelled = sandbox.runs()[0].cancelled;
        assert_eq!(is_cancelled, on_abandoned == "cancel", "{done}");
    });
}

#[test]
fn an_unknown_outcome_is_settled_by_the_marker() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let unclear = Fault::Reset(Moment::AfterActing);
    sandbox.fault(Route::triggers(), Occasion::Every, unclear);
    let step = event(&sandbox, "release");
    let done = step.run().passes();
    assert_eq!(matches(&done), [json!("marker")], "{done}");
    leaves_its_runs(&step, &done, &sandbox);
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

/// In `targets`, what an entry inherits follows its own `wait`.
#[test]
fn entries_can_wait_for_the_start_only() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let targets = json!([
        { "workflow": "build.yml", "wait": "start" },
        { "workflow": "1-release.yml", "logs": "none" },
        { "workflow": "strict.yml", "inputs": { "environment": "x" }, "wait": false },
    ]);
    let done = Step::github(&sandbox)
        .input("ref", "main")
        .input("wait", "true")
        .input("timeout", "1m")
        .input("success-conclusions", "success")
        .input("result-artifact", "")
        .input("targets", &targets.to_string())
        .run()
        .passes();
    let conclusions: Vec<_> = done
        .results()
        .iter()
        .map(|entry| entry["conclusion"].clone())
        .collect();
    assert_eq!(
        conclusions,
        [Value::Null, json!("success"), Value::Null],
        "{done}"
    );
    done.says("1 passed, 2 triggered");
}

#[test]
fn inputs_about_the_end_of_the_run_are_refused() {
    for (name, value) in [
        ("success-conclusions", "success"),
        ("on-blocked", "fail"),
        ("logs", "none"),
        ("result-artifact", "result"),
    ] {
        let sandbox = sandbox();
        let step = trigger(Provider::GitHub, &sandbox)
            .input("wait", "start")
            .input(name, value);
        let error = format!(
            "input `{name}`: only works with `wait: true`\nhint: set `wait: true`, or remove `{name}`"
        );
        fails_with(&sandbox, &step, &[&error]);
    }
    for (name, value) in [("timeout", "5m"), ("on-abandoned", "leave")] {
        let sandbox = sandbox();
        let step = trigger(Provider::GitHub, &sandbox).input(name, value);
        let error = format!("input `{name}`: only works with `wait: true` or `wait: start`");
        fails_with(&sandbox, &step, &[&error]);
    }
    let sandbox = sandbox();
    let step = trigger(Provider::GitHub, &sandbox).input("wait", "Start");
    let error = "input `wait`: must be `true`, `false` or `start`, not `Start`";
    fails_with(&sandbox, &step, &[error]);
}
