//! Data types without I/O, independent of any provider or host.

mod caller;
mod commit_status;
mod event;
mod followed;
mod given_inputs;
mod invalid_target;
mod monitored;
mod outcome;
mod run;
mod secret;
mod snapshot;
mod wait_options;

pub(crate) use caller::{Caller, CallingRun, EnvironmentVariable, HostCredential, ServerScope};
pub(crate) use commit_status::{CommitStatus, Started, StatusState};
pub(crate) use event::{Event, News, Sink};
pub(crate) use followed::{Followed, FollowedRun};
pub(crate) use given_inputs::{Conflict, GivenInputs};
pub(crate) use invalid_target::InvalidTarget;
pub(crate) use monitored::{AttemptReport, Monitored, Retries, RunReport};
pub(crate) use outcome::{
    Cancel, CancelEnd, End, Failure, Interruption, LastSeen, LeftRunning, NoResult, NotFound,
    NotRecalled, NotRetried, NotSent, Problem, UnknownSearch,
};
pub(crate) use run::{Conclusion, FIRST_ATTEMPT, MatchedBy, Outcome, Run, State};
pub(crate) use secret::Secret;
pub(crate) use snapshot::{BlockedOn, Job, JobKind, JobLog, ProviderStatus, Snapshot, Step, Times};
pub(crate) use wait_options::{
    DEFAULT_SUCCESS, Logs, OnAbandoned, OnBlocked, ResultArtifact, WaitOptions, WaitUntil,
};
