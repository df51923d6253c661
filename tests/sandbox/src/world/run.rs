//! A run as the world remembers it, the same for all three providers. Not here: the providers' words for states
//! (each translates at its edge), and how it comes from state to state by itself (see `scenario` and `progress`).

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::scenario::Delays;
use super::{Job, OnCancel, Provider, RefKind, Scenario};
use crate::clock::Clock;

/// What the uuids of all runs begin with.
const UUID_START: &str = "{00000000-0000-4000-8000-";

/// One thing that was started.
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
    /// what triggered it on Bitbucket (`manual`, `push`, `schedule`).
    pub event: String,
    /// Branch or tag; `None` if there is only a commit.
    pub reference: Option<(RefKind, String)>,
    /// The full hash.
    pub commit: String,
    /// GitHub workflow inputs (strings, defaults filled in) or GitLab pipeline inputs (typed).
    pub inputs: Map<String, Value>,
    pub variables: Vec<Variable>,
    /// Of a `repository_dispatch`: keys in their order, numbers with their text.
    pub client_payload: Option<Value>,
    /// The name of the user or token that started it; never the token.
    pub who: String,
    /// Nobody's trigger started it (see [`World::strangers`](super::World::strangers)).
    pub is_strange: bool,
    /// Unique among the runs of a provider.
    pub id: u64,
    /// Counts from 1: GitHub's `run_number` of the workflow, GitLab's `iid`, Bitbucket's `build_number`.
    pub number: u64,
    /// GitHub's `display_title`; empty elsewhere.
    pub title: String,
    pub state: State,
    /// Of a completed run.
    pub conclusion: Option<Conclusion>,
    /// A cancel took effect.
    pub cancelled: bool,
    /// When a cancel was accepted last.
    pub cancel_asked_at: Option<SystemTime>,
    pub created_at: SystemTime,
    pub updated_at: SystemTime,
    /// What it does by itself. Without one it stays queued until a test completes it or it is cancelled.
    pub scenario: Option<Scenario>,
    pub jobs: Vec<Job>,
    /// How many runs of its concurrency group are before it, while it is `Pending`.
    pub position: Option<u32>,
    /// When people let go on what they must.
    pub(crate) approved_at: Vec<SystemTime>,
    /// What the API shows instead of the provider's word.
    pub(crate) word: Option<String>,
    /// The attempts before it was run again.
    pub(crate) earlier: Vec<Self>,
    /// How many cancels it has refused.
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
    /// Others of its concurrency group are before it.
    Pending,
    Running,
    /// A person must let it go on.
    Blocked,
    /// A time must pass.
    Timed,
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
    /// One that nobody has started yet.
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
            client_payload: None,
            who: String::new(),
            is_strange: false,
            id: 0,
            number: 0,
            title: String::new(),
            state: State::Queued,
            conclusion: None,
            cancelled: false,
            cancel_asked_at: None,
            created_at: now,
            updated_at: now,
            scenario: None,
            jobs: Vec::new(),
            position: None,
            approved_at: Vec::new(),
            word: None,
            earlier: Vec::new(),
            cancels_refused: 0,
            delays: Delays::default(),
            clock,
        }
    }

    /// The branch or tag name; `None` if there is only a commit.
    pub fn reference_name(&self) -> Option<&str> {
        self.reference.as_ref().map(|(_, name)| name.as_str())
    }

    /// Bitbucket's name for it, braces included.
    pub fn uuid(&self) -> String {
        format!("{UUID_START}{:012}}}", self.id)
    }

    /// Told without writing a uuid for each run that is not meant.
    pub(crate) fn has_uuid(&self, uuid: &str) -> bool {
        let digits = uuid
            .strip_prefix(UUID_START)
            .and_then(|rest| rest.strip_suffix('}'));
        digits.is_some_and(|digits| digits.len() == 12 && digits.parse() == Ok(self.id))
    }

    /// Ends the run, whatever it would have done by itself.
    pub fn complete(&mut self, conclusion: Conclusion) {
        self.scenario = None;
        self.state = State::Completed;
        self.conclusion = Some(conclusion);
        self.word = None;
        self.updated_at = self.clock.now();
    }

    /// An error is the status with which the provider refuses the cancel; otherwise the cancel is under way.
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
        self.cancel_asked_at = Some(now);
        if on_cancel.is_none() {
            self.cancelled = true;
            self.complete(Conclusion::Cancelled);
        }
        self.refresh(now);
        Ok(())
    }

    /// It was asked to end, and has not yet.
    pub(crate) fn is_ending(&self) -> bool {
        let scenario = self.scenario.as_ref();
        let ignores = scenario.is_some_and(|scenario| scenario.on_cancel == OnCancel::Ignores);
        self.cancel_asked_at.is_some() && !ignores && self.state != State::Completed
    }

    /// The like of it, started by somebody else.
    pub(super) fn by_a_stranger(mut self, name: &str, index: usize) -> Self {
        let marker = self.client_payload.as_ref();
        let marker = marker.and_then(|payload| payload["trigger_id"].as_str());
        if let Some(marker) = marker {
            let theirs = format!("00000000-0000-4000-8000-{index:012}");
            self.title = self.title.replace(marker, &theirs);
        }
        name.clone_into(&mut self.who);
        self.is_strange = true;
        self.cancelled = false;
        self.cancel_asked_at = None;
        self.cancels_refused = 0;
        self.approved_at.clear();
        self.earlier.clear();
        if self.scenario.is_some() {
            // Its scenario begins anew.
            self.state = State::Queued;
        }
        self
    }

    /// GitHub: 1 for the first.
    pub fn attempt(&self) -> usize {
        self.earlier.len() + 1
    }

    /// The run as it was before anybody ran it again.
    pub fn first_attempt(&self) -> &Self {
        self.earlier.first().unwrap_or(self)
    }

    /// When lists begin to contain it.
    pub fn listed_from(&self) -> SystemTime {
        self.first_attempt().created_at + self.delays.listed
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.listed_from() <= self.clock.now()
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable_from() <= self.clock.now()
    }

    /// Lets lists contain it from now on.
    pub fn be_listed(&mut self) {
        self.delays.listed = Duration::ZERO;
    }

    /// When it begins to be readable by its id.
    pub fn readable_from(&self) -> SystemTime {
        self.first_attempt().created_at + self.delays.readable
    }

    /// When its conclusion is there, if it has ended.
    pub fn concluded_from(&self) -> SystemTime {
        self.updated_at + self.delays.concluded
    }

    /// Does it all again, as another attempt.
    pub(crate) fn again(&mut self) {
        let before = self.clone();
        self.earlier.push(before);
        self.created_at = self.clock.now();
        self.cancelled = false;
        self.cancel_asked_at = None;
        self.approved_at.clear();
        self.refresh(self.created_at);
    }

    /// Whether both are numbered in one sequence: GitHub counts by workflow, the others by repository.
    pub(super) fn counts_with(&self, other: &Self) -> bool {
        self.workflow_id == other.workflow_id
            && self.provider == other.provider
            && self.repository == other.repository
    }
}
