//! GitHub: permissions, redirects, and reads of workflows and runs. Apps are in `github_app`.

use sandbox::demo;
use sandbox::world::MissingPermission;
use serde_json::json;

use crate::client::{request, start};
use crate::github::{DISPATCHES, get, workflow_dispatch};

#[test]
fn each_credential_grants_only_its_own_rights() {
    let sandbox = start();
    let try_with = |token: &str, path: &str| {
        let request = request(&sandbox, "POST", path).bearer(token);
        let response = request.json(json!({"event_type": "nobody"})).send();
        let needed = response.headers.get("x-accepted-github-permissions");
        let message = if response.status == 204 {
            String::new()
        } else {
            response.status_and_message().1
        };
        (response.status, message, needed.map(str::to_owned))
    };
    let refused = |status, message: &str, needed: Option<&str>| {
        (status, message.to_owned(), needed.map(str::to_owned))
    };
    let private = "/api/v3/repos/octo-org/private/dispatches";
    let write = Some("contents=write");
    for token in [
        demo::GITHUB_CLASSIC,
        demo::GITHUB_FINE_GRAINED,
        demo::GITHUB_WORKFLOW,
    ] {
        assert_eq!(try_with(token, DISPATCHES).0, 204, "{token}");
    }
    assert_eq!(try_with(demo::GITHUB_CLASSIC, private).0, 204);
    assert_eq!(
        try_with("ghp_wrong", DISPATCHES),
        refused(401, "Bad credentials", None)
    );
    assert_eq!(
        try_with(demo::GITHUB_CLASSIC_WITHOUT_REPO, DISPATCHES),
        refused(404, "Not Found", write)
    );
    assert_eq!(
        try_with(demo::GITHUB_FINE_GRAINED_READ_ONLY, DISPATCHES),
        refused(
            403,
            "Resource not accessible by personal access token",
            write
        )
    );
    assert_eq!(
        try_with(demo::GITHUB_WORKFLOW_OF_CALLER, DISPATCHES),
        refused(403, "Resource not accessible by integration", write)
    );
    assert_eq!(
        try_with(demo::GITHUB_FINE_GRAINED, private),
        refused(404, "Not Found", None)
    );
    sandbox.with_world(|world| world.github.missing_permission = MissingPermission::NotFound);
    assert_eq!(
        try_with(demo::GITHUB_WORKFLOW_OF_CALLER, DISPATCHES),
        refused(404, "Not Found", write)
    );
    let anonymous = request(&sandbox, "POST", DISPATCHES).json("{}").send();
    assert_eq!(
        anonymous.status_and_message(),
        (401, "Requires authentication".to_owned())
    );
}

#[test]
fn a_user_agent_is_required_and_the_version_must_be_known() {
    let sandbox = start();
    let response = get(&sandbox, "/repos/octo-org/app")
        .without("User-Agent")
        .send();
    assert_eq!(response.status, 403);
    assert!(response.text().contains("User-Agent"));
    let request = get(&sandbox, "/repos/octo-org/app").header("X-GitHub-Api-Version", "2019-01-01");
    assert_eq!(request.send().status, 400);
}

#[test]
fn a_renamed_repository_redirects_to_its_canonical_url() {
    let sandbox = start();
    let response = get(&sandbox, "/repos/octo-org/renamed-app").send();
    let origin = sandbox.http_url();
    let location = format!("{origin}/api/v3/repositories/1001");
    assert_eq!(response.status, 301);
    assert_eq!(response.headers.get("location"), Some(location.as_str()));

    let path = "/api/v3/repos/octo-org/renamed-app/dispatches";
    let redirected = request(&sandbox, "POST", path).bearer(demo::GITHUB_CLASSIC);
    let response = redirected.json(json!({"event_type": "deploy"})).send();
    assert_eq!(response.status, 307);
    let location = response.headers.get("location").unwrap();
    assert!(sandbox.runs().is_empty());
    let path = location.strip_prefix(&origin).unwrap();
    let followed = request(&sandbox, "POST", path).bearer(demo::GITHUB_CLASSIC);
    assert_eq!(
        followed.json(json!({"event_type": "deploy"})).send().status,
        204
    );
}

#[test]
fn workflows_are_listed_page_by_page() {
    let sandbox = start();
    let path = "/repos/octo-org/app/actions/workflows?per_page=5";
    let first = get(&sandbox, path).send();
    assert_eq!(first.json()["total_count"], 9);
    assert_eq!(
        first.json()["workflows"][1]["path"],
        ".github/workflows/1-release.yml"
    );
    assert_eq!(first.json()["workflows"][2]["state"], "disabled_manually");
    let link = first.headers.get("link").unwrap();
    assert!(link.contains("page=2>; rel=\"next\""), "{link}");
    let second = get(&sandbox, &format!("{path}&page=2")).send();
    assert_eq!(second.json()["workflows"].as_array().unwrap().len(), 4);
    assert!(!second.headers.get("link").unwrap().contains("next"));
    let one = get(
        &sandbox,
        "/repos/octo-org/app/actions/workflows/1-release.yml",
    )
    .send();
    assert_eq!(one.json()["id"], 102);
}

#[test]
fn runs_are_found_by_filters_and_cancelled_once() {
    let sandbox = start();
    workflow_dispatch(&sandbox, "build.yml", &json!({"ref": "main"}));
    workflow_dispatch(&sandbox, "1-release.yml", &json!({"ref": "release"}));
    let count = |query: &str| {
        let path = format!("/repos/octo-org/app/actions/runs?{query}");
        get(&sandbox, &path).send().json()["total_count"].as_u64()
    };
    assert_eq!(count("event=workflow_dispatch"), Some(2));
    assert_eq!(count("event=push"), Some(0));
    assert_eq!(count("branch=release"), Some(1));
    assert_eq!(count("created=%3E%3D2026-01-01T00:00:00Z"), Some(2));
    assert_eq!(count("created=%3E%3D2999-01-01T00:00:00Z"), Some(0));
    assert_eq!(count("created=2020-01-01..*"), Some(2));
    assert_eq!(count("status=completed"), Some(0));
    let of_one = get(&sandbox, "/repos/octo-org/app/actions/workflows/101/runs").send();
    assert_eq!(of_one.json()["total_count"], 1);

    let id = sandbox.runs()[0].id;
    let path = format!("/api/v3/repos/octo-org/app/actions/runs/{id}/cancel");
    let cancel = request(&sandbox, "POST", &path).bearer(demo::GITHUB_CLASSIC);
    assert_eq!(cancel.send().status, 202);
    assert_eq!(cancel.send().status, 409);
    let run = get(&sandbox, &format!("/repos/octo-org/app/actions/runs/{id}")).send();
    assert_eq!(run.json()["conclusion"], "cancelled");
    assert!(sandbox.runs()[0].cancelled);
    assert!(!sandbox.runs()[1].cancelled);
}
