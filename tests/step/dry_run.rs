//! A dry run does everything except the trigger, and shows the request without secrets.

use sandbox::demo;

use crate::harness::{Step, sandbox};

#[test]
fn a_dry_run_does_everything_except_the_trigger() {
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("dry-run", "True")
        .input("trigger-token", demo::GITLAB_TRIGGER)
        .input("variables", "PLAIN: seen")
        .input("secret-variables", "PIN: 7\nPASSWORD: hunter2-hunter2")
        .secret("hunter2-hunter2")
        .run()
        .passes();
    done.outcome("not-sent").says("dry run of pipeline").says(
        r#"{"token":"***","ref":"main","variables":{"PLAIN":"seen","PIN":"***","PASSWORD":"***"}}"#,
    );
    assert_eq!(sandbox.trigger_requests().len(), 0);
    assert_eq!(sandbox.requests().len(), 1, "the default branch is read");
    assert_eq!(sandbox.runs().len(), 0);
    assert!(done.summary.contains("dry run"));
}

#[test]
fn a_dry_run_fails_if_the_trigger_cannot_be_prepared() {
    let sandbox = sandbox();
    Step::github(&sandbox)
        .input("dry-run", "true")
        .input("workflow", "build.yml")
        .input("token", "ghp_wrong00000000000000000000000000000000")
        .run()
        .fails(&["GitHub doesn't accept the token (GitHub answered 401: Bad credentials)"])
        .outcome("not-sent");
}

#[test]
fn the_request_shown_for_bitbucket_contains_no_secret() {
    let sandbox = sandbox();
    Step::bitbucket(&sandbox)
        .input("dry-run", "true")
        .input("ref", "main")
        .input("secret-variables", "PASSWORD: hunter2-hunter2")
        .secret("hunter2-hunter2")
        .run()
        .passes()
        .says(r#"{"key":"PASSWORD","value":"***","secured":true}"#);
    assert_eq!(sandbox.requests().len(), 0);
}
