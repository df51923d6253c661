//! Monitors a target after its trigger: finds the runs, waits for them, reads logs and the result, and cancels runs
//! that shouldn't keep running.

mod collect;
mod finish;
mod not_found;

use std::cell::RefCell;
use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use tokio::time::{Instant, sleep, sleep_until, timeout};

pub(crate) use finish::{Finished, SearchEnd};
use not_found::urls;

use crate::engine::cancel::{CancelOptions, cancel_and_confirm};
use crate::engine::context::TargetContext;
use crate::engine::find::{self, Found, Search, SearchLimits, Sighting, find};
use crate::engine::retry::retry;
use crate::engine::shutdown::ShutdownMode;
use crate::engine::trigger::Triggered;
use crate::engine::wait::{Watch, ended_in_time, wait};
use crate::model::{
    Conclusion, End, Event, Interruption, LeftRunning, MatchedBy, Monitored, News, NotFound,
    Outcome, Problem, Run, RunReport, Snapshot, UnknownSearch, WaitOptions,
};
use crate::providers::Error;

/// Timeout of one list after the search or the wait was interrupted.
const LAST_LIST_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Time after a signal in which the search for a marked run goes on: a new run takes seconds to appear, and cancelling
/// it takes time too.
const SEARCH_SHUTDOWN_GRACE: Duration = Duration::from_millis(4_200);
const LAST_LIST_INTERVAL: Duration = Duration::from_millis(700);
/// Time to cancel a run and confirm it, retries included. A signal may shorten it.
const CANCEL_AND_CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a run that can't be read any more.
const LOST_CANCEL_AND_CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// Time, retries included, to list runs that appeared late, once all known ones have ended. It's longer if the search
/// ended with failing lists, because only this list can then show whether there are more runs.
const LATE_LIST_TIMEOUT: Duration = Duration::from_secs(15);
const LATE_LIST_AFTER_FAILURE_TIMEOUT: Duration = Duration::from_mins(1);

/// Time to read which run displaced one.
const DISPLACED_BY_TIMEOUT: Duration = Duration::from_secs(10);

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

impl<'target> Monitor<'_, 'target> {
    fn search(&self) -> Search<'_, 'target> {
        Search {
            context: self.context,
            seen: self.seen,
            sent_at: self.sent_at,
            known: RefCell::default(),
            reported: RefCell::default(),
        }
    }

    /// Checks whether a trigger with an unknown outcome has started a run. Only the marker proves it: after a failure
    /// of the provider, a run that merely fits is more likely somebody else's.
    async fn resolve_unknown_outcome(&self, search: &Search<'_, '_>, triggered: &mut Triggered) {
        // An interrupted search can only identify a run by its marker.
        if self.context.shutdown.is_requested() && self.context.target.spec.marker().is_none() {
            return;
        }
        if let Some(Problem::OutcomeUnknown { failure, .. }) = &triggered.problem {
            self.context.emit(Event::LookingInto(&failure.what));
        }
        let found = self.find(search, SearchLimits::UNKNOWN).await;
        if !found.runs.is_empty() {
            triggered.outcome = Outcome::Accepted;
            triggered.problem = None;
            return;
        }
        let result = match (&found.failure, found.ambiguous.first()) {
            (_, Some(candidates)) => UnknownSearch::Candidates(urls(candidates)),
            (Some(error), None) => UnknownSearch::Unreadable(error.message().to_owned()),
            (None, None) if found.interruption.is_some() => UnknownSearch::Interrupted,
            (None, None) => UnknownSearch::Nothing(SearchLimits::UNKNOWN.first_run),
        };
        if let Some(Problem::OutcomeUnknown { search, .. }) = &mut triggered.problem {
            *search = Some(result);
        }
    }

    async fn find(&self, search: &Search<'_, '_>, limits: SearchLimits) -> Found {
        let on_sighting = |sighting: Sighting<'_>| match sighting {
            Sighting::Run(run) => self.report_found(search, run),
            Sighting::NothingYet => self.context.emit(Event::NothingFoundYet {
                page: &self.context.provider.runs_page(),
            }),
        };
        let interruption = tokio::select! {
            found = find(search, limits, &on_sighting) => {
                if found.ambiguous.is_empty() && !found.runs.is_empty() {
                    self.context.siblings.mark_settled();
                }
                return found;
            }
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => Interruption::Stopped,
            () = self.deadline() => Interruption::TimedOut,
        };
        let failure = tokio::select! {
            failure = self.list_after_interruption(search, interruption) => failure,
            () = self.context.shutdown.requested(ShutdownMode::Immediate) => None,
        };
        let mut found = search.found_so_far();
        found
            .runs
            .iter()
            .for_each(|run| self.report_found(search, run));
        found.interruption = Some(interruption);
        found.failure = failure;
        found
    }

    /// Lists once more when the search has been cut short. After a signal, repeats this while there is time and no run
    /// with the marker has been found, so that it can be cancelled. Returns why the last list failed, if it did.
    async fn list_after_interruption(
        &self,
        search: &Search<'_, '_>,
        interruption: Interruption,
    ) -> Option<Error> {
        let requested_at = self
            .context
            .shutdown
            .requested_at()
            .unwrap_or_else(Instant::now);
        loop {
            let listed = timeout(LAST_LIST_TIMEOUT, find::list_now(search)).await;
            let is_found = !search.found_so_far().runs.is_empty();
            let has_time = interruption == Interruption::Stopped
                && requested_at.elapsed() < SEARCH_SHUTDOWN_GRACE;
            if is_found || !has_time || self.context.target.spec.marker().is_none() {
                return listed.ok()?.err();
            }
            sleep(LAST_LIST_INTERVAL).await;
        }
    }

    fn report_found(&self, search: &Search<'_, '_>, run: &Run) {
        self.context.siblings.claim(run);
        if search.reported.borrow_mut().insert(run.id.clone()) {
            self.context.emit(Event::Found(run));
        }
    }

    /// Waits for these runs. If the step is stopped before they end, lists the runs once more, so that those which have
    /// appeared since the search are cancelled too.
    async fn watch_all(
        &self,
        search: &Search<'_, '_>,
        runs: Vec<Run>,
        wait: &WaitOptions,
    ) -> Vec<RunReport> {
        let watching = runs.into_iter().map(|run| self.watch(run, wait));
        let mut watching = pin!(join_all(watching));
        tokio::select! {
            biased;
            reports = &mut watching => return reports,
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => {}
        }
        let late = self.watch_late_runs(search, wait);
        let (mut reports, late) = join(watching, late).await;
        reports.extend(late);
        reports
    }

    async fn watch_late_runs(&self, search: &Search<'_, '_>, wait: &WaitOptions) -> Vec<RunReport> {
        // Without a marker, no run found now may be cancelled.
        if self.context.target.spec.marker().is_none() {
            return Vec::new();
        }
        tokio::select! {
            _ = timeout(LAST_LIST_TIMEOUT, find::list_now(search)) => {}
            () = self.context.shutdown.requested(ShutdownMode::Immediate) => {}
        }
        let new = self.report_new(search, search.found_so_far().runs);
        join_all(new.into_iter().map(|run| self.watch(run, wait))).await
    }

    /// Reports the runs that haven't been reported as found yet, and returns them.
    fn report_new(&self, search: &Search<'_, '_>, mut runs: Vec<Run>) -> Vec<Run> {
        runs.retain(|run| !search.reported.borrow().contains(&run.id));
        for run in &runs {
            self.report_found(search, run);
        }
        runs
    }

    /// Returns marked runs that appeared after the search, once all known runs have ended. Drops a run that was matched
    /// by timing if another one of the same workflow has the marker. `unread` is why the search couldn't list the runs
    /// up to its end: if they can't be listed now either, that is recorded as a problem.
    async fn late_runs(
        &self,
        search: &Search<'_, '_>,
        monitored: &mut Monitored,
        unread: &mut Option<Error>,
    ) -> Vec<Run> {
        if self.context.target.spec.marker().is_none() {
            return Vec::new();
        }
        let list_timeout = if unread.is_some() {
            LATE_LIST_AFTER_FAILURE_TIMEOUT
        } else {
            LATE_LIST_TIMEOUT
        };
        let is_listed = tokio::select! {
            biased;
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => false,
            listed = timeout(list_timeout, list_with_retries(search)) => matches!(listed, Ok(Ok(()))),
        };
        if let (false, Some(error)) = (is_listed, unread.take()) {
            let why = NotFound::Unlisted(error.message().to_owned());
            monitored.problems.push(self.not_found(why));
        }
        if self.context.shutdown.is_requested() {
            return Vec::new();
        }
        let found = search.found_so_far();
        let is_superseded = |run: &Run| {
            run.matched_by == MatchedBy::Timing
                && found.others.iter().any(|other| other.id == run.id)
        };
        monitored.runs.retain(|known| !is_superseded(&known.run));
        self.report_new(search, found.runs)
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

    /// Reads which run most likely displaced a run that somebody else cancelled. Only explains, so failures don't matter.
    async fn displaced_by(&self, run: &Run) -> Option<Run> {
        let read = Box::pin(self.context.provider.displaced_by(run));
        tokio::select! {
            read = timeout(DISPLACED_BY_TIMEOUT, read) => read.ok()?.ok()?,
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => None,
        }
    }

    /// Waits for one run, and cancels it if the wait ends first.
    async fn watch(&self, run: Run, wait_options: &WaitOptions) -> RunReport {
        let emit = |news: News<'_>| self.context.emit(Event::Run { run: &run, news });
        let deadline = self.deadline_of(wait_options);
        let server_deadline = DateTime::<Utc>::from(self.context.http.at_server(deadline));
        let watch = Watch {
            accepted_at: self.answered_at,
            deadline,
            server_deadline,
            on_blocked: wait_options.on_blocked,
            intervals: self.context.provider.poll_intervals(),
            quota: self.context.quota(),
        };
        let poll = async |depth| {
            let _slot = self.context.limits.polls.acquire().await;
            Box::pin(self.context.provider.status(&run, depth)).await
        };
        let waited = wait(poll, &watch, self.context.shutdown, &emit).await;
        let (mut end, mut snapshot) = (waited.end, waited.snapshot);
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
            let late = late.and_then(|snapshot| ended_in_time(snapshot, server_deadline));
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
        }
    }
}

/// Whether the run seems to have ended before any of its jobs was created.
fn has_no_jobs(snapshot: Option<&Snapshot>) -> bool {
    let jobs = snapshot.and_then(|snapshot| snapshot.jobs.as_ref());
    jobs.is_some_and(Vec::is_empty)
}

/// Lists the runs once more, and retries until that succeeds.
async fn list_with_retries(search: &Search<'_, '_>) -> Result<(), Error> {
    let interval = search.context.provider.poll_intervals().min;
    let list = async || find::list_now(search).await;
    retry(search.context.quiet_retry(), |_| Some(interval), list).await
}
