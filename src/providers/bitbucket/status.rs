//! Reads the status of a pipeline and its steps, and translates Bitbucket's states and results.
//! See <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/>.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::Url;

use super::Bitbucket;
use crate::model::{
    BlockedOn, Conclusion, Job, JobKind, ProviderStatus, Run, Snapshot, State, Times,
};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::pages::{self, List, MAX_PAGES, PAGE_SIZES};
use crate::providers::provider::Depth;
use crate::providers::reading::{optional_read, unreadable_response};
use crate::providers::wire;

#[derive(Deserialize)]
struct BitbucketPipelineStatus {
    #[serde(deserialize_with = "wire::uuid")]
    uuid: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    build_number: Option<u64>,
    state: PipelineState,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_on: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    completed_on: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct PipelineState {
    #[serde(deserialize_with = "wire::word")]
    name: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    stage: Option<Named>,
    result: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(deserialize_with = "wire::word")]
    name: String,
}

#[derive(Deserialize)]
struct Steps {
    values: List<PipelineStep>,
    /// The URL of the next page.
    #[serde(default, deserialize_with = "wire::url")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct PipelineStep {
    #[serde(deserialize_with = "wire::uuid")]
    uuid: String,
    #[serde(default, deserialize_with = "wire::name")]
    name: Option<String>,
    state: PipelineState,
    #[serde(default, deserialize_with = "wire::lenient")]
    started_on: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    completed_on: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    trigger: Option<StepTrigger>,
}

#[derive(Deserialize)]
struct StepTrigger {
    #[serde(rename = "type", deserialize_with = "wire::word")]
    kind: String,
}

impl Bitbucket<'_> {
    pub(super) async fn snapshot(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        const WHAT: &str = "the pipeline";
        let url = self.repository(["pipelines", &run.id]);
        let pipeline: BitbucketPipelineStatus = self.read(&url, WHAT).await?;
        if pipeline.uuid != run.id {
            return Err(unreadable_response(
                WHAT,
                "the answer is about another pipeline",
            ));
        }
        let state = pipeline.state.state();
        let steps = match depth {
            Depth::Run => None,
            Depth::Jobs => optional_read(
                pages::try_sizes(&PAGE_SIZES, async |size| self.steps(run, size).await).await,
                state,
            )?,
        };
        Ok(pipeline.snapshot(steps))
    }

    async fn steps(&self, run: &Run, size: usize) -> Result<Vec<PipelineStep>, Error> {
        const WHAT: &str = "the pipeline's steps";
        // With a trailing slash, as documented.
        let mut url = self.repository(["pipelines", &run.id, "steps", ""]);
        url.set_query(Some(&format!("pagelen={size}")));
        let mut steps = Vec::new();
        for _ in 0..MAX_PAGES {
            let page: Steps = self.read(&url, WHAT).await?;
            steps.extend(page.values.entries);
            match page.next.and_then(|next| Url::parse(&next).ok()) {
                None => break,
                // Only on the same server, because the credential is sent with the request.
                Some(next) if next.origin() == url.origin() => url = next,
                Some(_) => {
                    return Err(Error::new(
                        ErrorKind::Unknown,
                        format!("{WHAT} are said to go on at another server"),
                    ));
                }
            }
        }
        Ok(steps)
    }
}

impl BitbucketPipelineStatus {
    fn snapshot(self, steps: Option<Vec<PipelineStep>>) -> Snapshot {
        let state = self.state.state();
        let is_blocked = state == State::Blocked;
        let blocked_on = steps.as_deref().filter(|_| is_blocked).map(blocked_on);
        let jobs = steps.map(|steps| {
            let steps = steps.into_iter();
            steps.map(|step| step.job(is_blocked)).collect()
        });
        Snapshot {
            state,
            lacks_conclusion: self.state.lacks_result(),
            provider_status: self.state.provider_status(),
            number: self.build_number,
            attempt: None,
            times: Times {
                created: self.created_on,
                started: None,
                completed: self.completed_on,
            },
            changed: None,
            blocked_on,
            jobs,
        }
    }
}

fn blocked_on(steps: &[PipelineStep]) -> BlockedOn {
    let manual = steps.iter().find(|step| step.waits_for_person());
    BlockedOn::Person(match manual {
        Some(step) => format!("the step {} to be started by hand", step.name()),
        None => "a step to be started by hand".to_owned(),
    })
}

impl PipelineStep {
    fn waits_for_person(&self) -> bool {
        let is_manual = self
            .trigger
            .as_ref()
            .is_some_and(|trigger| trigger.kind.ends_with("manual"));
        is_manual && self.state.name == "PENDING"
    }

    fn name(&self) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| "without a name".to_owned())
    }

    fn job(self, is_blocked: bool) -> Job {
        let state = if is_blocked && self.waits_for_person() {
            State::Blocked
        } else {
            self.state.state()
        };
        Job {
            name: self.name(),
            id: self.uuid,
            kind: JobKind::Job,
            state,
            times: Times {
                created: None,
                started: self.started_on,
                completed: self.completed_on,
            },
            url: None,
            failed_step: None,
            log_size: None,
        }
    }
}

impl PipelineState {
    /// Returns whether the pipeline or step is over, but its result hasn't been published yet.
    fn lacks_result(&self) -> bool {
        self.name == "COMPLETED" && self.result.is_none()
    }

    /// Unknown states count as running, unknown results as failures.
    fn state(&self) -> State {
        let name = |named: &Option<Named>| {
            named
                .as_ref()
                .map_or(String::new(), |named| named.name.clone())
        };
        match (self.name.as_str(), name(&self.stage).as_str()) {
            ("COMPLETED", _) if self.lacks_result() => State::Running,
            ("COMPLETED", _) => State::Completed(conclusion(&name(&self.result))),
            ("NOT_RUN", _) => State::Completed(Conclusion::Skipped),
            ("PARSING" | "PENDING" | "READY", _) => State::Queued,
            (_, "PAUSED" | "HALTED") | ("PAUSED" | "HALTED", _) => State::Blocked,
            _ => State::Running,
        }
    }

    /// Adds the stage, which says more about an unfinished pipeline than its state.
    fn provider_status(self) -> ProviderStatus {
        let state = match self.stage {
            Some(stage) => format!("{} {}", self.name, stage.name),
            None => self.name,
        };
        ProviderStatus {
            state,
            conclusion: self.result.map(|result| result.name),
        }
    }
}

fn conclusion(word: &str) -> Conclusion {
    match word {
        "SUCCESSFUL" => Conclusion::Success,
        "STOPPED" | "EXPIRED" => Conclusion::Cancelled,
        // Only for steps.
        "NOT_RUN" => Conclusion::Skipped,
        _ => Conclusion::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str, stage: Option<&str>, result: Option<&str>) -> State {
        let named = |name: &str| Named {
            name: name.to_owned(),
        };
        PipelineState {
            name: name.to_owned(),
            stage: stage.map(named),
            result: result.map(named),
        }
        .state()
    }

    #[test]
    fn every_state_and_stage_maps_to_a_state() {
        for (name, stage, expected) in [
            ("PARSING", None, State::Queued),
            ("PENDING", None, State::Queued),
            ("IN_PROGRESS", None, State::Running),
            ("IN_PROGRESS", Some("RUNNING"), State::Running),
            ("IN_PROGRESS", Some("PAUSED"), State::Blocked),
            ("IN_PROGRESS", Some("HALTED"), State::Blocked),
            ("IN_PROGRESS", Some("DREAMING"), State::Running),
            ("DREAMING", None, State::Running),
            ("COMPLETED", None, State::Running),
        ] {
            assert_eq!(state(name, stage, None), expected, "{name} {stage:?}");
        }
    }

    #[test]
    fn every_result_maps_to_a_conclusion() {
        for (result, expected) in [
            (Some("SUCCESSFUL"), Conclusion::Success),
            (Some("FAILED"), Conclusion::Failure),
            (Some("ERROR"), Conclusion::Failure),
            (Some("STOPPED"), Conclusion::Cancelled),
            (Some("EXPIRED"), Conclusion::Cancelled),
            (Some("EXPLODED"), Conclusion::Failure),
        ] {
            let expected = State::Completed(expected);
            assert_eq!(state("COMPLETED", None, result), expected, "{result:?}");
        }
    }
}
