//! Reads the status of a workflow run and its jobs, and translates GitHub's states and conclusions.
//! Source: <https://docs.github.com/en/rest/actions/workflow-runs>, `…/workflow-jobs`.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::GitHub;
use crate::model::{
    BlockedOn, Conclusion, FIRST_ATTEMPT, FollowedRun, Job, JobKind, MatchedBy, ProviderStatus,
    Run, Snapshot, State, Step, Times,
};
use crate::providers::error::Error;
use crate::providers::http::request::below;
use crate::providers::pages::{self, Entries, List, MAX_PAGES, PAGE_SIZES};
use crate::providers::provider::{Depth, Provider as _};
use crate::providers::reading::{optional_read, unreadable_response};
use crate::providers::wire;

#[derive(Deserialize)]
struct RunStatus {
    id: u64,
    #[serde(default, deserialize_with = "wire::lenient")]
    run_number: Option<u64>,
    #[serde(default, deserialize_with = "wire::lenient")]
    run_attempt: Option<u64>,
    #[serde(deserialize_with = "wire::word")]
    status: String,
    #[serde(default, deserialize_with = "wire::maybe_word")]
    conclusion: Option<String>,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    run_started_at: Option<DateTime<Utc>>,
    /// The end time of a completed run, which has no field of its own.
    #[serde(default, deserialize_with = "wire::lenient")]
    updated_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct JobList {
    #[serde(default, deserialize_with = "wire::lenient")]
    total_count: Option<usize>,
    jobs: List<WorkflowJob>,
}

#[derive(Deserialize)]
struct WorkflowJob {
    id: u64,
    #[serde(default, deserialize_with = "wire::name")]
    name: Option<String>,
    #[serde(deserialize_with = "wire::word")]
    status: String,
    #[serde(default, deserialize_with = "wire::maybe_word")]
    conclusion: Option<String>,
    #[serde(default, deserialize_with = "wire::url")]
    html_url: Option<String>,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    completed_at: Option<DateTime<Utc>>,
    #[serde(default, rename = "steps", deserialize_with = "failed_step")]
    failed_step: Option<WorkflowStep>,
}

#[derive(Deserialize)]
struct WorkflowStep {
    #[serde(deserialize_with = "wire::word")]
    name: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    number: Option<u64>,
    #[serde(default, deserialize_with = "wire::name")]
    conclusion: Option<String>,
}

/// Keeps only the first failed step, because a run may have a hundred thousand steps.
fn failed_step<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<WorkflowStep>, D::Error> {
    let steps: List<WorkflowStep> = wire::lenient(deserializer)?;
    let failed =
        |step: &WorkflowStep| matches!(step.conclusion.as_deref(), Some("failure" | "timed_out"));
    Ok(steps.entries.into_iter().find(failed))
}

#[derive(Deserialize)]
struct PendingDeployment {
    #[serde(default, deserialize_with = "wire::lenient")]
    environment: PendingEnvironment,
    #[serde(default, deserialize_with = "wire::lenient")]
    wait_timer: Option<u64>,
    #[serde(default, deserialize_with = "wire::lenient")]
    reviewers: List<Reviewer>,
}

#[derive(Deserialize, Default)]
struct PendingEnvironment {
    #[serde(default, deserialize_with = "wire::name")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Reviewer {
    #[serde(default, deserialize_with = "wire::lenient")]
    reviewer: Option<ReviewerAccount>,
}

/// A user has a login, a team a name.
#[derive(Deserialize)]
struct ReviewerAccount {
    #[serde(default, deserialize_with = "wire::name")]
    login: Option<String>,
    #[serde(default, deserialize_with = "wire::name")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct ConcurrencyGroups {
    concurrency_groups: List<ConcurrencyGroup>,
}

#[derive(Deserialize)]
struct ConcurrencyGroup {
    #[serde(default, deserialize_with = "wire::name")]
    group_name: Option<String>,
    /// This run, or jobs of it. Empty if it has already left the group.
    #[serde(default, deserialize_with = "wire::lenient")]
    group_members: List<GroupMember>,
}

#[derive(Deserialize)]
struct GroupMember {
    /// 0 for the member that may run.
    #[serde(default, deserialize_with = "wire::lenient")]
    position: Option<u64>,
}

/// A concurrency group with all of its members, in the order of its queue.
#[derive(Deserialize)]
struct GroupQueue {
    group_members: List<QueuedRun>,
}

#[derive(Deserialize)]
struct QueuedRun {
    run_id: u64,
    #[serde(default, deserialize_with = "wire::url")]
    run_html_url: Option<String>,
}

impl GitHub<'_> {
    /// Returns the first run behind this one in its concurrency group. A group has room for one pending run, so a newer
    /// one displaces it.
    pub(super) async fn next_in_group(&self, run: &Run) -> Result<Option<Run>, Error> {
        const WHAT: &str = "the concurrency groups";
        let own_id = run.id.parse().unwrap_or(u64::MAX);
        let url = self.repository_url(["actions", "runs", &run.id, "concurrency_groups"]);
        let groups: Rc<ConcurrencyGroups> = self.read(&url, WHAT).await?;
        let mut groups = groups.concurrency_groups.entries.iter();
        let Some(name) = groups.find_map(|group| group.group_name.as_deref()) else {
            return Ok(None);
        };
        let url = self.repository_url(["actions", "concurrency_groups", name]);
        let queue: Rc<GroupQueue> = self.read(&url, WHAT).await?;
        let mut members = queue.group_members.entries.iter();
        let Some(next) = members.find(|member| member.run_id > own_id) else {
            return Ok(None);
        };
        let id = next.run_id.to_string();
        let url = self.repository_url(["actions", "runs", &id]);
        let read: Option<Rc<RunStatus>> = self.read(&url, "the run").await.ok();
        Ok(Some(Run {
            url: self.run_page(next.run_html_url.as_deref(), next.run_id),
            id,
            number: read.and_then(|read| read.run_number),
            matched_by: MatchedBy::Id,
            workflow: None,
            attempt: FIRST_ATTEMPT,
            started_by_attempt: None,
        }))
    }

    /// Reads a run to follow, and pins its current attempt unless another one is given.
    pub(super) async fn read_followed(&self, given: &FollowedRun) -> Result<Run, Error> {
        const WHAT: &str = "reading the run";
        let mut url = self.repository_url(["actions", "runs", &given.id]);
        if let Some(attempt) = given.attempt {
            url = below(&url, ["attempts", &attempt.to_string()]);
        }
        let found: Rc<RunStatus> = self.read(&url, WHAT).await?;
        found.check_id(&given.id)?;
        Ok(given.run(found.run_number, given.attempt.or(found.run_attempt)))
    }

    /// Reads the status of the run's attempt. A later attempt counts as a different run.
    pub(super) async fn snapshot(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        let found = self.run_status(run, &self.attempt_url(run)).await?;
        let status = found.status.as_str();
        let blocked_on =
            match status {
                "waiting" => Some(self.pending_deployments(run).await?.unwrap_or_else(|| {
                    BlockedOn::Passing("a deployment protection rule".to_owned())
                })),
                "pending" => Some(self.concurrency_turn(run).await?),
                _ => None,
            };
        let state = state(status, found.conclusion.as_deref(), blocked_on.as_ref());
        let jobs = match depth {
            Depth::Run => None,
            Depth::Jobs => optional_read(
                pages::try_sizes(&PAGE_SIZES, async |size| self.jobs(run, state, size).await).await,
                state,
            )?,
        };
        Ok(found.snapshot(state, blocked_on, jobs))
    }

    /// Returns the number of the run's latest attempt, even if somebody else started it.
    pub(super) async fn latest_attempt(&self, run: &Run) -> Result<Option<u64>, Error> {
        let url = self.repository_url(["actions", "runs", &run.id]);
        Ok(self.run_status(run, &url).await?.run_attempt)
    }

    /// Reads the run, or one of its attempts.
    async fn run_status(&self, run: &Run, url: &Url) -> Result<Rc<RunStatus>, Error> {
        const WHAT: &str = "reading the run";
        self.make_ready().await?;
        let signed_in = self.signed_in();
        let found: Rc<RunStatus> = match self.read(url, WHAT).await {
            Err(error) if self.renew_if_rejected(&error, &signed_in).await? => {
                self.read(url, WHAT).await?
            }
            found => found?,
        };
        found.check_id(&run.id)?;
        Ok(found)
    }

    /// Returns whether the run's attempt is known to be over. `false` if it can't be read.
    pub(super) async fn is_completed(&self, run: &Run) -> bool {
        let url = self.attempt_url(run);
        let found: Result<Rc<RunStatus>, Error> = self.read(&url, "reading the run").await;
        found.is_ok_and(|found| found.status == "completed")
    }

    fn attempt_url(&self, run: &Run) -> Url {
        let attempt = run.attempt.to_string();
        self.repository_url(["actions", "runs", &run.id, "attempts", &attempt])
    }

    async fn jobs(&self, run: &Run, run_state: State, size: usize) -> Result<Entries<Job>, Error> {
        let base = below(&self.attempt_url(run), ["jobs"]);
        let mut list = Vec::new();
        let mut length = 0;
        for page in 1..=MAX_PAGES {
            let mut url = base.clone();
            url.set_query(Some(&format!("per_page={size}&page={page}")));
            let read: Rc<JobList> = self.read(&url, "reading the run's jobs").await?;
            let entries = read.jobs.entries.iter();
            list.extend(entries.map(|read| job(read, run_state, &self.location.server.web)));
            length += read.jobs.length;
            if read.jobs.is_last(size, length, read.total_count) {
                return Ok(Entries { list, cut_at: None });
            }
        }
        Ok(Entries {
            list,
            cut_at: Some(length),
        })
    }

    /// Reads which approvals or timers the run is waiting for. `None` if GitHub names neither.
    async fn pending_deployments(&self, run: &Run) -> Result<Option<BlockedOn>, Error> {
        let url = self.repository_url(["actions", "runs", &run.id, "pending_deployments"]);
        let read = self.read(&url, "reading what the run waits for").await;
        let pending: Option<Rc<List<PendingDeployment>>> = optional_read(read, State::Queued)?;
        Ok(pending.and_then(|pending| pending_on(&pending.entries)))
    }

    /// Reads the run's position in its concurrency group. The position is `None` if the server doesn't return it.
    async fn concurrency_turn(&self, run: &Run) -> Result<BlockedOn, Error> {
        let url = self.repository_url(["actions", "runs", &run.id, "concurrency_groups"]);
        let read = self.read(&url, "reading the concurrency groups").await;
        let groups: Option<Rc<ConcurrencyGroups>> = optional_read(read, State::Queued)?;
        Ok(BlockedOn::Turn {
            position: groups.and_then(|groups| groups.position()),
        })
    }
}

impl RunStatus {
    fn check_id(&self, id: &str) -> Result<(), Error> {
        if self.id.to_string() == id {
            return Ok(());
        }
        let why = "the response is about another run";
        Err(unreadable_response("reading the run", why))
    }

    fn snapshot(
        &self,
        state: State,
        blocked_on: Option<BlockedOn>,
        jobs: Option<Entries<Job>>,
    ) -> Snapshot {
        let is_over = state.conclusion().is_some();
        Snapshot {
            state,
            provider_status: ProviderStatus {
                state: self.status.clone(),
                conclusion: self.conclusion.clone(),
                reason: self.conclusion.as_deref().and_then(reason),
            },
            lacks_conclusion: self.status == "completed" && self.conclusion.is_none(),
            number: self.run_number,
            attempt: self.run_attempt,
            times: Times {
                created: self.created_at,
                started: self.run_started_at,
                completed: self.updated_at.filter(|_| is_over),
            },
            changed: self.updated_at,
            blocked_on,
            jobs_cut_at: jobs.as_ref().and_then(|jobs| jobs.cut_at),
            jobs: jobs.map(|jobs| jobs.list),
        }
    }
}

/// Returns the pending approvals or, if there are none, a wait timer or a rule of the environment's own.
fn pending_on(pending: &[PendingDeployment]) -> Option<BlockedOn> {
    let reviews: Vec<_> = pending
        .iter()
        .filter_map(PendingDeployment::review)
        .collect();
    if !reviews.is_empty() {
        return Some(BlockedOn::Person(wire::listed(&reviews, "; ")));
    }
    let mut timers = pending.iter().filter_map(PendingDeployment::timer);
    let timer = timers.next().or_else(|| {
        let environment = pending.first()?.environment.name();
        Some(format!(
            "a protection rule of the environment {environment}"
        ))
    });
    timer.map(BlockedOn::Passing)
}

impl ConcurrencyGroups {
    fn position(&self) -> Option<u64> {
        let groups = self.concurrency_groups.entries.iter();
        let members = groups.flat_map(|group| &group.group_members.entries);
        members.filter_map(|member| member.position).max()
    }
}

impl PendingDeployment {
    fn review(&self) -> Option<String> {
        let names: Vec<_> = self
            .reviewers
            .entries
            .iter()
            .filter_map(|reviewer| reviewer.reviewer.as_ref())
            .filter_map(|account| account.login.as_deref().or(account.name.as_deref()))
            .collect();
        (self.reviewers.length > 0).then(|| {
            let by = if names.is_empty() {
                String::new()
            } else {
                format!(" by {}", wire::listed(&names, " or "))
            };
            format!(
                "approval of the environment {}{by}",
                self.environment.name()
            )
        })
    }

    fn timer(&self) -> Option<String> {
        let minutes = self.wait_timer.filter(|minutes| *minutes > 0)?;
        let environment = self.environment.name();
        Some(format!("the wait timer of {environment} ({minutes} min)"))
    }
}

impl PendingEnvironment {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("without a name")
    }
}

fn job(job: &WorkflowJob, run_state: State, web: &Url) -> Job {
    let status = job.status.as_str();
    let state = match status {
        // The run's state shows whether this is for a person or a timer.
        "waiting" if run_state == State::Blocked => State::Blocked,
        _ => state(status, job.conclusion.as_deref(), None),
    };
    Job {
        id: job.id.to_string(),
        name: job.name.clone().unwrap_or_else(|| job.id.to_string()),
        kind: JobKind::Job,
        state,
        times: Times {
            created: job.created_at,
            started: job.started_at,
            completed: job.completed_at,
        },
        url: wire::page_at(job.html_url.as_deref(), web),
        failed_step: job.failed_step.as_ref().map(|step| Step {
            name: step.name.clone(),
            number: step.number,
        }),
        log_size: None,
    }
}

/// What to do about a conclusion that needs more than its name. GitHub's API gives no reasons.
fn reason(conclusion: &str) -> Option<String> {
    let reason = match conclusion {
        "startup_failure" => {
            "the workflow couldn't start. Most likely its file, or that of a workflow it calls, is invalid; the run's page shows the error"
        }
        "action_required" => "somebody with write access has to approve the run on its page",
        "stale" => "GitHub gave up on it after 14 days",
        _ => return None,
    };
    Some(reason.to_owned())
}

/// Unknown statuses count as running. So does `completed` without a conclusion, which is about to follow.
fn state(status: &str, conclusion: Option<&str>, blocked_on: Option<&BlockedOn>) -> State {
    match status {
        "completed" => conclusion.map_or(State::Running, |word| {
            State::Completed(self::conclusion(word))
        }),
        "waiting" if matches!(blocked_on, Some(BlockedOn::Person(_))) => State::Blocked,
        "queued" | "requested" | "pending" | "waiting" => State::Queued,
        _ => State::Running,
    }
}

/// Unknown conclusions count as failure.
fn conclusion(word: &str) -> Conclusion {
    match word {
        "success" => Conclusion::Success,
        "neutral" => Conclusion::Neutral,
        "skipped" => Conclusion::Skipped,
        "cancelled" | "stale" => Conclusion::Cancelled,
        _ => Conclusion::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_maps_to_a_state() {
        let person = BlockedOn::Person("approval".to_owned());
        for (status, blocked_on, expected) in [
            ("queued", None, State::Queued),
            ("requested", None, State::Queued),
            ("pending", None, State::Queued),
            ("waiting", None, State::Queued),
            ("waiting", Some(&person), State::Blocked),
            ("in_progress", None, State::Running),
            ("contemplating", None, State::Running),
            ("completed", None, State::Running),
            ("", None, State::Running),
        ] {
            assert_eq!(state(status, None, blocked_on), expected, "{status}");
        }
    }

    #[test]
    fn every_conclusion_is_translated() {
        for (word, expected) in [
            (Some("success"), Conclusion::Success),
            (Some("neutral"), Conclusion::Neutral),
            (Some("skipped"), Conclusion::Skipped),
            (Some("cancelled"), Conclusion::Cancelled),
            (Some("stale"), Conclusion::Cancelled),
            (Some("failure"), Conclusion::Failure),
            (Some("timed_out"), Conclusion::Failure),
            (Some("startup_failure"), Conclusion::Failure),
            (Some("action_required"), Conclusion::Failure),
            (Some("exploded"), Conclusion::Failure),
        ] {
            let expected = State::Completed(expected);
            assert_eq!(state("completed", word, None), expected, "{word:?}");
        }
    }
}
