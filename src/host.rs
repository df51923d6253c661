//! Where the step runs: what it is told by, and what it tells.

pub(crate) mod github_actions;
mod redactor;
