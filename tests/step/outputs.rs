//! The outputs: all are written in every case, and nothing is sent unless they can be written.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use sandbox::world::Scenario;
use sandbox::{Fault, Moment, Occasion, Provider, Route, World, demo};
use serde_json::json;

use crate::calls::{
    PROVIDERS, SECOND, call, in_parallel, signal, start, trigger, until, with_scenario,
};
use crate::harness::{OUTPUTS, Step, read_outputs, sandbox};

/// Returns exit code and log. Bypasses the harness, which would look for outputs.
fn exit_code_and_log(step: &Step) -> (Option<i32>, String) {
    let output = step.start().wait_with_output().expect("the binary ends");
    (output.status.code(), step.log())
}

#[test]
fn nothing_is_sent_if_the_outputs_cannot_be_written() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let step = call(provider, &sandbox);
        let folder = step.folder("folder");
        let nowhere = format!("{folder}/missing/output");
        assert!(fs::metadata("/dev/full").is_ok_and(|full| full.file_type().is_char_device()));
        let mut step = step;
        for (path, why, hint) in [
            (folder.as_str(), "Is a directory", ""),
            (
                &nowhere,
                "No such file or directory",
                "unset `GITHUB_OUTPUT`",
            ),
            ("/dev/full", "No space left on device", "free some space"),
        ] {
            step = step.environment("GITHUB_OUTPUT", path);
            let (code, log) = exit_code_and_log(&step);
            assert_eq!(code, Some(1), "{log}");
            assert_eq!(log.matches("::error ").count(), 1, "{log}");
            let error = format!("::`GITHUB_OUTPUT`: {path} can't be written: {why}");
            assert!(log.contains(&error), "{log}");
            assert!(log.contains(hint), "{log}");
            assert!(log.contains("nothing was sent"), "{log}");
            assert_eq!(sandbox.requests().len(), 0, "{log}");
        }
    });
}

/// All problems are reported together.
#[test]
fn invalid_inputs_are_reported_even_if_the_outputs_cannot_be_written() {
    let sandbox = sandbox();
    let step = Step::github(&sandbox).input("wait", "maybe");
    let folder = step.folder("folder");
    let (_, log) = exit_code_and_log(&step.environment("GITHUB_OUTPUT", &folder));
    assert_eq!(log.matches("`GITHUB_OUTPUT`: ").count(), 1, "{log}");
    assert!(
        log.contains("input `wait`: must be `true`, `false` or `start`"),
        "{log}"
    );
    assert_eq!(log.matches("nothing was sent").count(), 1, "{log}");
}

/// The outputs become unwritable in the middle of the step, when the run is known.
#[test]
fn outputs_that_become_unwritable_later_cause_one_error() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(2 * SECOND));
    let step = call(Provider::GitHub, &sandbox);
    let folder = step.folder("folder");
    let path = format!("{folder}/output");
    let step = step.environment("GITHUB_OUTPUT", &path);
    let child = step.start();
    step.until_said("accepted");
    fs::rename(&folder, format!("{folder}-gone")).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = step.log();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert_eq!(log.matches("::error ").count(), 1, "{log}");
    let error = format!("::`GITHUB_OUTPUT`: {path} can't be written: No such file");
    assert!(log.contains(&error), "{log}");
    let id = sandbox.runs()[0].id;
    assert!(log.contains(&format!("\nrun-id={id}\n")), "{log}");
    assert!(log.contains("\nconclusion=success\n"), "{log}");
}

#[test]
fn a_removed_output_file_is_created_again() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(2 * SECOND));
    let step = call(Provider::GitHub, &sandbox);
    let child = step.start();
    step.until_said("accepted");
    fs::remove_file(step.output_file()).unwrap();
    let done = step.finish(child).passes();
    done.outcome("accepted");
    assert_eq!(done.outputs["conclusion"], "success");
}

/// Before the trigger, and only once.
#[test]
fn an_unwritable_summary_is_an_immediate_warning() {
    let sandbox = sandbox();
    let done = trigger(Provider::GitHub, &sandbox)
        .environment("GITHUB_STEP_SUMMARY", "/nonexistent/summary")
        .run()
        .passes();
    let [warning] = &done.warnings()[..] else {
        panic!("{done}");
    };
    assert!(
        warning.contains("`GITHUB_STEP_SUMMARY`: /nonexistent/summary can't be written: No such"),
        "{done}"
    );
    let place = |text: &str| done.log.find(text).expect("it is said");
    assert!(place("::warning") < place("accepted"), "{done}");
}

/// A killed process can't write anything, so the outputs were written before.
#[test]
fn a_step_that_is_killed_leaves_all_outputs() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = call(Provider::GitHub, &sandbox);
    let child = step.start();
    step.until_said("accepted");
    signal(&child, "KILL");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), None);
    let outputs = read_outputs(&fs::read_to_string(step.output_file()).unwrap());
    let mut names: Vec<_> = outputs.keys().map(String::as_str).collect();
    let mut expected = OUTPUTS;
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(outputs["outcome"], "accepted");
    assert_eq!(outputs["run-id"], sandbox.runs()[0].id.to_string());
    assert_eq!(outputs["results"], "[]");
}

/// The process is killed while the trigger is in flight.
#[test]
fn a_step_that_is_killed_during_the_trigger_says_that_its_outcome_is_unknown() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let slow = Fault::Delay(Moment::AfterActing, 10 * SECOND);
    sandbox.fault(Route::triggers(), Occasion::Every, slow);
    let step = trigger(Provider::GitHub, &sandbox);
    let child = step.start();
    until(&sandbox, "the trigger is on the wire", |sandbox| {
        !sandbox.trigger_requests().is_empty()
    });
    signal(&child, "KILL");
    child.wait_with_output().unwrap();
    let outputs = read_outputs(&fs::read_to_string(step.output_file()).unwrap());
    assert_eq!(outputs["outcome"], "unknown");
}

/// Only one more file can be opened: too few for the event loop, enough for the outputs.
#[test]
fn a_step_that_cannot_start_writes_all_outputs() {
    let sandbox = sandbox();
    let step = trigger(Provider::GitHub, &sandbox);
    let script = step.file("few-files", "#!/bin/sh\nulimit -n 4\nexec \"$PROGRAM\"\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let done = step.finish(step.start_through(&script));
    let done = done.fails(&["trigger-pipeline can't start"]);
    done.outcome("not-sent").says("nothing was sent");
    assert_eq!(sandbox.requests().len(), 0);
}

/// The conclusion of one target would be mistaken for that of all.
#[test]
fn the_conclusion_is_empty_if_one_target_has_none() {
    let github = |repository: &str, workflow: &str, wait: bool| {
        json!({
            "repository": repository, "workflow": workflow, "ref": "main",
            "token": demo::GITHUB_CLASSIC, "wait": wait,
        })
    };
    let good = github("octo-org/app", "build.yml", true);
    let missing = github("octo-org/app", "missing.yml", true);
    let other = |wait| github("octo-org/private", "deploy.yml", wait);
    let cases = [
        (vec![good.clone(), missing], "rejected", ""),
        (vec![good.clone(), other(false)], "accepted", ""),
        (vec![good.clone(), other(true)], "accepted", "success"),
    ];
    in_parallel(cases.to_vec(), |(targets, outcome, conclusion)| {
        let sandbox = start(World::demo().scenario(Provider::GitHub, Scenario::passing(SECOND)));
        let targets = serde_json::Value::from(targets).to_string();
        let done = Step::on(&sandbox.http_url())
            .input("targets", &targets)
            .secret(demo::GITHUB_CLASSIC)
            .run();
        assert_eq!(done.outputs["outcome"], outcome, "{done}");
        assert_eq!(done.outputs["conclusion"], conclusion, "{done}");
    });
}

/// One target's run has passed, and the other one's is left running.
#[test]
fn the_conclusion_is_empty_if_a_run_is_left_running() {
    let world = World::demo()
        .scenario(Provider::GitHub, Scenario::passing(SECOND))
        .scenario_of(
            Provider::GitHub,
            "octo-org/app",
            "build.yml",
            Scenario::endless(),
        );
    let sandbox = start(world);
    let targets = json!([
        {"repository": "octo-org/app", "workflow": "build.yml"},
        {"repository": "octo-org/private", "workflow": "deploy.yml"},
    ]);
    let step = Step::github(&sandbox)
        .input("repository", "")
        .input("ref", "main")
        .input("targets", &targets.to_string())
        .input("wait", "true")
        .input("on-abandoned", "leave");
    let child = step.start();
    step.until_said("success");
    signal(&child, "INT");
    let done = step.finish(child);
    let conclusions: Vec<_> = done
        .results()
        .iter()
        .map(|result| result["conclusion"].clone())
        .collect();
    assert_eq!(conclusions, [json!(null), json!("success")], "{done}");
    assert_eq!(done.outputs["outcome"], "accepted", "{done}");
    assert_eq!(done.outputs["conclusion"], "", "{done}");
    assert!(sandbox.runs().iter().all(|run| !run.cancelled), "{done}");
}

/// One target's trigger got no clear response.
#[test]
fn the_conclusion_is_empty_if_a_runs_end_was_not_seen() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let unclear = Fault::status(Moment::BeforeActing, 502);
    let route = Route::triggers().path("octo-org/private");
    sandbox.fault(route, Occasion::Every, unclear);
    let targets = json!([
        {"repository": "octo-org/app", "workflow": "build.yml", "ref": "main"},
        {"repository": "octo-org/private", "workflow": "deploy.yml", "ref": "main"},
    ]);
    let done = Step::on(&sandbox.http_url())
        .input("token", demo::GITHUB_CLASSIC)
        .input("targets", &targets.to_string())
        .input("wait", "true")
        .input("timeout", "5s")
        .run();
    assert_eq!(done.outputs["outcome"], "unknown", "{done}");
    assert_eq!(done.outputs["conclusion"], "", "{done}");
}
