//! Runs that appear late in lists, or not at all for a while: none is missed, and none is given up too early.

use std::time::Duration;

use sandbox::world::{RunDetails, Scenario, Workflow};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World};

use crate::calls::{SECOND, call, dispatch, in_parallel, signal, start, until};
use crate::harness::Done;

/// Starts two workflows, both with the marker in the titles of their runs.
const EVENT: &str = "rollout";
const FIRST: &str = "first.yml";
const OTHER: &str = "second.yml";

fn two_workflows(first: Scenario, second: Scenario) -> World {
    let mut world = World::demo()
        .scenario_of(Provider::GitHub, "octo-org/app", FIRST, first)
        .scenario_of(Provider::GitHub, "octo-org/app", OTHER, second);
    let app = &mut world.github.repositories[0];
    for (id, file) in [(121, FIRST), (122, OTHER)] {
        let workflow = Workflow::new(id, file, file)
            .on_repository_dispatch(&[EVENT])
            .run_name("Rollout ${{ github.event.client_payload.trigger_id }}");
        app.workflows.push(workflow);
    }
    world
}

/// Checks that the step saw both runs and failed because of the second.
fn assert_second_run_failed_it(sandbox: &Sandbox, done: &Done) {
    assert_eq!(done.code, Some(1), "{done}");
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
    let runs = done.result()["runs"].as_array().cloned();
    assert_eq!(runs.map(|runs| runs.len()), Some(2), "{done}");
    assert_eq!(sandbox.runs().len(), 2);
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

/// The lists that a search reads.
fn lists() -> Route {
    Route::any().method("GET").path_end("/actions/runs")
}

#[test]
fn failed_lists_do_not_end_the_search() {
    let second = Scenario::failing(SECOND).listed_after(8 * SECOND);
    let sandbox = start(two_workflows(Scenario::passing(SECOND), second));
    let step = dispatch(&sandbox, EVENT);
    let child = step.start();
    step.until_said("found run");
    let broken = Fault::status(Moment::BeforeActing, 502);
    sandbox.fault(lists(), Occasion::For(11 * SECOND), broken);
    let done = step.finish(child);
    assert_second_run_failed_it(&sandbox, &done);
}

/// The search is long over, but the first run isn't.
#[test]
fn a_marked_run_that_appears_after_the_search_is_monitored() {
    let second = Scenario::failing(SECOND).listed_after(17 * SECOND);
    let sandbox = start(two_workflows(Scenario::passing(22 * SECOND), second));
    let done = dispatch(&sandbox, EVENT).run();
    assert_second_run_failed_it(&sandbox, &done);
}

/// The run appears after the search, and there is no further search before the step has to end.
#[test]
fn a_marked_run_that_appears_after_the_search_is_cancelled_after_a_signal() {
    let second = Scenario::endless().listed_after(13 * SECOND);
    let sandbox = start(two_workflows(Scenario::endless(), second));
    let step = dispatch(&sandbox, EVENT);
    let child = step.start();
    step.until_said("found run");
    std::thread::sleep(15 * SECOND);
    signal(&child, "INT");
    let done = step
        .finish(child)
        .fails(&["after the step was stopped", "after the step was stopped"]);
    let runs = done.result()["runs"].as_array().cloned().unwrap();
    assert_eq!(runs.len(), 2, "{done}");
    assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
}

/// GitHub's filtered lists come from a search index.
#[test]
fn a_lagging_search_index_hides_no_run() {
    in_parallel(vec!["release", "workflow"], |kind| {
        let world = World::demo().scenario(Provider::GitHub, Scenario::passing(SECOND));
        let sandbox = start(world);
        sandbox.with_world(|world| {
            world.github.search_lag = Duration::from_hours(2);
            world.github.run_details = RunDetails::RejectedWith(422);
        });
        let step = match kind {
            "workflow" => call(Provider::GitHub, &sandbox),
            event_type => dispatch(&sandbox, event_type),
        };
        let done = step.run().passes();
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
        let run = &sandbox.runs()[0];
        assert_eq!(done.outputs["run-id"], run.id.to_string());
    });
}

#[test]
fn a_run_that_appears_after_more_than_a_minute_is_found() {
    let late = Scenario::passing(SECOND).listed_after(70 * SECOND);
    let world = World::demo().scenario(Provider::GitHub, late);
    let sandbox = start(world);
    let done = dispatch(&sandbox, "release").run().passes();
    assert_eq!(done.outputs["conclusion"], "success");
    assert_eq!(done.result()["runs"][0]["matched_by"], "marker");
    done.says("no run has appeared yet");
}

/// While the step's own run wasn't listed yet, another one was matched by its time.
#[test]
fn a_marked_run_replaces_one_matched_by_time() {
    let both = Scenario::failing(22 * SECOND).listed_after(17 * SECOND);
    let world = World::demo().scenario(Provider::GitHub, both);
    let sandbox = start(world);
    let step = dispatch(&sandbox, "deploy-marked").input("timeout", "60s");
    let child = step.start();
    until(&sandbox, "the run has started", |sandbox| {
        !sandbox.runs().is_empty()
    });
    // A run of the same workflow by the same person, without the marker. It is listed immediately.
    sandbox.with_world(|world| {
        let mut other = world.runs[0].clone();
        "deploy-marked".clone_into(&mut other.title);
        world.start_as("octocat", other);
        let other = world.runs.last_mut().expect("it was started");
        other.be_listed();
    });
    let done = step.finish(child);
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
    let runs = done.result()["runs"].as_array().cloned().unwrap();
    assert_eq!(runs.len(), 1, "{done}");
    assert_eq!(runs[0]["matched_by"], "marker", "{done}");
    assert_eq!(runs[0]["id"], sandbox.runs()[0].id.to_string());
}

/// All known runs have succeeded, but others may not have.
#[test]
fn a_signal_during_the_search_is_no_success() {
    let second = Scenario::endless().listed_after(9 * SECOND);
    let sandbox = start(two_workflows(Scenario::passing(SECOND), second));
    let step = dispatch(&sandbox, EVENT);
    let child = step.start();
    step.until_said("found run");
    std::thread::sleep(2 * SECOND);
    signal(&child, "INT");
    let done = step.finish(child);
    let done = done.fails(&["before it was clear whether the trigger started more runs"]);
    assert_eq!(done.outputs["conclusion"], "", "{done}");
    assert!(done.result()["left_running"].is_string());
    assert_eq!(sandbox.unfinished_runs().len(), 1);
    let second = step.second_chance().run().passes();
    second.says("is over: cancelled");
    assert_eq!(sandbox.unfinished_runs().len(), 0, "{second}");
}

/// The search takes ten seconds, which a shorter `timeout` doesn't leave.
#[test]
fn a_timeout_during_the_search_is_no_success() {
    let second = Scenario::failing(SECOND).listed_after(8 * SECOND);
    let sandbox = start(two_workflows(Scenario::passing(SECOND), second));
    let step = dispatch(&sandbox, EVENT).input("timeout", "5s");
    let done = step.run();
    let done =
        done.fails(&["`timeout` passed before it was clear whether the trigger started more runs"]);
    assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
    let runs = done.result()["runs"].as_array().cloned().unwrap();
    assert_eq!(runs[0]["conclusion"], "success", "{done}");
}
