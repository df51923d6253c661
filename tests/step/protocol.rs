//! What the runner reads: masks first, outputs that can't be forged, and no commands from outside.

use sandbox::{Fault, Moment, Occasion, Response, Route, demo};
use serde_json::json;

use crate::harness::{Step, sandbox};

#[test]
fn masks_come_before_everything_else() {
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("trigger-token", demo::GITLAB_TRIGGER)
        .input(
            "secret-variables",
            "PASSWORD: hunter2-hunter2\nPERCENT: 100%-secret",
        )
        .secret("hunter2-hunter2")
        .secret("100%-secret")
        .run()
        .passes();
    let first_other = done
        .log
        .lines()
        .position(|line| !line.starts_with("::add-mask::"))
        .unwrap();
    let masks = done
        .log
        .lines()
        .filter(|line| line.starts_with("::add-mask::"))
        .count();
    assert_eq!(first_other, masks, "{done}");
    for secret in [
        demo::GITLAB_TRIGGER,
        demo::GITLAB_DEVELOPER,
        demo::GITHUB_WORKFLOW_OF_CALLER,
        "hunter2-hunter2",
        "100%-secret",
    ] {
        assert!(
            done.masks.iter().any(|mask| mask == secret),
            "{secret}\n{done}"
        );
    }
}

#[test]
fn each_line_of_a_key_is_masked() {
    let sandbox = sandbox();
    let done = Step::on(&sandbox.http_url())
        .input("repository", "octo-org/app")
        .input("event-type", "deploy")
        .input("client-id", demo::GITHUB_APP_CLIENT_ID)
        .input(
            "private-key",
            &demo::GITHUB_APP_PRIVATE_KEY.replace('\n', "\\n"),
        )
        .run()
        .passes();
    for line in demo::GITHUB_APP_PRIVATE_KEY.lines() {
        assert!(done.masks.iter().any(|mask| mask == line), "{line}");
    }
}

/// A malicious provider, or somebody who impersonates it, sends workflow commands and the token.
#[test]
fn a_hostile_response_is_never_interpreted() {
    let sandbox = sandbox();
    let hostile = format!(
        "x\r\n::set-output name=run-id::666\n::error::y\r##[add-mask]z\u{1b}[31m {} <script> | # %0A::stop-commands::t",
        demo::GITHUB_CLASSIC
    );
    let response = Response::json(422, json!({ "message": hostile }));
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::Response(Moment::BeforeActing, response),
    );
    let done = Step::github(&sandbox)
        .debugging()
        .input("event-type", "deploy")
        .run()
        .fails(&["the trigger failed (GitHub answered 422: "]);
    done.outcome("rejected");
    assert_eq!(done.outputs["run-id"], "");
    assert!(!done.summary.contains("<script>"));
    assert!(!done.log.contains('\u{1b}'));
    assert!(
        done.errors()[0].contains("***"),
        "the token is taken out: {done}"
    );
}

#[test]
fn a_hostile_run_url_is_not_passed_on() {
    let sandbox = sandbox();
    let url = "::set-output name=outcome::forged\nrun-id<<x\n666\nx\njavascript:alert(1)";
    let response = Response::json(
        200,
        json!({"workflow_run_id": 7, "run_url": "x", "html_url": url}),
    );
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::Response(Moment::AfterActing, response),
    );
    let done = Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("ref", "main")
        .run()
        .passes();
    assert_eq!(done.outputs["run-id"], "7");
    assert!(done.outputs["run-url"].ends_with("/octo-org/app/actions/runs/7"));
    assert!(!done.log.contains("javascript"), "{done}");
    done.outcome("accepted");
    assert!(!done.summary.contains("javascript"), "{done}");
}

#[test]
fn a_step_can_be_started_by_hand() {
    let sandbox = sandbox();
    let by_hand = || {
        Step::github(&sandbox)
            .input("server-url", &sandbox.http_url())
            .by_hand()
    };
    let done = by_hand()
        .input("workflow", "build.yml")
        .input("ref", "main")
        .run()
        .passes();
    let id = sandbox.runs()[0].id;
    done.says("outcome=accepted")
        .says(&format!("run-id={id}"))
        .says("results=[{\"provider\":\"github\"");
    assert!(done.masks.is_empty(), "a mask line would show the secret");
    assert_eq!(done.log.matches("run-id=").count(), 1, "{done}");

    let done = by_hand().input("event-type", "").run();
    assert_eq!(done.code, Some(2));
    done.says("error: input `event-type`: is missing\n| hint: set `event-type` for a repository_dispatch, or `workflow`")
        .says("outcome=not-sent");
}

#[test]
fn a_step_started_by_hand_defaults_to_github_com() {
    let sandbox = sandbox();
    Step::github(&sandbox)
        .by_hand()
        .input("event-type", "deploy")
        .input("dry-run", "true")
        .run()
        .passes()
        .says("would send POST https://api.github.com/repos/octo-org/app/dispatches");
}

#[test]
fn debugging_shows_requests_and_causes_but_no_secret() {
    let sandbox = sandbox();
    let done = Step::bitbucket(&sandbox)
        .debugging()
        .input("token", demo::BITBUCKET_API)
        .input("email", demo::BITBUCKET_EMAIL)
        .input("server-url", &sandbox.https_url())
        .run()
        .fails(&["TLS handshake with"]);
    done.says("::debug::GET https://")
        .says("::debug::caused by: ");
    let quiet = Step::bitbucket(&sandbox)
        .input("server-url", &sandbox.https_url())
        .run();
    assert!(!quiet.log.contains("::debug::"), "{quiet}");
}

/// The provider echoes it in log, summary and `results`, each of which escapes differently.
#[test]
fn a_secret_is_hidden_before_it_is_escaped() {
    let secret = r#"a:b|c "quoted" <d>"#;
    let sandbox = sandbox();
    let response = Response::json(
        400,
        json!({ "message": format!("no such thing: {secret}") }),
    );
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::Response(Moment::BeforeActing, response),
    );
    let variables = json!({ "PASSWORD": secret }).to_string();
    let done = Step::gitlab(&sandbox)
        .input("ref", "main")
        .input("secret-variables", &variables)
        .secret(secret)
        .secret("a&#58;b")
        .secret(r#"\"quoted\""#)
        .run()
        .fails(&["the trigger failed (GitLab answered 400: no such thing: ***)"]);
    assert!(
        done.summary.contains("no such thing&#58; &#42;&#42;&#42;"),
        "{done}"
    );
}

/// A secret that is a common word must not break the JSON that contains it.
#[test]
fn results_stay_json_whatever_the_secrets_are() {
    for word in [
        "null", "true", "gitlab", "outcome", "runs", "accepted", "\"id\"", "provider",
    ] {
        let sandbox = sandbox();
        let variables = json!({ "WORD": word }).to_string();
        let done = Step::gitlab(&sandbox)
            .input("ref", "main")
            .input("secret-variables", &variables)
            .run()
            .passes();
        done.outcome("accepted");
        assert_eq!(
            done.result()["runs"][0]["id"],
            sandbox.runs()[0].id.to_string()
        );
    }
}
