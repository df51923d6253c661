//! Explains GitLab's rejections, and how to fix them.

use ::http::StatusCode;
use serde::Deserialize;

use super::GitLab;
use crate::providers::error::Error;
use crate::providers::gitlab::spec::GitLabCredential;
use crate::providers::http::Response;
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

pub(super) async fn explain(gitlab: &GitLab<'_>, rejection: Error) -> Error {
    let Some(response) = rejection.response() else {
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
        rejection.with_reason(
            format!("there is no branch or tag `{reference}`"),
            "check `ref`, or leave it out to use the default branch",
        )
    } else if message.contains(AMBIGUOUS) {
        rejection.with_reason(
            format!("there is both a branch and a tag `{reference}`"),
            format!("write `{BRANCHES}{reference}` or `{TAGS}{reference}` in `ref`"),
        )
    } else if message.contains(NO_PIPELINE_VARIABLES) {
        let by_trigger_token = matches!(gitlab.spec.credential, GitLabCredential::Trigger { .. });
        let why = if by_trigger_token {
            "the project forbids pipeline variables, and a trigger token always brings one"
        } else {
            "the project forbids pipeline variables to this token's role"
        };
        rejection.with_reason(
            why,
            "use an access token in `token` with `inputs` instead of `variables`; or let the project allow them: Settings, CI/CD, Variables, Minimum role to use pipeline variables",
        )
    } else if message.contains(NO_JOBS) || message.contains(NO_STAGES) {
        let source = match gitlab.spec.credential {
            GitLabCredential::Trigger { .. } => "trigger",
            GitLabCredential::Access(_) => "api",
        };
        rejection.with_reason(
            "no job of the project's .gitlab-ci.yml runs for this",
            format!("let its `rules` or `workflow: rules` allow `$CI_PIPELINE_SOURCE == \"{source}\"` on `{reference}`"),
        )
    } else if message.contains(PROTECTED) {
        rejection.with_reason(
            format!("`{reference}` is protected"),
            "use a token whose role may merge or push to it, or another `ref`",
        )
    } else {
        rejection
    }
}

/// GitLab answers 404 if something doesn't exist, if the token can't access it, and if a trigger token is wrong.
async fn explain_not_found(gitlab: &GitLab<'_>, rejection: Error) -> Error {
    let project = &gitlab.location.repository;
    let by_trigger_token = matches!(gitlab.spec.credential, GitLabCredential::Trigger { .. });
    let id = gitlab.id_hint();
    let read = gitlab
        .get(&gitlab.repository([]))
        .await
        .map(|response| response.status);
    match read {
        Ok(status) if status.is_success() && by_trigger_token => rejection.with_message(
            "404 for the trigger, yet the project is visible: GitLab does not know the trigger token there",
            "make one under Settings, CI/CD, Pipeline trigger tokens of that project; an access token goes into `token`",
        ),
        Ok(status) if status.is_success() => rejection.with_message(
            "404 for the trigger, yet the project is visible: the token may not run pipelines there",
            "running pipelines needs the role Developer and the scope `api`; the project's CI/CD must be enabled",
        ),
        Ok(StatusCode::NOT_FOUND) if gitlab.reader().is_none() => rejection.with_message(
            format!("404 for the trigger: there is no project {project}, or the trigger token is not of it"),
            format!("check `repository`, and make a token under Settings, CI/CD, Pipeline trigger tokens of that project; an access token goes into `token`{id}"),
        ),
        Ok(StatusCode::NOT_FOUND) => rejection.with_message(
            format!("404, for the project itself too: there is no {project}, or the token does not see it"),
            gitlab.unseen_hint(),
        ),
        Ok(_) | Err(_) => {
            let hint = format!("check `repository` and the token{id}");
            rejection.with_reason("whether the project is visible could not be read", hint)
        }
    }
}

/// GitLab redirects reads of a moved project, so the response contains its new path.
async fn explain_moved(gitlab: &GitLab<'_>, rejection: Error) -> Error {
    let project = &gitlab.location.repository;
    let read: Result<ProjectPath, _> = gitlab.read(&gitlab.repository([]), "the project").await;
    match read {
        Ok(ProjectPath {
            path_with_namespace: path,
        }) => rejection.with_reason(
            format!("the project {project} has moved to {path}"),
            format!("set `repository` to `{path}`"),
        ),
        Err(_) => rejection.with_reason(
            format!("the project {project} has moved, and the token can't read where to"),
            "open its page, which leads to the new one, and set `repository` to the path there",
        ),
    }
}

impl GitLab<'_> {
    /// Explains the rejection of a read, or one that means the same for the trigger. Sends no request.
    pub(super) fn explain_read(&self, rejection: Error) -> Error {
        let Some(response) = rejection.response() else {
            return rejection;
        };
        match response.status {
        StatusCode::UNAUTHORIZED => rejection.with_reason(
            "GitLab does not know the token",
            "it is wrong, expired or revoked: make a new one and set the secret again; a token of another server is unknown here too",
        ),
        StatusCode::FORBIDDEN if lacks_scope(response) => rejection.with_reason(
            "the token lacks the scope `api`",
            "make an access token with the scope `api` (`read_api` is enough only for reading)",
        ),
        StatusCode::FORBIDDEN => rejection.with_reason(
            "the token's role in the project is too low",
            "running pipelines needs the role Developer; a protected ref needs a role that may merge or push to it",
        ),
        StatusCode::NOT_FOUND => rejection.with_reason(
            format!("there is no {}, or the token does not see it", self.location.repository),
            self.unseen_hint(),
        ),
        _ => rejection,
        }
    }

    /// Explains why the pipelines that the step would wait for can't be read.
    pub(super) fn explain_unlisted(&self, error: Error) -> Error {
        const HINT: &str = "give in `token` an access token with the scope `read_api` (`api` to cancel too) and the role Reporter";
        let status = error.response().map(|response| response.status);
        match status {
            Some(StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND) if self.reader().is_none() => error.with_reason(
                "the pipeline could not be waited for: a trigger token reads nothing, and the project is not public",
                HINT,
            ),
            Some(StatusCode::FORBIDDEN) => error.with_reason(
                "the pipeline could not be waited for: the token may not read pipelines",
                HINT,
            ),
            _ => self.explain_read(error),
        }
    }

    fn unseen_hint(&self) -> String {
        let id = self.id_hint();
        format!(
            "check `repository`, and that the token is of that project or its owner a member of it{id}"
        )
    }

    /// Only a path contains `/`; a proxy can't mangle a numeric id.
    fn id_hint(&self) -> &'static str {
        if self.location.repository.contains('/') {
            "; a proxy that changes `%2F` in addresses answers 404 too: then use the project's numeric id"
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
                if let Err(error) = response.check_status("the trigger") {
                    let error = gitlab.explain_unlisted(gitlab.explain_read(error));
                    explain_error_message(gitlab, error, &message);
                }
            });
        });
    }
}
