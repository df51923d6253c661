//! GitLab: the variables of a pipeline, and its name. Either can contain the marker of a caller.

use sandbox::world::{GitLabToken, InputKind, Role};
use sandbox::{Fault, Moment, Occasion, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::client::{Response, request};
use crate::gitlab::trigger;
use crate::scenarios::{GITLAB, read, start};

const MARKER: &str = "11111111-2222-4333-8444-555555555555";

/// The demo world with this `workflow: name:` in `octo-group/tools/deployer`.
fn named(template: &str) -> World {
    let mut world = World::demo();
    let project = world.gitlab.projects.remove(0);
    let project =
        project
            .pipeline_name(template)
            .input("marker", InputKind::String, Some(json!("")));
    world.gitlab.projects.insert(0, project);
    world
}

/// Starts a pipeline with this marker as a variable, and returns its path.
fn marked(sandbox: &Sandbox, marker: &str) -> String {
    let body = json!({"ref": "main", "variables": [
        {"key": "TRIGGER_ID", "value": marker},
        {"key": "SETTINGS", "value": "a=b", "variable_type": "file"},
    ]});
    create(sandbox, &body)
}

fn create(sandbox: &Sandbox, body: &Value) -> String {
    let request = request(sandbox, "POST", &format!("{GITLAB}/pipeline"));
    let response = request.bearer(demo::GITLAB_DEVELOPER).json(body).send();
    assert_eq!(response.status, 201, "{response:?}");
    // Only reads and lists show the name.
    assert_eq!(response.json().get("name"), None);
    format!("{GITLAB}/pipelines/{}", response.json()["id"])
}

fn variables(sandbox: &Sandbox, path: &str, token: &str) -> Response {
    let request = request(sandbox, "GET", &format!("{path}/variables"));
    request.header("PRIVATE-TOKEN", token).send()
}

#[test]
fn a_pipeline_takes_its_name_from_a_variable_or_an_input() {
    let sandbox = start(named("Deploy ${TRIGGER_ID}$[[ inputs.marker ]]"));
    let first = marked(&sandbox, MARKER);
    let second = create(
        &sandbox,
        &json!({"ref": "main", "inputs": {"marker": "abc-1"}}),
    );
    let name = format!("Deploy {MARKER}");
    assert_eq!(read(&sandbox, &first)["name"], name);
    assert_eq!(read(&sandbox, &second)["name"], "Deploy abc-1");
    let list = |query: &str| {
        let list = read(&sandbox, &format!("{GITLAB}/pipelines?{query}"));
        let names = list.as_array().expect("a list").iter();
        names.map(|one| one["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(list(""), [json!("Deploy abc-1"), json!(name)]);
    assert_eq!(list(&format!("name=Deploy%20{MARKER}")), [json!(name)]);
    assert_eq!(list("name=Deploy"), [Value::Null; 0]);
    assert_eq!(list("name=").len(), 2);

    let sandbox = start(named("$UNKNOWN"));
    assert_eq!(
        read(&sandbox, &marked(&sandbox, MARKER))["name"],
        Value::Null
    );
    let sandbox = start(World::demo());
    assert_eq!(
        read(&sandbox, &marked(&sandbox, MARKER))["name"],
        Value::Null
    );
}

#[test]
fn the_variables_of_a_request_are_shown_to_who_sent_it_and_to_maintainers() {
    let others = GitLabToken::new("glpat-other", "otto", &["api"]);
    let owner = "octo-group/tools/deployer";
    let sandbox = start(World::demo().gitlab_token(others.member(owner, Role::Developer)));
    let path = marked(&sandbox, MARKER);
    let expected = json!([
        {"variable_type": "env_var", "key": "TRIGGER_ID", "value": MARKER, "raw": false},
        {"variable_type": "file", "key": "SETTINGS", "value": "a=b", "raw": false},
    ]);
    // The second one belongs to the same person.
    for token in [
        demo::GITLAB_DEVELOPER,
        demo::GITLAB_READ_API,
        demo::GITLAB_MAINTAINER,
    ] {
        let shown = variables(&sandbox, &path, token);
        assert_eq!(
            (shown.status, shown.json()),
            (200, expected.clone()),
            "{token}"
        );
    }
    for token in ["glpat-other", demo::GITLAB_REPORTER] {
        let refused = variables(&sandbox, &path, token);
        let message = (403, "403 Forbidden".to_owned());
        assert_eq!(refused.status_and_message(), message, "{token}");
    }
    // The project and its pipelines are public, but not the variables.
    let anonymous = request(&sandbox, "GET", &format!("{path}/variables")).send();
    assert_eq!(anonymous.status, 403);
    let unknown = variables(
        &sandbox,
        &format!("{GITLAB}/pipelines/1"),
        demo::GITLAB_DEVELOPER,
    );
    assert_eq!(unknown.status, 404);

    // On a protected branch, the person who started it must also be a maintainer.
    sandbox.with_world(|world| world.gitlab.projects[0].protected.push("main".to_owned()));
    assert_eq!(
        variables(&sandbox, &path, demo::GITLAB_DEVELOPER).status,
        403
    );
    assert_eq!(
        variables(&sandbox, &path, demo::GITLAB_MAINTAINER).status,
        200
    );
}

#[test]
fn a_trigger_tokens_request_is_one_of_the_variables_but_for_the_token() {
    let sandbox = start(World::demo());
    let body =
        json!({"token": demo::GITLAB_TRIGGER, "ref": "main", "variables": {"TRIGGER_ID": MARKER}});
    let response = trigger(&sandbox, "4242", &body);
    assert_eq!(response.json().get("name"), None);
    let path = format!("{GITLAB}/pipelines/{}", response.json()["id"]);
    let shown = variables(&sandbox, &path, demo::GITLAB_DEVELOPER).json();
    assert_eq!(shown[0]["key"], "TRIGGER_ID");
    assert_eq!(shown[1]["key"], "TRIGGER_PAYLOAD");
    assert_eq!(shown[1]["variable_type"], "file");
    let payload = shown[1]["value"].as_str().expect("a string");
    let payload: Value = serde_json::from_str(payload).expect("JSON");
    let expected = json!({"ref": "main", "variables": {"TRIGGER_ID": MARKER}, "id": "4242"});
    assert_eq!(payload, expected);
}

#[test]
fn strangers_pipelines_have_their_own_markers() {
    let sandbox = start(named("Deploy $TRIGGER_ID").strangers(&["hubot"]));
    let own = marked(&sandbox, MARKER);
    let runs = sandbox.runs();
    assert!(runs[0].by_stranger && !runs[1].by_stranger);
    let stranger = format!("{GITLAB}/pipelines/{}", runs[0].id);
    let shown = variables(&sandbox, &stranger, demo::GITLAB_MAINTAINER).json();
    assert_ne!(shown[0]["value"], MARKER);
    assert_eq!(shown[1]["value"], "a=b");
    let marker = shown[0]["value"].as_str().expect("a string");
    assert_eq!(
        read(&sandbox, &stranger)["name"],
        format!("Deploy {marker}")
    );
    assert_eq!(read(&sandbox, &own)["name"], format!("Deploy {MARKER}"));
}

#[test]
fn variables_can_fail_to_be_read() {
    let sandbox = start(World::demo());
    let path = marked(&sandbox, MARKER);
    let fault = Fault::status(Moment::AfterActing, 502);
    sandbox.fault(
        Route::any().path_end("/variables"),
        Occasion::First(1),
        fault,
    );
    assert_eq!(
        variables(&sandbox, &path, demo::GITLAB_DEVELOPER).status,
        502
    );
    assert_eq!(
        variables(&sandbox, &path, demo::GITLAB_DEVELOPER).status,
        200
    );
}
