//! Types that all providers share for a trigger's outcome, its runs, and their states and conclusions.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Result of the trigger request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// The provider confirmed that it started something.
    Accepted,
    /// The provider provably started nothing.
    Rejected,
    /// It's unknown whether the provider started something. The trigger must not be sent again.
    Unknown,
    /// The trigger was part of a dry run, or wasn't reached.
    NotSent,
}

impl Outcome {
    /// Returns the name used in outputs and messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::NotSent => "not-sent",
        }
    }
}

/// A GitHub workflow run, a GitLab pipeline or a Bitbucket pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Its id in the provider's API: a number, or for Bitbucket a UUID in braces.
    pub(crate) id: String,
    /// The number that the provider's pages show, if it differs from the id and is known.
    pub(crate) number: Option<u64>,
    /// Its web page.
    pub(crate) url: String,
    pub(crate) matched_by: MatchedBy,
    /// The name of its workflow, if the trigger may start runs of several.
    #[serde(default)]
    pub(crate) workflow: Option<String>,
    /// The attempt that the step watches: the first one, and one more each time it re-runs the failed jobs. Later ones are
    /// somebody else's re-runs.
    #[serde(default = "first_attempt")]
    pub(crate) attempt: u64,
    /// The attempt of the calling job that started it, if that was an earlier one.
    #[serde(default)]
    pub(crate) started_by_attempt: Option<u64>,
}

/// The attempt of a run that was just started.
pub(crate) const FIRST_ATTEMPT: u64 = 1;

fn first_attempt() -> u64 {
    FIRST_ATTEMPT
}

impl Run {
    /// Returns the run as its next attempt.
    pub(crate) fn next_attempt(&self) -> Self {
        Self {
            attempt: self.attempt + 1,
            ..self.clone()
        }
    }
}

/// Displays as `run #12`, or as `run 9000000001` with its id while the number isn't known.
impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(formatter, "run #{number}"),
            None => write!(formatter, "run {}", self.id),
        }
    }
}

/// How the run that the trigger started was recognised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MatchedBy {
    /// The provider's response contains its id.
    Id,
    /// Its title contains the marker.
    Marker,
    /// It was the only candidate that started after the trigger.
    Timing,
    /// It was given by the address of its page.
    Url,
}

impl MatchedBy {
    /// Whether the run was certainly started by this step, and may therefore be cancelled.
    pub(crate) fn is_certain(self) -> bool {
        match self {
            Self::Id | Self::Marker => true,
            Self::Timing | Self::Url => false,
        }
    }
}

/// State of a run or a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It hasn't started, and doesn't need a person to start it.
    Queued,
    Running,
    /// It needs a person.
    Blocked,
    Completed(Conclusion),
}

impl State {
    /// Returns the name used in outputs and messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Completed(_) => "completed",
        }
    }

    pub(crate) fn conclusion(self) -> Option<Conclusion> {
        match self {
            Self::Completed(conclusion) => Some(conclusion),
            Self::Queued | Self::Running | Self::Blocked => None,
        }
    }
}

/// How a run ended, or why its end wasn't seen. Ordered from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Conclusion {
    Success,
    Neutral,
    Skipped,
    Cancelled,
    Failure,
    /// Set by the step: `timeout` passed before the run ended.
    TimedOut,
    /// Set by the step: the run can't be found or read any more.
    Lost,
}

impl Conclusion {
    pub(crate) const ALL: [Self; 7] = [
        Self::Success,
        Self::Neutral,
        Self::Skipped,
        Self::Cancelled,
        Self::Failure,
        Self::TimedOut,
        Self::Lost,
    ];

    /// Whether it counts among those of one trigger's runs: a skipped run doesn't if another one succeeded.
    pub(crate) fn counts(self, has_succeeded: bool) -> bool {
        !(has_succeeded && self == Self::Skipped)
    }

    /// Returns the name used in inputs, outputs and messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Neutral => "neutral",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Failure => "failure",
            Self::TimedOut => "timed-out",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Conclusion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
