//! Explains Bitbucket's rejections, and how to fix them.

use ::http::StatusCode;

use super::{Bitbucket, NO_SUCH_REFERENCE};
use crate::providers::bitbucket::spec::BitbucketCredential;
use crate::providers::error::Error;
use crate::providers::http::Response;
use crate::providers::reading::{OWN_WORDS_HINT, both_answers, not_visible};
use crate::providers::reference::Reference;

const NO_SUCH_PIPELINE: &str = "Requested selector is not found";

const ACCESS_TOKEN_HINT: &str = "the token is mistyped, expired or revoked. Create a new one and update the secret. An API token (`ATATT…`) also needs its owner's address in `email`; app passwords no longer work";
const API_TOKEN_HINT: &str = "the token is mistyped, expired or revoked, or `email` isn't its owner's address. An access token (`ATCTT…`) is used without `email`";
const SCOPES_HINT: &str = "create a token with the scopes `read:pipeline:bitbucket` and `write:pipeline:bitbucket`. If `ref` isn't set, it also needs `read:repository:bitbucket`";
const READ_SCOPE_HINT: &str = "give the token the scope `read:pipeline:bitbucket`, which isn't part of `write:pipeline:bitbucket`";
const NOT_VISIBLE_HINT: &str = "check the spelling of `repository`, and that the token belongs to that repository, its project or its workspace";

pub(super) async fn explain(bitbucket: &Bitbucket<'_>, rejection: Error) -> Error {
    let Some(response) = rejection.provider_response() else {
        return rejection;
    };
    let message = response.error_message().unwrap_or_default();
    match response.status {
        StatusCode::NOT_FOUND if message.contains(NO_SUCH_REFERENCE) => {
            no_such_reference(bitbucket, rejection)
        }
        StatusCode::BAD_REQUEST if message.contains(NO_SUCH_PIPELINE) => {
            let at = bitbucket.reference.as_ref();
            let at = at.map_or_else(
                || "that commit".to_owned(),
                |reference| format!("`{}`", reference.name()),
            );
            match bitbucket.spec.custom_pipeline.as_deref() {
                Some(name) => rejection.with_message(
                    format!("bitbucket-pipelines.yml has no custom pipeline `{name}` on {at}"),
                    "check the spelling of `custom-pipeline`, or add the pipeline under `pipelines: custom:` there",
                ),
                None => rejection.with_message(
                    format!("bitbucket-pipelines.yml has no pipeline for {at}"),
                    "add a `default:` pipeline or one for that branch, or set `custom-pipeline`",
                ),
            }
        }
        StatusCode::NOT_FOUND => explain_not_found(bitbucket, rejection).await,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => bitbucket.explain_read(rejection),
        _ => rejection,
    }
}

fn no_such_reference(bitbucket: &Bitbucket<'_>, rejection: Error) -> Error {
    let name = bitbucket.reference_name();
    let what = match bitbucket.reference {
        Some(Reference::Tag(_)) => "tag",
        Some(Reference::Branch(_)) => "branch",
        Some(Reference::Named(_)) | None => "branch or tag",
    };
    rejection.with_message(
        format!("no {what} is named `{name}`"),
        "check the spelling of `ref`, or leave it out to use the main branch",
    )
}

/// Explains a 404 for a ref that was read: either the ref doesn't exist, or the whole repository.
pub(super) async fn missing_reference(bitbucket: &Bitbucket<'_>, rejection: Error) -> Error {
    let read = bitbucket.get(&bitbucket.repository([])).await;
    if read.is_ok_and(|response| response.status.is_success()) {
        no_such_reference(bitbucket, rejection)
    } else {
        bitbucket.explain_read(rejection)
    }
}

/// Bitbucket answers 404 both if something doesn't exist and if the token can't access it.
async fn explain_not_found(bitbucket: &Bitbucket<'_>, rejection: Error) -> Error {
    let read = bitbucket.get(&bitbucket.repository([])).await;
    match read.map(|response| response.status) {
        Ok(status) if status.is_success() => rejection.with_reason(
            "the trigger was rejected, although the token can access the repository",
            "enable Pipelines in the repository's settings, and check `ref` and `commit`. The token needs the scope `write:pipeline:bitbucket`",
        ),
        Ok(StatusCode::FORBIDDEN) => rejection.with_reason(
            "the trigger was rejected, and the token isn't allowed to check whether the repository exists",
            "check `repository`, `ref` and `commit`. With the scope `read:repository:bitbucket` this message could be more precise",
        ),
        Ok(StatusCode::NOT_FOUND) => {
            let evidence = both_answers(StatusCode::NOT_FOUND, StatusCode::NOT_FOUND);
            rejection.with_evidence(not_visible("the repository"), &evidence, NOT_VISIBLE_HINT)
        }
        Ok(_) | Err(_) => rejection.with_reason(
            "the trigger was rejected, and the step couldn't check whether the repository exists",
            "check the spelling of `repository`, and the token",
        ),
    }
}

impl Bitbucket<'_> {
    /// Explains the rejection of a read, or one that means the same for the trigger. Sends no request.
    pub(super) fn explain_read(&self, rejection: Error) -> Error {
        let Some(response) = rejection.provider_response() else {
            return rejection;
        };
        match response.status {
            StatusCode::UNAUTHORIZED => {
                let hint = match self.spec.credential {
                    BitbucketCredential::Access(_) => ACCESS_TOKEN_HINT,
                    BitbucketCredential::Api { .. } => API_TOKEN_HINT,
                };
                rejection.with_reason("Bitbucket doesn't accept the token", hint)
            }
            StatusCode::FORBIDDEN => {
                let Some((lacks, evidence)) = missing_scope(response) else {
                    return rejection.with_reason("Bitbucket denies access", OWN_WORDS_HINT);
                };
                let message = format!("the token lacks {lacks}");
                rejection.with_evidence(message, &evidence, SCOPES_HINT)
            }
            // Bitbucket's words name the repository, which adds nothing.
            StatusCode::NOT_FOUND if names_repository(response, &self.location.repository) => {
                rejection.with_message(not_visible("the repository"), NOT_VISIBLE_HINT)
            }
            StatusCode::NOT_FOUND => {
                rejection.with_reason(not_visible("the repository"), NOT_VISIBLE_HINT)
            }
            _ => rejection,
        }
    }

    /// Explains why the pipelines that the step would wait for can't be read.
    pub(super) fn explain_unlisted(&self, error: Error) -> Error {
        let Some(response) = error.provider_response() else {
            return error;
        };
        match (response.status, missing_scope(response)) {
            (StatusCode::FORBIDDEN, Some((lacks, evidence))) => error.with_evidence(
                format!("the token lacks {lacks}, so the step couldn't wait for the pipeline; nothing was triggered"),
                &evidence,
                READ_SCOPE_HINT,
            ),
            _ => self.explain_read(error),
        }
    }
}

fn names_repository(response: &Response, repository: &str) -> bool {
    let message = response.error_message().unwrap_or_default();
    message.contains(&format!("Repository {repository} not found"))
}

/// Returns the missing scope, and the scopes that the token has. Bitbucket sends both in headers. `None` if Bitbucket
/// gives another reason for the 403, such as an IP allow list.
fn missing_scope(response: &Response) -> Option<(String, String)> {
    let header = |name| response.header(name).filter(|text| !text.is_empty());
    let needed = header("x-accepted-oauth-scopes");
    let has = header("x-oauth-scopes").map(|has| format!("; its scopes: {has}"));
    let message = response.error_message().unwrap_or_default().to_lowercase();
    let is_bare = ["", "forbidden", "access denied"].contains(&message.trim_end_matches('.'));
    let is_about_scopes = needed.is_some() || message.contains("scope") || is_bare;
    let lacks = needed.map_or("a scope".to_owned(), |scope| format!("the scope `{scope}`"));
    is_about_scopes.then(|| (lacks, has.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::any::AnyProvider;
    use crate::providers::provider::Provider as _;
    use crate::testing::arbitrary;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn an_explanation_never_panics() {
        let rejection = arbitrary::response(json!({
            "type": "error",
            "error": { "message": NO_SUCH_PIPELINE, "detail": "Could not find last reference for branch main" },
        }));
        arbitrary::with_providers(|provider| {
            let AnyProvider::Bitbucket(bitbucket) = provider else {
                return;
            };
            proptest!(|(rejection in &rejection)| {
                let response = rejection.response();
                missing_scope(&response);
                if let Err(error) = response.check_status("the trigger") {
                    bitbucket.fallback(&error);
                    bitbucket.explain_unlisted(bitbucket.explain_read(error));
                }
            });
        });
    }
}
