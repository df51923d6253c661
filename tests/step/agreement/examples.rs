//! The examples in the documents and the workflows in `docs/examples`, as steps that run against the sandbox.

use std::sync::OnceLock;

use sandbox::world::Access;
use sandbox::{Proxy, ProxyBehaviour, Sandbox, World, demo};
use serde_json::Value;

use super::documents::{Block, Document, documents, workflows, yaml};
use crate::harness::{Done, Step};

/// How `uses:` names the action in the documents.
pub(super) const ACTION: &str = "octo-org/trigger-pipeline@";

/// The same for runners without Docker.
const NATIVE_ACTION: &str = "octo-org/trigger-pipeline/native@";

/// The value of `secret-variables`; it must not be shown.
const DEPLOY_KEY: &str = "sandbox key,\nof two \"lines\"";

/// The targets that the monorepo example makes for a push.
const TARGETS: &str = "\
- repository: octo-org/app
  workflow: build.yml
  inputs: {version: 0123}
- repository: octo-org/app
  event-type: release
  client-payload: {commit: 0123, subject: Add}
- provider: gitlab
  repository: octo-group/tools/deployer
  inputs: {environment: staging}
  token: ${{ toJSON(secrets.GITLAB_TOKEN) }}
- provider: bitbucket
  repository: octo-workspace/service
  custom-pipeline: deploy
  token: ${{ toJSON(secrets.BITBUCKET_TOKEN) }}
";

/// The targets of an earlier step, for examples that follow them.
const STARTED: &str = "- workflow: build.yml";
const ALL_STARTED: &str = "\
- workflow: build.yml
- provider: gitlab
  repository: octo-group/tools/deployer
  token: ${{ toJSON(secrets.GITLAB_TOKEN) }}
- provider: bitbucket
  repository: octo-workspace/service
  token: ${{ toJSON(secrets.BITBUCKET_TOKEN) }}
";

/// A server in the examples, and the path of the sandbox that replaces it.
#[derive(Clone, Copy)]
struct Server {
    example: &'static str,
    /// Appended to the sandbox's address.
    path: &'static str,
}

const SERVERS: [Server; 6] = [
    Server {
        example: "https://github.example.com",
        path: "",
    },
    Server {
        example: "https://gitlab.com",
        path: "",
    },
    Server {
        example: "https://git.example.com/gitlab",
        path: "/gitlab",
    },
    Server {
        example: "https://git.example.com/github",
        path: "/github",
    },
    Server {
        example: "https://octo.ghe.com",
        path: "",
    },
    Server {
        example: "https://[fd00::10]:8443",
        path: "",
    },
];

/// The proxy in the examples, which a sandbox proxy replaces.
const PROXY: &str = "@proxy.example.com:3128";

/// An account at the proxy, as the examples have it in a secret, and its password.
const PROXY_ACCOUNT: &str = "octavia:proxy%2Fpassword";
pub(super) const PROXY_PASSWORD: &str = "proxy/password";

/// Shared by all examples: the port of each sandbox shows which example used it.
pub(super) fn proxy() -> &'static Proxy {
    static PROXY: OnceLock<Proxy> = OnceLock::new();
    PROXY.get_or_init(|| {
        let behaviour = ProxyBehaviour::RequiresCredentials {
            user: "octavia".to_owned(),
            password: PROXY_PASSWORD.to_owned(),
        };
        Proxy::start(behaviour).expect("loopback has free ports")
    })
}

/// The value of an expression in the examples.
fn expression(name: &str, sandbox: &Sandbox) -> String {
    let json = |value: Value| value.to_string();
    match name {
        "github.ref" => "refs/heads/main".to_owned(),
        "github.sha" | "github.event.pull_request.head.sha" => demo::BITBUCKET_COMMIT.to_owned(),
        "github.event.workflow_run.head_sha" => demo::GITHUB_CALLER_COMMIT.to_owned(),
        "github.event.pull_request.number" => "7".to_owned(),
        "toJSON(github.head_ref)" => json("a\"b: ${c}".into()),
        "toJSON(github.event.release.tag_name)" => json("v1.2.3".into()),
        "toJSON(github.event.release.html_url)" => {
            json("https://github.example.com/octo-org/library/releases/v1.2.3".into())
        }
        "toJSON(needs.build.outputs.image)" => json("registry.example.com/app@sha256:0123".into()),
        "toJSON(github.event.client_payload.environment)" => json("production".into()),
        "inputs.environment" => "production".to_owned(),
        "steps.add.outputs.targets" => evaluated(TARGETS, sandbox),
        "toJSON(github.ref_name)" => json("main".into()),
        "toJSON(github.event.head_commit.message)" => json("Say \"hello\"\n\nTwice: 1.0".into()),
        "toJSON(github.event.release)" => {
            json(serde_json::json!({"tag_name": "v1.2.3", "id": 7, "draft": false}))
        }
        "needs.start.outputs.results" => started(STARTED, sandbox, "results"),
        "needs.start-all.outputs.results" => started(ALL_STARTED, sandbox, "results"),
        "inputs.run-url" => started(STARTED, sandbox, "run-url"),
        "toJSON(secrets.APP_TOKEN)" => json(demo::GITHUB_CLASSIC.into()),
        "secrets.APP_TOKEN" | "secrets.ENTERPRISE_TOKEN" => demo::GITHUB_CLASSIC.to_owned(),
        "secrets.FINE_GRAINED_TOKEN" => demo::GITHUB_FINE_GRAINED.to_owned(),
        "vars.DEPLOYER_CLIENT_ID" => demo::GITHUB_APP_CLIENT_ID.to_owned(),
        "secrets.DEPLOYER_PRIVATE_KEY" => demo::GITHUB_APP_PRIVATE_KEY.to_owned(),
        "secrets.GITLAB_TOKEN" => demo::GITLAB_DEVELOPER.to_owned(),
        "secrets.GITLAB_TRIGGER_TOKEN" => demo::GITLAB_TRIGGER.to_owned(),
        "toJSON(secrets.DEPLOY_KEY)" => json(DEPLOY_KEY.into()),
        "secrets.PROXY_ACCOUNT" => PROXY_ACCOUNT.to_owned(),
        "vars.COMPANY_CA" => sandbox.ca_pem().to_owned(),
        "secrets.BITBUCKET_TOKEN" => demo::BITBUCKET_ACCESS.to_owned(),
        "toJSON(secrets.GITLAB_TOKEN)" => json(demo::GITLAB_DEVELOPER.into()),
        "toJSON(secrets.BITBUCKET_TOKEN)" => json(demo::BITBUCKET_ACCESS.into()),
        "secrets.BITBUCKET_API_TOKEN" => demo::BITBUCKET_API.to_owned(),
        "vars.BITBUCKET_EMAIL" => demo::BITBUCKET_EMAIL.to_owned(),
        other => panic!("say here what `{other}` of the examples comes to"),
    }
}

/// An output of an earlier step, which starts these targets.
fn started(targets: &str, sandbox: &Sandbox, output: &str) -> String {
    let targets = on_server(&evaluated(targets, sandbox), &sandbox.http_url());
    let done = Step::github(sandbox)
        .input("ref", "main")
        .input("wait", "start")
        .input("targets", &targets)
        .secret(demo::GITLAB_DEVELOPER)
        .secret(demo::BITBUCKET_ACCESS)
        .run()
        .passes();
    done.outputs[output].clone()
}

/// The world that the examples run in.
pub(super) fn world() -> World {
    let token = demo::GITHUB_WORKFLOW_OF_CALLER;
    let world = World::demo_with_scenarios().faster(3);
    world.grant(token, "statuses", Access::Write)
}

/// A step in an example that uses the action.
pub(super) struct Example {
    pub(super) place: String,
    pub(super) inputs: Vec<(String, String)>,
    /// The step's own `env`.
    environment: Vec<(String, String)>,
    pub(super) after: String,
}

pub(super) fn examples() -> Vec<Example> {
    type Pairs = Vec<(String, String)>;
    pub(super) fn pairs(node: &Value) -> Pairs {
        let text = |value: &Value| value.as_str().expect("inputs are strings").to_owned();
        let members = node.as_object().into_iter().flatten();
        members
            .map(|(name, value)| (name.clone(), text(value)))
            .collect()
    }
    pub(super) fn steps(node: &Value, found: &mut Vec<(Pairs, Pairs)>) {
        match node {
            Value::Array(nodes) => nodes.iter().for_each(|node| steps(node, found)),
            Value::Object(members) => {
                if members
                    .get("uses")
                    .and_then(Value::as_str)
                    .is_some_and(|uses| uses.starts_with(ACTION) || uses.starts_with(NATIVE_ACTION))
                {
                    assert!(node["with"].is_object(), "an example has inputs");
                    found.push((pairs(&node["with"]), pairs(&node["env"])));
                }
                members.values().for_each(|node| steps(node, found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut examples = Vec::new();
    let documents = documents();
    let blocks = documents.iter().flat_map(Document::blocks);
    let files = workflows().into_iter().map(Block::from);
    for block in blocks.chain(files).filter(|block| block.language == "yaml") {
        let node = yaml(&block.code).unwrap_or_else(|error| panic!("{}: {error}", block.place));
        let mut found = Vec::new();
        steps(&node, &mut found);
        examples.extend(found.into_iter().map(|(inputs, environment)| Example {
            place: block.place.clone(),
            inputs,
            environment,
            after: block.after.clone(),
        }));
    }
    examples
}

/// The first example on a page.
pub(super) fn first_example(page: &str) -> Example {
    let found = examples()
        .into_iter()
        .find(|example| example.place.starts_with(&format!("{page}:")));
    found.unwrap_or_else(|| panic!("{page} has no example"))
}

impl Example {
    /// Whether it configures a proxy.
    pub(super) fn is_proxied(&self) -> bool {
        let mut names = self.environment.iter().map(|(name, _)| name);
        names.any(|name| name == "HTTPS_PROXY")
    }

    /// Whether it only follows runs.
    pub(super) fn follows(&self) -> bool {
        self.input("follow").is_some()
    }

    pub(super) fn input(&self, name: &str) -> Option<&str> {
        let found = self.inputs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Its inputs and the keys of all its targets, with their unparsed values.
    pub(super) fn keys(&self) -> Vec<(&str, &str)> {
        let entries = self.input("targets").unwrap_or_default().lines();
        let keys = entries.filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            Some((key.trim_start_matches([' ', '-']), value.trim()))
        });
        let inputs = self.inputs.iter();
        inputs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(keys)
            .collect()
    }

    /// The step as it would run against the sandbox instead of the servers it names.
    pub(super) fn step(&self, sandbox: &Sandbox) -> Step {
        // An example with a CA certificate or a proxy must use it, so it runs over https.
        let is_secure = self.input("ca-certificates").is_some() || !self.environment.is_empty();
        let address = if is_secure {
            sandbox.https_url()
        } else {
            sandbox.http_url()
        };
        let secrets = [
            DEPLOY_KEY,
            demo::GITLAB_DEVELOPER,
            demo::BITBUCKET_ACCESS,
            PROXY_ACCOUNT,
            PROXY_PASSWORD,
        ];
        let mut step = secrets
            .into_iter()
            .fold(Step::on(&sandbox.http_url()), Step::secret);
        for (name, value) in &self.environment {
            let value = if name == "SSL_CERT_FILE" {
                step.file("company-ca.pem", sandbox.ca_pem())
            } else {
                let value = evaluated(value, sandbox);
                value.replace(PROXY, &format!("@{}", proxy().address()))
            };
            step = step.environment(name, &value);
        }
        // Examples on public servers don't set `server-url`, so it is set here.
        if matches!(self.input("provider"), Some("gitlab" | "bitbucket")) {
            step = step.input("server-url", &address);
        }
        for (name, value) in &self.inputs {
            let mut value = evaluated(value, sandbox);
            if name == "targets" {
                value = on_server(&value, &address);
            }
            if let Some(server) = SERVERS
                .iter()
                .find(|server| value.starts_with(server.example))
            {
                value = value.replace(server.example, &format!("{address}{}", server.path));
                if server.example == "https://gitlab.com" {
                    step = step
                        .input("provider", "gitlab")
                        .input("server-url", &address);
                }
            }
            step = step.input(name, &value);
        }
        step
    }
}

/// Targets with the public servers replaced by `address`.
fn on_server(targets: &str, address: &str) -> String {
    let lines = targets.lines().map(|line| {
        let (before, provider) = line.split_once("provider: ").unwrap_or((line, ""));
        if ["gitlab", "bitbucket"].contains(&provider) {
            let indent = " ".repeat(before.len());
            format!("{line}\n{indent}server-url: {address}\n")
        } else {
            format!("{line}\n")
        }
    });
    lines.collect()
}

/// Replaces each `${{ … }}` with its value.
pub(super) fn evaluated(text: &str, sandbox: &Sandbox) -> String {
    let mut parts = text.split("${{");
    let mut evaluated = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("expressions end");
        evaluated.push_str(&expression(name.trim(), sandbox));
        evaluated.push_str(rest);
    }
    evaluated
}

/// The log that the reader sees, with the sandbox's addresses replaced by the public servers'.
pub(super) fn visible_log(done: &Done, sandbox: &Sandbox) -> String {
    let lines = done
        .log
        .lines()
        .filter(|line| !line.starts_with("::add-mask::"));
    let log: String = lines.flat_map(|line| [line, "\n"]).collect();
    log.replace(&sandbox.github_api_url(), "https://api.github.com")
        .replace(&sandbox.http_url(), "https://github.com")
}
