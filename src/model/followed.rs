//! Runs that a target waits for although it didn't start them.

use super::{FIRST_ATTEMPT, MatchedBy, Outcome, Run};

/// What `follow` names: a run, or the runs that an earlier step started for one of its targets.
pub(crate) struct Followed {
    /// Empty if the earlier step started none, or doesn't know which.
    pub(crate) runs: Vec<FollowedRun>,
    /// What the earlier step called the pipeline.
    pub(crate) pipeline: Option<String>,
    /// The marker of the earlier step's trigger.
    pub(crate) trigger_id: Option<String>,
    /// The outcome of the earlier step's trigger.
    pub(crate) outcome: Option<Outcome>,
}

/// A run as it was given. It hasn't been read yet.
#[derive(Debug)]
pub(crate) struct FollowedRun {
    /// Its id, or for Bitbucket the number that its page shows.
    pub(crate) id: String,
    pub(crate) number: Option<u64>,
    pub(crate) url: String,
    pub(crate) matched_by: MatchedBy,
    /// `None` means the current one.
    pub(crate) attempt: Option<u64>,
}

impl Followed {
    /// Whether there is a run that may be cancelled.
    pub(crate) fn has_own_run(&self) -> bool {
        self.own_runs().next().is_some()
    }

    /// The runs that an earlier step has certainly started, and that may therefore be cancelled.
    pub(crate) fn own_runs(&self) -> impl Iterator<Item = Run> {
        let own = self.runs.iter().filter(|run| run.matched_by.is_certain());
        own.map(|run| run.run(run.number, run.attempt))
    }
}

impl FollowedRun {
    /// Returns the run, with what was read of it.
    pub(crate) fn run(&self, number: Option<u64>, attempt: Option<u64>) -> Run {
        Run {
            id: self.id.clone(),
            number: number.or(self.number),
            url: self.url.clone(),
            matched_by: self.matched_by,
            workflow: None,
            attempt: attempt.unwrap_or(FIRST_ATTEMPT),
            started_by_attempt: None,
        }
    }
}
