//! A pipeline's jobs, what they printed and kept, and the pipelines they started elsewhere. Not here: the pipeline
//! itself (see `pipeline`).

use serde_json::{Value, json};

use super::error::Failure;
use super::{Call, access, pipeline};
use crate::answer::Answer;
use crate::clock::timestamp_with_milliseconds;
use crate::provider::storage;
use crate::world::{
    Gate, GitlabProject, GitlabToken, GitlabVersion, Job, JobState, Provider, Run, World,
};

/// Newest first. Those that start other pipelines are elsewhere.
pub(super) fn list(
    world: &World,
    call: &Call<'_>,
    token: Option<&GitlabToken>,
    project: &GitlabProject,
    id: &str,
) -> Result<Answer, Failure> {
    let run = pipeline::find(world, token, project, id)?;
    let jobs = run.jobs.iter().rev();
    let jobs: Vec<Value> = jobs
        .filter(|job| job.life.downstream.is_none())
        .map(|job| describe(call, project, run, job))
        .collect();
    let path = format!("projects/{}/pipelines/{id}/jobs", project.id);
    Ok(pipeline::page(call, &jobs, &path))
}

/// `trigger_jobs` of newer servers, `bridges` of all.
pub(super) fn downstream(
    world: &World,
    call: &Call<'_>,
    token: Option<&GitlabToken>,
    project: &GitlabProject,
    id: &str,
    kind: &str,
) -> Result<Answer, Failure> {
    if kind == "trigger_jobs" && world.gitlab.version == GitlabVersion::Old {
        return Err(Failure::error(404, "404 Not Found"));
    }
    let run = pipeline::find(world, token, project, id)?;
    let started = |job: &Job| {
        let other = job.life.downstream.as_ref()?;
        let mut described = describe(call, project, run, job);
        described["downstream_pipeline"] = match job.started_at {
            None => Value::Null,
            Some(_) => json!({
                "id": job.id + 500,
                "status": status(job),
                "web_url": format!("{}/{other}/-/pipelines/{}", call.origin, job.id + 500),
            }),
        };
        Some(described)
    };
    let jobs: Vec<Value> = run.jobs.iter().filter_map(started).collect();
    let path = format!("projects/{}/pipelines/{id}/{kind}", project.id);
    Ok(pipeline::page(call, &jobs, &path))
}

/// What it printed; from `byte_offset` on, where the server knows that.
pub(super) fn trace(
    world: &World,
    call: &Call<'_>,
    token: Option<&GitlabToken>,
    project: &GitlabProject,
    id: &str,
) -> Result<Answer, Failure> {
    find(world, token, project, id)?;
    let kept = storage::log(world, Provider::Gitlab, id, false).ok_or_else(not_found)?;
    let start = match world.gitlab.version {
        GitlabVersion::New => call.request.query_number("byte_offset", 0),
        GitlabVersion::Old => 0,
    };
    Ok(storage::part(kept, 200, start as u64))
}

/// A file that it kept, once it is over.
pub(super) fn artifact(
    world: &World,
    token: Option<&GitlabToken>,
    project: &GitlabProject,
    id: &str,
    path: &str,
) -> Result<Answer, Failure> {
    let job = find(world, token, project, id)?;
    let is_over = matches!(job.state, JobState::Completed(_));
    let mut files = job.life.files.iter();
    let file = files.find(|(known, _)| known == path && is_over);
    let (_, content) = file.ok_or_else(|| Failure::message(404, "404 Not Found"))?;
    Ok(Answer::body(
        200,
        "application/octet-stream",
        content.clone(),
    ))
}

fn find<'world>(
    world: &'world World,
    token: Option<&GitlabToken>,
    project: &GitlabProject,
    id: &str,
) -> Result<&'world Job, Failure> {
    access::require_reading_pipelines(token, project)?;
    let runs = world.runs_of(Provider::Gitlab, &project.path);
    let mut jobs = runs.flat_map(|run| &run.jobs);
    jobs.find(|job| job.id.to_string() == id)
        .ok_or_else(not_found)
}

fn not_found() -> Failure {
    Failure::message(404, "404 Not found")
}

fn status(job: &Job) -> &'static str {
    match job.state {
        JobState::NotYet => "created",
        JobState::Blocked => "manual",
        JobState::Timed => "scheduled",
        JobState::Running => "running",
        JobState::Completed(conclusion) => pipeline::word(conclusion),
    }
}

fn describe(call: &Call<'_>, project: &GitlabProject, run: &Run, job: &Job) -> Value {
    let log = &job.life.log;
    let trace = json!({
        "file_type": "trace",
        "size": log.padding + log.text.len() as u64,
        "filename": "job.log",
        "file_format": null,
    });
    let is_over = matches!(job.state, JobState::Completed(_));
    let artifacts = if is_over { vec![trace] } else { Vec::new() };
    json!({
        "id": job.id,
        "name": job.name,
        "stage": "test",
        "status": status(job),
        "allow_failure": job.life.may_fail,
        "when": if job.life.gate == Gate::Open { "on_success" } else { "manual" },
        "created_at": timestamp_with_milliseconds(run.created_at),
        "started_at": job.started_at.map(timestamp_with_milliseconds),
        "finished_at": job.completed_at.map(timestamp_with_milliseconds),
        "web_url": format!("{}/{}/-/jobs/{}", call.origin, project.path, job.id),
        "artifacts": artifacts,
        "pipeline": {"id": run.id, "project_id": project.id},
    })
}
