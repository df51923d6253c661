//! A run as the world remembers it, the same for all three providers. Not here: the providers' words for states
//! (each translates at its edge), and scripted lives; those will drive `state` and `conclusion` from outside.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::{Provider, RefKind};

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
    /// GitHub's event (`repository_dispatch`, `workflow_dispatch`), GitLab's source (`trigger`, `api`), or `manual`.
    pub event: String,
    /// Branch or tag; `None` for a commit alone.
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
    /// Unique among the runs of a provider.
    pub id: u64,
    /// Counts from 1: GitHub's `run_number` of the workflow, GitLab's `iid`, Bitbucket's `build_number`.
    pub number: u64,
    /// GitHub's `display_title`; empty elsewhere.
    pub title: String,
    pub state: State,
    /// Of a completed run.
    pub conclusion: Option<Conclusion>,
    pub cancelled: bool,
    pub created_at: SystemTime,
    pub updated_at: SystemTime,
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
    Running,
    Completed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    Success,
    Failure,
    Cancelled,
}

impl Run {
    pub(crate) fn new(provider: Provider, repository: &str, pipeline: &str, event: &str) -> Self {
        let now = SystemTime::now();
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
            id: 0,
            number: 0,
            title: String::new(),
            state: State::Queued,
            conclusion: None,
            cancelled: false,
            created_at: now,
            updated_at: now,
        }
    }

    /// The branch or tag name; `None` for a commit alone.
    pub fn reference_name(&self) -> Option<&str> {
        self.reference.as_ref().map(|(_, name)| name.as_str())
    }

    /// Bitbucket's name for it, braces included.
    pub fn uuid(&self) -> String {
        format!("{{00000000-0000-4000-8000-{:012}}}", self.id)
    }

    /// Ends the run.
    pub fn complete(&mut self, conclusion: Conclusion) {
        self.state = State::Completed;
        self.conclusion = Some(conclusion);
        self.updated_at = SystemTime::now();
    }

    pub(crate) fn cancel(&mut self) {
        self.cancelled = true;
        self.complete(Conclusion::Cancelled);
    }

    /// Whether both are numbered in one sequence: GitHub counts by workflow, the others by repository.
    pub(super) fn counts_with(&self, other: &Self) -> bool {
        self.provider == other.provider
            && self.repository == other.repository
            && self.workflow_id == other.workflow_id
    }
}
