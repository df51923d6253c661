//! Bitbucket's API: which call answers which path. Not here: the calls themselves.

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

/// What every call gets.
struct Call<'request> {
    request: &'request Request,
    token: BitbucketToken,
    /// Where links to pages begin.
    origin: String,
    /// Where links to the API begin.
    base: String,
}

pub(super) fn respond(world: &mut World, request: &Request, endpoint: Endpoint) -> Response {
    let token = match access::authenticate(world, request) {
        Ok(token) => token,
        Err(failure) => return failure.response(),
    };
    let call = Call {
        request,
        token,
        origin: endpoint.pages,
        base: endpoint.api,
    };
    let scopes = call.token.scopes.join(", ");
    let response = route(world, &call, &endpoint.call).unwrap_or_else(Failure::response);
    response
        .header("X-OAuth-Scopes", scopes)
        .header("X-Request-Id", "0000000000sandbox000000000000000")
}

fn route(world: &mut World, call: &Call<'_>, segments: &[String]) -> Result<Response, Failure> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["repositories", workspace, name, rest @ ..] = segments.as_slice() else {
        return Err(Failure::page_not_found());
    };
    let repository = access::see(world, call, &format!("{workspace}/{name}"))?;
    match (call.request.method.as_str(), rest) {
        ("GET", []) => read_repository(call, &repository),
        ("GET", ["refs", "tags", name @ ..]) => read_tag(call, &repository, &name.join("/")),
        ("POST", ["pipelines"]) => create::create(world, call, &repository),
        ("GET", ["pipelines"]) => pipeline::list(world, call, &repository),
        ("GET", ["pipelines", id]) => pipeline::get(world, call, &repository, id),
        ("GET", ["pipelines", id, "steps"]) => step::list(world, call, &repository, id),
        ("GET", ["pipelines", id, "steps", step, "log"]) => {
            step::log(world, call, &repository, id, step)
        }
        ("POST", ["pipelines", id, "stopPipeline"]) => pipeline::stop(world, call, &repository, id),
        _ => Err(Failure::page_not_found()),
    }
}

fn read_tag(
    call: &Call<'_>,
    repository: &BitbucketRepository,
    name: &str,
) -> Result<Response, Failure> {
    access::require(call, access::REPOSITORY)?;
    let commit = repository.git.commit_of(RefKind::Tag, name);
    let commit = commit.ok_or_else(|| Failure::message(404, &format!("No tag \"{name}\".")))?;
    let body = json!({
        "type": "tag",
        "name": name,
        "message": null,
        "date": null,
        "tagger": null,
        "target": {"type": "commit", "hash": commit},
    });
    Ok(Response::json(200, body))
}

fn read_repository(call: &Call<'_>, repository: &BitbucketRepository) -> Result<Response, Failure> {
    access::require(call, access::REPOSITORY)?;
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
