//! Commit statuses: lines on a commit and in its pull requests, each of which can be required.

use serde::{Deserialize, Serialize};

use super::Run;

/// A status of a commit. A later one with the same context replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommitStatus {
    /// Its name, which tells it from the commit's other statuses. Servers ignore its case.
    pub(crate) context: String,
    pub(crate) state: StatusState,
    pub(crate) description: String,
    /// The page that it links to.
    pub(crate) target_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StatusState {
    Pending,
    Success,
    Failure,
    /// It's unknown how it went, or it didn't take place.
    Error,
}

/// What an attempt of the calling job has started for a target, as far as it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Started {
    /// Certainly nothing.
    Nothing,
    /// A trigger may have gone out whose run isn't certainly known.
    Unclear,
    /// Certainly this run.
    Run {
        url: String,
        /// The attempt that has started it, if that was an earlier one.
        by_attempt: Option<u64>,
    },
}

impl Started {
    /// A run that belongs to the step.
    pub(crate) fn run(run: &Run) -> Self {
        if !run.matched_by.is_certain() {
            return Self::Unclear;
        }
        Self::Run {
            url: run.url.clone(),
            by_attempt: run.started_by_attempt,
        }
    }
}
