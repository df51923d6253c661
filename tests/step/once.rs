//! `on-rerun: once`: what an earlier attempt of the calling job has started is taken up, and nothing is started twice.

use std::time::Duration;

use sandbox::world::{Access, Scenario, Workflow};
use sandbox::{
    Fault, Moment, Occasion, Provider, RecordedRequest, Route, Run, Sandbox, World, demo,
};

use crate::calls::{SECOND, in_parallel, signal, start, trigger, until};
use crate::harness::{Done, Step};
use crate::inputs::fails_with;

/// What can be triggered at most once, by a marker.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Event,
    Workflow,
    GitLab,
}

const KINDS: [Kind; 3] = [Kind::Event, Kind::Workflow, Kind::GitLab];

impl Kind {
    fn provider(self) -> Provider {
        match self {
            Self::Event | Self::Workflow => Provider::GitHub,
            Self::GitLab => Provider::GitLab,
        }
    }

    /// A step of an attempt of the calling job.
    fn step(self, sandbox: &Sandbox, attempt: u32) -> Step {
        let step = match self {
            Self::Event => Step::github(sandbox).input("event-type", "deploy-marked"),
            Self::Workflow => Step::github(sandbox)
                .input("workflow", "titled.yml")
                .input("ref", "main")
                .input("marker-input", "trigger_id"),
            Self::GitLab => trigger(Provider::GitLab, sandbox).input("marker-input", "TRIGGER_ID"),
        };
        of_attempt(step.input("wait", "true"), attempt)
    }
}

fn of_attempt(step: Step, attempt: u32) -> Step {
    step.input("on-rerun", "once")
        .environment("GITHUB_RUN_ATTEMPT", &attempt.to_string())
}

fn world(kind: Kind, scenario: Scenario) -> Sandbox {
    start(World::demo().scenario(kind.provider(), scenario))
}

/// Lets runs that are started from now on follow this scenario.
fn set_scenario(sandbox: &Sandbox, kind: Kind, scenario: Scenario) {
    sandbox.with_world(|world| {
        *world = std::mem::take(world).scenario(kind.provider(), scenario);
    });
}

/// Kills the step as soon as there are this many runs.
fn kill_when_triggered(step: &Step, sandbox: &Sandbox, runs: usize) {
    let child = step.start();
    until(sandbox, "triggered", |sandbox| sandbox.runs().len() == runs);
    signal(&child, "KILL");
    drop(child.wait_with_output());
}

fn triggers(sandbox: &Sandbox) -> usize {
    sandbox.trigger_requests().len()
}

fn started_by(done: &Done) -> serde_json::Value {
    done.result()["runs"][0]["started_by_attempt"].clone()
}

#[test]
fn a_run_that_is_going_on_is_followed() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::passing(15 * SECOND));
        kill_when_triggered(&kind.step(&sandbox, 1), &sandbox, 1);
        let done = kind.step(&sandbox, 2).run();
        assert_eq!(done.outputs["conclusion"], "success", "{kind:?}\n{done}");
        assert_eq!(triggers(&sandbox), 1, "{kind:?}\n{done}");
        assert_eq!(started_by(&done), 1, "{kind:?}\n{done}");
        done.says("attempt 1 of this job started run #")
            .says("which is still going on; taking it up instead of triggering again");
    });
}

#[test]
fn a_run_that_has_passed_is_done() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::passing(SECOND));
        let first = kind.step(&sandbox, 1).run();
        let second = kind.step(&sandbox, 2).run();
        assert_eq!(
            second.outputs["conclusion"], "success",
            "{kind:?}\n{second}"
        );
        assert_eq!(second.outputs["outcome"], "accepted", "{kind:?}\n{second}");
        assert_eq!(second.outputs["run-url"], first.outputs["run-url"]);
        assert_eq!(second.outputs["trigger-id"], first.outputs["trigger-id"]);
        assert_eq!(triggers(&sandbox), 1, "{kind:?}\n{second}");
        assert_eq!(started_by(&second), 1);
        second.says("which has ended as success; not triggering again");
        // And so it is for the next attempt.
        let third = kind.step(&sandbox, 3).run();
        assert_eq!(
            third.outputs["run-url"], first.outputs["run-url"],
            "{third}"
        );
        assert_eq!(triggers(&sandbox), 1);
    });
}

#[test]
fn a_run_that_has_failed_is_triggered_again() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::failing(SECOND));
        let first = kind.step(&sandbox, 1).run();
        assert_eq!(first.outputs["conclusion"], "failure", "{first}");
        set_scenario(&sandbox, kind, Scenario::passing(SECOND));
        let second = kind.step(&sandbox, 2).run();
        assert_eq!(triggers(&sandbox), 2, "{kind:?}\n{second}");
        assert_ne!(second.outputs["trigger-id"], first.outputs["trigger-id"]);
        second.says("which has ended as failure; triggering again");
        let third = kind.step(&sandbox, 3).run();
        assert_eq!(
            third.outputs["run-url"], second.outputs["run-url"],
            "{third}"
        );
    });
}

/// The first attempt was cancelled, and cancelled its run.
#[test]
fn a_run_that_was_cancelled_is_triggered_again() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::endless());
        let first = kind.step(&sandbox, 1);
        let child = first.start();
        until(&sandbox, "triggered", |sandbox| !sandbox.runs().is_empty());
        signal(&child, "INT");
        first.finish(child);
        assert!(sandbox.runs()[0].cancelled);
        let second = kind.step(&sandbox, 2).input("timeout", "15s");
        let child = second.start();
        until(&sandbox, "triggered again", |sandbox| {
            triggers(sandbox) == 2
        });
        signal(&child, "INT");
        second
            .finish(child)
            .says("which has ended as cancelled; triggering again");
    });
}

#[test]
fn nothing_that_was_started_is_triggered() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::passing(SECOND));
        let refused = Fault::status(Moment::BeforeActing, 422);
        sandbox.fault(Route::triggers(), Occasion::First(1), refused);
        kind.step(&sandbox, 1).run().outcome("rejected");
        let second = kind.step(&sandbox, 2).run();
        assert_eq!(
            second.outputs["conclusion"], "success",
            "{kind:?}\n{second}"
        );
        assert_eq!(triggers(&sandbox), 2);
        assert_eq!(started_by(&second), serde_json::Value::Null);
    });
}

/// Killed while the trigger is on the wire, before or after the provider has acted on it.
#[test]
fn a_killed_attempt_starts_nothing_twice() {
    let moments = [Moment::BeforeActing, Moment::AfterActing];
    let cases = KINDS.map(|kind| moments.map(|moment| (kind, moment)));
    in_parallel(cases.as_flattened().to_vec(), |(kind, moment)| {
        let sandbox = world(kind, Scenario::passing(SECOND));
        let late = Fault::Delay(moment, 3 * SECOND);
        sandbox.fault(Route::triggers(), Occasion::First(1), late);
        let first = kind.step(&sandbox, 1);
        let child = first.start();
        until(&sandbox, "on the wire", |sandbox| {
            sandbox.with_world(|world| moment == Moment::BeforeActing || !world.runs.is_empty())
        });
        std::thread::sleep(Duration::from_millis(500));
        signal(&child, "KILL");
        drop(child.wait_with_output());
        let done = kind.step(&sandbox, 2).run();
        assert_eq!(done.outputs["conclusion"], "success", "{kind:?}\n{done}");
        assert_eq!(sandbox.runs().len(), 1, "{kind:?}\n{done}");
    });
}

/// Attempt 2 is killed before its run is listed, so that attempt 3 first sees only the failed run of attempt 1.
#[test]
fn a_run_that_is_listed_late_is_not_overlooked() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::failing(SECOND));
        let first = kind.step(&sandbox, 1).run();
        assert_eq!(first.outputs["conclusion"], "failure", "{first}");
        set_scenario(
            &sandbox,
            kind,
            Scenario::passing(12 * SECOND).listed_after(5 * SECOND),
        );
        kill_when_triggered(&kind.step(&sandbox, 2), &sandbox, 2);
        let third = kind.step(&sandbox, 3).run();
        assert_eq!(triggers(&sandbox), 2, "{kind:?}\n{third}");
        assert_eq!(third.outputs["conclusion"], "success", "{kind:?}\n{third}");
        assert_eq!(started_by(&third), 2, "{kind:?}\n{third}");
    });
}

/// One event starts two workflows. One of them fails at once, and the other one is going on, but isn't listed yet.
#[test]
fn a_second_run_of_an_event_that_is_listed_late_is_not_overlooked() {
    let workflow = Workflow::new(130, "late.yml", "Late")
        .on_repository_dispatch(&["deploy-marked"])
        .run_name("Late ${{ github.event.client_payload.trigger_id }}");
    let mut world = World::demo()
        .scenario(Provider::GitHub, Scenario::failing(Duration::ZERO))
        .scenario_of(
            Provider::GitHub,
            "octo-org/app",
            "late.yml",
            Scenario::passing(15 * SECOND).listed_after(5 * SECOND),
        );
    let mut repositories = world.github.repositories.iter_mut();
    let app = repositories.find(|known| known.name == "octo-org/app");
    app.expect("the demo has it").workflows.push(workflow);
    let sandbox = start(world);
    kill_when_triggered(&Kind::Event.step(&sandbox, 1), &sandbox, 2);
    let second = Kind::Event.step(&sandbox, 2).run();
    assert_eq!(triggers(&sandbox), 1, "{second}");
    assert_eq!(second.outputs["conclusion"], "failure", "{second}");
    let runs = second.result()["runs"].as_array().map(Vec::len);
    assert_eq!(runs, Some(2), "{second}");
}

/// Both attempts have failed, and then somebody runs the run of the first one again.
#[test]
fn a_run_that_somebody_runs_again_is_followed_whichever_attempt_started_it() {
    in_parallel(vec![Kind::Event, Kind::Workflow], |kind| {
        let scenario = Scenario::failing(SECOND).on_rerun(Scenario::passing(6 * SECOND));
        let sandbox = world(kind, scenario);
        for attempt in [1, 2] {
            let failed = kind.step(&sandbox, attempt).run();
            assert_eq!(failed.outputs["conclusion"], "failure", "{failed}");
        }
        assert_eq!(triggers(&sandbox), 2);
        sandbox.with_world(|world| {
            let id = world.runs[0].id;
            world.run_again(id);
        });
        let third = kind.step(&sandbox, 3).run();
        assert_eq!(triggers(&sandbox), 2, "{kind:?}\n{third}");
        assert_eq!(third.outputs["conclusion"], "success", "{kind:?}\n{third}");
        assert_eq!(started_by(&third), 1, "{kind:?}\n{third}");
    });
}

/// The variables of the pipeline that attempt 2 has started can't be read for a moment.
#[test]
fn a_pipeline_whose_variables_cannot_be_read_may_be_an_earlier_one() {
    in_parallel(vec![404, 401], |status| {
        let kind = Kind::GitLab;
        let sandbox = world(kind, Scenario::failing(SECOND));
        kind.step(&sandbox, 1).run();
        set_scenario(&sandbox, kind, Scenario::passing(20 * SECOND));
        kill_when_triggered(&kind.step(&sandbox, 2), &sandbox, 2);
        let path = format!("/pipelines/{}/variables", sandbox.runs()[1].id);
        let refused = Fault::status(Moment::BeforeActing, status);
        sandbox.fault(Route::any().path(&path), Occasion::Every, refused);
        let third = kind.step(&sandbox, 3).run();
        third.outcome("not-sent");
        assert_eq!(triggers(&sandbox), 2, "{status}\n{third}");
    });
}

/// Somebody else's pipeline has just been created. It says nothing about the one of attempt 1, which is taken up.
#[test]
fn a_pipeline_that_cannot_be_read_yet_is_read_again() {
    let kind = Kind::GitLab;
    let sandbox = world(kind, Scenario::passing(SECOND));
    kind.step(&sandbox, 1).run();
    let slow = Scenario::passing(SECOND).readable_after(3 * SECOND);
    set_scenario(&sandbox, kind, slow);
    sandbox.with_world(|world| world.repeat_last_run_as("octavia"));
    let second = kind.step(&sandbox, 2).run();
    assert_eq!(second.outputs["conclusion"], "success", "{second}");
    assert_eq!(triggers(&sandbox), 1, "{second}");
    assert_eq!(started_by(&second), 1, "{second}");
}

/// Only the marker shows that the trigger was accepted.
#[test]
fn a_run_that_is_found_without_wait_is_reported() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::passing(2 * SECOND));
        let unclear = Fault::status(Moment::AfterActing, 502);
        sandbox.fault(Route::triggers(), Occasion::First(1), unclear);
        let done = kind.step(&sandbox, 1).input("wait", "false").run();
        done.outcome("accepted");
        let id = sandbox.runs()[0].id.to_string();
        assert_eq!(done.outputs["run-id"], id, "{kind:?}\n{done}");
        assert_eq!(done.result()["runs"][0]["matched_by"], "marker", "{done}");
    });
}

#[test]
fn what_cannot_be_read_is_not_triggered() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::passing(SECOND));
        kind.step(&sandbox, 1).run();
        // The list that proves that runs can be read is readable.
        let refused = Fault::status(Moment::BeforeActing, 403);
        let lists = Route::any().method("GET").query("per_page=100");
        sandbox.fault(lists, Occasion::Every, refused);
        let second = kind.step(&sandbox, 2).run();
        second.outcome("not-sent");
        assert_eq!(second.code, Some(1), "{second}");
        assert_eq!(triggers(&sandbox), 1, "{kind:?}\n{second}");
        second.says("not triggered, because an earlier attempt of this job may have done so");
        assert!(second.result()["error"].is_string());
    });
}

/// Its runs don't show the marker, so they could be those of any other step.
#[test]
fn runs_without_a_marker_are_named_and_not_guessed() {
    let sandbox = world(Kind::Event, Scenario::passing(SECOND));
    let step = |attempt| {
        let step = Step::github(&sandbox).input("event-type", "deploy");
        of_attempt(step, attempt)
    };
    step(1).run().outcome("accepted");
    let second = step(2).run();
    second.outcome("not-sent");
    assert_eq!(triggers(&sandbox), 1, "{second}");
    second.says("these runs have no marker in their titles: http");
}

#[test]
fn two_calls_with_one_key_are_refused() {
    in_parallel(vec![Kind::Event, Kind::Workflow], |kind| {
        let sandbox = world(kind, Scenario::passing(SECOND));
        kind.step(&sandbox, 1).run();
        let other = kind.step(&sandbox, 1).run();
        other.outcome("not-sent");
        assert_eq!(triggers(&sandbox), 1, "{kind:?}\n{other}");
        other.says(
            "another step of this workflow run has started the same with the same `call-key`",
        );
        let told_apart = kind.step(&sandbox, 1).input("call-key", "second").run();
        told_apart.outcome("accepted");
        assert_eq!(triggers(&sandbox), 2);
        // Another run of the calling workflow has nothing to do with it.
        let another_run = kind.step(&sandbox, 2).environment("GITHUB_RUN_ID", "1702");
        another_run.run().outcome("accepted");
        assert_eq!(triggers(&sandbox), 3);
    });
}

/// Older ones are of no interest. Without the permission to read the calling run, they are listed anyway.
#[test]
fn only_runs_since_the_beginning_of_the_calling_run_are_listed() {
    in_parallel(vec![true, false], |may_read| {
        let kind = Kind::Workflow;
        let world = World::demo().scenario(kind.provider(), Scenario::passing(SECOND));
        let token = demo::GITHUB_WORKFLOW_OF_CALLER;
        let sandbox = start(world.grant(token, "actions", Access::Read));
        // A run of two days ago, of another calling run, and many more by somebody else.
        kind.step(&sandbox, 1).run();
        let calling_run = sandbox.with_world(|world| {
            for _ in 0..150 {
                world.repeat_last_run_as("octocat");
            }
            for old in &mut world.runs {
                old.created_at -= Duration::from_hours(48);
            }
            let workflow = "release.yml";
            let run = Run::new(Provider::GitHub, "octo-org/caller", workflow, "push");
            world.start_as("octocat", run);
            world.runs[151].id.to_string()
        });
        if !may_read {
            let refused = Fault::status(Moment::BeforeActing, 403);
            sandbox.fault(
                Route::any().path_end(&calling_run),
                Occasion::Every,
                refused,
            );
        }
        for attempt in [1, 2, 3] {
            let step = kind.step(&sandbox, attempt);
            let done = step.environment("GITHUB_RUN_ID", &calling_run).run();
            assert_eq!(done.outputs["conclusion"], "success", "{done}");
        }
        assert_eq!(triggers(&sandbox), 2);
        let requests = sandbox.requests();
        let count = |is_wanted: &dyn Fn(&RecordedRequest) -> bool| {
            requests.iter().filter(|request| is_wanted(request)).count()
        };
        // Once in each attempt after the first.
        assert_eq!(count(&|request| request.path.ends_with(&calling_run)), 2);
        let next_pages = count(&|request| request.query.contains("&page=2"));
        assert_eq!(next_pages > 0, !may_read);
    });
}

/// Without `wait`, too, a failed run is triggered again, and any other isn't.
#[test]
fn it_works_without_wait() {
    in_parallel(KINDS.to_vec(), |kind| {
        let sandbox = world(kind, Scenario::passing(2 * SECOND));
        let step = |attempt| kind.step(&sandbox, attempt).input("wait", "false");
        let first = step(1).run();
        first.outcome("accepted");
        let second = step(2).run();
        second.outcome("accepted");
        assert_eq!(triggers(&sandbox), 1, "{kind:?}\n{second}");
        assert!(
            second.outputs["run-url"].contains("/runs/") || kind.provider() == Provider::GitLab
        );
        assert_eq!(second.code, Some(0), "{second}");
    });
}

/// Of twelve, seven have passed, and five are triggered again.
#[test]
fn of_many_targets_only_the_failed_ones_are_triggered_again() {
    let sandbox = start(World::demo().scenario(Provider::GitHub, Scenario::passing(SECOND)));
    let targets: String = (0..12)
        .map(|_| "- repository: octo-org/app\n".to_owned())
        .collect();
    let step = |attempt| {
        let step = Step::github(&sandbox)
            .input("workflow", "titled.yml")
            .input("ref", "main")
            .input("marker-input", "trigger_id")
            .input("targets", &targets)
            .input("max-parallel", "1")
            .input("wait", "true");
        of_attempt(step, attempt)
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
}

#[test]
fn it_needs_a_marker_and_a_workflow_run() {
    let sandbox = start(World::demo());
    let once = |step: Step| step.input("on-rerun", "once");
    fails_with(
        &sandbox,
        &once(trigger(Provider::GitHub, &sandbox)),
        &[
            "input `on-rerun`: can't be `once` for octo-org/app, whose runs carry no marker\nhint: set `marker-input` for it, or set `status`; or use `on-rerun: repeat`",
        ],
    );
    let event = Step::github(&sandbox).input("event-type", "deploy");
    fails_with(
        &sandbox,
        &once(event).without("GITHUB_RUN_ID"),
        &[
            "input `on-rerun`: can't be `once`, because this step isn't part of a workflow run\nhint: remove `on-rerun`",
        ],
    );
    let unknown = Step::github(&sandbox).input("event-type", "deploy");
    fails_with(
        &sandbox,
        &unknown.input("on-rerun", "twice"),
        &["input `on-rerun`: must be `repeat` or `once`, not `twice`"],
    );
}
