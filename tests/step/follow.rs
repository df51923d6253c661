//! `follow`: the step triggers nothing, and waits for runs that were started elsewhere.

use std::time::Instant;

use sandbox::world::{
    Access, Artifact, Conclusion, GitHubToken, GitHubTokenKind, JobScenario, Log, Permissions,
    RunDetails, Scenario, Visibility,
};
use sandbox::{Fault, Moment, Occasion, Provider, RecordedRequest, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::calls::{
    PROVIDERS, SECOND, in_parallel, own_runs, signal, start, trigger, until, with_scenario,
};
use crate::harness::{Done, Step, sandbox};
use crate::inputs::{fails_with, with};

/// What a step says about the runs that it started.
const NAMES: [&str; 2] = ["results", "run-url"];

/// Starts a run, and goes on as soon as it's known.
fn started(provider: Provider, sandbox: &Sandbox) -> Done {
    trigger(provider, sandbox)
        .input("wait", "start")
        .run()
        .passes()
}

/// Everything that a step needs to read and cancel a provider's runs, but not where they are.
fn reader(provider: Provider, sandbox: &Sandbox) -> Step {
    let step = trigger(provider, sandbox)
        .input("repository", "")
        .input("ref", "");
    match provider {
        Provider::GitHub => step.input("workflow", ""),
        Provider::GitLab | Provider::Bitbucket => step,
    }
}

/// A step that follows what another one has started.
fn follower(provider: Provider, sandbox: &Sandbox, follow: &str) -> Step {
    reader(provider, sandbox).input("follow", follow)
}

/// The page of a run on its provider's server.
fn page(provider: Provider, sandbox: &Sandbox, index: usize) -> String {
    let (run, server) = (sandbox.runs()[index].clone(), sandbox.http_url());
    let (repository, id, number) = (run.repository, run.id, run.number);
    match provider {
        Provider::GitHub => format!("{server}/{repository}/actions/runs/{id}"),
        Provider::GitLab => format!("{server}/{repository}/-/pipelines/{id}"),
        Provider::Bitbucket => format!("{server}/{repository}/pipelines/results/{number}"),
    }
}

fn matched_by(done: &Done) -> Value {
    done.result()["runs"][0]["matched_by"].clone()
}

/// Checks that nothing but the first step's trigger was ever sent.
fn only_triggered_once(sandbox: &Sandbox, done: &Done) {
    assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    assert_eq!(done.outputs["outcome"], "", "{done}");
    for result in done.results() {
        assert_eq!(result["outcome"], Value::Null, "{done}");
    }
}

fn every_provider_and_name() -> Vec<(Provider, &'static str)> {
    let pairs = PROVIDERS
        .iter()
        .flat_map(|provider| NAMES.map(|name| (*provider, name)));
    pairs.collect()
}

#[test]
fn a_run_that_another_step_started_decides_whether_the_step_passes() {
    in_parallel(every_provider_and_name(), |(provider, name)| {
        for passes in [true, false] {
            let scenario = if passes {
                Scenario::passing(3 * SECOND)
            } else {
                Scenario::failing(3 * SECOND)
            };
            let sandbox = with_scenario(provider, scenario);
            let first = started(provider, &sandbox);
            let done = follower(provider, &sandbox, &first.outputs[name]).run();
            assert_eq!(done.code, Some(i32::from(!passes)), "{done}");
            let conclusion = if passes { "success" } else { "failure" };
            assert_eq!(done.outputs["conclusion"], conclusion, "{done}");
            for output in ["run-id", "run-url", "trigger-id"] {
                assert_eq!(done.outputs[output], first.outputs[output], "{done}");
            }
            let known = if name == "results" { "id" } else { "url" };
            assert_eq!(matched_by(&done), known, "{done}");
            let run = &done.result()["runs"][0];
            let following = format!(": following run #{}\n", run["number"]);
            done.says(&following).says(&first.outputs["run-url"]);
            let verdict = if passes { "succeeded" } else { "failed" };
            assert!(
                done.log
                    .lines()
                    .last()
                    .is_some_and(|last| last.contains(verdict))
            );
            assert!(done.summary.contains("#### Followed runs"), "{done}");
            assert_eq!(done.warnings(), Vec::<String>::new());
            only_triggered_once(&sandbox, &done);
        }
    });
}

#[test]
fn results_keep_the_pipeline_and_the_marker() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(15 * SECOND));
    let first = Step::github(&sandbox)
        .input("event-type", "release")
        .input("wait", "start")
        .run()
        .passes();
    let follow = &first.outputs["results"];
    let done = follower(Provider::GitHub, &sandbox, follow).run().passes();
    for key in ["provider", "repository", "pipeline", "trigger_id"] {
        assert_eq!(done.result()[key], first.result()[key], "{done}");
    }
    assert_eq!(done.outputs["trigger-id"], first.outputs["trigger-id"]);
    assert_eq!(matched_by(&done), "marker");
    only_triggered_once(&sandbox, &done);
    // What one step followed, another one can follow.
    let again = follower(Provider::GitHub, &sandbox, &done.outputs["results"]);
    let again = again.run().passes();
    assert_eq!(again.outputs["conclusion"], "success", "{again}");
    assert_eq!(again.result()["trigger_id"], first.result()["trigger_id"]);
}

/// A run that has ended already is read again all the same.
#[test]
fn a_run_that_has_ended_is_read_again() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::failing(SECOND));
        let first = trigger(provider, &sandbox).input("wait", "true").run();
        assert_eq!(first.code, Some(1));
        let before = sandbox.request_count();
        let done = follower(provider, &sandbox, &first.outputs["results"]).run();
        assert_eq!(done.outputs["conclusion"], "failure", "{done}");
        assert!(sandbox.request_count() > before);
        only_triggered_once(&sandbox, &done);
    });
}

/// A bare address may be that of anybody's run.
#[test]
fn a_stop_cancels_only_what_results_prove_to_be_ours() {
    in_parallel(every_provider_and_name(), |(provider, name)| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let first = started(provider, &sandbox);
        let step = follower(provider, &sandbox, &first.outputs[name]);
        let child = step.start();
        step.until_said(": running");
        let signalled = Instant::now();
        signal(&child, "INT");
        let done = step.finish(child);
        assert!(signalled.elapsed() < 7 * SECOND, "{done}");
        assert_eq!(done.code, Some(1), "{done}");
        let is_ours = name == "results";
        assert_eq!(sandbox.runs()[0].cancelled, is_ours, "{done}");
        let left = &done.result()["runs"][0]["left_running_reason"];
        if is_ours {
            assert_eq!(*left, Value::Null, "{done}");
            assert_eq!(done.outputs["conclusion"], "cancelled", "{done}");
        } else {
            assert_eq!(*left, "followed", "{done}");
            assert_eq!(done.warnings().len(), 1, "said once: {done}");
            assert!(
                done.warnings()[0].contains("only given by its URL"),
                "{done}"
            );
        }
        step.second_chance().run().passes().says("nothing to do");
        only_triggered_once(&sandbox, &done);
    });
}

#[test]
fn runs_matched_by_time_stay_uncertain() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let first = started(Provider::GitHub, &sandbox);
    let step = follower(Provider::GitHub, &sandbox, &first.outputs["results"]);
    let done = step.input("timeout", "2s").run();
    assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
    let run = &done.result()["runs"][0];
    assert_eq!(run["matched_by"], "timing");
    assert_eq!(run["left_running_reason"], "matched-by-time", "{done}");
    assert!(!sandbox.runs()[0].cancelled);
}

#[test]
fn timeout_counts_from_the_begin_of_following() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let first = started(provider, &sandbox);
        sandbox.with_world(|world| world.runs[0].created_at -= 100 * SECOND);
        let step = follower(provider, &sandbox, &first.outputs["results"]).input("timeout", "6s");
        let began = Instant::now();
        let done = step.run();
        assert!(began.elapsed() >= 6 * SECOND, "{done}");
        let done = done.fails(&["was still running after 6s (`timeout`)"]);
        assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        // The same, for a run that is to be left running.
        let sandbox = with_scenario(provider, Scenario::endless());
        let first = started(provider, &sandbox);
        let done = follower(provider, &sandbox, &first.outputs["results"])
            .input("timeout", "2s")
            .input("on-abandoned", "leave")
            .run();
        let reason = &done.result()["runs"][0]["left_running_reason"];
        assert_eq!(*reason, "by-policy", "{done}");
        assert!(!sandbox.runs()[0].cancelled, "{done}");
    });
}

/// The step's second process cancels what is ours, even if the first one was killed at once.
#[test]
fn runs_of_a_killed_follower_are_cancelled_if_they_are_ours() {
    in_parallel(every_provider_and_name(), |(provider, name)| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let first = started(provider, &sandbox);
        let step = follower(provider, &sandbox, &first.outputs[name]);
        let mut child = step.start();
        step.until_said(": running");
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        assert!(!sandbox.runs()[0].cancelled);
        let second = step.second_chance().run().passes();
        let is_ours = name == "results";
        second.says(if is_ours {
            "is over: cancelled"
        } else {
            "nothing to do"
        });
        assert_eq!(sandbox.runs()[0].cancelled, is_ours, "{second}");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{second}");
    });
}

/// The step was stopped while it was still reading the run, so only its second process can cancel it.
#[test]
fn a_run_that_was_not_read_yet_is_cancelled_by_the_second_process() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let first = started(provider, &sandbox);
        let silent = Fault::Delay(Moment::BeforeActing, 30 * SECOND);
        sandbox.fault(Route::any().method("GET"), Occasion::Every, silent);
        let step = follower(provider, &sandbox, &first.outputs["results"]);
        let before = sandbox.request_count();
        let child = step.start();
        until(&sandbox, "it is read", |sandbox| {
            sandbox.request_count() > before
        });
        signal(&child, "INT");
        let done = step.finish(child);
        let done = done.fails(&["not followed because the step was stopped before that"]);
        only_triggered_once(&sandbox, &done);
        sandbox.clear_faults();
        step.second_chance()
            .run()
            .passes()
            .says("is over: cancelled");
        assert!(sandbox.runs()[0].cancelled, "{done}");
    });
}

/// All or nothing, as for triggers: if one run can't be read, no other target is triggered.
#[test]
fn an_unreadable_run_is_explained_before_anything_is_triggered() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let first = started(provider, &sandbox);
        sandbox.with_world(|world| {
            let id = world.runs[0].id;
            world.delete_run(provider, id);
        });
        let url = &first.outputs["run-url"];
        let done = follower(provider, &sandbox, url).run();
        let done = done.fails(&["the repository has no run "]);
        done.says("check `follow`, and whether the run was deleted");
        assert_eq!(done.outputs["conclusion"], "", "{done}");
        only_triggered_once(&sandbox, &done);

        let targets = json!([{ "follow": url }, { "repository": "octo-org/app", "workflow": "build.yml",
            "provider": "github", "ref": "main", "token": demo::GITHUB_CLASSIC }]);
        let done = reader(provider, &sandbox)
            .input("targets", &targets.to_string())
            .run();
        assert_eq!(done.code, Some(1), "{done}");
        done.says("not triggered because another target has an error");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    });
    in_parallel(PROVIDERS.to_vec(), |provider| {
        for (status, says) in [
            (401, "doesn't accept the token"),
            (403, "a proxy, firewall or login page refused the request"),
            (404, "doesn't exist, or the token can't access it"),
        ] {
            let sandbox = with_scenario(provider, Scenario::endless());
            let first = started(provider, &sandbox);
            let refused = Fault::status(Moment::BeforeActing, status);
            sandbox.fault(Route::any().method("GET"), Occasion::Every, refused);
            let done = follower(provider, &sandbox, &first.outputs["results"]).run();
            let done = done.fails(&[says]);
            assert!(!sandbox.runs()[0].cancelled, "{done}");
            only_triggered_once(&sandbox, &done);
        }
    });
}

/// The run exists, but the token isn't allowed to read it.
#[test]
fn a_missing_permission_is_explained() {
    let blind = "github_pat_sandboxContentsWriteAlone000000000000000000000";
    let sandbox = start(World::demo());
    sandbox.with_world(|world| {
        let permissions = Permissions::new(&[("contents", Access::Write)]);
        let mut token = GitHubToken::classic(blind, "octocat", &[]);
        token.kind = GitHubTokenKind::FineGrained { permissions };
        world
            .github
            .tokens
            .push(token.for_repository("octo-org/private"));
        world.gitlab.projects[0].visibility = Visibility::Private;
    });
    let server = sandbox.http_url();
    for (step, page, missing) in [
        (
            reader(Provider::GitHub, &sandbox).input("token", blind),
            "octo-org/private/actions/runs/1",
            "the token lacks \"Actions: read\", so the step couldn't wait for the run; nothing was triggered",
        ),
        (
            reader(Provider::GitLab, &sandbox).input("token", demo::GITLAB_TRIGGER),
            "octo-group/tools/deployer/-/pipelines/1",
            "a trigger token can't read a project that isn't public, so the step couldn't wait",
        ),
        (
            reader(Provider::Bitbucket, &sandbox)
                .input("token", demo::BITBUCKET_API_WRITE_ONLY)
                .input("email", demo::BITBUCKET_EMAIL),
            "octo-workspace/service/pipelines/results/1",
            "read:pipeline:bitbucket",
        ),
    ] {
        let done = step.input("follow", &format!("{server}/{page}")).run();
        let done = done.fails(&[missing]);
        assert_eq!(done.outputs["outcome"], "", "{done}");
    }
    assert_eq!(sandbox.trigger_requests().len(), 0);
}

/// What works with `wait: true` works here too.
#[test]
fn logs_and_a_result_are_read_back() {
    let artifact = Artifact::new("result").file("result.json", "{\"version\": \"1.2.3\"}");
    let scenario = Scenario::passing(SECOND).artifact(artifact);
    let sandbox = with_scenario(Provider::GitHub, scenario);
    let first = started(Provider::GitHub, &sandbox);
    let follow = |first: &Done| follower(Provider::GitHub, &sandbox, &first.outputs["run-url"]);
    let done = follow(&first).input("result-artifact", "result").run();
    assert_eq!(done.passes().outputs["result"], "{\"version\": \"1.2.3\"}");
    let log = Log::text("connection refused\n");
    let failing = Scenario::new().job(JobScenario::new("deploy", SECOND).fails().log(log));
    let sandbox = with_scenario(Provider::GitLab, failing);
    let first = started(Provider::GitLab, &sandbox);
    let done = follower(Provider::GitLab, &sandbox, &first.outputs["results"])
        .input("success-conclusions", "success, failure")
        .input("logs", "failed")
        .run();
    done.passes().says("connection refused");
}

#[test]
fn the_current_attempt_is_pinned_unless_the_address_names_one() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::failing(SECOND));
    let first = started(Provider::GitHub, &sandbox);
    let url = first.outputs["run-url"].clone();
    until(&sandbox, "the run is over", |sandbox| {
        sandbox.unfinished_runs().is_empty()
    });
    sandbox.with_world(|world| {
        let id = world.runs[0].id;
        world.run_again(id);
        world.runs[0].complete(Conclusion::Success);
    });
    let attempt = |done: &Done| done.result()["runs"][0]["attempt"].clone();
    let follow = |follow: &str| follower(Provider::GitHub, &sandbox, follow).run();
    let done = follow(&url);
    assert_eq!(done.outputs["conclusion"], "success", "{done}");
    assert_eq!(attempt(&done), 2, "{done}");
    let done = follow(&format!("{url}/attempts/1"));
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
    assert_eq!(attempt(&done), 1, "{done}");
    // What the earlier step started is its first attempt.
    let done = follow(&first.outputs["results"]);
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
    for page in [
        "/job/12",
        "/attempts/2/job/12",
        "/?pr=1#step:3:1",
        "?pr=1",
        "/",
    ] {
        let done = follow(&format!("{url}{page}"));
        assert_eq!(done.outputs["conclusion"], "success", "{page} {done}");
    }
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

#[test]
fn a_pipeline_of_bitbucket_may_be_named_by_its_uuid() {
    let sandbox = with_scenario(Provider::Bitbucket, Scenario::passing(SECOND));
    started(Provider::Bitbucket, &sandbox);
    let uuid = sandbox.runs()[0].uuid();
    let bare = uuid.trim_matches(['{', '}']).to_owned();
    let escaped = format!("%7B{bare}%7D");
    for name in [&uuid, &escaped, &bare] {
        let url = format!(
            "{}/octo-workspace/service/pipelines/{name}",
            sandbox.http_url()
        );
        let done = follower(Provider::Bitbucket, &sandbox, &url).run().passes();
        assert_eq!(done.outputs["run-id"], uuid, "{done}");
        let page = page(Provider::Bitbucket, &sandbox, 0);
        assert_eq!(done.outputs["run-url"], page, "{done}");
    }
}

/// One step starts many, another one follows them all: each provider's with its own token.
#[test]
fn many_targets_can_be_followed() {
    let world = PROVIDERS.iter().fold(World::demo(), |world, provider| {
        world.scenario(*provider, Scenario::passing(4 * SECOND))
    });
    let sandbox = start(world);
    let server = sandbox.http_url();
    let targets = json!([
        { "workflow": "build.yml" },
        { "provider": "gitlab", "server-url": server, "repository": "octo-group/tools/deployer", "token": demo::GITLAB_DEVELOPER },
        { "provider": "bitbucket", "server-url": server, "repository": "octo-workspace/service", "token": demo::BITBUCKET_ACCESS },
        { "workflow": "1-release.yml" },
    ]);
    let first = Step::github(&sandbox)
        .input("ref", "main")
        .input("wait", "start")
        .input("targets", &targets.to_string())
        .secret(demo::GITLAB_DEVELOPER)
        .secret(demo::BITBUCKET_ACCESS)
        .run()
        .passes();
    let results = &first.outputs["results"];
    let ids = |done: &Done| -> Vec<Value> {
        let results = done.results().into_iter();
        results
            .map(|entry| entry["runs"][0]["id"].clone())
            .collect()
    };
    // As YAML, an expression puts the list in as it is, or as a string with `toJSON`.
    for quoted in [json!(results).to_string(), results.clone()] {
        let yaml = format!(
            "- {{provider: github, follow: {quoted}, token: {}}}\n\
             - {{provider: gitlab, server-url: '{server}', follow: {quoted}, token: {}}}\n\
             - {{provider: bitbucket, server-url: '{server}', follow: {quoted}, token: {}}}\n",
            demo::GITHUB_CLASSIC,
            demo::GITLAB_DEVELOPER,
            demo::BITBUCKET_ACCESS
        );
        let done = Step::on(&server)
            .input("targets", &yaml)
            .secret(demo::GITLAB_DEVELOPER)
            .secret(demo::BITBUCKET_ACCESS)
            .run()
            .passes();
        let [build, gitlab, bitbucket, release] = ids(&first).try_into().expect("four runs");
        assert_eq!(ids(&done), [build, release, gitlab, bitbucket], "{done}");
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
        done.says("✓ 4 targets: 4 passed");
        assert_eq!(done.outputs["outcome"], "");
    }
    // The step's own `follow` is for all entries that don't trigger anything.
    let mut targets = json!([
        { "provider": "gitlab", "server-url": server, "token": demo::GITLAB_DEVELOPER },
        { "repository": "octo-org/app", "workflow": "build.yml", "ref": "main" },
    ]);
    let follow_all = |targets: &Value| {
        Step::on(&server)
            .input("follow", results)
            .input("wait", "start")
            .input("token", demo::GITHUB_CLASSIC)
            .input("targets", &targets.to_string())
            .secret(demo::GITLAB_DEVELOPER)
            .secret(demo::BITBUCKET_ACCESS)
            .run()
    };
    // A run that nobody follows would end unnoticed.
    let done = follow_all(&targets).fails(&[
        "input `follow`: names a run on GitHub, which no entry of `targets` follows\nhint: add an entry with `provider: github`",
        "input `follow`: names a run on Bitbucket, which no entry of `targets` follows",
    ]);
    assert_eq!(sandbox.trigger_requests().len(), 4, "{done}");
    let more = [
        json!({ "provider": "github" }),
        json!({ "provider": "bitbucket", "server-url": server, "token": demo::BITBUCKET_ACCESS }),
    ];
    targets.as_array_mut().expect("a list").extend(more);
    let done = follow_all(&targets).passes();
    done.says("✓ 5 targets: 4 passed, 1 triggered");
    done.outcome("accepted");
    assert_eq!(ids(&done)[0], ids(&first)[1], "{done}");
    assert_eq!(sandbox.trigger_requests().len(), 5);
}

#[test]
fn all_runs_of_an_event_are_one_target() {
    let failing = Scenario::failing(12 * SECOND);
    let world = World::demo()
        .scenario(Provider::GitHub, Scenario::passing(12 * SECOND))
        .scenario_of(Provider::GitHub, "octo-org/app", "notify.yml", failing);
    let sandbox = start(world);
    let first = Step::github(&sandbox)
        .input("event-type", "deploy")
        .input("wait", "start")
        .run()
        .passes();
    let done = follower(Provider::GitHub, &sandbox, &first.outputs["results"]).run();
    assert_eq!(done.code, Some(1), "{done}");
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
    let runs = done.result()["runs"].clone();
    assert_eq!(runs.as_array().map(Vec::len), Some(2), "{done}");
    assert_eq!(done.errors().len(), 1, "{done}");
}

#[test]
fn shortened_results_can_be_followed() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    started(Provider::GitHub, &sandbox);
    let url = page(Provider::GitHub, &sandbox, 0);
    let short = json!([{
        "provider": "github", "repository": "octo-org/app", "outcome": "accepted", "conclusion": null,
        "runs": [{ "id": sandbox.runs()[0].id.to_string(), "url": url, "matched_by": "id", "conclusion": null }],
    }]);
    let step = follower(Provider::GitHub, &sandbox, &short.to_string());
    let done = step.run().passes();
    assert_eq!(done.outputs["conclusion"], "success", "{done}");
    only_triggered_once(&sandbox, &done);
}

/// A project that was named by its id, and reads that fail at first.
#[test]
fn a_run_is_read_with_retries_and_by_the_same_name() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::passing(4 * SECOND));
    let id = demo::GITLAB_PROJECT_ID.to_string();
    let first = trigger(Provider::GitLab, &sandbox)
        .input("repository", &id)
        .input("wait", "start")
        .run()
        .passes();
    let broken = Fault::status(Moment::BeforeActing, 502);
    sandbox.fault(Route::any().method("GET"), Occasion::Nth(1), broken);
    let follow = &first.outputs["results"];
    let done = follower(Provider::GitLab, &sandbox, follow).run().passes();
    assert_eq!(done.result()["repository"], *id, "{done}");
    assert_eq!(done.outputs["conclusion"], "success", "{done}");
    done.says("retrying in 1 s");
    only_triggered_once(&sandbox, &done);
}

/// What has no run fails, and says why; the others are followed.
#[test]
fn an_entry_without_a_run_fails_by_itself() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(2 * SECOND));
    let refused = Fault::status(Moment::BeforeActing, 422);
    let route = Route::triggers().path("1-release.yml");
    sandbox.fault(route, Occasion::Every, refused);
    let targets = json!([
        { "workflow": "1-release.yml" },
        { "workflow": "build.yml" },
        { "event-type": "deploy", "ref": "" , "wait": "false" },
    ]);
    let first = Step::github(&sandbox)
        .input("ref", "main")
        .input("wait", "start")
        .input("targets", &targets.to_string())
        .run();
    assert_eq!(first.code, Some(1), "{first}");
    let done = follower(Provider::GitHub, &sandbox, &first.outputs["results"]).run();
    let done = done.fails(&[
        "there is no run to follow: the trigger's `outcome` was `rejected`",
        "there is no run to follow: the trigger was accepted, but the step that sent it doesn't know the run\nhint: set `wait: start` on that step",
    ]);
    let conclusions: Vec<_> = done
        .results()
        .iter()
        .map(|entry| entry["conclusion"].clone())
        .collect();
    assert_eq!(conclusions, [Value::Null, json!("success"), Value::Null]);
    done.says("✗ 3 targets: 1 passed, 2 not followed");
    assert_eq!(own_runs(&sandbox).len(), 3, "one, and two of the event");
}

/// `results` come from another job, and may be forged: a token goes only where the step's own inputs allow.
#[test]
fn forged_results_are_refused() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let first = started(provider, &sandbox);
        let sent = sandbox.request_count();
        let forged = |key: &str, value: &str| {
            let mut results: Value = serde_json::from_str(&first.outputs["results"]).unwrap();
            results[0]["runs"][0][key] = value.into();
            results.to_string()
        };
        let name = match provider {
            Provider::GitHub => "GitHub",
            Provider::GitLab => "GitLab",
            Provider::Bitbucket => "Bitbucket",
        };
        let no_id = format!("has a run whose id can't be one of {name}");
        let elsewhere = "on the server in `server-url`";
        let unknown = "is on a server that isn't known";
        let other = if provider == Provider::GitHub {
            unknown
        } else {
            elsewhere
        };
        for (key, value, error) in [
            ("id", "../x", no_id.as_str()),
            ("id", "", &no_id),
            ("id", "7/../../8", &no_id),
            (
                "url",
                "https://evil.example/octo-org/app/actions/runs/1",
                other,
            ),
            ("url", "ftp://evil.example/1", "must begin with `https://`"),
            (
                "url",
                "https://user:secret@evil.example/",
                "contains a user name or password",
            ),
            (
                "matched_by",
                "magic",
                "is neither the address of a run nor the output `results`",
            ),
        ] {
            let step = follower(provider, &sandbox, &forged(key, value));
            let done = step.run().fails(&[error]);
            assert!(done.errors()[0].contains("input `follow`: "), "{done}");
            done.outcome("not-sent");
            assert_eq!(sandbox.request_count(), sent, "{key}: {value} {done}");
        }
        for (key, value, error) in [
            (
                "repository",
                "a/../b",
                "input `follow`: has an entry whose repository has ",
            ),
            (
                "repository",
                "",
                "has an entry without a provider or repository",
            ),
            (
                "provider",
                "sourcehut",
                "has an entry without a provider or repository",
            ),
        ] {
            let mut results: Value = serde_json::from_str(&first.outputs["results"]).unwrap();
            results[0][key] = value.into();
            // Without the step's own `provider`, which would leave out others.
            let step = follower(provider, &sandbox, &results.to_string()).input("provider", "");
            let done = step.run();
            assert_eq!(done.code, Some(1), "{done}");
            assert!(
                done.errors().iter().any(|found| found.contains(error)),
                "{done}"
            );
            assert_eq!(sandbox.request_count(), sent, "{key}: {value} {done}");
        }
    });
}

#[test]
fn a_url_does_not_decide_where_a_token_goes() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let first = started(provider, &sandbox);
        let sent = sandbox.request_count();
        let url = &first.outputs["run-url"];
        // On another server than the step's own, `server-url` and `provider` are needed.
        let elsewhere = || {
            follower(provider, &sandbox, url)
                .environment("GITHUB_SERVER_URL", "https://github.com")
                .environment("GITHUB_API_URL", "https://api.github.com")
                .input("server-url", "")
        };
        let done = elsewhere().input("provider", "").run();
        let done = done.fails(&["input `follow`: is on a server that isn't known, and a web URL by itself doesn't decide where a token is sent\nhint: set `server-url` and `provider` too"]);
        done.outcome("not-sent");
        assert_eq!(sandbox.request_count(), sent, "{done}");
        let named = match provider {
            Provider::GitHub => "github",
            Provider::GitLab => "gitlab",
            Provider::Bitbucket => "bitbucket",
        };
        let step = elsewhere().input("provider", named);
        step.run().fails(&["hint: set `server-url` too"]);
        let other = step.input("server-url", "https://git.example.com");
        let done = other
            .run()
            .fails(&["input `follow`: isn't on the server in `server-url`"]);
        assert_eq!(sandbox.request_count(), sent, "{done}");
        let step = elsewhere()
            .input("provider", named)
            .input("server-url", &sandbox.http_url());
        step.run().passes();
    });
}

/// GitHub Enterprise Server under a path, as the step's own server and as another one.
#[test]
fn a_server_may_have_a_path() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let server = format!("{}/github", sandbox.http_url());
    let first = Step::on(&server)
        .input("repository", "octo-org/app")
        .input("token", demo::GITHUB_CLASSIC)
        .input("workflow", "build.yml")
        .input("ref", "main")
        .input("wait", "start")
        .run()
        .passes();
    for name in NAMES {
        let follow = &first.outputs[name];
        let own = Step::on(&server)
            .input("token", demo::GITHUB_CLASSIC)
            .input("follow", follow);
        own.run().passes();
        let other = Step::on("https://github.com")
            .input("token", demo::GITHUB_CLASSIC)
            .input("server-url", &server)
            .input("provider", "github")
            .input("follow", follow);
        other.run().passes();
    }
}

#[test]
fn other_pages_are_refused() {
    let sandbox = sandbox();
    let server = sandbox.http_url();
    let cases = [
        (
            Provider::GitHub,
            "octo-org/app",
            "https://github.com/octo-org/app/actions/runs/123",
        ),
        (
            Provider::GitHub,
            "octo-org/app/actions/runs",
            "/actions/runs/123",
        ),
        (
            Provider::GitHub,
            "octo-org/app/actions/runs/x",
            "/actions/runs/123",
        ),
        (
            Provider::GitHub,
            "octo-org/app/actions/runs/1/workflow",
            "/actions/runs/123",
        ),
        (
            Provider::GitHub,
            "octo-org/app/actions/runs/1/attempts/x",
            "/actions/runs/123",
        ),
        (Provider::GitHub, "octo-org/app/pull/1", "/actions/runs/123"),
        (
            Provider::GitLab,
            "octo-group/app/-/jobs/1",
            "https://gitlab.com/octo-group/app/-/pipelines/123",
        ),
        (
            Provider::GitLab,
            "octo-group/app/-/merge_requests/1",
            "/-/pipelines/123",
        ),
        (
            Provider::GitLab,
            "octo-group/app/-/pipelines/1/builds",
            "/-/pipelines/123",
        ),
        (
            Provider::Bitbucket,
            "octo-workspace/app/pipelines",
            "https://bitbucket.org/octo-workspace/app/pipelines/results/123",
        ),
        (
            Provider::Bitbucket,
            "octo-workspace/app/pipelines/results/1/steps/2",
            "/pipelines/results/123",
        ),
    ];
    for (provider, page, form) in cases {
        let step = follower(provider, &sandbox, &format!("{server}/{page}"));
        let done = fails_with(
            &sandbox,
            &step,
            &["input `follow`: isn't the address of a run's page"],
        );
        done.says(form);
    }
    for (follow, error) in [
        (
            "12345",
            "must be the address of a run, or the output `results`",
        ),
        (
            "{}",
            "must be the address of a run, or the output `results`",
        ),
        ("[]", "is an empty list: there is nothing to follow"),
        (
            "[1]",
            "is neither the address of a run nor the output `results`",
        ),
        (
            "[{\"runs\": []}]",
            "has an entry without a provider or repository",
        ),
        ("https://github.com/a b", "contains a space, line break"),
        (
            "http://github.com/a/b/actions/runs/1",
            "would send the token unencrypted",
        ),
    ] {
        let step = follower(Provider::GitHub, &sandbox, follow);
        fails_with(&sandbox, &step, &[&format!("input `follow`: {error}")]);
    }
}

#[test]
fn inputs_about_what_to_trigger_are_refused() {
    let url = |sandbox: &Sandbox, provider| match provider {
        Provider::GitHub => format!("{}/octo-org/app/actions/runs/1", sandbox.http_url()),
        Provider::GitLab => format!("{}/octo-group/app/-/pipelines/1", sandbox.http_url()),
        Provider::Bitbucket => format!("{}/a/b/pipelines/results/1", sandbox.http_url()),
    };
    for (provider, name, value) in [
        (Provider::GitHub, "event-type", "deploy"),
        (Provider::GitHub, "client-payload", "a: b"),
        (Provider::GitHub, "workflow", "build.yml"),
        (Provider::GitHub, "ref", "main"),
        (Provider::GitHub, "commit", "0123456"),
        (Provider::GitHub, "inputs", "a: b"),
        (Provider::GitHub, "marker-input", "id"),
        (Provider::GitHub, "dry-run", "true"),
        (Provider::GitLab, "variables", "a: b"),
        (Provider::GitLab, "secret-variables", "a: hunter2"),
        (Provider::GitLab, "trigger-token", demo::GITLAB_TRIGGER),
        (Provider::Bitbucket, "custom-pipeline", "deploy"),
        (Provider::Bitbucket, "commit", "0123456"),
    ] {
        let sandbox = sandbox();
        let follow = url(&sandbox, provider);
        let step = follower(provider, &sandbox, &follow).input(name, value);
        let error = format!(
            "input `{name}`: doesn't work with `follow`, which triggers nothing\nhint: remove `{name}` or `follow`"
        );
        fails_with(&sandbox, &step, &[&error]);
    }
    let sandbox = sandbox();
    let follow = url(&sandbox, Provider::GitHub);
    let step = || follower(Provider::GitHub, &sandbox, &follow);
    let both = with(
        step(),
        &[
            ("repository", "octo-org/app"),
            ("wait", "start"),
            ("workflow", "build.yml"),
        ],
    );
    fails_with(
        &sandbox,
        &both,
        &[
            "input `workflow`: doesn't work with `follow`",
            "input `repository`: doesn't work with `follow`, which says itself where the run is",
            "input `wait`: can't be `start` with `follow`, which waits until the run has ended",
        ],
    );
    // In an entry of `targets`, its own keys are refused, and inherited ones are dropped.
    let entry = json!([{ "follow": follow, "ref": "main" }, { "follow": "" }]);
    let step = with(step(), &[("workflow", "build.yml"), ("follow", "")]);
    fails_with(
        &sandbox,
        &step.input("targets", &entry.to_string()),
        &[
            "input `targets`, entry 1: `ref` doesn't work with `follow`",
            "input `targets`, entry 2: `follow` is empty\nhint: check that the step or job that it's taken from has run",
        ],
    );
}

#[test]
fn what_names_no_run_is_refused_once() {
    let sandbox = sandbox();
    let server = sandbox.http_url();
    let run = json!({ "id": "1", "url": format!("{server}/octo-org/app/actions/runs/1"), "matched_by": "id" });
    let results = json!([{ "provider": "github", "repository": "octo-org/app", "runs": [run] }]);
    let step = follower(Provider::GitLab, &sandbox, &results.to_string());
    let error = "input `follow`: names no run of that `provider`: there is nothing to follow";
    fails_with(&sandbox, &step, &[error]);
    let misspelt = Step::on(&server)
        .input("follow", &results.to_string())
        .input("tokn", demo::GITHUB_CLASSIC)
        .secret(demo::GITHUB_CLASSIC);
    let error = "input `tokn`: isn't an input of this action\nhint: did you mean `token`?";
    fails_with(&sandbox, &misspelt, &[error]);
    // The same problem of several entries is reported once.
    let bad = json!({ "id": "x", "url": run["url"], "matched_by": "id" });
    let entry = json!({ "provider": "github", "repository": "octo-org/app", "runs": [bad, bad] });
    let step = follower(
        Provider::GitHub,
        &sandbox,
        &json!([entry, entry]).to_string(),
    );
    let error = "input `follow`: has a run whose id can't be one of GitHub\nhint: pass the output `results` as it is";
    fails_with(&sandbox, &step, &[error]);
}

#[test]
fn the_workflows_own_token_reads_only_its_own_repository() {
    let sandbox = sandbox();
    let follow = format!("{}/octo-org/app/actions/runs/1", sandbox.http_url());
    let step = Step::on(&sandbox.http_url()).input("follow", &follow);
    let error = "input `token`: is missing. `GITHUB_TOKEN` can only read runs of octo-org/caller, not of other repositories\nhint: pass a token with the permission \"Actions: read\" for this repository";
    fails_with(&sandbox, &step, &[error]);
}

/// An App that only follows an address needs no right to cancel.
#[test]
fn an_app_asks_only_for_what_following_needs() {
    for name in NAMES {
        let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
        let first = started(Provider::GitHub, &sandbox);
        let done = follower(Provider::GitHub, &sandbox, &first.outputs[name])
            .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
            .signed_in_as_app()
            .run()
            .passes();
        let requests = sandbox.requests();
        let minted = requests
            .iter()
            .find(|request| request.path.ends_with("/access_tokens"));
        let body = minted.and_then(RecordedRequest::json);
        let body = body.unwrap_or_else(|| panic!("a token is minted: {done}"));
        let level = if name == "results" { "write" } else { "read" };
        assert_eq!(body["permissions"], json!({ "actions": level }), "{done}");
    }
}
