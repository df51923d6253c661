//! The actions that can be replaced: their inputs and outputs, and the requests they send. Written from the behaviour
//! of the versions that the pages name, without any of their code.

use std::collections::BTreeMap;

use sandbox::Sandbox;
use serde_json::{Map, Value, json};

use super::request::{Body, TriggerRequest, credential, on};

pub(super) struct Predecessor {
    /// `owner/name`, the part of `uses:` before the `@`.
    pub(super) action: &'static str,
    pub(super) page: &'static str,
    pub(super) inputs: &'static [&'static str],
    pub(super) outputs: &'static [&'static str],
    /// A separate action that waits for the run, and its inputs.
    pub(super) waiter: Option<(&'static str, &'static [&'static str])>,
    /// Builds the request that triggers.
    pub(super) sends: fn(&Inputs, &Sandbox) -> TriggerRequest,
}

pub(super) const PREDECESSORS: [Predecessor; 6] = [
    Predecessor {
        action: "peter-evans/repository-dispatch",
        page: "docs/migrating/peter-evans-repository-dispatch.md",
        inputs: &["token", "repository", "event-type", "client-payload"],
        outputs: &[],
        waiter: None,
        sends: peter_evans,
    },
    Predecessor {
        action: "convictional/trigger-workflow-and-wait",
        page: "docs/migrating/convictional-trigger-workflow-and-wait.md",
        inputs: &[
            "owner",
            "repo",
            "github_token",
            "github_user",
            "workflow_file_name",
            "ref",
            "client_payload",
            "wait_workflow",
            "wait_interval",
            "propagate_failure",
            "trigger_workflow",
            "comment_downstream_url",
            "comment_github_token",
        ],
        outputs: &["workflow_id", "workflow_url", "conclusion"],
        waiter: None,
        sends: convictional,
    },
    Predecessor {
        action: "benc-uk/workflow-dispatch",
        page: "docs/migrating/benc-uk-workflow-dispatch.md",
        inputs: &[
            "workflow",
            "repo",
            "ref",
            "inputs",
            "token",
            "wait-for-completion",
            "sync-status",
            "wait-timeout-seconds",
            "wait-interval-seconds",
            "propagate-pending-wait",
        ],
        outputs: &["runId", "runUrl", "runUrlHtml", "workflowId"],
        waiter: None,
        sends: benc_uk,
    },
    Predecessor {
        action: "digital-blueprint/gitlab-pipeline-trigger-action",
        page: "docs/migrating/digital-blueprint-gitlab-pipeline-trigger-action.md",
        inputs: &[
            "host",
            "id",
            "ref",
            "trigger_token",
            "access_token",
            "variables",
            "download_artifacts",
            "download_artifacts_on_failure",
            "fail_if_no_artifacts",
            "download_path",
            "download_job_logs",
            "verbose",
        ],
        outputs: &["id", "web_url", "status", "artifacts_downloaded"],
        waiter: None,
        sends: digital_blueprint,
    },
    Predecessor {
        action: "Codex-/return-dispatch",
        page: "docs/migrating/return-dispatch.md",
        inputs: &[
            "token",
            "ref",
            "repo",
            "owner",
            "workflow",
            "workflow_inputs",
        ],
        outputs: &["run_id", "run_url"],
        waiter: Some((
            "Codex-/await-remote-run",
            &[
                "token",
                "repo",
                "owner",
                "run_id",
                "jobs",
                "run_timeout_seconds",
                "cancel_timeout_seconds",
                "poll_interval_ms",
            ],
        )),
        sends: return_dispatch,
    },
    Predecessor {
        action: "the-actions-org/workflow-dispatch",
        page: "docs/migrating/the-actions-org-workflow-dispatch.md",
        inputs: &[
            "workflow",
            "token",
            "inputs",
            "ref",
            "repo",
            "run-name",
            "display-workflow-run-url",
            "display-workflow-run-url-interval",
            "display-workflow-run-url-timeout",
            "wait-for-completion",
            "wait-for-completion-timeout",
            "wait-for-completion-interval",
            "workflow-logs",
        ],
        outputs: &[
            "workflow-conclusion",
            "workflow-id",
            "workflow-url",
            "workflow-logs",
        ],
        waiter: None,
        sends: the_actions_org,
    },
];

/// The values of `with:`, with expressions evaluated.
pub(super) struct Inputs(pub(super) BTreeMap<String, String>);

impl Inputs {
    fn get(&self, name: &str) -> &str {
        let value = self.0.get(name);
        value.unwrap_or_else(|| panic!("the example has `{name}`"))
    }

    fn or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.0.get(name).map_or(default, String::as_str)
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("it only accepts JSON")
}

fn post(
    url: &str,
    authorization: Option<String>,
    body: Value,
    sandbox: &Sandbox,
) -> TriggerRequest {
    TriggerRequest {
        method: "POST".to_owned(),
        url: on(sandbox, url),
        credential: authorization.map(|value| credential("authorization", &value)),
        body: Body::Json(body),
    }
}

/// Splits the repository, parses the payload, and leaves the rest to Octokit.
fn peter_evans(inputs: &Inputs, sandbox: &Sandbox) -> TriggerRequest {
    let (owner, name) = inputs.get("repository").split_once('/').expect("a name");
    post(
        &format!("https://api.github.com/repos/{owner}/{name}/dispatches"),
        Some(format!("token {}", inputs.get("token"))),
        json!({
            "event_type": inputs.get("event-type"),
            "client_payload": parsed(inputs.or("client-payload", "{}")),
        }),
        sandbox,
    )
}

/// Puts the payload into the body unchanged.
fn convictional(inputs: &Inputs, sandbox: &Sandbox) -> TriggerRequest {
    let repository = format!("{}/{}", inputs.get("owner"), inputs.get("repo"));
    let body = format!(
        "{{\"ref\":\"{}\",\"inputs\":{}}}",
        inputs.or("ref", "main"),
        inputs.or("client_payload", "{}")
    );
    post(
        &format!(
            "https://api.github.com/repos/{repository}/actions/workflows/{}/dispatches",
            inputs.get("workflow_file_name")
        ),
        Some(format!("Bearer {}", inputs.get("github_token"))),
        parsed(&body),
        sandbox,
    )
}

/// The id of the workflow with this title, id or file name.
fn workflow_id(repository: &str, wanted: &str, sandbox: &Sandbox) -> u64 {
    sandbox.with_world(|world| {
        let repositories = world.github.repositories.iter();
        let mut workflows = repositories
            .filter(|known| known.name == repository)
            .flat_map(|known| &known.workflows);
        let found = workflows.find(|workflow| {
            workflow.name == wanted || workflow.id.to_string() == wanted || workflow.file == wanted
        });
        found.expect("there is such a workflow").id
    })
}

/// Searches for the workflow by title, id and file name, and sends its id.
fn benc_uk(inputs: &Inputs, sandbox: &Sandbox) -> TriggerRequest {
    let repository = inputs.get("repo");
    let id = workflow_id(repository, inputs.get("workflow"), sandbox);
    post(
        &format!("https://api.github.com/repos/{repository}/actions/workflows/{id}/dispatches"),
        Some(format!("token {}", inputs.get("token"))),
        json!({
            "ref": inputs.get("ref"),
            "inputs": parsed(inputs.or("inputs", "{}")),
            "return_run_details": true,
        }),
        sandbox,
    )
}

/// Sends a file name unchanged, and otherwise searches for the workflow by title and id.
fn the_actions_org(inputs: &Inputs, sandbox: &Sandbox) -> TriggerRequest {
    let (repository, wanted) = (inputs.get("repo"), inputs.get("workflow"));
    let is_file = [".yml", ".yaml"].iter().any(|end| wanted.ends_with(end));
    let workflow = if is_file {
        wanted.to_owned()
    } else {
        workflow_id(repository, wanted, sandbox).to_string()
    };
    post(
        &format!(
            "https://api.github.com/repos/{repository}/actions/workflows/{workflow}/dispatches"
        ),
        Some(format!("token {}", inputs.get("token"))),
        json!({
            "ref": inputs.get("ref"),
            "inputs": parsed(inputs.or("inputs", "{}")),
        }),
        sandbox,
    )
}

/// Takes a leading number for the workflow's id, and leaves out `inputs` if there are none.
fn return_dispatch(inputs: &Inputs, sandbox: &Sandbox) -> TriggerRequest {
    let repository = format!("{}/{}", inputs.get("owner"), inputs.get("repo"));
    let workflow = inputs.get("workflow");
    let number = workflow
        .split(|of: char| !of.is_ascii_digit())
        .next()
        .filter(|number| !number.is_empty());
    let mut body = json!({ "ref": inputs.get("ref") });
    if let Some(given) = inputs.0.get("workflow_inputs") {
        body["inputs"] = parsed(given);
    }
    post(
        &format!(
            "https://api.github.com/repos/{repository}/actions/workflows/{}/dispatches",
            number.unwrap_or(workflow)
        ),
        Some(format!("token {}", inputs.get("token"))),
        body,
        sandbox,
    )
}

/// Reads the workflow and sends its id. `environment` is the step's `env`.
pub(super) fn gh_workflow_run(
    command: &str,
    environment: &Inputs,
    sandbox: &Sandbox,
) -> TriggerRequest {
    let mut words = command.split_whitespace();
    assert_eq!(
        [words.next(), words.next(), words.next()],
        [Some("gh"), Some("workflow"), Some("run")]
    );
    let workflow = words.next().expect("a workflow");
    let (mut repository, mut reference, mut inputs) = ("", "", Map::new());
    while let (Some(option), Some(value)) = (words.next(), words.next()) {
        match option {
            "--repo" => repository = value,
            "--ref" => reference = value,
            "--raw-field" => {
                let (name, value) = value.split_once('=').expect("a name and a value");
                inputs.insert(name.to_owned(), value.into());
            }
            other => panic!("{other} isn't known here"),
        }
    }
    let id = workflow_id(repository, workflow, sandbox);
    post(
        &format!("https://api.github.com/repos/{repository}/actions/workflows/{id}/dispatches"),
        Some(format!("token {}", environment.get("GH_TOKEN"))),
        json!({ "ref": reference, "inputs": inputs }),
        sandbox,
    )
}

/// Sends the trigger token in the body, without a header; the access token is only for reading.
fn digital_blueprint(inputs: &Inputs, sandbox: &Sandbox) -> TriggerRequest {
    let host = inputs.or("host", "gitlab.com");
    let id = inputs.get("id").replace('/', "%2F");
    post(
        &format!("https://{host}/api/v4/projects/{id}/trigger/pipeline"),
        None,
        json!({
            "token": inputs.get("trigger_token"),
            "ref": inputs.get("ref"),
            "variables": parsed(inputs.or("variables", "{}")),
        }),
        sandbox,
    )
}
