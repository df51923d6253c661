//! Looks at a pipeline and its jobs, and GitLab's words for where they are.
//! Facts: <https://docs.gitlab.com/api/pipelines/>, <https://docs.gitlab.com/api/jobs/>.

use ::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::GitLab;
use crate::provider::{Depth, Error, beside, judge, unreadable};
use crate::run::{Conclusion, Held, Job, Look, Nature, Run, State, Times, Words};

/// Most jobs that are read of a pipeline, in pages of a hundred.
const MOST_PAGES: usize = 10;

/// Where a server tells of the pipelines that a pipeline started in other projects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Downstream {
    /// Since 19.2, so that it is tried first.
    #[default]
    TriggerJobs,
    Bridges,
    /// There are none, or nobody tells.
    Nowhere,
}

#[derive(Deserialize)]
struct Pipeline {
    iid: Option<u64>,
    status: String,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub(super) struct PipelineJob {
    pub(super) id: u64,
    pub(super) name: String,
    status: String,
    #[serde(default)]
    allow_failure: bool,
    web_url: Option<String>,
    created_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    #[serde(default)]
    artifacts: Vec<JobFile>,
    /// Of a job that starts another pipeline.
    downstream_pipeline: Option<DownstreamPipeline>,
}

#[derive(Deserialize)]
struct JobFile {
    file_type: String,
    size: Option<u64>,
}

#[derive(Deserialize)]
struct DownstreamPipeline {
    status: String,
    web_url: Option<String>,
}

impl GitLab<'_> {
    pub(in crate::provider) async fn look(&self, run: &Run, depth: Depth) -> Result<Look, Error> {
        let url = self.project(["pipelines", &run.id]);
        let pipeline: Pipeline = self.read(&url, "the pipeline").await?;
        let state = state(&pipeline.status);
        let jobs = match depth {
            Depth::Run => None,
            Depth::Jobs => {
                let jobs = beside(self.jobs(run).await, state)?;
                let mut jobs = jobs.map(|jobs| jobs.into_iter().map(job).collect::<Vec<_>>());
                if let Some(jobs) = &mut jobs {
                    jobs.extend(self.downstream(run, state).await?);
                }
                jobs
            }
        };
        Ok(pipeline.look(jobs))
    }

    pub(super) async fn jobs(&self, run: &Run) -> Result<Vec<PipelineJob>, Error> {
        const WHAT: &str = "the pipeline's jobs";
        let base = self.project(["pipelines", &run.id, "jobs"]);
        let mut jobs: Vec<PipelineJob> = Vec::new();
        for page in 1..=MOST_PAGES {
            let mut url = base.clone();
            url.set_query(Some(&format!("per_page=100&page={page}")));
            let answer = judge(self.get(&url).await?, WHAT)?;
            let read: Vec<PipelineJob> = answer.json().map_err(|why| unreadable(WHAT, &why))?;
            jobs.extend(read);
            if answer.header("x-next-page").is_none_or(str::is_empty) {
                break;
            }
        }
        // GitLab tells the newest first; people read in the order of events.
        jobs.sort_by_key(|job| job.id);
        Ok(jobs)
    }

    /// Pipelines that this one started elsewhere, as far as they can be read.
    async fn downstream(&self, run: &Run, state: State) -> Result<Vec<Job>, Error> {
        loop {
            let (name, next) = match self.downstream.get() {
                Downstream::TriggerJobs => ("trigger_jobs", Downstream::Bridges),
                Downstream::Bridges => ("bridges", Downstream::Nowhere),
                Downstream::Nowhere => return Ok(Vec::new()),
            };
            let mut url = self.project(["pipelines", &run.id, name]);
            url.set_query(Some("per_page=100"));
            let read = match self
                .read::<Vec<PipelineJob>>(&url, "the downstream pipelines")
                .await
            {
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                    self.downstream.set(next);
                    continue;
                }
                read => beside(read, state)?,
            };
            if read.as_ref().is_some_and(Vec::is_empty) {
                // They are made together with the pipeline: there will be none later.
                self.downstream.set(Downstream::Nowhere);
            }
            return Ok(read.into_iter().flatten().map(downstream_job).collect());
        }
    }
}

impl Pipeline {
    fn look(self, jobs: Option<Vec<Job>>) -> Look {
        Look {
            state: state(&self.status),
            held: jobs.as_deref().and_then(|jobs| held(&self.status, jobs)),
            words: Words {
                state: self.status,
                conclusion: None,
            },
            lacks_conclusion: false,
            number: self.iid,
            attempt: None,
            times: Times {
                created: self.created_at,
                started: self.started_at,
                completed: self.finished_at,
            },
            changed: self.updated_at,
            jobs,
        }
    }
}

fn job(job: PipelineJob) -> Job {
    let state = match (state(&job.status), job.allow_failure) {
        // The pipeline goes on without it.
        (State::Blocked, true) => State::Queued,
        (state, _) => state,
    };
    let trace = job.artifacts.iter().find(|file| file.file_type == "trace");
    Job {
        id: job.id.to_string(),
        name: job.name,
        nature: if job.allow_failure {
            Nature::Optional
        } else {
            Nature::Job
        },
        state,
        times: Times {
            created: job.created_at,
            started: job.started_at,
            completed: job.finished_at,
        },
        url: job.web_url,
        failed_step: None,
        log_size: trace.and_then(|trace| trace.size),
    }
}

/// Where the other pipeline is counts, not the job that started it.
fn downstream_job(mut bridge: PipelineJob) -> Job {
    if let Some(pipeline) = bridge.downstream_pipeline.take() {
        bridge.status = pipeline.status;
        bridge.web_url = pipeline.web_url;
    }
    Job {
        nature: Nature::Downstream,
        ..job(bridge)
    }
}

/// Which jobs it waits for, only they tell.
fn held(status: &str, jobs: &[Job]) -> Option<Held> {
    match status {
        "manual" => {
            let manual = jobs
                .iter()
                .filter(|job| job.state == State::Blocked)
                .map(|job| job.name.as_str());
            let names = manual.collect::<Vec<_>>().join(", ");
            Some(Held::Person(if names.is_empty() {
                "a manual job to be started".to_owned()
            } else {
                format!("the manual job {names} to be started")
            }))
        }
        "waiting_for_resource" => Some(Held::Passing("its resource group".to_owned())),
        "scheduled" => Some(Held::Passing("a delayed job".to_owned())),
        _ => None,
    }
}

/// A status that nobody has heard of is no end.
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
    use crate::noise;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn every_status_is_a_state() {
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

    proptest! {
        #[test]
        fn a_look_never_panics(
            pipeline in noise::answer(json!({
                "id": 1, "iid": 7, "status": "manual", "created_at": "2026-11-22T12:00:00Z",
                "updated_at": "2026-11-22T12:00:00.123+01:00", "started_at": "2026-11-22T12:00:00Z",
                "finished_at": "2026-11-22T12:00:00Z",
            })),
            jobs in noise::answer(json!([{
                "id": 9, "name": "test", "status": "manual", "allow_failure": true, "web_url": "https://x.example",
                "created_at": "2026-11-22T12:00:00Z", "started_at": "2026-11-22T12:00:00Z",
                "finished_at": "2026-11-22T12:00:00Z",
                "artifacts": [{ "file_type": "trace", "size": 100_000 }],
                "downstream_pipeline": { "status": "running", "web_url": "https://x.example" },
            }])),
            is_downstream in any::<bool>(),
        ) {
            let jobs = jobs.answer().json::<Vec<PipelineJob>>();
            let read = if is_downstream { downstream_job } else { job };
            let jobs = jobs.map(|jobs| jobs.into_iter().map(read).collect());
            if let Ok(pipeline) = pipeline.answer().json::<Pipeline>() {
                pipeline.look(jobs.ok());
            }
        }
    }
}
