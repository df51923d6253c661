//! What became of a target, as facts: why a wait ended, what went wrong, and why something may still be going on. The
//! sentences for them are in `report`.

use std::time::Duration;

use super::{BlockedOn, Conclusion};

/// Why a wait ended.
pub(crate) enum End {
    Completed(Conclusion),
    /// The deadline passed.
    TimedOut,
    /// The run cannot be read any more.
    Lost(Failure),
    /// It needs a person, and that is not waited for.
    Blocked(Option<BlockedOn>),
    /// We were asked to stop.
    Stopped,
}

/// What a provider, or the network before it, said against a request.
pub(crate) struct Failure {
    /// What happened, in one line.
    pub(crate) what: String,
    /// What to do about it, and where to look.
    pub(crate) remedy: Option<String>,
    /// What the libraries below said.
    pub(crate) causes: Vec<String>,
}

/// What went wrong with a target, besides runs that ended badly.
pub(crate) enum Problem {
    /// The trigger was rejected, or could not be prepared.
    NotTriggered(Failure),
    NotSent(NotSent),
    OutcomeUnknown {
        failure: Failure,
        /// What the search for a run came to; `None` where nothing could have been recognised.
        search: Option<UnknownSearch>,
        /// Where a person would look.
        page: String,
    },
    RunNotFound {
        why: NotFound,
        /// Where a person would look.
        page: String,
    },
    NoResult(NoResult),
}

impl Problem {
    /// What the libraries below said.
    pub(crate) fn causes(&self) -> &[String] {
        match self {
            Self::NotTriggered(failure)
            | Self::OutcomeUnknown { failure, .. }
            | Self::NoResult(NoResult::Unreadable(failure)) => &failure.causes,
            Self::NotSent(_) | Self::RunNotFound { .. } | Self::NoResult(NoResult::Several(_)) => {
                &[]
            }
        }
    }
}

/// Why a trigger was not sent for a reason that is not its own.
#[derive(Clone, Copy)]
pub(crate) enum NotSent {
    Stopped,
    /// Another target failed, and `fail-fast` is on.
    FailFast,
    /// Another target can't be triggered, so none is.
    OtherNotReady,
}

/// What the search for the run of a trigger with an unknown outcome came to.
pub(crate) enum UnknownSearch {
    /// The web addresses of runs of one workflow that may be the trigger's.
    Candidates(Vec<String>),
    /// Why the runs could not be read.
    Unreadable(String),
    /// The step had to end before one was found.
    Interrupted,
    /// No run appeared for so long.
    Nothing(Duration),
}

/// Why runs of an accepted trigger were not found.
pub(crate) enum NotFound {
    /// Several runs of a workflow could be the trigger's, or one that may be another target's: their web addresses.
    Ambiguous {
        workflow: String,
        runs: Vec<String>,
        is_interrupted: bool,
    },
    /// The step was stopped before it could tell whether there are more runs.
    Incomplete,
    /// There may be more runs, but they can't be listed, for this reason.
    Unlisted(String),
    Nothing {
        interruption: Option<Interruption>,
        /// How long was looked, unless that was interrupted.
        searched: Duration,
        /// Why the list of runs could not be read.
        unreadable: Option<String>,
        /// The web addresses of runs of the same kind that are not ours for all that is known.
        others: Vec<String>,
    },
}

/// What ended a search early.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    Stopped,
    TimedOut,
}

/// Why there is no result though the run passed.
pub(crate) enum NoResult {
    Unreadable(Failure),
    /// So many runs left one.
    Several(usize),
}

/// Why a run, or whatever a trigger has started, may still be going on.
pub(crate) enum LeftRunning {
    /// `on-abandoned` is `leave`.
    ByPolicy,
    /// It was matched by its time alone, and may be somebody else's.
    MatchedByTime,
    Cancel {
        cancel: Cancel,
        end: CancelEnd,
    },
    /// It can't be read any more, for this reason, and then this.
    Unreadable(String, Box<Self>),
    /// It isn't known whether the trigger has started anything.
    OutcomeUnknown,
    /// The trigger may have started more runs than are known.
    MoreRuns,
    /// Nothing that could be the trigger's was cancelled: the web addresses of each workflow's runs.
    Ambiguous(Vec<Vec<String>>),
    /// No run was found, and one may yet start.
    NotFound,
}

impl LeftRunning {
    /// As written in outputs, for workflows that branch on it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::ByPolicy => "by-policy",
            Self::MatchedByTime => "matched-by-time",
            Self::Cancel { cancel, .. } => match cancel {
                Cancel::Unanswered | Cancel::Accepted => "cancel-unconfirmed",
                Cancel::Refused(_) => "cancel-refused",
                Cancel::Failed(_) => "cancel-failed",
            },
            Self::Unreadable(..) => "unreadable",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::MoreRuns => "more-runs",
            Self::Ambiguous(_) => "ambiguous",
            Self::NotFound => "not-found",
        }
    }
}

/// How far a cancel got.
pub(crate) enum Cancel {
    Unanswered,
    Accepted,
    /// What the provider said against it.
    Refused(String),
    Failed(String),
}

/// What ended the time for a cancel.
pub(crate) enum CancelEnd {
    SecondSignal,
    /// The step had to end.
    Shutdown,
    After(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word() {
        let cancel = |cancel| LeftRunning::Cancel {
            cancel,
            end: CancelEnd::Shutdown,
        };
        for (left, word) in [
            (LeftRunning::ByPolicy, "by-policy"),
            (LeftRunning::MatchedByTime, "matched-by-time"),
            (cancel(Cancel::Unanswered), "cancel-unconfirmed"),
            (cancel(Cancel::Accepted), "cancel-unconfirmed"),
            (cancel(Cancel::Refused(String::new())), "cancel-refused"),
            (cancel(Cancel::Failed(String::new())), "cancel-failed"),
            (
                LeftRunning::Unreadable(String::new(), Box::new(LeftRunning::ByPolicy)),
                "unreadable",
            ),
            (LeftRunning::OutcomeUnknown, "outcome-unknown"),
            (LeftRunning::MoreRuns, "more-runs"),
            (LeftRunning::Ambiguous(Vec::new()), "ambiguous"),
            (LeftRunning::NotFound, "not-found"),
        ] {
            assert_eq!(left.reason(), word);
        }
    }
}
