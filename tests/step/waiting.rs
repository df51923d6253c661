//! Waiting for a run: its conclusion, the progress in the log, and what the run itself is blocked on.

use std::time::Duration;

use sandbox::world::{Conclusion, GitLabVersion, JobScenario, Scenario, State};
use sandbox::{Fault, Moment, Occasion, Provider, Route, World};
use serde_json::{Value, json};

use crate::calls::{PROVIDERS, SECOND, call, in_parallel, start, until, with_scenario};

#[test]
fn the_step_passes_or_fails_with_the_run() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let scenario = Scenario::new()
            .queued(SECOND)
            .job(JobScenario::new("build", 2 * SECOND))
            .job(JobScenario::new("test", SECOND));
        let sandbox = with_scenario(provider, scenario);
        let done = call(provider, &sandbox).run().passes();
        assert_eq!(done.outputs["conclusion"], "success");
        assert_eq!(done.outputs["outcome"], "accepted");
        done.says("queued")
            .says("job test: success after 1s")
            .says(": succeeded after ");
        assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
        assert_eq!(sandbox.trigger_requests().len(), 1);
        let run = &done.result()["runs"][0];
        assert_eq!(run["matched_by"], "id");
        assert_eq!(run["state"], "completed");
        assert_eq!(run["conclusion"], "success");
        assert_eq!(run["number"], 1);
        for time in ["created_at", "completed_at"] {
            assert!(run[time].as_str().is_some_and(|time| time.ends_with('Z')));
        }
        assert!(done.summary.contains("```mermaid\n%%{init: "), "{done}");
        assert!(done.summary.contains(" test :done, "), "{done}");
        assert_eq!(done.errors(), Vec::<String>::new());
        assert_eq!(done.warnings(), Vec::<String>::new());
        for request in sandbox.requests() {
            assert!(request.objections.is_empty(), "{:?}", request.objections);
        }
    });
}

#[test]
fn every_final_status_has_a_conclusion() {
    let ends = [
        (Provider::GitHub, "success", "success"),
        (Provider::GitHub, "neutral", "neutral"),
        (Provider::GitHub, "skipped", "skipped"),
        (Provider::GitHub, "cancelled", "cancelled"),
        (Provider::GitHub, "stale", "cancelled"),
        (Provider::GitHub, "failure", "failure"),
        (Provider::GitHub, "timed_out", "failure"),
        (Provider::GitHub, "startup_failure", "failure"),
        (Provider::GitHub, "action_required", "failure"),
        (Provider::GitHub, "exploded", "failure"),
        (Provider::GitLab, "success", "success"),
        (Provider::GitLab, "skipped", "skipped"),
        (Provider::GitLab, "canceled", "cancelled"),
        (Provider::GitLab, "failed", "failure"),
        (Provider::Bitbucket, "SUCCESSFUL", "success"),
        (Provider::Bitbucket, "STOPPED", "cancelled"),
        (Provider::Bitbucket, "EXPIRED", "cancelled"),
        (Provider::Bitbucket, "FAILED", "failure"),
        (Provider::Bitbucket, "ERROR", "failure"),
        (Provider::Bitbucket, "EXPLODED", "failure"),
    ];
    in_parallel(ends.to_vec(), |(provider, word, conclusion)| {
        let sandbox = with_scenario(provider, Scenario::new().shows_final_status(word));
        let done = call(provider, &sandbox).run();
        assert_eq!(done.outputs["conclusion"], conclusion, "{word}\n{done}");
        let passes = ["success", "neutral"].contains(&conclusion);
        assert_eq!(done.code, Some(i32::from(!passes)), "{word}\n{done}");
        // One error for the run, with its conclusion, the provider's word, and the link.
        let errors = done.errors();
        assert_eq!(errors.len(), usize::from(!passes), "{done}");
        for error in errors {
            assert!(
                error.contains(conclusion) && error.contains(word),
                "{error}"
            );
            assert!(error.contains(&done.outputs["run-url"]), "{error}");
        }
        let run = &done.result()["runs"][0];
        let kept = match provider {
            Provider::GitLab => &run["provider_state"],
            Provider::GitHub | Provider::Bitbucket => &run["provider_conclusion"],
        };
        assert_eq!(kept, word);
    });
}

#[test]
fn only_final_statuses_end_the_wait() {
    let mut cases = Vec::new();
    for (provider, words) in [
        (
            Provider::GitHub,
            [
                "queued",
                "in_progress",
                "waiting",
                "requested",
                "pending",
                "success",
                "dreaming",
            ]
            .as_slice(),
        ),
        (
            Provider::GitLab,
            &[
                "created",
                "waiting_for_resource",
                "preparing",
                "waiting_for_callback",
                "pending",
                "running",
                "canceling",
                "manual",
                "scheduled",
                "cancelled",
                "dreaming",
            ],
        ),
        (
            Provider::Bitbucket,
            &["RUNNING", "PAUSED", "HALTED", "DREAMING"],
        ),
    ] {
        cases.extend(words.iter().map(|word| (provider, *word)));
    }
    in_parallel(cases, |(provider, word)| {
        let scenario = Scenario::passing(3 * SECOND).shows_status(Duration::ZERO, word);
        let sandbox = with_scenario(provider, scenario);
        let done = call(provider, &sandbox).run().passes();
        assert_eq!(done.outputs["conclusion"], "success", "{word}\n{done}");
        assert_eq!(sandbox.unfinished_runs().len(), 0, "{word}\n{done}");
    });
}

#[test]
fn success_conclusions_decides_which_runs_pass() {
    let cases = [
        ("failure", "failure", 0),
        ("success, skipped", "skipped", 0),
        ("success", "neutral", 1),
        ("failure", "success", 1),
    ];
    in_parallel(cases.to_vec(), |(chosen, word, code)| {
        let sandbox = with_scenario(Provider::GitHub, Scenario::new().shows_final_status(word));
        let step = call(Provider::GitHub, &sandbox).input("success-conclusions", chosen);
        let done = step.run();
        assert_eq!(done.code, Some(code), "{done}");
        assert_eq!(done.outputs["conclusion"], word);
    });
}

/// A run that a person must approve, and what the log says about it.
fn blocked(provider: Provider) -> (Scenario, &'static str) {
    let build = JobScenario::new("build", SECOND / 2);
    let deploy = JobScenario::new("deploy", SECOND / 2);
    let (deploy, logged) = match provider {
        Provider::GitHub => (
            deploy.needs_approval("production", &["octocat", "team/ops"]),
            "blocked: waiting for approval of the environment production by octocat or ops",
        ),
        Provider::GitLab => (
            deploy.manual(),
            "blocked: waiting for the manual job deploy to be started",
        ),
        Provider::Bitbucket => (
            deploy.manual(),
            "blocked: waiting for the step deploy to be started by hand",
        ),
    };
    (Scenario::new().job(build).job(deploy), logged)
}

#[test]
fn the_step_waits_for_a_blocked_run() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let (scenario, logged) = blocked(provider);
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox);
        let child = step.start();
        step.until_said(logged);
        let id = sandbox.runs()[0].id;
        sandbox.with_world(|world| world.approve(provider, id));
        let done = step.finish(child).passes();
        done.says("job deploy: success");
        assert_eq!(done.outputs["conclusion"], "success");
    });
}

#[test]
fn on_blocked_fail_fails_the_step() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let (scenario, logged) = blocked(provider);
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox).input("on-blocked", "fail");
        let (_, waits) = logged.split_once(": ").expect("what it waits for");
        let done = step.run().fails(&[waits]);
        assert_eq!(done.outputs["conclusion"], "failure");
        done.says("`on-blocked` is `fail`");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(
            done.result()["runs"][0]["left_running"],
            Value::Null,
            "{done}"
        );
    });
}

/// The rule of an app, for example: GitHub names neither a reviewer nor a timer.
#[test]
fn a_protection_rule_without_reviewers_is_named() {
    let scenario = Scenario::passing(3 * SECOND).shows_status(Duration::ZERO, "waiting");
    let sandbox = with_scenario(Provider::GitHub, scenario);
    let step = call(Provider::GitHub, &sandbox).input("on-blocked", "fail");
    let done = step.run().passes();
    done.says("queued: waiting for a deployment protection rule\n");
}

/// GitLab then says `skipped`, and no more.
#[test]
fn a_pipeline_with_only_manual_jobs_says_so() {
    let job = JobScenario::new("deploy", SECOND).manual().may_fail();
    let scenario = Scenario::new().job(job);
    let scenario = scenario.shows_status(Duration::ZERO, "skipped");
    let sandbox = with_scenario(Provider::GitLab, scenario);
    let done = call(Provider::GitLab, &sandbox).run();
    let done = done.fails(&["was skipped, because it has only manual jobs"]);
    assert_eq!(done.outputs["conclusion"], "skipped", "{done}");
}

/// Timers and concurrency queues need no person.
#[test]
fn runs_that_need_no_person_are_not_blocked() {
    let timed = || Scenario::new().job(JobScenario::new("deploy", SECOND).after_timer(2 * SECOND));
    let turn = || Scenario::passing(SECOND).after_others(2, SECOND);
    let cases = [
        (
            Provider::GitHub,
            timed(),
            "queued: waiting for the wait timer of staging (1 min)",
        ),
        (
            Provider::GitHub,
            turn(),
            "queued: waiting for 2 other runs of its concurrency group",
        ),
        (Provider::GitLab, timed(), "queued"),
        (Provider::GitLab, turn(), "queued"),
    ];
    in_parallel(cases.to_vec(), |(provider, scenario, logged)| {
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox).input("on-blocked", "fail");
        let done = step.run().passes();
        done.says(logged);
        assert!(!done.log.contains("a person"), "{done}");
        assert_eq!(done.outputs["conclusion"], "success");
    });
}

#[test]
fn a_server_without_queue_positions_still_queues() {
    let scenario = Scenario::passing(SECOND).after_others(1, 2 * SECOND);
    let sandbox = with_scenario(Provider::GitHub, scenario);
    sandbox.with_world(|world| world.github.has_concurrency_groups = false);
    let done = call(Provider::GitHub, &sandbox).run().passes();
    done.says("queued: waiting for other runs of its concurrency group\n");
}

#[test]
fn a_long_wait_is_logged_every_minute() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(70 * SECOND));
    let done = call(Provider::GitHub, &sandbox).run().passes();
    done.says(": still running, 1m")
        .says(" after the trigger; 0 of 1 jobs done\n");
}

#[test]
fn a_long_concurrency_queue_causes_a_warning() {
    let scenario = Scenario::passing(SECOND).after_others(1, 70 * SECOND);
    let sandbox = with_scenario(Provider::GitHub, scenario);
    let done = call(Provider::GitHub, &sandbox).run().passes();
    let warnings = done.warnings();
    assert_eq!(warnings.len(), 1, "{done}");
    assert!(
        warnings[0].contains("different `concurrency` groups"),
        "{done}"
    );
}

/// More time would help only if the person was late.
#[test]
fn a_timeout_names_what_the_run_waits_for() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let (scenario, logged) = blocked(provider);
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox).input("timeout", "8s");
        let (_, waiting) = logged.split_once(": ").expect("what it waits for");
        let error = format!("run #1 was still {waiting} after 8s (`timeout`)");
        let done = step.run().fails(&[&error]);
        done.says("set `on-blocked: fail`");
        assert!(!done.log.contains("increase `timeout`"), "{done}");
        assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
    });
}

#[test]
fn a_run_that_was_displaced_in_its_concurrency_group_names_the_other_run() {
    let scenario = Scenario::passing(SECOND).after_others(1, 60 * SECOND);
    let sandbox = with_scenario(Provider::GitHub, scenario);
    let step = call(Provider::GitHub, &sandbox);
    let child = step.start();
    step.until_said("queued: waiting for 1 other run of its concurrency group");
    sandbox.with_world(|world| world.displace_last_run_as("hubot"));
    let done = step.finish(child).fails(&[
        "run #1 was cancelled before it started, most likely displaced by run #2 of its concurrency group",
    ]);
    let other = sandbox.runs()[1].id;
    let page = format!("{}/octo-org/app/actions/runs/{other}", sandbox.http_url());
    assert!(done.errors()[0].ends_with(&page), "{done}");
    assert!(done.summary.contains(&format!("]({page})")), "{done}");
    let group = "/actions/concurrency_groups/production";
    let requests = sandbox.requests().into_iter();
    let of_group = requests.filter(|request| request.path.ends_with(group));
    assert_eq!(of_group.count(), 1);
}

/// A run that somebody cancelled by hand hasn't been displaced.
#[test]
fn a_cancelled_run_without_a_group_is_only_cancelled() {
    let sandbox = with_scenario(
        Provider::GitHub,
        Scenario::new().shows_final_status("cancelled"),
    );
    let done = call(Provider::GitHub, &sandbox).run();
    let done = done.fails(&["run #1 was cancelled after"]);
    assert!(!done.log.contains("displaced"), "{done}");
}

#[test]
fn unreadable_jobs_are_reported_in_one_line() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let jobs = match provider {
            Provider::GitHub | Provider::GitLab => "/jobs",
            Provider::Bitbucket => "/steps/",
        };
        let broken = Fault::status(Moment::BeforeActing, 403);
        let route = Route::any().method("GET").path(jobs);
        sandbox.fault(route, Occasion::Every, broken);
        let done = call(provider, &sandbox).run().passes();
        let said = done.log.matches("the run's jobs can't be read").count();
        assert_eq!(said, 1, "{done}");
    });
}

/// An overloaded server only returns small pages, and no more pages than usual are read.
#[test]
fn the_number_of_jobs_that_were_read_is_right_for_small_pages_too() {
    let cases = PROVIDERS.map(|provider| [(provider, 300), (provider, 301)]);
    in_parallel(cases.concat(), |(provider, count)| {
        let scenario = (0..count).fold(Scenario::new(), |scenario, index| {
            scenario.job(JobScenario::new(&format!("shard {index}"), Duration::ZERO))
        });
        let sandbox = with_scenario(provider, scenario);
        let (jobs, large) = match provider {
            Provider::GitHub | Provider::GitLab => ("/jobs", "per_page=100"),
            Provider::Bitbucket => ("/steps", "pagelen=100"),
        };
        let overloaded = Fault::status(Moment::BeforeActing, 502);
        let route = Route::any().path_end(jobs).query(large);
        sandbox.fault(route, Occasion::Every, overloaded);
        let done = call(provider, &sandbox).run().passes();
        let said = done.log.matches(" of the run's jobs were read").count();
        assert_eq!(said, usize::from(count > 300), "{done}");
        if count > 300 {
            done.says("only 300 of the run's jobs were read");
        }
    });
}

/// Bitbucket doesn't start such a step by itself when the other deployment is over. That there's a manual step further on
/// isn't what the pipeline waits for.
#[test]
fn a_step_that_was_paused_for_another_deployment_is_named() {
    let staging = JobScenario::new("staging", SECOND).manual();
    let production = JobScenario::new("production", SECOND).manual();
    let scenario = Scenario::new().job(staging).job(production);
    let sandbox = with_scenario(Provider::Bitbucket, scenario);
    let automatic: fn(&mut Value) = |page| {
        let step = &mut page["values"][0];
        step["trigger"]["type"] = json!("pipeline_step_trigger_automatic");
    };
    sandbox.fault(
        Route::any().path("/steps/"),
        Occasion::Every,
        Fault::Edit(automatic),
    );
    let done = call(Provider::Bitbucket, &sandbox)
        .input("on-blocked", "fail")
        .run()
        .fails(&["was waiting for somebody to resume the step staging (Bitbucket has paused it, most often because of another deployment to the same environment), and `on-blocked` is `fail`"]);
    done.says("job staging: blocked: waiting for a person");
}

/// Bitbucket has a second status for it.
#[test]
fn a_halted_pipeline_is_blocked() {
    let job = JobScenario::new("deploy", SECOND).halts();
    let sandbox = with_scenario(Provider::Bitbucket, Scenario::new().job(job));
    let step = call(Provider::Bitbucket, &sandbox).input("on-blocked", "fail");
    let done = step
        .run()
        .fails(&["waiting for somebody to resume it (Bitbucket has halted it, most often because the workspace has used up its build minutes)"]);
    assert_eq!(done.outputs["conclusion"], "failure");
}

#[test]
fn a_re_run_is_not_followed() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::failing(SECOND));
    let step = call(Provider::GitHub, &sandbox);
    let child = step.start();
    until(&sandbox, "the run is over", |sandbox| {
        sandbox
            .runs()
            .first()
            .is_some_and(|run| run.state == State::Completed)
    });
    let id = sandbox.runs()[0].id;
    sandbox.with_world(|world| world.run_again(id));
    let done = step.finish(child);
    assert_eq!(done.code, Some(1), "{done}");
    assert_eq!(done.outputs["conclusion"], "failure");
    assert_eq!(done.result()["runs"][0]["attempt"], 1);
    // Somebody ran it again on purpose.
    assert!(!sandbox.runs()[0].cancelled);
}

#[test]
fn downstream_pipelines_are_named() {
    in_parallel(vec![GitLabVersion::New, GitLabVersion::Old], |version| {
        let scenario = Scenario::new()
            .job(JobScenario::new("build", SECOND))
            .job(JobScenario::new("child", SECOND).starts("octo-group/tools/locked"));
        let sandbox = with_scenario(Provider::GitLab, scenario);
        sandbox.with_world(|world| world.gitlab.version = version);
        let done = call(Provider::GitLab, &sandbox).run().passes();
        done.says("downstream pipeline child: success");
        assert!(done.summary.contains(" child :done"), "{done}");
    });
}

#[test]
fn an_allowed_failure_does_not_fail_the_step() {
    let scenario = Scenario::new()
        .job(JobScenario::new("lint", SECOND / 2).fails().may_fail())
        .job(JobScenario::new("build", SECOND / 2));
    let sandbox = with_scenario(Provider::GitLab, scenario);
    let done = call(Provider::GitLab, &sandbox).run().passes();
    done.says("job lint: failure");
    assert!(!done.log.contains("::group::"), "{done}");
}

#[test]
fn many_jobs_are_read_page_by_page() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let scenario = (0..230).fold(Scenario::new(), |scenario, index| {
            scenario.job(JobScenario::new(&format!("shard {index}"), Duration::ZERO))
        });
        let sandbox = with_scenario(provider, scenario);
        let done = call(provider, &sandbox).run().passes();
        done.says("job shard 0: success")
            .says("job shard 229: success");
    });
}

#[test]
fn a_timeout_is_a_conclusion() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox).input("timeout", "3s");
        let done = step
            .run()
            .fails(&["was still running after 3s (`timeout`)"]);
        assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(done.result()["runs"][0]["left_running"], Value::Null);
    });
}

#[test]
fn a_step_started_by_hand_can_wait() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::passing(SECOND));
    let done = call(Provider::GitLab, &sandbox).by_hand().run().passes();
    done.says(": succeeded after ");
    assert!(!done.log.contains("::"), "{done}");
}

#[test]
fn polling_uses_little_of_the_rate_limit() {
    let scenario = Scenario::new()
        .job(JobScenario::new("build", 4 * SECOND))
        .job(JobScenario::new("test", 4 * SECOND));
    let sandbox = with_scenario(Provider::GitHub, scenario);
    call(Provider::GitHub, &sandbox).run().passes();
    let requests = sandbox.requests();
    let unchanged = requests
        .iter()
        .filter(|request| request.response == sandbox::RecordedResponse::Status(304));
    assert!(unchanged.count() > 0, "looks are conditional");
    for request in &requests {
        assert_eq!(
            request.headers.get("x-github-api-version"),
            Some("2022-11-28"),
            "{}",
            request.path
        );
    }
}

#[test]
fn an_app_renews_its_token_while_waiting() {
    use sandbox::demo;
    let sandbox = start(World::demo().scenario(Provider::GitHub, Scenario::passing(7 * SECOND)));
    sandbox.with_world(|world| world.github.token_lifetime = 2 * SECOND);
    let step = crate::harness::Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
        .signed_in_as_app()
        .input("wait", "true");
    let done = step.run().passes();
    assert_eq!(done.outputs["conclusion"], "success");
    assert!(
        sandbox.with_world(|world| world.github.minted) >= 2,
        "{done}"
    );
    assert_eq!(sandbox.trigger_requests().len(), 1);
    // Each of them was masked before it was used.
    let minted = done
        .masks
        .iter()
        .filter(|mask| mask.starts_with("ghs_sandboxMinted"));
    assert!(minted.count() >= 2, "{done}");
}

#[test]
fn a_skipped_run_next_to_a_successful_one_does_not_count() {
    let world = World::demo()
        .scenario_of(
            Provider::GitHub,
            "octo-org/app",
            "build.yml",
            Scenario::new().concludes(Conclusion::Skipped),
        )
        .scenario_of(
            Provider::GitHub,
            "octo-org/app",
            "notify.yml",
            Scenario::new(),
        );
    let sandbox = start(world);
    let done = crate::calls::dispatch(&sandbox, "deploy").run().passes();
    assert_eq!(done.outputs["conclusion"], "success");
    let runs = done.result()["runs"].clone();
    assert_eq!(runs.as_array().map(Vec::len), Some(2));
}
