//! Re-runs on GitHub: by a colleague or by a request, of all jobs or of the failed ones. Each attempt can be read
//! separately, and a cancel affects only the current one.

use std::thread;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use sandbox::world::{Conclusion, JobScenario, Log, Scenario, State};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::client::{RequestBuilder, request};
use crate::scenarios::{GITHUB, SECOND, get, read, start, trigger};

/// 10 s of the world's time pass in 10 ms.
const SPEED: u32 = 1_000;

/// Waits until a run of at most 10 s is over.
fn until_over() {
    thread::sleep(Duration::from_millis(20));
}

/// Starts a run with this scenario, waits for its end, and returns its path.
fn finished(scenario: Scenario) -> (Sandbox, u64, String) {
    let world = World::demo().faster(SPEED);
    let sandbox = start(world.scenario(Provider::GitHub, scenario));
    let id = trigger(&sandbox, Provider::GitHub);
    until_over();
    (sandbox, id, format!("{GITHUB}/runs/{id}"))
}

fn rerun(sandbox: &Sandbox, path: &str) -> RequestBuilder {
    let path = format!("{path}/rerun-failed-jobs");
    request(sandbox, "POST", &path).bearer(demo::GITHUB_FINE_GRAINED)
}

fn jobs(sandbox: &Sandbox, path: &str) -> Vec<Value> {
    let list = read(sandbox, &format!("{path}/jobs"));
    list["jobs"].as_array().expect("a list").clone()
}

fn conclusions(jobs: &[Value]) -> Vec<(&str, &str)> {
    jobs.iter()
        .map(|job| {
            let text = |name: &str| job[name].as_str().unwrap_or("none");
            (text("name"), text("conclusion"))
        })
        .collect()
}

fn job(name: &str) -> JobScenario {
    JobScenario::new(name, SECOND)
}

#[test]
fn a_cancel_ends_the_current_attempt_and_no_earlier_one() {
    let scenario = Scenario::passing(10 * SECOND).on_rerun(Scenario::endless());
    let (sandbox, id, path) = finished(scenario);
    sandbox.with_world(|world| world.run_again(id));

    let cancel = request(&sandbox, "POST", &format!("{path}/cancel"));
    assert_eq!(cancel.bearer(demo::GITHUB_CLASSIC).send().status, 202);

    let current = read(&sandbox, &path);
    assert_eq!(current["run_attempt"], 2);
    assert_eq!(current["conclusion"], "cancelled");
    let first = read(&sandbox, &format!("{path}/attempts/1"));
    assert_eq!(first["run_attempt"], 1);
    assert_eq!(first["conclusion"], "success");

    let run = &sandbox.runs()[0];
    assert!(run.cancelled && !run.first_attempt().cancelled);
    assert_eq!(run.state, State::Completed);
    assert_eq!(run.first_attempt().conclusion, Some(Conclusion::Success));
}

#[test]
fn failed_jobs_and_those_after_them_run_again() {
    let passes = Scenario::new()
        .job(job("build"))
        .job(job("lint"))
        .job(job("test"))
        .job(job("deploy"));
    let fails = Scenario::new()
        .job(job("build"))
        .job(job("lint").fails().is_not_needed().log(Log::text("bad\n")))
        .job(job("test").fails())
        .job(job("deploy"));
    let (sandbox, id, path) = finished(fails.on_rerun(passes));
    let before = read(&sandbox, &path);
    assert_eq!(before["conclusion"], "failure");
    assert_eq!(before["triggering_actor"]["login"], "octocat");
    thread::sleep(Duration::from_millis(2));
    sandbox.with_world(|world| world.runs[0].actor = "octavia".to_owned());

    let response = rerun(&sandbox, &path).send();
    assert_eq!((response.status, response.json()), (201, json!({})));
    until_over();
    let run = read(&sandbox, &path);
    assert_eq!((&run["id"], &run["run_attempt"]), (&json!(id), &json!(2)));
    assert_eq!(run["conclusion"], "success");
    assert_eq!(run["created_at"], before["created_at"]);
    assert!(run["run_started_at"].as_str() > before["run_started_at"].as_str());
    assert_eq!(run["actor"]["login"], "octavia");
    assert_eq!(run["triggering_actor"]["login"], "octocat");
    assert_eq!(
        read(&sandbox, &format!("{path}/attempts/1"))["conclusion"],
        "failure"
    );

    let first = jobs(&sandbox, &format!("{path}/attempts/1"));
    let second = jobs(&sandbox, &format!("{path}/attempts/2"));
    let ends = |[build, lint, test, deploy]: [&'static str; 4]| {
        [
            ("build", build),
            ("lint", lint),
            ("test", test),
            ("deploy", deploy),
        ]
    };
    assert_eq!(
        conclusions(&first),
        ends(["success", "failure", "failure", "skipped"])
    );
    assert_eq!(conclusions(&second), ends(["success"; 4]));
    // The job that passed isn't run again, but has a new id and no steps.
    assert_eq!(second[0]["completed_at"], first[0]["completed_at"]);
    assert_eq!(second[0]["steps"], json!([]));
    assert_ne!(second[1]["steps"], json!([]));
    assert!(second[1]["started_at"].as_str() > first[2]["completed_at"].as_str());
    for (earlier, later) in first.iter().zip(&second) {
        assert_ne!(earlier["id"], later["id"]);
        assert_eq!(later["run_attempt"], 2);
    }
    let earlier = format!("{GITHUB}/jobs/{}", first[1]["id"]);
    assert_eq!(read(&sandbox, &earlier), first[1]);
    assert_eq!(get(&sandbox, &format!("{earlier}/logs")).send().status, 302);
}

#[test]
fn the_last_scenario_of_a_re_run_repeats() {
    let fails = || Scenario::failing(SECOND);
    for (scenario, expected) in [
        (fails(), ["failure", "failure", "failure"]),
        (
            fails().on_rerun(Scenario::passing(SECOND)),
            ["success", "success", "success"],
        ),
        (
            fails()
                .on_rerun(fails())
                .on_rerun(Scenario::passing(SECOND)),
            ["failure", "success", "success"],
        ),
    ] {
        let (sandbox, id, path) = finished(scenario);
        let found = [2, 3, 4].map(|attempt| {
            sandbox.with_world(|world| world.run_again(id));
            until_over();
            let run = read(&sandbox, &path);
            assert_eq!(run["run_attempt"], attempt);
            run["conclusion"].as_str().expect("it is over").to_owned()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn a_run_without_failed_jobs_is_not_run_again() {
    let (sandbox, _, path) = finished(Scenario::failing(SECOND).on_rerun(Scenario::endless()));
    let refused = |request: RequestBuilder| request.send().status_and_message();
    let error = |status, message: &str| (status, message.to_owned());

    let unknown = rerun(&sandbox, &format!("{GITHUB}/runs/1"));
    assert_eq!(refused(unknown), error(404, "Not Found"));
    let invalid = rerun(&sandbox, &path).json(json!({"debug": true}));
    assert_eq!(invalid.send().status, 422);
    let reader = rerun(&sandbox, &path)
        .without("Authorization")
        .bearer(demo::GITHUB_FINE_GRAINED_READ_ONLY);
    let response = reader.send();
    assert_eq!(response.status, 403);
    let needed = response.headers.get("x-accepted-github-permissions");
    assert_eq!(needed, Some("actions=write"));
    let by_workflow = rerun(&sandbox, &path)
        .without("Authorization")
        .bearer(demo::GITHUB_WORKFLOW_OF_CALLER);
    let message = "Resource not accessible by integration";
    assert_eq!(refused(by_workflow), error(403, message));
    assert_eq!(sandbox.runs()[0].attempt(), 1);

    let debugging = rerun(&sandbox, &path).json(json!({"enable_debug_logging": true}));
    assert_eq!(debugging.send().status, 201);
    let message = "This workflow is already running";
    assert_eq!(refused(rerun(&sandbox, &path)), error(403, message));
    assert_eq!(sandbox.runs()[0].attempt(), 2);

    let (sandbox, _, path) = finished(Scenario::passing(SECOND));
    let message = "This workflow run cannot be retried";
    assert_eq!(refused(rerun(&sandbox, &path)), error(403, message));

    let (sandbox, _, path) = finished(Scenario::failing(SECOND));
    sandbox.with_world(|world| world.runs[0].created_at -= Duration::from_hours(31 * 24));
    let message = "Unable to retry this workflow run because it was created over a month ago";
    assert_eq!(refused(rerun(&sandbox, &path)), error(403, message));
}

#[test]
fn a_cancelled_run_and_one_that_a_test_completed_can_be_run_again() {
    let (sandbox, _, path) = finished(Scenario::endless());
    let cancel = request(&sandbox, "POST", &format!("{path}/cancel"));
    assert_eq!(cancel.bearer(demo::GITHUB_CLASSIC).send().status, 202);
    assert_eq!(rerun(&sandbox, &path).send().status, 201);
    let run = read(&sandbox, &path);
    assert_eq!(
        (&run["status"], &run["conclusion"]),
        (&json!("in_progress"), &Value::Null)
    );

    let sandbox = start(World::demo());
    let id = trigger(&sandbox, Provider::GitHub);
    let complete = |conclusion| sandbox.with_world(|world| world.runs[0].complete(conclusion));
    complete(Conclusion::Failure);
    let path = format!("{GITHUB}/runs/{id}");
    assert_eq!(rerun(&sandbox, &path).send().status, 201);
    assert_eq!(read(&sandbox, &path)["status"], "queued");
    complete(Conclusion::Success);
    assert_eq!(read(&sandbox, &path)["conclusion"], "success");
    assert_eq!(
        read(&sandbox, &format!("{path}/attempts/1"))["conclusion"],
        "failure"
    );
}

/// The client can't know whether the run was re-run, except by reading the attempt.
#[test]
fn a_run_can_be_re_run_although_the_connection_is_closed() {
    for (moment, attempt) in [(Moment::BeforeActing, 1), (Moment::AfterActing, 2)] {
        let (sandbox, _, path) = finished(Scenario::failing(SECOND).on_rerun(Scenario::endless()));
        let route = Route::any().method("POST").path_end("/rerun-failed-jobs");
        sandbox.fault(route, Occasion::Nth(1), Fault::Close(moment));
        assert!(rerun(&sandbox, &path).try_send().is_err());
        assert_eq!(read(&sandbox, &path)["run_attempt"], attempt);
        assert_eq!(sandbox.trigger_requests().len(), 1);
    }
}

#[test]
fn a_callers_run_shows_when_each_attempt_began() {
    const ID: u64 = 5_001;
    const REPOSITORY: &str = "octo-org/caller";
    let ages = [600 * SECOND, 60 * SECOND];
    let sandbox = start(World::demo().caller_run(REPOSITORY, ID, &ages));
    let path = format!("/api/v3/repos/{REPOSITORY}/actions/runs/{ID}");
    let read = |path: &str| {
        let request = request(&sandbox, "GET", path);
        request
            .bearer(demo::GITHUB_WORKFLOW_OF_CALLER)
            .send()
            .json()
    };
    let shown = |path: &str| {
        let run = read(path);
        let age = |name: &str| {
            let time = run[name].as_str().expect("a time").parse::<DateTime<Utc>>();
            (DateTime::<Utc>::from(SystemTime::now()) - time.expect("a time")).num_seconds() / 10
                * 10
        };
        let status = run["conclusion"].as_str().or(run["status"].as_str());
        let status = status.expect("a status").to_owned();
        let attempt = run["run_attempt"].as_u64().expect("a number");
        (attempt, status, age("created_at"), age("run_started_at"))
    };
    let expected =
        |attempt, status: &str, created, started| (attempt, status.to_owned(), created, started);
    let first = expected(1, "failure", 600, 600);
    assert_eq!(shown(&path), expected(2, "in_progress", 600, 60));
    assert_eq!(shown(&format!("{path}/attempts/1")), first);

    sandbox.with_world(|world| world.run_again(ID));
    assert_eq!(shown(&path), expected(3, "in_progress", 600, 0));
    assert_eq!(shown(&format!("{path}/attempts/1")), first);
    let second = expected(2, "failure", 600, 60);
    assert_eq!(shown(&format!("{path}/attempts/2")), second);

    let list = read("/api/v3/repos/octo-org/caller/actions/runs?event=push");
    assert_eq!(list["workflow_runs"][0]["name"], "CI");
    assert_eq!(list["workflow_runs"][0]["id"], ID);
    // Others' tokens read it only because the repository is public.
    sandbox.with_world(|world| world.github.repositories[2].private = true);
    let other = request(&sandbox, "GET", &path).bearer(demo::GITHUB_WORKFLOW);
    assert_eq!(other.send().status, 404);
    assert_eq!(sandbox.runs().len(), 1);
}
