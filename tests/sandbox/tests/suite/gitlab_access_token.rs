//! GitLab's access tokens: starting, reading and cancelling pipelines, and the errors for invalid requests. Trigger
//! tokens are in `gitlab`.

use sandbox::world::{Configuration, State, VariableKind};
use sandbox::{Sandbox, demo};
use serde_json::{Value, json};

use crate::client::{RequestBuilder, Response, request, start};
use crate::gitlab::{DEPLOYER, base, trigger};

fn api(sandbox: &Sandbox, method: &str, path: &str, token: &str) -> RequestBuilder {
    request(sandbox, method, &format!("/api/v4/projects/{path}")).header("PRIVATE-TOKEN", token)
}

fn create(sandbox: &Sandbox, project: &str, token: &str, body: &Value) -> Response {
    let path = format!("{project}/pipeline");
    api(sandbox, "POST", &path, token).json(body).send()
}

#[test]
fn an_access_token_starts_a_pipeline() {
    let sandbox = start();
    let response = create(
        &sandbox,
        DEPLOYER,
        demo::GITLAB_DEVELOPER,
        &json!({
            "ref": "main",
            "variables": [
                {"key": "PLAIN", "value": "1"},
                {"key": "FILE", "value": "text", "variable_type": "file"},
            ],
            "inputs": {"debug": true, "regions": ["eu"]},
        }),
    );
    assert_eq!(
        (response.status, &response.json()["source"]),
        (201, &json!("api"))
    );
    let run = &sandbox.runs()[0];
    assert_eq!(run.variables[1].kind, VariableKind::File);
    assert_eq!(run.inputs["regions"], json!(["eu"]));
    let inputs_only = json!({"ref": "main", "inputs": {"environment": "live"}});
    assert_eq!(
        create(&sandbox, "4243", demo::GITLAB_DEVELOPER, &inputs_only).status,
        201
    );
}

#[test]
fn invalid_requests_with_access_tokens_get_gitlabs_errors() {
    let sandbox = start();
    let developer = demo::GITLAB_DEVELOPER;
    let no_jobs = "Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from \
                   being added to the pipeline.";
    let insufficient_scope = json!({
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the access token.",
        "scope": "api",
    });
    let cases = cases! {
        ("4242", "glpat-wrong"), {"ref": "main"} => (401, json!({"message": "401 Unauthorized"}));
        ("4242", demo::GITLAB_READ_API), {"ref": "main"} =>
            (403, insufficient_scope);
        ("4242", demo::GITLAB_REPORTER), {"ref": "main"} => (403, json!({"message": "403 Forbidden"}));
        ("4245", developer), {"ref": "main"} => (404, json!({"message": "404 Project Not Found"}));
        ("4244", developer), {"ref": "main"} => (400, base(no_jobs));
        ("4243", developer), {"ref": "main", "variables": [{"key": "KEY", "value": "1"}]} =>
            (400, base("Insufficient permissions to set pipeline variables"));
        ("4242", developer), {"ref": "main", "variables": {"KEY": "1"}} =>
            (400, json!({"error": "variables is invalid"}));
        ("4242", developer), {"ref": "main", "variables": [{"key": "KEY", "value": 1}]} =>
            (400, json!({"error": "variables[0][value] is invalid"}));
        ("4242", developer), {"ref": "main", "variables": [{"key": "K", "value": "", "variable_type": "x"}]} =>
            (400, json!({"error": "variables[0][variable_type] does not have a valid value"}));
        ("4242", developer), {} => (400, json!({"error": "ref is missing"}));
    };
    for ((project, token), body, expected) in cases {
        let response = create(&sandbox, project, token, &body);
        assert_eq!((response.status, response.json()), expected, "{body}");
    }
    let protected = create(&sandbox, "4242", developer, &json!({"ref": "production"}));
    assert_eq!(protected.status, 400);
    let message = "You do not have sufficient permission to run a pipeline on 'production'";
    assert!(protected.text().contains(message), "{}", protected.text());
    assert!(sandbox.runs().is_empty());
    let maintainer = demo::GITLAB_MAINTAINER;
    let allowed = create(&sandbox, "4242", maintainer, &json!({"ref": "production"}));
    assert_eq!(allowed.status, 201);
}

#[test]
fn an_invalid_configuration_leaves_a_failed_pipeline_of_a_trigger_token() {
    let sandbox = start();
    sandbox.with_world(|world| {
        world.gitlab.projects[0].configuration =
            Configuration::Invalid("jobs:x is broken".to_owned());
    });
    let body = json!({"token": demo::GITLAB_TRIGGER, "ref": "main"});
    let response = trigger(&sandbox, "4242", &body);
    assert_eq!(
        (response.status, response.json()),
        (422, base("jobs:x is broken"))
    );
    assert_eq!(sandbox.runs()[0].state, State::Completed);
    let response = create(
        &sandbox,
        "4242",
        demo::GITLAB_DEVELOPER,
        &json!({"ref": "main"}),
    );
    assert_eq!((response.status, sandbox.runs().len()), (400, 1));
}

#[test]
fn projects_and_pipelines_are_read_listed_and_cancelled() {
    let sandbox = start();
    let anonymous = request(&sandbox, "GET", &format!("/api/v4/projects/{DEPLOYER}")).send();
    assert_eq!(anonymous.json()["default_branch"], "main");
    let decoded = request(
        &sandbox,
        "GET",
        "/api/v4/projects/octo-group/tools/deployer",
    )
    .send();
    assert_eq!(decoded.status, 404);
    for reference in ["main", "release"] {
        create(
            &sandbox,
            "4242",
            demo::GITLAB_DEVELOPER,
            &json!({"ref": reference}),
        );
    }
    let read = |path: &str| api(&sandbox, "GET", path, demo::GITLAB_READ_API).send();
    let list = read("4242/pipelines?order_by=id&sort=desc&per_page=1");
    assert_eq!(list.json()[0]["ref"], "release");
    assert_eq!(list.headers.get("x-next-page"), Some("2"));
    assert!(list.headers.get("link").unwrap().contains("rel=\"next\""));
    assert_eq!(
        read("4242/pipelines?ref=main")
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let id = sandbox.runs()[0].id;
    assert_eq!(
        read(&format!("4242/pipelines/{id}")).json()["status"],
        "created"
    );
    let path = format!("4242/pipelines/{id}/cancel");
    for _ in 0..2 {
        let response = api(&sandbox, "POST", &path, demo::GITLAB_DEVELOPER).send();
        assert_eq!(
            (response.status, &response.json()["status"]),
            (200, &json!("canceled"))
        );
    }
    assert!(sandbox.runs()[0].cancelled);
    assert_eq!(read("4242/pipelines/1").status, 404);
}

#[test]
fn a_moved_project_redirects_reads_and_refuses_writes() {
    let sandbox = start();
    sandbox.with_world(|world| {
        world.gitlab.projects[0].former_paths = vec!["octo-group/old".to_owned()];
    });
    let former = "octo-group%2Fold";
    for (path, query) in [("", ""), ("/pipelines", "?per_page=1")] {
        let path = format!("{former}{path}{query}");
        let moved = api(&sandbox, "GET", &path, demo::GITLAB_DEVELOPER).send();
        let expected = path.replace(former, &demo::GITLAB_PROJECT_ID.to_string());
        let expected = format!("{}/api/v4/projects/{expected}", sandbox.http_url());
        assert_eq!(moved.status, 301);
        assert_eq!(moved.headers.get("location"), Some(expected.as_str()));
    }
    let refused = create(
        &sandbox,
        former,
        demo::GITLAB_DEVELOPER,
        &json!({"ref": "main"}),
    );
    let message = "Non GET methods are not allowed for moved projects";
    assert_eq!(refused.status_and_message(), (405, message.to_owned()));
    assert_eq!(sandbox.runs().len(), 0);
}

#[test]
fn pipelines_per_project_and_minute_are_limited() {
    let sandbox = start();
    sandbox.with_world(|world| world.gitlab.max_pipelines_a_minute = Some(2));
    let statuses = [(); 3].map(|()| {
        let body = json!({"ref": "main"});
        create(&sandbox, DEPLOYER, demo::GITLAB_DEVELOPER, &body).status
    });
    assert_eq!(statuses, [201, 201, 400]);
}
