//! `marker-input`: which names are accepted, and that the marker is sent under the name.

use sandbox::{Fault, Moment, Occasion, Provider, Route, World};

use sandbox::world::{RunDetails, Scenario};

use crate::calls::{SECOND, in_parallel, signal, start, trigger};
use crate::harness::{Step, sandbox};
use crate::inputs::fails_with;

#[test]
fn names_that_cannot_be_used_are_refused() {
    let refused = |step: &dyn Fn(&sandbox::Sandbox) -> Step, error: &str| {
        let sandbox = sandbox();
        let step = step(&sandbox).input("marker-input", "trigger_id");
        fails_with(&sandbox, &step, &[error]);
    };
    refused(
        &|sandbox| Step::github(sandbox).input("event-type", "deploy"),
        "input `marker-input`: only works with `workflow`. A repository_dispatch has the marker in its payload\nhint: remove `marker-input`",
    );
    for input in ["inputs", "variables"] {
        let provider = match input {
            "inputs" => Provider::GitHub,
            _ => Provider::GitLab,
        };
        refused(
            &|sandbox| trigger(provider, sandbox).input(input, "trigger_id: mine"),
            "input `marker-input`: is the name of an argument that is set already (`trigger_id`)\nhint: remove that argument, or use another name",
        );
    }
    refused(
        &|sandbox| trigger(Provider::Bitbucket, sandbox),
        "input `marker-input`: only works with GitHub and GitLab, but the provider here is Bitbucket",
    );
    for provider in [Provider::GitHub, Provider::GitLab] {
        let sandbox = sandbox();
        let step = trigger(provider, &sandbox).input("marker-input", "trigger id");
        let error =
            "input `marker-input`: can't be the name of an input or variable (`trigger id`)";
        fails_with(&sandbox, &step, &[error]);
    }
}

/// Also without `wait`, because the name is given explicitly.
#[test]
fn the_marker_is_sent_under_its_name() {
    let cases = [
        (Provider::GitHub, "inputs", "version: 1.10"),
        (Provider::GitLab, "variables", "VERSION: 1.10"),
        (Provider::GitLab, "inputs", "replicas: 2"),
    ];
    in_parallel(cases.to_vec(), |(provider, name, value)| {
        let sandbox = sandbox();
        let step = trigger(provider, &sandbox)
            .input(name, value)
            .input("marker-input", "trigger_id");
        let done = step.run();
        let marker = &done.outputs["trigger-id"];
        assert_eq!(marker.len(), 36, "{done}");
        let sent = sandbox.trigger_requests()[0].json().expect("is JSON");
        let carried = match (provider, name) {
            (Provider::GitLab, "variables") => {
                let variables = sent["variables"].as_array().cloned().unwrap_or_default();
                let mut variables = variables.into_iter();
                let variable = variables.find(|variable| variable["key"] == "trigger_id");
                variable.expect("is sent")["value"].clone()
            }
            _ => sent["inputs"]["trigger_id"].clone(),
        };
        assert_eq!(carried, marker.as_str(), "{sent}");
        assert!(done.log.contains("accepted"), "{done}");
    });
}

/// The run is known by its id, so it isn't found a second time by its marker.
#[test]
fn a_run_known_by_its_id_is_the_only_one() {
    in_parallel(vec![false, true], |is_stopped| {
        let scenario = if is_stopped {
            Scenario::endless()
        } else {
            Scenario::passing(SECOND)
        };
        let sandbox = start(World::demo().scenario(Provider::GitHub, scenario));
        let step = Step::github(&sandbox)
            .input("workflow", "titled.yml")
            .input("ref", "main")
            .input("marker-input", "trigger_id")
            .input("wait", "true");
        let child = step.start();
        if is_stopped {
            step.until_said(": running");
            signal(&child, "INT");
        }
        let done = step.finish(child);
        let runs = done.result()["runs"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(runs.len(), 1, "{done}");
        assert_eq!(runs[0]["matched_by"], "id", "{done}");
    });
}

/// Neither response has the run's id, and a stranger starts the same workflow.
#[test]
fn a_run_is_recognised_by_the_marker_in_its_title() {
    let lost = Fault::Close(Moment::AfterActing);
    let cases = [(true, None), (false, Some(lost))];
    in_parallel(cases.to_vec(), |(is_old_server, fault)| {
        let mut world = World::demo()
            .scenario(Provider::GitHub, Scenario::passing(SECOND))
            .strangers(&["octocat"]);
        if is_old_server {
            world.github.run_details = RunDetails::RejectedWith(422);
        }
        let sandbox = start(world);
        if let Some(fault) = fault {
            sandbox.fault(Route::triggers(), Occasion::First(1), fault);
        }
        let step = Step::github(&sandbox)
            .input("workflow", "titled.yml")
            .input("ref", "main")
            .input("marker-input", "trigger_id")
            .input("wait", "true");
        let done = step.run();
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
        assert_eq!(done.result()["runs"][0]["matched_by"], "marker", "{done}");
        assert_eq!(
            sandbox.trigger_requests().len(),
            1 + usize::from(is_old_server)
        );
    });
}
