//! The common tongue of what became of a trigger, of what it started, and of how that goes on.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What became of the one request that starts something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// The provider said that it acted.
    Accepted,
    /// The provider provably did not act.
    Rejected,
    /// Nobody knows: it must not be sent again.
    Unknown,
    /// A dry run, or not reached.
    NotSent,
}

impl Outcome {
    /// As written in outputs and messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::NotSent => "not-sent",
        }
    }
}

/// What was started: a GitHub workflow run, a GitLab or a Bitbucket pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// What the provider's API calls it by: a number, or Bitbucket's uuid in braces.
    pub(crate) id: String,
    /// What people call it by, where that is another one and the answer tells it.
    pub(crate) number: Option<u64>,
    /// Where people look.
    pub(crate) url: String,
    pub(crate) matched_by: MatchedBy,
}

/// `run 9000000001`: the id where people know it by that, else the number.
impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) if self.id.starts_with('{') => write!(formatter, "run {number}"),
            _ => write!(formatter, "run {}", self.id),
        }
    }
}

/// How a run is known to be the one that the trigger started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MatchedBy {
    /// The provider's answer named it.
    Id,
    /// Its title contains the marker.
    Marker,
    /// It was the only one that could be it.
    Timing,
}

impl MatchedBy {
    /// Whether the run is ours for sure, so that it may be cancelled.
    pub(crate) fn is_sure(self) -> bool {
        match self {
            Self::Id | Self::Marker => true,
            Self::Timing => false,
        }
    }
}

/// Where a run or a job is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It has not begun, and needs nobody for that.
    Queued,
    Running,
    /// It needs a person.
    Blocked,
    Completed(Conclusion),
}

impl State {
    /// As written in outputs and messages.
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

/// How a run ended, or why its end was not seen; the worst comes last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Conclusion {
    Success,
    Neutral,
    Skipped,
    Cancelled,
    Failure,
    /// Ours: the deadline passed.
    TimedOut,
    /// Ours: the run cannot be found or read any more.
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

    /// As written in inputs, outputs and messages.
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
