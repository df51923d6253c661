//! GitLab's trigger tokens: starting pipelines, and the errors for invalid requests. Access tokens are in
//! `gitlab_access_token`.

use sandbox::world::RefKind;
use sandbox::{Sandbox, demo};
use serde_json::{Value, json};

use crate::client::{Response, request, start};

pub(crate) const DEPLOYER: &str = "octo-group%2Ftools%2Fdeployer";
const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) fn trigger(sandbox: &Sandbox, project: &str, body: &Value) -> Response {
    let path = format!("/api/v4/projects/{project}/trigger/pipeline");
    request(sandbox, "POST", &path).json(body).send()
}

pub(crate) fn base(message: &str) -> Value {
    json!({"message": {"base": [message]}})
}

#[test]
fn a_trigger_token_starts_a_pipeline_with_a_form_or_json() {
    let sandbox = start();
    let form = format!(
        "token={}&ref=main&variables[KEY]=a%3Db%20c&inputs[environment]=live",
        demo::GITLAB_TRIGGER
    );
    let path = "/gitlab/api/v4/projects/4242/trigger/pipeline";
    let response = request(&sandbox, "POST", path).body(FORM, &form).send();
    assert_eq!(response.status, 201);
    let (run, origin) = (&sandbox.runs()[0], sandbox.http_url());
    assert_eq!(response.json()["id"], run.id);
    assert_eq!(response.json()["source"], "trigger");
    let page = format!(
        "{origin}/gitlab/octo-group/tools/deployer/-/pipelines/{}",
        run.id
    );
    assert_eq!(response.json()["web_url"], page);
    assert_eq!(run.variables[0].value, "a=b c");
    assert_eq!(run.inputs["environment"], "live");
    assert_eq!(run.inputs["replicas"], 1);

    let response = trigger(
        &sandbox,
        DEPLOYER,
        &json!({"token": demo::GITLAB_TRIGGER, "ref": "v3.0.0", "inputs": {"replicas": 3}}),
    );
    assert_eq!(response.json()["iid"], 2);
    assert_eq!(
        sandbox.runs()[1].reference,
        Some((RefKind::Tag, "v3.0.0".to_owned()))
    );
    assert_eq!(sandbox.runs()[1].actor, "octavia");

    // As `curl --form` sends it.
    let part = |name, value| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = [
        part("token", demo::GITLAB_TRIGGER),
        part("ref", "main"),
        part("variables[KEY]", "a=b c"),
    ];
    let form = parts.concat() + "--x--\r\n";
    let multipart = "multipart/form-data; boundary=x";
    let response = request(&sandbox, "POST", path)
        .body(multipart, &form)
        .send();
    assert_eq!(response.status, 201);
    assert_eq!(sandbox.runs()[2].variables[0].value, "a=b c");
    let response = request(&sandbox, "POST", path)
        .body(multipart, &form.replace("--x--", "--x"))
        .send();
    assert_eq!(response.status, 400);
}

#[test]
fn invalid_trigger_requests_get_gitlabs_errors() {
    let sandbox = start();
    let token = demo::GITLAB_TRIGGER;
    let locked = demo::GITLAB_TRIGGER_LOCKED;
    let not_found = json!({"message": "404 Not Found"});
    let map = "variables needs to be a map of key-valued strings";
    let cases = cases! {
        DEPLOYER, {"token": "glptt-wrong", "ref": "main"} => (404, not_found.clone());
        DEPLOYER, {"token": demo::GITLAB_DEVELOPER, "ref": "main"} => (404, not_found.clone());
        DEPLOYER, {"token": locked, "ref": "main"} => (404, not_found);
        DEPLOYER, {} => (400, json!({"error": "token is missing, ref is missing"}));
        DEPLOYER, {"token": token, "ref": "main", "variables": {"KEY": 1}} => (400, json!({"message": map}));
        DEPLOYER, {"token": token, "ref": "main", "variables": [{"key": "KEY", "value": "1"}]} =>
            (400, json!({"error": "variables is invalid"}));
        DEPLOYER, {"token": token, "ref": "nowhere"} => (400, base("Reference not found"));
        DEPLOYER, {"token": token, "ref": "main", "inputs": {"colour": "red"}} =>
            (400, base("unknown input arguments: colour"));
        DEPLOYER, {"token": token, "ref": "main", "inputs": {"replicas": "3"}} =>
            (400, base("`replicas` input: provided value is not a number"));
        "4243", {"token": locked, "ref": "main"} => (400, base("Insufficient permissions to set pipeline variables"));
    };
    for (project, body, expected) in cases {
        let response = trigger(&sandbox, project, &body);
        assert_eq!((response.status, response.json()), expected, "{body}");
    }
    let unknown = trigger(
        &sandbox,
        DEPLOYER,
        &json!({"token": token, "ref": "main", "reff": 1}),
    );
    assert_eq!(unknown.status, 400);
    let path = "/api/v4/projects/4242/trigger/pipeline";
    let looped = request(&sandbox, "POST", path).header("X-Gitlab-Event", "Pipeline Hook");
    assert_eq!(
        looped
            .json(json!({"token": token, "ref": "main"}))
            .send()
            .status,
        403
    );
    assert!(sandbox.runs().is_empty());
}
