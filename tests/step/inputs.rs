//! Invalid inputs: all problems are reported together, each with its input and the remedy, and nothing is sent.

use sandbox::{Sandbox, demo};

use crate::harness::{Step, sandbox};

/// Checks that the step fails with exactly these errors, and sends nothing.
pub(crate) fn fails_with(sandbox: &Sandbox, step: &Step, errors: &[&str]) {
    let done = step.run().fails(errors);
    done.outcome("not-sent").says("nothing was sent");
    assert_eq!(done.outputs["results"], "[]");
    assert_eq!(sandbox.requests().len(), 0, "{done}");
}

pub(crate) fn with(step: Step, inputs: &[(&str, &str)]) -> Step {
    inputs
        .iter()
        .fold(step, |step, (name, value)| step.input(name, value))
}

#[test]
fn all_problems_are_reported_together() {
    let sandbox = sandbox();
    let step = Step::github(&sandbox)
        .input("event-type", &"x".repeat(101))
        .input("client-payload", "[1]")
        .input("ref", "main")
        .input("commit", "abcdef1")
        .input("variables", "A: b")
        .input("dry-run", "yes")
        .input("tokn", "x")
        .input("token", "two words");
    fails_with(
        &sandbox,
        &step,
        &[
            "input tokn: there is no such input; did you mean `token`?",
            "input dry-run: it must be `true` or `false`",
            "input commit: it means nothing for GitHub: it is for Bitbucket alone. Remove it, or set `provider`",
            "input variables: it means nothing for GitHub: it is for GitLab and Bitbucket alone",
            "input ref: a repository_dispatch always runs on the default branch: remove it",
            "input event-type: it has 101 characters; GitHub takes at most 100",
            "input client-payload: it must be an object",
            "input token: it has a line break, blank or other character in it that no token has",
        ],
    );
}

#[test]
fn github_needs_one_pipeline_with_its_own_inputs() {
    let sandbox = sandbox();
    for (inputs, error) in [
        (vec![], "input event-type: say what to trigger"),
        (
            vec![("event-type", "a"), ("workflow", "b.yml")],
            "input workflow: there is an `event-type` too: give one of the two",
        ),
        (
            vec![("event-type", "a"), ("inputs", "a: b")],
            "input inputs: it goes with `workflow`; with `event-type` use `client-payload`",
        ),
        (
            vec![("workflow", "a.yml"), ("client-payload", "a: b")],
            "input client-payload: it goes with `event-type`; with `workflow` use `inputs`",
        ),
        (
            vec![("workflow", "other/a.yml")],
            "input workflow: it must be a file's name in .github/workflows",
        ),
        (
            vec![("workflow", "..")],
            "input workflow: it must be a file's name",
        ),
        (
            vec![("workflow", "a.yml"), ("ref", "refs/pull/1/merge")],
            "input ref: it must be a branch or tag",
        ),
        (
            vec![("workflow", "a.yml"), ("ref", "two words")],
            "input ref: it must be a branch or tag",
        ),
        (
            vec![("workflow", "a.yml"), ("inputs", "a: [1]")],
            "input inputs: the value of `a` is nested",
        ),
        (
            vec![("workflow", "a.yml"), ("inputs", "just words")],
            "input inputs: it must be a mapping",
        ),
        (
            vec![("workflow", "a.yml"), ("inputs", "{\"a\": 1")],
            "input inputs: it is not valid JSON at line 1 column 7",
        ),
        (
            vec![("workflow", "a.yml"), ("inputs", "a: 1\na: 2")],
            "input inputs: it is not valid YAML at line 2 column 1: duplicated key in mapping",
        ),
    ] {
        fails_with(&sandbox, &with(Step::github(&sandbox), &inputs), &[error]);
    }
}

#[test]
fn payloads_and_inputs_have_githubs_limits() {
    let sandbox = sandbox();
    let payload = |count: usize| {
        let pairs: Vec<_> = (0..count).map(|index| format!("\"k{index}\": 1")).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    let text = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    let inputs = |count: usize| {
        (0..count)
            .map(|index| format!("k{index}: v"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    for (name, value, error) in [
        (
            "client-payload",
            payload(11),
            "input client-payload: it has 11 properties at the top; GitHub takes at most 10",
        ),
        (
            "client-payload",
            text(65_536),
            "input client-payload: it has 65536 characters; GitHub takes at most 65535",
        ),
        (
            "client-payload",
            "[]".to_owned(),
            "input client-payload: it must be an object",
        ),
        (
            "client-payload",
            "5".to_owned(),
            "input client-payload: it must be an object",
        ),
        (
            "client-payload",
            "null".to_owned(),
            "input client-payload: it must be an object",
        ),
        (
            "client-payload",
            "{\"a\": }".to_owned(),
            "input client-payload: it must be",
        ),
        (
            "inputs",
            inputs(26),
            "input inputs: they are 26; GitHub takes at most 25",
        ),
        (
            "inputs",
            format!("a: {}", "x".repeat(65_535)),
            "input inputs: it has 65536 characters",
        ),
    ] {
        let pipeline = if name == "inputs" {
            ("workflow", "build.yml")
        } else {
            ("event-type", "deploy")
        };
        if value == "{\"a\": }" {
            // YAML reads it as `a: null`, which is valid.
            continue;
        }
        let step = with(Step::github(&sandbox), &[pipeline, (name, &value)]);
        fails_with(&sandbox, &step, &[error]);
    }
    for (name, value) in [
        ("client-payload", payload(10)),
        ("client-payload", text(65_535)),
        ("event-type", "é".repeat(100)),
    ] {
        with(
            Step::github(&sandbox),
            &[("event-type", "nobody-listens"), (name, &value)],
        )
        .run()
        .passes();
    }
    assert_eq!(sandbox.trigger_requests().len(), 3);
}

#[test]
fn a_token_is_checked_before_it_is_sent() {
    let sandbox = sandbox();
    let empty =
        "it is empty: the secret is not set, or withheld, as it is from forks and Dependabot";
    let github = [("repository", "octo-org/app"), ("event-type", "deploy")];
    let gitlab = [
        ("provider", "gitlab"),
        ("repository", "octo-group/tools/deployer"),
        ("ref", "main"),
    ];
    let bitbucket = [
        ("provider", "bitbucket"),
        ("repository", "octo-workspace/service"),
        ("ref", "main"),
    ];
    for (target, inputs, error) in [
        (&github[..], vec![("token", "")], format!("input token: {empty}")),
        (&github[..], vec![("token", "  \n ")], format!("input token: {empty}")),
        (&gitlab[..], vec![("token", "")], format!("input token: {empty}")),
        (&bitbucket[..], vec![("token", "")], format!("input token: {empty}")),
        (&github[..], vec![], "input token: a token with the permission \"Contents: write\" for this repository is needed. The workflow's own token can trigger only octo-org/caller, not this repository".to_owned()),
        (&gitlab[..], vec![], "input token: a GitLab access token is needed, or a `trigger-token`".to_owned()),
        (&bitbucket[..], vec![], "input token: a Bitbucket access token is needed".to_owned()),
        (&github[..], vec![("token", "ghp_one\nghp_two")], "input token: it has a line break".to_owned()),
        (&github[..], vec![("token", "gläpat")], "input token: it has a line break".to_owned()),
        (&gitlab[..], vec![("token", demo::GITHUB_CLASSIC)], "input token: it looks like a GitHub token, which is never sent to GitLab".to_owned()),
        (&bitbucket[..], vec![("token", demo::GITHUB_FINE_GRAINED)], "input token: it looks like a GitHub token, which is never sent to Bitbucket".to_owned()),
        (&gitlab[..], vec![("trigger-token", "ghs_0000")], "input trigger-token: it looks like a GitHub token".to_owned()),
        (&github[..], vec![("token", demo::GITLAB_DEVELOPER)], "input token: it looks like a GitLab token, which is never sent to GitHub".to_owned()),
        (&gitlab[..], vec![("token", demo::BITBUCKET_ACCESS)], "input token: it looks like a Bitbucket token, which is never sent to GitLab".to_owned()),
        (&gitlab[..], vec![("trigger-token", demo::GITLAB_DEVELOPER)], "input trigger-token: it looks like an access token, which goes into `token`".to_owned()),
        (&gitlab[..], vec![("trigger-token", demo::GITLAB_TRIGGER), ("token", demo::GITLAB_TRIGGER_LOCKED)], "input token: it looks like a trigger token, and `trigger-token` has one already".to_owned()),
        (&bitbucket[..], vec![("token", demo::BITBUCKET_API), ("email", "octavia")], "input email: it must be the e-mail address of the API token's owner, not the user name".to_owned()),
        (&github[..], vec![("client-id", "Iv1")], "input private-key: it is empty: the secret is not set".to_owned()),
        (&github[..], vec![("private-key", "x")], "input client-id: it is needed with `private-key`".to_owned()),
        (&github[..], vec![("client-id", "Iv1"), ("private-key", "no key at all")], "input private-key: it is not a private key".to_owned()),
        (&github[..], vec![("client-id", "Iv1"), ("private-key", demo::GITHUB_APP_PRIVATE_KEY), ("token", demo::GITHUB_CLASSIC)], "input token: there is a GitHub App too (`client-id`): give one of the two".to_owned()),
    ] {
        let step = with(Step::on(&sandbox.http_url()).input("server-url", &sandbox.http_url()), target);
        fails_with(&sandbox, &with(step, &inputs), &[&error]);
    }
}

#[test]
fn github_token_is_only_sent_to_its_own_server() {
    let sandbox = sandbox();
    // On another server than its own. For another provider the error is "not given".
    let step = Step::on("https://github.example")
        .input("server-url", &sandbox.http_url())
        .input("repository", "octo-org/caller")
        .input("event-type", "deploy");
    fails_with(
        &sandbox,
        &step,
        &["The workflow's own token is never sent to another server than its own"],
    );
}

#[test]
fn variables_have_one_value_each() {
    let sandbox = sandbox();
    let step = Step::gitlab(&sandbox)
        .input("variables", "A: 1\nB: 2")
        .input("secret-variables", "B: hunter2-hunter2")
        .secret("hunter2-hunter2");
    fails_with(
        &sandbox,
        &step,
        &["input secret-variables: `B` is in `variables` too: remove one of the two"],
    );
    let step = Step::bitbucket(&sandbox)
        .input("secret-variables", "PASSWORD: [hunter2-hunter2")
        .secret("hunter2-hunter2");
    fails_with(
        &sandbox,
        &step,
        &["input secret-variables: it is not valid YAML at line"],
    );
    let step = Step::bitbucket(&sandbox).input("commit", "main");
    fails_with(
        &sandbox,
        &step,
        &["input commit: it must be a commit's hash, 7 to 40 hexadecimal digits"],
    );
}

#[test]
fn short_secrets_cause_a_warning_instead_of_a_mask() {
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("secret-variables", "PIN: 123")
        .run()
        .passes();
    assert_eq!(
        done.warnings(),
        [
            "input secret-variables: a secret in it has fewer than 4 characters and is not masked: that would garble the log"
        ]
    );
    assert!(!done.masks.contains(&"123".to_owned()));
}

#[test]
fn secrets_that_look_unset_cause_a_warning() {
    for value in ["", "null", "''"] {
        let sandbox = sandbox();
        let done = Step::bitbucket(&sandbox)
            .input("ref", "main")
            .input("secret-variables", &format!("PASSWORD: {value}"))
            .run()
            .passes();
        assert_eq!(
            done.warnings(),
            [
                "input secret-variables: a secret in it is empty or `null`: it is not set, or withheld, as it is from forks and Dependabot"
            ]
        );
        assert_eq!(sandbox.runs().len(), 1);
    }
}

#[test]
fn certificates_must_be_certificates() {
    let sandbox = sandbox();
    for (text, error) in [
        (
            "nonsense",
            "input ca-certificates: there is no certificate in it",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----",
            "input ca-certificates: it cannot be read",
        ),
    ] {
        let step = Step::gitlab(&sandbox).input("ca-certificates", text);
        fails_with(&sandbox, &step, &[error]);
    }
}

#[test]
fn empty_and_blank_inputs_are_unset() {
    let sandbox = sandbox();
    Step::github(&sandbox)
        .input("event-type", "  deploy\n")
        .input("token", &format!(" {}\n", demo::GITHUB_CLASSIC))
        .input("workflow", "  ")
        .run()
        .passes();
    assert_eq!(
        sandbox.trigger_requests()[0].json().unwrap()["event_type"],
        "deploy"
    );
}

/// The runner also passes its own two keys of `with:` to the container.
#[test]
fn the_runners_own_keys_are_not_inputs() {
    let sandbox = sandbox();
    Step::github(&sandbox)
        .input("event-type", "deploy")
        .input("args", "x")
        .input("entrypoint", "y")
        .run()
        .passes();
}
