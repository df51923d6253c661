//! A dry run does everything except the trigger, and shows the request without secrets.

use sandbox::{Sandbox, demo};

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
    let shown = done
        .summary
        .split_once("<pre>\nPOST ")
        .expect("the request")
        .1;
    assert!(shown.contains("/trigger/pipeline\n{"), "{done}");
    assert!(shown.contains("PASSWORD&quot;:&quot;***&quot;"), "{done}");
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
    assert_eq!(sandbox.requests().len(), 1, "the branch is read");
}

#[test]
fn a_dry_run_notices_what_does_not_exist() {
    let github: fn(&Sandbox) -> Step = Step::github;
    let trigger: fn(&Sandbox) -> Step = |sandbox| {
        Step::gitlab(sandbox)
            .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
            .input("trigger-token", demo::GITLAB_TRIGGER)
    };
    let workflow = ("workflow", "build.yml");
    for (step, inputs, error) in [
        (
            github,
            vec![("workflow", "biuld.yml"), ("ref", "main")],
            "the repository has no workflow `biuld.yml` on its default branch",
        ),
        (
            github,
            vec![("workflow", "old.yml")],
            "the workflow is disabled",
        ),
        (
            github,
            vec![workflow, ("ref", "nowhere")],
            "no branch or tag is named `nowhere` (GitHub answered 422)",
        ),
        (
            github,
            vec![workflow, ("ref", "refs/tags/main")],
            "no branch or tag is named `refs/tags/main`",
        ),
        (
            Step::gitlab,
            vec![("ref", "nowhere")],
            "no branch or tag is named `nowhere` (GitLab answered 404)",
        ),
        (
            trigger,
            vec![("ref", "nowhere")],
            "no branch or tag is named `nowhere` (GitLab answered 404)",
        ),
        (
            Step::gitlab,
            vec![("repository", "octo-group/nowhere"), ("ref", "main")],
            "the project doesn't exist, or the token can't access it",
        ),
        (
            Step::bitbucket,
            vec![("ref", "nowhere")],
            "no branch or tag is named `nowhere` (Bitbucket answered 404)",
        ),
        (
            Step::bitbucket,
            vec![("ref", "refs/heads/v2.0.0")],
            "no branch is named `v2.0.0`",
        ),
        (
            Step::bitbucket,
            vec![("repository", "octo-workspace/nowhere"), ("ref", "main")],
            "the repository doesn't exist, or the token can't access it",
        ),
    ] {
        let sandbox = sandbox();
        let step = step(&sandbox).input("dry-run", "true");
        let step = inputs
            .iter()
            .fold(step, |step, (name, value)| step.input(name, value));
        step.run().fails(&[error]).outcome("not-sent");
        assert_eq!(sandbox.trigger_requests().len(), 0);
    }
}

/// Triggering needs less than reading does.
#[test]
fn a_dry_run_passes_if_the_ref_cannot_be_checked() {
    let sandbox = sandbox();
    Step::bitbucket(&sandbox)
        .input("dry-run", "true")
        .input("ref", "nowhere")
        .input("token", demo::BITBUCKET_API_WRITE_ONLY)
        .input("email", demo::BITBUCKET_EMAIL)
        .run()
        .passes()
        .says("couldn't check `ref`: reading the ref failed (Bitbucket answered 403")
        .says("would send POST");
}

#[test]
fn a_dry_run_accepts_every_form_of_a_ref() {
    for reference in ["main", "refs/heads/main", "v1.0.0", "refs/tags/v1.0.0"] {
        let sandbox = sandbox();
        let done = Step::github(&sandbox)
            .input("dry-run", "true")
            .input("workflow", "build.yml")
            .input("ref", reference)
            .run()
            .passes();
        assert!(!done.log.contains("couldn't check"), "{done}");
        assert_eq!(sandbox.requests().len(), 2, "{done}");
    }
}
