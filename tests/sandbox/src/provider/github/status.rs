//! Commit statuses: sets them, and lists them or combines the latest of each context.

use serde_json::{Map, Value, json};

use super::error::Failure;
use super::{ApiResult, Call, RepositoryCall, access, account, json_body, repository, workflow};
use crate::clock::timestamp;
use crate::provider::Page;
use crate::response::Response;
use crate::world::{Access, CommitStatus, StatusState, World};

/// GitHub's maximum length of a description, in characters.
const MAX_DESCRIPTION: usize = 140;
/// GitHub's maximum number of statuses of one commit and context.
const MAX_STATUSES: usize = 1_000;

/// `POST …/statuses/{sha}`
pub(super) fn create(world: &mut World, call: &RepositoryCall<'_>, sha: &str) -> ApiResult {
    access::require(world, call, "statuses", Access::Write)?;
    let status = read(call, sha)?;
    if !call.repository.git.knows_commit(sha) {
        return Err(repository::no_commit(sha));
    }
    let statuses = world.github.statuses.iter();
    let earlier = statuses.filter(|earlier| status.replaces(earlier));
    if earlier.count() >= MAX_STATUSES {
        // GitHub's newer servers send a string here, and not the list of its description.
        let reason =
            "Validation failed: This SHA and context has reached the maximum number of statuses.";
        return Err(Failure::validation(json!(reason)));
    }
    let status = world.add_status(status);
    let response = Response::json(201, describe(call, &status));
    Ok(response.header("Location", api_url(call, &status)))
}

fn read(call: &RepositoryCall<'_>, sha: &str) -> Result<CommitStatus, Failure> {
    let keys = ["state", "target_url", "description", "context"];
    let body = json_body::parse(call.request, &keys)?;
    let state = json_body::required_string(&body, "state")?;
    let state = StatusState::parse(&state)
        .ok_or_else(|| invalid("state", "state is not included in the list"))?;
    let context = optional_string(&body, "context")?;
    let context = context.unwrap_or_else(|| "default".to_owned());
    let name = &call.repository.name;
    let status = CommitStatus {
        target_url: optional_string(&body, "target_url")?,
        description: optional_string(&body, "description")?,
        creator: call.caller.name(),
        ..CommitStatus::new(name, sha, &context, state)
    };
    if let Some(url) = &status.target_url
        && !url.starts_with("http://")
        && !url.starts_with("https://")
    {
        return Err(invalid("target_url", "target_url must use http(s) scheme"));
    }
    if let Some(description) = &status.description
        && description.chars().count() > MAX_DESCRIPTION
    {
        let message = format!("description is too long (maximum is {MAX_DESCRIPTION} characters)");
        return Err(invalid("description", &message));
    }
    Ok(status)
}

/// Returns `None` for a missing value and for null.
fn optional_string(body: &Map<String, Value>, key: &str) -> Result<Option<String>, Failure> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => json_body::required_string(body, key).map(Some),
    }
}

fn invalid(field: &str, message: &str) -> Failure {
    Failure::validation(json!([
        {"resource": "Status", "code": "custom", "field": field, "message": message}
    ]))
}

/// `GET …/commits/{ref}/statuses`: all of the commit, newest first.
pub(super) fn list(world: &World, call: &RepositoryCall<'_>, name: &str) -> ApiResult {
    let sha = readable_commit(world, call, name)?;
    let mut statuses = of_commit(world, call, sha);
    statuses.reverse();
    let page = Page::of(call.request, ("per_page", 30), &statuses, |status| {
        describe(call, status)
    });
    let path = path(call, name, "statuses");
    let response = Response::json(200, json!(page.entries));
    Ok(workflow::with_links(response, call, &path, &page))
}

/// `GET …/commits/{ref}/status`: the latest of each context, and what they amount to.
pub(super) fn combined(world: &World, call: &RepositoryCall<'_>, name: &str) -> ApiResult {
    let sha = readable_commit(world, call, name)?;
    let all = of_commit(world, call, sha);
    let is_latest = |index: usize| {
        let mut later = all[index + 1..].iter();
        !later.any(|later| later.replaces(all[index]))
    };
    let latest = (0..all.len()).filter(|index| is_latest(*index));
    let latest: Vec<&CommitStatus> = latest.map(|index| all[index]).collect();
    let page = Page::of(call.request, ("per_page", 30), &latest, |status| {
        describe_briefly(call, status)
    });
    let commit_url = format!("{}/repos/{}/commits/{sha}", call.base, call.repository.name);
    let body = json!({
        "state": combined_state(&latest),
        "statuses": page.entries,
        "sha": sha,
        "total_count": latest.len(),
        "repository": repository::minimal(call, &call.repository),
        "commit_url": commit_url,
        "url": format!("{commit_url}/status"),
    });
    let path = path(call, name, "status");
    let response = Response::json(200, body);
    Ok(workflow::with_links(response, call, &path, &page))
}

fn combined_state(latest: &[&CommitStatus]) -> &'static str {
    let any = |wanted: StatusState| latest.iter().any(|status| status.state == wanted);
    if any(StatusState::Failure) || any(StatusState::Error) {
        "failure"
    } else if latest.is_empty() || any(StatusState::Pending) {
        "pending"
    } else {
        "success"
    }
}

fn readable_commit<'call>(
    world: &World,
    call: &'call RepositoryCall<'_>,
    name: &'call str,
) -> Result<&'call str, Failure> {
    access::require(world, call, "statuses", Access::Read)?;
    let sha = repository::resolve(&call.repository, name);
    sha.ok_or_else(|| Failure::new(404, "Ref not found"))
}

fn of_commit<'world>(
    world: &'world World,
    call: &RepositoryCall<'_>,
    sha: &str,
) -> Vec<&'world CommitStatus> {
    let statuses = world.github.statuses.iter();
    statuses
        .filter(|status| status.repository == call.repository.name && status.sha == sha)
        .collect()
}

/// Returns the URL of a list, for the links to its other pages.
fn path(call: &RepositoryCall<'_>, name: &str, list: &str) -> String {
    let (base, id) = (&call.base, call.repository.id);
    format!("{base}/repositories/{id}/commits/{name}/{list}")
}

fn api_url(call: &Call<'_>, status: &CommitStatus) -> String {
    format!(
        "{}/repos/{}/statuses/{}",
        call.base, status.repository, status.sha
    )
}

fn describe(call: &Call<'_>, status: &CommitStatus) -> Value {
    let mut described = describe_briefly(call, status);
    described["creator"] = account::user(call, &status.creator);
    described
}

/// Describes a status among the combined ones.
fn describe_briefly(call: &Call<'_>, status: &CommitStatus) -> Value {
    let creator = account::user(call, &status.creator);
    json!({
        "url": api_url(call, status),
        "avatar_url": creator["avatar_url"],
        "id": status.id,
        "node_id": account::node_id("SC", status.id),
        "state": status.state.as_str(),
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": timestamp(status.at),
        "updated_at": timestamp(status.at),
    })
}
