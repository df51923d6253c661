//! A run's jobs and their logs, and the deployments and concurrency groups that it waits for.

use serde_json::{Value, json};

use super::error::Failure;
use super::{ApiResult, Call, RepositoryCall, access, account, run, workflow};
use crate::clock::timestamp;
use crate::provider::{is_id, storage};
use crate::response::Response;
use crate::world::{Access, Conclusion, Gate, Job, JobState, Provider, Run, World};

/// The concurrency group of every run that is `Pending`.
const GROUP: &str = "production";

/// Lists the jobs of the latest attempt, or of all with `filter=all`.
pub(super) fn list(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    let found = run::find(world, call, id)?;
    let shows_all = call.request.query("filter").as_deref() == Some("all");
    let skipped = if shows_all { 0 } else { found.attempt() - 1 };
    let attempts = found.attempts().skip(skipped);
    let jobs: Vec<Value> = attempts
        .flat_map(|run| describe_created(call, run))
        .collect();
    let path = format!("{}/jobs", run::api_url(call, found));
    Ok(workflow::page("jobs", &jobs, call, &path))
}

/// Lists the jobs of one attempt.
pub(super) fn list_of_attempt(
    world: &World,
    call: &RepositoryCall<'_>,
    id: &str,
    attempt: &str,
) -> ApiResult {
    let found = run::find(world, call, id)?;
    let found = run::attempt(found, attempt)?;
    let jobs: Vec<Value> = describe_created(call, found).collect();
    let path = format!("{}/attempts/{attempt}/jobs", run::api_url(call, found));
    Ok(workflow::page("jobs", &jobs, call, &path))
}

/// Describes the jobs that have been created: those blocked by `needs` are absent.
fn describe_created<'run>(
    call: &'run RepositoryCall<'_>,
    run: &'run Run,
) -> impl Iterator<Item = Value> {
    run.jobs
        .iter()
        .filter(|job| job.state != JobState::NotStarted)
        .map(move |job| describe(call, run, job))
}

pub(super) fn get(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    let (run, job) = find(world, call, id)?;
    if job.state == JobState::NotStarted {
        return Err(Failure::not_found());
    }
    Ok(Response::json(200, describe(call, run, job)))
}

fn find<'world>(
    world: &'world World,
    call: &RepositoryCall<'_>,
    id: &str,
) -> Result<(&'world Run, &'world Job), Failure> {
    access::require(world, call, "actions", Access::Read)?;
    world
        .runs_of(Provider::GitHub, &call.repository.name)
        .flat_map(Run::attempts)
        .flat_map(|run| run.jobs.iter().map(move |job| (run, job)))
        .find(|(_, job)| is_id(id, job.id))
        .ok_or_else(Failure::not_found)
}

/// Redirects to the log, once the job has started.
pub(super) fn log(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    let (_, job) = find(world, call, id)?;
    if job.started_at.is_none() {
        return Err(Failure::not_found());
    }
    let name = format!("logs/{id}");
    let link = storage::link(world, call.request, Provider::GitHub, &name);
    Ok(Response::status(302).header("Location", link))
}

pub(super) fn pending_deployments(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    let run = run::find(world, call, id)?;
    let jobs = run.jobs.iter();
    let pending: Vec<Value> = jobs
        .filter_map(|job| pending_deployment(call, run, job))
        .collect();
    Ok(Response::json(200, json!(pending)))
}

fn pending_deployment(call: &Call<'_>, run: &Run, job: &Job) -> Option<Value> {
    let (environment, minutes, reviewers) = match (&job.state, &job.scenario.gate) {
        (
            JobState::Blocked,
            Gate::Person {
                environment,
                reviewers,
                ..
            },
        ) => (environment.as_str(), 0, reviewers.as_slice()),
        (JobState::Delayed, Gate::Timer(timer)) => {
            ("staging", timer.as_secs().div_ceil(60), [].as_slice())
        }
        _ => return None,
    };
    // `team/x` is the team `x`.
    let owner = run.repository.split('/').next().unwrap_or_default();
    let reviewer = |name: &String| match name.strip_prefix("team/") {
        Some(team) => json!({"type": "Team", "reviewer": account::team(call, owner, team)}),
        None => json!({"type": "User", "reviewer": account::user(call, name)}),
    };
    // The timer started with the last event of the run.
    let since = (minutes > 0).then(|| timestamp(run.updated_at));
    let id = account::id_of(environment);
    Some(json!({
        "environment": {
            "id": id,
            "node_id": account::node_id("EN", id),
            "name": environment,
            "url": format!("{}/repos/{}/environments/{environment}", call.base, run.repository),
            "html_url": format!(
                "{}/{}/deployments/activity_log?environments_filter={environment}",
                call.origin, run.repository
            ),
        },
        "wait_timer": minutes,
        "wait_timer_started_at": since,
        "current_user_can_approve": false,
        "reviewers": reviewers.iter().map(reviewer).collect::<Vec<_>>(),
    }))
}

pub(super) fn concurrency_groups(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    let run = run::find(world, call, id)?;
    if !world.github.has_concurrency_groups {
        return Err(Failure::not_found());
    }
    let group_url = format!(
        "{}/repos/{}/actions/concurrency_groups/{GROUP}",
        call.base, run.repository
    );
    let group = |position: &u32| {
        json!({
            "group_name": GROUP,
            "group_url": group_url,
            // Contains only this run; `position_url` lists those before it.
            "group_members": [{
                "run_id": run.id,
                "run_name": run.title,
                "run_url": run::api_url(call, run),
                "run_html_url": run::page_url(call, run),
                "status": "pending",
                "position": position,
                "position_url": format!("{group_url}?ahead_of_run={}", run.id),
            }],
        })
    };
    let mut groups: Vec<Value> = run.position.iter().map(group).collect();
    if run.is_displaced {
        // It still belongs to the group, but no longer waits in it.
        groups.push(json!({"group_name": GROUP, "group_url": group_url, "group_members": []}));
    }
    let body = json!({"total_count": groups.len(), "concurrency_groups": groups});
    Ok(Response::json(200, body))
}

/// The runs that wait in the group. 404 if there are none, as GitHub does.
pub(super) fn concurrency_group(world: &World, call: &RepositoryCall<'_>, name: &str) -> ApiResult {
    let runs = world.runs_of(Provider::GitHub, &call.repository.name);
    let member = |run: &Run| {
        json!({
            "run_id": run.id,
            "run_name": run.title,
            "run_url": run::api_url(call, run),
            "run_html_url": run::page_url(call, run),
            "status": "pending",
        })
    };
    let members: Vec<_> = runs
        .filter(|run| run.position.is_some())
        .map(member)
        .collect();
    if !world.github.has_concurrency_groups || name != GROUP || members.is_empty() {
        return Err(Failure::not_found());
    }
    let group_url = format!(
        "{}/repos/{}/actions/concurrency_groups/{GROUP}",
        call.base, call.repository.name
    );
    let body = json!({
        "group_name": GROUP,
        "group_url": group_url,
        "total_count": members.len(),
        "group_members": members,
    });
    Ok(Response::json(200, body))
}

fn describe(call: &RepositoryCall<'_>, run: &Run, job: &Job) -> Value {
    let (status, conclusion) = match job.state {
        // Unreachable through the API, which hides jobs that aren't ready.
        JobState::NotStarted => ("queued", None),
        JobState::Blocked | JobState::Delayed => ("waiting", None),
        JobState::Running => ("in_progress", None),
        JobState::Completed(conclusion) => ("completed", Some(conclusion)),
    };
    let last = job.scenario.steps.len().saturating_sub(1);
    let steps = job.scenario.steps.iter().enumerate().map(|(index, name)| {
        let conclusion = match conclusion {
            // Only the last step failed.
            Some(Conclusion::Failure) if index < last => Some(Conclusion::Success),
            conclusion => conclusion,
        };
        json!({
            "name": name,
            "number": index + 1,
            "status": status,
            "conclusion": conclusion.map(run::conclusion_name),
            "started_at": job.started_at.map(timestamp),
            "completed_at": job.completed_at.map(timestamp),
        })
    });
    let steps: Vec<Value> = match job.started_at {
        // GitHub shows the steps of a job only in the attempt that ran it.
        Some(_) if !run.keeps(job) => steps.collect(),
        Some(_) | None => Vec::new(),
    };
    let created_at = job.started_at.unwrap_or(run.created_at);
    let workflow = run::workflow_of(&call.repository, run);
    // No runner is assigned until the job starts.
    let runner = job.started_at.is_some();
    let of_repository = format!("{}/repos/{}", call.base, run.repository);
    json!({
        "id": job.id,
        "node_id": account::node_id("CR", job.id),
        "run_id": run.id,
        "run_url": run::api_url(call, run),
        "run_attempt": run.attempt(),
        "workflow_name": workflow.map(|workflow| workflow.name.as_str()),
        "name": job.name,
        "status": status,
        "conclusion": conclusion.map(run::conclusion_name),
        "url": format!("{of_repository}/actions/jobs/{}", job.id),
        "check_run_url": format!("{of_repository}/check-runs/{}", job.id),
        "html_url": format!("{}/job/{}", run::page_url(call, run), job.id),
        "created_at": timestamp(created_at),
        "started_at": timestamp(created_at),
        "completed_at": job.completed_at.map(timestamp),
        "steps": steps,
        "labels": ["ubuntu-latest"],
        "head_branch": run.reference_name(),
        "head_sha": run.commit,
        "runner_id": runner.then_some(1),
        "runner_name": runner.then_some("GitHub Actions 1"),
        "runner_group_id": runner.then_some(0),
        "runner_group_name": runner.then_some("GitHub Actions"),
    })
}
