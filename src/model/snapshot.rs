//! The result of one status request.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::State;

/// One reading of a run's state.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    pub(crate) provider_status: ProviderStatus,
    /// Whether the provider reports that the run is over, but not yet how it ended. Its state is then `Running`.
    pub(crate) lacks_conclusion: bool,
    /// The number that the provider's pages show, if the response contains it.
    pub(crate) number: Option<u64>,
    /// GitHub's attempt number. A re-run is another attempt, and counts as another run.
    pub(crate) attempt: Option<u64>,
    pub(crate) times: Times,
    /// When the run last changed, if the provider reports it.
    pub(crate) changed: Option<DateTime<Utc>>,
    /// What the run is blocked on, if it is and the response contains it.
    pub(crate) blocked_on: Option<BlockedOn>,
    /// The jobs that the provider shows so far. `None` if they weren't requested.
    pub(crate) jobs: Option<Vec<Job>>,
    /// Number of jobs that were read, if the run has more.
    pub(crate) jobs_cut_at: Option<usize>,
}

/// The provider's own terms for state and conclusion, unchanged.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct ProviderStatus {
    pub(crate) state: String,
    pub(crate) conclusion: Option<String>,
    /// Why the run ended like that: the provider's own words, or what its terms mean and what to do about it.
    pub(crate) reason: Option<String>,
}

/// When a run or a job was created, started and completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Times {
    pub(crate) created: Option<DateTime<Utc>>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) completed: Option<DateTime<Utc>>,
}

/// What a run is waiting for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum BlockedOn {
    /// A person's action, as a fragment: `approval of production by octocat`.
    Person(String),
    /// Another run of its concurrency group. `position` is the number of runs ahead of it, if known.
    Turn { position: Option<u64> },
    /// Something that passes by itself, as a fragment: `the wait timer of staging`.
    Passing(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Job {
    /// Its id in the provider's API.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: JobKind,
    pub(crate) state: State,
    pub(crate) times: Times,
    /// Its web page.
    pub(crate) url: Option<String>,
    /// The step that failed, if the provider has steps within jobs.
    pub(crate) failed_step: Option<Step>,
    /// Size of its log in bytes, if known.
    pub(crate) log_size: Option<u64>,
}

impl Job {
    /// Whether the job was carried over from an earlier attempt that had these jobs, rather than run again. Its id may
    /// differ.
    pub(crate) fn is_carried_over(&self, earlier: &[Self]) -> bool {
        let is_same = |job: &Self| {
            (job.name.as_str(), job.state, job.times) == (&self.name, self.state, self.times)
        };
        earlier.iter().any(is_same)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JobKind {
    Job,
    /// It may fail without failing the run.
    Optional,
    /// A pipeline of another project, started by this one.
    Downstream,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) number: Option<u64>,
}

/// The end of a failed job's log.
pub(crate) struct JobLog {
    pub(crate) job: Job,
    /// The error explains why there are none.
    pub(crate) lines: Result<Vec<String>, String>,
    /// Whether the log is longer.
    pub(crate) is_cut: bool,
}
