//! A run, the same for all three providers. `provider` translates its states into each provider's words; `scenario` and
//! `progress` advance it, and `rerun` starts its next attempt.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::scenario::Delays;
use super::{Job, OnCancel, Provider, RefKind, Scenario};
use crate::clock::Clock;

/// The prefix of the UUIDs of all runs.
const UUID_PREFIX: &str = "{00000000-0000-4000-8000-";

/// A workflow run or pipeline.
#[derive(Clone, Debug)]
pub struct Run {
    pub provider: Provider,
    /// `owner/name`, `group/sub/project` or `workspace/repo`.
    pub repository: String,
    /// The workflow's file name; `.gitlab-ci.yml`; the custom pipeline's name, or `default`.
    pub pipeline: String,
    /// GitHub's workflow id; 0 elsewhere.
    pub workflow_id: u64,
    /// GitHub's event (`repository_dispatch`, `workflow_dispatch`), GitLab's source (`trigger`, `api`, `push`), or
    /// Bitbucket's trigger (`manual`, `push`, `schedule`).
    pub event: String,
    /// Branch or tag; `None` if only a commit is given.
    pub reference: Option<(RefKind, String)>,
    /// The full hash.
    pub commit: String,
    /// GitHub workflow inputs (strings) or GitLab pipeline inputs (typed), including defaults.
    pub inputs: Map<String, Value>,
    pub variables: Vec<Variable>,
    /// GitLab: the variable that a trigger token's request adds.
    pub(crate) trigger_payload: Option<Variable>,
    /// The payload of a `repository_dispatch`, with the order of keys and the exact text of numbers.
    pub client_payload: Option<Value>,
    /// Name of the user or token that started it; never the token's value.
    pub actor: String,
    /// Not started by a trigger request (see [`World::strangers`](super::World::strangers)).
    pub by_stranger: bool,
    /// Unique within the provider.
    pub id: u64,
    /// Counts from 1: GitHub's `run_number` of the workflow, GitLab's `iid`, Bitbucket's `build_number`.
    pub number: u64,
    /// GitHub's `display_title`, GitLab's `name`; empty if it has none, and on Bitbucket.
    pub title: String,
    pub state: State,
    /// `None` until the run completes.
    pub conclusion: Option<Conclusion>,
    /// Whether a cancel took effect.
    pub cancelled: bool,
    /// Time of the last accepted cancel.
    pub cancel_requested_at: Option<SystemTime>,
    pub created_at: SystemTime,
    pub updated_at: SystemTime,
    /// Without a scenario, the run stays queued until a test completes it or it is cancelled.
    pub scenario: Option<Scenario>,
    pub jobs: Vec<Job>,
    /// While it is `Pending`: the number of runs before it in its concurrency group.
    pub position: Option<u32>,
    /// Whether another run of its concurrency group took its place while it was `Pending`.
    pub is_displaced: bool,
    /// Times of approvals, in order.
    pub(crate) approved_at: Vec<SystemTime>,
    /// Overrides the status or conclusion in the API.
    pub(crate) status_override: Option<String>,
    /// Earlier attempts, oldest first.
    pub(crate) earlier: Vec<Arc<Self>>,
    /// Jobs of earlier attempts that this one doesn't run again.
    pub(crate) kept: Vec<Job>,
    /// Name of the user or token that re-ran it by a request, if this attempt began with one.
    pub(crate) rerun_by: Option<String>,
    /// Number of cancels it has refused.
    pub(crate) cancels_refused: u32,
    pub(crate) delays: Delays,
    pub(crate) clock: Clock,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub key: String,
    pub value: String,
    /// Bitbucket's `secured`; always false elsewhere.
    pub secured: bool,
    pub kind: VariableKind,
}

/// GitLab's `variable_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableKind {
    Environment,
    File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Queued,
    /// Other runs of its concurrency group are before it.
    Pending,
    Running,
    /// Needs a person to approve a job.
    Blocked,
    /// Waiting for a timer.
    Delayed,
    Completed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    Success,
    Neutral,
    Skipped,
    Failure,
    Cancelled,
}

impl Run {
    /// A run that hasn't been added to a world.
    pub fn new(provider: Provider, repository: &str, pipeline: &str, event: &str) -> Self {
        let clock = Clock::default();
        let now = clock.now();
        Self {
            provider,
            repository: repository.to_owned(),
            pipeline: pipeline.to_owned(),
            workflow_id: 0,
            event: event.to_owned(),
            reference: None,
            commit: String::new(),
            inputs: Map::new(),
            variables: Vec::new(),
            trigger_payload: None,
            client_payload: None,
            actor: String::new(),
            by_stranger: false,
            id: 0,
            number: 0,
            title: String::new(),
            state: State::Queued,
            conclusion: None,
            cancelled: false,
            cancel_requested_at: None,
            created_at: now,
            updated_at: now,
            scenario: None,
            jobs: Vec::new(),
            position: None,
            is_displaced: false,
            approved_at: Vec::new(),
            status_override: None,
            earlier: Vec::new(),
            kept: Vec::new(),
            rerun_by: None,
            cancels_refused: 0,
            delays: Delays::default(),
            clock,
        }
    }

    /// Returns the branch or tag name, or `None` if only a commit is given.
    pub fn reference_name(&self) -> Option<&str> {
        self.reference.as_ref().map(|(_, name)| name.as_str())
    }

    /// Bitbucket's UUID, including braces.
    pub fn uuid(&self) -> String {
        format!("{UUID_PREFIX}{:012}}}", self.id)
    }

    /// Compares without formatting a UUID for every run.
    pub(crate) fn has_uuid(&self, uuid: &str) -> bool {
        let digits = uuid
            .strip_prefix(UUID_PREFIX)
            .and_then(|rest| rest.strip_suffix('}'));
        digits.is_some_and(|digits| digits.len() == 12 && digits.parse() == Ok(self.id))
    }

    /// Completes the run, regardless of its scenario.
    pub fn complete(&mut self, conclusion: Conclusion) {
        self.scenario = None;
        self.state = State::Completed;
        self.conclusion = Some(conclusion);
        self.status_override = None;
        self.updated_at = self.clock.now();
    }

    /// Accepts a cancel, or returns the status with which the provider refuses it.
    pub(crate) fn cancel(&mut self) -> Result<(), u16> {
        let on_cancel = self.scenario.as_ref().map(|scenario| scenario.on_cancel);
        if let Some(OnCancel::Refuses(status)) = on_cancel {
            return Err(status);
        }
        if let Some(OnCancel::RefusesAtFirst { status, times }) = on_cancel
            && self.cancels_refused < times
        {
            self.cancels_refused += 1;
            return Err(status);
        }
        let now = self.clock.now();
        self.cancel_requested_at = Some(now);
        if on_cancel.is_none() {
            self.cancelled = true;
            self.complete(Conclusion::Cancelled);
        }
        self.refresh(now);
        Ok(())
    }

    /// Whether a cancel was accepted and will take effect, but hasn't yet.
    pub(crate) fn is_ending(&self) -> bool {
        let scenario = self.scenario.as_ref();
        let ignores = scenario.is_some_and(|scenario| scenario.on_cancel == OnCancel::Ignores);
        self.cancel_requested_at.is_some() && !ignores && self.state != State::Completed
    }

    /// Returns the time from which lists contain the run.
    pub fn listed_from(&self) -> SystemTime {
        self.first_attempt().created_at + self.delays.listed
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.listed_from() <= self.clock.now()
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable_from() <= self.clock.now()
    }

    /// Shows the run in lists from now on.
    pub fn be_listed(&mut self) {
        self.delays.listed = Duration::ZERO;
    }

    /// Returns the time from which the run can be read by its id.
    pub fn readable_from(&self) -> SystemTime {
        self.first_attempt().created_at + self.delays.readable
    }

    /// Returns the time from which the API shows the conclusion of a completed run.
    pub fn concluded_from(&self) -> SystemTime {
        self.updated_at + self.delays.concluded
    }

    /// Whether both share one number sequence: GitHub counts per workflow, the others per repository.
    pub(super) fn shares_numbers_with(&self, other: &Self) -> bool {
        self.workflow_id == other.workflow_id
            && self.provider == other.provider
            && self.repository == other.repository
    }
}
