//! Authenticates calls to Bitbucket, and checks the visibility of repositories and the scopes of tokens.

use super::Call;
use super::error::Failure;
use crate::provider::{basic_credentials, find_by_name};
use crate::request::Request;
use crate::world::{BitbucketRepository, BitbucketToken, BitbucketTokenKind, World};

/// The scopes that a call needs, in both naming schemes.
pub(super) struct Needs {
    /// All of these; a write scope doesn't imply the read scope.
    granular: &'static [&'static str],
    /// Any of these; a write scope implies the read scope.
    classic: &'static [&'static str],
}

pub(super) const START: Needs = Needs {
    granular: &["write:pipeline:bitbucket", "read:pipeline:bitbucket"],
    classic: &["pipeline:write"],
};
pub(super) const STOP: Needs = Needs {
    granular: &["write:pipeline:bitbucket"],
    classic: &["pipeline:write"],
};
pub(super) const READ: Needs = Needs {
    granular: &["read:pipeline:bitbucket"],
    classic: &["pipeline", "pipeline:write"],
};
pub(super) const REPOSITORY: Needs = Needs {
    granular: &["read:repository:bitbucket"],
    classic: &["repository", "repository:write"],
};

/// Accepts access tokens as Bearer, and API tokens as Basic with the email address of their owner.
pub(super) fn authenticate(world: &World, request: &Request) -> Result<BitbucketToken, Failure> {
    let refused =
        || Failure::unauthorized("Token is invalid, expired, or not supported for this endpoint.");
    if request.headers.get("authorization").is_none() {
        return Err(Failure::unauthorized(
            "Access denied. You must have write or admin access.",
        ));
    }
    let tokens = &world.bitbucket.tokens;
    let found = if let Some(value) = request.authorization("Bearer") {
        tokens
            .iter()
            .find(|token| token.kind == BitbucketTokenKind::Access && token.value == value)
    } else {
        let (user, password) = basic_credentials(request).ok_or_else(refused)?;
        let kind = BitbucketTokenKind::Api { email: user };
        tokens
            .iter()
            .find(|token| token.kind == kind && token.value == password)
    };
    found.cloned().ok_or_else(refused)
}

/// Answers with an HTML page if the repository isn't visible, and with JSON if it doesn't exist.
pub(super) fn find_visible(
    world: &World,
    token: &BitbucketToken,
    name: &str,
) -> Result<BitbucketRepository, Failure> {
    let repositories = &world.bitbucket.repositories;
    let repository = find_by_name(repositories, name, |repository| &repository.name)
        .ok_or_else(|| Failure::message(404, &format!("Repository {name} not found")))?;
    if !token.repositories.contains(&repository.name) {
        return Err(Failure::page_not_found());
    }
    Ok(repository.clone())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "constants, which read better without &"
)]
pub(super) fn require(call: &Call<'_>, needs: Needs) -> Result<(), Failure> {
    let granted = &call.token.scopes;
    let has = |scope: &&str| granted.iter().any(|known| known == *scope);
    if needs.granular.iter().all(has) || needs.classic.iter().any(has) {
        return Ok(());
    }
    let required = match call.token.kind {
        BitbucketTokenKind::Api { .. } => needs.granular,
        BitbucketTokenKind::Access => &needs.classic[..1],
    };
    Err(Failure::missing_scope(granted, required))
}
