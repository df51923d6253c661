//! Facts about a target's outcome: why a wait ended, what went wrong, and why something may still be running. `report`
//! turns them into sentences.

use std::time::Duration;

use super::{BlockedOn, Conclusion, Outcome, State};

/// Why a wait ended.
pub(crate) enum End {
    Completed(Conclusion),
    /// The deadline passed.
    TimedOut(LastSeen),
    /// The run can't be read any more.
    Lost(Failure),
    /// It needs a person, and `on-blocked` is `fail`.
    Blocked(Option<BlockedOn>),
    /// The step was stopped.
    Stopped,
}

/// What a run was doing when the wait for it ended.
#[derive(Default)]
pub(crate) struct LastSeen {
    /// `None` if no poll succeeded.
    pub(crate) state: Option<State>,
    pub(crate) blocked_on: Option<BlockedOn>,
}

/// A failed request, whether it was the provider or the network that failed.
#[derive(Clone)]
pub(crate) struct Failure {
    /// The failure, in one line.
    pub(crate) what: String,
    /// How to fix it, and what to check.
    pub(crate) remedy: Option<String>,
    /// Messages of the underlying libraries.
    pub(crate) causes: Vec<String>,
}

/// A problem with a target, other than a failed run.
pub(crate) enum Problem {
    /// The trigger was rejected, or couldn't be prepared.
    NotTriggered(Failure),
    NotSent(NotSent),
    /// The trigger wasn't sent because an earlier attempt of the job may have sent it.
    NotRecalled {
        why: NotRecalled,
        /// The page to check.
        page: String,
    },
    OutcomeUnknown {
        failure: Failure,
        /// Result of the search for a run. `None` if a run couldn't have been recognised.
        search: Option<UnknownSearch>,
        /// The page to check.
        page: String,
    },
    RunNotFound {
        why: NotFound,
        /// The page to check.
        page: String,
    },
    NoResult(NoResult),
    /// `follow` names an earlier target without a run. Contains the outcome of its trigger, if it's known.
    NothingToFollow(Option<Outcome>),
}

impl Problem {
    /// Returns messages of the underlying libraries.
    pub(crate) fn causes(&self) -> &[String] {
        match self {
            Self::NotTriggered(failure)
            | Self::NotRecalled {
                why: NotRecalled::Unreadable(failure) | NotRecalled::StatusesUnreadable(failure),
                ..
            }
            | Self::OutcomeUnknown { failure, .. }
            | Self::NoResult(NoResult::Unreadable(failure)) => &failure.causes,
            Self::NotSent(_)
            | Self::NotRecalled { .. }
            | Self::RunNotFound { .. }
            | Self::NoResult(NoResult::Several(_))
            | Self::NothingToFollow(_) => &[],
        }
    }
}

/// Why a trigger wasn't sent although nothing is wrong with it.
#[derive(Clone, Copy)]
pub(crate) enum NotSent {
    Stopped,
    /// Another target failed, and `fail-fast` is on.
    FailFast,
    /// Another target can't be triggered, so none is.
    OtherNotReady,
}

/// Why it's unknown whether an earlier attempt of the job has started something. Runs are given by their web addresses.
pub(crate) enum NotRecalled {
    /// Several runs of one workflow have the marker of one attempt.
    Several(Vec<String>),
    /// Runs fit, but carry no marker.
    Unmarked(Vec<String>),
    /// Runs have the marker of this attempt, which hasn't sent anything: another call has the same key.
    SameKey(Vec<String>),
    /// There are more runs than can be listed.
    TooMany,
    Unreadable(Failure),
    /// A commit status doesn't say what happened to the trigger of this attempt.
    Unclear {
        attempt: u64,
        /// Web address of the run that it links to.
        run: Option<String>,
    },
    /// There are more commit statuses than can be listed.
    TooManyStatuses,
    StatusesUnreadable(Failure),
}

/// Result of a search for the run of a trigger with an unknown outcome, if none was found.
pub(crate) enum UnknownSearch {
    /// Web addresses of runs of one workflow that the trigger may have started.
    Candidates(Vec<String>),
    /// Why the list of runs couldn't be read.
    Unreadable(String),
    /// The step had to end before one was found.
    Interrupted,
    /// No run appeared within this time.
    Nothing(Duration),
}

/// Why runs of an accepted trigger weren't found.
pub(crate) enum NotFound {
    /// Several runs of a workflow may be the trigger's, or one may be another target's. `runs` are their web addresses.
    Ambiguous {
        workflow: String,
        runs: Vec<String>,
        is_interrupted: bool,
    },
    /// The search was cut short, so there may be more runs.
    Incomplete(Interruption),
    /// There may be more runs, but they can't be listed, for this reason.
    Unlisted(String),
    Nothing {
        interruption: Option<Interruption>,
        /// Duration of a search that wasn't interrupted.
        searched: Duration,
        /// Why the list of runs couldn't be read.
        unreadable: Option<String>,
        /// Web addresses of other runs since the trigger that don't seem to be the trigger's.
        others: Vec<String>,
    },
}

/// Why a search ended early.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    Stopped,
    TimedOut,
}

/// Why there is no result although the run passed.
pub(crate) enum NoResult {
    Unreadable(Failure),
    /// This many runs left one.
    Several(usize),
}

/// Why a run, or whatever a trigger started, may still be running.
pub(crate) enum LeftRunning {
    /// `on-abandoned` is `leave`.
    ByPolicy,
    /// It was matched only by its start time, and may be somebody else's.
    MatchedByTime,
    /// It's followed by its URL, and may be anybody's.
    Followed,
    Cancel {
        cancel: Cancel,
        end: CancelEnd,
    },
    /// It can't be read any more, for the first reason, and couldn't be cancelled for the second.
    Unreadable(String, Box<Self>),
    /// It's unknown whether the trigger started anything.
    OutcomeUnknown,
    /// The trigger may have started more runs than are known.
    MoreRuns,
    /// None of the candidates was cancelled. Contains the web addresses of each workflow's runs.
    Ambiguous(Vec<Vec<String>>),
    /// No run was found, but one may still start.
    NotFound,
}

impl LeftRunning {
    /// Returns the reason as written in outputs, so that workflows can branch on it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::ByPolicy => "by-policy",
            Self::MatchedByTime => "matched-by-time",
            Self::Followed => "followed",
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

/// Why the failed jobs of a run weren't run again, although `retries` allows it.
pub(crate) enum NotRetried {
    /// The run was matched only by its start time, and may be somebody else's.
    MatchedByTime,
    /// Somebody else had already run it again.
    ByAnother,
    /// Nothing was sent.
    Interrupted(Interruption),
    /// The request failed, and provably had no effect.
    Failed(Failure),
    /// The request was sent, but no job has started within this time.
    NothingStarted {
        /// Why it's unclear whether the provider accepted the request, if it is.
        unclear: Option<Failure>,
        waited: Duration,
    },
}

/// State of a cancel request.
pub(crate) enum Cancel {
    Unanswered,
    Accepted,
    /// Contains the provider's message.
    Refused(String),
    Failed(String),
}

/// Why the step stopped waiting for a cancel to take effect.
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
    fn every_reason_has_a_name() {
        let cancel = |cancel| LeftRunning::Cancel {
            cancel,
            end: CancelEnd::Shutdown,
        };
        for (left, name) in [
            (LeftRunning::ByPolicy, "by-policy"),
            (LeftRunning::MatchedByTime, "matched-by-time"),
            (LeftRunning::Followed, "followed"),
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
            assert_eq!(left.reason(), name);
        }
    }
}
