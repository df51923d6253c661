//! What a target may leave running when its step ends early, in the form that is saved for the second chance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::model::{NotSent, OnAbandoned, Outcome, Problem, Run};
use crate::providers::target::Target;
use crate::providers::target_report::TargetReport;

/// A triggered target whose runs may not have ended. Contains no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unfinished {
    /// Seconds since the Unix epoch, by the local clock.
    sent_at: u64,
    pub(crate) marker: Option<String>,
    /// Whether the trigger started nothing but `runs`; otherwise there may be more.
    pub(crate) is_complete: bool,
    /// Runs that are certainly this step's.
    pub(crate) runs: Vec<Run>,
}

impl Unfinished {
    /// Creates an entry for a target whose trigger is being sent. Returns `None` if its runs would not be cancelled.
    pub(crate) fn new(target: &Target) -> Option<Self> {
        let wait = target.wait.as_ref()?;
        let sent_at = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        (wait.on_abandoned == OnAbandoned::Cancel).then(|| Self {
            sent_at: sent_at.as_secs(),
            marker: target.spec.marker().map(str::to_owned),
            is_complete: false,
            runs: Vec::new(),
        })
    }

    /// Creates an entry for a target that only follows runs. Returns `None` if none of them would be cancelled.
    pub(crate) fn following(target: &Target) -> Option<Self> {
        let runs: Vec<_> = target.follow.as_ref()?.own_runs().collect();
        let unfinished = Self {
            is_complete: true,
            runs,
            ..Self::new(target)?
        };
        (!unfinished.runs.is_empty()).then_some(unfinished)
    }

    /// Adds a run of the trigger, unless it may be somebody else's. Replaces another attempt of it.
    pub(crate) fn add(&mut self, run: &Run) {
        if !run.matched_by.is_certain() {
            return;
        }
        match self.runs.iter_mut().find(|known| known.id == run.id) {
            Some(known) => known.clone_from(run),
            None => self.runs.push(run.clone()),
        }
    }

    /// Returns what is still unfinished according to the target's report, if anything is.
    pub(crate) fn remaining_after(self, report: &TargetReport<'_>) -> Option<Self> {
        let is_stopped = matches!(report.problem, Some(Problem::NotSent(NotSent::Stopped)));
        if is_stopped && report.target.follow.is_some() {
            // The step didn't get to follow these runs, so it hasn't cancelled them either.
            return Some(self);
        }
        let is_sent = match report.outcome {
            Outcome::Accepted | Outcome::Unknown => true,
            Outcome::Rejected | Outcome::NotSent => false,
        };
        let left = report.monitored.runs.iter();
        let left = left.filter(|run| run.left_running.is_some() && run.run.matched_by.is_certain());
        let runs: Vec<_> = left.map(|monitored| monitored.run.clone()).collect();
        let is_complete = report.monitored.left_running.is_none();
        (is_sent && !(is_complete && runs.is_empty())).then_some(Self {
            is_complete,
            runs,
            ..self
        })
    }

    /// Returns the time since the trigger was sent.
    pub(crate) fn age(&self) -> Duration {
        let sent = UNIX_EPOCH + Duration::from_secs(self.sent_at);
        sent.elapsed().unwrap_or_default()
    }
}
