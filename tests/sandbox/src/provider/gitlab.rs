//! GitLab's API: routes each path to its handler.

mod access;
mod create;
mod error;
mod job;
mod parameters;
mod pipeline;
mod pipeline_name;
mod user;
mod variable;

use std::ops::Deref;

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::form;
use crate::request::Request;
use crate::response::Response;
use crate::world::{GitLabProject, GitLabToken, Visibility, World};
use error::Failure;

/// The context of every call.
struct Call<'request> {
    request: &'request Request,
    /// The base URL of web pages, with the path prefix if the request used it.
    origin: String,
    /// The base URL of the API.
    base: String,
}

/// The context of every call about a project.
struct ProjectCall<'call> {
    call: &'call Call<'call>,
    token: Option<GitLabToken>,
    project: GitLabProject,
}

impl<'call> Deref for ProjectCall<'call> {
    type Target = Call<'call>;

    fn deref(&self) -> &Self::Target {
        self.call
    }
}

type ApiResult = Result<Response, Failure>;

pub(super) fn respond(world: &mut World, request: &Request, endpoint: Endpoint) -> Response {
    let segments: Vec<&str> = endpoint.call.iter().map(String::as_str).collect();
    let context = Call {
        request,
        origin: endpoint.pages,
        base: endpoint.api,
    };
    let response = match segments.as_slice() {
        ["user"] => access::user(world, &context),
        ["personal_access_tokens", "self"] => access::own_token(world, &context),
        ["projects", id, rest @ ..] => in_project(world, &context, id, rest),
        _ => Err(Failure::error(404, "404 Not Found")),
    };
    response
        .unwrap_or_else(Failure::response)
        .header("X-Request-Id", "01SANDBOX00000000000000000")
        .header("Cache-Control", "max-age=0, private, must-revalidate")
}

/// Returns the `token` from the body of a trigger call, whatever its value.
pub(super) fn token_in_body(request: &Request) -> Option<String> {
    let json = request.json();
    let in_json = json.as_ref().and_then(|body| body.get("token"));
    in_json
        .and_then(|token| token.as_str().map(str::to_owned))
        .or_else(|| {
            let form = form::fields(&request.headers, &request.body)
                .unwrap_or_else(|| form_urlencoded::parse(&request.body).into_owned().collect());
            form.into_iter()
                .find_map(|(name, value)| (name == "token").then_some(value))
        })
}

fn in_project(world: &mut World, call: &Call<'_>, id: &str, rest: &[&str]) -> ApiResult {
    let method = call.request.method.as_str();
    if (method, rest) == ("POST", ["trigger", "pipeline"].as_slice()) {
        // The only call without a credential in a header: the trigger token is in the body.
        return create::by_trigger(world, call, id);
    }
    let token = access::authenticate(world, call.request)?;
    let project = access::find_visible(world, token.as_ref(), id)?;
    access::redirect_former_path(call, &project, id)?;
    let call = &ProjectCall {
        call,
        token,
        project,
    };
    match (method, rest) {
        ("GET", []) => read_project(call),
        ("GET", ["repository", "commits", name]) => read_commit(call, name),
        ("POST", ["pipeline"]) => create::by_token(world, call),
        ("GET", ["pipelines"]) => pipeline::list(world, call),
        ("GET", ["pipelines", id]) => pipeline::get(world, call, id),
        ("GET", ["pipelines", id, "variables"]) => variable::list(world, call, id),
        ("GET", ["pipelines", id, "jobs"]) => job::list(world, call, id),
        ("GET", ["pipelines", id, kind @ ("trigger_jobs" | "bridges")]) => {
            job::downstream(world, call, id, kind)
        }
        ("GET", ["jobs", id]) => job::get(world, call, id),
        ("GET", ["jobs", id, "trace"]) => job::trace(world, call, id),
        ("GET", ["jobs", id, "artifacts"]) => job::archive(world, call, id),
        ("GET", ["jobs", id, "artifacts", path @ ..]) => {
            job::artifact(world, call, id, &path.join("/"))
        }
        ("POST", ["pipelines", id, "cancel"]) => pipeline::cancel(world, call, id),
        ("POST", ["pipelines", id, "retry"]) => pipeline::retry(world, call, id),
        _ => Err(Failure::error(404, "404 Not Found")),
    }
}

/// `GET …/repository/commits/{sha}`, which also accepts the name of a branch or tag.
fn read_commit(call: &ProjectCall<'_>, name: &str) -> ApiResult {
    access::require_reading(call.token.as_ref())?;
    let resolved = call.project.git.resolve(name);
    let resolved = resolved.ok_or_else(|| Failure::message(404, "404 Commit Not Found"))?;
    Ok(Response::json(200, json!({ "id": resolved.commit })))
}

fn read_project(call: &ProjectCall<'_>) -> ApiResult {
    access::require_reading(call.token.as_ref())?;
    let project = &call.project;
    let (group, name) = project.path.rsplit_once('/').unwrap_or_default();
    let page = format!("{}/{}", call.origin, project.path);
    let (_, host) = call.origin.split_once("://").unwrap_or_default();
    let visibility = match project.visibility {
        Visibility::Public => "public",
        Visibility::Private => "private",
    };
    let body: Value = json!({
        "id": project.id,
        "description": null,
        "name": name,
        "name_with_namespace": project.path.replace('/', " / "),
        "path": name,
        "path_with_namespace": project.path,
        "namespace": {
            "name": group.rsplit('/').next(),
            "path": group.rsplit('/').next(),
            "kind": "group",
            "full_path": group,
            "web_url": format!("{}/groups/{group}", call.origin),
        },
        "created_at": "2026-01-01T00:00:00.000Z",
        "last_activity_at": "2026-01-01T00:00:00.000Z",
        "archived": false,
        "empty_repo": false,
        "jobs_enabled": true,
        "ssh_url_to_repo": format!("ssh://git@{host}/{}.git", project.path),
        "http_url_to_repo": format!("{page}.git"),
        "default_branch": project.git.default_branch,
        "visibility": visibility,
        "web_url": page,
    });
    Ok(Response::json(200, body))
}
