//! Commit statuses: lines on a commit and in its pull requests, each of which can be required.

use serde::{Deserialize, Serialize};

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
