//! Authenticates calls to GitHub, and checks the visibility of repositories and the caller's permissions. `app`
//! verifies the JWTs of Apps.

use super::error::Failure;
use super::{ApiResult, Call, RepositoryCall, account, app};
use crate::provider::{basic_credentials, find_by_name};
use crate::request::Request;
use crate::response::Response;
use crate::world::{
    Access, GitHubRepository, GitHubToken, GitHubTokenKind, MissingPermission, World,
};

pub(super) enum Caller {
    Anonymous,
    Token(GitHubToken),
    /// A valid JWT of the App with this id.
    App(u64),
}

impl Caller {
    pub(super) fn token(&self) -> Option<&GitHubToken> {
        match self {
            Self::Token(token) => Some(token),
            Self::Anonymous | Self::App(_) => None,
        }
    }

    pub(super) fn name(&self) -> String {
        self.token()
            .map_or_else(String::new, |token| token.owner.clone())
    }
}

pub(super) fn authenticate(world: &World, request: &Request) -> Result<Caller, Failure> {
    let bad = || Failure::new(401, "Bad credentials");
    if request.headers.get("authorization").is_none() {
        return Ok(Caller::Anonymous);
    }
    let credential = ["Bearer", "token"]
        .into_iter()
        .find_map(|scheme| request.authorization(scheme).map(str::to_owned))
        .or_else(|| basic_credentials(request).map(|(_, password)| password))
        .ok_or_else(bad)?;
    if credential.split('.').count() == 3 {
        return app::verify(world, &credential).map(Caller::App);
    }
    let known = |token: &&GitHubToken| token.value == credential;
    let token = world.github.tokens.iter().find(known).ok_or_else(bad)?;
    if token.expires_at.is_some_and(|end| end <= world.now()) {
        return Err(bad());
    }
    Ok(Caller::Token(token.clone()))
}

/// `GET /user`: the owner of a personal token. Tokens of Apps and workflows get 403.
pub(super) fn user(call: &Call<'_>) -> ApiResult {
    let token = call.caller.token();
    let token = token.ok_or_else(|| Failure::new(401, "Requires authentication"))?;
    match token.kind {
        GitHubTokenKind::Classic { .. } | GitHubTokenKind::FineGrained { .. } => {
            Ok(Response::json(200, account::profile(call, &token.owner)))
        }
        GitHubTokenKind::Installation { .. } => {
            Err(Failure::new(403, "Resource not accessible by integration"))
        }
    }
}

/// Finds a repository that is visible to the caller; redirects a former name to the canonical URL.
pub(super) fn find_visible(
    world: &World,
    call: &Call<'_>,
    name: &str,
    rest: &[&str],
) -> Result<GitHubRepository, Failure> {
    let repository = find(world, name).ok_or_else(Failure::not_found)?;
    if matches!(call.caller, Caller::App(_)) {
        return Err(Failure::new(401, "Bad credentials"));
    }
    // The scope `repo:status` shows nothing else of a private repository.
    let is_about_statuses = matches!(
        rest,
        ["statuses", ..] | ["commits", .., "statuses" | "status"]
    );
    let is_visible = permits(&call.caller, repository, "metadata", Access::Read)
        || is_about_statuses && permits(&call.caller, repository, "statuses", Access::Read);
    if !is_visible {
        return Err(Failure::not_found());
    }
    redirect_former_name(call, repository, name, rest)?;
    Ok(repository.clone())
}

/// Finds a repository by its current or a former name.
pub(super) fn find<'world>(world: &'world World, name: &str) -> Option<&'world GitHubRepository> {
    let same = |known: &String| known.eq_ignore_ascii_case(name);
    let repositories = &world.github.repositories;
    let formerly = |repository: &&GitHubRepository| repository.former_names.iter().any(same);
    find_by_name(repositories, name, |repository| &repository.name)
        .or_else(|| repositories.iter().find(formerly))
}

/// Redirects requests that use a former name.
pub(super) fn redirect_former_name(
    call: &Call<'_>,
    repository: &GitHubRepository,
    name: &str,
    rest: &[&str],
) -> Result<(), Failure> {
    if repository.name.eq_ignore_ascii_case(name) {
        return Ok(());
    }
    let status = if call.request.method == "GET" {
        301
    } else {
        307
    };
    let mut location = format!("{}/repositories/{}", call.base, repository.id);
    for segment in rest {
        location = location + "/" + segment;
    }
    if !call.request.raw_query.is_empty() {
        location = location + "?" + &call.request.raw_query;
    }
    Err(Failure::redirect(status, location))
}

pub(super) fn permits(
    caller: &Caller,
    repository: &GitHubRepository,
    permission: &str,
    access: Access,
) -> bool {
    let public_reading = !repository.private && access == Access::Read;
    let Some(token) = caller.token() else {
        return public_reading;
    };
    let granted = token.repositories.contains(&repository.name);
    public_reading
        || granted
            && match &token.kind {
                GitHubTokenKind::Classic { scopes } => {
                    scopes.iter().any(|scope| match scope.as_str() {
                        "repo" => true,
                        "public_repo" => !repository.private,
                        "repo:status" => permission == "statuses",
                        _ => false,
                    })
                }
                GitHubTokenKind::FineGrained { permissions }
                | GitHubTokenKind::Installation { permissions } => {
                    // These tokens can always read the metadata of their repositories.
                    permission == "metadata" || permissions.cover(permission, access)
                }
            }
}

/// Requires a permission; the repository must be visible to the caller.
pub(super) fn require(
    world: &World,
    call: &RepositoryCall<'_>,
    permission: &str,
    access: Access,
) -> Result<(), Failure> {
    if permits(&call.caller, &call.repository, permission, access) {
        return Ok(());
    }
    let Some(token) = call.caller.token() else {
        return Err(Failure::new(401, "Requires authentication"));
    };
    let (message, by_kind) = match &token.kind {
        GitHubTokenKind::Classic { .. } => ("Must have admin rights to Repository.", 404),
        GitHubTokenKind::FineGrained { .. } => {
            ("Resource not accessible by personal access token", 403)
        }
        GitHubTokenKind::Installation { .. } => ("Resource not accessible by integration", 403),
    };
    let status = match world.github.missing_permission {
        MissingPermission::ByKind => by_kind,
        MissingPermission::Forbidden => 403,
        MissingPermission::NotFound => 404,
    };
    let failure = if status == 403 {
        Failure::new(403, message)
    } else {
        Failure::not_found()
    };
    let scopes = match permission {
        "statuses" => "repo, repo:status",
        _ => "repo",
    };
    Err(failure.header("X-Accepted-OAuth-Scopes", scopes).header(
        "X-Accepted-GitHub-Permissions",
        format!("{permission}={access}"),
    ))
}
