//! Bitbucket: starting, reading and stopping pipelines, and the errors for invalid requests.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sandbox::world::RefKind;
use sandbox::{Sandbox, demo};
use serde_json::{Value, json};

use crate::client::{RequestBuilder, Response, request, start};

const SERVICE: &str = "/2.0/repositories/octo-workspace/service";

fn basic(request: RequestBuilder, user: &str, token: &str) -> RequestBuilder {
    let credentials = BASE64_STANDARD.encode(format!("{user}:{token}"));
    request.header("Authorization", &format!("Basic {credentials}"))
}

fn post(sandbox: &Sandbox) -> RequestBuilder {
    request(sandbox, "POST", &format!("{SERVICE}/pipelines"))
}

fn create(sandbox: &Sandbox, body: impl ToString) -> Response {
    post(sandbox)
        .bearer(demo::BITBUCKET_ACCESS)
        .json(body)
        .send()
}

fn branch(name: &str) -> Value {
    json!({"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": name})
}

fn on_main_with(member: &str, value: &Value) -> Value {
    let mut target = branch("main");
    target[member] = value.clone();
    json!({"target": target})
}

#[test]
fn pipelines_start_for_branches_tags_and_commits() {
    let sandbox = start();
    let response = create(&sandbox, json!({"target": branch("main")}));
    assert_eq!(response.status, 201);
    assert_eq!(response.json()["build_number"], 1);
    assert_eq!(response.json()["state"]["name"], "PENDING");
    assert!(response.json()["state"].get("result").is_none());
    let location = response.headers.get("location").unwrap();
    let path = location.strip_prefix(&sandbox.http_url()).unwrap();
    let found = request(&sandbox, "GET", path)
        .bearer(demo::BITBUCKET_ACCESS)
        .send();
    assert_eq!(found.json()["uuid"], response.json()["uuid"]);

    let tag = json!({"type": "pipeline_ref_target", "ref_type": "tag", "ref_name": "v2.0.0"});
    assert_eq!(create(&sandbox, json!({"target": tag})).status, 201);
    let commit = json!({
        "type": "pipeline_commit_target",
        "commit": {"type": "commit", "hash": demo::BITBUCKET_COMMIT},
        "selector": {"type": "custom", "pattern": "deploy"},
    });
    let variables = json!([{"key": "KEY", "value": "a=b", "secured": true}]);
    let response = create(&sandbox, json!({"target": commit, "variables": variables}));
    assert_eq!(response.status, 201);
    assert!(!response.text().contains("a=b"));

    let runs = sandbox.runs();
    assert_eq!(runs[1].reference, Some((RefKind::Tag, "v2.0.0".to_owned())));
    assert_eq!(
        (runs[2].pipeline.as_str(), runs[2].reference_name()),
        ("deploy", None)
    );
    assert_eq!(runs[2].commit, demo::BITBUCKET_COMMIT);
    assert!(runs[2].variables[0].secured);
}

#[test]
fn invalid_targets_get_bitbuckets_errors() {
    let sandbox = start();
    let selector = json!({"type": "custom", "pattern": "unknown"});
    let commit = json!({"type": "commit", "hash": demo::BITBUCKET_COMMIT});
    let bare_commit = json!({"type": "pipeline_commit_target", "commit": commit});
    let cases = cases! {
        {"target": branch("nowhere")} => (404, "Could not find last reference for branch nowhere");
        {"target": branch("v2.0.0")} => (404, "Could not find last reference for branch v2.0.0");
        (on_main_with("selector", &selector)) => (400, "Requested selector is not found in bitbucket-pipelines.yml.");
        {"target": branch("experiment")} => (400, "No pipeline is defined for branch experiment.");
        {"target": bare_commit} => (400, "The target has no selector.");
        (on_main_with("commit", &json!({}))) => (400, "type is missing, empty or not a string.");
        (on_main_with("commit", &json!({"type": "commit", "hash": ""}))) =>
            (400, "hash is missing, empty or not a string.");
        (on_main_with("sha", &json!("x"))) =>
            (400, "Unknown member sha of the target (Bitbucket itself would ignore it).");
        {} => (400, "The body has no target.");
        {"target": {"type": "pipeline_ref_target", "ref_name": "main"}} =>
            (400, "ref_type is missing, empty or not a string.");
        {"target": branch("main"), "variables": [{"key": "1", "value": "1"}]} =>
            (400, "A variable's key can contain only letters, digits and '_', and begins with no digit.");
        {"target": branch("main"), "variables": [{"key": "KEY", "value": 1}]} =>
            (400, "A variable's value is missing or not a string.");
    };
    for (body, (status, detail)) in cases {
        let response = create(&sandbox, &body);
        let error = &response.json()["error"];
        assert_eq!(
            (response.status, &error["detail"]),
            (status, &json!(detail)),
            "{body}"
        );
        assert_eq!(response.json()["type"], "error");
        assert!(error["data"]["key"].is_string());
    }
    assert!(sandbox.runs().is_empty());
}

#[test]
fn each_credential_grants_only_its_own_rights() {
    let sandbox = start();
    let try_with = |request: RequestBuilder| request.json(json!({"target": branch("main")})).send();
    let email = demo::BITBUCKET_EMAIL;
    assert_eq!(
        try_with(basic(post(&sandbox), email, demo::BITBUCKET_API)).status,
        201
    );
    let user_name = basic(post(&sandbox), "octavia", demo::BITBUCKET_API);
    assert_eq!(try_with(user_name).status, 401);
    assert_eq!(
        try_with(post(&sandbox).bearer(demo::BITBUCKET_API)).status,
        401
    );
    assert_eq!(try_with(post(&sandbox).bearer("ATCTT3xWrong")).status, 401);
    assert_eq!(try_with(post(&sandbox)).status, 401);

    let read_only = try_with(post(&sandbox).bearer(demo::BITBUCKET_ACCESS_READ_ONLY));
    assert_eq!(read_only.status, 403);
    assert_eq!(read_only.headers.get("x-oauth-scopes"), Some("pipeline"));
    assert_eq!(
        read_only.headers.get("x-accepted-oauth-scopes"),
        Some("pipeline:write")
    );
    let detail = json!({"granted": ["pipeline"], "required": ["pipeline:write"]});
    assert_eq!(read_only.json()["error"]["detail"], detail);
    let write_only = basic(post(&sandbox), email, demo::BITBUCKET_API_WRITE_ONLY);
    assert_eq!(try_with(write_only).status, 403);
    assert_eq!(sandbox.runs().len(), 1);
}

#[test]
fn hidden_repositories_are_html_and_missing_ones_json() {
    let sandbox = start();
    let get = |path: &str, token: &str| request(&sandbox, "GET", path).bearer(token).send();
    let hidden = get(
        "/2.0/repositories/octo-workspace/hidden",
        demo::BITBUCKET_ACCESS,
    );
    assert_eq!(hidden.status, 404);
    assert!(
        hidden
            .headers
            .get("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let missing = get(
        "/2.0/repositories/octo-workspace/none",
        demo::BITBUCKET_ACCESS,
    );
    assert_eq!(
        (missing.status, &missing.json()["type"]),
        (404, &json!("error"))
    );
    let service = get(SERVICE, demo::BITBUCKET_ACCESS);
    assert_eq!(service.json()["mainbranch"]["name"], "main");
    assert_eq!(get(SERVICE, demo::BITBUCKET_ACCESS_READ_ONLY).status, 403);
}

#[test]
fn pipelines_are_read_listed_and_stopped() {
    let sandbox = start();
    create(&sandbox, json!({"target": branch("main")}));
    create(&sandbox, json!({"target": branch("develop")}));
    let read = |path: &str| {
        let request = request(&sandbox, "GET", &format!("{SERVICE}/pipelines/{path}"));
        request.bearer(demo::BITBUCKET_ACCESS_READ_ONLY).send()
    };
    let list = read("?pagelen=1");
    assert_eq!(list.json()["values"][0]["build_number"], 1);
    assert!(list.json()["next"].as_str().unwrap().contains("page=2"));
    assert_eq!(
        read("?sort=-created_on").json()["values"][0]["build_number"],
        2
    );
    assert_eq!(read("2").json()["target"]["ref_name"], "develop");
    assert_eq!(read("3").status, 404);

    let uuid = sandbox.runs()[0]
        .uuid()
        .replace('{', "%7B")
        .replace('}', "%7D");
    let path = format!("{SERVICE}/pipelines/{uuid}/stopPipeline");
    let stop = request(&sandbox, "POST", &path).bearer(demo::BITBUCKET_ACCESS);
    assert_eq!(stop.send().status, 204);
    assert_eq!(stop.send().status, 400);
    assert_eq!(read("1").json()["state"]["result"]["name"], "STOPPED");
    assert!(sandbox.runs()[0].cancelled);
}
