//! Explains GitLab's rejections, and how to fix them.

use ::http::StatusCode;
use serde::Deserialize;

use super::GitLab;
use crate::providers::error::Error;
use crate::providers::gitlab::spec::GitLabCredential;
use crate::providers::http::Response;
use crate::providers::reading::{INVALID_TOKEN_HINT, OWN_WORDS_HINT, both_answers, not_visible};
use crate::providers::reference::{BRANCHES, TAGS};
use crate::providers::wire;

const NO_PIPELINE_VARIABLES: &str = "Insufficient permissions to set pipeline variables";
const AMBIGUOUS: &str = "Ref is ambiguous";
const NO_JOBS: &str = "Pipeline will not run for the selected trigger";
const NO_STAGES: &str = "No stages / jobs for this pipeline";
const PROTECTED: &str = "You do not have sufficient permission to run a pipeline on";

const MOVED: &str = "Non GET methods are not allowed for moved projects";

#[derive(Deserialize)]
struct ProjectPath {
    #[serde(deserialize_with = "wire::word")]
    path_with_namespace: String,
}

#[derive(Deserialize)]
struct OAuthError {
    #[serde(default, deserialize_with = "wire::name")]
    error: Option<String>,
}

const VARIABLES_HINT: &str = "use an access token in `token`, and `inputs` instead of `variables`. Or allow pipeline variables in the project: Settings, CI/CD, Variables, Minimum role to use pipeline variables";
const TRIGGER_TOKEN_HINT: &str = "create a trigger token in that project under Settings, CI/CD, Pipeline trigger tokens. An access token belongs in `token`";
const RUN_HINT: &str =
    "give the token the role Developer and the scope `api`, and enable CI/CD in the project";
const ROLE_HINT: &str = "give the token the role Developer. A protected ref needs a role that is allowed to merge or push to it";
const SCOPE_HINT: &str =
    "create an access token with the scope `api` (`read_api` is only enough for reading)";
const READ_HINT: &str = "set `token` to an access token with the role Reporter and the scope `read_api` (to cancel as well: Developer and `api`)";

pub(super) async fn explain(gitlab: &GitLab<'_>, rejection: Error) -> Error {
    let Some(response) = rejection.provider_response() else {
        return rejection;
    };
    let message = response.error_message().unwrap_or_default();
    match response.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => gitlab.explain_read(rejection),
        StatusCode::NOT_FOUND => explain_not_found(gitlab, rejection).await,
        StatusCode::METHOD_NOT_ALLOWED if message.contains(MOVED) => {
            explain_moved(gitlab, rejection).await
        }
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            explain_error_message(gitlab, rejection, &message)
        }
        _ => rejection,
    }
}

fn explain_error_message(gitlab: &GitLab<'_>, rejection: Error, message: &str) -> Error {
    let reference = &gitlab.reference;
    if message.contains("Reference not found") {
        no_such_reference(gitlab, rejection)
    } else if message.contains(AMBIGUOUS) {
        rejection.with_message(
            format!("both a branch and a tag are named `{reference}`"),
            format!("set `ref` to `{BRANCHES}{reference}` or `{TAGS}{reference}`"),
        )
    } else if message.contains(NO_PIPELINE_VARIABLES) {
        let by_trigger_token = matches!(gitlab.spec.credential, GitLabCredential::Trigger { .. });
        let why = if by_trigger_token {
            "the project doesn't allow pipeline variables, and GitLab adds one to every trigger token's request"
        } else {
            "this token's role isn't allowed to set pipeline variables in the project"
        };
        rejection.with_message(why, VARIABLES_HINT)
    } else if message.contains(NO_JOBS) || message.contains(NO_STAGES) {
        let source = match gitlab.spec.credential {
            GitLabCredential::Trigger { .. } => "trigger",
            GitLabCredential::Access(_) => "api",
        };
        rejection.with_message(
            "no job in the project's .gitlab-ci.yml matches this pipeline",
            format!("allow `$CI_PIPELINE_SOURCE == \"{source}\"` on `{reference}` in its `rules` or `workflow: rules`"),
        )
    } else if message.contains(PROTECTED) {
        rejection.with_message(
            format!("the ref `{reference}` is protected"),
            "use a token whose role is allowed to merge or push to it, or another `ref`",
        )
    } else if is_invalid_configuration(message) {
        rejection.with_reason(
            "the project's .gitlab-ci.yml is invalid",
            format!("fix it on `{reference}`; the project's pipeline editor shows the errors"),
        )
    } else {
        rejection
    }
}

pub(super) fn no_such_reference(gitlab: &GitLab<'_>, rejection: Error) -> Error {
    rejection.with_message(
        format!("no branch or tag is named `{}`", gitlab.reference),
        "check the spelling of `ref`, or leave it out to use the default branch",
    )
}

/// Whether a project that the token can read has no such commit, branch or tag.
pub(super) fn is_missing_commit(error: &Error) -> bool {
    let response = error.provider_response();
    response.is_some_and(|response| {
        let message = response.error_message().unwrap_or_default();
        response.status == StatusCode::NOT_FOUND && message.contains("Commit Not Found")
    })
}

/// Whether GitLab reports errors of the configuration, such as `jobs:test config should contain either a trigger or a
/// script`, `Included file … is empty or does not exist` or `Invalid configuration format`.
fn is_invalid_configuration(message: &str) -> bool {
    let message = message.to_lowercase();
    let parts = [
        " config ",
        "config contains",
        "yaml",
        "included file",
        "configuration format",
    ];
    parts.iter().any(|part| message.contains(part))
}

/// GitLab answers 404 if something doesn't exist, if the token can't access it, and if a trigger token is wrong.
async fn explain_not_found(gitlab: &GitLab<'_>, rejection: Error) -> Error {
    let by_trigger_token = matches!(gitlab.spec.credential, GitLabCredential::Trigger { .. });
    let id = gitlab.id_hint();
    let read = gitlab
        .get(&gitlab.repository([]))
        .await
        .map(|response| response.status);
    match read {
        Ok(status) if status.is_success() && by_trigger_token => rejection.with_message(
            "the project doesn't have this trigger token",
            TRIGGER_TOKEN_HINT,
        ),
        Ok(status) if status.is_success() => rejection.with_message(
            "the token isn't allowed to run pipelines, although it can access the project",
            RUN_HINT,
        ),
        Ok(StatusCode::NOT_FOUND) if gitlab.reader().is_none() => rejection.with_message(
            "the project doesn't exist, or it doesn't have this trigger token",
            format!("check the spelling of `repository`, and {TRIGGER_TOKEN_HINT}{id}"),
        ),
        Ok(StatusCode::NOT_FOUND) => {
            let evidence = both_answers(StatusCode::NOT_FOUND, StatusCode::NOT_FOUND);
            rejection.with_evidence(not_visible("the project"), &evidence, gitlab.unseen_hint())
        }
        Ok(_) | Err(_) => rejection.with_reason(
            "the trigger was rejected, and the step couldn't check whether the project exists",
            format!("check the spelling of `repository`, and the token{id}"),
        ),
    }
}

/// GitLab redirects reads of a moved project, so the response contains its new path.
async fn explain_moved(gitlab: &GitLab<'_>, rejection: Error) -> Error {
    let url = gitlab.repository([]);
    let read: Result<ProjectPath, _> = gitlab.read(&url, "reading the project").await;
    match read {
        Ok(ProjectPath {
            path_with_namespace: path,
        }) => rejection.with_message(
            format!("the project has moved to {path}"),
            format!("set `repository` to `{path}`"),
        ),
        Err(_) => rejection.with_message(
            "the project has moved, and the token can't read where to",
            "open the project's page, which redirects to the new one, and set `repository` to the path there",
        ),
    }
}

/// Whether GitLab gives a reason for a 403, such as terms that aren't accepted or an expired password. Guessing that
/// the role is too low would then mislead.
fn explains_itself(response: &Response) -> bool {
    let message = response.error_message().unwrap_or_default();
    let bare = ["", "Forbidden", "403 Forbidden", "Access denied"];
    !bare.contains(&message.trim_end_matches('.'))
}

impl GitLab<'_> {
    /// Explains the rejection of a read, or one that means the same for the trigger. Sends no request.
    pub(super) fn explain_read(&self, rejection: Error) -> Error {
        let Some(response) = rejection.provider_response() else {
            return rejection;
        };
        match response.status {
            StatusCode::UNAUTHORIZED => {
                rejection.with_reason("GitLab doesn't accept the token", INVALID_TOKEN_HINT)
            }
            StatusCode::FORBIDDEN if lacks_scope(response) => {
                rejection.with_message("the token lacks the scope `api`", SCOPE_HINT)
            }
            StatusCode::FORBIDDEN if explains_itself(response) => {
                rejection.with_reason("GitLab denies access", OWN_WORDS_HINT)
            }
            StatusCode::FORBIDDEN => {
                rejection.with_message("the token's role in the project is too low", ROLE_HINT)
            }
            StatusCode::NOT_FOUND => {
                rejection.with_reason(not_visible("the project"), self.unseen_hint())
            }
            _ => rejection,
        }
    }

    /// Explains why failed jobs can't be run again. The pipeline has just been read, so it exists.
    pub(super) fn explain_rerun(&self, rejection: Error) -> Error {
        match rejection.status() {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => self.explain_read(rejection),
            _ => rejection,
        }
    }

    /// Explains why the pipelines that the step would wait for can't be read.
    pub(super) fn explain_unlisted(&self, error: Error) -> Error {
        let Some(response) = error.provider_response() else {
            return error;
        };
        match response.status {
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND if self.reader().is_none() => error
                .with_message(
                    "a trigger token can't read a project that isn't public, so the step couldn't wait for the pipeline; nothing was triggered",
                    READ_HINT,
                ),
            StatusCode::FORBIDDEN if lacks_scope(response) || !explains_itself(response) => error
                .with_message(
                    "the token isn't allowed to read pipelines, so the step couldn't wait for the pipeline; nothing was triggered",
                    READ_HINT,
                ),
            _ => self.explain_read(error),
        }
    }

    fn unseen_hint(&self) -> String {
        let id = self.id_hint();
        format!(
            "check the spelling of `repository`, and that the token belongs to that project or to one of its members{id}"
        )
    }

    /// Only a path contains `/`; a proxy can't mangle a numeric id.
    fn id_hint(&self) -> &'static str {
        if self.location.repository.contains('/') {
            ". If a proxy in between decodes `%2F` in URLs, set `repository` to the project's numeric id"
        } else {
            ""
        }
    }
}

fn lacks_scope(response: &Response) -> bool {
    response
        .json::<OAuthError>()
        .is_ok_and(|body| body.error.as_deref() == Some("insufficient_scope"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::any::AnyProvider;
    use crate::testing::arbitrary;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn an_explanation_never_panics() {
        let rejection = arbitrary::response(json!({
            "message": { "base": ["Reference not found", NO_PIPELINE_VARIABLES, NO_JOBS] },
            "error": "insufficient_scope", "error_description": PROTECTED,
        }));
        arbitrary::with_providers(|provider| {
            let AnyProvider::GitLab(gitlab) = provider else {
                return;
            };
            proptest!(|(rejection in &rejection)| {
                let response = rejection.response();
                let message = response.error_message().unwrap_or_default();
                lacks_scope(&response);
                explains_itself(&response);
                if let Err(error) = response.check_status("the trigger") {
                    let error = gitlab.explain_unlisted(gitlab.explain_read(error));
                    explain_error_message(gitlab, error, &message);
                }
            });
        });
    }
}
