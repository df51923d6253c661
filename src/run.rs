//! The common tongue of what became of a trigger, and of what it started.

use serde::Serialize;

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
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::NotSent => "not-sent",
        }
    }
}

/// What was started: a GitHub workflow run, a GitLab or a Bitbucket pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Run {
    /// What the provider's API calls it by: a number, or Bitbucket's uuid in braces.
    pub(crate) id: String,
    /// What people call it by, where that is another one and the answer tells it.
    pub(crate) number: Option<u64>,
    /// Where people look.
    pub(crate) url: String,
    pub(crate) matched_by: MatchedBy,
}

/// How a run is known to be the one that the trigger started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MatchedBy {
    /// The provider's answer named it.
    Id,
}
