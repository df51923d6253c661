//! What one look at a run shows.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::State;

/// One reading of a run's state.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    pub(crate) provider_status: ProviderStatus,
    /// Whether the provider says that the run is over, and not yet how it ended. Its state is running then.
    pub(crate) lacks_conclusion: bool,
    /// What people call the run by, where the look tells it.
    pub(crate) number: Option<u64>,
    /// GitHub's: a re-run is another attempt, and another run to us.
    pub(crate) attempt: Option<u64>,
    pub(crate) times: Times,
    /// When anything about it changed last, where the provider tells.
    pub(crate) changed: Option<DateTime<Utc>>,
    /// What keeps it from going on, where something does and what was read tells.
    pub(crate) blocked_on: Option<BlockedOn>,
    /// Where they were asked for; those that the provider shows by now.
    pub(crate) jobs: Option<Vec<Job>>,
}

/// The provider's own words, as they came.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct ProviderStatus {
    pub(crate) state: String,
    pub(crate) conclusion: Option<String>,
}

/// When a run or a job came to be, began and ended, as far as it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Times {
    pub(crate) created: Option<DateTime<Utc>>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) completed: Option<DateTime<Utc>>,
}

/// What a run waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum BlockedOn {
    /// Who must do what, as a fragment: `approval of production by octocat`.
    Person(String),
    /// Another run of its concurrency group; how many are before it, where that is told.
    Turn { position: Option<u64> },
    /// What passes by itself, as a fragment: `the wait timer of staging`.
    Passing(String),
}

/// Part of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Job {
    /// What the provider's API calls it by.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: JobKind,
    pub(crate) state: State,
    pub(crate) times: Times,
    /// Where people look.
    pub(crate) url: Option<String>,
    /// The one that failed, where the provider has steps within jobs.
    pub(crate) failed_step: Option<Step>,
    /// How long its log is, in bytes, where that is told.
    pub(crate) log_size: Option<u64>,
}

/// What kind of part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JobKind {
    Job,
    /// It may fail without the run's failing.
    Optional,
    /// A pipeline of another project that this one started.
    Downstream,
}

/// Part of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) number: Option<u64>,
}

/// The end of a failed job's log.
pub(crate) struct JobLog {
    pub(crate) job: Job,
    /// Or why there are none.
    pub(crate) lines: Result<Vec<String>, String>,
    /// Whether there is more of it.
    pub(crate) is_cut: bool,
}
