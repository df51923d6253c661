//! What a target's runs came to.

use std::cell::Cell;
use std::mem;

use super::{Conclusion, End, JobLog, LeftRunning, Problem, Run, Snapshot};

/// Failed runs whose logs are kept for the summary.
const MAX_RUNS_WITH_LOGS: usize = 20;

/// What a target's runs came to.
#[derive(Default)]
pub(crate) struct Monitored {
    pub(crate) runs: Vec<RunReport>,
    /// Of all runs together, as far as they were waited for and their end is known.
    pub(crate) conclusion: Option<Conclusion>,
    /// The JSON that was read back.
    pub(crate) result: Option<String>,
    /// Why there are runs that were not found, and why there is no result.
    pub(crate) problems: Vec<Problem>,
    /// Runs that may have been started and were not found, and may go on: why.
    pub(crate) left_running: Option<LeftRunning>,
}

/// A run and what was seen of it.
pub(crate) struct RunReport {
    pub(crate) run: Run,
    /// `None` where it was not waited for.
    pub(crate) end: Option<End>,
    /// Ours; `None` where the end was not seen.
    pub(crate) conclusion: Option<Conclusion>,
    /// The last good look.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) logs: Vec<JobLog>,
    /// Number of logs that were printed, but not kept for the summary.
    pub(crate) dropped_logs: usize,
    /// Why it may still be going on, if it may.
    pub(crate) left_running: Option<LeftRunning>,
}

impl Monitored {
    /// Runs that are known, and not waited for.
    pub(crate) fn unwatched(runs: Vec<Run>) -> Self {
        let runs = runs.into_iter().map(|run| RunReport {
            run,
            end: None,
            conclusion: None,
            snapshot: None,
            logs: Vec::new(),
            dropped_logs: 0,
            left_running: None,
        });
        Self {
            runs: runs.collect(),
            ..Self::default()
        }
    }

    /// Drops the logs of all but the first failed runs of the step, to bound its memory. They have been printed already.
    pub(crate) fn limit_logs(&mut self, runs_with_logs: &Cell<usize>) {
        for run in self.runs.iter_mut().filter(|run| !run.logs.is_empty()) {
            if runs_with_logs.get() < MAX_RUNS_WITH_LOGS {
                runs_with_logs.update(|count| count + 1);
            } else {
                run.dropped_logs = mem::take(&mut run.logs).len();
            }
        }
    }

    /// The runs whose conclusions count: one that was skipped beside one that succeeded says nothing.
    pub(crate) fn counted(&self) -> impl Iterator<Item = &RunReport> {
        let succeeded = self
            .runs
            .iter()
            .any(|run| run.conclusion == Some(Conclusion::Success));
        self.runs
            .iter()
            .filter(move |run| !(succeeded && run.conclusion == Some(Conclusion::Skipped)))
    }

    /// The worst of the runs that count, and of what is known of those that were not found. Where the
    /// end of one was not seen, nobody knows.
    pub(crate) fn conclude(&mut self) {
        let all: Option<Vec<_>> = self.counted().map(|run| run.conclusion).collect();
        self.conclusion = all.and_then(|all| all.into_iter().chain(self.conclusion).max());
    }
}
