//! Tests what entries inherit, which errors they cause, and that no text causes a panic.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::input;
use crate::model::{Caller, EnvironmentVariable};
use crate::providers::any::AnySpec;
use crate::providers::bitbucket::spec::BitbucketCredential;
use crate::providers::github::spec::{GitHubCredential, GitHubPipeline};
use crate::providers::gitlab::spec::GitLabCredential;
use crate::providers::target::{OnFailure, Request};
use crate::providers::variable::{Argument, Variable};

const OWN_TOKEN: &str = "ghs_own";

fn raw_request(step: &[(&str, &str)], targets: &str) -> RawRequest {
    let defaults = [("github-token", OWN_TOKEN), ("token", OWN_TOKEN)];
    let targets = [("targets", targets)];
    let pairs = defaults.iter().chain(step).chain(&targets);
    let given: BTreeMap<_, _> = pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    RawRequest::new(given.into())
}

/// Reads a step of `octo-org/caller` on `github.example`.
fn read(step: &[(&str, &str)], targets: &str) -> Checked<(Request, Vec<Warning>)> {
    let caller = Caller {
        server_url: Some(EnvironmentVariable {
            name: "SERVER",
            value: "https://github.example".to_owned(),
        }),
        repository: Some("octo-org/caller".to_owned()),
        ..Caller::default()
    };
    input::read(&raw_request(step, targets), &caller, &BTreeMap::new())
}

/// Describes an entry's target in one line.
fn target(step: &[(&str, &str)], entry: &str) -> String {
    let (request, _) = read(step, entry).unwrap_or_else(|found| panic!("{entry}: {found:?}"));
    let [target] = request.targets.as_slice() else {
        panic!("one entry, one target: {entry}");
    };
    describe(target)
}

fn describe(target: &Target) -> String {
    let host = target.location.server.web.authority();
    let (provider, repository) = (target.provider().as_str(), &target.location.repository);
    let pipeline = target.pipeline();
    let mut parts = vec![format!("{provider} {repository} at {host}: {pipeline}")];
    parts.extend(target.spec.source());
    let followed = target.follow.iter().flat_map(|follow| &follow.runs);
    parts.extend(followed.map(|run| format!("run {} of {}", run.id, run.url)));
    parts.extend(arguments(&target.spec));
    parts.push(credential(&target.spec));
    if let Some(wait) = &target.wait {
        parts.push(format!("waits {} s", wait.timeout.as_secs()));
        parts.extend(wait.result.as_ref().map(|_| "result".to_owned()));
    }
    parts.join(", ")
}

fn arguments(spec: &AnySpec) -> Vec<String> {
    let variable = |Variable { key, value }: &Variable| match value {
        Argument::Plain(text) => format!("{key}={text}"),
        Argument::Secret(secret) => format!("{key}=secret {}", secret.expose()),
    };
    match spec {
        AnySpec::GitHub(spec) => match &spec.pipeline {
            GitHubPipeline::RepositoryDispatch { client_payload, .. } => {
                vec![client_payload.get().to_owned()]
            }
            GitHubPipeline::WorkflowDispatch { inputs, .. } => {
                let inputs = inputs.iter();
                inputs
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect()
            }
            GitHubPipeline::Followed { may_cancel } => vec![format!("cancels: {may_cancel}")],
        },
        AnySpec::GitLab(spec) => {
            let inputs = spec.inputs.iter().map(|inputs| inputs.get().to_owned());
            spec.variables.iter().map(variable).chain(inputs).collect()
        }
        AnySpec::Bitbucket(spec) => spec.variables.iter().map(variable).collect(),
        AnySpec::Memory(_) => Vec::new(),
    }
}

fn credential(spec: &AnySpec) -> String {
    match spec {
        AnySpec::GitHub(spec) => match &spec.credential {
            GitHubCredential::Token(token) => token.expose().to_owned(),
            GitHubCredential::WorkflowToken(_) => "the workflow's own".to_owned(),
            GitHubCredential::App(app) => format!("App {}", app.client_id),
        },
        AnySpec::GitLab(spec) => match &spec.credential {
            GitLabCredential::Access(token) => token.expose().to_owned(),
            GitLabCredential::Trigger { token, reader } => {
                let reader = reader.as_ref().map_or("nothing", Secret::expose);
                format!("{} with {reader}", token.expose())
            }
        },
        AnySpec::Bitbucket(spec) => match &spec.credential {
            BitbucketCredential::Access(token) => token.expose().to_owned(),
            BitbucketCredential::Api { email, token } => format!("{} of {email}", token.expose()),
        },
        AnySpec::Memory(_) => String::new(),
    }
}

/// Returns each error as it's shown.
fn errors(step: &[(&str, &str)], targets: &str) -> Vec<String> {
    let Err(errors) = read(step, targets) else {
        panic!("nothing is wrong with {targets}");
    };
    errors.iter().map(InputError::to_string).collect()
}

/// Asserts that the errors begin like these, and that there are no others.
fn assert_errors(step: &[(&str, &str)], targets: &str, expected: &[&str]) {
    let found = errors(step, targets);
    let matches_expected = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, start)| found.starts_with(start));
    assert!(matches_expected, "{targets}\n{found:#?}\n{expected:#?}");
}

/// Asserts that there is just this error, in the only entry.
fn assert_one_error(step: &[(&str, &str)], targets: &str, expected: &str) {
    let found = errors(step, targets);
    let is_expected = |error: &String| {
        error.starts_with("input `targets`, ") && error.contains(&format!(" (line 1): {expected}"))
    };
    assert!(
        found.len() == 1 && is_expected(&found[0]),
        "{targets}\n{found:#?}"
    );
}

const KEY: &str = include_str!("../../../tests/sandbox/keys/test-only-app.pkcs8.pem");

#[test]
fn own_keys_replace_inherited_defaults() {
    let github = [
        ("event-type", "deploy"),
        ("token", "ghp_step"),
        ("repository", "octo-org/app"),
    ];
    for (entry, expected) in [
        (
            "- {ref: ''}",
            "github octo-org/app at github.example: repository_dispatch deploy, {}, ghp_step",
        ),
        (
            "- repository: octo-org/b",
            "github octo-org/b at github.example: repository_dispatch deploy, {}, ghp_step",
        ),
        (
            "- event-type: other",
            "github octo-org/app at github.example: repository_dispatch other, {}, ghp_step",
        ),
        (
            "- client-payload: {version: 1.10, count: 3}",
            r#"github octo-org/app at github.example: repository_dispatch deploy, {"version":"1.10","count":3}, ghp_step"#,
        ),
        (
            "- client-payload: 'version: 1.5'",
            r#"github octo-org/app at github.example: repository_dispatch deploy, {"version":1.5}, ghp_step"#,
        ),
        (
            r#"[{"client-payload": {"b": 1.10, "a": 1e3}}]"#,
            r#"github octo-org/app at github.example: repository_dispatch deploy, {"b":1.10,"a":1e3}, ghp_step"#,
        ),
        (
            r#"[{"client-payload": "{\"b\": 1.10}"}]"#,
            r#"github octo-org/app at github.example: repository_dispatch deploy, {"b":1.10}, ghp_step"#,
        ),
        (
            "- token: ghp_own",
            "github octo-org/app at github.example: repository_dispatch deploy, {}, ghp_own",
        ),
        (
            "- repository: ~",
            "github octo-org/caller at github.example: repository_dispatch deploy, {}, ghp_step",
        ),
        (
            r#"[{"repository": null}]"#,
            "github octo-org/caller at github.example: repository_dispatch deploy, {}, ghp_step",
        ),
        (
            "- wait: true",
            "github octo-org/app at github.example: repository_dispatch deploy, {}, ghp_step, waits 21600 s",
        ),
    ] {
        assert_eq!(target(&github, entry), expected, "{entry}");
    }
}

#[test]
fn values_stay_as_written() {
    let step = [("workflow", "build.yml"), ("token", "ghp_step")];
    let expected = "github octo-org/caller at github.example: workflow 012, 1.10, a=1.10, b=yes, c=~, ghp_step";
    for entry in [
        "- {workflow: 012, ref: 1.10, inputs: {a: 1.10, b: yes, c: ~}}",
        "- workflow: 012\n  ref: 1.10\n  inputs: |\n    a: 1.10\n    b: yes\n    c: ~\n",
        r#"[{"workflow": "012", "ref": 1.10, "inputs": {"a": 1.10, "b": "yes", "c": "~"}}]"#,
    ] {
        assert_eq!(target(&step, entry), expected, "{entry}");
    }
}

#[test]
fn an_own_pipeline_replaces_the_inherited_one() {
    let step = [
        ("event-type", "deploy"),
        ("client-payload", "{\"a\": 1}"),
        ("token", "ghp_step"),
    ];
    assert_eq!(
        target(&step, "- workflow: build.yml"),
        "github octo-org/caller at github.example: workflow build.yml, ghp_step"
    );
    assert_eq!(
        target(&step, "- event-type: other"),
        r#"github octo-org/caller at github.example: repository_dispatch other, {"a":1}, ghp_step"#
    );
    let step = [
        ("workflow", "build.yml"),
        ("inputs", "a: 1"),
        ("ref", "release"),
        ("token", "ghp_step"),
    ];
    assert_eq!(
        target(&step, "- event-type: deploy"),
        "github octo-org/caller at github.example: repository_dispatch deploy, {}, ghp_step"
    );
    assert_eq!(
        target(&step, "- workflow: other.yml"),
        "github octo-org/caller at github.example: workflow other.yml, release, a=1, ghp_step"
    );
    assert_eq!(
        target(&step, "- ref: ~\n  inputs: ~"),
        "github octo-org/caller at github.example: workflow build.yml, ghp_step"
    );
    assert_errors(
        &step,
        "- {}\n- event-type: deploy\n  workflow: b.yml\n- event-type: deploy\n  ref: main",
        &[
            "input `targets`, entry 2 (line 3): `workflow` is set, and so is `event-type`",
            "input `targets`, entry 3 (line 5): `ref` only works with `workflow`. A repository_dispatch always runs on the default branch",
        ],
    );
    // A contradiction in the step itself is reported once.
    let step = [
        ("event-type", "deploy"),
        ("workflow", "build.yml"),
        ("token", "ghp_step"),
    ];
    assert_errors(
        &step,
        "- repository: octo-org/a\n- repository: octo-org/b\n- workflow: c.yml",
        &["input `workflow`: is set, and so is `event-type`"],
    );
}

#[test]
fn another_provider_inherits_only_what_applies_to_it() {
    let step = [
        ("repository", "octo-org/app"),
        ("server-url", "https://git.example"),
        ("event-type", "deploy"),
        ("client-payload", "{\"a\": 1}"),
        ("token", "ghp_step"),
        ("variables", "A: b"),
        ("wait", "true"),
        ("timeout", "60"),
        ("result-artifact", "result"),
    ];
    for (entry, expected) in [
        (
            "- {provider: gitlab, repository: a/b, token: glpat-own}",
            "gitlab a/b at gitlab.com: pipeline, A=b, glpat-own, waits 60 s",
        ),
        (
            "- {provider: gitlab, repository: a/b, token: glpat-own, variables: ~, wait: false}",
            "gitlab a/b at gitlab.com: pipeline, glpat-own",
        ),
        (
            "- {provider: bitbucket, repository: a/b, token: own, secret-variables: {S: t}, variables: ''}",
            "bitbucket a/b at bitbucket.org: pipeline, S=secret t, own, waits 60 s",
        ),
        (
            "- {repository: 'https://gitlab.com/a/b', token: glpat-own}",
            "gitlab a/b at gitlab.com: pipeline, A=b, glpat-own, waits 60 s",
        ),
        (
            "- {provider: github}",
            "github octo-org/app at git.example: repository_dispatch deploy, {\"a\":1}, ghp_step, waits 60 s, result",
        ),
        (
            "- {provider: gitlab, repository: a/b, token: glpat-own, result-artifact: 'job:r.json'}",
            "gitlab a/b at gitlab.com: pipeline, A=b, glpat-own, waits 60 s, result",
        ),
        (
            "- {repository: 'https://github.com/octo-org/app', token: ghp_own}",
            "github octo-org/app at github.com: repository_dispatch deploy, {\"a\":1}, ghp_own, waits 60 s, result",
        ),
    ] {
        assert_eq!(target(&step, entry), expected, "{entry}");
    }
    assert_errors(
        &step,
        "- provider: gitlab",
        &[
            "input `targets`, entry 1 (line 1): `repository` is missing",
            "input `targets`, entry 1 (line 1): `token` is missing\nhint: pass a GitLab access token",
        ],
    );
    let step = [
        ("provider", "bitbucket"),
        ("repository", "a/b"),
        ("token", "step"),
        ("ref", "main"),
    ];
    assert_eq!(
        target(&step, "- commit: abcdef1"),
        "bitbucket a/b at bitbucket.org: pipeline, main, commit abcdef1, step"
    );
    assert_eq!(
        target(&step, "- {commit: abcdef1, ref: ~}"),
        "bitbucket a/b at bitbucket.org: pipeline, commit abcdef1, step"
    );
    assert_eq!(
        target(
            &[
                ("provider", "gitlab"),
                ("repository", "a/b"),
                ("token", "step"),
                ("variables", "A: b")
            ],
            "- {provider: '', repository: octo-org/caller, event-type: e}"
        ),
        "github octo-org/caller at github.example: repository_dispatch e, {}, the workflow's own"
    );
}

#[test]
fn credentials_stay_with_their_provider_and_server() {
    let needed = "`token` is missing";
    let github = [("event-type", "deploy"), ("token", "ghp_step")];
    for entry in [
        "- {provider: gitlab, repository: a/b}",
        "- {provider: bitbucket, repository: a/b}",
        "- {repository: 'https://github.com/octo-org/app'}",
        "- {server-url: 'https://git.example', repository: octo-org/app}",
        "- {server-url: 'https://github.example:8443', repository: octo-org/app}",
    ] {
        assert_one_error(&github, entry, needed);
    }
    let gitlab = [
        ("provider", "gitlab"),
        ("repository", "a/b"),
        ("token", "glpat-step"),
        ("trigger-token", "glptt-step"),
    ];
    assert_eq!(
        target(&gitlab, "- repository: c/d"),
        "gitlab c/d at gitlab.com: pipeline, glptt-step with glpat-step"
    );
    // A web URL on the same server.
    assert_eq!(
        target(&gitlab, "- repository: https://gitlab.com/c/d"),
        "gitlab c/d at gitlab.com: pipeline, glptt-step with glpat-step"
    );
    assert_eq!(
        target(&gitlab, "- token: glpat-own"),
        "gitlab a/b at gitlab.com: pipeline, glpat-own"
    );
    assert_eq!(
        target(&gitlab, "- trigger-token: glptt-own"),
        "gitlab a/b at gitlab.com: pipeline, glptt-own with glpat-step"
    );
    assert_eq!(
        target(&gitlab, "- {provider: github, event-type: e}"),
        "github octo-org/caller at github.example: repository_dispatch e, {}, the workflow's own"
    );
    for entry in [
        "- {server-url: 'https://git.example'}",
        "- {provider: bitbucket, repository: a/b}",
        "- {provider: github, repository: octo-org/app, event-type: e}",
    ] {
        assert_one_error(&gitlab, entry, needed);
    }
    let trigger = [
        ("provider", "gitlab"),
        ("repository", "a/b"),
        ("token", "glptt-step"),
    ];
    assert_eq!(
        target(&trigger, "- trigger-token: glptt-own"),
        "gitlab a/b at gitlab.com: pipeline, glptt-own with nothing"
    );
    let bitbucket = [
        ("provider", "bitbucket"),
        ("repository", "a/b"),
        ("token", "step"),
        ("email", "octavia@example.com"),
    ];
    for (entry, expected) in [
        (
            "- ref: main",
            "bitbucket a/b at bitbucket.org: pipeline, main, step of octavia@example.com",
        ),
        (
            "- token: own",
            "bitbucket a/b at bitbucket.org: pipeline, own",
        ),
        (
            "- email: o@example.com",
            "bitbucket a/b at bitbucket.org: pipeline, step of o@example.com",
        ),
    ] {
        assert_eq!(target(&bitbucket, entry), expected);
    }
}

#[test]
fn a_token_and_an_app_replace_each_other() {
    let app = [
        ("event-type", "e"),
        ("client-id", "Iv1"),
        ("private-key", KEY),
    ];
    let at = "at github.example: repository_dispatch e, {}";
    let key = KEY.replace('\n', "\\n");
    for (step, entry, expected) in [
        (
            &app[..],
            "- repository: octo-org/a".to_owned(),
            format!("github octo-org/a {at}, App Iv1"),
        ),
        (
            &app,
            "- token: ghp_own".to_owned(),
            format!("github octo-org/caller {at}, ghp_own"),
        ),
        (
            &app,
            format!("- token: {OWN_TOKEN}"),
            format!("github octo-org/caller {at}, the workflow's own"),
        ),
        (
            &app,
            "- client-id: Iv2".to_owned(),
            format!("github octo-org/caller {at}, App Iv2"),
        ),
        (
            &[("event-type", "e"), ("token", "ghp_step")],
            format!("- client-id: Iv2\n  private-key: \"{key}\""),
            format!("github octo-org/caller {at}, App Iv2"),
        ),
    ] {
        assert_eq!(target(step, &entry), expected, "{entry}");
    }
    for (entry, expected) in [
        (
            "- token: ''",
            "input `targets`, entry 1 (line 1): `token` is empty. The secret isn't set",
        ),
        (
            "- token: ~",
            "input `targets`, entry 1 (line 1): `token` is empty. The secret isn't set",
        ),
        // An unset secret in an expression leaves nothing, or with `toJSON()` the word.
        (
            "- token:\n  repository: octo-org/a",
            "input `targets`, octo-org/a (line 1): `token` is empty. The secret isn't set",
        ),
        (
            "- token: null",
            "input `targets`, entry 1 (line 1): `token` is empty. The secret isn't set",
        ),
        (
            r#"[{"token": null}]"#,
            "input `targets`, entry 1: `token` is empty. The secret isn't set",
        ),
        (
            "- private-key: ''",
            "input `targets`, entry 1 (line 1): `private-key` is empty. The secret isn't set",
        ),
        // Never another identity than the one that was meant.
        (
            "- client-id: ''",
            "input `targets`, entry 1 (line 1): `client-id` is empty. The secret isn't set",
        ),
        (
            "- {client-id: '', token: ghp_own}",
            "input `targets`, entry 1 (line 1): `client-id` is empty. The secret isn't set",
        ),
        (
            "- {provider: gitlab, repository: a/b, trigger-token: '', token: glpat-own}",
            "input `targets`, a/b (line 1): `trigger-token` is empty. The secret isn't set",
        ),
        (
            "- {provider: gitlab, repository: a/b, trigger-token: ''}",
            "input `targets`, a/b (line 1): `trigger-token` is empty. The secret isn't set",
        ),
        (
            "- {provider: gitlab, repository: a/b, trigger-token: glptt-own, token: ''}",
            "input `targets`, a/b (line 1): `token` is empty. The secret isn't set",
        ),
        (
            "- {provider: bitbucket, repository: a/b, email: '', token: ATATT-own}",
            "input `targets`, a/b (line 1): `email` is empty. The secret isn't set",
        ),
        (
            "- {token: ghp_own, client-id: Iv2}",
            "input `targets`, entry 1 (line 1): `private-key` is missing",
        ),
        (
            "- server-url: https://git.example\n  repository: a/b\n  client-id: Iv2",
            "input `targets`, a/b (line 1): `private-key` is missing",
        ),
    ] {
        assert_errors(&app, entry, &[expected]);
    }
}

#[test]
fn the_github_token_counts_as_not_given() {
    let step = [("event-type", "e")];
    assert_eq!(
        target(&step, "- {ref: ~}"),
        "github octo-org/caller at github.example: repository_dispatch e, {}, the workflow's own"
    );
    assert_errors(
        &step,
        "- repository: octo-org/app\n- provider: gitlab\n  repository: a/b",
        &[
            "input `targets`, octo-org/app (line 1): `token` is missing. `GITHUB_TOKEN` can only trigger workflows of octo-org/caller, not of other repositories\nhint: pass a token with the permission \"Contents: write\" for this repository",
            "input `targets`, a/b (line 2): `token` is missing\nhint: pass a GitLab access token",
        ],
    );
    // A token withheld from the step is missing in each entry, but is reported once.
    let step = [("event-type", "e"), ("token", "")];
    assert_errors(
        &step,
        "- repository: octo-org/a\n- repository: octo-org/b\n- {repository: octo-org/c, token: ghp_own}",
        &["input `token`: is empty. The secret isn't set"],
    );
}

#[test]
fn wait_options_are_dropped_without_wait() {
    let step = [
        ("event-type", "e"),
        ("token", "ghp_step"),
        ("wait", "true"),
        ("timeout", "60"),
        ("logs", "none"),
        ("result-artifact", "result"),
    ];
    let at = "github octo-org/caller at github.example: repository_dispatch e, {}, ghp_step";
    for (entry, rest) in [
        ("- {ref: ~}", ", waits 60 s, result"),
        ("- wait: false", ""),
        ("- wait: ~", ""),
        ("- timeout: 5m", ", waits 300 s, result"),
        ("- timeout: ~", ", waits 21600 s, result"),
        ("- result-artifact: ~", ", waits 60 s"),
        (
            "- success-conclusions: [success, skipped]",
            ", waits 60 s, result",
        ),
        (
            "- success-conclusions: success, skipped",
            ", waits 60 s, result",
        ),
    ] {
        assert_eq!(target(&step, entry), format!("{at}{rest}"), "{entry}");
    }
    // Defaults for entries that wait.
    assert_eq!(
        target(
            &[
                ("event-type", "e"),
                ("token", "ghp_step"),
                ("timeout", "60")
            ],
            "- {ref: ~}"
        ),
        at
    );
    assert_errors(
        &step,
        "- wait: false\n  timeout: 5m\n- wait: perhaps\n- success-conclusions: [lost]\n- success-conclusions: {a: b}\n- success-conclusions: []\n- timeout: 5 hunter2",
        &[
            "input `targets`, entry 1 (line 2): `timeout` only works with `wait: true`",
            "input `targets`, entry 2 (line 3): `wait` must be `true`, `false` or `start`",
            "input `targets`, entry 3 (line 4), entry 4 (line 5), entry 5 (line 6): `success-conclusions` must be a list, like",
            "input `targets`, entry 6 (line 7): `timeout` must be a duration",
        ],
    );
}

/// Lines are only known for YAML.
#[test]
fn errors_give_entry_and_line_and_no_text() {
    let step = [("event-type", "deploy"), ("token", "ghp_step")];
    let yaml = r"
-
  repository: a/hunter2/c
-
  repository: a/b
  tokn: hunter2
  dry-run: hunter2
  commit: hunter2
- provider: hunter2

- hunter2
- repository: a/b
  ref: {hunter2: hunter2}
  client-payload: hunter2
- workflow: a.yml
  inputs: {version: [hunter2]}
- server-url: https://hunter2.example
  # a comment
  repository: https://other-hunter2.example/a/b
- event-type: c

  repository: https://hunter2.example/a/b
- provider: gitlab
  repository: a/b
  token: x
  variables: hunter2
";
    assert_errors(
        &step,
        yaml,
        &[
            "input `targets`, entry 1 (line 3): `repository` must be `owner/name`, or its web URL\nhint: this looks like a GitLab repository: set `provider: gitlab`",
            "input `targets`, a/b (line 6): has an unknown key\nhint: did you mean `token`?",
            "input `targets`, a/b (line 7): `dry-run` applies to the whole step",
            "input `targets`, a/b (line 8): `commit` only works with Bitbucket, but the provider here is GitHub",
            "input `targets`, entry 3 (line 9): `provider` must be `github`, `gitlab`, `bitbucket` or `memory`",
            "input `targets`, entry 4 (line 11): `repository` contains no `/`\nhint: use `owner/name`",
            "input `targets`, a/b (line 13): `ref` must be a string, not a mapping or list",
            "input `targets`, a/b (line 14): `client-payload` must be a JSON object or a YAML mapping",
            "input `targets`, entry 6 (line 16): a value in `inputs` is a list or mapping, but only strings can be sent",
            "input `targets`, a/b (line 19): `repository` isn't on the server in `server-url`",
            "input `targets`, a/b (line 22): `repository` is on a server that isn't known, and a web URL by itself doesn't decide where a token is sent\nhint: set `server-url` and `provider` too",
            "input `targets`, a/b (line 26): `variables` must be a mapping, like",
        ],
    );
    let found = errors(&step, yaml);
    assert!(
        found.iter().all(|found| !found.contains("hunter2")),
        "{found:#?}"
    );
    assert_errors(
        &step,
        "- {provider: gitlab, repository: a/b, token: x, variables: {A: a}, secret-variables: {A: b}}",
        &["input `targets`, a/b (line 1): `secret-variables` has `A`, and so does `variables`"],
    );
    let json = "[\n  {\n    \"repository\":\n      \"a/hunter2/c\"\n  },\n  \"hunter2\",\n  {\"repository\": \"a/b\", \"tokn\": 1,\n   \"ref\": [1]}\n]";
    assert_errors(
        &step,
        json,
        &[
            "input `targets`, entry 1: `repository` must be `owner/name`, or its web URL",
            "input `targets`, entry 2: `repository` contains no `/`",
            "input `targets`, a/b (entry 3): has an unknown key\nhint: did you mean `token`?",
            "input `targets`, a/b (entry 3): `ref` must be a string",
        ],
    );
}

#[test]
fn a_json_list_may_have_trailing_commas_and_single_quotes() {
    let step = [("token", "ghp_step")];
    assert_eq!(
        target(
            &step,
            "[{'repository': 'octo-org/b', \"event-type\": \"e\", 'client-payload': {\"a\": 1.10,},},]"
        ),
        r#"github octo-org/b at github.example: repository_dispatch e, {"a":1.10}, ghp_step"#
    );
    assert_errors(
        &step,
        "[\n{\"event-type\": \"hunter2\nhunter2\"}]",
        &["input `targets`: isn't valid JSON at line 2: a string contains a raw line break"],
    );
}

#[test]
fn errors_of_the_step_are_reported_once_and_only_if_they_matter() {
    let step = [
        ("event-type", "deploy"),
        ("token", "ghp_step"),
        ("repository", "a/b/c"),
        ("max-parallel", "0"),
        ("fail-fast", "maybe"),
        ("timeout", "soon"),
        ("wait", "true"),
    ];
    assert_errors(
        &step,
        "- event-type: a\n- event-type: b",
        &[
            "input `max-parallel`: must be a whole number from 1 to 1000",
            "input `fail-fast`: must be `true` or `false`",
            "input `repository`: must be `owner/name`, or its web URL, not `a/b/c`",
            "input `timeout`: must be a duration",
        ],
    );
    let step = &step[..3];
    assert_eq!(
        target(step, "- repository: octo-org/app"),
        "github octo-org/app at github.example: repository_dispatch deploy, {}, ghp_step"
    );
    for number in ["0", "1001", "-1", "8.0", "many", "99999999999999999999"] {
        let step = [("event-type", "e"), ("max-parallel", number)];
        assert_errors(
            &step,
            "- {}",
            &["input `max-parallel`: must be a whole number from 1 to 1000"],
        );
    }
    for (number, expected) in [("", 8), ("8", 8), ("1", 1), ("1000", 1_000)] {
        let (request, _) = read(&[("event-type", "e"), ("max-parallel", number)], "- {}").unwrap();
        assert_eq!(request.max_parallel.get(), expected);
        assert_eq!(request.on_failure, OnFailure::GoOn);
    }
    let (request, _) = read(&[("event-type", "e"), ("fail-fast", "true")], "- {}").unwrap();
    assert_eq!(request.on_failure, OnFailure::SendNoMore);
}

#[test]
fn equal_problems_are_one_message_that_names_the_entries() {
    let found = errors(&[("event-type", "e")], &"- hunter2\n".repeat(1_000));
    let named: Vec<_> = (1..=10)
        .map(|number| format!("entry {number} (line {number})"))
        .collect();
    assert_eq!(
        found,
        [format!(
            "input `targets`, {} and 990 more: `repository` contains no `/`\nhint: use `owner/name`, or its web URL",
            named.join(", ")
        )]
    );
    let step = [("workflow", "build.yml"), ("token", "ghp_step")];
    assert_errors(
        &step,
        "- {repository: octo-org/a, ref: 67/merge}\n- {repository: octo-org/b, wait: perhaps}\n- {repository: octo-org/c, ref: 12/merge}",
        &[
            "input `targets`, octo-org/a (line 1), octo-org/c (line 3): `ref` is a pull request's ref",
            "input `targets`, octo-org/b (line 2): `wait` must be `true`, `false` or `start`",
        ],
    );
}

#[test]
fn a_string_is_short_for_a_repository() {
    let step = [("event-type", "deploy"), ("token", "ghp_step")];
    for targets in [
        "- octo-org/app",
        "- 'octo-org/app'",
        "- octo-org/app # the app",
        r#"["octo-org/app"]"#,
        "['octo-org/app',]",
    ] {
        assert_eq!(
            target(&step, targets),
            "github octo-org/app at github.example: repository_dispatch deploy, {}, ghp_step",
            "{targets}"
        );
    }
    let (request, _) = read(&step, "- octo-org/a\n- repository: octo-org/b\n").unwrap();
    assert_eq!(request.targets.len(), 2);
    for (entry, line) in [("- ''", " (line 1)"), ("- ~", ""), ("- [a]", " (line 1)")] {
        let found = errors(&step, entry);
        let expected = "must be a mapping, like `repository: octo-org/app`";
        assert!(found[0].ends_with(expected), "{entry}{line}: {found:?}");
    }
}

#[test]
fn secrets_are_known_even_if_everything_else_is_invalid() {
    let raw_request = raw_request(
        &[("token", "step-secret")],
        "- token: own-secret\n  trigger-token: second\n  nonsense: x\n- secret-variables: {A: third, B: [fourth]}\n\
         - secret-variables: 'A: fifth'\n- private-key: a\\nkey\n- token: [nested]\n",
    );
    let secrets: Vec<_> = raw_request
        .secrets()
        .into_iter()
        .map(|(name, secret)| format!("{name}: {}", secret.expose()))
        .collect();
    assert_eq!(
        secrets,
        [
            "input `token`: step-secret",
            "input `github-token`: ghs_own",
            "input `targets`, entry 1 (line 1), `token`: own-secret",
            "input `targets`, entry 1 (line 2), `trigger-token`: second",
            "input `targets`, entry 2 (line 4), `secret-variables`: third",
            "input `targets`, entry 2 (line 4), `secret-variables`: fourth",
            "input `targets`, entry 3 (line 5), `secret-variables`: fifth",
            "input `targets`, entry 4 (line 6), `private-key`: a\\nkey",
            "input `targets`, entry 4 (line 6), `private-key`: a\nkey",
        ]
    );
}

#[test]
fn duplicate_targets_cause_one_warning() {
    let step = [("event-type", "deploy"), ("token", "ghp_step")];
    let warnings = |targets| read(&step, targets).unwrap().1;
    let warning = |text: &str| Warning {
        title: "Duplicate target".to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(
        warnings(
            "- repository: octo-org/a\n- repository: octo-org/b\n- repository: Octo-Org/A\n  token: ghp_other\n  wait: true\n\
             - {repository: octo-org/b, client-payload: {a: 1}}\n- {repository: octo-org/b, client-payload: {a: 1}, wait: true}\n\
             - repository: octo-org/a\n  wait: true\n- repository: octo-org/a\n"
        ),
        [
            warning(
                "input `targets`, Octo-Org/A (line 3): is the same as octo-org/a (line 1), and so are 2 more. That pipeline will be triggered 4 times"
            ),
            warning(
                "input `targets`, octo-org/b (line 7): is the same as octo-org/b (line 6). That pipeline will be triggered twice"
            ),
        ]
    );
    assert_eq!(
        warnings(
            "- {workflow: a.yml}\n- {workflow: a.yml, ref: main}\n- {workflow: a.yml, inputs: {a: b}}\n- {event-type: a.yml}\n\
             - {workflow: a.yml, ref: refs/tags/main}\n- {repository: 'https://github.com/octo-org/caller', token: ghp_x, workflow: a.yml}\n\
             - {provider: gitlab, repository: a/b, token: x}\n- {provider: bitbucket, repository: a/b, token: x}\n\
             - {provider: bitbucket, repository: a/b, token: x, custom-pipeline: c}\n\
             - {provider: bitbucket, repository: a/b, token: x, variables: {a: b}}\n\
             - {provider: bitbucket, repository: a/b, token: x, secret-variables: {a: b}}\n"
        ),
        []
    );
}

#[test]
fn a_thousand_entries_share_large_values() {
    let certificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".repeat(200);
    let payload = format!("{{\"a\": \"{}\"}}", "x".repeat(60_000));
    let variables: Vec<_> = (0..200)
        .map(|index| format!("NAME_{index}: value\n"))
        .collect();
    let key = KEY.replace('\n', "\\n");
    let step = [
        ("event-type", "deploy"),
        ("client-payload", payload.as_str()),
        ("client-id", "Iv1"),
        ("private-key", KEY),
        ("ca-certificates", &certificate),
    ];
    let targets: Vec<_> = (0..1_000)
        .map(|index| format!("- repository: octo-org/app-{index}\n  private-key: \"{key}\"\n"))
        .collect();
    let (request, _) = read(&step, &targets.concat()).unwrap();
    assert_eq!(request.targets.len(), 1_000);
    let certificates = |index: usize| {
        request.targets[index]
            .location
            .certificates
            .clone()
            .unwrap()
    };
    assert!(Rc::ptr_eq(&certificates(0), &certificates(999)));
    let variables = variables.concat();
    let step = [
        ("provider", "gitlab"),
        ("token", "glpat-x"),
        ("secret-variables", variables.as_str()),
    ];
    let targets: Vec<_> = (0..1_000)
        .map(|index| format!("{{\"repository\": \"octo-group/app-{index}\"}}"))
        .collect();
    let targets = format!("[{}]", targets.join(",\n"));
    assert_eq!(read(&step, &targets).unwrap().0.targets.len(), 1_000);
}

proptest! {
    #[test]
    fn no_text_panics(text in r#"([\[\]{}:,"'&*!|>?~ \n-]|- |token: |ref: |inputs: |"ref": |null|\PC){0,60}"#) {
        let step = [("event-type", "deploy"), ("token", "ghp_step")];
        raw_request(&step, &text).secrets();
        let _ = read(&step, &text);
    }

    #[test]
    fn no_text_is_quoted(
        key in "provider|server-url|repository|follow|event-type|workflow|ref|inputs|timeout|wait|token|client-payload|ca-certificates|tokn|logs",
        value in "hunter2|a/hunter2|a/hunter2/b|https://hunter2|https://hunter2/a|name: hunter2|name: \\[hunter2\\]|5 hunter2|-----BEGIN hunter2",
        nested in any::<bool>(),
    ) {
        let quoted = serde_json::to_string(&value).unwrap();
        let value = if nested { format!("{{name: {quoted}}}") } else { quoted };
        let step = [("token", "ghp_step"), ("wait", "true")];
        for more in ["", ", workflow: a.yml", ", event-type: a", ", provider: gitlab"] {
            if let Err(errors) = read(&step, &format!("- {{{key}: {value}{more}}}")) {
                for error in errors {
                    let problem = error.problem();
                    prop_assert!(!problem.contains("hunter2"), "{}", problem);
                }
            }
        }
    }
}
