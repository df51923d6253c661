//! A pipeline's jobs with their logs and artifacts, and the downstream pipelines they start.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::error::Failure;
use super::{ApiResult, Call, ProjectCall, access, pipeline, user};
use crate::clock::timestamp_with_milliseconds;
use crate::provider::{is_id, storage};
use crate::response::Response;
use crate::world::{Conclusion, GitLabVersion, Job, JobState, Provider, RefKind, Run, World};

/// Lists jobs, newest first, without those that start downstream pipelines (see `downstream`). Jobs that were retried
/// are absent unless `include_retried` is set.
pub(super) fn list(world: &World, call: &ProjectCall<'_>, id: &str) -> ApiResult {
    let run = pipeline::find(world, call, id)?;
    let shows_all = call.request.query("include_retried");
    let shows_all =
        shows_all.is_some_and(|text| ["true", "1"].contains(&text.to_lowercase().as_str()));
    let skipped = if shows_all { 0 } else { run.attempt() - 1 };
    let jobs = run.attempts().skip(skipped).flat_map(|run| &run.jobs);
    let jobs: BTreeMap<u64, &Job> = jobs.map(|job| (job.id, job)).collect();
    let jobs: Vec<Value> = jobs
        .into_values()
        .rev()
        .filter(|job| job.scenario.downstream.is_none())
        .map(|job| describe_build(call, run, job))
        .collect();
    let path = format!("projects/{}/pipelines/{id}/jobs", call.project.id);
    Ok(pipeline::page(call, &jobs, &path))
}

pub(super) fn get(world: &World, call: &ProjectCall<'_>, id: &str) -> ApiResult {
    let (run, job) = find(world, call, id)?;
    let is_build = job.scenario.downstream.is_none();
    let body = is_build.then(|| describe_build(call, run, job));
    Ok(Response::json(200, body.ok_or_else(not_found)?))
}

/// Lists the jobs that start downstream pipelines: as `bridges`, and on newer servers also as `trigger_jobs`.
pub(super) fn downstream(world: &World, call: &ProjectCall<'_>, id: &str, kind: &str) -> ApiResult {
    if kind == "trigger_jobs" && world.gitlab.version == GitLabVersion::Old {
        return Err(Failure::error(404, "404 Not Found"));
    }
    let run = pipeline::find(world, call, id)?;
    let with_downstream = |job: &Job| {
        let other = job.scenario.downstream.as_ref()?;
        let mut described = describe(call, run, job);
        described["downstream_pipeline"] = match job.started_at {
            None => Value::Null,
            Some(started) => downstream_pipeline(world, call, other, job, started),
        };
        Some(described)
    };
    let jobs: Vec<Value> = run.jobs.iter().filter_map(with_downstream).collect();
    let path = format!("projects/{}/pipelines/{id}/{kind}", call.project.id);
    Ok(pipeline::page(call, &jobs, &path))
}

/// Describes the downstream pipeline of a job. The sandbox doesn't run it: it has the status of its job.
fn downstream_pipeline(
    world: &World,
    call: &Call<'_>,
    other: &str,
    job: &Job,
    started: SystemTime,
) -> Value {
    let id = job.id + 500;
    let project = access::find(world, other);
    let git = project.map(|project| &project.git);
    let reference = git.map(|git| git.default_branch.as_str());
    let commit = git.and_then(|git| git.commit_of(RefKind::Branch, &git.default_branch));
    let updated = job.completed_at.unwrap_or(started);
    json!({
        "id": id,
        "iid": 1,
        "project_id": project.map(|project| project.id),
        "sha": commit,
        "ref": reference,
        "status": status(job),
        "source": "pipeline",
        "created_at": timestamp_with_milliseconds(started),
        "updated_at": timestamp_with_milliseconds(updated),
        "web_url": format!("{}/{other}/-/pipelines/{id}", call.origin),
    })
}

/// Returns the log, from `byte_offset` on if the server supports it.
pub(super) fn trace(world: &World, call: &ProjectCall<'_>, id: &str) -> ApiResult {
    find(world, call, id)?;
    let file = storage::log(world, Provider::GitLab, id, false).ok_or_else(not_found)?;
    let start = match world.gitlab.version {
        GitLabVersion::New => call.request.query_number("byte_offset", 0),
        GitLabVersion::Old => 0,
    };
    Ok(storage::from_offset(file, 200, start as u64))
}

/// Returns all artifacts of a completed job as a zip.
pub(super) fn archive(world: &World, call: &ProjectCall<'_>, id: &str) -> ApiResult {
    let (_, job) = find(world, call, id)?;
    let files = files_of(job);
    if files.is_empty() {
        return Err(Failure::message(404, "404 Not Found"));
    }
    let zip = storage::zip(files);
    Ok(Response::body(200, "application/octet-stream", zip))
}

fn files_of(job: &Job) -> &[(String, Vec<u8>)] {
    match job.state {
        JobState::Completed(_) => &job.scenario.files,
        JobState::NotStarted | JobState::Blocked | JobState::Delayed | JobState::Running => &[],
    }
}

/// Returns one artifact of a completed job.
pub(super) fn artifact(world: &World, call: &ProjectCall<'_>, id: &str, path: &str) -> ApiResult {
    let (_, job) = find(world, call, id)?;
    let mut files = files_of(job).iter();
    let file = files.find(|(known, _)| known == path);
    let (_, content) = file.ok_or_else(|| Failure::message(404, "404 Not Found"))?;
    Ok(Response::body(
        200,
        "application/octet-stream",
        content.clone(),
    ))
}

fn find<'world>(
    world: &'world World,
    call: &ProjectCall<'_>,
    id: &str,
) -> Result<(&'world Run, &'world Job), Failure> {
    access::require_reading_pipelines(call)?;
    let mut runs = world.runs_of(Provider::GitLab, &call.project.path);
    let find_in = |run: &'world Run| {
        let mut jobs = run.attempts().flat_map(|run| &run.jobs);
        Some((run, jobs.find(|job| is_id(id, job.id))?))
    };
    runs.find_map(find_in).ok_or_else(not_found)
}

fn not_found() -> Failure {
    Failure::message(404, "404 Not found")
}

fn status(job: &Job) -> &'static str {
    match job.state {
        JobState::NotStarted => "created",
        JobState::Blocked => "manual",
        JobState::Delayed => "scheduled",
        JobState::Running => "running",
        JobState::Completed(conclusion) => pipeline::conclusion_name(conclusion),
    }
}

/// Describes a job that runs on a runner: the fields of every job, its artifacts, and its runner.
fn describe_build(call: &ProjectCall<'_>, run: &Run, job: &Job) -> Value {
    let mut described = describe(call, run, job);
    let log = &job.scenario.log;
    let mut artifacts = Vec::new();
    if matches!(job.state, JobState::Completed(_)) {
        artifacts.push(json!({
            "file_type": "trace",
            "size": log.padding + log.text.len() as u64,
            "filename": "job.log",
            "file_format": null,
        }));
    }
    let files = files_of(job);
    if !files.is_empty() {
        let size = storage::zip(files).len();
        artifacts.push(json!({
            "file_type": "archive",
            "size": size,
            "filename": "artifacts.zip",
            "file_format": "zip",
        }));
        described["artifacts_file"] = json!({"filename": "artifacts.zip", "size": size});
    }
    described["artifacts"] = json!(artifacts);
    described["artifacts_expire_at"] = Value::Null;
    described["runner"] = match job.started_at {
        None => Value::Null,
        Some(_) => json!({
            "id": 1,
            "description": "sandbox",
            "active": true,
            "paused": false,
            "is_shared": true,
            "runner_type": "instance_type",
            "name": "gitlab-runner",
            "online": true,
            "status": "online",
        }),
    };
    described["runner_manager"] = Value::Null;
    described["tag_list"] = json!([]);
    described
}

fn describe(call: &ProjectCall<'_>, run: &Run, job: &Job) -> Value {
    let mut attempts = run.attempts();
    let with_job = attempts.find(|run| run.jobs.iter().any(|known| known.id == job.id));
    let created_at = with_job.unwrap_or(run).created_at;
    let queued = pipeline::whole_seconds(Some(created_at), job.started_at);
    let mut described = json!({
        "id": job.id,
        "status": status(job),
        "stage": "test",
        "name": job.name,
        "ref": run.reference_name(),
        "tag": pipeline::is_of_tag(run),
        "coverage": null,
        "allow_failure": job.scenario.may_fail,
        "created_at": timestamp_with_milliseconds(created_at),
        "started_at": job.started_at.map(timestamp_with_milliseconds),
        "finished_at": job.completed_at.map(timestamp_with_milliseconds),
        "erased_at": null,
        "duration": pipeline::whole_seconds(job.started_at, job.completed_at),
        "queued_duration": queued,
        "user": user::describe(call, &run.actor),
        "commit": commit(call, run),
        "pipeline": pipeline::describe_briefly(call, run),
        "web_url": format!("{}/{}/-/jobs/{}", call.origin, call.project.path, job.id),
        "project": {"ci_job_token_scope_enabled": false},
        "archived": false,
    });
    if job.state == JobState::Completed(Conclusion::Failure) {
        described["failure_reason"] = json!("script_failure");
    }
    described
}

fn commit(call: &ProjectCall<'_>, run: &Run) -> Value {
    const COMMITTED_AT: &str = "2026-01-01T00:00:00.000+00:00";
    let hash = &run.commit;
    let (author, email) = ("octavia", "octavia@example.com");
    json!({
        "id": hash,
        "short_id": hash.get(..8),
        "created_at": COMMITTED_AT,
        "parent_ids": [],
        "title": "Say hello",
        "message": "Say hello\n",
        "author_name": author,
        "author_email": email,
        "authored_date": COMMITTED_AT,
        "committer_name": author,
        "committer_email": email,
        "committed_date": COMMITTED_AT,
        "trailers": {},
        "extended_trailers": {},
        "web_url": format!("{}/{}/-/commit/{hash}", call.origin, call.project.path),
    })
}
