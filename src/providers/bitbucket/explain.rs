//! Explains Bitbucket's rejections, and how to fix them.

use ::http::StatusCode;

use super::{Bitbucket, NO_SUCH_REFERENCE};
use crate::providers::bitbucket::spec::BitbucketCredential;
use crate::providers::error::Error;
use crate::providers::http::Response;
use crate::providers::reference::Reference;

const NO_SUCH_PIPELINE: &str = "Requested selector is not found";

pub(super) async fn explain(bitbucket: &Bitbucket<'_>, rejection: Error) -> Error {
    let Some(response) = rejection.response() else {
        return rejection;
    };
    let message = response.error_message().unwrap_or_default();
    match response.status {
        StatusCode::NOT_FOUND if message.contains(NO_SUCH_REFERENCE) => {
            let name = bitbucket.reference_name();
            let what = match bitbucket.reference {
                Some(Reference::Tag(_)) => "tag",
                Some(Reference::Branch(_)) => "branch",
                Some(Reference::Named(_)) | None => "branch or tag",
            };
            rejection.with_reason(
                format!("there is no {what} `{name}`"),
                "check `ref`, or leave it out to use the main branch",
            )
        }
        StatusCode::BAD_REQUEST if message.contains(NO_SUCH_PIPELINE) => {
            let custom = bitbucket.spec.custom_pipeline.as_deref();
            let at = bitbucket
                .reference
                .as_ref()
                .map_or("that commit", Reference::name);
            match custom {
                Some(name) => rejection.with_reason(
            format!("there is no custom pipeline `{name}` at {at}"),
                    "add it under `pipelines: custom:` of bitbucket-pipelines.yml there, or check `custom-pipeline`",
                ),
                None => rejection.with_reason(
            format!("bitbucket-pipelines.yml has no pipeline for {at}"),
                    "add a `default:` pipeline or one for that branch, or name one with `custom-pipeline`",
                ),
            }
        }
        StatusCode::NOT_FOUND => explain_not_found(bitbucket, rejection).await,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => bitbucket.explain_read(rejection),
        _ => rejection,
    }
}

/// Bitbucket answers 404 both if something doesn't exist and if the token can't access it.
async fn explain_not_found(bitbucket: &Bitbucket<'_>, rejection: Error) -> Error {
    let repository = &bitbucket.location.repository;
    let read = bitbucket.get(&bitbucket.repository([])).await;
    match read.map(|response| response.status) {
        Ok(status) if status.is_success() => {
            let message = format!("{}, yet the repository is visible", rejection.message());
            rejection.with_message(
                message,
                "enable Pipelines in the repository's settings, and check `ref` and `commit`; the token needs the scope write:pipeline:bitbucket",
            )
        }
        Ok(StatusCode::FORBIDDEN) => rejection.with_reason(
            "whether the repository is visible the token may not read",
            "check `repository`, `ref` and `commit`; with the scope read:repository:bitbucket more can be said",
        ),
        Ok(StatusCode::NOT_FOUND) => rejection.with_message(
            format!("404, for the repository itself too: there is no {repository}, or the token does not see it"),
            "check `repository`, and that the token is of that repository, its project or workspace",
        ),
        Ok(_) | Err(_) => rejection.with_reason(
            "whether the repository is visible could not be read",
            "check `repository` and the token",
        ),
    }
}

impl Bitbucket<'_> {
    /// Explains the rejection of a read, or one that means the same for the trigger. Sends no request.
    pub(super) fn explain_read(&self, rejection: Error) -> Error {
        let Some(response) = rejection.response() else {
            return rejection;
        };
        match response.status {
            StatusCode::UNAUTHORIZED => {
                let hint = match self.spec.credential {
                    BitbucketCredential::Access(_) => {
                        "it is wrong, expired or revoked; an API token (ATATT…) needs its owner's address in `email`; app passwords are gone"
                    }
                    BitbucketCredential::Api { .. } => {
                        "it is wrong, expired or revoked, or `email` is not the address of its owner; an access token (ATCTT…) goes without `email`"
                    }
                };
                rejection.with_reason(
            "Bitbucket does not take the token", hint)
            }
            StatusCode::FORBIDDEN => {
                let (lacks, evidence) = missing_scope(response);
                rejection.with_reason(
            format!("the token lacks {lacks}{evidence}"),
                    "triggering needs read:pipeline:bitbucket and write:pipeline:bitbucket; finding the main branch, where no `ref` is given, read:repository:bitbucket",
                )
            }
            StatusCode::NOT_FOUND => rejection.with_reason(
            format!("there is no {}, or the token does not see it", self.location.repository),
                "check `repository`, and that the token is of that repository, its project or workspace",
            ),
            _ => rejection,
        }
    }

    /// Explains why the pipelines that the step would wait for can't be read.
    pub(super) fn explain_unlisted(&self, error: Error) -> Error {
        match error.response() {
            Some(response) if response.status == StatusCode::FORBIDDEN => {
                let (lacks, evidence) = missing_scope(response);
                error.with_reason(
                    format!("the pipeline could not be waited for: the token lacks {lacks}{evidence}"),
                    "give the token the scope read:pipeline:bitbucket: write:pipeline:bitbucket does not bring it along",
                )
            }
            _ => self.explain_read(error),
        }
    }
}

/// Returns the missing scope, and the scopes that the token has. Bitbucket sends both in headers.
fn missing_scope(response: &Response) -> (String, String) {
    let header = |name| response.header(name).filter(|text| !text.is_empty());
    let has = header("x-oauth-scopes").map(|has| format!(" (its scopes: {has})"));
    let lacks = header("x-accepted-oauth-scopes")
        .map_or("a scope".to_owned(), |scope| format!("the scope {scope}"));
    (lacks, has.unwrap_or_default())
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
