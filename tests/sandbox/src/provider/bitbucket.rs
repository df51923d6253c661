//! Bitbucket's API: routes each path to its handler.

mod access;
mod create;
mod error;
mod pipeline;
mod step;
mod target;

use serde_json::json;

use crate::endpoint::Endpoint;
use crate::request::Request;
use crate::response::Response;
use crate::world::{BitbucketRepository, BitbucketToken, RefKind, World};
use error::Failure;

/// The context of every call.
struct Call<'request> {
    request: &'request Request,
    token: BitbucketToken,
    repository: BitbucketRepository,
    /// The base URL of web pages.
    origin: String,
    /// The base URL of the API.
    base: String,
}

type ApiResult = Result<Response, Failure>;

pub(super) fn respond(world: &mut World, request: &Request, endpoint: Endpoint) -> Response {
    let token = match access::authenticate(world, request) {
        Ok(token) => token,
        Err(failure) => return failure.response(),
    };
    let scopes = token.scopes.join(", ");
    let response = route(world, request, endpoint, token).unwrap_or_else(Failure::response);
    response
        .header("X-OAuth-Scopes", scopes)
        .header("X-Request-Id", "0000000000sandbox000000000000000")
}

fn route(
    world: &mut World,
    request: &Request,
    endpoint: Endpoint,
    token: BitbucketToken,
) -> ApiResult {
    let segments: Vec<&str> = endpoint.call.iter().map(String::as_str).collect();
    let ["repositories", workspace, name, rest @ ..] = segments.as_slice() else {
        return Err(Failure::page_not_found());
    };
    let call = &Call {
        request,
        repository: access::find_visible(world, &token, &format!("{workspace}/{name}"))?,
        token,
        origin: endpoint.pages,
        base: endpoint.api,
    };
    match (call.request.method.as_str(), rest) {
        ("GET", []) => read_repository(call),
        ("GET", ["refs", "branches", name @ ..]) => {
            read_ref(call, RefKind::Branch, &name.join("/"))
        }
        ("GET", ["refs", "tags", name @ ..]) => read_ref(call, RefKind::Tag, &name.join("/")),
        ("POST", ["pipelines"]) => create::create(world, call),
        ("GET", ["pipelines"]) => pipeline::list(world, call),
        ("GET", ["pipelines", id]) => pipeline::get(world, call, id),
        ("GET", ["pipelines", id, "steps"]) => step::list(world, call, id),
        ("GET", ["pipelines", id, "steps", step, "log"]) => step::log(world, call, id, step),
        ("POST", ["pipelines", id, "stopPipeline"]) => pipeline::stop(world, call, id),
        _ => Err(Failure::page_not_found()),
    }
}

fn read_ref(call: &Call<'_>, kind: RefKind, name: &str) -> ApiResult {
    access::require(call, access::REPOSITORY)?;
    let commit = call.repository.git.commit_of(kind, name);
    let missing = || Failure::message(404, &format!("No {} \"{name}\".", kind.as_str()));
    let commit = commit.ok_or_else(missing)?;
    let target = json!({"type": "commit", "hash": commit});
    let body = match kind {
        RefKind::Branch => json!({"type": "branch", "name": name, "target": target}),
        RefKind::Tag => json!({
            "type": "tag",
            "name": name,
            "message": null,
            "date": null,
            "tagger": null,
            "target": target,
        }),
    };
    Ok(Response::json(200, body))
}

fn read_repository(call: &Call<'_>) -> ApiResult {
    access::require(call, access::REPOSITORY)?;
    let repository = &call.repository;
    let (_, slug) = repository.name.split_once('/').unwrap_or_default();
    let body = json!({
        "type": "repository",
        "full_name": repository.name,
        "name": slug,
        "slug": slug,
        "is_private": true,
        "mainbranch": {"type": "branch", "name": repository.git.default_branch},
        "scm": "git",
        "uuid": pipeline::uuid_of(&repository.name),
        "links": pipeline::links(
            call, &format!("repositories/{}", repository.name), &repository.name
        ),
    });
    Ok(Response::json(200, body))
}
