//! A pipeline's steps and their logs.

use serde_json::{Value, json};

use super::error::Failure;
use super::{ApiResult, Call, pipeline};
use crate::clock::timestamp;
use crate::provider::storage;
use crate::response::Response;
use crate::world::{Conclusion, Gate, Job, JobState, Provider, Run, World};

pub(super) fn list(world: &World, call: &Call<'_>, id: &str) -> ApiResult {
    let run = pipeline::find(world, call, id)?;
    let steps: Vec<Value> = run.jobs.iter().map(|job| describe(run, job)).collect();
    Ok(pipeline::page(call, &steps))
}

/// Redirects to the log, once the step has started.
pub(super) fn log(world: &World, call: &Call<'_>, id: &str, step: &str) -> ApiResult {
    let run = pipeline::find(world, call, id)?;
    let accept = call.request.headers.get("accept");
    if accept != Some("application/octet-stream") {
        return Err(Failure::message(406, "Not Acceptable"));
    }
    let mut jobs = run.jobs.iter();
    let job = jobs.find(|job| uuid(job) == step && job.started_at.is_some());
    let job =
        job.ok_or_else(|| Failure::detailed(404, "Not found", "Log not found", "not-found"))?;
    let name = format!("logs/{}", job.id);
    let link = storage::link(world, call.request, Provider::Bitbucket, &name);
    Ok(Response::status(307).header("Location", link))
}

fn uuid(job: &Job) -> String {
    format!("{{00000000-0000-4000-9000-{:012}}}", job.id)
}

fn describe(run: &Run, job: &Job) -> Value {
    const KIND: &str = "pipeline_step_state";
    let pending = |stage: &str| {
        let kind = format!("{KIND}_pending_{}", stage.to_lowercase());
        let stage = json!({"name": stage, "type": kind});
        json!({"name": "PENDING", "type": "pipeline_step_state_pending", "stage": stage})
    };
    let state = match job.state {
        JobState::NotStarted | JobState::Delayed => pending("PENDING"),
        JobState::Blocked if pipeline::halts(run) => pending("HALTED"),
        JobState::Blocked => pending("PAUSED"),
        JobState::Running => {
            json!({"name": "IN_PROGRESS", "type": "pipeline_step_state_in_progress"})
        }
        JobState::Completed(Conclusion::Skipped) => pipeline::completed(KIND, "NOT_RUN"),
        JobState::Completed(conclusion) => {
            pipeline::completed(KIND, pipeline::result_name(conclusion))
        }
    };
    let trigger = match job.scenario.gate {
        Gate::Person { .. } => "pipeline_step_trigger_manual",
        Gate::Open | Gate::Timer(_) => "pipeline_step_trigger_automatic",
    };
    let mut described = json!({
        "type": "pipeline_step",
        "uuid": uuid(job),
        "name": job.name,
        "state": state,
        "trigger": {"type": trigger},
        "image": {"name": "atlassian/default-image:latest"},
        "setup_commands": [],
        "script_commands": [],
        "run_number": 1,
        "maxTime": 120,
        "pipeline": {"type": "pipeline", "uuid": run.uuid()},
    });
    if let Some(started) = job.started_at {
        described["started_on"] = json!(timestamp(started));
    }
    if let Some(completed) = job.completed_at {
        described["completed_on"] = json!(timestamp(completed));
        let started = job.started_at.unwrap_or(completed);
        let took = completed.duration_since(started).unwrap_or_default();
        described["duration_in_seconds"] = json!(took.as_secs());
        described["build_seconds_used"] = json!(took.as_secs());
    }
    described
}
