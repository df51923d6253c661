//! Reads the status of a pipeline, its jobs and its downstream pipelines, and translates GitLab's statuses.
//! See <https://docs.gitlab.com/api/pipelines/> and <https://docs.gitlab.com/api/jobs/>.

use ::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::GitLab;
use crate::model::{
    BlockedOn, Conclusion, Job, JobKind, ProviderStatus, Run, Snapshot, State, Times,
};
use crate::providers::error::Error;
use crate::providers::pages::{self, Entries, List, MAX_PAGES, PAGE_SIZES};
use crate::providers::provider::Depth;
use crate::providers::reading::{optional_read, parse_json, unreadable_response};
use crate::providers::wire;

/// The endpoint that lists the pipelines started by a pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum DownstreamEndpoint {
    /// Since GitLab 19.2; tried first.
    #[default]
    TriggerJobs,
    Bridges,
    /// There are no downstream pipelines, or both endpoints answered 404.
    Unavailable,
}

#[derive(Deserialize)]
struct GitLabPipelineStatus {
    id: u64,
    #[serde(default, deserialize_with = "wire::lenient")]
    iid: Option<u64>,
    #[serde(deserialize_with = "wire::word")]
    status: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    finished_at: Option<DateTime<Utc>>,
    /// Errors of `.gitlab-ci.yml`.
    #[serde(default, deserialize_with = "wire::title")]
    yaml_errors: String,
}

#[derive(Deserialize)]
pub(super) struct PipelineJob {
    pub(super) id: u64,
    #[serde(default, deserialize_with = "wire::name")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "wire::word")]
    status: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    allow_failure: bool,
    #[serde(default, deserialize_with = "wire::url")]
    web_url: Option<String>,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    finished_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::name")]
    failure_reason: Option<String>,
    #[serde(default, rename = "artifacts", deserialize_with = "log_size")]
    log_size: Option<u64>,
    /// The pipeline that a trigger job started.
    #[serde(default, deserialize_with = "wire::lenient")]
    downstream_pipeline: Option<DownstreamPipeline>,
}

#[derive(Deserialize)]
struct JobFile {
    #[serde(deserialize_with = "wire::word")]
    file_type: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    size: Option<u64>,
}

/// Reads a job's list of files, and keeps only the size of its log.
fn log_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let files: List<JobFile> = wire::lenient(deserializer)?;
    let trace = files.entries.iter().find(|file| file.file_type == "trace");
    Ok(trace.and_then(|trace| trace.size))
}

#[derive(Deserialize)]
struct DownstreamPipeline {
    #[serde(deserialize_with = "wire::word")]
    status: String,
    #[serde(default, deserialize_with = "wire::url")]
    web_url: Option<String>,
}

impl GitLab<'_> {
    pub(super) async fn snapshot(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        let pipeline = self.pipeline_status(run).await?;
        let state = pipeline.state_after_retry(self.retried_end.get());
        let mut reason = None;
        let jobs = match depth {
            Depth::Run => None,
            Depth::Jobs => {
                let web = &self.location.server.web;
                match optional_read(self.jobs(run).await, state)? {
                    None => None,
                    Some(Entries { list, cut_at }) => {
                        reason = job_reason(&list);
                        let list = list.into_iter().map(|of_pipeline| job(of_pipeline, web));
                        let mut list: Vec<_> = list.collect();
                        list.extend(self.downstream_jobs(run, state).await?);
                        Some(Entries { list, cut_at })
                    }
                }
            }
        };
        Ok(pipeline.snapshot(state, jobs, reason))
    }

    /// Whether the pipeline has started again since this end. It keeps its id and has no attempts. Right after a retry
    /// it may still show the old end, and the jobs that were run again may already have failed again. Without an end
    /// time, only another status shows that.
    pub(super) async fn has_left_end(&self, run: &Run, ended: &Snapshot) -> Result<bool, Error> {
        let pipeline = self.pipeline_status(run).await?;
        Ok(match ended.times.completed {
            Some(time) => !pipeline.is_at_end(Some(time)),
            None => pipeline.status != ended.provider_status.state,
        })
    }

    async fn pipeline_status(&self, run: &Run) -> Result<GitLabPipelineStatus, Error> {
        const WHAT: &str = "reading the pipeline";
        let url = self.repository(["pipelines", &run.id]);
        let pipeline: GitLabPipelineStatus = self.read(&url, WHAT).await?;
        if pipeline.id.to_string() != run.id {
            return Err(unreadable_response(
                WHAT,
                "the response is about another pipeline",
            ));
        }
        Ok(pipeline)
    }

    pub(super) async fn jobs(&self, run: &Run) -> Result<Entries<PipelineJob>, Error> {
        let read = async |size| self.jobs_paged(run, size).await;
        let mut jobs = pages::try_sizes(&PAGE_SIZES, read).await?;
        // GitLab lists the newest first, but people read in chronological order.
        jobs.list.sort_by_key(|job| job.id);
        Ok(jobs)
    }

    async fn jobs_paged(&self, run: &Run, size: usize) -> Result<Entries<PipelineJob>, Error> {
        const WHAT: &str = "reading the pipeline's jobs";
        let base = self.repository(["pipelines", &run.id, "jobs"]);
        let mut list = Vec::new();
        let mut length = 0;
        for page in 1..=MAX_PAGES {
            let mut url = base.clone();
            url.set_query(Some(&format!("per_page={size}&page={page}")));
            let response = self.get(&url).await?.check_status(WHAT)?;
            let is_last = response.header("x-next-page").is_none_or(str::is_empty);
            let page_of_jobs: List<PipelineJob> = parse_json(response, WHAT)?;
            length += page_of_jobs.length;
            list.extend(page_of_jobs.entries);
            if is_last {
                return Ok(Entries { list, cut_at: None });
            }
        }
        Ok(Entries {
            list,
            cut_at: Some(length),
        })
    }

    /// Returns the downstream pipelines as jobs, as far as they can be read: only the first page, because a pipeline
    /// with more than 100 trigger jobs is rare, and they are only shown. They don't decide how the pipeline ends.
    async fn downstream_jobs(&self, run: &Run, state: State) -> Result<Vec<Job>, Error> {
        let web = &self.location.server.web;
        loop {
            let (endpoint, next) = match self.downstream_endpoint.get() {
                DownstreamEndpoint::TriggerJobs => ("trigger_jobs", DownstreamEndpoint::Bridges),
                DownstreamEndpoint::Bridges => ("bridges", DownstreamEndpoint::Unavailable),
                DownstreamEndpoint::Unavailable => return Ok(Vec::new()),
            };
            let url = self.repository(["pipelines", &run.id, endpoint]);
            let read = pages::try_sizes(&PAGE_SIZES, async |size| {
                let mut url = url.clone();
                url.set_query(Some(&format!("per_page={size}")));
                self.read::<List<PipelineJob>>(&url, "reading the downstream pipelines")
                    .await
            });
            let trigger_jobs = match read.await {
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                    self.downstream_endpoint.set(next);
                    continue;
                }
                result => optional_read(result, state)?,
            };
            if trigger_jobs.as_ref().is_some_and(|jobs| jobs.length == 0) {
                // Trigger jobs are created together with the pipeline, so none will appear later.
                self.downstream_endpoint
                    .set(DownstreamEndpoint::Unavailable);
            }
            let trigger_jobs = trigger_jobs.unwrap_or_default().entries.into_iter();
            return Ok(trigger_jobs.map(|job| downstream_job(job, web)).collect());
        }
    }
}

impl GitLabPipelineStatus {
    /// Whether the pipeline has ended, at this time.
    fn is_at_end(&self, time: Option<DateTime<Utc>>) -> bool {
        let has_ended = state(&self.status).conclusion().is_some();
        has_ended && time.is_some() && self.finished_at == time
    }

    /// Returns the state. A pipeline that still shows the end from before its failed jobs were run again is queued.
    fn state_after_retry(&self, retried_end: Option<DateTime<Utc>>) -> State {
        if self.is_at_end(retried_end) {
            State::Queued
        } else {
            state(&self.status)
        }
    }

    /// `job_reason` is why a job failed, if that explains the pipeline.
    fn snapshot(
        self,
        state: State,
        jobs: Option<Entries<Job>>,
        job_reason: Option<String>,
    ) -> Snapshot {
        let has_failed = self.status == "failed";
        let errors = Some(self.yaml_errors).filter(|errors| !errors.is_empty());
        let reason = errors.map(|errors| format!("invalid .gitlab-ci.yml: {errors}"));
        Snapshot {
            state,
            blocked_on: jobs
                .as_ref()
                .and_then(|jobs| blocked_on(&self.status, &jobs.list)),
            provider_status: ProviderStatus {
                state: self.status,
                conclusion: None,
                reason: reason.or(job_reason).filter(|_| has_failed),
            },
            lacks_conclusion: false,
            number: self.iid,
            attempt: None,
            times: Times {
                created: self.created_at,
                started: self.started_at,
                // A pipeline that is retried keeps the time of its earlier end.
                completed: self.finished_at.filter(|_| state.conclusion().is_some()),
            },
            changed: self.updated_at,
            jobs_cut_at: jobs.as_ref().and_then(|jobs| jobs.cut_at),
            jobs: jobs.map(|jobs| jobs.list),
        }
    }
}

/// Returns why the first job failed for another reason than its script, whose log says more.
fn job_reason(jobs: &[PipelineJob]) -> Option<String> {
    jobs.iter()
        .filter(|job| job.status == "failed" && !job.allow_failure)
        .find_map(|job| {
            let reason = job.failure_reason.as_deref()?;
            let reason = match reason {
                "script_failure" => return None,
                "stuck_or_timeout_failure" => {
                    "no runner picked it up in time; check that a runner with its tags is online"
                }
                "no_matching_runner" => "no runner has its tags",
                "runner_system_failure" => "the runner failed; check the runner, and try again",
                "job_execution_timeout" => "it ran longer than its `timeout` allows",
                "ci_quota_exceeded" => "the namespace has used up its compute minutes",
                "protected_environment_failure" => {
                    "the pipeline's user isn't allowed to deploy to this environment"
                }
                "insufficient_bridge_permissions" => {
                    "the pipeline's user isn't allowed to start the downstream pipeline"
                }
                "missing_dependency_failure" => "an artifact that it needs is missing or expired",
                "user_blocked" => "the pipeline's user is blocked",
                other => other,
            };
            let name = job.name.as_deref().unwrap_or("without a name");
            Some(format!("job {name}: {reason}"))
        })
}

fn job(job: PipelineJob, web: &Url) -> Job {
    let state = match (state(&job.status), job.allow_failure) {
        // The pipeline continues without an optional manual job.
        (State::Blocked, true) => State::Queued,
        (state, _) => state,
    };
    Job {
        id: job.id.to_string(),
        name: job.name.unwrap_or_else(|| job.id.to_string()),
        kind: if job.allow_failure {
            JobKind::Optional
        } else {
            JobKind::Job
        },
        state,
        times: Times {
            created: job.created_at,
            started: job.started_at,
            completed: job.finished_at,
        },
        url: wire::page_at(job.web_url.as_deref(), web),
        failed_step: None,
        log_size: job.log_size,
    }
}

/// Shows the state and page of the downstream pipeline, not of the job that started it.
fn downstream_job(mut trigger_job: PipelineJob, web: &Url) -> Job {
    if let Some(pipeline) = trigger_job.downstream_pipeline.take() {
        trigger_job.status = pipeline.status;
        trigger_job.web_url = pipeline.web_url;
    }
    Job {
        kind: JobKind::Downstream,
        ..job(trigger_job, web)
    }
}

/// Only the jobs show which of them a `manual` pipeline is waiting for.
fn blocked_on(status: &str, jobs: &[Job]) -> Option<BlockedOn> {
    match status {
        "manual" => {
            let manual = jobs
                .iter()
                .filter(|job| job.state == State::Blocked)
                .map(|job| job.name.as_str());
            let names = wire::listed(&manual.collect::<Vec<_>>(), ", ");
            Some(BlockedOn::Person(if names.is_empty() {
                "a manual job to be started".to_owned()
            } else {
                format!("the manual job {names} to be started")
            }))
        }
        "waiting_for_resource" => Some(BlockedOn::Passing("its resource group".to_owned())),
        "scheduled" => Some(BlockedOn::Passing("a delayed job".to_owned())),
        _ => None,
    }
}

/// Unknown statuses count as running.
fn state(status: &str) -> State {
    match status {
        "success" => State::Completed(Conclusion::Success),
        "failed" => State::Completed(Conclusion::Failure),
        "canceled" => State::Completed(Conclusion::Cancelled),
        "skipped" => State::Completed(Conclusion::Skipped),
        "manual" => State::Blocked,
        "created"
        | "waiting_for_resource"
        | "preparing"
        | "waiting_for_callback"
        | "pending"
        | "scheduled" => State::Queued,
        _ => State::Running,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_status_maps_to_a_state() {
        for (status, expected) in [
            ("created", State::Queued),
            ("waiting_for_resource", State::Queued),
            ("preparing", State::Queued),
            ("waiting_for_callback", State::Queued),
            ("pending", State::Queued),
            ("scheduled", State::Queued),
            ("running", State::Running),
            ("canceling", State::Running),
            ("manual", State::Blocked),
            ("success", State::Completed(Conclusion::Success)),
            ("failed", State::Completed(Conclusion::Failure)),
            ("canceled", State::Completed(Conclusion::Cancelled)),
            ("skipped", State::Completed(Conclusion::Skipped)),
            ("cancelled", State::Running),
            ("meditating", State::Running),
        ] {
            assert_eq!(state(status), expected, "{status}");
        }
    }

    #[test]
    fn the_end_before_a_retry_is_not_the_end_after_it() {
        let (before, after) = ("2026-11-23T08:00:00.250Z", "2026-11-23T08:00:00.500Z");
        let failed = State::Completed(Conclusion::Failure);
        for (status, finished, retried, expected) in [
            ("failed", Some(before), None, failed),
            ("failed", Some(before), Some(before), State::Queued),
            ("running", Some(before), Some(before), State::Running),
            ("failed", Some(after), Some(before), failed),
            ("failed", None, Some(before), failed),
            ("failed", None, None, failed),
        ] {
            let pipeline = json!({ "id": 1, "status": status, "finished_at": finished });
            let pipeline: GitLabPipelineStatus =
                serde_json::from_str(&pipeline.to_string()).unwrap();
            let retried = retried.map(|time| time.parse().unwrap());
            let state = pipeline.state_after_retry(retried);
            assert_eq!(state, expected, "{status} {finished:?} {retried:?}");
            let times = pipeline.snapshot(state, None, None).times;
            let has_end = state == failed && finished.is_some();
            assert_eq!(times.completed.is_some(), has_end, "{status}");
        }
    }

    #[test]
    fn a_failed_pipeline_has_a_reason() {
        let pipeline = |errors: Option<&str>, status: &str| -> GitLabPipelineStatus {
            let pipeline = json!({ "id": 1, "status": status, "yaml_errors": errors });
            serde_json::from_str(&pipeline.to_string()).unwrap()
        };
        let jobs = |reason: &str, may_fail: bool| -> Vec<PipelineJob> {
            let job = json!({ "id": 1, "name": "deploy", "status": "failed", "failure_reason": reason, "allow_failure": may_fail });
            serde_json::from_str(&json!([job]).to_string()).unwrap()
        };
        let reason = |pipeline: GitLabPipelineStatus, jobs: &[PipelineJob]| {
            let snapshot = pipeline.snapshot(State::Running, None, job_reason(jobs));
            snapshot.provider_status.reason
        };
        let quota = "job deploy: the namespace has used up its compute minutes";
        for (errors, status, job, may_fail, expected) in [
            (None, "failed", "script_failure", false, None),
            (None, "failed", "ci_quota_exceeded", false, Some(quota)),
            (None, "failed", "ci_quota_exceeded", true, None),
            (None, "success", "ci_quota_exceeded", false, None),
            (
                None,
                "failed",
                "new_reason",
                false,
                Some("job deploy: new_reason"),
            ),
            (
                Some("a is bad"),
                "failed",
                "",
                false,
                Some("invalid .gitlab-ci.yml: a is bad"),
            ),
        ] {
            let found = reason(pipeline(errors, status), &jobs(job, may_fail));
            assert_eq!(found.as_deref(), expected);
        }
    }
}
