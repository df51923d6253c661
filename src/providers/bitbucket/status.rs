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
use crate::providers::pages::{self, Entries, List, MAX_PAGES, PAGE_SIZES};
use crate::providers::provider::Depth;
use crate::providers::reading::{optional_read, unreadable_response};
use crate::providers::wire;

/// Bitbucket doesn't say why. It follows "waits for".
const HALTED: &str = "somebody to resume it (Bitbucket has halted it, most often because the workspace has used up its build minutes)";

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
    stage: Option<NamedObject>,
    result: Option<PipelineResult>,
}

#[derive(Deserialize)]
struct PipelineResult {
    #[serde(deserialize_with = "wire::word")]
    name: String,
    /// Why a pipeline or step has the result `ERROR`.
    #[serde(default, deserialize_with = "wire::lenient")]
    error: Option<ResultError>,
}

#[derive(Deserialize)]
struct ResultError {
    #[serde(default, deserialize_with = "wire::title")]
    message: String,
}

#[derive(Deserialize)]
struct NamedObject {
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
        const WHAT: &str = "reading the pipeline";
        let url = self.repository(["pipelines", &run.id]);
        let pipeline: BitbucketPipelineStatus = self.read(&url, WHAT).await?;
        if pipeline.uuid != run.id {
            return Err(unreadable_response(
                WHAT,
                "the response is about another pipeline",
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

    async fn steps(&self, run: &Run, size: usize) -> Result<Entries<PipelineStep>, Error> {
        const WHAT: &str = "reading the pipeline's steps";
        // With a trailing slash, as documented.
        let mut url = self.repository(["pipelines", &run.id, "steps", ""]);
        url.set_query(Some(&format!("pagelen={size}")));
        let mut list = Vec::new();
        let mut length = 0;
        for _ in 0..MAX_PAGES {
            let page: Steps = self.read(&url, WHAT).await?;
            length += page.values.length;
            list.extend(page.values.entries);
            match page.next.and_then(|next| Url::parse(&next).ok()) {
                None => return Ok(Entries { list, cut_at: None }),
                // Only on the same server, because the credential is sent with the request.
                Some(next) if next.origin() == url.origin() => url = next,
                Some(_) => {
                    return Err(Error::new(
                        ErrorKind::Unknown,
                        format!("{WHAT} failed: the next page is on another host"),
                    ));
                }
            }
        }
        Ok(Entries {
            list,
            cut_at: Some(length),
        })
    }
}

impl BitbucketPipelineStatus {
    fn snapshot(self, steps: Option<Entries<PipelineStep>>) -> Snapshot {
        let jobs_cut_at = steps.as_ref().and_then(|steps| steps.cut_at);
        let steps = steps.map(|steps| steps.list);
        let state = self.state.state();
        let is_blocked = state == State::Blocked;
        let is_halted = self.state.is_halted();
        let blocked_on = steps.as_deref().filter(|_| is_blocked);
        let blocked_on = blocked_on.map(|steps| blocked_on_of(steps, is_halted));
        let step_reason = steps.as_deref().and_then(step_reason);
        let jobs = steps.map(|steps| {
            let steps = steps.into_iter();
            steps.map(|step| step.job(is_blocked)).collect()
        });
        Snapshot {
            state,
            lacks_conclusion: self.state.lacks_result(),
            provider_status: self.state.provider_status(step_reason),
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
            jobs_cut_at,
        }
    }
}

/// Bitbucket pauses a pipeline at a manual step, and at a step that deploys to an environment to which another pipeline is
/// deploying. Somebody has to resume that one, too:
/// <https://support.atlassian.com/bitbucket-cloud/docs/concurrency-control/>.
fn blocked_on_of(steps: &[PipelineStep], is_halted: bool) -> BlockedOn {
    let paused = steps.iter().find(|step| step.is_paused());
    let manual = steps.iter().find(|step| step.is_pending_manual());
    BlockedOn::Person(match paused.or(manual) {
        _ if is_halted => HALTED.to_owned(),
        Some(step) if step.is_pending_manual() => {
            format!("the step {} to be started by hand", step.name())
        }
        Some(step) if step.trigger.is_some() => format!(
            "somebody to resume the step {} (Bitbucket has paused it, most often because of another deployment to the same environment)",
            step.name()
        ),
        Some(_) | None => {
            "a step to be started by hand, or to be resumed after another deployment to the same environment"
                .to_owned()
        }
    })
}

/// Why the first step with an error message failed.
fn step_reason(steps: &[PipelineStep]) -> Option<String> {
    steps.iter().find_map(|step| {
        let reason = step.state.reason()?;
        Some(format!("step {}: {reason}", step.name()))
    })
}

impl PipelineStep {
    fn is_paused(&self) -> bool {
        self.state.name == "PENDING" && self.state.is_at("PAUSED")
    }

    fn is_pending_manual(&self) -> bool {
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
        let state = if is_blocked && (self.is_paused() || self.is_pending_manual()) {
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
        let stage = self.stage.as_ref().map_or("", |stage| stage.name.as_str());
        match (self.name.as_str(), stage) {
            ("COMPLETED", _) => match &self.result {
                Some(result) => State::Completed(conclusion(&result.name)),
                None => State::Running,
            },
            ("NOT_RUN", _) => State::Completed(Conclusion::Skipped),
            ("PARSING" | "PENDING" | "READY", _) => State::Queued,
            (_, "PAUSED" | "HALTED") | ("PAUSED" | "HALTED", _) => State::Blocked,
            _ => State::Running,
        }
    }

    fn is_halted(&self) -> bool {
        self.name == "HALTED" || self.is_at("HALTED")
    }

    fn is_at(&self, stage: &str) -> bool {
        self.stage.as_ref().is_some_and(|known| known.name == stage)
    }

    /// The error message of the result.
    fn reason(&self) -> Option<&str> {
        let error = self.result.as_ref()?.error.as_ref()?;
        Some(error.message.as_str()).filter(|message| !message.is_empty())
    }

    /// Adds the stage, which says more about an unfinished pipeline than its state. `step_reason` is why a step failed.
    fn provider_status(self, step_reason: Option<String>) -> ProviderStatus {
        let reason = self.reason().map(str::to_owned).or(step_reason);
        let state = match self.stage {
            Some(stage) => format!("{} {}", self.name, stage.name),
            None => self.name,
        };
        ProviderStatus {
            state,
            conclusion: self.result.map(|result| result.name),
            reason,
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
    use serde_json::{Value, json};

    fn state(name: &str, stage: Option<&str>, result: Option<&str>) -> State {
        let named = |name: &str| NamedObject {
            name: name.to_owned(),
        };
        PipelineState {
            name: name.to_owned(),
            stage: stage.map(named),
            result: result.map(|name| PipelineResult {
                name: name.to_owned(),
                error: None,
            }),
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

    const UUID: &str = "{3b9fd2b1-4a10-4c1c-8b3a-000000000000}";

    fn snapshot(state: &Value, step_state: &Value) -> Snapshot {
        let pipeline = json!({ "uuid": UUID, "state": state });
        let pipeline: BitbucketPipelineStatus =
            serde_json::from_str(&pipeline.to_string()).unwrap();
        let step = json!({ "uuid": UUID, "name": "Deploy", "state": step_state });
        let list = serde_json::from_str(&json!([step]).to_string()).unwrap();
        pipeline.snapshot(Some(Entries { list, cut_at: None }))
    }

    #[test]
    fn an_error_message_of_a_result_is_the_reason() {
        let over = |result: Value| json!({ "name": "COMPLETED", "result": result });
        let failed = over(json!({ "name": "FAILED" }));
        let error = over(json!({ "name": "ERROR", "error": { "message": "no such image" } }));
        let odd = over(json!({ "name": "ERROR", "error": "no" }));
        for (pipeline, step, expected) in [
            (&failed, &failed, None),
            (&odd, &odd, None),
            (&error, &failed, Some("no such image")),
            (&failed, &error, Some("step Deploy: no such image")),
        ] {
            let status = snapshot(pipeline, step).provider_status;
            assert_eq!(status.reason.as_deref(), expected);
        }
    }

    #[test]
    fn a_halted_pipeline_waits_for_no_manual_step() {
        let at = |stage: &str| json!({ "name": "IN_PROGRESS", "stage": { "name": stage } });
        let pending = json!({ "name": "PENDING" });
        let halted = snapshot(&at("HALTED"), &pending).blocked_on;
        assert_eq!(halted, Some(BlockedOn::Person(HALTED.to_owned())));
        let Some(BlockedOn::Person(paused)) = snapshot(&at("PAUSED"), &pending).blocked_on else {
            panic!("it waits for somebody");
        };
        assert!(paused.contains("a step to be started by hand"), "{paused}");
    }
}
