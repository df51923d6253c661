//! Lists, reads, cancels and retries pipelines, in GitLab's words. `create` starts them.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::error::Failure;
use super::{ApiResult, Call, ProjectCall, access, user};
use crate::clock::timestamp_with_milliseconds;
use crate::provider::{Page, is_id, query_for_page};
use crate::response::Response;
use crate::world::{Conclusion, Provider, RefKind, Run, State, World};

/// Lists by id, newest first unless `sort=asc`. Ignores `created_after`, as some versions do.
pub(super) fn list(world: &World, call: &ProjectCall<'_>) -> ApiResult {
    access::require_reading_pipelines(call)?;
    // Parses the query once, not for each run.
    let filters = ["ref", "source", "status", "username", "sha", "name"];
    let [reference, source, state, actor, commit, name] =
        filters.map(|name| call.request.query(name));
    let equal =
        |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|text| text == value);
    let mut runs: Vec<&Run> = world
        .runs_of(Provider::GitLab, &call.project.path)
        .filter(|run| run.is_listed())
        .map(Run::shown)
        .filter(|run| equal(&reference, run.reference_name().unwrap_or_default()))
        .filter(|run| equal(&source, &run.event) && equal(&state, status(run)))
        .filter(|run| equal(&actor, &run.actor) && equal(&commit, &run.commit))
        .filter(|run| name.as_deref().unwrap_or_default().is_empty() || equal(&name, &run.title))
        .collect();
    if call.request.query("sort").as_deref() != Some("asc") {
        runs.reverse();
    }
    let path = format!("projects/{}/pipelines", call.project.id);
    Ok(page_of(call, &runs, &path, |run| {
        with_name(describe_briefly(call, run), run)
    }))
}

/// Returns a page of serialised entries.
pub(super) fn page(call: &Call<'_>, all: &[Value], path: &str) -> Response {
    page_of(call, all, path, Value::clone)
}

/// Returns a page of a list, by default 20 entries, with the pagination headers.
fn page_of<T>(call: &Call<'_>, all: &[T], path: &str, describe: impl Fn(&T) -> Value) -> Response {
    let page = Page::of(call.request, ("per_page", 20), all, describe);
    let next = (page.number < page.last).then_some(page.number + 1);
    let response = Response::json(200, json!(page.entries))
        .header("X-Page", page.number)
        .header("X-Per-Page", page.size)
        .header(
            "X-Next-Page",
            next.map_or(String::new(), |next| next.to_string()),
        )
        .header("X-Total", all.len())
        .header("X-Total-Pages", page.last);
    let Some(next) = next else {
        return response;
    };
    let query = query_for_page(call.request, next);
    let link = format!("<{}/api/v4/{path}?{query}>; rel=\"next\"", call.origin);
    response.header("Link", link)
}

pub(super) fn get(world: &World, call: &ProjectCall<'_>, id: &str) -> ApiResult {
    let run = find(world, call, id)?;
    Ok(Response::json(200, with_name(describe(call, run), run)))
}

/// Finds a pipeline by its id, if the caller may read it.
pub(super) fn find<'world>(
    world: &'world World,
    call: &ProjectCall<'_>,
    id: &str,
) -> Result<&'world Run, Failure> {
    access::require_reading_pipelines(call)?;
    world
        .runs_of(Provider::GitLab, &call.project.path)
        .find(|run| run.is_readable() && is_id(id, run.id))
        .map(Run::shown)
        .ok_or_else(not_found)
}

/// Answers 200 in every state, unless the scenario refuses the cancel.
pub(super) fn cancel(world: &mut World, call: &ProjectCall<'_>, id: &str) -> ApiResult {
    access::require_developer(call)?;
    let run = find_mut(world, call, id)?;
    if run.state != State::Completed {
        run.cancel()
            .map_err(|status| Failure::message(status, &format!("{status} Refused")))?;
    }
    Ok(Response::json(200, describe(call, run)))
}

/// Runs the failed jobs and those after them again, in the same pipeline. Answers 201 in every state. One difference from
/// GitLab: while other jobs are still running, it leaves the failed ones as they are.
pub(super) fn retry(world: &mut World, call: &ProjectCall<'_>, id: &str) -> ApiResult {
    let (token, _) = access::require_developer(call)?;
    let run = find_mut(world, call, id)?;
    access::require_updating(call, run)?;
    if run.has_failed() {
        run.rerun_failed_jobs(&token.owner);
    }
    Ok(Response::json(201, describe(call, run.shown())))
}

/// Finds a pipeline by its id, also one that can't be read yet.
fn find_mut<'world>(
    world: &'world mut World,
    call: &ProjectCall<'_>,
    id: &str,
) -> Result<&'world mut Run, Failure> {
    let project = &call.project.path;
    let run = world.run_mut(Provider::GitLab, project, |run| is_id(id, run.id));
    run.ok_or_else(not_found)
}

fn not_found() -> Failure {
    Failure::message(404, "404 Pipeline Not Found")
}

fn status(run: &Run) -> &str {
    if let Some(status) = &run.status_override {
        return status;
    }
    if run.is_ending() {
        return "canceling";
    }
    match (run.state, run.conclusion) {
        // A retried pipeline waits only for jobs that haven't passed yet.
        (State::Queued, _) if run.attempt() > 1 && run.jobs.is_empty() => "pending",
        (State::Queued, _) if run.attempt() > 1 => "running",
        (State::Queued, _) => "created",
        (State::Pending, _) => "waiting_for_resource",
        (State::Running, _) => "running",
        (State::Blocked, _) => "manual",
        (State::Delayed, _) => "scheduled",
        (State::Completed, Some(conclusion)) => conclusion_name(conclusion),
        (State::Completed, None) => "success",
    }
}

pub(super) fn conclusion_name(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success | Conclusion::Neutral => "success",
        Conclusion::Skipped => "skipped",
        Conclusion::Failure => "failed",
        Conclusion::Cancelled => "canceled",
    }
}

pub(super) fn is_of_tag(run: &Run) -> bool {
    matches!(run.reference, Some((RefKind::Tag, _)))
}

/// Describes a single pipeline. Only reads also show its name.
pub(super) fn describe(call: &ProjectCall<'_>, run: &Run) -> Value {
    // While a retry is running, both times are still those of the first run of its jobs.
    let mut attempts = run.attempts();
    let ended = attempts.rfind(|run| run.state == State::Completed);
    let ended = ended.map(|run| run.updated_at);
    let jobs = run.attempts().flat_map(|run| &run.jobs);
    let started = jobs.filter_map(|job| job.started_at).min();
    let status = status(run);
    let mut described = describe_briefly(call, run);
    described["before_sha"] = json!("0".repeat(40));
    described["tag"] = json!(is_of_tag(run));
    described["yaml_errors"] = Value::Null;
    described["user"] = user::describe(call, &run.actor);
    described["started_at"] = json!(started.map(timestamp_with_milliseconds));
    described["finished_at"] = json!(ended.map(timestamp_with_milliseconds));
    described["committed_at"] = Value::Null;
    described["duration"] = json!(whole_seconds(started, ended));
    described["queued_duration"] =
        json!(whole_seconds(Some(run.first_attempt().created_at), started));
    described["coverage"] = Value::Null;
    described["archived"] = json!(false);
    described["detailed_status"] = json!({
        "icon": format!("status_{status}"),
        "text": status,
        "label": status,
        "group": status,
        "tooltip": status,
        "has_details": true,
        "details_path": format!("/{}/-/pipelines/{}", call.project.path, run.id),
        "illustration": null,
        "favicon": format!("/assets/ci_favicons/favicon_status_{status}.png"),
    });
    described
}

/// Returns the duration, if both times are known.
pub(super) fn whole_seconds(from: Option<SystemTime>, to: Option<SystemTime>) -> Option<u64> {
    let took = to?.duration_since(from?).ok()?;
    Some(took.as_secs())
}

/// Describes a pipeline in lists and jobs.
pub(super) fn describe_briefly(call: &ProjectCall<'_>, run: &Run) -> Value {
    json!({
        "id": run.id,
        "iid": run.number,
        "project_id": call.project.id,
        "sha": run.commit,
        "ref": run.reference_name(),
        "status": status(run),
        "source": run.event,
        "created_at": timestamp_with_milliseconds(run.first_attempt().created_at),
        "updated_at": timestamp_with_milliseconds(run.updated_at),
        "web_url": format!("{}/{}/-/pipelines/{}", call.origin, call.project.path, run.id),
    })
}

fn with_name(mut described: Value, run: &Run) -> Value {
    let has_name = !run.title.is_empty();
    described["name"] = json!(has_name.then_some(&run.title));
    described
}
