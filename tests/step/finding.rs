//! Which run belongs to the step: by id, by the marker in its title, or by its time; and never anybody else's.

use std::process::Child;
use std::time::{Duration, Instant};

use sandbox::world::{GitHubToken, GitHubTokenKind, Permissions, RunDetails, Scenario, Visibility};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World, demo, world};
use serde_json::{Value, json};

use crate::calls::{
    PROVIDERS, SECOND, call, dispatch, in_parallel, own_runs, signal, start, trigger, until,
    with_scenario,
};
use crate::harness::{Done, Step};

/// The runs in `results`, which must have a single target.
fn runs(done: &Done) -> Vec<Value> {
    done.result()["runs"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn found_ids(done: &Done) -> Vec<String> {
    let found = runs(done).into_iter();
    let ids = found.map(|run| run["id"].as_str().map(str::to_owned));
    ids.map(|id| id.expect("a run has an id")).collect()
}

fn ids(sandbox: &Sandbox) -> Vec<String> {
    own_runs(sandbox)
        .iter()
        .map(|run| run.id.to_string())
        .collect()
}

/// Users who trigger the same workflow at the same time, with the same credential or another.
const STRANGERS: [&str; 4] = ["octocat", "hubot", "octocat", "octavia"];

#[test]
fn the_marker_identifies_the_steps_own_run() {
    let world = World::demo()
        .strangers(&STRANGERS)
        .scenario(Provider::GitHub, Scenario::passing(SECOND));
    let sandbox = start(world);
    let done = dispatch(&sandbox, "deploy-marked").run().passes();
    assert_eq!(runs(&done)[0]["matched_by"], "marker");
    assert_eq!(found_ids(&done), ids(&sandbox));
    let marker = &done.outputs["trigger-id"];
    let payload = own_runs(&sandbox)[0].client_payload.clone().unwrap();
    assert_eq!(payload, json!({"trigger_id": marker}));
    assert_eq!(done.warnings(), Vec::<String>::new());
    assert_eq!(done.outputs["conclusion"], "success");
}

#[test]
fn many_callers_at_once_each_find_only_their_own_run() {
    for event_type in ["deploy-marked", "release"] {
        let world = World::demo()
            .strangers(&["octocat"])
            .scenario(Provider::GitHub, Scenario::passing(SECOND));
        let sandbox = start(world);
        in_parallel((0..12).collect(), |_| {
            let done = dispatch(&sandbox, event_type).run().passes();
            let found = runs(&done);
            assert_eq!(found.len(), 1, "{done}");
            let all = sandbox.runs();
            let taken = all
                .iter()
                .find(|run| found[0]["id"] == *run.id.to_string())
                .unwrap();
            assert!(taken.title.contains(&done.outputs["trigger-id"]), "{done}");
        });
        assert_eq!(sandbox.runs().len(), 24);
        assert!(sandbox.runs().iter().all(|run| !run.cancelled));
    }
}

/// On each provider, each caller finds its own run by id and cancels only that.
#[test]
fn many_callers_by_id_each_cancel_only_their_own_run() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let world = World::demo()
            .strangers(&["octocat", "octavia", "service-access-token"])
            .scenario(provider, Scenario::endless());
        let sandbox = start(world);
        in_parallel((0..5).collect(), |_| {
            let step = call(provider, &sandbox).input("timeout", "2s");
            let done = step.run();
            assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
            assert_eq!(runs(&done)[0]["matched_by"], "id");
        });
        for run in sandbox.runs() {
            assert_eq!(run.cancelled, !run.by_stranger, "{provider} {}", run.id);
        }
    });
}

#[test]
fn one_event_may_start_several_runs() {
    let failing = Scenario::failing(SECOND);
    let world = World::demo()
        .scenario(Provider::GitHub, Scenario::passing(SECOND))
        .scenario_of(Provider::GitHub, "octo-org/app", "notify.yml", failing);
    let sandbox = start(world);
    let done = dispatch(&sandbox, "deploy").run();
    assert_eq!(done.code, Some(1), "{done}");
    assert_eq!(done.outputs["conclusion"], "failure");
    let found = runs(&done);
    assert_eq!(found.len(), 2, "{done}");
    assert!(found.iter().all(|run| run["matched_by"] == "timing"));
    // One for each run that is known only by its time, with the line that would identify it.
    let warnings = done.warnings();
    assert_eq!(warnings.len(), 2, "{done}");
    for (warning, workflow) in warnings.iter().zip(["build.yml", "notify.yml"]) {
        let only = format!("is the only run of {workflow} that started");
        assert!(warning.contains(&only), "{warning}");
        assert!(warning.contains(
            "run-name: ${{ github.workflow }} ${{ github.event.client_payload.trigger_id }}"
        ));
    }
    assert_eq!(done.errors().len(), 1, "{done}");
}

#[test]
fn an_event_without_listeners_is_reported_after_a_minute() {
    let sandbox = start(World::demo());
    let began = Instant::now();
    let step = dispatch(&sandbox, "nobody-listens").input("timeout", "70s");
    let child = step.start();
    step.until_said_within("Most likely", 65 * SECOND);
    assert!(began.elapsed() > 55 * SECOND);
    let page = format!("{}/octo-org/app/actions?query=event", sandbox.http_url());
    let log = step.log();
    let notice = log.lines().find(|line| line.contains("Most likely"));
    let notice = notice.unwrap_or_default();
    assert!(
        notice.contains("no run has appeared yet")
            && notice.contains("no workflow on the default branch listens to `nobody-listens`")
            && notice.contains(&page),
        "{notice}"
    );
    let done = step.finish(child);
    let done = done.fails(&["no run was found within `timeout` (1m 10s)"]);
    assert_eq!(done.log.matches("Most likely").count(), 1, "said once");
    assert_eq!(done.outputs["conclusion"], "timed-out");
    assert_eq!(done.outputs["outcome"], "accepted");
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

#[test]
fn several_possible_runs_are_not_guessed() {
    // Runs of the same person, for both workflows.
    let world = World::demo()
        .strangers(&["octocat"])
        .scenario(Provider::GitHub, Scenario::endless());
    let sandbox = start(world);
    let done = dispatch(&sandbox, "deploy").run();
    assert_eq!(done.code, Some(1), "{done}");
    assert_eq!(done.outputs["conclusion"], "lost");
    let errors = done.errors();
    assert_eq!(errors.len(), 2, "{done}");
    for error in &errors {
        assert!(
            error.contains("several runs of build.yml")
                || error.contains("several runs of notify.yml"),
            "{error}"
        );
        assert!(error.contains(
            "run-name: ${{ github.workflow }} ${{ github.event.client_payload.trigger_id }}"
        ));
    }
    assert_eq!(runs(&done).len(), 0);
    assert!(done.result()["left_running"].is_string(), "{done}");
    assert!(sandbox.runs().iter().all(|run| !run.cancelled));
}

#[test]
fn runs_of_other_users_are_told_apart_by_actor() {
    let world = World::demo()
        .strangers(&["hubot"])
        .scenario(Provider::GitHub, Scenario::passing(SECOND));
    let sandbox = start(world);
    let done = dispatch(&sandbox, "deploy").run().passes();
    assert_eq!(found_ids(&done), ids(&sandbox));
}

#[test]
fn runs_of_an_app_are_recognised_by_its_actor() {
    let world = World::demo()
        .strangers(&["octocat"])
        .scenario(Provider::GitHub, Scenario::passing(SECOND));
    let sandbox = start(world);
    let done = dispatch(&sandbox, "deploy")
        .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
        .signed_in_as_app()
        .run()
        .passes();
    assert_eq!(runs(&done).len(), 2, "{done}");
    assert_eq!(own_runs(&sandbox)[0].actor, "octo-deployer[bot]");
}

#[test]
fn clock_skew_hides_no_run_and_matches_no_older_one() {
    let hour = Duration::from_hours(1);
    let worlds = [World::demo().ahead(hour), World::demo().behind(hour)];
    in_parallel(worlds.to_vec(), |world| {
        let sandbox = start(world.scenario(Provider::GitHub, Scenario::passing(SECOND)));
        // A run of the same kind, by the same person, just before.
        Step::github(&sandbox)
            .input("event-type", "deploy")
            .run()
            .passes();
        let before = sandbox.runs().len();
        let done = dispatch(&sandbox, "deploy").run().passes();
        assert_eq!(found_ids(&done), ids(&sandbox)[before..], "{done}");
    });
}

#[test]
fn a_server_that_does_not_name_the_run_leads_to_a_search() {
    in_parallel(vec![400, 422], |status| {
        let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
        sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(status));
        let done = call(Provider::GitHub, &sandbox).run().passes();
        assert_eq!(runs(&done)[0]["matched_by"], "timing");
        assert_eq!(done.outputs["conclusion"], "success");
        assert_eq!(done.warnings().len(), 1, "{done}");
        assert_eq!(sandbox.runs().len(), 1);
    });
}

#[test]
fn several_possible_runs_of_a_workflow_dispatch_are_not_guessed() {
    let world = World::demo().strangers(&["octocat"]);
    let sandbox = start(world);
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let done = call(Provider::GitHub, &sandbox).run();
    let done = done.fails(&["the step can't tell which one is its own: http"]);
    assert_eq!(done.outputs["conclusion"], "lost");
    assert!(sandbox.runs().iter().all(|run| !run.cancelled));
}

/// Starts a step on a server that doesn't name the run, and returns after this many searches.
fn searching(sandbox: &Sandbox, times: usize) -> (Step, Child) {
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let step = call(Provider::GitHub, sandbox);
    let child = step.start();
    until(sandbox, "it is looked for", |sandbox| {
        let requests = sandbox.requests();
        let is_search = |path: &str| path.ends_with("/workflows/build.yml/runs");
        requests
            .iter()
            .filter(|request| is_search(&request.path))
            .count()
            >= times
    });
    (step, child)
}

/// The step doesn't assume the first run before another one has had time to appear.
#[test]
fn a_second_run_that_appears_late_makes_the_match_uncertain() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let (step, child) = searching(&sandbox, 2);
    sandbox.with_world(|world| world.repeat_last_run_as("octocat"));
    let done = step.finish(child);
    let done = done.fails(&["the step can't tell which one is its own: http"]);
    assert_eq!(done.outputs["conclusion"], "lost");
    assert_eq!(done.outputs["run-id"], "");
    assert!(!done.log.contains("found run"), "{done}");
    let left = done.result()["left_running"].clone();
    let left = left.as_str().unwrap_or_default();
    assert_eq!(left.matches("http").count(), 2, "{left}");
}

#[test]
fn a_signal_during_the_search_names_the_possible_run() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let (step, child) = searching(&sandbox, 1);
    let signalled = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(signalled.elapsed() < 7 * SECOND);
    let done = done.fails(&["the step was stopped before it could tell whether this run of"]);
    assert_eq!(done.outputs["conclusion"], "", "{done}");
    assert!(!sandbox.runs()[0].cancelled, "{done}");
    let left = done.result()["left_running"].clone();
    let left = left.as_str().unwrap_or_default();
    assert!(left.contains(&sandbox.runs()[0].id.to_string()), "{left}");
}

#[test]
fn a_run_matched_by_time_is_never_cancelled() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let step = call(Provider::GitHub, &sandbox).input("timeout", "15s");
    let done = step.run();
    assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
    assert!(!sandbox.runs()[0].cancelled);
    let left = runs(&done)[0]["left_running"].clone();
    assert!(
        left.as_str()
            .is_some_and(|why| why.contains("only by its start time")),
        "{left}"
    );
    let posts = sandbox.requests();
    assert!(
        posts
            .iter()
            .all(|request| !request.path.ends_with("/cancel"))
    );
}

#[test]
fn an_unknown_outcome_is_resolved_by_its_marker() {
    let world = World::demo()
        .strangers(&STRANGERS)
        .scenario(Provider::GitHub, Scenario::passing(SECOND));
    let sandbox = start(world);
    let unclear = Fault::Reset(Moment::AfterActing);
    sandbox.fault(Route::triggers(), Occasion::Every, unclear);
    let done = dispatch(&sandbox, "release").run().passes();
    assert_eq!(done.outputs["outcome"], "accepted");
    assert_eq!(done.outputs["conclusion"], "success");
    assert_eq!(runs(&done)[0]["matched_by"], "marker");
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

/// The clocks differ, and no response has shown that yet.
#[test]
fn an_unknown_outcome_does_not_match_an_older_run() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let hour = Duration::from_hours(1);
        let sandbox = start(World::demo().ahead(hour));
        trigger(provider, &sandbox).run().passes();
        sandbox.with_world(|world| world.runs[0].created_at -= 20 * SECOND);
        let unclear = Fault::Reset(Moment::AfterActing);
        sandbox.fault(Route::triggers(), Occasion::Every, unclear);
        let done = trigger(provider, &sandbox).run();
        let new = sandbox.runs()[1].clone();
        let number = match provider {
            Provider::GitHub | Provider::GitLab => new.id,
            Provider::Bitbucket => new.number,
        };
        let named = format!("/{number}");
        done.fails(&["This run might be the one: http"])
            .says(&named)
            .outcome("unknown");
    });
}

#[test]
fn an_unknown_outcome_may_stay_unknown_while_waiting() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let unclear = Fault::Reset(Moment::BeforeActing);
        sandbox.fault(Route::triggers(), Occasion::Every, unclear);
        let done = call(provider, &sandbox).run();
        let done = done.fails(&["No new run appeared within 30 s"]);
        assert_eq!(done.outputs["outcome"], "unknown");
        assert_eq!(done.outputs["conclusion"], "");
        assert!(done.result()["left_running"].is_string());
        assert_eq!(sandbox.trigger_requests().len(), 1);
    });
}

/// The server set its clock back after the trigger, so its time for the run is long before it.
#[test]
fn a_marked_run_counts_whatever_its_time() {
    in_parallel(vec![Provider::GitHub, Provider::GitLab], |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        sandbox.with_world(|world| {
            let name = "Deploy $[[ inputs.trigger_id ]]".to_owned();
            world.gitlab.projects[0].pipeline_name = Some(name);
        });
        let lost = Fault::Reset(Moment::AfterActing);
        sandbox.fault(Route::triggers(), Occasion::Every, lost);
        let lists = Route::any().method("GET").path_end(match provider {
            Provider::GitHub => "/runs",
            Provider::GitLab | Provider::Bitbucket => "/pipelines",
        });
        sandbox.fault(lists, Occasion::Every, Fault::Edit(with_an_early_time));
        let step = match provider {
            Provider::GitHub => dispatch(&sandbox, "release"),
            // Inputs aren't listed, so only the name has the marker.
            Provider::GitLab | Provider::Bitbucket => call(provider, &sandbox)
                .input("inputs", "replicas: 2")
                .input("marker-input", "trigger_id"),
        };
        let done = step.run().passes();
        assert_eq!(runs(&done)[0]["matched_by"], "marker", "{done}");
        assert_eq!(found_ids(&done), ids(&sandbox));
    });
}

fn with_an_early_time(list: &mut Value) {
    let runs = if list.is_array() {
        list
    } else {
        &mut list["workflow_runs"]
    };
    for run in runs.as_array_mut().into_iter().flatten() {
        run["created_at"] = json!("2020-01-01T00:00:00Z");
    }
}

/// The marker must not replace a property, nor exceed GitHub's limit.
#[test]
fn a_payload_must_have_room_for_the_marker() {
    let ten: Value = (0..10)
        .map(|key| (key.to_string(), json!(key)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (payload, complaint) in [(json!({"trigger_id": "mine"}), "trigger_id"), (ten, "10")] {
        let sandbox = start(World::demo());
        let step = dispatch(&sandbox, "deploy").input("client-payload", &payload.to_string());
        step.run().fails(&[complaint]);
        assert_eq!(sandbox.requests().len(), 0);
        // Without `wait` the payload is sent unchanged.
        let done = step.input("wait", "false").run().passes();
        assert_eq!(sandbox.runs()[0].client_payload, Some(payload));
        assert_eq!(done.outputs["trigger-id"], "");
    }
}

/// If the step couldn't read the run, it triggers nothing.
#[test]
fn an_unreadable_run_is_not_triggered() {
    let blind = "github_pat_sandboxContentsWriteAlone000000000000000000000";
    let sandbox = start(World::demo());
    sandbox.with_world(|world| {
        let permissions = Permissions::new(&[("contents", world::Access::Write)]);
        let mut token = GitHubToken::classic(blind, "octocat", &[]);
        token.kind = GitHubTokenKind::FineGrained { permissions };
        // Public repositories can be read without the permission.
        let token = token.for_repository("octo-org/private");
        world.github.tokens.push(token);
        world.gitlab.projects[0].visibility = Visibility::Private;
    });
    let gitlab = || {
        Step::gitlab(&sandbox)
            .input("ref", "main")
            .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
            .input("trigger-token", demo::GITLAB_TRIGGER)
    };
    let steps = [
        (
            dispatch(&sandbox, "deploy")
                .input("repository", "octo-org/private")
                .input("token", blind),
            "Actions: read",
        ),
        (
            gitlab().input("wait", "true"),
            "a trigger token can't read a project that isn't public, so the step couldn't wait",
        ),
        (
            call(Provider::Bitbucket, &sandbox)
                .input("token", demo::BITBUCKET_API_WRITE_ONLY)
                .input("email", demo::BITBUCKET_EMAIL),
            "read:pipeline:bitbucket",
        ),
    ];
    for (step, missing) in steps {
        let done = step.run().fails(&[missing]);
        assert_eq!(done.outputs["outcome"], "not-sent", "{done}");
    }
    assert_eq!(sandbox.trigger_requests().len(), 0);
    // Triggering without waiting only needs a trigger token.
    gitlab().run().passes();
}

#[test]
fn a_public_project_needs_no_token_to_be_read() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::passing(SECOND));
    let done = call(Provider::GitLab, &sandbox)
        .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
        .input("trigger-token", demo::GITLAB_TRIGGER)
        .run()
        .passes();
    assert_eq!(done.outputs["conclusion"], "success");
}

/// If the step is stopped during the search, it searches once more and cancels runs that are certainly its own.
#[test]
fn a_signal_during_the_search_still_cancels_the_marked_run() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = dispatch(&sandbox, "release");
    let child = step.start();
    until(&sandbox, "the run has started", |sandbox| {
        !sandbox.runs().is_empty()
    });
    let signalled = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(signalled.elapsed() < 7 * SECOND);
    assert!(sandbox.runs()[0].cancelled, "{done}");
    assert_eq!(runs(&done)[0]["matched_by"], "marker");
    assert_eq!(done.code, Some(1));
}

/// A reported run is kept even if the last search fails, and is still cancelled.
#[test]
fn a_found_run_is_not_forgotten_after_a_signal() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = dispatch(&sandbox, "release");
    let child = step.start();
    step.until_said("by the marker in its title");
    let broken = Fault::status(Moment::BeforeActing, 502);
    let reads = Route::any().method("GET").path("/actions/runs");
    sandbox.fault(reads, Occasion::Every, broken);
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(sandbox.runs()[0].cancelled, "{done}");
    assert_eq!(runs(&done)[0]["matched_by"], "marker", "{done}");
    assert_eq!(done.outputs["run-id"], sandbox.runs()[0].id.to_string());
}
