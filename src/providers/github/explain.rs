//! Explains why GitHub rejected a request, and what to do about it.

use ::http::StatusCode;
use serde::Deserialize;

use super::GitHub;
use crate::providers::error::{Error, ErrorKind};
use crate::providers::github::spec::{GitHubCredential, GitHubPipeline};
use crate::providers::http::Response;
use crate::providers::http::request::below;
use crate::providers::pages::{List, MAX_PAGES};
use crate::providers::provider::Provider as _;
use crate::providers::reading::{
    INVALID_TOKEN_HINT, OWN_WORDS_HINT, both_answers, not_visible, unchecked,
};
use crate::providers::wire;
use crate::text::nearest::nearest;

/// Workflows listed in the message when one isn't found.
const MAX_LISTED: usize = 30;

/// Workflows on a page of their list.
const MAX_PAGE: usize = 100;

#[derive(Deserialize)]
pub(super) struct Workflows {
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
    let Some(response) = rejection.provider_response() else {
        return rejection;
    };
    let message = response.error_message().unwrap_or_default();
    match response.status {
        StatusCode::UNAUTHORIZED => github.explain_read(rejection),
        StatusCode::FORBIDDEN if explains_itself(response) => github.explain_read(rejection),
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => explain_denied(github, rejection).await,
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => match reason(&message) {
            Reason::UnknownReference => no_such_reference(github, rejection).await,
            Reason::NoDispatch => rejection.with_message(
                "the workflow has no `workflow_dispatch` trigger",
                NO_DISPATCH_HINT,
            ),
            Reason::Disabled => {
                let hint = github.enable_hint();
                rejection.with_message("the workflow is disabled", hint)
            }
            Reason::Unparsable => rejection.with_reason(
                "the workflow file is invalid",
                format!("fix the workflow file on `{}`", github.reference),
            ),
            Reason::NotAnOption => rejection.with_reason(
                "the value of an input isn't one of the options that the workflow allows",
                format!("use a value that is listed under `options:` of that input in the workflow on `{}`", github.reference),
            ),
            Reason::UnexpectedInputs => rejection.with_reason(
                "the workflow doesn't declare these inputs",
                format!("declare them under `on: workflow_dispatch: inputs:` in the workflow on `{}`, or remove them from `inputs`", github.reference),
            ),
            Reason::MissingInput => rejection.with_reason(
                "the workflow requires an input that isn't set",
                "add it to `inputs`, or give it a default in the workflow",
            ),
            Reason::Other => rejection,
        },
        _ => rejection,
    }
}

const NO_DISPATCH_HINT: &str = "add `workflow_dispatch:` under `on:` in the workflow, both on the default branch and on the ref that you want to run";
const SINGLE_SIGN_ON_HINT: &str =
    "authorise it under Settings, Developer settings, Personal access tokens, Configure SSO";

enum Reason {
    UnknownReference,
    NoDispatch,
    Disabled,
    Unparsable,
    NotAnOption,
    UnexpectedInputs,
    MissingInput,
    Other,
}

fn reason(message: &str) -> Reason {
    if message.contains("No ref found for") {
        Reason::UnknownReference
    } else if message.contains("does not have 'workflow_dispatch' trigger") {
        Reason::NoDispatch
    } else if message.contains(DISABLED) {
        Reason::Disabled
    } else if message.to_lowercase().contains("failed to parse workflow") {
        Reason::Unparsable
    } else if message.contains("Provided value") && message.contains("not in the list") {
        Reason::NotAnOption
    } else if message.contains("Unexpected inputs provided") {
        Reason::UnexpectedInputs
    } else if message.contains("Required input") {
        Reason::MissingInput
    } else {
        Reason::Other
    }
}

const DISABLED: &str = "a disabled workflow";

/// Explains a 403 or 404. A missing repository, one that the token can't access, a missing workflow and a missing
/// permission all look the same, so further reads find out which it is.
async fn explain_denied(github: &GitHub<'_>, rejection: Error) -> Error {
    let Some(response) = rejection.provider_response() else {
        return rejection;
    };
    let status = response.status;
    let message = response.error_message().unwrap_or_default();
    if message.contains(DISABLED) {
        let hint = github.enable_hint();
        return rejection.with_message("the workflow is disabled", hint);
    }
    match github.get(&github.repository_url([])).await {
        Ok(read) if read.status.is_success() => {}
        Ok(read) if matches!(read.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) => {
            let evidence = both_answers(status, read.status);
            let hint = github.not_visible_hint(response);
            return rejection.with_evidence(not_visible("the repository"), &evidence, hint);
        }
        Ok(_) | Err(_) => {
            let hint = github.not_visible_hint(response);
            return rejection.with_reason(
                "the trigger was rejected, and the step couldn't check whether the repository exists",
                hint,
            );
        }
    }
    if let GitHubPipeline::WorkflowDispatch { workflow, .. } = &github.spec.pipeline
        && is_workflow_missing(github, github.workflow()).await
    {
        let hint = match list_workflows(github).await {
            Some(known) => known.hint(workflow),
            None => "set `workflow` to the name of a file in its `.github/workflows`".to_owned(),
        };
        return rejection.with_message(
            format!("the repository has no workflow `{workflow}` on its default branch"),
            hint,
        );
    }
    let (needed, evidence) = missing_permission(github, response);
    let hint = github.permission_hint(response, &needed);
    rejection.with_evidence(
        format!("the token lacks {needed}, although it can access the repository"),
        &evidence,
        hint,
    )
}

fn requires_single_sign_on(response: &Response) -> bool {
    response.header("x-github-sso").is_some()
}

/// Whether GitHub itself gives the reason for a 403, so that guessing a missing permission would mislead: single
/// sign-on, an IP allow list, a suspended account and others.
pub(super) fn explains_itself(response: &Response) -> bool {
    const BARE: [&str; 6] = [
        "Resource not accessible by",
        "Must have",
        "Forbidden",
        "Not Found",
        DISABLED,
        "not granted",
    ];
    let message = response.error_message().unwrap_or_default();
    let is_bare = message.is_empty() || BARE.iter().any(|bare| message.contains(bare));
    requires_single_sign_on(response) || !is_bare
}

impl GitHub<'_> {
    /// Explains rejections that need no further request: of reads, and of triggers for the same reasons.
    pub(super) fn explain_read(&self, rejection: Error) -> Error {
        let Some(response) = rejection.provider_response() else {
            return rejection;
        };
        match response.status {
            StatusCode::UNAUTHORIZED => {
                rejection.with_reason("GitHub doesn't accept the token", INVALID_TOKEN_HINT)
            }
            StatusCode::FORBIDDEN if requires_single_sign_on(response) => rejection.with_reason(
                "the token isn't authorised for the organisation's single sign-on",
                SINGLE_SIGN_ON_HINT,
            ),
            StatusCode::FORBIDDEN if explains_itself(response) => {
                rejection.with_reason("GitHub denies access", OWN_WORDS_HINT)
            }
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                let hint = self.not_visible_hint(response);
                rejection.with_reason(not_visible("the repository"), hint)
            }
            _ => rejection,
        }
    }

    /// Explains why runs can't be listed, which `wait` requires.
    pub(super) fn explain_unreadable_runs(&self, error: Error) -> Error {
        let Some(response) = error.provider_response() else {
            return error;
        };
        if response.status != StatusCode::FORBIDDEN || explains_itself(response) {
            return self.explain_read(error);
        }
        let needed = "\"Actions: read\"";
        let hint = self.permission_hint(response, needed);
        error.with_reason(
            format!("the token lacks {needed}, so the step couldn't wait for the run; nothing was triggered"),
            hint,
        )
    }

    /// Explains why failed jobs can't be run again. The run has just been read, so a 404 means the same as a 403.
    pub(super) fn explain_rerun(&self, rejection: Error) -> Error {
        let Some(response) = rejection.provider_response() else {
            return rejection;
        };
        match response.status {
            StatusCode::UNAUTHORIZED => self.explain_read(rejection),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND if !explains_itself(response) => {
                let needed = "\"Actions: write\"";
                let hint = self.permission_hint(response, needed);
                rejection.with_message(format!("the token lacks {needed}"), hint)
            }
            _ => rejection,
        }
    }

    async fn default_branch_name(&self) -> Option<String> {
        let response = self.get(&self.repository_url([])).await.ok()?;
        response
            .json::<super::GitHubRepository>()
            .ok()
            .and_then(|repository| repository.default_branch)
    }

    fn enable_hint(&self) -> String {
        let page = self.runs_page();
        format!(
            "enable it at {page}. GitHub also disables scheduled workflows of inactive repositories"
        )
    }

    /// GitHub names scopes only for classic tokens.
    fn is_classic(&self, response: &Response) -> bool {
        let has_prefix = match &self.spec.credential {
            GitHubCredential::Token(token) => token.expose().starts_with("ghp_"),
            GitHubCredential::WorkflowToken(_) | GitHubCredential::App(_) => false,
        };
        has_prefix || response.header("x-oauth-scopes").is_some()
    }

    fn is_fine_grained(&self) -> bool {
        match &self.spec.credential {
            GitHubCredential::Token(token) => token.expose().starts_with("github_pat_"),
            GitHubCredential::WorkflowToken(_) | GitHubCredential::App(_) => false,
        }
    }

    fn not_visible_hint(&self, response: &Response) -> String {
        let more = match self.spec.credential {
            GitHubCredential::Token(_) if self.is_fine_grained() => {
                ". The token must include this repository"
            }
            GitHubCredential::Token(_) if self.is_classic(response) => {
                ". The token needs the scope `repo`, and its owner needs access to the repository"
            }
            GitHubCredential::Token(_) => {
                ". A fine-grained token must include this repository; a classic token needs the scope `repo`, and its owner needs access to the repository"
            }
            GitHubCredential::WorkflowToken(_) => {
                ". `GITHUB_TOKEN` can only access the repository of its own workflow"
            }
            GitHubCredential::App(_) => ", and that the App is installed on the repository",
        };
        format!("check the spelling of `repository`{more}")
    }

    fn permission_hint(&self, response: &Response, needed: &str) -> String {
        match self.spec.credential {
            GitHubCredential::Token(_) if self.is_classic(response) => {
                "give the token the scope `repo`, and its owner write access to the repository"
                    .to_owned()
            }
            GitHubCredential::Token(_) => format!("grant the token {needed} on this repository"),
            GitHubCredential::WorkflowToken(_) => format!(
                "add {} to the job's `permissions:`",
                needed.replace('"', "`").to_lowercase()
            ),
            GitHubCredential::App(_) => {
                format!("give the App {needed}, and accept the new permission in its installation")
            }
        }
    }
}

impl Workflows {
    /// Returns the files of the workflows with that title.
    pub(super) fn files_of(&self, title: &str) -> Vec<&str> {
        let entries = self.workflows.entries.iter();
        let titled = entries.filter(|known| known.name.as_deref() == Some(title));
        titled.map(Workflow::file).collect()
    }

    /// Suggests what to set `workflow` to.
    fn hint(&self, workflow: &str) -> String {
        let entries = self.workflows.entries.iter();
        let files = entries.clone().map(Workflow::file);
        let titles = entries.filter_map(|known| known.name.as_deref());
        let near = nearest(workflow, files.chain(titles));
        let near = near.map(|near| format!("did you mean `{near}`? "));
        format!(
            "{}Set `workflow` to the file name of one of its workflows: {}",
            near.unwrap_or_default(),
            self.list()
        )
    }

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
                let name = workflow.name.as_deref().unwrap_or("no title");
                format!("{} ({name}{state})", workflow.file())
            });
        let mut list: Vec<_> = named.collect();
        if list.is_empty() {
            list.push("it has none".to_owned());
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

/// Checks for a dry run that the workflow exists and is enabled.
pub(super) async fn check_workflow(github: &GitHub<'_>) -> Result<(), Error> {
    let url = github.repository_url(["actions", "workflows", github.workflow()]);
    let read = github.get(&url).await;
    match read.and_then(|response| response.check_status("reading the workflow")) {
        Ok(response) => {
            let state = response.json::<Workflow>().ok().and_then(|read| read.state);
            if state.is_some_and(|state| state.starts_with("disabled")) {
                let error = Error::new(ErrorKind::Rejected, "the workflow is disabled");
                return Err(error.hint(github.enable_hint()));
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::Rejected => {
            let explained = explain(github, error).await;
            // Without "Actions: read" the workflow may exist all the same.
            if explained.status() == Some(StatusCode::FORBIDDEN) {
                unchecked(github.http, "the workflow", &explained);
                return Ok(());
            }
            Err(explained)
        }
        Err(error) => {
            unchecked(github.http, "the workflow", &error);
            Ok(())
        }
    }
}

/// Checks for a dry run that the ref exists.
pub(super) async fn check_reference(github: &GitHub<'_>) -> Result<(), Error> {
    let reference = &github.reference;
    let short = reference.strip_prefix("refs/").unwrap_or(reference);
    let commits = github.repository_url(["commits"]);
    let read = github.get(&below(&commits, short.split('/'))).await;
    match read.and_then(|response| response.check_status("reading the ref")) {
        Ok(_) => Ok(()),
        // GitHub answers 404 if the token can't read contents.
        Err(error) if error.status() == Some(StatusCode::UNPROCESSABLE_ENTITY) => {
            Err(no_such_reference(github, error).await)
        }
        Err(error) => {
            unchecked(github.http, "`ref`", &error);
            Ok(())
        }
    }
}

async fn no_such_reference(github: &GitHub<'_>, rejection: Error) -> Error {
    let hint = match github.default_branch_name().await {
        Some(name) => {
            format!(
                "check the spelling of `ref`. The default branch is `{name}`; leave `ref` out to use it"
            )
        }
        None => "set `ref` to a branch or tag of the target repository".to_owned(),
    };
    let message = format!("no branch or tag is named `{}`", github.reference);
    rejection.with_message(message, hint)
}

async fn is_workflow_missing(github: &GitHub<'_>, workflow: &str) -> bool {
    let url = github.repository_url(["actions", "workflows", workflow]);
    let response = github.get(&url).await;
    response.is_ok_and(|response| response.status == StatusCode::NOT_FOUND)
}

/// Lists the workflows of the default branch, on all pages.
pub(super) async fn list_workflows(github: &GitHub<'_>) -> Option<Workflows> {
    let mut all = Workflows {
        total_count: 0,
        workflows: List::default(),
    };
    for page in 1..=MAX_PAGES {
        let mut url = github.repository_url(["actions", "workflows"]);
        url.set_query(Some(&format!("per_page={MAX_PAGE}&page={page}")));
        let response = github.get(&url).await.ok()?;
        let read: Workflows = response
            .check_status("listing the workflows")
            .ok()?
            .json()
            .ok()?;
        all.total_count = read.total_count;
        let is_empty = read.workflows.length == 0;
        all.workflows.length += read.workflows.length;
        all.workflows.entries.extend(read.workflows.entries);
        if is_empty || all.workflows.length >= all.total_count {
            break;
        }
    }
    Some(all)
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
            format!("; its scopes: {has}"),
        );
    }
    if let Some(accepted) = header("x-accepted-github-permissions") {
        let evidence = format!("; X-Accepted-GitHub-Permissions: {accepted}");
        return (describe_permissions(accepted), evidence);
    }
    let needed = match github.spec.pipeline {
        GitHubPipeline::RepositoryDispatch { .. } => "\"Contents: write\"",
        GitHubPipeline::WorkflowDispatch { .. } | GitHubPipeline::Followed { .. } => {
            "\"Actions: write\""
        }
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
                explains_itself(&response);
                if let Err(error) = response.check_status("the trigger") {
                    github.fallback(&error);
                    github.explain_unreadable_runs(github.explain_read(error));
                }
                if let Ok(known) = workflows.response().json::<Workflows>() {
                    known.hint("build.yml");
                }
            });
        });
    }
}
