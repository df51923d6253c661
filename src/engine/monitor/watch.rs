//! Waits for the runs of a target, and cancels those that shouldn't keep running.

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use tokio::time::timeout;

use super::Monitor;
use super::search::LAST_LIST_TIMEOUT;
use crate::engine::cancel::{CancelOptions, cancel_and_confirm};
use crate::engine::find::{self, Search};
use crate::engine::shutdown::ShutdownMode;
use crate::engine::wait::{Watch, ended_in_time, wait};
use crate::model::{
    Conclusion, End, Event, LeftRunning, News, Retries, Run, RunReport, Snapshot, WaitOptions,
};
use crate::providers::{Depth, Error};

/// Time to cancel a run and confirm it, retries included. A signal may shorten it.
const CANCEL_AND_CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a run that can't be read any more.
const LOST_CANCEL_AND_CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to read which run displaced one.
const DISPLACED_BY_TIMEOUT: Duration = Duration::from_secs(10);

/// An attempt of a run, and how the wait for it ended.
pub(super) struct Attempt {
    pub(super) run: Run,
    pub(super) end: End,
    /// The last successful poll, if there was one.
    pub(super) snapshot: Option<Snapshot>,
}

impl Monitor<'_, '_> {
    /// Waits for these runs. If the step is stopped before they end, lists the runs once more, so that those which have
    /// appeared since the search are cancelled too.
    pub(super) async fn watch_all(
        &self,
        search: &Search<'_, '_>,
        runs: Vec<Run>,
        wait: &WaitOptions,
    ) -> Vec<RunReport> {
        let may_have_more = self.may_have_more_runs(&runs);
        let watching = runs.into_iter().map(|run| self.watch(run, wait));
        let mut watching = pin!(join_all(watching));
        tokio::select! {
            biased;
            reports = &mut watching => return reports,
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => {}
        }
        if !may_have_more {
            return watching.await;
        }
        let late = self.watch_late_runs(search, wait);
        let (mut reports, late) = join(watching, late).await;
        reports.extend(late);
        reports
    }

    async fn watch_late_runs(&self, search: &Search<'_, '_>, wait: &WaitOptions) -> Vec<RunReport> {
        tokio::select! {
            _ = timeout(LAST_LIST_TIMEOUT, find::list_now(search)) => {}
            () = self.context.shutdown.requested(ShutdownMode::Immediate) => {}
        }
        let new = self.report_new(search, search.found_so_far().runs);
        join_all(new.into_iter().map(|run| self.watch(run, wait))).await
    }

    /// Reads which run most likely displaced a run that somebody else cancelled. Only explains, so failures don't matter.
    async fn displaced_by(&self, run: &Run) -> Option<Run> {
        let read = Box::pin(self.context.provider.displaced_by(run));
        tokio::select! {
            read = timeout(DISPLACED_BY_TIMEOUT, read) => read.ok()?.ok()?,
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => None,
        }
    }

    /// Polls a run once.
    pub(super) async fn poll(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        let _slot = self.context.limits.polls.acquire().await;
        Box::pin(self.context.provider.status(run, depth)).await
    }

    /// Polls until the run has ended, or there is a reason to stop waiting.
    pub(super) async fn wait_for(
        &self,
        poll: impl AsyncFn(Depth) -> Result<Snapshot, Error>,
        wait_options: &WaitOptions,
        emit: &dyn Fn(News<'_>),
    ) -> (End, Option<Snapshot>) {
        let watch = Watch {
            accepted_at: self.answered_at,
            deadline: self.deadline_of(wait_options),
            server_deadline: self.server_deadline_of(wait_options),
            on_blocked: wait_options.on_blocked,
            intervals: self.context.provider.poll_intervals(),
            quota: self.context.quota(),
        };
        let waited = wait(poll, &watch, self.context.shutdown, emit).await;
        (waited.end, waited.snapshot)
    }

    /// Returns the deadline by the server's clock.
    fn server_deadline_of(&self, wait: &WaitOptions) -> DateTime<Utc> {
        self.context.http.at_server(self.deadline_of(wait)).into()
    }

    /// Waits for one run, re-runs its failed jobs as often as `retries` allows, and cancels it if the wait ends first.
    async fn watch(&self, run: Run, wait_options: &WaitOptions) -> RunReport {
        let emit = |news: News<'_>| self.context.emit(Event::Run { run: &run, news });
        let poll = async |depth| self.poll(&run, depth).await;
        let (end, snapshot) = self.wait_for(poll, wait_options, &emit).await;
        let (mut last, mut retries) = (Attempt { run, end, snapshot }, Retries::default());
        if wait_options.retries > 0 {
            (last, retries) = Box::pin(self.retry(last, wait_options)).await;
        }
        let report = self.end_watch(last, wait_options).await;
        RunReport { retries, ..report }
    }

    /// Cancels a run if the wait for it has ended before it has, and reports it.
    async fn end_watch(&self, last: Attempt, wait_options: &WaitOptions) -> RunReport {
        let Attempt {
            run,
            mut end,
            mut snapshot,
        } = last;
        let emit = |news: News<'_>| self.context.emit(Event::Run { run: &run, news });
        let mut left_running = None;
        if !matches!(end, End::Completed(_)) {
            let options = CancelOptions {
                policy: wait_options.on_abandoned,
                timeout: match end {
                    End::Lost(_) => LOST_CANCEL_AND_CONFIRM_TIMEOUT,
                    End::Completed(_) | End::TimedOut(_) | End::Blocked(_) | End::Stopped => {
                        CANCEL_AND_CONFIRM_TIMEOUT
                    }
                },
            };
            let cancelled = Box::pin(cancel_and_confirm(self.context, &run, options, &emit)).await;
            left_running = cancelled.left_running;
            // The cancel's polls may show that the run had ended in time. A cancelled run hadn't.
            let late = cancelled.snapshot.as_ref();
            let late = late.and_then(|snapshot| {
                ended_in_time(snapshot, self.server_deadline_of(wait_options))
            });
            let late = late.filter(|conclusion| *conclusion != Conclusion::Cancelled);
            if let (Some(conclusion), End::TimedOut(_) | End::Lost(_)) = (late, &end) {
                end = End::Completed(conclusion);
            }
            snapshot = cancelled.snapshot.or(snapshot);
        }
        let seen = snapshot.as_ref();
        let conclusion = match &end {
            End::Completed(conclusion) => Some(*conclusion),
            End::Blocked(_) => Some(Conclusion::Failure),
            End::Stopped => seen.and_then(|snapshot| snapshot.state.conclusion()),
            End::Lost(failure) => {
                left_running = left_running
                    .map(|left| LeftRunning::Unreadable(failure.what.clone(), Box::new(left)));
                Some(Conclusion::Lost)
            }
            End::TimedOut(_) => Some(Conclusion::TimedOut),
        };
        let displaced_by = match &end {
            End::Completed(Conclusion::Cancelled) if has_no_jobs(seen) => {
                self.displaced_by(&run).await
            }
            End::Completed(_)
            | End::TimedOut(_)
            | End::Lost(_)
            | End::Blocked(_)
            | End::Stopped => None,
        };
        emit(News::Ended {
            end: &end,
            conclusion,
            snapshot: snapshot.as_ref(),
        });
        let logs =
            Box::pin(self.read_failed_logs(&run, snapshot.as_ref(), wait_options, &emit)).await;
        let number = snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.number)
            .or(run.number);
        RunReport {
            run: Run { number, ..run },
            end: Some(end),
            conclusion,
            snapshot,
            logs,
            dropped_logs: 0,
            left_running,
            displaced_by,
            retries: Retries::default(),
        }
    }
}

/// Whether the run seems to have ended before any of its jobs was created.
fn has_no_jobs(snapshot: Option<&Snapshot>) -> bool {
    let jobs = snapshot.and_then(|snapshot| snapshot.jobs.as_ref());
    jobs.is_some_and(Vec::is_empty)
}
