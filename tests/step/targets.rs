//! `targets`: several targets in one step. How entries are read is covered by unit tests; these tests cover what a
//! user sees and what is started.

use sandbox::{Provider, Sandbox, demo};
use serde_json::Value;

use crate::harness::{Done, Step, sandbox};

/// A step of `octo-org/caller` whose entries may contain `SERVER`.
fn step(sandbox: &Sandbox, targets: &str) -> Step {
    let targets = targets.replace("SERVER", &sandbox.http_url());
    Step::on(&sandbox.http_url()).input("targets", &targets)
}

/// `provider repository: pipeline, outcome` of each entry of `results`.
fn results(done: &Done) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    done.results()
        .iter()
        .map(|entry| {
            format!(
                "{} {}: {}, {}",
                text(entry, "provider"),
                text(entry, "repository"),
                text(entry, "pipeline"),
                text(entry, "outcome")
            )
        })
        .collect()
}

/// Checks that the step fails with exactly these errors, and sends nothing.
fn fails_with(sandbox: &Sandbox, step: &Step, errors: &[&str]) -> Done {
    let done = step.run().fails(errors);
    done.outcome("not-sent").says("nothing was sent");
    assert_eq!(done.outputs["results"], "[]");
    assert_eq!(sandbox.requests().len(), 0, "{done}");
    done
}

const EVERYWHERE: &str = "
- repository: octo-org/app
  workflow: build.yml
  inputs: {version: 1.10}
  token: GITHUB
- provider: gitlab
  server-url: SERVER
  repository: octo-group/tools/deployer
  token: GITLAB
  inputs:
    replicas: 3
  variables: |
    VERSION: 1.10
- provider: bitbucket
  server-url: SERVER
  repository: octo-workspace/service
  ref: develop
  token: BITBUCKET
  secret-variables:
    PASSWORD: hunter2-hunter2
";

fn everywhere() -> String {
    EVERYWHERE
        .replace("GITHUB", demo::GITHUB_CLASSIC)
        .replace("GITLAB", demo::GITLAB_DEVELOPER)
        .replace("BITBUCKET", demo::BITBUCKET_ACCESS)
}

#[test]
fn each_target_starts_one_run_whatever_its_provider() {
    let sandbox = sandbox();
    let step = step(&sandbox, &everywhere())
        .secret(demo::GITHUB_CLASSIC)
        .secret(demo::GITLAB_DEVELOPER)
        .secret(demo::BITBUCKET_ACCESS)
        .secret("hunter2-hunter2")
        .input("ref", "main");
    let done = step.run().passes();
    assert_eq!(
        results(&done),
        [
            "github octo-org/app: workflow build.yml, accepted",
            "gitlab octo-group/tools/deployer: pipeline, accepted",
            "bitbucket octo-workspace/service: pipeline, accepted",
        ]
    );
    assert_eq!(done.warnings(), Vec::<String>::new());
    let github = sandbox.runs_of(Provider::GitHub);
    let gitlab = sandbox.runs_of(Provider::GitLab);
    let bitbucket = sandbox.runs_of(Provider::Bitbucket);
    assert_eq!((github.len(), gitlab.len(), bitbucket.len()), (1, 1, 1));
    assert_eq!(github[0].inputs["version"], "1.10");
    assert_eq!(gitlab[0].inputs["replicas"], 3);
    assert_eq!(gitlab[0].variables[0].value, "1.10");
    assert_eq!(bitbucket[0].variables[0].value, "hunter2-hunter2");
    assert_eq!(github[0].reference_name(), Some("main"));
    assert_eq!(gitlab[0].reference_name(), Some("main"));
    assert_eq!(bitbucket[0].reference_name(), Some("develop"));
    for mask in [
        demo::GITHUB_CLASSIC,
        demo::GITLAB_DEVELOPER,
        demo::BITBUCKET_ACCESS,
        "hunter2-hunter2",
    ] {
        assert!(done.masks.iter().any(|known| known == mask), "{done}");
    }
}

#[test]
fn a_json_list_sends_payloads_as_they_are_written() {
    let sandbox = sandbox();
    let targets = r#"[
        {"repository": "octo-org/app", "client-payload": {"z": 1.10, "a": [1e3, 12345678901234567890]}},
        {"repository": "octo-org/private", "client-payload": "{\"z\": 1.10}"},
        {"repository": "octo-org/private"}
    ]"#;
    let done = step(&sandbox, targets)
        .input("event-type", "deploy")
        .input("client-payload", "{\"step\": 1.0}")
        .input("token", demo::GITHUB_CLASSIC)
        .run()
        .passes();
    let bodies: Vec<_> = sandbox
        .trigger_requests()
        .iter()
        .map(|request| String::from_utf8(request.body.clone()).unwrap())
        .collect();
    assert_eq!(bodies.len(), 3, "{done}");
    for payload in [
        r#"{"z":1.10,"a":[1e3,12345678901234567890]}"#,
        r#"{"z":1.10}"#,
        r#"{"step":1.0}"#,
    ] {
        let sent = format!(r#""client_payload":{payload}"#);
        assert!(bodies.iter().any(|body| body.contains(&sent)), "{bodies:?}");
    }
}

#[test]
fn problems_of_all_entries_are_reported_together_and_nothing_is_sent() {
    let sandbox = sandbox();
    let targets = "
- repository: octo-org/hunter2-hunter2/app
- tokn: hunter2-hunter2
  workflow: [hunter2-hunter2]
- provider: gitlab
  server-url: SERVER
  repository: octo-group/tools/deployer
  trigger-token: ''
- hunter2-hunter2
- repository: octo-org/app
  ref: main
  token: hunter2-hunter2 hunter2
  dry-run: true
";
    let step = step(&sandbox, targets)
        .input("event-type", "deploy")
        .input("client-payload", "[1]")
        .input("token", demo::GITHUB_CLASSIC)
        .input("max-parallel", "1001")
        .secret("hunter2-hunter2");
    let done = fails_with(
        &sandbox,
        &step,
        &[
            "input max-parallel: it must be a whole number from 1 to 1000",
            "input targets[0].repository: line 2: it has more than two parts; it must be `owner/name`",
            "input client-payload: it must be an object",
            "input targets[1]: line 3: there is no such key; did you mean `token`?",
            "input targets[1].workflow: line 4: it must be a text, not a mapping or list",
            "input targets[2].token: line 5: a GitLab access token is needed",
            "input targets[3]: line 9: it must be a mapping, like `repository: octo-org/app`",
            "input targets[4].dry-run: line 13: it is for the step as a whole",
            "input targets[4].ref: line 11: a repository_dispatch always runs on the default branch",
            "input targets[4].token: line 12: it has a line break, blank or other character in it",
        ],
    );
    assert!(!done.log.contains("octo-org/hunter2"), "{done}");
}

#[test]
fn an_invalid_list_is_not_quoted() {
    let sandbox = sandbox();
    for (targets, error) in [
        ("[]", "input targets: there is none in it"),
        (
            "hunter2-hunter2",
            "input targets: it must be a list of mappings",
        ),
        (
            "repository: hunter2-hunter2",
            "input targets: it must be a list of mappings",
        ),
        (
            "{\"repository\": \"hunter2-hunter2\"}",
            "input targets: it must be a list of mappings",
        ),
        (
            "[{\"repository\" \"hunter2-hunter2\"}]",
            "input targets: it is not valid JSON at line 1 column 16",
        ),
        (
            "- a: 1\n  b: [hunter2-hunter2",
            "input targets: it is not valid YAML at line 3 column 1",
        ),
        (
            "- ref: 1\n  ref: hunter2-hunter2",
            "input targets: it is not valid YAML at line 2 column 3: duplicated key",
        ),
        (
            "- ref: 1\n  \"ref\": hunter2-hunter2",
            "input targets: a key stands twice in one target, again at line 2",
        ),
        (
            "[{\"ref\": 1,\n\"ref\": \"hunter2-hunter2\"}]",
            "input targets: a key stands twice in entry 0",
        ),
        (
            "- inputs:\n    hunter2-hunter2: 1\n    'hunter2-hunter2': 2",
            "input targets: a name stands there twice, again at line 3",
        ),
        (
            "[{\"ref\": \"\\ud800\"}]",
            "input targets: it is not valid JSON: a text of entry 0 has",
        ),
        (
            "- a: 1\n---\n- b: 1",
            "input targets: it must be one YAML document, not 2",
        ),
        (
            "# nothing",
            "input targets: it must be one YAML document, not 0",
        ),
    ] {
        let step = step(&sandbox, targets).input("event-type", "deploy");
        let step = step.secret("hunter2-hunter2");
        fails_with(&sandbox, &step, &[error]);
    }
}

#[test]
fn a_missing_inherited_secret_is_reported_once() {
    let sandbox = sandbox();
    let targets = "
- repository: octo-org/app
- repository: octo-org/private
- repository: octo-org/caller
";
    let step = step(&sandbox, targets)
        .input("event-type", "deploy")
        .input("token", "");
    fails_with(
        &sandbox,
        &step,
        &["input token: it is empty: the secret is not set"],
    );
}

#[test]
fn credentials_do_not_cross_providers_or_servers() {
    let sandbox = sandbox();
    let targets = "
- repository: octo-org/app
- provider: gitlab
  server-url: SERVER
  repository: octo-group/tools/deployer
- provider: bitbucket
  server-url: SERVER
  repository: octo-workspace/service
- server-url: https://github.example
  repository: octo-org/app
";
    let step = step(&sandbox, targets)
        .input("event-type", "deploy")
        .input("token", "no-known-prefix-of-any-token");
    fails_with(
        &sandbox,
        &step,
        &[
            "input targets[1].token: line 3: a GitLab access token is needed",
            "input targets[2].token: line 6: a Bitbucket access token is needed",
            "input targets[3].token: line 9: a token with the permission \"Contents: write\" for this repository is needed. The workflow's own token is never sent to another server",
        ],
    );
}

#[test]
fn secret_variables_do_not_cross_providers_or_servers() {
    let sandbox = sandbox();
    let own = "{PASSWORD: own-own-own}";
    let targets = format!(
        "
- repository: octo-group/tools/deployer
- server-url: https://gitlab.example
  repository: a/b
  token: glpat-x
- provider: bitbucket
  server-url: SERVER
  repository: octo-workspace/service
  ref: main
  token: {access}
- repository: https://gitlab.com/a/b
  token: glpat-x
",
        access = demo::BITBUCKET_ACCESS
    );
    let step = |targets: &str| {
        step(&sandbox, targets)
            .input("provider", "gitlab")
            .input("server-url", &sandbox.http_url())
            .input("token", demo::GITLAB_DEVELOPER)
            .input("secret-variables", "PASSWORD: hunter2-hunter2")
            .secret("hunter2-hunter2")
            .secret(demo::BITBUCKET_ACCESS)
    };
    let refused = "the step's own are sent only to the step's provider and server: set them for this target too, or write `{}` for none";
    fails_with(
        &sandbox,
        &step(&targets),
        &[
            &format!("input targets[1].secret-variables: line 3: {refused}"),
            &format!("input targets[2].secret-variables: line 6: {refused}"),
            &format!("input targets[3].secret-variables: line 11: {refused}"),
        ],
    );
    // With their own secret variables, or none, and with a provider that has none.
    let targets = format!(
        "
- repository: octo-group/tools/deployer
- provider: bitbucket
  server-url: SERVER
  repository: octo-workspace/service
  ref: main
  token: {access}
  secret-variables: {own}
- provider: bitbucket
  server-url: SERVER
  repository: octo-workspace/service
  ref: develop
  token: {access}
  secret-variables: {{}}
- provider: github
  repository: octo-org/app
  event-type: deploy
  token: {classic}
",
        access = demo::BITBUCKET_ACCESS,
        classic = demo::GITHUB_CLASSIC
    );
    let done = step(&targets)
        .secret("own-own-own")
        .secret(demo::GITHUB_CLASSIC)
        .run()
        .passes();
    let secrets = |provider| {
        let runs = sandbox.runs_of(provider).into_iter();
        let values = runs
            .flat_map(|run| run.variables)
            .map(|variable| variable.value);
        values.collect::<Vec<_>>()
    };
    assert_eq!(secrets(Provider::GitLab), ["hunter2-hunter2"], "{done}");
    assert_eq!(secrets(Provider::Bitbucket), ["own-own-own"], "{done}");
}

/// Each request carries the credential of its own target and no other.
#[test]
fn each_target_is_triggered_with_its_own_credential() {
    let sandbox = sandbox();
    let targets = format!(
        "
- repository: octo-org/app
- repository: octo-org/app
  client-payload: {{as: somebody else}}
  token: {}
- repository: octo-org/caller
  token: {}
- provider: gitlab
  server-url: SERVER
  repository: octo-group/tools/deployer
  trigger-token: {}
  ref: main
",
        demo::GITHUB_FINE_GRAINED,
        demo::GITHUB_WORKFLOW_OF_CALLER,
        demo::GITLAB_TRIGGER
    );
    let done = step(&sandbox, &targets)
        .input("event-type", "deploy")
        .input("token", demo::GITHUB_CLASSIC)
        .secret(demo::GITHUB_FINE_GRAINED)
        .secret(demo::GITLAB_TRIGGER)
        .run()
        .passes();
    let triggers = sandbox.trigger_requests();
    let authorizations: Vec<_> = triggers
        .iter()
        .map(|request| request.headers.get("authorization").unwrap_or_default())
        .collect();
    for (token, path) in [
        (demo::GITHUB_CLASSIC, "octo-org/app"),
        (demo::GITHUB_FINE_GRAINED, "octo-org/app"),
        (demo::GITHUB_WORKFLOW_OF_CALLER, "octo-org/caller"),
    ] {
        let sent = triggers.iter().zip(&authorizations);
        let with: Vec<_> = sent
            .filter(|(_, authorization)| authorization.ends_with(token))
            .collect();
        assert_eq!(with.len(), 1, "{done}");
        assert!(with[0].0.path.contains(path));
    }
    done.says("octo-org/caller: triggering repository_dispatch deploy on")
        .says("with the workflow's own token")
        .says("with a pipeline trigger token");
}

#[test]
fn an_entrys_own_keys_replace_inherited_inputs() {
    let sandbox = sandbox();
    let targets = "
- workflow: build.yml
  ref: release
- event-type: deploy-marked
- client-payload: {}
";
    let done = step(&sandbox, targets)
        .input("repository", "octo-org/app")
        .input("event-type", "deploy")
        .input("client-payload", "a: 1")
        .input("timeout", "60")
        .input("token", demo::GITHUB_CLASSIC)
        .run()
        .passes();
    assert_eq!(
        results(&done),
        [
            "github octo-org/app: workflow build.yml, accepted",
            "github octo-org/app: repository_dispatch deploy-marked, accepted",
            "github octo-org/app: repository_dispatch deploy, accepted",
        ]
    );
    let mut payloads: Vec<_> = sandbox
        .trigger_requests()
        .iter()
        .filter_map(|request| Some(request.json()?.get("client_payload")?.to_string()))
        .collect();
    payloads.sort();
    assert_eq!(payloads, [r#"{"a":1}"#, "{}"]);
}

#[test]
fn duplicate_entries_cause_a_warning() {
    let sandbox = sandbox();
    let targets = "
- repository: octo-org/app
- repository: octo-org/private
- repository: OCTO-ORG/app
  wait: false
";
    let done = step(&sandbox, targets)
        .input("event-type", "deploy")
        .input("token", demo::GITHUB_CLASSIC)
        .input("dry-run", "true")
        .run()
        .passes();
    assert_eq!(
        done.warnings(),
        [
            "input targets[2]: line 4: it is the same as `targets[0]`: that pipeline will be triggered twice"
        ]
    );
    assert_eq!(done.results().len(), 3);
}

#[test]
fn secrets_of_entries_are_masked_even_if_everything_else_is_invalid() {
    let sandbox = sandbox();
    let targets = "
- nonsense: true
  token: hunter2-first
- secret-variables: {PIN: 123, PASSWORD: hunter2-second}
- provider: gitlab
  secret-variables: |
    PASSWORD: hunter2-third
- provider: bitbucket
  secret-variables: {PASSWORD: }
";
    let done = step(&sandbox, targets)
        .secret("hunter2-first")
        .secret("hunter2-second")
        .secret("hunter2-third")
        .run();
    assert_eq!(done.code, Some(1));
    for mask in ["hunter2-first", "hunter2-second", "hunter2-third"] {
        assert!(done.masks.iter().any(|known| known == mask), "{done}");
    }
    assert_eq!(
        done.warnings(),
        [
            "input targets[1].secret-variables: a secret in it has fewer than 4 characters and is not masked: that would garble the log",
            "input targets[3].secret-variables: a secret in it is empty or `null`: it is not set, or withheld, as it is from forks and Dependabot",
        ]
    );
}

#[test]
fn errors_of_a_thousand_entries_are_summarised() {
    let sandbox = sandbox();
    let targets: Vec<_> = (0..1_000)
        .map(|index| {
            format!(
                "- repository: octo-org/app-{index}\n  token: ghp_{index:036}\n  wrong: yes\n  client-id: ''\n"
            )
        })
        .collect();
    let step = step(&sandbox, &targets.concat()).input("event-type", "deploy");
    let done = step.run();
    assert_eq!(done.errors().len(), 51);
    assert!(done.errors()[50].contains("there are 950 more complaints"));
    assert!(done.masks.len() >= 1_000);
    assert_eq!(sandbox.requests().len(), 0);
}
