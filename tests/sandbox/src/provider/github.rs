//! GitHub's API: its manners (User-Agent, versions, rate limit headers) and which call answers which path. Not
//! here: the calls themselves, one file for each noun.

mod access;
mod app;
mod artifact;
mod dispatch;
mod error;
mod etag;
mod job;
mod json_body;
mod run;
mod run_name;
mod workflow;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::request::Request;
use crate::site::Site;
use crate::world::{Access, GithubRepository, GithubTokenKind, World};
use access::Caller;
pub(super) use artifact::zip;
use error::Failure;

/// What every call gets.
struct Call<'request> {
    request: &'request Request,
    caller: Caller,
    /// Where links to pages begin.
    origin: String,
    /// Where links to the API begin.
    base: String,
}

const ANONYMOUS_BROWSER: &str = "Request forbidden by administrative rules. Please make sure your request has a \
    User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required).\n";

pub(super) fn answer(world: &mut World, request: &Request, site: Site) -> Answer {
    if request.headers.get("user-agent").is_none_or(str::is_empty) {
        return Answer::body(403, "text/plain", ANONYMOUS_BROWSER);
    }
    let (answer, caller) = match access::authenticate(world, request) {
        Err(failure) => (failure.answer("https://docs.github.com/rest"), None),
        Ok(caller) => {
            let call = Call {
                request,
                caller,
                origin: site.pages,
                base: site.api,
            };
            (route(world, &call, &site.call), Some(call.caller))
        }
    };
    let answer = etag::unless_known(answer, request);
    // An answer that nothing has changed costs nothing.
    world.github.requests += u64::from(answer.status != 304);
    with_manners(answer, caller.as_ref(), world)
}

fn with_manners(answer: Answer, caller: Option<&Caller>, world: &World) -> Answer {
    let token = caller.and_then(Caller::token);
    let limit = 5_000;
    let count = world.github.requests;
    let next_hour = (clock::seconds(world.now()) / 3_600 + 1) * 3_600;
    let answer = answer
        .header("X-GitHub-Media-Type", "github.v3; format=json")
        .header("X-GitHub-Api-Version-Selected", "2022-11-28")
        .header("X-GitHub-Request-Id", format!("5A4D:{count:06X}:10ED:22F7"))
        .header("X-RateLimit-Limit", limit)
        .header("X-RateLimit-Remaining", limit - count.min(limit))
        .header("X-RateLimit-Used", count.min(limit))
        .header("X-RateLimit-Reset", next_hour)
        .header("X-RateLimit-Resource", "core");
    match token.map(|token| &token.kind) {
        Some(GithubTokenKind::Classic { scopes }) => {
            answer.header("X-OAuth-Scopes", scopes.join(", "))
        }
        Some(GithubTokenKind::FineGrained { .. } | GithubTokenKind::Installation { .. }) | None => {
            answer
        }
    }
}

fn route(world: &mut World, call: &Call<'_>, segments: &[String]) -> Answer {
    let version = call.request.headers.get("x-github-api-version");
    if version.is_some_and(|version| version != "2022-11-28") {
        let message = "The given API version is not supported; only 2022-11-28 is.";
        return Failure::new(400, message)
            .answer("https://docs.github.com/rest/about-the-rest-api/api-versions");
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = call.request.method.as_str();
    match (method, segments.as_slice()) {
        ("POST", ["app", "installations", id, "access_tokens"]) => {
            app::mint(world, call, id).unwrap_or_else(|failure| failure.answer(app::MINT_PAGE))
        }
        ("GET", ["user"]) => access::user(call)
            .unwrap_or_else(|failure| failure.answer("https://docs.github.com/rest/users/users")),
        (_, ["repos", owner, name, rest @ ..]) => {
            in_repository(world, call, &format!("{owner}/{name}"), rest)
        }
        (_, ["repositories", id, rest @ ..]) => {
            let known = |repository: &&GithubRepository| repository.id.to_string() == **id;
            let name = world.github.repositories.iter().find(known);
            let name = name.map(|repository| repository.name.clone());
            in_repository(world, call, &name.unwrap_or_default(), rest)
        }
        _ => Failure::not_found().answer("https://docs.github.com/rest"),
    }
}

fn in_repository(world: &mut World, call: &Call<'_>, name: &str, rest: &[&str]) -> Answer {
    let method = call.request.method.as_str();
    let repository = match (method, rest) {
        ("GET", ["installation"]) => {
            return app::installation(world, call, name)
                .unwrap_or_else(|failure| failure.answer(app::INSTALLATION_PAGE));
        }
        _ => match access::see(world, call, name, rest) {
            Ok(repository) => repository,
            Err(failure) => return failure.answer(page(method, rest)),
        },
    };
    let result = match (method, rest) {
        ("GET", []) => Ok(Answer::json(200, describe(call, &repository))),
        ("POST", ["dispatches"]) => dispatch::create(world, call, &repository),
        ("GET", ["actions", "workflows"]) => workflow::list(world, call, &repository),
        ("GET", ["actions", "workflows", id]) => workflow::get(world, call, &repository, id),
        ("GET", ["actions", "workflows", id, "runs"]) => {
            run::list(world, call, &repository, Some(id))
        }
        ("POST", ["actions", "workflows", id, "dispatches"]) => {
            workflow::dispatch(world, call, &repository, id)
        }
        ("GET", ["actions", "runs"]) => run::list(world, call, &repository, None),
        ("GET", ["actions", "runs", id]) => run::get(world, call, &repository, id, None),
        ("GET", ["actions", "runs", id, "attempts", attempt]) => {
            run::get(world, call, &repository, id, Some(attempt))
        }
        ("GET", ["actions", "runs", id, "attempts", attempt, "jobs"]) => {
            job::list(world, call, &repository, id, attempt)
        }
        ("GET", ["actions", "runs", id, "pending_deployments"]) => {
            job::pending_deployments(world, call, &repository, id)
        }
        ("GET", ["actions", "runs", id, "concurrency_groups"]) => {
            job::concurrency_groups(world, call, &repository, id)
        }
        ("GET", ["actions", "jobs", id, "logs"]) => job::log(world, call, &repository, id),
        ("GET", ["actions", "runs", id, "artifacts"]) => {
            artifact::list(world, call, &repository, id)
        }
        ("GET", ["actions", "artifacts", id, "zip"]) => {
            artifact::download(world, call, &repository, id)
        }
        ("POST", ["actions", "runs", id, "cancel"]) => run::cancel(world, call, &repository, id),
        _ => Err(Failure::not_found()),
    };
    result.unwrap_or_else(|failure| failure.answer(page(method, rest)))
}

/// The page of the documentation that an error of this call points to.
fn page(method: &str, rest: &[&str]) -> &'static str {
    match (method, rest) {
        ("GET", []) => "https://docs.github.com/rest/repos/repos#get-a-repository",
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
        ("POST", ["actions", "runs", ..]) => {
            "https://docs.github.com/rest/actions/workflow-runs#cancel-a-workflow-run"
        }
        (_, ["actions", "runs"]) => {
            "https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-repository"
        }
        (_, ["actions", "jobs", ..] | ["actions", "runs", _, "attempts", _, "jobs"]) => {
            "https://docs.github.com/rest/actions/workflow-jobs"
        }
        (_, ["actions", "artifacts", ..] | ["actions", "runs", _, "artifacts"]) => {
            "https://docs.github.com/rest/actions/artifacts"
        }
        (_, ["actions", "runs", ..]) => {
            "https://docs.github.com/rest/actions/workflow-runs#get-a-workflow-run"
        }
        _ => "https://docs.github.com/rest",
    }
}

fn describe(call: &Call<'_>, repository: &GithubRepository) -> Value {
    let (owner, name) = repository.name.split_once('/').unwrap_or_default();
    let right = |access| access::permits(&call.caller, repository, "contents", access);
    json!({
        "id": repository.id,
        "name": name,
        "full_name": repository.name,
        "private": repository.private,
        "visibility": if repository.private { "private" } else { "public" },
        "owner": {"login": owner, "type": "Organization"},
        "html_url": format!("{}/{}", call.origin, repository.name),
        "url": format!("{}/repos/{}", call.base, repository.name),
        "default_branch": repository.git.default_branch,
        "archived": false,
        "disabled": false,
        "permissions": {
            "admin": false,
            "push": right(Access::Write),
            "pull": right(Access::Read),
        },
    })
}
