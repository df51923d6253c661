//! The exact requests of steps that use none of the inputs `on-rerun`, `marker-input`, `follow`, `caller`, `status` and
//! `retries`: whatever these add, it must cost nothing when it is off.

use std::collections::BTreeSet;

use sandbox::world::Scenario;
use sandbox::{Provider, RecordedRequest, Sandbox, World, demo};
use serde_json::json;

use crate::calls::{PROVIDERS, SECOND, call, dispatch, in_parallel, start};
use crate::harness::{Done, Step};

const APP: &str = "/api/v3/repos/octo-org/app";

/// The id of the first run in the sandbox.
const FIRST_RUN: u64 = 9_000_000_001;

/// The names of all headers that are sent.
const HEADERS: [&str; 10] = [
    "accept",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "if-none-match",
    "private-token",
    "range",
    "user-agent",
    "x-github-api-version",
];

/// A step, and the requests that it sends.
struct Case {
    name: &'static str,
    /// How its runs go on.
    scenario: fn() -> Scenario,
    step: fn(&Sandbox) -> Step,
    requests: &'static [&'static str],
}

const CASES: [Case; 7] = [
    Case {
        name: "an event without wait",
        scenario: passing,
        step: event,
        requests: &[
            r#"POST /api/v3/repos/octo-org/app/dispatches {"event_type":"deploy","client_payload":{"version":1.10}}"#,
        ],
    },
    Case {
        name: "an event with wait",
        scenario: passing,
        step: event_with_wait,
        requests: &[
            "GET /api/v3/repos/octo-org/app/actions/runs?per_page=20",
            r#"POST /api/v3/repos/octo-org/app/dispatches {"event_type":"release","client_payload":{"trigger_id":"UUID"}}"#,
            "GET /api/v3/repos/octo-org/app/actions/runs?per_page=100",
            "GET /api/v3/user",
            "GET /api/v3/repos/octo-org/app/actions/runs/9000000001/attempts/1",
            "GET /api/v3/repos/octo-org/app/actions/runs/9000000001/attempts/1/jobs?per_page=100&page=1",
        ],
    },
    Case {
        name: "a workflow with wait",
        scenario: passing,
        step: workflow,
        requests: &[
            "GET /api/v3/repos/octo-org/app/actions/runs?per_page=20",
            r#"POST /api/v3/repos/octo-org/app/actions/workflows/build.yml/dispatches {"ref":"main","inputs":{"version":"1.10"},"return_run_details":true}"#,
            "GET /api/v3/repos/octo-org/app/actions/runs/9000000001/attempts/1",
            "GET /api/v3/repos/octo-org/app/actions/runs/9000000001/attempts/1/jobs?per_page=100&page=1",
        ],
    },
    Case {
        name: "a workflow that fails",
        scenario: failing,
        step: workflow,
        requests: &[
            "GET /api/v3/repos/octo-org/app/actions/runs?per_page=20",
            r#"POST /api/v3/repos/octo-org/app/actions/workflows/build.yml/dispatches {"ref":"main","inputs":{"version":"1.10"},"return_run_details":true}"#,
            "GET /api/v3/repos/octo-org/app/actions/runs/9000000001/attempts/1",
            "GET /api/v3/repos/octo-org/app/actions/runs/9000000001/attempts/1/jobs?per_page=100&page=1",
            "GET /api/v3/repos/octo-org/app/actions/jobs/9000000001001/logs",
            "GET /storage/github/logs/9000000001001?until=TIME",
        ],
    },
    Case {
        name: "a GitLab pipeline with wait",
        scenario: passing,
        step: gitlab,
        requests: &[
            "GET /api/v4/projects/octo-group%2Ftools%2Fdeployer/pipelines?order_by=id&sort=desc&per_page=20",
            "GET /api/v4/personal_access_tokens/self",
            r#"POST /api/v4/projects/octo-group%2Ftools%2Fdeployer/pipeline {"ref":"main","variables":[{"key":"VERSION","value":"1.10","variable_type":"env_var"}]}"#,
            "GET /api/v4/projects/4242/pipelines/70001",
            "GET /api/v4/projects/4242/pipelines/70001/jobs?per_page=100&page=1",
            "GET /api/v4/projects/4242/pipelines/70001/trigger_jobs?per_page=100",
        ],
    },
    Case {
        name: "a GitLab pipeline that fails",
        scenario: failing,
        step: gitlab,
        requests: &[
            "GET /api/v4/projects/octo-group%2Ftools%2Fdeployer/pipelines?order_by=id&sort=desc&per_page=20",
            "GET /api/v4/personal_access_tokens/self",
            r#"POST /api/v4/projects/octo-group%2Ftools%2Fdeployer/pipeline {"ref":"main","variables":[{"key":"VERSION","value":"1.10","variable_type":"env_var"}]}"#,
            "GET /api/v4/projects/4242/pipelines/70001",
            "GET /api/v4/projects/4242/pipelines/70001/jobs?per_page=100&page=1",
            "GET /api/v4/projects/4242/pipelines/70001/trigger_jobs?per_page=100",
            "GET /api/v4/projects/4242/jobs/70001001/trace",
        ],
    },
    Case {
        name: "a Bitbucket pipeline with wait",
        scenario: passing,
        step: bitbucket,
        requests: &[
            "GET /2.0/repositories/octo-workspace/service/pipelines/?sort=-created_on&pagelen=20",
            r#"POST /2.0/repositories/octo-workspace/service/pipelines {"target":{"type":"pipeline_ref_target","ref_type":"branch","ref_name":"main"}}"#,
            "GET /2.0/repositories/octo-workspace/service/pipelines/%7BUUID%7D",
            "GET /2.0/repositories/octo-workspace/service/pipelines/%7BUUID%7D/steps/?pagelen=100",
        ],
    },
];

fn passing() -> Scenario {
    Scenario::passing(SECOND)
}

fn failing() -> Scenario {
    Scenario::failing(SECOND)
}

fn event(sandbox: &Sandbox) -> Step {
    Step::github(sandbox)
        .input("event-type", "deploy")
        .input("client-payload", r#"{"version": 1.10}"#)
}

fn event_with_wait(sandbox: &Sandbox) -> Step {
    dispatch(sandbox, "release")
}

fn workflow(sandbox: &Sandbox) -> Step {
    call(Provider::GitHub, sandbox).input("inputs", "version: 1.10")
}

fn gitlab(sandbox: &Sandbox) -> Step {
    call(Provider::GitLab, sandbox).input("variables", "VERSION: 1.10")
}

fn bitbucket(sandbox: &Sandbox) -> Step {
    call(Provider::Bitbucket, sandbox)
}

/// Ten targets of one repository, which differ in an input.
fn ten_targets(sandbox: &Sandbox) -> Step {
    let target = |number: u32| {
        json!({
            "repository": "octo-org/app",
            "workflow": "build.yml",
            "ref": "main",
            "inputs": {"version": number.to_string()},
        })
    };
    let targets: Vec<_> = (0..10).map(target).collect();
    Step::on(&sandbox.http_url())
        .input("token", demo::GITHUB_CLASSIC)
        .input("targets", &json!(targets).to_string())
        .input("wait", "true")
}

/// Runs the step in a world whose runs follow this scenario. The calling job may have been run again: without
/// `on-rerun: once`, that changes nothing.
fn run(scenario: fn() -> Scenario, step: fn(&Sandbox) -> Step, attempt: &str) -> (Sandbox, Done) {
    let world = PROVIDERS
        .into_iter()
        .fold(World::demo(), |world, provider| {
            world.scenario(provider, scenario())
        });
    let sandbox = start(world);
    let step = step(&sandbox).environment("GITHUB_RUN_ATTEMPT", attempt);
    let done = step.run();
    (sandbox, done)
}

#[test]
fn steps_without_the_features_send_exactly_these_requests() {
    let cases = CASES.iter();
    let cases = cases.flat_map(|case| ["1", "2"].map(|attempt| (case, attempt)));
    in_parallel(cases.collect(), |(case, attempt)| {
        let (sandbox, done) = run(case.scenario, case.step, attempt);
        let expected: Vec<_> = case
            .requests
            .iter()
            .map(|line| (*line).to_owned())
            .collect();
        let (expected, sent) = (
            in_fixed_order(expected),
            in_fixed_order(distinct(&sandbox, &done)),
        );
        assert_eq!(sent, expected, "{}\n{done}", case.name);
    });
}

/// They share the list before the trigger.
#[test]
fn ten_targets_without_the_features_send_exactly_these_requests() {
    in_parallel(vec!["1", "2"], |attempt| {
        let (sandbox, done) = run(passing, ten_targets, attempt);
        let mut expected = vec![format!("GET {APP}/actions/runs?per_page=20")];
        for number in 0..10 {
            let run = format!("GET {APP}/actions/runs/{}/attempts/1", FIRST_RUN + number);
            expected.extend([
                format!(
                    r#"POST {APP}/actions/workflows/build.yml/dispatches {{"ref":"main","inputs":{{"version":"{number}"}},"return_run_details":true}}"#
                ),
                format!("{run}/jobs?per_page=100&page=1"),
                run,
            ]);
        }
        let mut sent = distinct(&sandbox, &done);
        assert_eq!(sent[0], expected[0], "{done}");
        sent.sort_unstable();
        expected.sort_unstable();
        assert_eq!(sent, expected, "{done}");
    });
}

/// Sorts the requests before the trigger and those after it, some of which are sent at the same time.
fn in_fixed_order(mut lines: Vec<String>) -> Vec<String> {
    let trigger = lines.iter().position(|line| line.starts_with("POST "));
    let trigger = trigger.expect("every step triggers something");
    lines[..trigger].sort_unstable();
    lines[trigger + 1..].sort_unstable();
    lines
}

/// The requests in order. Those that are repeated, such as polls, count once: their number depends on the machine.
fn distinct(sandbox: &Sandbox, done: &Done) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let requests = sandbox.requests();
    let lines = requests.iter().map(|request| {
        for (name, value) in &request.headers.0 {
            let is_known = HEADERS.contains(&name.to_lowercase().as_str());
            assert!(is_known, "{}: {name}: {value}", request.path);
        }
        line(request, done)
    });
    lines.filter(|line| seen.insert(line.clone())).collect()
}

/// Method, URL and body, without what differs from run to run.
fn line(request: &RecordedRequest, done: &Done) -> String {
    let mut line = format!("{} {}", request.method, request.path);
    if !request.query.is_empty() {
        line = format!("{line}?{}", request.query);
    }
    if !request.body.is_empty() {
        line = format!("{line} {}", String::from_utf8_lossy(&request.body));
    }
    if let Some((before, _)) = line.split_once("?until=") {
        line = format!("{before}?until=TIME");
    }
    let marker = done.outputs["trigger-id"].as_str();
    let id = done.outputs["run-id"].trim_matches(['{', '}']);
    let is_uuid = |text: &&str| text.len() == 36;
    let uuids = [marker, id].into_iter().filter(is_uuid);
    uuids.fold(line, |line, uuid| line.replace(uuid, "UUID"))
}
