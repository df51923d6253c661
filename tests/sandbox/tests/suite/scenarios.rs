//! Runs with a scenario: their state in the three APIs over time, and the effects of approvals and cancels.

use std::thread;
use std::time::Duration;

use sandbox::world::{Artifact, Digest, JobScenario, Log, OnCancel, Scenario};
use sandbox::{Provider, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::client::{RequestBuilder, Response, request};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const GITHUB: &str = "/api/v3/repos/octo-org/app/actions";
pub(crate) const GITLAB: &str = "/api/v4/projects/4242";
pub(crate) const BITBUCKET: &str = "/2.0/repositories/octo-workspace/service/pipelines";

pub(crate) fn start(world: World) -> Sandbox {
    Sandbox::start(world).expect("loopback should have free ports")
}

pub(crate) fn get(sandbox: &Sandbox, path: &str) -> RequestBuilder {
    let token = match path.split('/').nth(2) {
        Some("v3") => demo::GITHUB_CLASSIC,
        Some("v4") => demo::GITLAB_DEVELOPER,
        _ => demo::BITBUCKET_ACCESS,
    };
    request(sandbox, "GET", path).bearer(token)
}

pub(crate) fn read(sandbox: &Sandbox, path: &str) -> Value {
    get(sandbox, path).send().json()
}

/// Starts a run and returns its id.
pub(crate) fn trigger(sandbox: &Sandbox, provider: Provider) -> u64 {
    let (path, token, body) = match provider {
        Provider::GitHub => (
            format!("{GITHUB}/workflows/build.yml/dispatches"),
            demo::GITHUB_CLASSIC,
            json!({"ref": "main"}),
        ),
        Provider::GitLab => (
            format!("{GITLAB}/pipeline"),
            demo::GITLAB_DEVELOPER,
            json!({"ref": "main"}),
        ),
        Provider::Bitbucket => (
            BITBUCKET.to_owned(),
            demo::BITBUCKET_ACCESS,
            json!({"target": {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}}),
        ),
    };
    let response = request(sandbox, "POST", &path)
        .bearer(token)
        .json(body)
        .send();
    assert!(response.status < 300, "{response:?}");
    sandbox.runs().last().expect("a run").id
}

/// Follows a redirect to the storage host.
fn follow_to_storage(sandbox: &Sandbox, response: &Response, range: &str) -> Response {
    let location = response.headers.get("location").expect("a link");
    let origin = format!("http://localhost:{}", sandbox.http_port());
    let path = location.strip_prefix(&origin).expect("another host");
    let request = request(sandbox, "GET", path);
    if range.is_empty() {
        return request.send();
    }
    request.header("Range", range).send()
}

#[test]
fn github_shows_a_scenario_step_by_step() {
    let scenario = Scenario::new()
        .after_others(1, SECOND * 1_000)
        .job(JobScenario::new("build", SECOND * 1_000))
        .job(
            JobScenario::new("deploy", SECOND)
                .needs_approval("production", &["octocat", "team/ops"]),
        )
        .job(JobScenario::new("notify", SECOND).fails_in("Tell"));
    let sandbox = start(
        World::demo()
            .faster(20_000)
            .scenario(Provider::GitHub, scenario),
    );
    let id = trigger(&sandbox, Provider::GitHub);
    let run = format!("{GITHUB}/runs/{id}");
    assert_eq!(read(&sandbox, &run)["status"], "pending");
    let groups = read(&sandbox, &format!("{run}/concurrency_groups"));
    let member = &groups["concurrency_groups"][0]["group_members"][0];
    assert_eq!(
        (&member["run_id"], &member["position"]),
        (&json!(id), &json!(1))
    );
    let jobs = format!("{run}/attempts/1/jobs");
    assert_eq!(read(&sandbox, &jobs)["total_count"], 0);

    thread::sleep(Duration::from_millis(150));
    assert_eq!(read(&sandbox, &run)["status"], "waiting");
    let pending = read(&sandbox, &format!("{run}/pending_deployments"));
    assert_eq!(pending[0]["environment"]["name"], "production");
    assert_eq!(pending[0]["reviewers"][0]["reviewer"]["login"], "octocat");
    assert_eq!(pending[0]["reviewers"][1]["reviewer"]["name"], "ops");
    // The job that `needs` the blocked one is absent.
    assert_eq!(read(&sandbox, &jobs)["total_count"], 2);

    sandbox.with_world(|world| world.approve(Provider::GitHub, id));
    thread::sleep(Duration::from_millis(10));
    assert_eq!(read(&sandbox, &run)["conclusion"], "failure");
    let last = &read(&sandbox, &jobs)["jobs"][2];
    assert_eq!(last["steps"][1]["name"], "Tell");
    assert_eq!(last["steps"][1]["conclusion"], "failure");
    assert_eq!(last["steps"][0]["conclusion"], "success");

    sandbox.with_world(|world| world.run_again(id));
    assert_eq!(read(&sandbox, &run)["run_attempt"], 2);
    assert_eq!(read(&sandbox, &run)["status"], "pending");
    let first = read(&sandbox, &format!("{run}/attempts/1"));
    assert_eq!(first["conclusion"], "failure");
    let none = get(&sandbox, &format!("{run}/attempts/3")).send();
    assert_eq!(none.status, 404);
}

#[test]
fn an_unchanged_response_is_free() {
    let sandbox = start(World::demo().scenario(Provider::GitHub, Scenario::endless()));
    let id = trigger(&sandbox, Provider::GitHub);
    let path = format!("{GITHUB}/runs/{id}");
    let first = get(&sandbox, &path).send();
    let tag = first.headers.get("etag").expect("a tag");
    let used = |response: &Response| response.headers.get("x-ratelimit-used").map(str::to_owned);
    let again = get(&sandbox, &path).header("If-None-Match", tag).send();
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(used(&again), used(&first));
    // A tag is valid only for the same token.
    let other = request(&sandbox, "GET", &path).bearer(demo::GITHUB_FINE_GRAINED);
    assert_eq!(other.header("If-None-Match", tag).send().status, 200);
}

#[test]
fn logs_are_on_a_storage_host_that_supports_ranges() {
    let job = |log: Log| JobScenario::new("build", Duration::ZERO).log(log);
    let scenario = Scenario::new().job(job(Log::text("first\nlast\n").after(6_400)));
    let world = World::demo()
        .scenario(Provider::GitHub, scenario.clone())
        .scenario(Provider::Bitbucket, scenario);
    let sandbox = start(world);
    let id = trigger(&sandbox, Provider::GitHub);
    let response = get(&sandbox, &format!("{GITHUB}/jobs/{}/logs", id * 1_000 + 1)).send();
    assert_eq!(response.status, 302);
    let whole = follow_to_storage(&sandbox, &response, "");
    assert!(whole.text().ends_with("Z last\n"), "{}", whole.text());
    // GitHub's storage doesn't support suffix ranges.
    assert_eq!(
        follow_to_storage(&sandbox, &response, "bytes=-5").status,
        200
    );
    let start = format!("bytes={}-", whole.body.len() - 5);
    let part = follow_to_storage(&sandbox, &response, &start);
    assert_eq!((part.status, part.text().as_str()), (206, "last\n"));
    assert_eq!(
        follow_to_storage(&sandbox, &response, "bytes=9999-").status,
        416
    );
    let link = response.headers.get("location").unwrap();
    let path = link.split_once("/storage").unwrap().1;
    let with_credential = request(&sandbox, "GET", &format!("/storage{path}"));
    let refused = with_credential.bearer(demo::GITHUB_CLASSIC).send();
    assert_eq!(refused.status, 400);

    trigger(&sandbox, Provider::Bitbucket);
    let steps = read(&sandbox, &format!("{BITBUCKET}/1/steps/"));
    let uuid = steps["values"][0]["uuid"].as_str().unwrap();
    let uuid = uuid.replace('{', "%7B").replace('}', "%7D");
    let request = get(&sandbox, &format!("{BITBUCKET}/1/steps/{uuid}/log"));
    assert_eq!(request.send().status, 406);
    let response = request.header("Accept", "application/octet-stream").send();
    let part = follow_to_storage(&sandbox, &response, "bytes=-5");
    assert_eq!((part.status, part.text().as_str()), (206, "last\n"));
    assert_eq!(
        part.headers.get("content-range"),
        Some("bytes 6406-6410/6411")
    );
}

#[test]
fn artifacts_are_zips_with_a_digest() {
    let artifact = |name: &str| Artifact::new(name).file("result.json", "{}");
    let scenario = Scenario::new()
        .artifact(artifact("right"))
        .artifact(artifact("wrong").digest(Digest::Wrong))
        .artifact(artifact("gone").expired());
    let sandbox = start(World::demo().scenario(Provider::GitHub, scenario));
    let id = trigger(&sandbox, Provider::GitHub);
    let list = read(&sandbox, &format!("{GITHUB}/runs/{id}/artifacts"));
    let list = list["artifacts"].as_array().unwrap();
    assert_eq!(list.len(), 3);
    assert_ne!(list[0]["digest"], list[1]["digest"]);
    let named = read(&sandbox, &format!("{GITHUB}/runs/{id}/artifacts?name=gone"));
    assert_eq!(named["total_count"], 1);
    let zip = |artifact: &Value| {
        get(
            &sandbox,
            &format!("{GITHUB}/artifacts/{}/zip", artifact["id"]),
        )
    };
    let response = zip(&list[0]).send();
    assert!(
        follow_to_storage(&sandbox, &response, "")
            .body
            .starts_with(b"PK")
    );
    assert_eq!(zip(&list[2]).send().status, 410);
}

#[test]
fn gitlab_shows_jobs_logs_and_artifacts() {
    let scenario = Scenario::new()
        .job(
            JobScenario::new("build", Duration::ZERO)
                .file("out/a.json", "1")
                .log(Log::text("abcdef")),
        )
        .job(JobScenario::new("child", Duration::ZERO).starts("octo-group/tools/locked"))
        .job(JobScenario::new("deploy", Duration::ZERO).manual());
    let sandbox = start(World::demo().scenario(Provider::GitLab, scenario));
    let id = trigger(&sandbox, Provider::GitLab);
    let pipeline = format!("{GITLAB}/pipelines/{id}");
    assert_eq!(read(&sandbox, &pipeline)["status"], "manual");
    let jobs = get(&sandbox, &format!("{pipeline}/jobs?per_page=1")).send();
    assert_eq!(jobs.headers.get("x-next-page"), Some("2"));
    assert_eq!(jobs.json()[0]["name"], "deploy");
    assert_eq!(jobs.json()[0]["status"], "manual");
    for kind in ["trigger_jobs", "bridges"] {
        let bridges = read(&sandbox, &format!("{pipeline}/{kind}"));
        assert_eq!(bridges[0]["downstream_pipeline"]["status"], "success");
    }
    let build = format!("{GITLAB}/jobs/{}", id * 1_000 + 1);
    let trace = |query: &str| {
        get(&sandbox, &format!("{build}/trace{query}"))
            .send()
            .text()
    };
    assert_eq!(trace(""), "abcdef");
    assert_eq!(trace("?byte_offset=4"), "ef");
    let file = |path: &str| get(&sandbox, &format!("{build}/artifacts/{path}")).send();
    assert_eq!(file("out/a.json").text(), "1");
    assert_eq!(file("other").status, 404);
    sandbox.with_world(|world| world.approve(Provider::GitLab, id));
    assert_eq!(read(&sandbox, &pipeline)["status"], "success");
}

#[test]
fn bitbucket_shows_steps_and_pauses() {
    let step = |name: &str| JobScenario::new(name, Duration::ZERO);
    for (scenario, stage) in [
        (step("ship").manual(), "PAUSED"),
        (step("ship").halts(), "HALTED"),
    ] {
        let scenario = Scenario::new().job(step("build")).job(scenario);
        let sandbox = start(World::demo().scenario(Provider::Bitbucket, scenario));
        trigger(&sandbox, Provider::Bitbucket);
        let pipeline = read(&sandbox, &format!("{BITBUCKET}/1"));
        assert_eq!(pipeline["state"]["stage"]["name"], stage);
        let steps = read(&sandbox, &format!("{BITBUCKET}/1/steps/?pagelen=1"));
        assert!(steps["next"].is_string());
        let next = read(&sandbox, &format!("{BITBUCKET}/1/steps/?pagelen=1&page=2"));
        assert_eq!(
            next["values"][0]["trigger"]["type"],
            "pipeline_step_trigger_manual"
        );
        assert_eq!(next["values"][0]["state"]["name"], "PENDING");
    }
}

#[test]
fn a_cancel_does_what_the_scenario_says() {
    let cancel = |sandbox: &Sandbox, provider, id| {
        let (path, token) = match provider {
            Provider::GitHub => (format!("{GITHUB}/runs/{id}/cancel"), demo::GITHUB_CLASSIC),
            Provider::GitLab => (
                format!("{GITLAB}/pipelines/{id}/cancel"),
                demo::GITLAB_DEVELOPER,
            ),
            Provider::Bitbucket => (
                format!("{BITBUCKET}/1/stopPipeline"),
                demo::BITBUCKET_ACCESS,
            ),
        };
        let response = request(sandbox, "POST", &path).bearer(token).send();
        let runs = sandbox.runs();
        (
            response.status,
            runs[0].cancelled,
            sandbox.unfinished_runs().len(),
        )
    };
    for (provider, accepted) in [
        (Provider::GitHub, 202),
        (Provider::GitLab, 200),
        (Provider::Bitbucket, 204),
    ] {
        for (on_cancel, expected) in [
            (OnCancel::Ends(Duration::ZERO), (accepted, true, 0)),
            (OnCancel::Ends(SECOND * 100), (accepted, false, 1)),
            (OnCancel::Ignores, (accepted, false, 1)),
            (OnCancel::Refuses(403), (403, false, 1)),
            (
                OnCancel::RefusesAtFirst {
                    status: 409,
                    times: 1,
                },
                (409, false, 1),
            ),
        ] {
            let scenario = Scenario::endless().on_cancel(on_cancel);
            let sandbox = start(World::demo().scenario(provider, scenario));
            let id = trigger(&sandbox, provider);
            assert_eq!(
                cancel(&sandbox, provider, id),
                expected,
                "{provider} {on_cancel:?}"
            );
            let refuses_once = matches!(on_cancel, OnCancel::RefusesAtFirst { .. });
            if refuses_once {
                assert_eq!(cancel(&sandbox, provider, id), (accepted, true, 0));
            }
        }
    }
}

#[test]
fn strangers_start_similar_runs() {
    let sandbox = start(World::demo().strangers(&["hubot"]));
    let request = request(&sandbox, "POST", "/api/v3/repos/octo-org/app/dispatches");
    let body =
        json!({"event_type": "deploy-marked", "client_payload": {"trigger_id": "own-marker"}});
    request.bearer(demo::GITHUB_CLASSIC).json(body).send();
    let runs = sandbox.runs();
    assert_eq!(runs.len(), 2);
    assert!(runs[0].by_stranger && !runs[0].title.contains("own-marker"));
    assert_eq!(
        (runs[0].actor.as_str(), runs[1].title.as_str()),
        ("hubot", "Marked own-marker")
    );
}

#[test]
fn a_wrong_clock_shows_in_the_date_header() {
    let hour = Duration::from_hours(1);
    for (world, ahead) in [
        (World::demo().ahead(hour), true),
        (World::demo().behind(hour), false),
    ] {
        let now = world.now();
        assert_eq!(now > std::time::SystemTime::now(), ahead);
        let sandbox = start(world);
        let response = get(&sandbox, "/api/v3/repos/octo-org/app").send();
        let run = trigger(&sandbox, Provider::GitHub);
        let created = read(&sandbox, &format!("{GITHUB}/runs/{run}"));
        let minutes = |text: &str| text.split(':').nth(1).unwrap().to_owned();
        let date = response.headers.get("date").unwrap();
        // Both come from the same clock, but the minute may have changed in between.
        let created = created["created_at"].as_str().unwrap();
        let (date, created): (u32, u32) = (
            minutes(date).parse().unwrap(),
            minutes(created).parse().unwrap(),
        );
        assert!((60 + created - date) % 60 <= 1, "{date} {created}");
    }
}
