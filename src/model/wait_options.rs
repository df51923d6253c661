//! The options of waiting for a run.

use std::time::Duration;

use crate::model::Conclusion;

/// The options of waiting for a run.
#[derive(Clone, Debug)]
pub(crate) struct WaitOptions {
    pub(crate) until: WaitUntil,
    /// Counted from the trigger, or from when the step begins to follow a run.
    pub(crate) timeout: Duration,
    /// Conclusions that pass. All others fail.
    pub(crate) success: Vec<Conclusion>,
    pub(crate) on_blocked: OnBlocked,
    pub(crate) on_abandoned: OnAbandoned,
    pub(crate) logs: Logs,
    pub(crate) result: Option<ResultArtifact>,
    /// How often to re-run the failed jobs of a run.
    pub(crate) retries: u32,
}

/// The conclusions that pass unless others are given.
pub(crate) const DEFAULT_SUCCESS: [Conclusion; 2] = [Conclusion::Success, Conclusion::Neutral];
/// What the step waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WaitUntil {
    /// The run is known.
    Start,
    /// The run has ended.
    End,
}

/// What to do when the run needs a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnBlocked {
    Wait,
    Fail,
}

/// What to do with the run when the step stops waiting before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnAbandoned {
    Cancel,
    Leave,
}

/// Which jobs' logs to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Logs {
    Failed,
    /// The same, unless the target isn't public: then more people could read the logs here than there.
    FailedUnlessPrivate,
    None,
}

/// Location of the run's result, a JSON file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ResultArtifact {
    /// Name of a GitHub artifact.
    Named(String),
    /// Path in the artifacts of a GitLab job.
    OfJob { job: String, path: String },
}
