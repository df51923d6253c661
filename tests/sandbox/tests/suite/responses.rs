//! Fields that the action doesn't read but other clients do. `.ci/clients` runs such clients, and checks responses
//! against GitHub's API description.

use std::time::Duration;

use sandbox::world::{Artifact, JobScenario, Scenario};
use sandbox::{Provider, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::client::{Response, request};

const GITHUB: &str = "/api/v3/repos/octo-org/app/actions";
const GITLAB: &str = "/api/v4/projects/4242";
const BITBUCKET: &str = "/2.0/repositories/octo-workspace/service/pipelines";

fn send(sandbox: &Sandbox, method: &str, path: &str, body: &Value) -> Response {
    let token = match path.split('/').nth(2) {
        Some("v3") => demo::GITHUB_CLASSIC,
        Some("v4") => demo::GITLAB_DEVELOPER,
        _ => demo::BITBUCKET_ACCESS,
    };
    let request = request(sandbox, method, path).bearer(token);
    if body.is_null() {
        return request.send();
    }
    request.json(body).send()
}

fn read(sandbox: &Sandbox, path: &str) -> Value {
    let response = send(sandbox, "GET", path, &Value::Null);
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.json()
}

fn jobs() -> Scenario {
    let job = |name: &str| JobScenario::new(name, Duration::ZERO);
    Scenario::new()
        .job(job("build").file("out/a.json", "1"))
        .job(
            job("deploy")
                .fails_in("Roll out")
                .starts("octo-group/tools/locked"),
        )
}

fn start(provider: Provider, scenario: Scenario) -> Sandbox {
    let sandbox = Sandbox::start(World::demo().scenario(provider, scenario)).unwrap();
    let (path, body) = match provider {
        Provider::GitHub => (
            format!("{GITHUB}/workflows/build.yml/dispatches"),
            json!({"ref": "main"}),
        ),
        Provider::GitLab => (format!("{GITLAB}/pipeline"), json!({"ref": "main"})),
        Provider::Bitbucket => (
            BITBUCKET.to_owned(),
            json!({"target": {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}}),
        ),
    };
    let response = send(&sandbox, "POST", &path, &body);
    assert!(response.status < 300, "{response:?}");
    sandbox
}

#[test]
fn links_of_a_github_run_can_be_followed() {
    let artifact = Artifact::new("result").file("result.json", "{}");
    let sandbox = start(Provider::GitHub, jobs().artifact(artifact));
    let id = sandbox.runs()[0].id;
    sandbox.with_world(|world| world.run_again(id));
    let run = read(&sandbox, &format!("{GITHUB}/runs/{id}"));
    let origin = sandbox.http_url();
    let follow = |address: &Value| {
        let address = address.as_str().expect("an address");
        read(
            &sandbox,
            address
                .strip_prefix(&origin)
                .expect("a URL of this sandbox"),
        )
    };
    assert_eq!(follow(&run["url"]), run);
    assert_eq!(follow(&run["workflow_url"])["name"], "Build");
    assert_eq!(
        follow(&run["repository"]["url"])["full_name"],
        "octo-org/app"
    );
    assert_eq!(follow(&run["previous_attempt_url"])["run_attempt"], 1);
    let names = |jobs: &Value| {
        let jobs = jobs["jobs"].as_array().unwrap().iter();
        jobs.map(|job| (job["name"].clone(), job["run_attempt"].clone()))
            .collect::<Vec<_>>()
    };
    let latest = follow(&run["jobs_url"]);
    let second = [(json!("build"), json!(2)), (json!("deploy"), json!(2))];
    assert_eq!(names(&latest), second);
    let all = read(&sandbox, &format!("{GITHUB}/runs/{id}/jobs?filter=all"));
    assert_eq!(all["total_count"], 4);
    assert_eq!(names(&all)[2..], second);
    let artifacts = follow(&run["artifacts_url"]);
    let artifact = &artifacts["artifacts"][0];
    assert_eq!(&follow(&artifact["url"]), artifact);
    assert_eq!(artifact["workflow_run"]["id"], id);
}

#[test]
fn github_returns_a_job_only_once_lists_contain_it() {
    let hour = Duration::from_hours(1);
    let scenario = Scenario::new()
        .job(JobScenario::new("build", hour))
        .job(JobScenario::new("deploy", hour));
    let sandbox = start(Provider::GitHub, scenario);
    let id = sandbox.runs()[0].id * 1_000;
    let build = read(&sandbox, &format!("{GITHUB}/jobs/{}", id + 1));
    assert_eq!(
        (&build["name"], &build["status"]),
        (&json!("build"), &json!("in_progress"))
    );
    assert_eq!(build["runner_name"], "GitHub Actions 1");
    let path = format!("{GITHUB}/jobs/{}", id + 2);
    assert_eq!(send(&sandbox, "GET", &path, &Value::Null).status, 404);
}

#[test]
fn reading_the_rate_limit_is_free() {
    let sandbox = Sandbox::start(World::demo()).unwrap();
    let used = || read(&sandbox, "/api/v3/rate_limit")["rate"]["used"].clone();
    assert_eq!((used(), used()), (json!(0), json!(0)));
    read(&sandbox, "/api/v3/user");
    assert_eq!(used(), 1);
}

#[test]
fn a_gitlab_list_has_fewer_fields_than_a_single_pipeline() {
    let sandbox = start(Provider::GitLab, jobs());
    let id = sandbox.runs()[0].id;
    let list = read(&sandbox, &format!("{GITLAB}/pipelines"));
    let single = read(&sandbox, &format!("{GITLAB}/pipelines/{id}"));
    for (name, value) in list[0].as_object().unwrap() {
        if name != "name" {
            assert_eq!(&single[name], value, "{name}");
        }
    }
    for name in ["user", "started_at", "finished_at", "detailed_status"] {
        assert!(single[name] != Value::Null, "{name}");
        assert!(list[0].get(name).is_none(), "{name}");
    }
    assert_eq!(single["detailed_status"]["text"], "failed");
}

#[test]
fn gitlab_returns_a_single_job_and_its_artifacts_as_a_zip() {
    let sandbox = start(Provider::GitLab, jobs());
    let id = sandbox.runs()[0].id;
    let listed = read(&sandbox, &format!("{GITLAB}/pipelines/{id}/jobs"));
    let path = format!("{GITLAB}/jobs/{}", listed[0]["id"]);
    assert_eq!(read(&sandbox, &path), listed[0]);
    let zip = send(&sandbox, "GET", &format!("{path}/artifacts"), &Value::Null);
    assert_eq!(listed[0]["artifacts_file"]["size"], zip.body.len());
    assert!(zip.body.starts_with(b"PK"));
    // A job that starts a downstream pipeline isn't among the jobs, and names that pipeline.
    let bridges = read(&sandbox, &format!("{GITLAB}/pipelines/{id}/trigger_jobs"));
    assert_eq!(bridges[0]["failure_reason"], "script_failure");
    assert_eq!(bridges[0]["downstream_pipeline"]["project_id"], 4243);
    assert!(bridges[0].get("runner").is_none());
    let bridge = format!("{GITLAB}/jobs/{}", bridges[0]["id"]);
    assert_eq!(send(&sandbox, "GET", &bridge, &Value::Null).status, 404);
}

#[test]
fn bitbucket_has_separate_types_for_states_of_steps() {
    let scenario = Scenario::new()
        .job(JobScenario::new("build", Duration::ZERO))
        .job(JobScenario::new("ship", Duration::ZERO).manual())
        .job(JobScenario::new("tell", Duration::ZERO));
    let sandbox = start(Provider::Bitbucket, scenario);
    let steps = read(&sandbox, &format!("{BITBUCKET}/1/steps/"));
    let kind = |index: usize, pointer: &str| steps["values"][index].pointer(pointer).cloned();
    let kinds = [
        (0, "/state/type", "pipeline_step_state_completed"),
        (
            0,
            "/state/result/type",
            "pipeline_step_state_completed_successful",
        ),
        (1, "/state/stage/type", "pipeline_step_state_pending_paused"),
        (
            2,
            "/state/stage/type",
            "pipeline_step_state_pending_pending",
        ),
    ];
    for (index, pointer, expected) in kinds {
        assert_eq!(kind(index, pointer), Some(json!(expected)), "{pointer}");
    }
    let stop = format!("{BITBUCKET}/1/stopPipeline");
    let stopped = send(&sandbox, "POST", &stop, &Value::Null);
    assert_eq!(stopped.status, 204);
    assert_eq!(
        stopped.headers.get("content-type"),
        Some("text/html; charset=utf-8")
    );
    let pipeline = read(&sandbox, &format!("{BITBUCKET}/1"));
    assert_eq!(
        pipeline["state"]["result"]["type"],
        "pipeline_state_completed_stopped"
    );
}

#[test]
fn bitbucket_pages_link_to_the_next_and_the_previous_page() {
    let sandbox = start(Provider::Bitbucket, jobs());
    let page = |query: &str| read(&sandbox, &format!("{BITBUCKET}/1/steps/?pagelen=1&{query}"));
    let (first, second) = (page("page=1"), page("page=2"));
    assert!(first["next"].as_str().unwrap().ends_with("page=2"));
    assert!(first.get("previous").is_none());
    assert!(second["previous"].as_str().unwrap().ends_with("page=1"));
    assert!(second.get("next").is_none());
}
