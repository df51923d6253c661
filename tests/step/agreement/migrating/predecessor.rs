//! The actions that can be replaced: their inputs and outputs, and the requests they send. Written from the behaviour
//! of the versions that the pages name, without any of their code.

use std::collections::BTreeMap;

use sandbox::Sandbox;
use serde_json::{Value, json};

use super::request::{Body, TriggerRequest, credential, on};

pub(super) struct Predecessor {
    /// `owner/name`, the part of `uses:` before the `@`.
    pub(super) action: &'static str,
    pub(super) page: &'static str,
    pub(super) inputs: &'static [&'static str],
    pub(super) outputs: &'static [&'static str],
    /// Builds the request that triggers.
    pub(super) sends: fn(&Inputs, &Sandbox) -> TriggerRequest,
}

pub(super) const PREDECESSORS: [Predecessor; 4] = [
    Predecessor {
        action: "peter-evans/repository-dispatch",
        page: "docs/migrating/peter-evans-repository-dispatch.md",
        inputs: &["token", "repository", "event-type", "client-payload"],
        outputs: &[],
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
        sends: digital_blueprint,
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
    serde_json::from_str(text).expect("it takes JSON alone")
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

/// Searches for the workflow by title, id and file name, and sends its id.
fn benc_uk(inputs: &Inputs, sandbox: &Sandbox) -> TriggerRequest {
    let (repository, wanted) = (inputs.get("repo"), inputs.get("workflow"));
    let id = sandbox.with_world(|world| {
        let repositories = world.github.repositories.iter();
        let mut workflows = repositories
            .filter(|known| known.name == repository)
            .flat_map(|known| &known.workflows);
        let found = workflows.find(|workflow| {
            workflow.name == wanted || workflow.id.to_string() == wanted || workflow.file == wanted
        });
        found.expect("there is such a workflow").id
    });
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
