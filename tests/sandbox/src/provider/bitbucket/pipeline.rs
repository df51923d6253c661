//! Lists, reads and stops pipelines, in Bitbucket's words. `create` starts them. Variables are never returned.

use serde_json::{Value, json};

use super::error::Failure;
use super::{ApiResult, Call, access};
use crate::clock::timestamp;
use crate::provider::{Page, is_id, query_for_page};
use crate::response::Response;
use crate::world::{Conclusion, Gate, JobState, Provider, Run, State, World};

/// Lists the oldest first unless `sort=-created_on`. Ignores `q`, as Bitbucket does.
pub(super) fn list(world: &World, call: &Call<'_>) -> ApiResult {
    access::require(call, access::READ)?;
    let mut runs: Vec<&Run> = world
        .runs_of(Provider::Bitbucket, &call.repository.name)
        .filter(|run| run.is_listed())
        .collect();
    if call.request.query("sort").as_deref() == Some("-created_on") {
        runs.reverse();
    }
    Ok(page_of(call, &runs, |run| describe(call, run)))
}

/// Returns a page of serialised entries.
pub(super) fn page(call: &Call<'_>, all: &[Value]) -> Response {
    page_of(call, all, Value::clone)
}

/// Returns a page of a list, by default 10 entries, with the URLs of the next and the previous page.
fn page_of<T>(call: &Call<'_>, all: &[T], describe: impl Fn(&T) -> Value) -> Response {
    let page = Page::of(call.request, ("pagelen", 10), all, describe);
    let mut body = json!({
        "page": page.number,
        "pagelen": page.size,
        "size": all.len(),
        "values": page.entries,
    });
    let address = |number: usize| {
        let query = query_for_page(call.request, number);
        let path = call.request.raw_path.trim_start_matches("/2.0");
        json!(format!("{}{path}?{query}", call.base))
    };
    if page.number < page.last {
        body["next"] = address(page.number + 1);
    }
    if page.number > 1 {
        body["previous"] = address(page.number - 1);
    }
    Response::json(200, body)
}

pub(super) fn get(world: &World, call: &Call<'_>, id: &str) -> ApiResult {
    Ok(Response::json(200, describe(call, find(world, call, id)?)))
}

/// Finds a pipeline by number or UUID, if the caller may read it.
pub(super) fn find<'world>(
    world: &'world World,
    call: &Call<'_>,
    id: &str,
) -> Result<&'world Run, Failure> {
    access::require(call, access::READ)?;
    world
        .runs_of(Provider::Bitbucket, &call.repository.name)
        .find(|run| run.is_readable() && is_named(run, id))
        .ok_or_else(not_found)
}

pub(super) fn stop(world: &mut World, call: &Call<'_>, id: &str) -> ApiResult {
    access::require(call, access::STOP)?;
    let run = world
        .run_mut(Provider::Bitbucket, &call.repository.name, |run| {
            is_named(run, id)
        })
        .ok_or_else(not_found)?;
    if run.state == State::Completed {
        return Err(Failure::bad_request(
            "The pipeline is already completed.",
            "pipeline-already-completed",
        ));
    }
    run.cancel()
        .map_err(|status| Failure::message(status, "The pipeline cannot be stopped."))?;
    // Bitbucket's 204 has a content type although it has no body.
    Ok(Response::body(204, "text/html; charset=utf-8", ""))
}

/// Compares with the build number, or the UUID in braces.
fn is_named(run: &Run, id: &str) -> bool {
    is_id(id, run.number) || run.has_uuid(id)
}

fn not_found() -> Failure {
    Failure::detailed(404, "Not found", "Pipeline not found", "not-found")
}

pub(super) fn api_url(call: &Call<'_>, run: &Run) -> String {
    let uuid = run.uuid().replace('{', "%7B").replace('}', "%7D");
    let repository = &run.repository;
    format!("{}/repositories/{repository}/pipelines/{uuid}", call.base)
}

pub(super) fn describe(call: &Call<'_>, run: &Run) -> Value {
    let mut body = json!({
        "type": "pipeline",
        "uuid": run.uuid(),
        "build_number": run.number,
        "state": state(run),
        "target": target(call, run),
        "repository": repository(call, run),
        "creator": creator(call, run),
        "trigger": {
            "name": run.event.to_uppercase(),
            "type": format!("pipeline_trigger_{}", run.event),
        },
        "created_on": timestamp(run.created_at),
        "run_number": 1,
        "build_seconds_used": 0,
        "first_successful": false,
        "expired": false,
        "has_variables": !run.variables.is_empty(),
        "links": {
            "self": {"href": api_url(call, run)},
            "steps": {"href": format!("{}/steps/", api_url(call, run))},
        },
    });
    if run.state == State::Completed {
        body["completed_on"] = json!(timestamp(run.updated_at));
        let took = run.updated_at.duration_since(run.created_at);
        body["duration_in_seconds"] = json!(took.unwrap_or_default().as_secs());
    }
    body
}

fn repository(call: &Call<'_>, run: &Run) -> Value {
    let (_, slug) = run.repository.split_once('/').unwrap_or_default();
    json!({
        "type": "repository",
        "name": slug,
        "full_name": run.repository,
        "uuid": uuid_of(&run.repository),
        "links": links(call, &format!("repositories/{}", run.repository), &run.repository),
    })
}

/// Describes the account that started the run; access tokens have one, too.
fn creator(call: &Call<'_>, run: &Run) -> Value {
    let uuid = uuid_of(&run.actor);
    let bare = uuid.trim_matches(['{', '}']);
    json!({
        "type": "user",
        "display_name": run.actor,
        "nickname": run.actor,
        "account_id": format!("712020:{bare}"),
        "links": links(call, &format!("users/%7B{bare}%7D"), &format!("%7B{bare}%7D")),
        "uuid": uuid,
    })
}

pub(super) fn links(call: &Call<'_>, api: &str, page: &str) -> Value {
    let (origin, base) = (&call.origin, &call.base);
    json!({
        "self": {"href": format!("{base}/{api}")},
        "html": {"href": format!("{origin}/{page}")},
        "avatar": {"href": format!("{origin}/{page}/avatar")},
    })
}

/// Returns a fake UUID, always the same for the same name.
pub(super) fn uuid_of(name: &str) -> String {
    let digits = |id: u64, byte: u8| (id * 31 + u64::from(byte)) % 1_000_000_000_000;
    let id = name.bytes().fold(1, digits);
    format!("{{00000000-0000-4000-a000-{id:012}}}")
}

/// Describes the state; `result` is absent until the pipeline completes.
fn state(run: &Run) -> Value {
    let in_progress = |stage: &str| {
        let kind = format!("pipeline_state_in_progress_{}", stage.to_lowercase());
        json!({
            "name": "IN_PROGRESS",
            "type": "pipeline_state_in_progress",
            "stage": {"name": stage, "type": kind},
        })
    };
    match (run.state, &run.status_override) {
        (State::Completed, _) => {
            let result = run.conclusion.map_or("SUCCESSFUL", result_name);
            completed(
                "pipeline_state",
                run.status_override.as_deref().unwrap_or(result),
            )
        }
        // The overriding word is the stage of a pipeline in progress, or else the name of the state.
        (State::Queued | State::Pending, Some(status)) => json!({"name": status}),
        (State::Running | State::Blocked | State::Delayed, Some(status)) => in_progress(status),
        (State::Queued | State::Pending, None) => {
            json!({"name": "PENDING", "type": "pipeline_state_pending"})
        }
        (State::Running | State::Delayed, None) => in_progress("RUNNING"),
        (State::Blocked, None) => in_progress(if halts(run) { "HALTED" } else { "PAUSED" }),
    }
}

pub(super) fn halts(run: &Run) -> bool {
    run.jobs.iter().any(|job| {
        let halts = matches!(job.scenario.gate, Gate::Person { halts: true, .. });
        halts && job.state == JobState::Blocked
    })
}

/// Describes the final state of a pipeline or a step; `kind` is the prefix of its types.
pub(super) fn completed(kind: &str, result: &str) -> Value {
    json!({
        "name": "COMPLETED",
        "type": format!("{kind}_completed"),
        "result": {
            "name": result,
            "type": format!("{kind}_completed_{}", result.to_lowercase()),
        },
    })
}

pub(super) fn result_name(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped => "SUCCESSFUL",
        Conclusion::Failure => "FAILED",
        Conclusion::Cancelled => "STOPPED",
    }
}

fn target(call: &Call<'_>, run: &Run) -> Value {
    let (origin, base) = (&call.origin, &call.base);
    let (path, hash) = (&run.repository, &run.commit);
    let commit = json!({
        "type": "commit",
        "hash": hash,
        "message": "Say hello\n",
        "links": {
            "self": {"href": format!("{base}/repositories/{path}/commit/{hash}")},
            "html": {"href": format!("{origin}/{path}/commits/{hash}")},
        },
    });
    let selector = if run.pipeline == "default" {
        json!({"type": "default"})
    } else {
        json!({"type": "custom", "pattern": run.pipeline})
    };
    match &run.reference {
        Some((kind, name)) => json!({
            "type": "pipeline_ref_target",
            "ref_type": kind.as_str(),
            "ref_name": name,
            "commit": commit,
            "selector": selector,
        }),
        None => json!({
            "type": "pipeline_commit_target",
            "commit": commit,
            "selector": selector,
        }),
    }
}
