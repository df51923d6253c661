//! GitLab: retries of the failed jobs of a pipeline, which keeps its id.

use std::thread;
use std::time::Duration;

use sandbox::world::{JobScenario, Log, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::client::{Response, request};
use crate::scenarios::{GITLAB, SECOND, get, read, start, trigger};

/// 10 s of the world's time pass in 10 ms.
const SPEED: u32 = 1_000;

/// Waits until a pipeline of at most 10 s is over.
fn until_over() {
    thread::sleep(Duration::from_millis(20));
}

/// Starts a pipeline with this scenario, waits for its end, and returns its path.
fn finished(scenario: Scenario) -> (Sandbox, String) {
    let world = World::demo().faster(SPEED);
    let sandbox = start(world.scenario(Provider::GitLab, scenario));
    let id = trigger(&sandbox, Provider::GitLab);
    until_over();
    (sandbox, format!("{GITLAB}/pipelines/{id}"))
}

fn retry(sandbox: &Sandbox, path: &str, token: &str) -> Response {
    let request = request(sandbox, "POST", &format!("{path}/retry"));
    request.header("PRIVATE-TOKEN", token).send()
}

/// Names and statuses of jobs, in the order of their ids.
fn jobs(sandbox: &Sandbox, path: &str) -> Vec<(String, String, u64)> {
    let list = read(sandbox, path);
    let jobs = list.as_array().expect("a list").iter().rev();
    jobs.map(|job| {
        let text = |name: &str| job[name].as_str().expect("a string").to_owned();
        (
            text("name"),
            text("status"),
            job["id"].as_u64().expect("an id"),
        )
    })
    .collect()
}

fn statuses(jobs: &[(String, String, u64)]) -> Vec<(&str, &str)> {
    let jobs = jobs.iter();
    jobs.map(|(name, status, _)| (name.as_str(), status.as_str()))
        .collect()
}

fn job(name: &str) -> JobScenario {
    JobScenario::new(name, SECOND)
}

#[test]
fn failed_jobs_run_again_in_the_same_pipeline() {
    let scenario = |test: JobScenario| {
        let build = job("build").log(Log::text("built\n"));
        Scenario::new().job(build).job(test).job(job("deploy"))
    };
    let longer = JobScenario::new("test", 1_000 * SECOND);
    let fails = job("test").fails().log(Log::text("broken\n"));
    let (sandbox, path) = finished(scenario(fails).on_rerun(scenario(longer)));
    let before = read(&sandbox, &path);
    assert_eq!(before["status"], "failed");
    let first = jobs(&sandbox, &format!("{path}/jobs"));
    let failed = [
        ("build", "success"),
        ("test", "failed"),
        ("deploy", "skipped"),
    ];
    assert_eq!(statuses(&first), failed);

    let response = retry(&sandbox, &path, demo::GITLAB_DEVELOPER);
    assert_eq!(response.status, 201);
    let retried = response.json();
    assert_eq!(retried["id"], before["id"]);
    assert_eq!(retried["status"], "running");
    // Only reads and lists show a name.
    assert_eq!(retried.get("name"), None);
    for name in ["created_at", "started_at", "finished_at"] {
        assert_eq!(retried[name], before[name], "{name}");
    }
    let second = jobs(&sandbox, &format!("{path}/jobs"));
    let running = [
        ("build", "success"),
        ("test", "running"),
        ("deploy", "created"),
    ];
    assert_eq!(statuses(&second), running);
    assert_eq!(first[0], second[0]);
    assert_ne!(first[1].2, second[1].2);

    let all = jobs(&sandbox, &format!("{path}/jobs?include_retried=true"));
    assert_eq!(statuses(&all), [&failed[..], &running[1..]].concat());
    let earlier = format!("{GITLAB}/jobs/{}", first[1].2);
    assert_eq!(read(&sandbox, &earlier)["status"], "failed");
    let trace = get(&sandbox, &format!("{earlier}/trace")).send().text();
    assert_eq!(trace, "broken\n");

    thread::sleep(Duration::from_millis(1_050));
    let after = read(&sandbox, &path);
    assert_eq!(after["status"], "success");
    assert_eq!(after["created_at"], before["created_at"]);
    assert!(after["finished_at"].as_str() > before["finished_at"].as_str());
    assert_eq!(sandbox.runs().len(), 1);
    let list = read(&sandbox, &format!("{GITLAB}/pipelines"));
    assert_eq!(list[0]["created_at"], before["created_at"]);
}

#[test]
fn a_retry_without_failed_jobs_changes_nothing() {
    let statuses = [
        (Scenario::passing(SECOND), "success"),
        (Scenario::endless(), "running"),
    ];
    for (scenario, status) in statuses {
        let (sandbox, path) = finished(scenario);
        let response = retry(&sandbox, &path, demo::GITLAB_DEVELOPER);
        assert_eq!(response.status, 201);
        assert_eq!(response.json()["status"], status);
        assert_eq!(sandbox.runs()[0].attempt(), 1);
    }
}

#[test]
fn a_pipeline_that_always_fails_fails_again() {
    let (sandbox, path) = finished(Scenario::failing(SECOND));
    for attempt in [2, 3] {
        retry(&sandbox, &path, demo::GITLAB_DEVELOPER);
        until_over();
        assert_eq!(read(&sandbox, &path)["status"], "failed");
        assert_eq!(sandbox.runs()[0].attempt(), attempt);
    }
    let cancelled = Scenario::endless().on_rerun(Scenario::passing(SECOND));
    let (sandbox, path) = finished(cancelled);
    let cancel = request(&sandbox, "POST", &format!("{path}/cancel"));
    cancel.bearer(demo::GITLAB_DEVELOPER).send();
    assert_eq!(read(&sandbox, &path)["status"], "canceled");
    retry(&sandbox, &path, demo::GITLAB_DEVELOPER);
    until_over();
    assert_eq!(read(&sandbox, &path)["status"], "success");
}

/// GitLab doesn't retry pipelines of other projects.
#[test]
fn a_failed_downstream_pipeline_is_not_retried() {
    let bridge = || job("child").fails().starts("octo-group/tools/locked");
    let scenario = |test: JobScenario| Scenario::new().job(test).job(bridge());
    let fails = scenario(job("test").fails().is_not_needed());
    let (sandbox, path) = finished(fails.on_rerun(scenario(job("test"))));
    let bridges = || read(&sandbox, &format!("{path}/bridges"));
    let before = bridges();
    retry(&sandbox, &path, demo::GITLAB_DEVELOPER);
    until_over();
    assert_eq!(read(&sandbox, &path)["status"], "failed");
    let all = jobs(&sandbox, &format!("{path}/jobs"));
    assert_eq!(statuses(&all), [("test", "success")]);
    assert_eq!(bridges()[0]["id"], before[0]["id"]);
    // Now there is nothing left to retry.
    retry(&sandbox, &path, demo::GITLAB_DEVELOPER);
    assert_eq!(sandbox.runs()[0].attempt(), 2);
}

#[test]
fn a_retry_needs_the_right_to_update_the_pipeline() {
    let (sandbox, path) = finished(Scenario::failing(SECOND));
    let insufficient_scope = json!({
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the access token.",
        "scope": "api",
    });
    let message = |text: &str| json!({"message": text});
    for (token, status, body) in [
        ("glpat-wrong", 401, message("401 Unauthorized")),
        (demo::GITLAB_READ_API, 403, insufficient_scope),
        (demo::GITLAB_REPORTER, 403, message("403 Forbidden")),
    ] {
        let refused = retry(&sandbox, &path, token);
        assert_eq!((refused.status, refused.json()), (status, body), "{token}");
    }
    let unknown = retry(
        &sandbox,
        &format!("{GITLAB}/pipelines/1"),
        demo::GITLAB_DEVELOPER,
    );
    let not_found = message("404 Pipeline Not Found");
    assert_eq!((unknown.status, unknown.json()), (404, not_found));

    sandbox.with_world(|world| world.gitlab.projects[0].protected.push("main".to_owned()));
    let refused = retry(&sandbox, &path, demo::GITLAB_DEVELOPER);
    assert_eq!(
        (refused.status, refused.json()),
        (403, message("403 Forbidden"))
    );
    assert_eq!(sandbox.runs()[0].attempt(), 1);
    let allowed = retry(&sandbox, &path, demo::GITLAB_MAINTAINER);
    assert_eq!(allowed.status, 201);
    assert_eq!(sandbox.runs()[0].attempt(), 2);
}

/// The client can't know whether the pipeline was retried, except by reading its jobs.
#[test]
fn a_pipeline_can_be_retried_although_the_connection_is_closed() {
    for (moment, attempt) in [(Moment::BeforeActing, 1), (Moment::AfterActing, 2)] {
        let (sandbox, path) = finished(Scenario::failing(SECOND).on_rerun(Scenario::endless()));
        let route = Route::any().provider(Provider::GitLab).path_end("/retry");
        sandbox.fault(route, Occasion::Nth(1), Fault::Close(moment));
        let request = request(&sandbox, "POST", &format!("{path}/retry"));
        assert!(request.bearer(demo::GITLAB_DEVELOPER).try_send().is_err());
        assert_eq!(sandbox.runs()[0].attempt(), attempt);
        let count = read(&sandbox, &format!("{path}/jobs?include_retried=true"));
        assert_eq!(count.as_array().map(Vec::len), Some(attempt));
        assert_eq!(sandbox.trigger_requests().len(), 1);
    }
}

#[test]
fn a_retried_pipeline_that_waits_for_a_runner_is_pending_or_running() {
    let scenario = |jobs: Scenario| jobs.job(job("test").fails()).queued(100_000 * SECOND);
    for (first, status) in [
        (Scenario::new(), "pending"),
        (Scenario::new().job(job("build")), "running"),
    ] {
        let fails = first.clone().job(job("test").fails());
        let (sandbox, path) = finished(fails.on_rerun(scenario(first)));
        retry(&sandbox, &path, demo::GITLAB_DEVELOPER);
        let shown: Value = read(&sandbox, &path);
        assert_eq!(shown["status"], status);
    }
}
