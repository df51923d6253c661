//! Who is calling Bitbucket, which repositories they see, and which scopes a call needs. Not here: the tokens
//! themselves (see `world`).

use super::Call;
use super::error::Failure;
use crate::provider::{basic, named};
use crate::request::Request;
use crate::world::{BitbucketRepository, BitbucketToken, BitbucketTokenKind, World};

/// The scopes one call needs, under both of the names in use.
pub(super) struct Needs {
    /// All of them. Writing does not imply reading.
    granular: &'static [&'static str],
    /// Any of them. Here writing does imply reading.
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

/// Access tokens come as Bearer; API tokens as Basic with the email address of their owner.
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
        let (user, password) = basic(request).ok_or_else(refused)?;
        let kind = BitbucketTokenKind::Api { email: user };
        tokens
            .iter()
            .find(|token| token.kind == kind && token.value == password)
    };
    found.cloned().ok_or_else(refused)
}

/// A repository that exists but isn't visible gets an HTML page; one that doesn't exist, JSON.
pub(super) fn see(
    world: &World,
    token: &BitbucketToken,
    name: &str,
) -> Result<BitbucketRepository, Failure> {
    let repositories = &world.bitbucket.repositories;
    let repository = named(repositories, name, |repository| &repository.name)
        .ok_or_else(|| Failure::message(404, &format!("Repository {name} not found")))?;
    if !token.repositories.contains(&repository.name) {
        return Err(Failure::page_not_found());
    }
    Ok(repository.clone())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "they are constants, and read better without &"
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
