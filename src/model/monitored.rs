//! Results of a target's runs.

use std::cell::Cell;
use std::mem;

use super::{Conclusion, End, JobLog, LeftRunning, NotRetried, Problem, Run, Snapshot};

/// Number of failed runs whose logs are kept for the summary.
const MAX_RUNS_WITH_LOGS: usize = 20;

/// Results of a target's runs.
#[derive(Default)]
pub(crate) struct Monitored {
    pub(crate) runs: Vec<RunReport>,
    /// Conclusion of all runs together. `None` if the step didn't wait for them, or didn't see the end of one.
    pub(crate) conclusion: Option<Conclusion>,
    /// The JSON read back from a run.
    pub(crate) result: Option<String>,
    /// Why runs weren't found, and why there is no result.
    pub(crate) problems: Vec<Problem>,
    /// Why runs that weren't found may be running.
    pub(crate) left_running: Option<LeftRunning>,
}

/// A run and what is known about it.
pub(crate) struct RunReport {
    pub(crate) run: Run,
    /// `None` if the step didn't wait for it.
    pub(crate) end: Option<End>,
    /// `None` if the step didn't see its end.
    pub(crate) conclusion: Option<Conclusion>,
    /// Result of the last successful poll.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) logs: Vec<JobLog>,
    /// Number of logs that were printed but not kept for the summary.
    pub(crate) dropped_logs: usize,
    /// Why it may still be running, if it may.
    pub(crate) left_running: Option<LeftRunning>,
    /// The run that most likely took its place in its concurrency group, if it was cancelled before it started.
    pub(crate) displaced_by: Option<Run>,
    pub(crate) retries: Retries,
}

/// What the step did to re-run the failed jobs of a run.
#[derive(Default)]
pub(crate) struct Retries {
    /// The failed attempts before the last one, oldest first.
    pub(crate) earlier: Vec<AttemptReport>,
    /// The web page of the last attempt, if there are earlier ones.
    pub(crate) page: Option<String>,
    /// Why the last attempt wasn't retried, although `retries` allows it.
    pub(crate) not_retried: Option<NotRetried>,
}

/// An attempt that failed and was retries.
pub(crate) struct AttemptReport {
    pub(crate) number: u64,
    /// Its web page.
    pub(crate) page: String,
    pub(crate) snapshot: Snapshot,
}

impl RunReport {
    /// Creates the result for a run that the step doesn't wait for.
    pub(crate) fn unwatched(run: Run) -> Self {
        Self {
            run,
            end: None,
            conclusion: None,
            snapshot: None,
            logs: Vec::new(),
            dropped_logs: 0,
            left_running: None,
            displaced_by: None,
            retries: Retries::default(),
        }
    }
}

impl Monitored {
    /// Creates the result for runs that the step doesn't wait for.
    pub(crate) fn unwatched(runs: Vec<Run>) -> Self {
        Self {
            runs: runs.into_iter().map(RunReport::unwatched).collect(),
            ..Self::default()
        }
    }

    /// Drops the logs of all but the first failed runs of the step, to limit memory use. They're printed already.
    pub(crate) fn limit_logs(&mut self, runs_with_logs: &Cell<usize>) {
        for run in self.runs.iter_mut().filter(|run| !run.logs.is_empty()) {
            if runs_with_logs.get() < MAX_RUNS_WITH_LOGS {
                runs_with_logs.update(|count| count + 1);
            } else {
                run.dropped_logs = mem::take(&mut run.logs).len();
            }
        }
    }

    /// Returns the runs whose conclusions count. A missing one does.
    pub(crate) fn counted(&self) -> impl Iterator<Item = &RunReport> {
        let succeeded = self
            .runs
            .iter()
            .any(|run| run.conclusion == Some(Conclusion::Success));
        let counts = move |conclusion: Conclusion| conclusion.counts(succeeded);
        self.runs
            .iter()
            .filter(move |run| run.conclusion.is_none_or(counts))
    }

    /// Sets the conclusion to the worst of the runs that count and the conclusion set already for runs that weren't
    /// found. Sets it to `None` if the end of a run that counts wasn't seen.
    pub(crate) fn conclude(&mut self) {
        let all: Option<Vec<_>> = self.counted().map(|run| run.conclusion).collect();
        self.conclusion = all.and_then(|all| all.into_iter().chain(self.conclusion).max());
    }
}
