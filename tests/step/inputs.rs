//! Invalid inputs: all problems are reported together, each with its input and the remedy, and nothing is sent.

use sandbox::{Sandbox, demo};

use crate::harness::{Done, Step, sandbox};

/// What messages about inputs begin with. The runner's log doesn't show their titles.
const SUBJECTS: [&str; 3] = ["input `", "environment variable `", "and "];

/// Checks that the step fails with exactly these errors, and sends nothing.
pub(crate) fn fails_with(sandbox: &Sandbox, step: &Step, errors: &[&str]) -> Done {
    let done = step.run().fails(errors);
    for line in done.log.lines().filter(|line| line.starts_with("::error ")) {
        let message = line.splitn(3, "::").nth(2).unwrap_or_default();
        let begins = |subject: &&str| message.starts_with(*subject);
        assert!(SUBJECTS.iter().any(begins), "{line}");
    }
    let count = match errors.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    done.outcome("not-sent")
        .says(&format!("\n✗ {count}; nothing was sent\n"));
    for result in done.results() {
        assert_eq!(result["outcome"], "not-sent", "{done}");
        assert!(result["error"].is_string(), "{done}");
    }
    let heading = format!("### ✗ Nothing was triggered: {count}\n\n- ");
    assert!(done.summary.starts_with(&heading), "{done}");
    assert_eq!(done.summary.matches("\n- ").count(), errors.len(), "{done}");
    assert_eq!(sandbox.requests().len(), 0, "{done}");
    done
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
            "input `tokn`: isn't an input of this action\nhint: did you mean `token`?",
            "input `dry-run`: must be `true` or `false`",
            "input `commit`: only works with Bitbucket, but the provider here is GitHub\nhint: remove `commit`, or set `provider: bitbucket`",
            "input `variables`: only works with GitLab and Bitbucket, but the provider here is GitHub\nhint: remove `variables`, or set `provider` to `gitlab` or `bitbucket`",
            "input `ref`: only works with `workflow`. A repository_dispatch always runs on the default branch\nhint: remove `ref`",
            "input `event-type`: has 101 characters, but GitHub accepts at most 100",
            "input `client-payload`: must be a JSON object or a YAML mapping",
            "input `token`: contains a space, line break or other character that can't be part of a token",
        ],
    );
}

#[test]
fn github_needs_one_pipeline_with_its_own_inputs() {
    let sandbox = sandbox();
    for (inputs, error) in [
        (
            vec![],
            "input `event-type`: is missing\nhint: set `event-type` for a repository_dispatch, or `workflow`",
        ),
        (
            vec![("event-type", "a"), ("workflow", "b.yml")],
            "input `workflow`: is set, and so is `event-type`\nhint: use one of the two",
        ),
        (
            vec![("event-type", "a"), ("inputs", "a: b")],
            "input `inputs`: only works with `workflow`\nhint: use `client-payload` with `event-type`",
        ),
        (
            vec![("workflow", "a.yml"), ("client-payload", "a: b")],
            "input `client-payload`: only works with `event-type`\nhint: use `inputs` with `workflow`",
        ),
        (
            vec![("workflow", "other/a.yml")],
            "input `workflow`: must be a file name in .github/workflows",
        ),
        (
            vec![("workflow", "..")],
            "input `workflow`: must be a file name",
        ),
        (
            vec![("workflow", "a.yml"), ("ref", "refs/pull/1/merge")],
            "input `ref`: is a pull request's ref, on which no pipeline can be started (`refs/pull/1/merge`)\nhint: use the branch: `${{ github.head_ref }}`",
        ),
        (
            vec![("workflow", "a.yml"), ("ref", "two words")],
            "input `ref`: must be a branch or tag",
        ),
        (
            vec![("workflow", "a.yml"), ("inputs", "a: [1]")],
            "input `inputs`: the value of `a` is a list or mapping, but only strings can be sent",
        ),
        (
            vec![("workflow", "a.yml"), ("inputs", "just words")],
            "input `inputs`: must be a mapping",
        ),
        (
            vec![("workflow", "a.yml"), ("inputs", "{\"a\": 1")],
            "input `inputs`: isn't valid JSON at line 1, column 7",
        ),
        (
            vec![("workflow", "a.yml"), ("inputs", "a: 1\na: 2")],
            "input `inputs`: uses a key twice, again at line 2",
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
            "input `client-payload`: has 11 top-level properties, but GitHub accepts at most 10\nhint: nest some of them under one key",
        ),
        (
            "client-payload",
            text(65_536),
            "input `client-payload`: has 65536 characters, but GitHub accepts at most 65535",
        ),
        (
            "client-payload",
            "[]".to_owned(),
            "input `client-payload`: must be a JSON object or a YAML mapping",
        ),
        (
            "client-payload",
            "5".to_owned(),
            "input `client-payload`: must be a JSON object or a YAML mapping",
        ),
        (
            "client-payload",
            "null".to_owned(),
            "input `client-payload`: must be a JSON object or a YAML mapping",
        ),
        (
            "client-payload",
            "{\"a\": }".to_owned(),
            "input `client-payload`: must be",
        ),
        (
            "inputs",
            inputs(26),
            "input `inputs`: has 26 inputs, but GitHub accepts at most 25",
        ),
        (
            "inputs",
            format!("a: {}", "x".repeat(65_535)),
            "input `inputs`: has 65536 characters",
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
    let empty = "is empty. The secret isn't set, or it was withheld because a fork or Dependabot started the workflow";
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
        (&github[..], vec![("token", "")], format!("input `token`: {empty}")),
        (&github[..], vec![("token", "  \n ")], format!("input `token`: {empty}")),
        (&gitlab[..], vec![("token", "")], format!("input `token`: {empty}")),
        (&bitbucket[..], vec![("token", "")], format!("input `token`: {empty}")),
        (&github[..], vec![], "input `token`: is missing. `GITHUB_TOKEN` can only trigger workflows of octo-org/caller, not of other repositories\nhint: pass a token with the permission \"Contents: write\" for this repository".to_owned()),
        (&gitlab[..], vec![], "input `token`: is missing\nhint: pass a GitLab access token in `token`, or a trigger token in `trigger-token`".to_owned()),
        (&bitbucket[..], vec![], "input `token`: is missing\nhint: pass a Bitbucket access token".to_owned()),
        (&github[..], vec![("token", "ghp_one\nghp_two")], "input `token`: contains a space, line break".to_owned()),
        (&github[..], vec![("token", "gläpat")], "input `token`: contains a space, line break".to_owned()),
        (&gitlab[..], vec![("token", demo::GITHUB_CLASSIC)], "input `token`: looks like a GitHub token, which is never sent to GitLab".to_owned()),
        (&bitbucket[..], vec![("token", demo::GITHUB_FINE_GRAINED)], "input `token`: looks like a GitHub token, which is never sent to Bitbucket".to_owned()),
        (&gitlab[..], vec![("trigger-token", "ghs_0000")], "input `trigger-token`: looks like a GitHub token".to_owned()),
        (&github[..], vec![("token", demo::GITLAB_DEVELOPER)], "input `token`: looks like a GitLab token, which is never sent to GitHub".to_owned()),
        (&gitlab[..], vec![("token", demo::BITBUCKET_ACCESS)], "input `token`: looks like a Bitbucket token, which is never sent to GitLab".to_owned()),
        (&gitlab[..], vec![("trigger-token", demo::GITLAB_DEVELOPER)], "input `trigger-token`: looks like an access token\nhint: pass it in `token`".to_owned()),
        (&gitlab[..], vec![("trigger-token", demo::GITLAB_TRIGGER), ("token", demo::GITLAB_TRIGGER_LOCKED)], "input `token`: is a trigger token, but `trigger-token` is set too".to_owned()),
        (&bitbucket[..], vec![("token", demo::BITBUCKET_API), ("email", "octavia")], "input `email`: must be the email address of the API token's owner, not `octavia`".to_owned()),
        (&github[..], vec![("client-id", "Iv1")], "input `private-key`: is empty. The secret isn't set".to_owned()),
        (&github[..], vec![("private-key", "x")], "input `client-id`: is missing\nhint: pass the client ID of the GitHub App".to_owned()),
        (&github[..], vec![("client-id", "Iv1"), ("private-key", "no key at all")], "input `private-key`: isn't a private key".to_owned()),
        (&github[..], vec![("client-id", "Iv1"), ("private-key", demo::GITHUB_APP_PRIVATE_KEY), ("token", demo::GITHUB_CLASSIC)], "input `token`: is set, and so is `client-id` of a GitHub App\nhint: use one of the two".to_owned()),
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
        &["is missing. `GITHUB_TOKEN` is only sent to the server that this workflow runs on"],
    );
}

#[test]
fn a_token_in_quotes_or_for_something_else_is_refused() {
    let sandbox = sandbox();
    let quotes = "is in quotes\nhint: save the secret again without the quotes";
    for (step, name, value, error) in [
        (
            Step::github(&sandbox).input("event-type", "e"),
            "token",
            "\"ghp_0123456789\"",
            quotes,
        ),
        (
            Step::gitlab(&sandbox),
            "token",
            "'glpat-0123456789'",
            quotes,
        ),
        (
            Step::gitlab(&sandbox),
            "trigger-token",
            "\"glptt-0123456789\"",
            quotes,
        ),
        (
            Step::gitlab(&sandbox),
            "token",
            "glcbt-0123456789",
            "is a CI/CD job token, which only works inside its own job (`glcbt-`)\nhint: create a project access token",
        ),
        (
            Step::bitbucket(&sandbox),
            "token",
            "ATBB0123456789",
            "is an app password, which Bitbucket no longer accepts\nhint: pass an access token, or an API token",
        ),
        (
            Step::gitlab(&sandbox),
            "token",
            "gldt-0123456789",
            "is a deploy token, which can't start pipelines (`gldt-`)",
        ),
        (
            Step::github(&sandbox)
                .input("event-type", "e")
                .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
                .input("private-key", demo::GITHUB_APP_PRIVATE_KEY),
            "client-id",
            "\"Iv1.0123456789\"",
            "contains quotes\nhint: copy the client ID again",
        ),
        (
            Step::github(&sandbox)
                .input("event-type", "e")
                .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
                .input("private-key", demo::GITHUB_APP_PRIVATE_KEY),
            "client-id",
            "Iv1.0123\u{200b}456789",
            "contains a space or an invisible character",
        ),
    ] {
        let error = format!("input `{name}`: {error}");
        fails_with(&sandbox, &step.input(name, value), &[&error]);
    }
}

/// GitHub shows ten annotations of a kind. The log has everything.
#[test]
fn more_than_nine_problems_are_nine_annotations_and_a_list() {
    let sandbox = sandbox();
    let names = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    ];
    let step = names.iter().fold(
        Step::github(&sandbox).input("event-type", "deploy"),
        |step, name| step.input(&format!("my-odd-input-{name}"), "x"),
    );
    let done = step.run();
    let errors = done.errors();
    assert_eq!(errors.len(), 10, "{done}");
    assert!(errors[9].contains(": and 2 more: `my-odd-input-"), "{done}");
    assert_eq!(
        done.log.matches("isn't an input of this action").count(),
        11
    );
    done.says("\n✗ 11 problems; nothing was sent\n");
    assert_eq!(done.summary.matches("\n- ").count(), 11, "{done}");
    let problem = done.result()["error"].to_string();
    assert!(problem.contains("isn't an input of this action"), "{done}");
}

#[test]
fn the_name_of_a_variable_is_checked() {
    let sandbox = sandbox();
    for (step, name) in [
        (Step::gitlab(&sandbox), "variables"),
        (Step::bitbucket(&sandbox), "variables"),
        (Step::gitlab(&sandbox), "secret-variables"),
    ] {
        fails_with(
            &sandbox,
            &step.input(name, "MY-VAR: hello"),
            &[&format!(
                "input `{name}`: the key `MY-VAR` can't be a variable's name. Only letters, digits and `_` are allowed"
            )],
        );
    }
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
        &[
            "input `secret-variables`: has `B`, and so does `variables`\nhint: remove one of the two",
        ],
    );
    let step = Step::bitbucket(&sandbox)
        .input("secret-variables", "PASSWORD: [hunter2-hunter2")
        .secret("hunter2-hunter2");
    fails_with(
        &sandbox,
        &step,
        &["input `secret-variables`: isn't valid YAML at line"],
    );
    let step = Step::bitbucket(&sandbox).input("commit", "main");
    fails_with(
        &sandbox,
        &step,
        &["input `commit`: must be a commit's hash, 7 to 40 hexadecimal digits, not `main`"],
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
            "Secret not masked: input `secret-variables`: a secret has fewer than 4 characters and isn't masked, because masking it would garble the log"
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
                "Empty secret: input `secret-variables`: a secret is empty or `null`. It isn't set, or it was withheld because a fork or Dependabot started the workflow"
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
            "input `ca-certificates`: contains no certificate",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----",
            "input `ca-certificates`: contains a certificate that can't be read",
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
