//! How a run is waited for: policies, each an enum with named arms.

use std::time::Duration;

use crate::model::Conclusion;

/// How a run is waited for.
#[derive(Clone, Debug)]
pub(crate) struct WaitOptions {
    /// How long, counted from the trigger.
    pub(crate) timeout: Duration,
    /// Conclusions that pass; all others fail.
    pub(crate) success: Vec<Conclusion>,
    pub(crate) on_blocked: OnBlocked,
    pub(crate) on_abandoned: OnAbandoned,
    pub(crate) logs: Logs,
    pub(crate) result: Option<ResultArtifact>,
}

/// What becomes of the wait when the run needs a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnBlocked {
    Wait,
    Fail,
}

/// What becomes of the run when we stop waiting before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnAbandoned {
    Cancel,
    Leave,
}

/// Which jobs' logs are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Logs {
    Failed,
    /// The same, unless the target can't be read by everybody: more people would see the logs here than there.
    FailedUnlessPrivate,
    None,
}

/// Where the run leaves its result, a JSON file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ResultArtifact {
    /// A GitHub artifact's name.
    Named(String),
    /// A path in the artifacts of a GitLab job.
    OfJob { job: String, path: String },
}
