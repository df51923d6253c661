//! `targets`: several targets in one step. How entries are read is covered by unit tests; these tests cover what a
//! user sees and what is started.

use sandbox::{Provider, Sandbox, demo};
use serde_json::Value;

use crate::harness::{Done, Step, sandbox};
use crate::inputs::fails_with;

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
            "input `max-parallel`: must be a whole number from 1 to 1000",
            "input `targets`, entry 1 (line 2): `repository` must be `owner/name`, or its web URL",
            "input `client-payload`: must be a JSON object or a YAML mapping",
            "input `targets`, entry 2 (line 3): has an unknown key\nhint: did you mean `token`?",
            "input `targets`, entry 2 (line 4): `workflow` must be a string, not a mapping or list",
            "input `targets`, octo-group/tools/deployer (line 8): `trigger-token` is empty. The secret isn't set",
            "input `targets`, entry 4 (line 9): `repository` contains no `/`",
            "input `targets`, octo-org/app (line 13): `dry-run` applies to the whole step",
            "input `targets`, octo-org/app (line 11): `ref` only works with `workflow`. A repository_dispatch always runs on the default branch",
            "More invalid inputs: and 1 more: `targets`",
        ],
    );
    assert!(!done.log.contains("octo-org/hunter2"), "{done}");
    done.says(
        "\nerror: input `targets`, octo-org/app (line 12): `token` contains a space, line break",
    )
    .says("\n✗ 10 problems; nothing was sent\n");
    let repositories: Vec<_> = done
        .results()
        .iter()
        .map(|result| result["repository"].as_str().map(str::to_owned))
        .collect();
    let expected = [
        None,
        Some("octo-org/caller"),
        Some("octo-group/tools/deployer"),
        None,
        Some("octo-org/app"),
    ];
    assert_eq!(repositories, expected.map(|name| name.map(str::to_owned)));
    let error = done.results()[4]["error"].to_string();
    assert!(
        error.contains("; input `targets`, octo-org/app (line 11): `ref` only"),
        "{error}"
    );
    assert!(
        error.contains("octo-org/app (line 13): `dry-run` applies"),
        "{error}"
    );
}

#[test]
fn an_invalid_list_is_not_quoted() {
    let sandbox = sandbox();
    for (targets, error) in [
        ("[]", "input `targets`: is an empty list"),
        (
            "hunter2-hunter2",
            "input `targets`: must be a list\nhint: begin each target with a dash",
        ),
        (
            "repository: hunter2-hunter2",
            "input `targets`: must be a list\nhint: begin each target with a dash",
        ),
        (
            "{\"repository\": \"hunter2-hunter2\"}",
            "input `targets`: must be a list\nhint: begin each target with a dash",
        ),
        (
            "[{\"repository\" \"hunter2-hunter2\"}]",
            "input `targets`: isn't valid JSON at line 1, column 16",
        ),
        (
            "- a: 1\n  b: [hunter2-hunter2",
            "input `targets`: isn't valid YAML at line 3, column 1",
        ),
        (
            "- ref: 1\n  ref: hunter2-hunter2",
            "input `targets`: uses a key twice, again at line 2",
        ),
        (
            "- ref: 1\n  \"ref\": hunter2-hunter2",
            "input `targets`: uses a key twice in one entry, again at line 2",
        ),
        (
            "[{\"ref\": 1,\n\"ref\": \"hunter2-hunter2\"}]",
            "input `targets`: uses a key twice in entry 1",
        ),
        (
            "- inputs:\n    hunter2-hunter2: 1\n    'hunter2-hunter2': 2",
            "input `targets`: uses a key twice, again at line 3",
        ),
        (
            "[{\"ref\": \"\\ud800\"}]",
            "input `targets`: isn't valid JSON: a string in entry 1 has",
        ),
        (
            "- a: 1\n---\n- b: 1",
            "input `targets`: must be one YAML document, not 2",
        ),
        (
            "# nothing",
            "input `targets`: must be one YAML document, not 0",
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
        &["input `token`: is empty. The secret isn't set"],
    );
}

/// The access token would be another identity than the one that was meant. Of the step's own inputs, an empty one can't be
/// told from one that isn't set.
#[test]
fn an_empty_credential_of_an_entry_is_not_replaced_by_another() {
    let sandbox = sandbox();
    let targets = "
- provider: gitlab
  server-url: SERVER
  repository: octo-group/tools/deployer
  ref: main
  trigger-token:
  token: glpat-sandboxDeveloper00
";
    fails_with(
        &sandbox,
        &step(&sandbox, targets),
        &[
            "input `targets`, octo-group/tools/deployer (line 6): `trigger-token` is empty. The secret isn't set",
        ],
    );
    let step = Step::gitlab(&sandbox).input("ref", "main");
    step.input("trigger-token", "").run().passes();
    assert_eq!(sandbox.runs().len(), 1);
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
            "input `targets`, octo-group/tools/deployer (line 3): `token` is missing\nhint: pass a GitLab access token",
            "input `targets`, octo-workspace/service (line 6): `token` is missing\nhint: pass a Bitbucket access token",
            "input `targets`, octo-org/app (line 9): `token` is missing. `GITHUB_TOKEN` is only sent to the server that this workflow runs on",
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
    let refused = "is missing. The step's own are only sent to the step's provider and server\nhint: set `secret-variables` for this target too, or to `{}` for none";
    fails_with(
        &sandbox,
        &step(&targets),
        &[&format!(
            "input `targets`, a/b (line 3), octo-workspace/service (line 6), a/b (line 11): `secret-variables` {refused}"
        )],
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
        .says("with `GITHUB_TOKEN`")
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
            "Duplicate target: input `targets`, OCTO-ORG/app (line 4): is the same as octo-org/app (line 2). That pipeline will be triggered twice"
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
            "Secret not masked: input `targets`, entry 2 (line 4), `secret-variables`: a secret has fewer than 4 characters and isn't masked, because masking it would garble the log",
            "Empty secret: input `targets`, entry 4 (line 9), `secret-variables`: a secret is empty or `null`. It isn't set, or it was withheld because a fork or Dependabot started the workflow",
        ]
    );
}

#[test]
fn errors_of_a_thousand_entries_are_summarised() {
    let sandbox = sandbox();
    let targets: Vec<_> = (0..1_000)
        .map(|index| {
            format!(
                "- repository: octo-org/app-{index}\n  token: ghp_{index:036}\n  wrong: yes\n  ref: ''\n"
            )
        })
        .collect();
    let step = step(&sandbox, &targets.concat()).input("event-type", "deploy");
    let done = step.run();
    let names = "input `targets`, octo-org/app-0 (line 3), octo-org/app-1 (line 7), octo-org/app-2 (line 11)";
    let [unknown] = done.errors().try_into().unwrap();
    assert!(unknown.contains(names), "{done}");
    let problem = " and 990 more: has an unknown key\nhint: use one of these keys: provider, ";
    assert!(unknown.contains(problem), "{done}");
    done.says("1 problem; nothing was sent");
    let results = done.results();
    assert_eq!(results.len(), 1_000);
    assert_eq!(results[999]["repository"], "octo-org/app-999");
    assert_eq!(
        results[999]["error"],
        "input `targets`, octo-org/app-999 (line 3999): has an unknown key"
    );
    assert!(done.masks.len() >= 1_000);
    assert_eq!(sandbox.requests().len(), 0);
}
