//! Authenticates calls to GitLab, and checks the visibility of projects and the caller's rights. Trigger tokens, which
//! only start pipelines, are in `create`.

use serde_json::json;

use super::error::Failure;
use super::{ApiResult, Call, ProjectCall, user};
use crate::provider::{find_by_name, is_id};
use crate::request::Request;
use crate::response::Response;
use crate::world::{GitLabProject, GitLabToken, Role, Run, Visibility, World};

/// Returns `None` for a caller without a credential.
pub(super) fn authenticate(
    world: &World,
    request: &Request,
) -> Result<Option<GitLabToken>, Failure> {
    let unauthorized = || Failure::message(401, "401 Unauthorized");
    let header = request.headers.get("private-token");
    let Some(value) = header.or_else(|| request.authorization("Bearer")) else {
        return match request.headers.get("authorization") {
            Some(_) => Err(unauthorized()),
            None => Ok(None),
        };
    };
    let known = |token: &&GitLabToken| token.value == value;
    let token = world.gitlab.tokens.iter().find(known);
    token.cloned().map(Some).ok_or_else(unauthorized)
}

/// `GET /user`: the owner of the token.
pub(super) fn user(world: &World, call: &Call<'_>) -> ApiResult {
    let token = authenticate(world, call.request)?;
    let token = token.ok_or_else(|| Failure::message(401, "401 Unauthorized"))?;
    require_reading(Some(&token))?;
    Ok(Response::json(200, user::describe(call, &token.owner)))
}

/// `GET /personal_access_tokens/self`: the token itself, also of a project or group. The sandbox's never expire.
pub(super) fn own_token(world: &World, call: &Call<'_>) -> ApiResult {
    let token = authenticate(world, call.request)?;
    let token = token.ok_or_else(|| Failure::message(401, "401 Unauthorized"))?;
    let body = json!({
        "id": 1,
        "name": token.owner,
        "revoked": false,
        "active": true,
        "scopes": token.scopes,
        "expires_at": null,
    });
    Ok(Response::json(200, body))
}

/// Finds a project by id or path. For non-members, a private project doesn't exist.
pub(super) fn find_visible(
    world: &World,
    token: Option<&GitLabToken>,
    id: &str,
) -> Result<GitLabProject, Failure> {
    find(world, id)
        .filter(|project| {
            project.visibility == Visibility::Public || role(token, project).is_some()
        })
        .cloned()
        .ok_or_else(|| Failure::message(404, "404 Project Not Found"))
}

pub(super) fn find<'world>(world: &'world World, id: &str) -> Option<&'world GitLabProject> {
    let projects = &world.gitlab.projects;
    let by_id = || projects.iter().find(|project| is_id(id, project.id));
    let formerly = || projects.iter().find(|project| had_path(project, id));
    find_by_name(projects, id, |project| &project.path)
        .or_else(by_id)
        .or_else(formerly)
}

/// Whether the project had this path before it moved.
fn had_path(project: &GitLabProject, path: &str) -> bool {
    let same = |known: &String| known.eq_ignore_ascii_case(path);
    project.former_paths.iter().any(same)
}

/// Handles requests to a former path of a project: redirects `GET` to its id, and refuses everything else.
pub(super) fn redirect_former_path(
    call: &Call<'_>,
    project: &GitLabProject,
    id: &str,
) -> Result<(), Failure> {
    if !had_path(project, id) {
        return Ok(());
    }
    if call.request.method != "GET" {
        let message = "Non GET methods are not allowed for moved projects";
        return Err(Failure::message(405, message));
    }
    let path = &call.request.raw_path;
    let below = path.split_once("/projects/").map_or("", |(_, path)| path);
    let rest = below.find('/').map_or("", |end| &below[end..]);
    let mut location = format!("{}/projects/{}{rest}", call.base, project.id);
    if !call.request.raw_query.is_empty() {
        location = location + "?" + &call.request.raw_query;
    }
    Err(Failure::moved(location))
}

pub(super) fn role(token: Option<&GitLabToken>, project: &GitLabProject) -> Option<Role> {
    token.and_then(|token| token.role_in(&project.path))
}

/// Allows reading without a token; a given token needs a read scope.
pub(super) fn require_reading(token: Option<&GitLabToken>) -> Result<(), Failure> {
    let may_read = |token: &GitLabToken| has_scope(token, "api") || has_scope(token, "read_api");
    if token.is_none_or(may_read) {
        return Ok(());
    }
    Err(Failure::insufficient_scope("api read_api"))
}

/// Requires the role reporter or above for pipelines of a private project.
pub(super) fn require_reading_pipelines(call: &ProjectCall<'_>) -> Result<(), Failure> {
    let token = call.token.as_ref();
    require_reading(token)?;
    let public = call.project.visibility == Visibility::Public;
    if public || role(token, &call.project) >= Some(Role::Reporter) {
        return Ok(());
    }
    Err(Failure::message(403, "403 Forbidden"))
}

/// Requires the scope `api` and the role developer or above, as for starting and cancelling. Returns the token and
/// its role.
pub(super) fn require_developer<'call>(
    call: &'call ProjectCall<'_>,
) -> Result<(&'call GitLabToken, Role), Failure> {
    let token = call.token.as_ref();
    let token = token.ok_or_else(|| Failure::message(401, "401 Unauthorized"))?;
    if !has_scope(token, "api") {
        return Err(Failure::insufficient_scope("api"));
    }
    match token.role_in(&call.project.path) {
        Some(role) if role >= Role::Developer => Ok((token, role)),
        Some(_) | None => Err(Failure::message(403, "403 Forbidden")),
    }
}

/// Requires what GitLab calls updating a pipeline: the role developer, or maintainer if the ref is protected.
pub(super) fn require_updating(call: &ProjectCall<'_>, run: &Run) -> Result<(), Failure> {
    let (_, role) = require_developer(call)?;
    if role >= needed_for_updating(call, run) {
        return Ok(());
    }
    Err(Failure::message(403, "403 Forbidden"))
}

/// Requires the role maintainer, or that the caller started the pipeline and may update it.
pub(super) fn require_reading_variables(call: &ProjectCall<'_>, run: &Run) -> Result<(), Failure> {
    let token = call.token.as_ref();
    let role = role(token, &call.project);
    let is_owner = token.is_some_and(|token| token.owner == run.actor);
    let may_update = role >= Some(needed_for_updating(call, run));
    if role >= Some(Role::Maintainer) || is_owner && may_update {
        return Ok(());
    }
    Err(Failure::message(403, "403 Forbidden"))
}

fn needed_for_updating(call: &ProjectCall<'_>, run: &Run) -> Role {
    let name = run.reference_name();
    let is_protected = name.is_some_and(|name| call.project.protects(name));
    if is_protected {
        Role::Maintainer
    } else {
        Role::Developer
    }
}

fn has_scope(token: &GitLabToken, scope: &str) -> bool {
    token.scopes.iter().any(|known| known == scope)
}
