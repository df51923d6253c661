//! GitHub: commit statuses, and who may set and read them.

use std::time::SystemTime;

use sandbox::world::{Access, CommitStatus, GitHubToken, StatusState};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::client::{Response, request};

const CALLER: &str = "octo-org/caller";
const REPOSITORY: &str = "/api/v3/repos/octo-org/caller";
const TOKEN: &str = demo::GITHUB_WORKFLOW_OF_CALLER;
const COMMIT: &str = demo::GITHUB_CALLER_COMMIT;

/// The demo world, in which the caller's `GITHUB_TOKEN` may set statuses.
fn start() -> Sandbox {
    Sandbox::start(World::demo().grant(TOKEN, "statuses", Access::Write)).unwrap()
}

fn set_as(sandbox: &Sandbox, token: &str, sha: &str, body: impl ToString) -> Response {
    let path = format!("{REPOSITORY}/statuses/{sha}");
    let request = request(sandbox, "POST", &path).bearer(token);
    request.json(body).send()
}

fn set(sandbox: &Sandbox, body: impl ToString) -> Response {
    set_as(sandbox, TOKEN, COMMIT, body)
}

fn read(sandbox: &Sandbox, path: &str) -> Response {
    let path = format!("{REPOSITORY}/commits/{path}");
    request(sandbox, "GET", &path).bearer(TOKEN).send()
}

fn contexts(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|status| status["context"].as_str().expect("a context"))
        .collect()
}

#[test]
fn a_status_is_set_and_recorded() {
    let sandbox = start();
    let before = SystemTime::now();
    let body = json!({
        "state": "pending",
        "context": "deploy",
        "description": "1 of 2 jobs done",
        "target_url": "https://gitlab.com/octo-group/app/-/pipelines/7",
    });
    let response = set(&sandbox, body);
    assert_eq!(response.status, 201);
    let path = format!("{}{REPOSITORY}/statuses/{COMMIT}", sandbox.http_url());
    assert_eq!(response.headers.get("location"), Some(path.as_str()));
    let shown = response.json();
    assert_eq!(shown["url"], path);
    assert_eq!(shown["creator"]["login"], "github-actions[bot]");
    assert_eq!(shown["description"], "1 of 2 jobs done");

    let statuses = sandbox.statuses();
    let recorded = CommitStatus {
        id: shown["id"].as_u64().unwrap(),
        at: statuses[0].at,
        ..CommitStatus::new(CALLER, COMMIT, "deploy", StatusState::Pending)
            .description("1 of 2 jobs done")
            .target_url("https://gitlab.com/octo-group/app/-/pipelines/7")
            .creator("github-actions[bot]")
    };
    assert_eq!(statuses, [recorded]);
    assert!(statuses[0].at >= before);

    assert_eq!(set(&sandbox, json!({"state": "error"})).status, 201);
    let status = &sandbox.statuses()[1];
    assert_eq!(status.context, "default");
    assert_eq!((&status.description, &status.target_url), (&None, &None));
}

#[test]
fn statuses_that_github_would_not_take_are_refused() {
    let sandbox = start();
    let of_status = |field: &str, message: &str| {
        let error =
            json!({"resource": "Status", "code": "custom", "field": field, "message": message});
        ("Validation Failed".to_owned(), json!([error]))
    };
    let invalid = |message: &str| (format!("Invalid request.\n\n{message}"), Value::Null);
    let cases = cases! {
        {} => invalid("\"state\" wasn't supplied.");
        {"state": "cancelled"} => of_status("state", "state is not included in the list");
        {"state": "pending", "description": "ü".repeat(141)} =>
            of_status("description", "description is too long (maximum is 140 characters)");
        {"state": "pending", "target_url": "gitlab.com/octo-group"} =>
            of_status("target_url", "target_url must use http(s) scheme");
        {"state": "pending", "context": 7} => invalid("For 'properties/context', 7 is not a string.");
        {"state": "pending", "sha": COMMIT} => invalid("\"sha\" is not a permitted key.");
    };
    for (body, (message, errors)) in cases {
        let response = set(&sandbox, &body);
        assert_eq!(response.status_and_message(), (422, message), "{body}");
        assert_eq!(response.json()["errors"], errors, "{body}");
        let page = response.json()["documentation_url"].to_string();
        assert!(page.contains("create-a-commit-status"), "{page}");
    }
    for sha in ["main", &COMMIT[..7], &COMMIT.replace('8', "9")] {
        let response = set_as(&sandbox, TOKEN, sha, json!({"state": "success"}));
        let message = format!("No commit found for SHA: {sha}");
        assert_eq!(response.status_and_message(), (422, message));
    }
    assert_eq!(sandbox.statuses(), []);
    let longest = json!({"state": "pending", "description": "ü".repeat(140)});
    assert_eq!(set(&sandbox, longest).status, 201);
}

#[test]
fn a_commit_and_context_have_at_most_a_thousand_statuses() {
    let sandbox = start();
    let status = |context: &str| CommitStatus::new(CALLER, COMMIT, context, StatusState::Pending);
    sandbox.with_world(|world| {
        for _ in 0..999 {
            world.add_status(status("deploy"));
        }
    });
    let body = json!({"state": "success", "context": "Deploy"});
    assert_eq!(set(&sandbox, &body).status, 201);
    let refused = set(&sandbox, &body);
    let message =
        "Validation failed: This SHA and context has reached the maximum number of statuses.";
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["errors"], message);
    let other = json!({"state": "success", "context": "deploy 2"});
    assert_eq!(set(&sandbox, other).status, 201);
    assert_eq!(sandbox.statuses().len(), 1_001);
}

#[test]
fn statuses_need_a_permission_or_a_scope() {
    let classic = |value: &str, scope: &str| {
        GitHubToken::classic(value, "octocat", &[scope]).for_repository(CALLER)
    };
    let fine_grained = |value: &str, access| {
        let permissions = [("statuses", access)];
        GitHubToken::fine_grained(value, "octocat", &permissions).for_repository(CALLER)
    };
    let world = World::demo()
        .github_token(classic("ghp_repo", "repo"))
        .github_token(classic("ghp_status", "repo:status"))
        .github_token(classic("ghp_org", "read:org"))
        .github_token(fine_grained("github_pat_write", Access::Write))
        .github_token(fine_grained("github_pat_read", Access::Read));
    let sandbox = Sandbox::start(world).unwrap();
    let body = json!({"state": "success"});
    let by_integration = "Resource not accessible by integration";
    let by_person = "Resource not accessible by personal access token";
    for private in [false, true] {
        sandbox.with_world(|world| {
            let mut repositories = world.github.repositories.iter_mut();
            let caller = repositories.find(|repository| repository.name == CALLER);
            caller.expect("it is in the demo world").private = private;
        });
        for token in ["ghp_repo", "ghp_status", "github_pat_write"] {
            assert_eq!(
                set_as(&sandbox, token, COMMIT, &body).status,
                201,
                "{token}"
            );
        }
        for (token, status, message) in [
            (TOKEN, 403, by_integration),
            ("github_pat_read", 403, by_person),
            ("ghp_org", 404, "Not Found"),
            ("ghp_wrong", 401, "Bad credentials"),
        ] {
            let refused = set_as(&sandbox, token, COMMIT, &body);
            let expected = (status, message.to_owned());
            assert_eq!(refused.status_and_message(), expected, "{token}");
            if status == 403 {
                let needed = refused.headers.get("x-accepted-github-permissions");
                assert_eq!(needed, Some("statuses=write"));
            }
        }
        let path = format!("{REPOSITORY}/commits/{COMMIT}/status");
        let read = |token| request(&sandbox, "GET", &path).bearer(token).send().status;
        assert_eq!(["ghp_status", "github_pat_read"].map(read), [200, 200]);
        assert_eq!(read(TOKEN), if private { 403 } else { 200 });
    }
    // The scope for statuses shows nothing else of a private repository.
    let hidden = request(&sandbox, "GET", REPOSITORY).bearer("ghp_status");
    assert_eq!(hidden.send().status, 404);
    assert_eq!(sandbox.statuses().len(), 6);
}

#[test]
fn statuses_are_listed_newest_first() {
    let sandbox = start();
    for context in ["a", "b", "c", "d", "e"] {
        set(&sandbox, json!({"state": "success", "context": context}));
    }
    let first = read(&sandbox, &format!("{COMMIT}/statuses?per_page=2"));
    assert_eq!(contexts(&first.json()), ["e", "d"]);
    let link = first.headers.get("link").expect("a link");
    let next = link
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    let (next, relation) = next.expect("a URL");
    assert!(relation.starts_with("; rel=\"next\""), "{link}");
    let path = next.strip_prefix(&sandbox.http_url()).expect("its own URL");
    let second = request(&sandbox, "GET", path).bearer(TOKEN).send();
    assert_eq!(contexts(&second.json()), ["c", "b"]);
    let last = read(&sandbox, &format!("{COMMIT}/statuses?per_page=2&page=3"));
    assert_eq!(contexts(&last.json()), ["a"]);

    let main = sandbox.with_world(|world| {
        let mut repositories = world.github.repositories.iter();
        let caller = repositories.find(|repository| repository.name == CALLER);
        let main = &caller.expect("it is in the demo world").git.branches[0].1;
        let status = CommitStatus::new(CALLER, main, "by name", StatusState::Success);
        world.add_status(status).sha
    });
    for name in ["main", "heads/main", &main] {
        let found = read(&sandbox, &format!("{name}/statuses")).json();
        assert_eq!(contexts(&found), ["by name"], "{name}");
    }
    let unknown = read(&sandbox, "nowhere/statuses");
    assert_eq!(unknown.status, 404);
}

#[test]
fn the_combined_state_is_that_of_the_latest_of_each_context() {
    let sandbox = start();
    let combined = || {
        let combined = read(&sandbox, &format!("{COMMIT}/status")).json();
        assert_eq!(combined["sha"], COMMIT);
        let statuses = &combined["statuses"];
        assert_eq!(combined["total_count"], contexts(statuses).len());
        let contexts = contexts(statuses).join(" ");
        (combined["state"].as_str().unwrap().to_owned(), contexts)
    };
    let expected = |state: &str, contexts: &str| (state.to_owned(), contexts.to_owned());
    assert_eq!(combined(), expected("pending", ""));
    for (context, state, expected) in [
        ("a", "success", expected("success", "a")),
        ("b", "pending", expected("pending", "a b")),
        ("a", "failure", expected("failure", "b a")),
        ("A", "success", expected("pending", "b A")),
        ("b", "error", expected("failure", "A b")),
        ("b", "success", expected("success", "A b")),
    ] {
        set(&sandbox, json!({"state": state, "context": context}));
        assert_eq!(combined(), expected, "{context} {state}");
    }
}

/// The client can't know whether the status was set.
#[test]
fn a_status_can_be_set_although_the_connection_is_closed() {
    let sandbox = start();
    let route = Route::any().provider(Provider::GitHub).path("/statuses/");
    sandbox.fault(route, Occasion::Nth(1), Fault::Close(Moment::AfterActing));
    let path = format!("{REPOSITORY}/statuses/{COMMIT}");
    let request = request(&sandbox, "POST", &path).bearer(TOKEN);
    let request = request.json(json!({"state": "pending"}));
    assert!(request.try_send().is_err());
    assert_eq!(sandbox.statuses().len(), 1);
    assert_eq!(sandbox.trigger_requests().len(), 0);
    assert_eq!(request.send().status, 201);
}
