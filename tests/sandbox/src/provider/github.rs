//! GitHub's API: the rules for every call (User-Agent, API version, rate limit headers), and the routing of each path
//! to its handler.

mod access;
mod account;
mod app;
mod artifact;
mod dispatch;
mod error;
mod etag;
mod job;
mod json_body;
mod repository;
mod run;
mod run_name;
mod status;
mod workflow;

use std::ops::Deref;

use serde_json::json;

use crate::clock;
use crate::endpoint::Endpoint;
use crate::request::Request;
use crate::response::Response;
use crate::world::{GitHubRepository, GitHubTokenKind, World};
use access::Caller;
pub(super) use artifact::stored;
use error::Failure;

/// The context of every call.
struct Call<'request> {
    request: &'request Request,
    caller: Caller,
    /// The base URL of web pages.
    origin: String,
    /// The base URL of the API.
    base: String,
}

/// The context of every call about a repository.
struct RepositoryCall<'call> {
    call: &'call Call<'call>,
    repository: GitHubRepository,
}

impl<'call> Deref for RepositoryCall<'call> {
    type Target = Call<'call>;

    fn deref(&self) -> &Self::Target {
        self.call
    }
}

type ApiResult = Result<Response, Failure>;

const MAX_REQUESTS_PER_HOUR: u64 = 5_000;

const MISSING_USER_AGENT: &str = "Request forbidden by administrative rules. Please make sure your request has a \
    User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required).\n";

pub(super) fn respond(world: &mut World, request: &Request, endpoint: Endpoint) -> Response {
    if request.headers.get("user-agent").is_none_or(str::is_empty) {
        return Response::body(403, "text/plain", MISSING_USER_AGENT);
    }
    let (response, caller) = match access::authenticate(world, request) {
        Err(failure) => (failure.response("https://docs.github.com/rest"), None),
        Ok(caller) => {
            let call = Call {
                request,
                caller,
                origin: endpoint.pages,
                base: endpoint.api,
            };
            (route(world, &call, &endpoint.call), Some(call.caller))
        }
    };
    let response = etag::apply(response, request);
    // Neither a 304 nor `GET /rate_limit` counts against the rate limit.
    let is_free = response.status == 304 || request.raw_path.ends_with("/rate_limit");
    world.github.requests += u64::from(!is_free);
    with_standard_headers(response, caller.as_ref(), world)
}

fn with_standard_headers(response: Response, caller: Option<&Caller>, world: &World) -> Response {
    let token = caller.and_then(Caller::token);
    let count = world.github.requests;
    let response = response
        .header("X-GitHub-Media-Type", "github.v3; format=json")
        .header("X-GitHub-Api-Version-Selected", "2022-11-28")
        .header("X-GitHub-Request-Id", format!("5A4D:{count:06X}:10ED:22F7"))
        .header("X-RateLimit-Limit", MAX_REQUESTS_PER_HOUR)
        .header(
            "X-RateLimit-Remaining",
            MAX_REQUESTS_PER_HOUR - count.min(MAX_REQUESTS_PER_HOUR),
        )
        .header("X-RateLimit-Used", count.min(MAX_REQUESTS_PER_HOUR))
        .header("X-RateLimit-Reset", next_hour(world))
        .header("X-RateLimit-Resource", "core");
    match token.map(|token| &token.kind) {
        Some(GitHubTokenKind::Classic { scopes }) => {
            response.header("X-OAuth-Scopes", scopes.join(", "))
        }
        Some(GitHubTokenKind::FineGrained { .. } | GitHubTokenKind::Installation { .. }) | None => {
            response
        }
    }
}

/// Returns the time at which the rate limit resets, in seconds since 1970.
fn next_hour(world: &World) -> u64 {
    (clock::seconds(world.now()) / 3_600 + 1) * 3_600
}

/// `GET /rate_limit`
fn rate_limit(world: &World) -> Response {
    let count = world.github.requests.min(MAX_REQUESTS_PER_HOUR);
    let core = json!({
        "limit": MAX_REQUESTS_PER_HOUR,
        "used": count,
        "remaining": MAX_REQUESTS_PER_HOUR - count,
        "reset": next_hour(world),
    });
    // The sandbox has no search API, so its limit is never used.
    let search = json!({"limit": 30, "used": 0, "remaining": 30, "reset": next_hour(world)});
    let body = json!({"resources": {"core": core, "search": search}, "rate": core});
    Response::json(200, body)
}

fn route(world: &mut World, call: &Call<'_>, segments: &[String]) -> Response {
    let version = call.request.headers.get("x-github-api-version");
    if version.is_some_and(|version| version != "2022-11-28") {
        let message = "The given API version is not supported; only 2022-11-28 is.";
        return Failure::new(400, message)
            .response("https://docs.github.com/rest/about-the-rest-api/api-versions");
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = call.request.method.as_str();
    match (method, segments.as_slice()) {
        ("POST", ["app", "installations", id, "access_tokens"]) => {
            app::mint(world, call, id).unwrap_or_else(|failure| failure.response(app::MINT_PAGE))
        }
        ("GET", ["user"]) => access::user(call)
            .unwrap_or_else(|failure| failure.response("https://docs.github.com/rest/users/users")),
        ("GET", ["rate_limit"]) => rate_limit(world),
        ("GET", ["installation", "repositories"]) => app::repositories_of_token(world, call)
            .unwrap_or_else(|failure| failure.response(app::REPOSITORIES_PAGE)),
        ("DELETE", ["installation", "token"]) => {
            app::revoke(world, call).unwrap_or_else(|failure| failure.response(app::REVOKE_PAGE))
        }
        (_, ["repos", owner, name, rest @ ..]) => {
            in_repository(world, call, &format!("{owner}/{name}"), rest)
        }
        (_, ["repositories", id, rest @ ..]) => {
            let known = |repository: &&GitHubRepository| repository.id.to_string() == **id;
            let name = world.github.repositories.iter().find(known);
            let name = name.map(|repository| repository.name.clone());
            in_repository(world, call, &name.unwrap_or_default(), rest)
        }
        _ => Failure::not_found().response("https://docs.github.com/rest"),
    }
}

fn in_repository(world: &mut World, call: &Call<'_>, name: &str, rest: &[&str]) -> Response {
    let method = call.request.method.as_str();
    let repository = match (method, rest) {
        ("GET", ["installation"]) => {
            return app::installation(world, call, name)
                .unwrap_or_else(|failure| failure.response(app::INSTALLATION_PAGE));
        }
        _ => match access::find_visible(world, call, name, rest) {
            Ok(repository) => repository,
            Err(failure) => return failure.response(page(method, rest)),
        },
    };
    let call = &RepositoryCall { call, repository };
    let result = match (method, rest) {
        ("GET", []) => Ok(Response::json(
            200,
            repository::full(call, &call.repository),
        )),
        ("GET", ["commits", name @ .., "statuses"]) => status::list(world, call, &name.join("/")),
        ("GET", ["commits", name @ .., "status"]) => status::combined(world, call, &name.join("/")),
        ("POST", ["statuses", sha]) => status::create(world, call, sha),
        ("GET", ["commits", name @ ..]) => repository::commit(world, call, &name.join("/")),
        ("POST", ["dispatches"]) => dispatch::create(world, call),
        ("GET", ["actions", "workflows"]) => workflow::list(world, call),
        ("GET", ["actions", "workflows", id]) => workflow::get(world, call, id),
        ("GET", ["actions", "workflows", id, "runs"]) => run::list(world, call, Some(id)),
        ("POST", ["actions", "workflows", id, "dispatches"]) => workflow::dispatch(world, call, id),
        ("GET", ["actions", "runs"]) => run::list(world, call, None),
        ("GET", ["actions", "runs", id]) => run::get(world, call, id, None),
        ("GET", ["actions", "runs", id, "attempts", attempt]) => {
            run::get(world, call, id, Some(attempt))
        }
        ("GET", ["actions", "runs", id, "attempts", attempt, "jobs"]) => {
            job::list_of_attempt(world, call, id, attempt)
        }
        ("GET", ["actions", "runs", id, "jobs"]) => job::list(world, call, id),
        ("GET", ["actions", "runs", id, "pending_deployments"]) => {
            job::pending_deployments(world, call, id)
        }
        ("GET", ["actions", "runs", id, "concurrency_groups"]) => {
            job::concurrency_groups(world, call, id)
        }
        ("GET", ["actions", "concurrency_groups", name]) => {
            job::concurrency_group(world, call, name)
        }
        ("GET", ["actions", "jobs", id]) => job::get(world, call, id),
        ("GET", ["actions", "jobs", id, "logs"]) => job::log(world, call, id),
        ("GET", ["actions", "runs", id, "artifacts"]) => artifact::list(world, call, id),
        ("GET", ["actions", "artifacts", id]) => artifact::get(world, call, id),
        ("GET", ["actions", "artifacts", id, "zip"]) => artifact::download(world, call, id),
        ("POST", ["actions", "runs", id, "rerun-failed-jobs"]) => {
            run::rerun_failed_jobs(world, call, id)
        }
        ("POST", ["actions", "runs", id, "cancel"]) => run::cancel(world, call, id),
        _ => Err(Failure::not_found()),
    };
    result.unwrap_or_else(|failure| failure.response(page(method, rest)))
}

/// Returns the documentation page for errors of this call.
fn page(method: &str, rest: &[&str]) -> &'static str {
    match (method, rest) {
        ("GET", []) => "https://docs.github.com/rest/repos/repos#get-a-repository",
        ("POST", ["statuses", ..]) => {
            "https://docs.github.com/rest/commits/statuses#create-a-commit-status"
        }
        (_, ["commits", .., "statuses" | "status"]) => {
            "https://docs.github.com/rest/commits/statuses"
        }
        ("POST", ["dispatches"]) => {
            "https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event"
        }
        ("POST", ["actions", "workflows", ..]) => {
            "https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event"
        }
        (_, ["actions", "workflows"]) => {
            "https://docs.github.com/rest/actions/workflows#list-repository-workflows"
        }
        (_, ["actions", "workflows", ..]) => {
            "https://docs.github.com/rest/actions/workflows#get-a-workflow"
        }
        ("POST", ["actions", "runs", _, "rerun-failed-jobs"]) => {
            "https://docs.github.com/rest/actions/workflow-runs#re-run-failed-jobs-from-a-workflow-run"
        }
        ("POST", ["actions", "runs", ..]) => {
            "https://docs.github.com/rest/actions/workflow-runs#cancel-a-workflow-run"
        }
        (_, ["actions", "runs"]) => {
            "https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-repository"
        }
        (
            _,
            ["actions", "jobs", ..]
            | ["actions", "runs", _, "jobs"]
            | ["actions", "runs", _, "attempts", _, "jobs"],
        ) => "https://docs.github.com/rest/actions/workflow-jobs",
        (_, ["actions", "artifacts", ..] | ["actions", "runs", _, "artifacts"]) => {
            "https://docs.github.com/rest/actions/artifacts"
        }
        (_, ["actions", "runs", ..]) => {
            "https://docs.github.com/rest/actions/workflow-runs#get-a-workflow-run"
        }
        _ => "https://docs.github.com/rest",
    }
}
