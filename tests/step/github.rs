//! GitHub: the requests, their outcomes, and how rejections are explained.

use sandbox::world::{RunDetails, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, Response, Route, World, demo};
use serde_json::json;

use crate::calls::{SECOND, call, in_parallel, start};
use crate::harness::{Step, sandbox};

#[test]
fn repository_dispatch_sends_what_peter_evans_sends() {
    let sandbox = sandbox();
    let done = Step::github(&sandbox)
        .input("event-type", "deploy")
        .input("client-payload", "{ \"version\": \"1.10\",\n  \"b\": 1.0, \"a\": [1e3, 12345678901234567890], \"é\": null }")
        .run()
        .passes();
    let [request] = sandbox.trigger_requests().try_into().unwrap();
    assert_eq!(
        (
            request.method.as_str(),
            request.path.as_str(),
            request.query.as_str()
        ),
        ("POST", "/api/v3/repos/octo-org/app/dispatches", "")
    );
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        r#"{"event_type":"deploy","client_payload":{"version":"1.10","b":1.0,"a":[1e3,12345678901234567890],"é":null}}"#
    );
    assert_eq!(
        request.headers.get("content-type"),
        Some("application/json")
    );
    assert_eq!(
        request.headers.get("accept"),
        Some("application/vnd.github+json")
    );
    assert_eq!(
        request.headers.get("x-github-api-version"),
        Some("2022-11-28")
    );
    assert_eq!(
        request.headers.get("user-agent"),
        Some(concat!("trigger-pipeline/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(sandbox.requests().len(), 1, "nothing else is asked");
    // Two workflows listen to the event.
    assert_eq!(sandbox.runs().len(), 2);
    done.outcome("accepted")
        .says("octo-org/app: triggering repository_dispatch deploy");
    assert_eq!(done.outputs["run-id"], "");
    assert_eq!(
        done.result(),
        json!({
            "provider": "github", "repository": "octo-org/app", "pipeline": "repository_dispatch deploy",
            "outcome": "accepted", "trigger_id": null, "conclusion": null, "error": null, "left_running": null, "left_running_reason": null, "runs": []
        })
    );
    assert!(done.summary.contains("| ✓ triggered |"), "{done}");
}

/// Uses only the inputs of peter-evans/repository-dispatch, and their defaults if they have some.
#[test]
fn defaults_match_those_of_peter_evans() {
    let sandbox = sandbox();
    Step::on(&sandbox.http_url())
        .environment("GITHUB_REPOSITORY", "octo-org/app")
        .input("token", demo::GITHUB_WORKFLOW)
        .input("github-token", demo::GITHUB_WORKFLOW)
        .input("event-type", "deploy")
        .run()
        .passes()
        .says("with `GITHUB_TOKEN`");
    let [request] = sandbox.trigger_requests().try_into().unwrap();
    assert_eq!(request.path, "/api/v3/repos/octo-org/app/dispatches");
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        r#"{"event_type":"deploy","client_payload":{}}"#
    );
}

#[test]
fn a_payload_may_be_yaml() {
    let sandbox = sandbox();
    Step::github(&sandbox)
        .input("event-type", "deploy")
        .input(
            "client-payload",
            "version: 1.10\ncount: 3\nforce: true\nwho: yes\nnone:\nlist:\n  - a\n  - 012\n",
        )
        .run()
        .passes();
    let [request] = sandbox.trigger_requests().try_into().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        r#"{"event_type":"deploy","client_payload":{"version":"1.10","count":3,"force":true,"who":"yes","none":null,"list":["a","012"]}}"#
    );
}

#[test]
fn workflow_dispatch_reports_its_run_immediately() {
    let sandbox = sandbox();
    let done = Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("ref", "refs/heads/release")
        .input("inputs", "environment: production\nversion: 1.10\n")
        .run()
        .passes();
    let [request] = sandbox.requests().try_into().unwrap();
    assert_eq!(
        request.path,
        "/api/v3/repos/octo-org/app/actions/workflows/build.yml/dispatches"
    );
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        r#"{"ref":"refs/heads/release","inputs":{"environment":"production","version":"1.10"},"return_run_details":true}"#
    );
    let [run] = sandbox.runs().try_into().unwrap();
    assert_eq!(
        (run.pipeline.as_str(), run.reference_name()),
        ("build.yml", Some("release"))
    );
    assert_eq!(done.outputs["run-id"], run.id.to_string());
    let url = format!(
        "{}/octo-org/app/actions/runs/{}",
        sandbox.http_url(),
        run.id
    );
    assert_eq!(done.outputs["run-url"], url);
    assert!(done.log.lines().any(|line| line == url), "{done}");
    assert_eq!(done.result()["runs"][0]["matched_by"], "id");
    assert!(done.summary.contains(&url), "{done}");
}

#[test]
fn an_omitted_ref_is_the_default_branch() {
    let sandbox = sandbox();
    Step::github(&sandbox)
        .input("workflow", "build.yml")
        .run()
        .passes()
        .says("`ref` isn't set, so the default branch is used: main");
    let [read, trigger] = sandbox.requests().try_into().unwrap();
    assert_eq!(
        (read.method.as_str(), read.path.as_str()),
        ("GET", "/api/v3/repos/octo-org/app")
    );
    assert_eq!(trigger.json().unwrap()["ref"], "main");
    assert_eq!(sandbox.runs()[0].reference_name(), Some("main"));
}

#[test]
fn a_file_name_may_begin_with_digits_and_a_workflow_may_be_an_id() {
    for (workflow, started) in [
        ("1-release.yml", "1-release.yml"),
        ("102", "1-release.yml"),
        (".github/workflows/1-release.yml", "1-release.yml"),
    ] {
        let sandbox = sandbox();
        Step::github(&sandbox)
            .input("workflow", workflow)
            .input("ref", "v1.0.0")
            .run()
            .passes();
        let [run] = sandbox.runs().try_into().unwrap();
        assert_eq!(run.pipeline, started);
    }
}

#[test]
fn an_older_enterprise_server_gets_the_dispatch_without_the_rejected_key() {
    for status in [400, 422] {
        let sandbox = sandbox();
        sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(status));
        let done = Step::github(&sandbox)
            .input("workflow", "build.yml")
            .input("ref", "main")
            .run()
            .passes();
        let [first, second] = sandbox.trigger_requests().try_into().unwrap();
        assert_eq!(first.json().unwrap()["return_run_details"], true);
        assert_eq!(String::from_utf8_lossy(&second.body), r#"{"ref":"main"}"#);
        assert_eq!(sandbox.runs().len(), 1);
        done.outcome("accepted").says("retried without it");
        assert_eq!(done.outputs["run-id"], "");
    }
}

/// Any other 422 is no reason to send the trigger again.
#[test]
fn only_a_rejected_return_run_details_allows_the_fallback() {
    let sandbox = sandbox();
    Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("ref", "nowhere")
        .run()
        .fails(&["no branch or tag is named `nowhere` (GitHub answered 422)\nhint: check the spelling of `ref`. The default branch is `main`"])
        .outcome("rejected");
    assert_eq!(sandbox.trigger_requests().len(), 1);
    assert_eq!(sandbox.runs().len(), 0);
}

#[test]
fn a_renamed_repository_is_followed_on_its_own_server() {
    let sandbox = sandbox();
    let done = Step::github(&sandbox)
        .input("repository", "octo-org/renamed-app")
        .input("workflow", "build.yml")
        .run()
        .passes();
    let [run] = sandbox.runs().try_into().unwrap();
    assert_eq!(done.outputs["run-id"], run.id.to_string());
    // 301 for the read, 307 for the trigger; both are followed with method, body and credential.
    assert_eq!(sandbox.requests().len(), 4);
}

#[test]
fn an_apps_token_is_limited_to_the_repository_and_permission() {
    let escaped = demo::GITHUB_APP_PRIVATE_KEY.replace('\n', "\\n");
    let base64 = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(demo::GITHUB_APP_PRIVATE_KEY_PKCS8)
    };
    let app_id = demo::GITHUB_APP_ID.to_string();
    for (client_id, key, pipeline, permissions) in [
        (
            demo::GITHUB_APP_CLIENT_ID,
            demo::GITHUB_APP_PRIVATE_KEY,
            ("event-type", "deploy"),
            json!({"contents": "write"}),
        ),
        (
            &app_id,
            &escaped,
            ("workflow", "build.yml"),
            json!({"actions": "write"}),
        ),
        (
            demo::GITHUB_APP_CLIENT_ID,
            &base64,
            ("workflow", "build.yml"),
            json!({"actions": "write"}),
        ),
        (
            demo::GITHUB_APP_CLIENT_ID,
            demo::GITHUB_APP_PRIVATE_KEY_PKCS8,
            ("workflow", "build.yml"),
            json!({"actions": "write"}),
        ),
    ] {
        let sandbox = sandbox();
        let done = Step::on(&sandbox.http_url())
            .input("repository", "octo-org/app")
            .input("client-id", client_id)
            .input("private-key", key)
            .input(pipeline.0, pipeline.1)
            .run()
            .passes();
        done.says(&format!("as GitHub App {client_id}"));
        let requests = sandbox.requests();
        assert_eq!(requests[0].path, "/api/v3/repos/octo-org/app/installation");
        let minted = &requests[1];
        assert_eq!(
            minted.path,
            format!(
                "/api/v3/app/installations/{}/access_tokens",
                demo::GITHUB_INSTALLATION_ID
            )
        );
        assert_eq!(
            minted.json().unwrap(),
            json!({"repositories": ["app"], "permissions": permissions})
        );
        let authorization = sandbox.trigger_requests()[0]
            .headers
            .get("authorization")
            .unwrap()
            .to_owned();
        let token = authorization.strip_prefix("Bearer ").unwrap();
        assert!(token.starts_with("ghs_"));
        assert!(
            done.masks.iter().any(|mask| mask == token),
            "the minted token is masked: {done}"
        );
        assert!(!sandbox.runs().is_empty());
    }
}

#[test]
fn problems_with_an_app_are_explained() {
    let sandbox = sandbox();
    let step = || {
        Step::on(&sandbox.http_url())
            .input("repository", "octo-org/app")
            .signed_in_as_app()
            .input("event-type", "deploy")
    };
    step()
        .input("repository", "octo-org/caller")
        .run()
        .fails(&["isn't installed on octo-org/caller, or the repository doesn't exist (GitHub answered 404: Not Found)"])
        .says("/organizations/octo-org/settings/installations")
        .outcome("not-sent");
    step()
        .input("client-id", "Iv23liSomebodyElses1")
        .run()
        .fails(&["no App has the client ID Iv23liSomebodyElses1 (GitHub answered 404: Integration not found)\nhint: copy `client-id`"]);
    let response = Response::json(
        401,
        json!({"message": "A JSON web token could not be decoded"}),
    );
    let installation = Route::any().path("/installation");
    sandbox.fault(
        installation,
        Occasion::Nth(1),
        Fault::Response(Moment::BeforeActing, response),
    );
    step().run().fails(&["GitHub doesn't accept the App's key (GitHub answered 401: A JSON web token could not be decoded)\nhint: check that `client-id` and `private-key` belong to the same App"]);
    sandbox.with_world(|world| {
        world.github.apps[0].installations[0].permissions =
            sandbox::world::Permissions::new(&[("metadata", sandbox::world::Access::Read)]);
    });
    step()
        .run()
        .fails(&["give the App these repository permissions: \"Contents: write\". Then accept them in its installation"]);
    assert_eq!(sandbox.runs().len(), 0);
}

#[test]
fn rejections_are_explained() {
    let read_only = demo::GITHUB_FINE_GRAINED_READ_ONLY;
    for (inputs, error) in [
        (
            vec![
                ("token", "ghp_wrong00000000000000000000000000000000"),
                ("event-type", "deploy"),
            ],
            "GitHub doesn't accept the token (GitHub answered 401: Bad credentials)\nhint: the token is mistyped, expired or revoked",
        ),
        (
            vec![("token", read_only), ("event-type", "deploy")],
            "the token lacks \"Contents: write\", although it can access the repository (GitHub answered 403; X-Accepted-GitHub-Permissions: contents=write)\nhint: grant the token \"Contents: write\" on this repository",
        ),
        (
            vec![("token", read_only), ("workflow", "build.yml")],
            "the token lacks \"Actions: write\", although it can access the repository (GitHub answered 403; X-Accepted-GitHub-Permissions: actions=write)",
        ),
        (
            vec![
                ("token", demo::GITHUB_CLASSIC_WITHOUT_REPO),
                ("event-type", "deploy"),
            ],
            "the token lacks the scope `repo`, although it can access the repository (GitHub answered 404; its scopes: read:org)\nhint: give the token the scope `repo`, and its owner write access to the repository",
        ),
        (
            vec![("repository", "octo-org/nowhere"), ("event-type", "deploy")],
            "the repository doesn't exist, or the token can't access it (GitHub answered 404 to both requests)\nhint: check the spelling of `repository`",
        ),
        (
            vec![
                ("repository", "octo-org/private"),
                ("token", demo::GITHUB_FINE_GRAINED),
                ("event-type", "deploy"),
            ],
            "the repository doesn't exist, or the token can't access it",
        ),
        (
            vec![("workflow", "biuld.yml"), ("ref", "main")],
            "the repository has no workflow `biuld.yml` on its default branch (GitHub answered 404)\nhint: did you mean `build.yml`? Set `workflow` to the file name of one of its workflows: build.yml (Build), 1-release.yml (Release), old.yml (Old, disabled_manually), lint.yml (Lint)",
        ),
        (
            vec![("workflow", "old.yml"), ("ref", "main")],
            "the workflow is disabled (GitHub answered 4",
        ),
        (
            vec![("workflow", "lint.yml"), ("ref", "main")],
            "the workflow has no `workflow_dispatch` trigger (GitHub answered 422)\nhint: add `workflow_dispatch:`",
        ),
        (
            vec![
                ("workflow", "build.yml"),
                ("ref", "main"),
                ("inputs", "colour: red"),
            ],
            "the workflow doesn't declare these inputs (GitHub answered 422: Unexpected inputs provided",
        ),
        (
            vec![("workflow", "strict.yml"), ("ref", "main")],
            "the workflow requires an input that isn't set (GitHub answered 422: Required input",
        ),
    ] {
        let sandbox = sandbox();
        let step = inputs
            .iter()
            .fold(Step::github(&sandbox), |step, (name, value)| {
                step.input(name, value)
            });
        let done = step.run().fails(&[error]);
        done.outcome("rejected");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
        assert_eq!(sandbox.runs().len(), 0, "{done}");
        assert!(done.result()["error"].is_string());
    }
}

/// Nothing was dispatched, and the repository itself was already requested.
#[test]
fn a_refused_read_of_the_default_branch_is_reported_as_such() {
    for (repository, error) in [
        (
            "octo-org/nowhere",
            "the repository doesn't exist, or the token can't access it (GitHub answered 404: Not Found)\nhint: check the spelling of `repository`",
        ),
        (
            "octo-org/private",
            "the repository doesn't exist, or the token can't access it (GitHub answered 404: Not Found)\nhint: check the spelling of `repository`",
        ),
    ] {
        let sandbox = sandbox();
        let done = Step::github(&sandbox)
            .input("repository", repository)
            .input("token", demo::GITHUB_FINE_GRAINED)
            .input("workflow", "build.yml")
            .run()
            .fails(&[error]);
        done.outcome("not-sent");
        assert!(!done.errors()[0].contains("dispatch"), "{done}");
        assert_eq!(sandbox.requests().len(), 1, "{done}");
    }
}

#[test]
fn missing_single_sign_on_is_not_reported_as_a_missing_permission() {
    let sandbox = sandbox();
    let response = Response::json(
        403,
        json!({"message": "Resource protected by organization SAML enforcement."}),
    )
    .header(
        "X-GitHub-SSO",
        "required; url=https://github.com/orgs/octo-org/sso",
    );
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::Response(Moment::BeforeActing, response),
    );
    Step::github(&sandbox)
        .input("event-type", "deploy")
        .run()
        .fails(&["the token isn't authorised for the organisation's single sign-on (GitHub answered 403: Resource protected by organization SAML enforcement)\nhint: authorise it"]);
}

#[test]
fn a_long_list_of_workflows_is_cut() {
    let sandbox = sandbox();
    let total = sandbox.with_world(|world| {
        let app = &mut world.github.repositories[0];
        for id in 1000..1150 {
            let name = format!("w{id}.yml");
            app.workflows
                .push(sandbox::world::Workflow::new(id, &name, "Many"));
        }
        app.workflows.len()
    });
    Step::github(&sandbox)
        .input("workflow", "w2000.yml")
        .input("ref", "main")
        .run()
        .fails(&[&format!("and {} more", total - 30)]);
    // The nearest of all pages is suggested.
    Step::github(&sandbox)
        .input("workflow", "w1149.yaml")
        .input("ref", "main")
        .run()
        .fails(&["did you mean `w1149.yml`?"]);
    // The list may go on, so a workflow that isn't on its first page isn't reported as missing.
    Step::github(&sandbox)
        .input("workflow", "w1149.yml")
        .input("ref", "main")
        .input("token", demo::GITHUB_FINE_GRAINED_READ_ONLY)
        .run()
        .fails(&["the token lacks \"Actions: write\""]);
    assert_eq!(sandbox.runs_of(Provider::GitHub).len(), 0);
}

/// The project's version, whatever the library would send.
#[test]
fn every_request_names_the_api_version_once() {
    let sign_ins: Vec<fn(Step) -> Step> = vec![|step| step, |step| {
        step.input("token", "").signed_in_as_app()
    }];
    in_parallel(sign_ins, |sign_in| {
        let world = World::demo().scenario(Provider::GitHub, Scenario::failing(SECOND));
        let sandbox = start(world);
        let step = sign_in(call(Provider::GitHub, &sandbox));
        let done = step.input("result-artifact", "result").run();
        assert_eq!(done.outputs["conclusion"], "failure", "{done}");
        let requests = sandbox.requests();
        assert!(
            requests
                .iter()
                .any(|request| request.path.ends_with("/logs"))
        );
        for request in requests.iter().filter(|request| request.provider.is_some()) {
            for (name, value) in [
                ("x-github-api-version", "2022-11-28"),
                ("accept", "application/vnd.github+json"),
            ] {
                let sent: Vec<_> = request.headers.all(name).collect();
                assert_eq!(sent, [value], "{name} of {}", request.path);
            }
        }
    });
}

/// As on a server that rejects the key because every response has the details.
#[test]
fn unrequested_run_details_name_the_run() {
    let sandbox = sandbox();
    sandbox.with_world(|world| world.github.run_details = RunDetails::Always);
    let done = Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("ref", "main")
        .run()
        .passes();
    done.outcome("accepted")
        .says("this server doesn't support return_run_details; retried without it");
    assert!(!done.log.contains("which run it starts"), "{done}");
    assert_eq!(done.outputs["run-id"], sandbox.runs()[0].id.to_string());
    assert_eq!(sandbox.trigger_requests().len(), 2);
}

/// The runner masks a token everywhere, so a server must not be able to choose any word as one.
#[test]
fn only_a_plausible_app_token_is_accepted() {
    for token in [
        "main\nfailure",
        "failure",
        "",
        "main ::debug::xxxxxxxxxxxxxxxxxxx",
        "ghs_ünicodeünicodeünicode",
    ] {
        let sandbox = sandbox();
        let response = Response::json(201, json!({ "token": token, "expires_at": null }));
        let route = Route::any().path("/access_tokens");
        sandbox.fault(
            route,
            Occasion::Every,
            Fault::Response(Moment::AfterActing, response),
        );
        let done = Step::on(&sandbox.http_url())
            .input("repository", "octo-org/app")
            .signed_in_as_app()
            .input("event-type", "deploy")
            .run()
            .fails(&["the response contains no valid installation token"]);
        done.outcome("not-sent");
        let line = token.lines().next().unwrap_or_default();
        assert!(done.masks.iter().all(|mask| mask != line), "{done}");
        assert!(!done.errors()[0].contains("xxx"), "{done}");
        assert_eq!(sandbox.trigger_requests().len(), 0);
    }
}

#[test]
fn a_workflow_may_be_given_by_its_title() {
    let sandbox = sandbox();
    let done = Step::github(&sandbox)
        .input("workflow", "Release")
        .input("ref", "main")
        .run()
        .passes();
    done.says("octo-org/app: `workflow` is the title of 1-release.yml");
    let [run] = sandbox.runs().try_into().unwrap();
    assert_eq!(run.pipeline, "1-release.yml", "{done}");
    // Two workflows with that title: neither is chosen.
    sandbox.with_world(|world| {
        let workflows = &mut world.github.repositories[0].workflows;
        let copy = workflows[0].clone();
        "copy.yml".clone_into(&mut workflows[1].file);
        workflows[1].name.clone_from(&copy.name);
    });
    Step::github(&sandbox)
        .input("workflow", "Build")
        .input("ref", "main")
        .run()
        .fails(&["several workflows have the title `Build`\nhint: set `workflow` to a file name: build.yml, copy.yml"])
        .outcome("not-sent");
    assert_eq!(sandbox.runs().len(), 1);
}

/// GitHub's own words for these are shown.
#[test]
fn problems_in_the_workflow_file_are_explained() {
    for (message, error) in [
        (
            "failed to parse workflow: (Line: 5, Col: 3): Unexpected value 'stesp'",
            "the workflow file is invalid (GitHub answered 422: failed to parse workflow: (Line: 5, Col: 3): Unexpected value 'stesp')\nhint: fix the workflow file on `main`",
        ),
        (
            "Provided value 'prod' for input 'environment' not in the list of allowed values",
            "the value of an input isn't one of the options that the workflow allows (GitHub answered 422: Provided value 'prod'",
        ),
    ] {
        let sandbox = sandbox();
        let response = Response::json(422, json!({ "message": message }));
        sandbox.fault(
            Route::triggers(),
            Occasion::Every,
            Fault::Response(Moment::BeforeActing, response),
        );
        Step::github(&sandbox)
            .input("workflow", "build.yml")
            .input("ref", "main")
            .run()
            .fails(&[error])
            .outcome("rejected");
    }
}

/// Guessing a missing permission would mislead.
#[test]
fn a_reason_that_github_gives_for_a_403_is_shown() {
    let sandbox = sandbox();
    let message = "Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.";
    let response = Response::json(403, json!({ "message": message }));
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::Response(Moment::BeforeActing, response),
    );
    let done = Step::github(&sandbox)
        .input("event-type", "deploy")
        .run()
        .fails(&["GitHub denies access (GitHub answered 403: Although you appear"]);
    assert!(!done.errors()[0].contains("lacks"), "{done}");
}

/// The header comes with every response, so checking it costs no request.
#[test]
fn a_token_that_expires_soon_is_reported() {
    use chrono::{TimeDelta, Utc};
    for (days, expected) in [(3, Some("in 2 days")), (13, Some("in 12 days")), (20, None)] {
        let sandbox = sandbox();
        let expiry = Utc::now() + TimeDelta::days(days);
        let header = expiry.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        let response = Response::body(204, "application/json", "")
            .header("GitHub-Authentication-Token-Expiration", header);
        sandbox.fault(
            Route::triggers(),
            Occasion::Every,
            Fault::Response(Moment::AfterActing, response),
        );
        let done = Step::github(&sandbox)
            .input("event-type", "deploy")
            .run()
            .passes();
        let warnings = done.warnings();
        assert_eq!(warnings.len(), usize::from(expected.is_some()), "{done}");
        for (warning, expected) in warnings.iter().zip(expected) {
            let date = expiry.format("%Y-%m-%d");
            let text = format!("the token expires on {date}, {expected}. Create a new one");
            assert!(warning.contains(&text), "{done}");
            let in_summary = format!("\n**<code>octo-org/app</code>**: {text}");
            assert!(done.summary.contains(&in_summary), "{done}");
        }
        assert_eq!(sandbox.requests().len(), 1, "{done}");
    }
}
