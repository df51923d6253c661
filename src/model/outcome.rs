//! Why a wait ended, and why something did not come about.

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

/// Why a target was not triggered, or may not have been, or why nothing is known of its runs.
pub(crate) struct Failure {
    /// What happened, in one line.
    pub(crate) what: String,
    /// What to do about it, and where to look.
    pub(crate) remedy: Option<String>,
    /// What the libraries below said.
    pub(crate) causes: Vec<String>,
}
