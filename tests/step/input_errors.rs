//! All problems with inputs are reported together, whatever else is wrong, and none is reported twice.

use sandbox::demo;

use crate::harness::{Step, sandbox};
use crate::inputs::{fails_with, with};

#[test]
fn one_problem_does_not_hide_the_others() {
    let sandbox = sandbox();
    let step = |inputs: &[(&str, &str)]| with(Step::github(&sandbox), inputs);
    let misspelt = [
        ("provider", "githb"),
        ("event-type", "deploy"),
        ("workflow", "build.yml"),
        ("wait", "maybe"),
        ("timeout", "soon"),
    ];
    fails_with(
        &sandbox,
        &step(&misspelt),
        &[
            "input `provider`: must be `github`, `gitlab` or `bitbucket`, not `githb`\nhint: did you mean `github`?",
            "input `workflow`: is set, and so is `event-type`\nhint: use one of the two",
            "input `wait`: must be `true`, `false` or `start`",
            "input `timeout`: must be a duration",
        ],
    );
    let everywhere = [
        ("dry-run", "perhaps"),
        ("repository", "a/b/c"),
        ("ca-certificates", "nonsense"),
        ("workflow", "a/b"),
        ("ref", "two words"),
        ("inputs", "a: [1]"),
        ("token", "two words"),
        ("client-id", "Iv1"),
        ("private-key", "no key"),
        ("wait", "true"),
        ("logs", "all"),
    ];
    fails_with(
        &sandbox,
        &step(&everywhere),
        &[
            "input `dry-run`: must be `true` or `false`",
            "input `repository`: must be `owner/name`, or its web URL, not `a/b/c`\nhint: this looks like a GitLab repository: set `provider: gitlab`",
            "input `ca-certificates`: contains no certificate",
            "input `workflow`: must be a file name",
            "input `ref`: must be a branch or tag",
            "input `inputs`: the value of `a` is a list or mapping, but only strings can be sent",
            "input `token`: contains a space, line break",
            "input `private-key`: isn't a private key",
            "input `logs`: must be `failed` or `none`",
        ],
    );
    let nowhere = [
        ("provider", "sourcehut"),
        ("server-url", "ftp://git.example"),
        ("repository", "https://git.example/a?b"),
        ("wait", "maybe"),
    ];
    fails_with(
        &sandbox,
        &step(&nowhere),
        &[
            "input `provider`: must be `github`, `gitlab` or `bitbucket`",
            "input `server-url`: must begin with `https://`",
            "input `wait`: must be `true`, `false` or `start`",
        ],
    );
    let elsewhere = [
        ("token", "two words"),
        ("trigger-token", "glpat-x"),
        ("repository", "a"),
    ];
    fails_with(
        &sandbox,
        &with(Step::gitlab(&sandbox), &elsewhere),
        &[
            "input `repository`: contains no `/`",
            "input `token`: contains a space, line break",
            "input `trigger-token`: looks like an access token",
        ],
    );
    let elsewhere = [
        ("token", "two words"),
        ("email", "octavia"),
        ("commit", "main"),
        ("ref", "two words"),
    ];
    fails_with(
        &sandbox,
        &with(Step::bitbucket(&sandbox), &elsewhere),
        &[
            "input `commit`: must be a commit's hash",
            "input `ref`: must be a branch or tag",
            "input `token`: contains a space, line break",
            "input `email`: must be the email address",
        ],
    );
}

#[test]
fn a_misspelt_input_is_reported_once() {
    let sandbox = sandbox();
    let meant = |name: &str, meant: &str| {
        format!("input `{name}`: isn't an input of this action\nhint: did you mean `{meant}`?")
    };
    let server = sandbox.http_url();
    for (step, name, value, near) in [
        (Step::github(&sandbox), "event-typ", "deploy", "event-type"),
        (Step::github(&sandbox), "workfow", "build.yml", "workflow"),
        (
            Step::github(&sandbox)
                .input("event-type", "deploy")
                .input("timeout", "5m"),
            "wiat",
            "true",
            "wait",
        ),
        (
            Step::on(&server)
                .input("repository", "octo-org/app")
                .input("event-type", "deploy"),
            "tokn",
            demo::GITHUB_CLASSIC,
            "token",
        ),
        (
            Step::on(&server)
                .input("repository", "octo-org/app")
                .input("event-type", "deploy")
                .input("client-id", "Iv1"),
            "private-ky",
            "x",
            "private-key",
        ),
        (
            Step::gitlab(&sandbox).input("token", demo::GITHUB_WORKFLOW_OF_CALLER),
            "triger-token",
            demo::GITLAB_TRIGGER,
            "trigger-token",
        ),
        (
            Step::gitlab(&sandbox).input("repository", ""),
            "repositry",
            "octo-group/tools/deployer",
            "repository",
        ),
        (
            Step::gitlab(&sandbox).input("provider", ""),
            "provder",
            "gitlab",
            "provider",
        ),
        (
            Step::on(&server),
            "target",
            "- repository: octo-org/app",
            "targets",
        ),
    ] {
        fails_with(&sandbox, &step.input(name, value), &[&meant(name, near)]);
    }
    let targets = "- {repository: octo-org/app, workfow: build.yml}\n- {repositry: octo-org/app, event-type: deploy}\n";
    fails_with(
        &sandbox,
        &Step::on(&server)
            .input("targets", targets)
            .input("token", demo::GITHUB_CLASSIC),
        &[
            "input `targets`, octo-org/app (line 1): has an unknown key\nhint: did you mean `workflow`?",
            "input `targets`, entry 2 (line 2): has an unknown key\nhint: did you mean `repository`?",
        ],
    );
}

#[test]
fn inputs_of_another_provider_are_not_validated() {
    let sandbox = sandbox();
    let step = with(
        Step::gitlab(&sandbox),
        &[
            ("workflow", "a/b"),
            ("commit", "main"),
            ("client-payload", "[1]"),
            ("client-id", "x"),
            ("email", "x"),
        ],
    );
    let nothing = |name: &str| format!("input `{name}`: only works with ");
    let errors = ["client-payload", "workflow", "commit", "email", "client-id"].map(nothing);
    fails_with(&sandbox, &step, &errors.each_ref().map(String::as_str));
    let step = with(
        Step::bitbucket(&sandbox),
        &[
            ("result-artifact", "result"),
            ("inputs", "[1]"),
            ("wait", "true"),
        ],
    );
    fails_with(
        &sandbox,
        &step,
        &[
            "input `inputs`: only works with",
            "input `result-artifact`: only works with",
        ],
    );
}

#[test]
fn inputs_that_need_targets_are_refused_without_them() {
    let sandbox = sandbox();
    for (name, value) in [
        ("max-parallel", "3"),
        ("max-parallel", "none"),
        ("fail-fast", "true"),
    ] {
        let step = Step::github(&sandbox).input("event-type", "deploy");
        let error = format!(
            "input `{name}`: only works with `targets`\nhint: set `targets`, or remove `{name}`"
        );
        fails_with(&sandbox, &step.input(name, value), &[&error]);
    }
    // Inputs with their default value count as unset.
    Step::github(&sandbox)
        .input("event-type", "deploy")
        .input("max-parallel", "8")
        .input("fail-fast", "false")
        .run()
        .passes();
}

#[test]
fn single_line_inputs_reject_line_breaks() {
    let sandbox = sandbox();
    let error = "contains a line break or another control character";
    for text in ["a\nb", "a\rb", "a\u{1b}[31mb", "a\u{2028}b", "a\tb"] {
        for (step, name) in [
            (Step::github(&sandbox), "event-type"),
            (Step::github(&sandbox), "workflow"),
            (Step::github(&sandbox).input("workflow", "a.yml"), "ref"),
            (
                Step::github(&sandbox).input("event-type", "deploy"),
                "repository",
            ),
            (
                Step::github(&sandbox).input("event-type", "deploy"),
                "server-url",
            ),
            (
                Step::github(&sandbox).input("event-type", "deploy"),
                "provider",
            ),
            (
                Step::github(&sandbox)
                    .input("event-type", "deploy")
                    .input("wait", "true"),
                "result-artifact",
            ),
            (
                Step::on(&sandbox.http_url())
                    .input("event-type", "deploy")
                    .input("private-key", demo::GITHUB_APP_PRIVATE_KEY),
                "client-id",
            ),
            (Step::bitbucket(&sandbox), "custom-pipeline"),
            (Step::bitbucket(&sandbox), "commit"),
            (Step::bitbucket(&sandbox), "email"),
        ] {
            fails_with(
                &sandbox,
                &step.input(name, text),
                &[&format!("input `{name}`: {error}")],
            );
        }
    }
    let targets =
        "- repository: octo-org/app\n- repository: octo-org/app\n  event-type: \"a\\nb\"\n";
    fails_with(
        &sandbox,
        &Step::github(&sandbox)
            .input("event-type", "deploy")
            .input("targets", targets),
        &[&format!(
            "input `targets`, octo-org/app (line 3): `event-type` {error}"
        )],
    );
}
