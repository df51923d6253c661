//! Explains why GitHub rejected a request, and what to do about it.

use ::http::StatusCode;
use serde::Deserialize;

use super::GitHub;
use crate::providers::error::Error;
use crate::providers::github::spec::{GitHubCredential, GitHubPipeline};
use crate::providers::http::Response;
use crate::providers::http::request::below;
use crate::providers::pages::List;
use crate::providers::provider::Provider as _;
use crate::providers::wire;
use crate::text::nearest::nearest;

/// Workflows listed in the message when one isn't found.
const MAX_LISTED: usize = 30;

#[derive(Deserialize)]
struct Workflows {
    #[serde(default, deserialize_with = "wire::lenient")]
    total_count: usize,
    workflows: List<Workflow>,
}

#[derive(Deserialize)]
struct Workflow {
    #[serde(default, deserialize_with = "wire::name")]
    name: Option<String>,
    #[serde(deserialize_with = "wire::word")]
    path: String,
    #[serde(default, deserialize_with = "wire::name")]
    state: Option<String>,
}

pub(super) async fn explain(github: &GitHub<'_>, rejection: Error) -> Error {
    let Some(response) = rejection.response() else {
        return rejection;
    };
    let message = response.error_message().unwrap_or_default();
    match response.status {
        StatusCode::UNAUTHORIZED => github.explain_read(rejection),
        StatusCode::FORBIDDEN if requires_single_sign_on(response) => github.explain_read(rejection),
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => explain_denied(github, rejection).await,
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => match reason(&message) {
            Reason::UnknownReference => {
                let hint = match github.default_branch_name().await {
                    Some(name) => format!("the default branch is `{name}`; leave `ref` out to use it"),
                    None => "check `ref`: it must be a branch or tag of the target repository".to_owned(),
                };
                rejection.with_reason(
            format!("there is no branch or tag `{}`", github.reference), hint)
            }
            Reason::NoDispatch => rejection.with_reason(
            "the workflow cannot be started by hand or by us",
                "add `workflow_dispatch:` under its `on:`, on its default branch and on the ref that is to run",
            ),
            Reason::Disabled => rejection.with_reason(
            "the workflow is disabled",
                format!("enable it at {}; GitHub also disables scheduled workflows of repositories without activity", github.runs_page()),
            ),
            Reason::UnexpectedInputs => rejection.with_reason(
            "the workflow does not declare these inputs",
                format!("declare them under `on: workflow_dispatch: inputs:` of the workflow on `{}`, or remove them from `inputs`", github.reference),
            ),
            Reason::MissingInput => rejection.with_reason(
            "the workflow requires an input that is not given",
                "add it to `inputs`, or give it a default in the workflow",
            ),
            Reason::Other => rejection,
        },
        _ => rejection,
    }
}

enum Reason {
    UnknownReference,
    NoDispatch,
    Disabled,
    UnexpectedInputs,
    MissingInput,
    Other,
}

fn reason(message: &str) -> Reason {
    if message.contains("No ref found for") {
        Reason::UnknownReference
    } else if message.contains("does not have 'workflow_dispatch' trigger") {
        Reason::NoDispatch
    } else if message.contains("a disabled workflow") {
        Reason::Disabled
    } else if message.contains("Unexpected inputs provided") {
        Reason::UnexpectedInputs
    } else if message.contains("Required input") {
        Reason::MissingInput
    } else {
        Reason::Other
    }
}

/// Explains a 403 or 404. A missing repository, one that the token can't access, a missing workflow and a missing
/// permission all look the same, so further reads find out which it is.
async fn explain_denied(github: &GitHub<'_>, rejection: Error) -> Error {
    let Some(response) = rejection.response() else {
        return rejection;
    };
    let status = response.status.as_u16();
    let message = response.error_message().unwrap_or_default();
    if message.contains("a disabled workflow") {
        return rejection.with_reason(
            "the workflow is disabled",
            format!("enable it at {}", github.runs_page()),
        );
    }
    let repository = &github.location.repository;
    match github.get(&github.repository_url([])).await {
        Ok(read) if read.status.is_success() => {}
        Ok(read) if matches!(read.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) => {
            let message = format!(
                "{status} for the dispatch, and {} for the repository: there is no {repository}, or the token does not see it",
                read.status.as_u16()
            );
            return rejection.with_message(message, not_visible_hint(&github.spec.credential));
        }
        Ok(_) | Err(_) => {
            let hint = not_visible_hint(&github.spec.credential);
            return rejection
                .with_reason("whether the repository is visible could not be read", hint);
        }
    }
    if let GitHubPipeline::WorkflowDispatch { workflow, .. } = &github.spec.pipeline
        && is_workflow_missing(github, workflow).await
    {
        let hint = match list_workflows(github).await {
            Some(known) => {
                let near = nearest(workflow, known.workflows.entries.iter().map(Workflow::file));
                let near = near
                    .map(|near| format!("did you mean `{near}`? "))
                    .unwrap_or_default();
                format!(
                    "{near}`workflow` must be the file name of one of these: {}",
                    known.list()
                )
            }
            None => "set `workflow` to the name of a file in .github/workflows there".to_owned(),
        };
        return rejection.with_message(
            format!("{status} for the dispatch: {repository} has no workflow `{workflow}` on its default branch"),
            hint,
        );
    }
    let (needed, evidence) = missing_permission(github, response);
    rejection.with_message(
        format!("{status} for the dispatch, yet the repository is visible: the token lacks {needed}{evidence}"),
        permission_hint(&github.spec.credential, &needed),
    )
}

fn requires_single_sign_on(response: &Response) -> bool {
    response.header("x-github-sso").is_some()
}

impl GitHub<'_> {
    /// Explains rejections that need no further request: of reads, and of triggers for the same reasons.
    pub(super) fn explain_read(&self, rejection: Error) -> Error {
        let Some(response) = rejection.response() else {
            return rejection;
        };
        match response.status {
            StatusCode::UNAUTHORIZED => rejection.with_reason(
                "GitHub does not know the token",
                "it is wrong, expired or revoked: make a new one and set the secret again; a token of another server is unknown here too",
            ),
            StatusCode::FORBIDDEN if requires_single_sign_on(response) => rejection.with_reason(
                "the organisation wants the token authorised for its single sign-on",
                "authorise it under Settings, Developer settings, Personal access tokens, Configure SSO",
            ),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => rejection.with_reason(
                format!("there is no {}, or the token does not see it", self.location.repository),
                not_visible_hint(&self.spec.credential),
            ),
            _ => rejection,
        }
    }

    /// Explains why runs can't be listed, which `wait` requires.
    pub(super) fn explain_unreadable_runs(&self, error: Error) -> Error {
        let Some(response) = error.response() else {
            return error;
        };
        if response.status != StatusCode::FORBIDDEN || requires_single_sign_on(response) {
            return self.explain_read(error);
        }
        let needed = "\"Actions: read\"";
        error.with_reason(
            format!("the run could not be waited for: the token lacks {needed}"),
            permission_hint(&self.spec.credential, needed),
        )
    }

    async fn default_branch_name(&self) -> Option<String> {
        let response = self.get(&self.repository_url([])).await.ok()?;
        response
            .json::<super::GitHubRepository>()
            .ok()
            .and_then(|repository| repository.default_branch)
    }
}

impl Workflows {
    fn list(&self) -> String {
        let named = self
            .workflows
            .entries
            .iter()
            .take(MAX_LISTED)
            .map(|workflow| {
                let state = match workflow.state.as_deref() {
                    Some("active") | None => String::new(),
                    Some(state) => format!(", {state}"),
                };
                let name = workflow.name.as_deref().unwrap_or("without a name");
                format!("{} ({name}{state})", workflow.file())
            });
        let mut list: Vec<_> = named.collect();
        if list.is_empty() {
            list.push("there is none".to_owned());
        } else if self.total_count > MAX_LISTED {
            list.push(format!("and {} more", self.total_count - MAX_LISTED));
        }
        list.join(", ")
    }
}

impl Workflow {
    fn file(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

async fn is_workflow_missing(github: &GitHub<'_>, workflow: &str) -> bool {
    let url = github.repository_url(["actions", "workflows", workflow]);
    let response = github.get(&url).await;
    response.is_ok_and(|response| response.status == StatusCode::NOT_FOUND)
}

async fn list_workflows(github: &GitHub<'_>) -> Option<Workflows> {
    let mut url = below(&github.repository_url([]), ["actions", "workflows"]);
    url.set_query(Some("per_page=100"));
    let response = github.get(&url).await.ok()?;
    if response.status.is_success() {
        response.json().ok()
    } else {
        None
    }
}

/// Returns the missing permission and the evidence for it. GitHub names scopes for classic tokens, and permissions for
/// all others.
fn missing_permission(github: &GitHub<'_>, response: &Response) -> (String, String) {
    let header = |name| response.header(name).filter(|text| !text.is_empty());
    if response.header("x-oauth-scopes").is_some() {
        let accepted = header("x-accepted-oauth-scopes").unwrap_or("repo");
        let has = header("x-oauth-scopes").unwrap_or("none");
        return (
            format!("the scope `{accepted}`"),
            format!(" (its scopes: {has})"),
        );
    }
    if let Some(accepted) = header("x-accepted-github-permissions") {
        let evidence = format!(" (X-Accepted-GitHub-Permissions: {accepted})");
        return (describe_permissions(accepted), evidence);
    }
    let needed = match github.spec.pipeline {
        GitHubPipeline::RepositoryDispatch { .. } => "\"Contents: write\"",
        GitHubPipeline::WorkflowDispatch { .. } => "\"Actions: write\"",
    };
    (needed.to_owned(), String::new())
}

/// Describes a header such as `contents=write,actions=read; administration=write`. `,` means and, `;` means or.
fn describe_permissions(header: &str) -> String {
    let all = |alternative: &str| {
        let names = alternative.split(',').map(|pair| {
            let (name, level) = pair.trim().split_once('=').unwrap_or((pair.trim(), "read"));
            format!("\"{}: {level}\"", settings_name(name))
        });
        names.collect::<Vec<_>>().join(" and ")
    };
    header.split(';').map(all).collect::<Vec<_>>().join(", or ")
}

/// Returns a permission's name as in GitHub's settings: `pull_requests` becomes "Pull requests".
pub(super) fn settings_name(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    let rest: String = characters.collect();
    first.into_iter().collect::<String>() + &rest.replace('_', " ")
}

fn not_visible_hint(credential: &GitHubCredential) -> &'static str {
    match credential {
        GitHubCredential::Token(_) => {
            "check `repository`; a fine-grained token must be given that repository, a classic one its owner's access and the scope `repo`"
        }
        GitHubCredential::WorkflowToken(_) => {
            "check `repository`; the workflow's own token sees only the workflow's own repository"
        }
        GitHubCredential::App(_) => "check `repository`, and that the App is installed on it",
    }
}

fn permission_hint(credential: &GitHubCredential, needed: &str) -> String {
    match credential {
        GitHubCredential::Token(_) => format!(
            "give the token {needed} for that repository; a classic token needs the scope `repo`, and its owner write access"
        ),
        GitHubCredential::WorkflowToken(_) => {
            "set it under `permissions:` of the job, like `contents: write` or `actions: write`"
                .to_owned()
        }
        GitHubCredential::App(_) => {
            format!("give the App {needed}, and accept it in its installation")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::any::AnyProvider;
    use crate::testing::arbitrary;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn permissions_are_named_as_in_the_settings() {
        assert_eq!(
            describe_permissions("contents=write"),
            "\"Contents: write\""
        );
        assert_eq!(
            describe_permissions("actions=write,pull_requests=read; administration=write"),
            "\"Actions: write\" and \"Pull requests: read\", or \"Administration: write\""
        );
    }

    #[test]
    fn explaining_a_rejection_never_panics() {
        let rejection = arbitrary::response(json!({
            "message": "Unexpected inputs provided: [\"return_run_details\"]", "errors": [{ "message": "no" }],
            "error": { "message": "No ref found for: x", "detail": "a disabled workflow" },
        }));
        let workflows = arbitrary::response(json!({ "total_count": 40, "workflows": [
            { "name": "Build", "path": ".github/workflows/build.yml", "state": "active" },
        ]}));
        arbitrary::with_providers(|provider| {
            let AnyProvider::GitHub(github) = provider else {
                return;
            };
            proptest!(|(rejection in &rejection, workflows in &workflows)| {
                let response = rejection.response();
                reason(&response.error_message().unwrap_or_default());
                missing_permission(github, &response);
                if let Err(error) = response.check_status("the dispatch") {
                    github.fallback(&error);
                    github.explain_unreadable_runs(github.explain_read(error));
                }
                if let Ok(known) = workflows.response().json::<Workflows>() {
                    nearest("build.yml", known.workflows.entries.iter().map(Workflow::file));
                    known.list();
                }
            });
        });
    }
}
