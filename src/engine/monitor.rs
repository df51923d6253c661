//! Monitors a target after its trigger: finds the runs, waits for them, reads logs and the result, and cancels runs
//! that shouldn't keep running.

mod collect;
mod finish;
mod not_found;
mod rerun;
mod search;
mod watch;

use std::collections::HashSet;

use tokio::time::{Instant, sleep_until};

pub(crate) use finish::{Finished, SearchEnd};

use crate::engine::context::TargetContext;
use crate::engine::find::SearchLimits;
use crate::engine::trigger::Triggered;
use crate::model::{
    Conclusion, Interruption, LeftRunning, Monitored, NotFound, Outcome, Run, WaitOptions,
    WaitUntil,
};
use crate::providers::Error;

/// A target whose trigger was sent.
pub(crate) struct Monitor<'a, 'target> {
    pub(crate) context: TargetContext<'a, 'target>,
    /// IDs of the runs that existed before the trigger.
    pub(crate) seen: &'a HashSet<String>,
    /// When the trigger was sent.
    pub(crate) sent_at: Instant,
    /// When the trigger was answered: `timeout` counts from here.
    pub(crate) answered_at: Instant,
}

/// Finds and waits for the runs of a trigger if `wait` is set. An unknown outcome is investigated in any case, and may
/// turn out to be accepted.
pub(crate) async fn monitor(monitor: &Monitor<'_, '_>, triggered: &mut Triggered) -> Monitored {
    let wait = monitor.context.target.wait.as_ref();
    let search = monitor.search();
    let mut monitored = Monitored::default();
    if triggered.outcome == Outcome::Unknown {
        Box::pin(monitor.resolve_unknown_outcome(&search, triggered)).await;
    }
    let (mut unread, mut is_interrupted) = (None, false);
    if triggered.outcome == Outcome::Accepted && triggered.runs.is_empty() && wait.is_some() {
        let mut found = Box::pin(monitor.find(&search, SearchLimits::ACCEPTED)).await;
        monitor.record_not_found(&found, &mut monitored);
        is_interrupted = found.interruption == Some(Interruption::Stopped);
        triggered.runs = std::mem::take(&mut found.runs);
        unread = found.failure;
    }
    let mut runs = std::mem::take(&mut triggered.runs);
    let Some(wait) = wait else {
        return Monitored::unwatched(runs);
    };
    if triggered.outcome == Outcome::Unknown {
        monitored.left_running = Some(LeftRunning::OutcomeUnknown);
    }
    if wait.until == WaitUntil::Start && monitor.is_in_time(wait) {
        return monitor.started(runs, unread.as_ref(), monitored);
    }
    while !runs.is_empty() {
        let watched = monitor.watch_all(&search, runs, wait).await;
        monitored.runs.extend(watched);
        runs = Box::pin(monitor.late_runs(&search, &mut monitored, &mut unread)).await;
    }
    monitored.conclude();
    if is_interrupted {
        // Runs that weren't found may have ended differently.
        monitored.conclusion = None;
    }
    if let Some(artifact) = &wait.result {
        Box::pin(monitor.read_result(artifact, &mut monitored)).await;
    }
    monitored
}

impl Monitor<'_, '_> {
    /// Whether neither a shutdown nor the deadline has ended the wait. If one has, even a step that only waits for the
    /// start of its runs cancels them.
    fn is_in_time(&self, wait: &WaitOptions) -> bool {
        !self.context.shutdown.is_requested() && Instant::now() < self.deadline_of(wait)
    }

    /// Returns the result for runs of which only the start was of interest. `unread` is why the search couldn't list
    /// the runs up to its end.
    fn started(
        &self,
        runs: Vec<Run>,
        unread: Option<&Error>,
        mut monitored: Monitored,
    ) -> Monitored {
        if let Some(error) = unread.filter(|_| !runs.is_empty()) {
            let why = NotFound::Unlisted(error.message().to_owned());
            monitored.problems.push(self.not_found(why));
            monitored.conclusion = Some(Conclusion::Lost);
        }
        monitored.runs = Monitored::unwatched(runs).runs;
        monitored
    }

    fn deadline_of(&self, wait: &WaitOptions) -> Instant {
        self.answered_at + wait.timeout
    }

    /// Returns at the deadline; never, if `wait` isn't set.
    async fn deadline(&self) {
        match &self.context.target.wait {
            Some(wait) => sleep_until(self.deadline_of(wait)).await,
            None => std::future::pending().await,
        }
    }
}
