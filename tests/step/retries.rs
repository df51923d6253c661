//! `retries`: the failed jobs of a run are run again, at most once for each attempt, and only for the step's own run.

use sandbox::world::{Access, Conclusion, GitHubToken, JobScenario, Log, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, RecordedRequest, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::calls::{
    PROVIDERS, SECOND, call, dispatch, in_parallel, signal, start, trigger, until, with_scenario,
};
use crate::harness::{Done, Step, sandbox};

/// The providers that can run failed jobs again.
const RETRYING: [Provider; 2] = [Provider::GitHub, Provider::GitLab];

fn job(name: &str) -> JobScenario {
    JobScenario::new(name, SECOND)
}

/// A job that fails, with something in its log.
fn failing_job() -> JobScenario {
    job("test").fails().log(Log::text("2 + 2 was 5\n"))
}

fn build_and(test: JobScenario) -> Scenario {
    Scenario::new().job(job("build")).job(test)
}

/// Fails in the first attempt, and passes in the second one.
fn flaky() -> Scenario {
    build_and(failing_job()).on_rerun(build_and(job("test")))
}

/// Runs until it is cancelled.
fn endless() -> Scenario {
    build_and(JobScenario::new("test", 10_000 * SECOND))
}

fn always_failing() -> Scenario {
    build_and(failing_job())
}

/// Matches the requests to run failed jobs again.
fn reruns(provider: Provider) -> Route {
    Route::any()
        .method("POST")
        .path_end(rerun_path_end(provider))
}

fn rerun_path_end(provider: Provider) -> &'static str {
    match provider {
        Provider::GitHub => "/rerun-failed-jobs",
        Provider::GitLab => "/retry",
        Provider::Bitbucket => unreachable!("it has none"),
    }
}

fn rerun_requests(provider: Provider, sandbox: &Sandbox) -> Vec<RecordedRequest> {
    let mut requests = sandbox.requests();
    requests.retain(|request| {
        request.method == "POST" && request.path.ends_with(rerun_path_end(provider))
    });
    requests
}

fn attempts(done: &Done) -> Vec<Value> {
    let attempts = done.result()["runs"][0]["attempts"].clone();
    attempts.as_array().expect("a list").clone()
}

/// A step that retries, whose run follows this scenario.
fn retrying(provider: Provider, scenario: Scenario, retries: &str) -> (Sandbox, Step) {
    let sandbox = with_scenario(provider, scenario);
    let step = call(provider, &sandbox).input("retries", retries);
    (sandbox, step)
}

#[track_caller]
fn assert_passed_with_one_retry(provider: Provider, sandbox: &Sandbox, done: &Done) {
    assert_eq!(done.outputs["conclusion"], "success", "{done}");
    assert_eq!(sandbox.runs()[0].attempt(), 2, "{done}");
    assert_eq!(rerun_requests(provider, sandbox).len(), 1, "{done}");
    assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    for request in sandbox.requests() {
        assert!(request.objections.is_empty(), "{:?}", request.objections);
    }
}

#[test]
fn a_flaky_run_passes_with_a_warning() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let (sandbox, step) = retrying(provider, flaky(), "2");
        let done = step.run().passes();
        assert_passed_with_one_retry(provider, &sandbox, &done);
        done.says(": run #1 failed after ")
            .says(" in job test")
            .says("; running its failed jobs again (retry 1 of 2)\n")
            .says("job test: success after 1s\n")
            .says(", with 1 retry http")
            .says("2 + 2 was 5");
        let built = done.log.matches("job build: success").count();
        assert_eq!(built, 1, "it isn't run again: {done}");
        assert_eq!(done.errors(), Vec::<String>::new());
        let warnings = done.warnings();
        assert_eq!(warnings.len(), 1, "{done}");
        let flaky = "run #1 is flaky: attempt 1 failed in job test";
        assert!(warnings[0].contains(flaky), "{done}");
        let page = format!("\n{}\nhelp: ", done.outputs["run-url"]);
        assert!(warnings[0].contains(&page), "{done}");
    });
}

#[test]
fn results_and_summary_show_the_attempts() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let (_sandbox, step) = retrying(provider, flaky(), "1");
        let done = step.run().passes();
        let [first, second] = attempts(&done).try_into().expect("two attempts");
        assert_eq!(
            (&first["attempt"], &second["attempt"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(first["conclusion"], "failure");
        assert_eq!(second["conclusion"], "success");
        assert_eq!(first["failed_jobs"], json!(["test"]));
        assert_eq!(second["failed_jobs"], json!([]));
        let url = done.outputs["run-url"].clone();
        for (attempt, number) in [(&first, 1), (&second, 2)] {
            let page = match provider {
                Provider::GitHub => format!("{url}/attempts/{number}"),
                Provider::GitLab | Provider::Bitbucket => url.clone(),
            };
            assert_eq!(attempt["url"], page.as_str());
            for time in ["started_at", "completed_at"] {
                assert!(
                    attempt[time]
                        .as_str()
                        .is_some_and(|time| time.ends_with('Z')),
                    "{attempt}"
                );
            }
        }
        assert!(first["completed_at"].as_str() < second["completed_at"].as_str());

        let summary = &done.summary;
        assert!(summary.contains("| ✓ success, with 1 retry |"), "{summary}");
        assert!(
            summary.contains("is flaky: attempt 1 failed in job <code>test</code>"),
            "{summary}"
        );
        let sections: Vec<_> = summary
            .lines()
            .filter_map(|line| line.trim().strip_prefix("section Attempt "))
            .map(|section| &section[..5])
            .collect();
        assert_eq!(sections, ["1 of ", "2 of "], "{summary}");
        assert_eq!(summary.matches(" build :done, ").count(), 1, "{summary}");
        assert_eq!(summary.matches(" test :crit, ").count(), 1, "{summary}");
        assert_eq!(summary.matches(" test :done, ").count(), 1, "{summary}");
    });
}

#[test]
fn a_run_found_by_its_marker_is_retried() {
    let sandbox = with_scenario(Provider::GitHub, flaky());
    let step = dispatch(&sandbox, "release").input("retries", "1");
    let done = step.run().passes();
    assert_passed_with_one_retry(Provider::GitHub, &sandbox, &done);
    assert_eq!(done.result()["runs"][0]["matched_by"], "marker");
    done.says(": run #1 of ship.yml failed after ");
}

#[test]
fn a_run_that_always_fails_is_retried_that_often() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let (sandbox, step) = retrying(provider, always_failing(), "2");
        let done = step.run().fails(&[", with 2 retries"]);
        assert_eq!(done.outputs["conclusion"], "failure");
        assert_eq!(sandbox.runs()[0].attempt(), 3, "{done}");
        assert_eq!(rerun_requests(provider, &sandbox).len(), 2, "{done}");
        assert_eq!(attempts(&done).len(), 3, "{done}");
        assert_eq!(done.warnings(), Vec::<String>::new());
        assert_eq!(done.log.matches("2 + 2 was 5").count(), 3, "{done}");
        // The summary has the log of the last attempt.
        assert_eq!(done.summary.matches("2 + 2 was 5").count(), 1, "{done}");
    });
}

/// It might belong to somebody else.
#[test]
fn a_run_matched_by_time_is_not_retried() {
    let sandbox = with_scenario(Provider::GitHub, always_failing());
    let done = dispatch(&sandbox, "deploy").input("retries", "2").run();
    assert_eq!(done.code, Some(1), "{done}");
    done.says("the failed jobs aren't run again: the run was identified only by its start time");
    for error in done.errors() {
        let why =
            "its failed jobs weren't run again: the run was identified only by its start time";
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(rerun_requests(Provider::GitHub, &sandbox).len(), 0);
    assert!(sandbox.runs().iter().all(|run| run.attempt() == 1));
}

#[test]
fn only_failures_are_retried() {
    let conclusions = [
        Conclusion::Cancelled,
        Conclusion::Skipped,
        Conclusion::Neutral,
        Conclusion::Success,
    ];
    let cases = RETRYING.map(|provider| conclusions.map(|conclusion| (provider, conclusion)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, conclusion)| {
        let scenario = always_failing().concludes(conclusion);
        let (sandbox, step) = retrying(provider, scenario, "2");
        let done = step.run();
        assert_eq!(rerun_requests(provider, &sandbox).len(), 0, "{done}");
        assert_eq!(attempts(&done), Vec::<Value>::new());
    });
}

/// Somebody may cancel it because it can't pass.
#[test]
fn a_retried_attempt_that_is_cancelled_is_not_retried() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let next = build_and(job("test")).concludes(Conclusion::Cancelled);
        let (sandbox, step) = retrying(provider, always_failing().on_rerun(next), "2");
        let done = step.run().fails(&["was cancelled"]);
        assert_eq!(done.outputs["conclusion"], "cancelled");
        assert_eq!(rerun_requests(provider, &sandbox).len(), 1, "{done}");
    });
}

/// The provider may have accepted it, so it isn't sent again: the run shows whether it has started again.
#[test]
fn a_request_that_took_effect_without_a_clear_response_is_not_resent() {
    let faults = [
        Fault::Close(Moment::AfterActing),
        Fault::Reset(Moment::AfterActing),
        Fault::status(Moment::AfterActing, 502),
        Fault::status(Moment::AfterActing, 408),
    ];
    let cases = RETRYING.map(|provider| faults.clone().map(|fault| (provider, fault)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, fault)| {
        let (sandbox, step) = retrying(provider, flaky(), "1");
        sandbox.fault(reruns(provider), Occasion::Every, fault);
        let done = step.run().passes();
        assert_passed_with_one_retry(provider, &sandbox, &done);
        done.says("It's unclear whether the failed jobs are running again");
    });
}

#[test]
fn a_request_that_had_no_effect_is_not_resent_if_that_is_unclear() {
    let faults = [
        Fault::Close(Moment::BeforeActing),
        Fault::status(Moment::BeforeActing, 502),
    ];
    let cases = RETRYING.map(|provider| faults.clone().map(|fault| (provider, fault)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, fault)| {
        let (sandbox, step) = retrying(provider, always_failing(), "2");
        sandbox.fault(reruns(provider), Occasion::Every, fault);
        let done = step.run().fails(&["but no job started again within 30 s"]);
        assert_eq!(done.outputs["conclusion"], "failure");
        assert_eq!(rerun_requests(provider, &sandbox).len(), 1, "{done}");
        assert_eq!(attempts(&done), Vec::<Value>::new());
        assert_eq!(done.result()["runs"][0]["left_running"], Value::Null);
        done.says(" failed after ").says("job test: failure");
    });
}

/// Polls that fail meanwhile say nothing about it.
#[test]
fn an_outage_after_the_request_loses_nothing() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let (sandbox, step) = retrying(provider, flaky(), "1");
        let child = step.start();
        until(&sandbox, "it is run again", |sandbox| {
            !rerun_requests(provider, sandbox).is_empty()
        });
        let outage = Fault::status(Moment::BeforeActing, 502);
        sandbox.fault(
            Route::any().method("GET"),
            Occasion::For(6 * SECOND),
            outage,
        );
        let done = step.finish(child).passes();
        assert_passed_with_one_retry(provider, &sandbox, &done);
    });
}

/// GitLab computes a pipeline's status in the background.
#[test]
fn a_status_from_before_the_retry_is_no_end() {
    let slow = JobScenario::new("test", 8 * SECOND);
    let scenario = always_failing().on_rerun(build_and(slow));
    let (sandbox, step) = retrying(Provider::GitLab, scenario, "1");
    let child = step.start();
    until(&sandbox, "it is run again", |sandbox| {
        !rerun_requests(Provider::GitLab, sandbox).is_empty()
    });
    // It keeps the time of its earlier end until the next one.
    let stale = Fault::Edit(|pipeline| {
        if pipeline.get("finished_at").is_some() {
            pipeline["status"] = json!("failed");
        }
    });
    let polls = Route::any().method("GET").path_end("/pipelines/70001");
    sandbox.fault(polls, Occasion::For(5 * SECOND), stale);
    let done = step.finish(child).passes();
    assert_passed_with_one_retry(Provider::GitLab, &sandbox, &done);
}

/// GitLab accepts the request, but doesn't retry downstream pipelines.
#[test]
fn a_pipeline_without_jobs_to_retry_stays_failed() {
    let child = job("child").starts("octo-group/tools/locked").fails();
    let (sandbox, step) = retrying(Provider::GitLab, build_and(child), "2");
    let done = step.run().fails(&[
        "; its failed jobs weren't run again: the request was accepted, but no job started again within 30 s",
    ]);
    assert_eq!(
        rerun_requests(Provider::GitLab, &sandbox).len(),
        1,
        "{done}"
    );
    assert_eq!(done.outputs["conclusion"], "failure");
}

#[test]
fn a_rate_limit_is_waited_out() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let (sandbox, step) = retrying(provider, flaky(), "1");
        let limit = match provider {
            Provider::GitHub => Fault::github_secondary_limit(Some(3)),
            Provider::GitLab | Provider::Bitbucket => Fault::gitlab_limit(Some(3)),
        };
        sandbox.fault(reruns(provider), Occasion::First(1), limit);
        let done = step.run().passes();
        done.says("too many requests").says("; retrying in 3 s");
        let sent = rerun_requests(provider, &sandbox);
        assert_eq!(sent.len(), 2, "{done}");
        let apart = sent[1].arrived_at.duration_since(sent[0].arrived_at);
        assert!(apart.is_ok_and(|apart| apart >= 3 * SECOND), "{done}");
        assert_eq!(sandbox.runs()[0].attempt(), 2, "{done}");
    });
}

/// A colleague's attempt isn't the step's: it's neither followed nor cancelled.
#[test]
fn an_attempt_of_a_colleague_is_not_taken_for_a_retry() {
    let (sandbox, step) = retrying(Provider::GitHub, always_failing(), "2");
    let limit = Fault::github_secondary_limit(Some(5));
    sandbox.fault(reruns(Provider::GitHub), Occasion::First(1), limit);
    let child = step.start();
    step.until_said("retrying in 5 s");
    sandbox.with_world(|world| {
        let id = world.runs[0].id;
        world.run_again(id);
    });
    let done = step.finish(child);
    let done = done.fails(&["weren't run again: somebody else has already done that"]);
    assert_eq!(rerun_requests(Provider::GitHub, &sandbox).len(), 1);
    assert!(!sandbox.runs()[0].cancelled, "{done}");
    assert_eq!(done.result()["runs"][0]["attempt"], 1);
}

#[test]
fn a_refusal_is_explained_and_the_failure_stays() {
    let sandbox = with_scenario(
        Provider::GitHub,
        Scenario::new().shows_final_status("startup_failure"),
    );
    let step = call(Provider::GitHub, &sandbox).input("retries", "2");
    step.run().fails(&["; its failed jobs weren't run again: the request failed (GitHub answered 403: This workflow run cannot be retried)"]);
    assert_eq!(rerun_requests(Provider::GitHub, &sandbox).len(), 1);
}

#[test]
fn a_missing_permission_is_named() {
    const TOKEN: &str = "github_pat_sandboxWithoutActionsWrite000000000000";
    let permissions = [
        ("contents", Access::Write),
        ("actions", Access::Read),
        ("metadata", Access::Read),
    ];
    let token = GitHubToken::fine_grained(TOKEN, "octocat", &permissions);
    let world = World::demo().github_token(token.for_repository("octo-org/app"));
    let sandbox = start(world.scenario(Provider::GitHub, always_failing()));
    let step = dispatch(&sandbox, "release")
        .input("token", TOKEN)
        .input("retries", "1");
    let done = step.run().fails(&["its failed jobs weren't run again: the token lacks \"Actions: write\" (GitHub answered 403)\nhint: grant the token \"Actions: write\" on this repository"]);
    assert_eq!(
        rerun_requests(Provider::GitHub, &sandbox).len(),
        1,
        "{done}"
    );
}

#[test]
fn a_reader_of_gitlab_cannot_retry() {
    let sandbox = with_scenario(Provider::GitLab, always_failing());
    let step = call(Provider::GitLab, &sandbox)
        .input("trigger-token", demo::GITLAB_TRIGGER)
        .input("token", demo::GITLAB_READ_API)
        .input("retries", "1");
    step.run()
        .fails(&["its failed jobs weren't run again: the token lacks the scope `api`"]);
}

#[test]
fn a_signal_cancels_the_retried_attempt() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let scenario = always_failing().on_rerun(endless());
        let (sandbox, step) = retrying(provider, scenario, "1");
        let child = step.start();
        step.until_said("(retry 1 of 1)");
        until(&sandbox, "it runs again", |sandbox| {
            sandbox.runs()[0].attempt() == 2
        });
        signal(&child, "INT");
        let done = step
            .finish(child)
            .fails(&["was cancelled after the step was stopped, with 1 retry"]);
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(
            done.result()["runs"][0]["left_running"],
            Value::Null,
            "{done}"
        );
        assert_eq!(done.outputs["conclusion"], "cancelled", "{done}");
    });
}

/// The response comes too late, so the attempt that may have begun is cancelled.
#[test]
fn a_signal_during_the_request_leaves_nothing_running() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let scenario = always_failing().on_rerun(endless());
        let (sandbox, step) = retrying(provider, scenario, "1");
        let slow = Fault::Delay(Moment::AfterActing, 30 * SECOND);
        sandbox.fault(reruns(provider), Occasion::Every, slow);
        let child = step.start();
        until(&sandbox, "it runs again", |sandbox| {
            sandbox.runs().first().is_some_and(|run| run.attempt() == 2)
        });
        signal(&child, "INT");
        let done = step.finish(child);
        assert_eq!(done.code, Some(1), "{done}");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(rerun_requests(provider, &sandbox).len(), 1);
    });
}

/// It arrives while the step is already cancelling.
#[test]
fn a_request_that_takes_effect_after_a_signal_is_reported_and_cancelled_later() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let scenario = always_failing().on_rerun(endless());
        let (sandbox, step) = retrying(provider, scenario, "1");
        let slow = Fault::Delay(Moment::BeforeActing, 5 * SECOND);
        sandbox.fault(reruns(provider), Occasion::Every, slow);
        let child = step.start();
        until(&sandbox, "it is on the wire", |sandbox| {
            !rerun_requests(provider, sandbox).is_empty()
        });
        signal(&child, "INT");
        let done = step.finish(child);
        until(&sandbox, "it runs again", |sandbox| {
            sandbox.runs()[0].attempt() == 2
        });
        if !sandbox.runs()[0].cancelled {
            let left = &done.result()["runs"][0]["left_running"];
            assert!(left.is_string(), "{done}");
            step.second_chance().run().passes();
        }
        assert!(sandbox.runs()[0].cancelled, "{done}");
    });
}

/// The second process knows the attempt that is going on.
#[test]
fn a_killed_process_leaves_no_retried_attempt_running() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let scenario = always_failing().on_rerun(endless());
        let (sandbox, step) = retrying(provider, scenario, "1");
        let mut child = step.start();
        until(&sandbox, "it runs again", |sandbox| {
            sandbox.runs().first().is_some_and(|run| run.attempt() == 2)
        });
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        let second = step.second_chance().run().passes();
        second.says("is over: cancelled");
        assert!(sandbox.runs()[0].cancelled, "{second}");
        assert_eq!(rerun_requests(provider, &sandbox).len(), 1);
    });
}

#[test]
fn the_timeout_goes_on_counting() {
    in_parallel(RETRYING.to_vec(), |provider| {
        let scenario = always_failing().on_rerun(endless());
        let (sandbox, step) = retrying(provider, scenario, "1");
        let done = step
            .input("timeout", "10s")
            .run()
            .fails(&["was still running after 10s (`timeout`), with 1 retry"]);
        assert_eq!(done.outputs["conclusion"], "timed-out");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(done.result()["runs"][0]["left_running"], Value::Null);
    });
}

#[test]
fn each_target_is_retried_by_itself() {
    let sandbox = with_scenario(Provider::GitHub, flaky());
    let entry =
        |workflow| json!({"repository": "octo-org/app", "workflow": workflow, "ref": "main"});
    let targets = json!([entry("build.yml"), entry("1-release.yml")]);
    let step = Step::github(&sandbox)
        .input("repository", "")
        .input("wait", "true")
        .input("retries", "1")
        .input("targets", &targets.to_string());
    let done = step.run().passes();
    assert_eq!(done.log.matches("2 + 2 was 5").count(), 2, "{done}");
    assert_eq!(done.warnings().len(), 2, "{done}");
    assert!(sandbox.runs().iter().all(|run| run.attempt() == 2));
    assert_eq!(
        done.summary.matches("section Attempt ").count(),
        4,
        "{done}"
    );
}

/// The kinds of requests of a step; how often it polls depends on the machine.
fn kinds(sandbox: &Sandbox) -> Vec<String> {
    let mut kinds: Vec<_> = sandbox
        .requests()
        .iter()
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[test]
fn a_step_without_retries_sends_the_same_requests() {
    let cases =
        PROVIDERS.map(|provider| [(provider, flaky()), (provider, Scenario::passing(SECOND))]);
    in_parallel(cases.as_flattened().to_vec(), |(provider, scenario)| {
        let plain = with_scenario(provider, scenario.clone());
        let before = call(provider, &plain).run();
        let zero = with_scenario(provider, scenario);
        let after = call(provider, &zero).input("retries", "0").run();
        assert_eq!(before.code, after.code);
        assert_eq!(kinds(&plain), kinds(&zero));
        let is_extra = |kind: &String| {
            kind.contains("/retry")
                || kind.contains("rerun")
                || kind.ends_with("/actions/runs/9000000001")
        };
        assert!(!kinds(&zero).iter().any(is_extra), "{:?}", kinds(&zero));
        assert_eq!(zero.runs()[0].attempt(), 1);
    });
}

#[test]
fn an_app_asks_for_the_permission_to_retry() {
    let sandbox = with_scenario(Provider::GitHub, flaky());
    let step = dispatch(&sandbox, "release")
        .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
        .signed_in_as_app()
        .input("on-abandoned", "leave")
        .input("retries", "1");
    let done = step.run().passes();
    assert_passed_with_one_retry(Provider::GitHub, &sandbox, &done);
}

#[test]
fn bad_inputs_are_reported_and_nothing_is_sent() {
    let sandbox = sandbox();
    let call = |provider| call(provider, &sandbox);
    let cases = [
        (
            call(Provider::Bitbucket).input("retries", "1"),
            "input `retries`: only works with GitHub and GitLab, but the provider here is Bitbucket",
        ),
        (
            trigger(Provider::GitHub, &sandbox).input("retries", "1"),
            "input `retries`: only works with `wait: true`",
        ),
        (
            call(Provider::GitLab)
                .input("token", demo::GITLAB_TRIGGER)
                .input("retries", "1"),
            "input `retries`: needs an access token, because a trigger token can't re-run jobs",
        ),
        (
            call(Provider::GitHub).input("retries", "11"),
            "input `retries`: must be a whole number from 0 to 10, not `11`",
        ),
        (
            call(Provider::GitHub).input("retries", "true"),
            "input `retries`: must be a whole number from 0 to 10, not `true`",
        ),
    ];
    for (step, error) in cases {
        step.run().fails(&[error]).outcome("not-sent");
    }
    assert_eq!(sandbox.requests().len(), 0);
}
