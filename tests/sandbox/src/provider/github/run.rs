//! Lists, reads, cancels and re-runs workflow runs, in GitHub's words. `dispatch` and `workflow` start them.

use std::time::Duration;

use serde_json::{Value, json};

use super::account::{self, CREATED_AT};
use super::error::Failure;
use super::{
    ApiResult, Call, RepositoryCall, access, json_body, repository as repositories, workflow,
};
use crate::clock::timestamp;
use crate::provider::is_id;
use crate::request::Request;
use crate::response::Response;
use crate::world::{Access, Conclusion, GitHubRepository, Provider, Run, State, Workflow, World};

/// The age up to which a run can be re-run.
const MAX_AGE_OF_RERUN: Duration = Duration::from_hours(30 * 24);

/// Lists the runs of one workflow or of all, newest first.
pub(super) fn list(world: &World, call: &RepositoryCall<'_>, workflow: Option<&str>) -> ApiResult {
    access::require(world, call, "actions", Access::Read)?;
    let workflow = match workflow {
        Some(id) => Some(workflow::find(&call.repository, id)?.id),
        None => None,
    };
    let filter = Filter::of(call.request);
    let lag = if filter.needs_index() {
        world.github.search_lag
    } else {
        Duration::ZERO
    };
    let indexed_until = world.now() - lag;
    let runs: Vec<&Run> = world
        .runs_of(Provider::GitHub, &call.repository.name)
        .filter(|run| run.is_listed())
        .filter(|run| run.first_attempt().created_at <= indexed_until)
        .map(Run::shown)
        .rev()
        .filter(|run| workflow.is_none_or(|id| run.workflow_id == id))
        .filter(|run| filter.passes(run))
        .collect();
    let mut path = format!("{}/repositories/{}/actions", call.base, call.repository.id);
    if let Some(id) = workflow {
        path = format!("{path}/workflows/{id}");
    }
    let path = format!("{path}/runs");
    // The same for all runs.
    let repository = repositories::minimal(call, &call.repository);
    Ok(workflow::page_of(
        "workflow_runs",
        &runs,
        call,
        &path,
        |run| describe(call, &repository, run),
    ))
}

pub(super) fn get(
    world: &World,
    call: &RepositoryCall<'_>,
    id: &str,
    attempt: Option<&str>,
) -> ApiResult {
    let run = find(world, call, id)?;
    let run = match attempt {
        None => run,
        Some(attempt) => self::attempt(run, attempt)?,
    };
    let repository = repositories::minimal(call, &call.repository);
    Ok(Response::json(200, describe(call, &repository, run)))
}

/// Finds a run by its id, if the caller may read it.
pub(super) fn find<'world>(
    world: &'world World,
    call: &RepositoryCall<'_>,
    id: &str,
) -> Result<&'world Run, Failure> {
    access::require(world, call, "actions", Access::Read)?;
    world
        .runs_of(Provider::GitHub, &call.repository.name)
        .find(|run| run.is_readable() && is_id(id, run.id))
        .map(Run::shown)
        .ok_or_else(Failure::not_found)
}

/// Returns an attempt of a run, counted from 1.
pub(super) fn attempt<'run>(run: &'run Run, number: &str) -> Result<&'run Run, Failure> {
    let number: usize = number.parse().map_err(|_| Failure::not_found())?;
    let index = number.checked_sub(1).ok_or_else(Failure::not_found)?;
    run.attempts().nth(index).ok_or_else(Failure::not_found)
}

pub(super) fn cancel(world: &mut World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    access::require(world, call, "actions", Access::Write)?;
    let run = find_mut(world, call, id)?;
    if run.state == State::Completed {
        let message = "Cannot cancel a workflow run that is completed.";
        return Err(Failure::new(409, message));
    }
    run.cancel()
        .map_err(|status| Failure::new(status, "Cannot cancel this workflow run."))?;
    Ok(Response::json(202, json!({})))
}

/// `POST …/rerun-failed-jobs`
pub(super) fn rerun_failed_jobs(
    world: &mut World,
    call: &RepositoryCall<'_>,
    id: &str,
) -> ApiResult {
    access::require(world, call, "actions", Access::Write)?;
    let body = json_body::parse(call.request, &["enable_debug_logging"])?;
    json_body::boolean(&body, "enable_debug_logging")?;
    let now = world.now();
    let run = find_mut(world, call, id)?;
    let reason = if run.state != State::Completed {
        Some("This workflow is already running")
    } else if now > run.first_attempt().created_at + MAX_AGE_OF_RERUN {
        Some("Unable to retry this workflow run because it was created over a month ago")
    } else if !run.has_failed() {
        Some("This workflow run cannot be retried")
    } else {
        None
    };
    if let Some(reason) = reason {
        return Err(Failure::new(403, reason));
    }
    run.rerun_failed_jobs(&call.caller.name());
    Ok(Response::json(201, json!({})))
}

/// Finds a run by its id, also one that can't be read yet.
fn find_mut<'world>(
    world: &'world mut World,
    call: &RepositoryCall<'_>,
    id: &str,
) -> Result<&'world mut Run, Failure> {
    let repository = &call.repository.name;
    let run = world.run_mut(Provider::GitHub, repository, |run| is_id(id, run.id));
    run.ok_or_else(Failure::not_found)
}

/// The filters of the query, parsed once and not for each run.
struct Filter {
    event: Option<String>,
    branch: Option<String>,
    actor: Option<String>,
    commit: Option<String>,
    status: Option<String>,
    created: Option<String>,
}

impl Filter {
    fn of(request: &Request) -> Self {
        let query = |name: &str| request.query(name);
        Self {
            event: query("event"),
            branch: query("branch"),
            actor: query("actor"),
            commit: query("head_sha"),
            status: query("status"),
            created: query("created"),
        }
    }

    /// Whether the list comes from the search index.
    fn needs_index(&self) -> bool {
        let filters = [
            &self.event,
            &self.branch,
            &self.actor,
            &self.commit,
            &self.status,
            &self.created,
        ];
        filters.iter().any(|filter| filter.is_some())
    }

    fn passes(&self, run: &Run) -> bool {
        let equal =
            |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|text| text == value);
        let has_status =
            |wanted: &String| wanted == status(run) || Some(wanted.as_str()) == conclusion(run);
        equal(&self.event, &run.event)
            && equal(&self.branch, run.reference_name().unwrap_or_default())
            && equal(&self.actor, &run.actor)
            && equal(&self.commit, &run.commit)
            && self.status.as_ref().is_none_or(has_status)
            && self.created.as_ref().is_none_or(|range| {
                created_within(range, &timestamp(run.first_attempt().created_at))
            })
    }
}

/// GitHub's search ranges: `>=T`, `>T`, `<=T`, `<T`, `T..T` with `*` for open ends, or a time or day itself.
fn created_within(range: &str, created: &str) -> bool {
    // Compares as strings up to the length of the bound, so that a date means the whole day.
    let compare = |bound: &str| {
        let bound = bound.replace("+00:00", "Z");
        let length = bound.len().min(created.len());
        created[..length].cmp(&bound[..length])
    };
    if let Some((from, to)) = range.split_once("..") {
        return (from == "*" || compare(from).is_ge()) && (to == "*" || compare(to).is_le());
    }
    if let Some(bound) = range.strip_prefix(">=") {
        compare(bound).is_ge()
    } else if let Some(bound) = range.strip_prefix("<=") {
        compare(bound).is_le()
    } else if let Some(bound) = range.strip_prefix('>') {
        compare(bound).is_gt()
    } else if let Some(bound) = range.strip_prefix('<') {
        compare(bound).is_lt()
    } else {
        compare(range).is_eq()
    }
}

pub(super) fn api_url(call: &Call<'_>, run: &Run) -> String {
    format!(
        "{}/repos/{}/actions/runs/{}",
        call.base, run.repository, run.id
    )
}

pub(super) fn page_url(call: &Call<'_>, run: &Run) -> String {
    format!("{}/{}/actions/runs/{}", call.origin, run.repository, run.id)
}

fn status(run: &Run) -> &str {
    match (run.state, &run.status_override) {
        (State::Completed, _) => "completed",
        (_, Some(status)) => status,
        (State::Queued, None) => "queued",
        (State::Pending, None) => "pending",
        (State::Running, None) => "in_progress",
        (State::Blocked | State::Delayed, None) => "waiting",
    }
}

fn conclusion(run: &Run) -> Option<&str> {
    let conclusion = run
        .conclusion
        .filter(|_| run.concluded_from() <= run.clock.now())?;
    Some(
        run.status_override
            .as_deref()
            .unwrap_or(conclusion_name(conclusion)),
    )
}

pub(super) fn conclusion_name(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "success",
        Conclusion::Neutral => "neutral",
        Conclusion::Skipped => "skipped",
        Conclusion::Failure => "failure",
        Conclusion::Cancelled => "cancelled",
    }
}

pub(super) fn workflow_of<'repository>(
    repository: &'repository GitHubRepository,
    run: &Run,
) -> Option<&'repository Workflow> {
    let mut workflows = repository.workflows.iter();
    workflows.find(|workflow| workflow.id == run.workflow_id)
}

fn describe(call: &RepositoryCall<'_>, repository: &Value, run: &Run) -> Value {
    let url = api_url(call, run);
    let of_repository = format!("{}/repos/{}", call.base, run.repository);
    let actor = account::user(call, &run.actor);
    let previous = (run.attempt() > 1).then(|| format!("{url}/attempts/{}", run.attempt() - 1));
    json!({
        "id": run.id,
        "node_id": account::node_id("WFR", run.id),
        "name": workflow_of(&call.repository, run).map(|workflow| workflow.name.as_str()),
        "display_title": run.title,
        "run_number": run.number,
        "run_attempt": run.attempt(),
        "event": run.event,
        "status": status(run),
        "conclusion": conclusion(run),
        "workflow_id": run.workflow_id,
        "path": format!(".github/workflows/{}", run.pipeline),
        "head_branch": run.reference_name(),
        "head_sha": run.commit,
        "head_commit": head_commit(run),
        "check_suite_id": run.id,
        "check_suite_node_id": account::node_id("CS", run.id),
        "pull_requests": [],
        "referenced_workflows": [],
        "html_url": page_url(call, run),
        "created_at": timestamp(run.first_attempt().created_at),
        "run_started_at": timestamp(run.created_at),
        "updated_at": timestamp(run.updated_at),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": previous,
        "check_suite_url": format!("{of_repository}/check-suites/{}", run.id),
        "workflow_url": format!("{of_repository}/actions/workflows/{}", run.workflow_id),
        "url": url,
        "actor": actor,
        "triggering_actor": run.rerun_by.as_ref().map_or_else(|| actor.clone(), |name| account::user(call, name)),
        "repository": repository,
        "head_repository": repository,
    })
}

fn head_commit(run: &Run) -> Value {
    let author = json!({"name": "octocat", "email": "octocat@example.com"});
    json!({
        "id": run.commit,
        // A fake id, since the sandbox has no files.
        "tree_id": run.commit.chars().rev().collect::<String>(),
        "message": "Say hello",
        "timestamp": CREATED_AT,
        "author": author,
        "committer": author,
    })
}
