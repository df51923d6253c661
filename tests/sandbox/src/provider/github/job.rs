//! A run's jobs, their logs, and what the run waits for. Not here: the run itself (see `run`).

use serde_json::{Value, json};

use super::error::Failure;
use super::{Call, access, run, workflow};
use crate::answer::Answer;
use crate::clock::timestamp;
use crate::provider::storage;
use crate::world::{
    Access, Conclusion, Gate, GithubRepository, Job, JobState, Provider, Run, World,
};

/// The group of every run that has to wait for its turn.
const GROUP: &str = "production";

/// Those that nothing holds back any more: jobs blocked by `needs` are absent.
pub(super) fn list(
    world: &World,
    call: &Call<'_>,
    repository: &GithubRepository,
    id: &str,
    attempt: &str,
) -> Result<Answer, Failure> {
    let found = run::find(world, call, repository, id)?;
    let found = run::attempt(found, attempt)?;
    let jobs: Vec<Value> = found
        .jobs
        .iter()
        .filter(|job| job.state != JobState::NotYet)
        .map(|job| describe(call, found, job))
        .collect();
    let path = format!("{}/attempts/{attempt}/jobs", run::api_url(call, found));
    Ok(workflow::page("jobs", &jobs, call, &path))
}

/// A link to its log, once there is one.
pub(super) fn log(
    world: &World,
    call: &Call<'_>,
    repository: &GithubRepository,
    id: &str,
) -> Result<Answer, Failure> {
    access::require(world, &call.caller, repository, "actions", Access::Read)?;
    let mut runs = world.runs_of(Provider::Github, &repository.name);
    let is_there = runs.any(|run| {
        let mut jobs = run.jobs.iter();
        jobs.any(|job| job.id.to_string() == id && job.started_at.is_some())
    });
    if !is_there {
        return Err(Failure::not_found());
    }
    let name = format!("logs/{id}");
    let link = storage::link(world, call.request, Provider::Github, &name);
    Ok(Answer::status(302).header("Location", link))
}

pub(super) fn pending_deployments(
    world: &World,
    call: &Call<'_>,
    repository: &GithubRepository,
    id: &str,
) -> Result<Answer, Failure> {
    let run = run::find(world, call, repository, id)?;
    let pending: Vec<Value> = run.jobs.iter().filter_map(pending_deployment).collect();
    Ok(Answer::json(200, json!(pending)))
}

fn pending_deployment(job: &Job) -> Option<Value> {
    let (environment, minutes, reviewers) = match (&job.state, &job.life.gate) {
        (
            JobState::Blocked,
            Gate::Person {
                environment,
                reviewers,
                ..
            },
        ) => (environment.as_str(), 0, reviewers.as_slice()),
        (JobState::Timed, Gate::Timer(timer)) => {
            ("staging", timer.as_secs().div_ceil(60), [].as_slice())
        }
        _ => return None,
    };
    // By GitHub's own way, a team is told from a person by a slash nowhere else used here.
    let reviewer = |name: &String| match name.strip_prefix("team/") {
        Some(team) => json!({"type": "Team", "reviewer": {"name": team, "slug": team}}),
        None => json!({"type": "User", "reviewer": {"login": name}}),
    };
    Some(json!({
        "environment": {"id": job.id, "name": environment},
        "wait_timer": minutes,
        "wait_timer_started_at": null,
        "current_user_can_approve": false,
        "reviewers": reviewers.iter().map(reviewer).collect::<Vec<_>>(),
    }))
}

pub(super) fn concurrency_groups(
    world: &World,
    call: &Call<'_>,
    repository: &GithubRepository,
    id: &str,
) -> Result<Answer, Failure> {
    let run = run::find(world, call, repository, id)?;
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
            // Of this run alone; who is before it is told elsewhere.
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
    let groups: Vec<Value> = run.position.iter().map(group).collect();
    let body = json!({"total_count": groups.len(), "concurrency_groups": groups});
    Ok(Answer::json(200, body))
}

fn describe(call: &Call<'_>, run: &Run, job: &Job) -> Value {
    let (status, conclusion) = match job.state {
        // Its run waits for its turn: so does it.
        JobState::NotYet => ("queued", None),
        JobState::Blocked | JobState::Timed => ("waiting", None),
        JobState::Running => ("in_progress", None),
        JobState::Completed(conclusion) => ("completed", Some(conclusion)),
    };
    let last = job.life.steps.len().saturating_sub(1);
    let steps = job.life.steps.iter().enumerate().map(|(index, name)| {
        let conclusion = match conclusion {
            // All but the last one passed.
            Some(Conclusion::Failure) if index < last => Some(Conclusion::Success),
            conclusion => conclusion,
        };
        json!({
            "name": name,
            "number": index + 1,
            "status": status,
            "conclusion": conclusion.map(run::word),
        })
    });
    let steps: Vec<Value> = match job.started_at {
        Some(_) => steps.collect(),
        None => Vec::new(),
    };
    let created = job.started_at.unwrap_or(run.created_at);
    json!({
        "id": job.id,
        "run_id": run.id,
        "run_attempt": run.attempt(),
        "name": job.name,
        "status": status,
        "conclusion": conclusion.map(run::word),
        "html_url": format!("{}/job/{}", run::page_url(call, run), job.id),
        "created_at": timestamp(created),
        "started_at": timestamp(created),
        "completed_at": job.completed_at.map(timestamp),
        "steps": steps,
        "labels": ["ubuntu-latest"],
        "head_branch": run.reference_name(),
    })
}
