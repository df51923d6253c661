//! GitHub: dispatches that start runs, and the errors for invalid bodies. Permissions are in `github_reading`.

use sandbox::world::{RefKind, RunDetails};
use sandbox::{Sandbox, World, demo};
use serde_json::{Value, json};

use crate::client::{RequestBuilder, Response, request, start};

pub(crate) const DISPATCHES: &str = "/api/v3/repos/octo-org/app/dispatches";

pub(crate) fn get(sandbox: &Sandbox, path: &str) -> RequestBuilder {
    request(sandbox, "GET", &format!("/api/v3{path}")).bearer(demo::GITHUB_CLASSIC)
}

fn dispatch(sandbox: &Sandbox, body: impl ToString) -> Response {
    let request = request(sandbox, "POST", DISPATCHES).bearer(demo::GITHUB_CLASSIC);
    request.json(body).send()
}

pub(crate) fn workflow_dispatch(sandbox: &Sandbox, workflow: &str, body: &Value) -> Response {
    let path = format!("/api/v3/repos/octo-org/app/actions/workflows/{workflow}/dispatches");
    let request = request(sandbox, "POST", &path).bearer(demo::GITHUB_CLASSIC);
    request.json(body).send()
}

#[test]
fn repository_dispatch_starts_every_active_listener() {
    let sandbox = start();
    let payload = r#"{"zebra": 1.10, "apple": 12345678901234567890123, "nested": {"yes": true}}"#;
    let body = format!(r#"{{"event_type": "deploy", "client_payload": {payload}}}"#);
    let response = dispatch(&sandbox, body);
    assert_eq!((response.status, response.body.len()), (204, 0));
    for header in ["x-github-request-id", "x-ratelimit-remaining", "date"] {
        assert!(response.headers.get(header).is_some(), "{header}");
    }
    assert_eq!(
        response.headers.get("x-oauth-scopes"),
        Some("repo, workflow")
    );

    let runs = sandbox.runs();
    let files: Vec<&str> = runs.iter().map(|run| run.pipeline.as_str()).collect();
    assert_eq!(files, ["build.yml", "notify.yml"]);
    assert_eq!(runs[0].event, "repository_dispatch");
    assert_eq!(
        runs[0].reference,
        Some((RefKind::Branch, "main".to_owned()))
    );
    assert_eq!(
        (runs[0].title.as_str(), runs[0].actor.as_str()),
        ("deploy", "octocat")
    );
    let kept = runs[0].client_payload.as_ref().unwrap().to_string();
    assert_eq!(
        kept,
        r#"{"zebra":1.10,"apple":12345678901234567890123,"nested":{"yes":true}}"#
    );
}

#[test]
fn an_event_nobody_listens_to_starts_nothing() {
    let sandbox = start();
    let response = dispatch(&sandbox, json!({"event_type": "other"}));
    assert_eq!(response.status, 204);
    assert!(sandbox.runs().is_empty());
}

#[test]
fn the_marker_shows_in_the_title() {
    let sandbox = start();
    dispatch(
        &sandbox,
        json!({"event_type": "deploy-marked", "client_payload": {"trigger_id": "abc-1"}}),
    );
    assert_eq!(sandbox.runs()[0].title, "Marked abc-1");
    let runs = get(
        &sandbox,
        "/repos/octo-org/app/actions/runs?event=repository_dispatch",
    )
    .send();
    assert_eq!(
        runs.json()["workflow_runs"][0]["display_title"],
        "Marked abc-1"
    );
}

#[test]
fn the_marker_shows_in_the_title_as_an_input_too() {
    let marker = "11111111-2222-4333-8444-555555555555";
    for template in [
        "Build ${{ inputs.trigger_id }}",
        "Build ${{ github.event.inputs.trigger_id || 'by hand' }}",
    ] {
        let mut world = World::demo().strangers(&["hubot"]);
        let build = &mut world.github.repositories[0].workflows[0];
        let changed = build.clone().input("trigger_id", false, None);
        *build = changed.run_name(template);
        let sandbox = Sandbox::start(world).unwrap();
        let body = json!({"ref": "main", "inputs": {"trigger_id": marker}});
        workflow_dispatch(&sandbox, "build.yml", &body);
        let runs = get(&sandbox, "/repos/octo-org/app/actions/runs").send();
        let runs = runs.json()["workflow_runs"].clone();
        assert_eq!(runs[0]["display_title"], format!("Build {marker}"));
        // A stranger's run has its own marker.
        assert_eq!(runs[1]["actor"]["login"], "hubot");
        assert_ne!(runs[1]["display_title"], runs[0]["display_title"]);
        assert_ne!(sandbox.runs()[0].inputs["trigger_id"], marker);
    }
}

#[test]
fn bodies_of_repository_dispatch_are_checked() {
    let sandbox = start();
    let eleven: serde_json::Map<_, _> = (0..11)
        .map(|number| (format!("key{number}"), json!(1)))
        .collect();
    let huge = "x".repeat(65_536);
    let cases = cases! {
        {} => "Invalid request.\n\n\"event_type\" wasn't supplied.";
        {"event_type": 5} => "Invalid request.\n\nFor 'properties/event_type', 5 is not a string.";
        {"event_type": "e".repeat(101)} => "Invalid request.\n\nOnly 100 characters are allowed; 101 were supplied.";
        {"event_type": ""} => "Invalid request.\n\nAt least 1 character is required; only 0 were supplied.";
        {"event_type": "deploy", "ref": "main"} => "Invalid request.\n\n\"ref\" is not a permitted key.";
        {"event_type": "deploy", "client_payload": []} =>
            "Invalid request.\n\nFor 'properties/client_payload', [] is not an object.";
        {"event_type": "deploy", "client_payload": eleven} =>
            "Invalid request.\n\nNo more than 10 properties are allowed; 11 were supplied.";
        {"event_type": "deploy", "client_payload": {"key": huge}} => "client_payload is too large.";
    };
    for (body, message) in cases {
        let response = dispatch(&sandbox, body);
        assert_eq!(response.status_and_message(), (422, message.to_owned()));
        assert_eq!(response.json()["status"], "422");
        let page = response.json()["documentation_url"].to_string();
        assert!(
            page.contains("create-a-repository-dispatch-event"),
            "{page}"
        );
    }
    assert_eq!(
        dispatch(&sandbox, "{").status_and_message(),
        (400, "Problems parsing JSON".to_owned())
    );
    assert_eq!(dispatch(&sandbox, "[]").status_and_message().0, 400);
    assert!(sandbox.runs().is_empty());
}

#[test]
fn workflow_dispatch_returns_the_run_on_request() {
    let sandbox = start();
    let response = workflow_dispatch(
        &sandbox,
        "build.yml",
        &json!({"ref": "v1.0.0", "inputs": {"version": "1.10"}, "return_run_details": true}),
    );
    let run = &sandbox.runs()[0];
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["workflow_run_id"], run.id);
    let origin = sandbox.http_url();
    assert_eq!(
        response.json()["html_url"],
        format!("{origin}/octo-org/app/actions/runs/{}", run.id)
    );
    assert_eq!(run.reference, Some((RefKind::Tag, "v1.0.0".to_owned())));
    let inputs = Value::Object(run.inputs.clone());
    let expected =
        json!({"environment": "staging", "version": "1.10", "trigger_id": "", "caller": ""});
    assert_eq!(inputs, expected);

    for workflow in ["1-release.yml", "102"] {
        let response = workflow_dispatch(&sandbox, workflow, &json!({"ref": "refs/heads/release"}));
        assert_eq!(response.status, 204);
    }
    assert_eq!(sandbox.runs()[2].pipeline, "1-release.yml");
    assert_eq!(sandbox.runs()[2].number, 2);
    assert_eq!(sandbox.runs()[2].reference_name(), Some("release"));
}

#[test]
fn bodies_of_workflow_dispatch_are_checked() {
    let sandbox = start();
    let many: serde_json::Map<_, _> = (0..26)
        .map(|number| (format!("key{number}"), json!("1")))
        .collect();
    let cases = cases! {
        "build.yml", {"ref": "nowhere"} => "No ref found for: nowhere";
        "build.yml", {} => "Invalid request.\n\n\"ref\" wasn't supplied.";
        "build.yml", {"ref": "main", "inputs": {"x": "1"}} => r#"Unexpected inputs provided: ["x"]"#;
        "build.yml", {"ref": "main", "inputs": {"version": ["1"]}} =>
            "Invalid request.\n\nFor 'properties/inputs/version', [\"1\"] is not a string.";
        "build.yml", {"ref": "main", "inputs": many} =>
            "Invalid request.\n\nNo more than 25 properties are allowed; 26 were supplied.";
        "build.yml", {"ref": "main", "return_run_details": "yes"} =>
            "Invalid request.\n\nFor 'properties/return_run_details', \"yes\" is not a boolean.";
        "strict.yml", {"ref": "main"} => "Required input 'environment' not provided";
        "lint.yml", {"ref": "main"} => "Workflow does not have 'workflow_dispatch' trigger";
        "old.yml", {"ref": "main"} => "Cannot trigger a 'workflow_dispatch' on a disabled workflow";
    };
    for (workflow, body, message) in cases {
        let response = workflow_dispatch(&sandbox, workflow, &body);
        assert_eq!(response.status_and_message(), (422, message.to_owned()));
    }
    let unknown = workflow_dispatch(&sandbox, "1", &json!({"ref": "main"}));
    assert_eq!(unknown.status_and_message(), (404, "Not Found".to_owned()));
    assert!(sandbox.runs().is_empty());
}

#[test]
fn an_older_server_rejects_run_details() {
    let sandbox = start();
    let body = json!({"ref": "main", "return_run_details": true});
    let message = "Invalid request.\n\n\"return_run_details\" is not a permitted key.";
    for status in [400, 422] {
        let rejected = RunDetails::RejectedWith(status);
        sandbox.with_world(|world| world.github.run_details = rejected);
        let response = workflow_dispatch(&sandbox, "build.yml", &body);
        assert_eq!(response.status_and_message(), (status, message.to_owned()));
    }
    let response = workflow_dispatch(&sandbox, "build.yml", &json!({"ref": "main"}));
    assert_eq!(response.status, 204);
}

#[test]
fn a_server_can_return_a_run_id_without_urls() {
    let sandbox = start();
    sandbox.with_world(|world| world.github.run_details = RunDetails::IdOnly);
    let body = json!({"ref": "main", "return_run_details": true});
    let response = workflow_dispatch(&sandbox, "build.yml", &body);
    let id = sandbox.runs()[0].id;
    assert_eq!(
        (response.status, response.json()),
        (200, json!({"workflow_run_id": id}))
    );
}
