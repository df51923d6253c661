//! What comes after the trigger: find the runs, wait for them, read back what they leave behind, and
//! leave nothing running that should not be.

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

pub(crate) use finish::Finished;
use not_found::addresses;

use crate::engine::cancel::{CancelOptions, cancel_and_confirm};
use crate::engine::context::TargetContext;
use crate::engine::find::{self, Found, Limits, Search, Sighting, find};
use crate::engine::retry::retry;
use crate::engine::shutdown::ShutdownMode;
use crate::engine::trigger::Triggered;
use crate::engine::wait::{Watch, ended_in_time, wait};
use crate::model::{
    Conclusion, End, Event, Interruption, LeftRunning, MatchedBy, Monitored, News, NotFound,
    Outcome, Problem, Run, RunReport, UnknownSearch, WaitOptions,
};
use crate::providers::Error;

/// For one last look for a run when the deadline has passed.
const LAST_LIST_TIMEOUT: Duration = Duration::from_millis(1_500);
/// After a signal a run that can be recognised is looked for until then: a run that has just been started takes seconds
/// to appear, and its cancel takes time too.
const SEARCH_SHUTDOWN_GRACE: Duration = Duration::from_millis(4_200);
const LAST_LIST_INTERVAL: Duration = Duration::from_millis(700);
/// After a deadline nobody is in a hurry.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(30);
/// For the cancel of a run that can't be read any more.
const LOST_CANCEL_TIMEOUT: Duration = Duration::from_secs(10);
/// For the list that shows runs which appeared late, when all known ones have ended; and where the search could not read
/// to its end, so that only this list can tell whether there are any.
const LATE_LIST_TIMEOUT: Duration = Duration::from_secs(15);
const MISSING_LIST_TIMEOUT: Duration = Duration::from_mins(1);

/// A target whose trigger went out.
pub(crate) struct Monitor<'a, 'target> {
    pub(crate) context: TargetContext<'a, 'target>,
    /// Runs that were there before the trigger.
    pub(crate) seen: &'a HashSet<String>,
    /// When the trigger went out.
    pub(crate) sent: Instant,
    /// When it was answered: `timeout` counts from there.
    pub(crate) began: Instant,
}

/// Follows what a trigger started, if that is asked for or has to be found out. An unknown outcome may
/// turn out to be an accepted one.
pub(crate) async fn monitor(monitor: &Monitor<'_, '_>, triggered: &mut Triggered) -> Monitored {
    let wait = monitor.context.target.wait.as_ref();
    let search = monitor.search();
    let mut monitored = Monitored::default();
    if triggered.outcome == Outcome::Unknown {
        Box::pin(monitor.look_into(&search, triggered)).await;
    }
    let (mut unread, mut is_cut) = (None, false);
    if triggered.outcome == Outcome::Accepted && triggered.runs.is_empty() && wait.is_some() {
        let mut found = Box::pin(monitor.find(&search, Limits::ACCEPTED)).await;
        monitor.record_not_found(&found, &mut monitored);
        is_cut = found.interruption == Some(Interruption::Stopped);
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
    if is_cut {
        // Runs that nobody has seen may have ended otherwise.
        monitored.conclusion = None;
    }
    if let Some(artifact) = &wait.result {
        Box::pin(monitor.read_back(artifact, &mut monitored)).await;
    }
    monitored
}

impl<'target> Monitor<'_, 'target> {
    fn search(&self) -> Search<'_, 'target> {
        Search {
            context: self.context,
            seen: self.seen,
            sent: self.sent,
            known: RefCell::default(),
            reported: RefCell::default(),
        }
    }

    /// Checks whether a trigger with an unknown outcome has started something. Only the marker proves it: after a
    /// failure of the provider, a run that merely fits is more likely somebody else's.
    async fn look_into(&self, search: &Search<'_, '_>, triggered: &mut Triggered) {
        // In a hurry only a marker can tell.
        if self.context.shutdown.is_requested() && self.context.target.spec.marker().is_none() {
            return;
        }
        if let Some(Problem::OutcomeUnknown { failure, .. }) = &triggered.problem {
            self.context.emit(Event::LookingInto(&failure.what));
        }
        let found = self.find(search, Limits::UNKNOWN).await;
        if !found.runs.is_empty() {
            triggered.outcome = Outcome::Accepted;
            triggered.problem = None;
            return;
        }
        let came = match (&found.failure, found.unsure.first()) {
            (_, Some(several)) => UnknownSearch::Candidates(addresses(several)),
            (Some(error), None) => UnknownSearch::Unreadable(error.message().to_owned()),
            (None, None) if found.interruption.is_some() => UnknownSearch::Interrupted,
            (None, None) => UnknownSearch::Nothing(Limits::UNKNOWN.first),
        };
        if let Some(Problem::OutcomeUnknown { search, .. }) = &mut triggered.problem {
            *search = Some(came);
        }
    }

    async fn find(&self, search: &Search<'_, '_>, limits: Limits) -> Found {
        let say = |sighting: Sighting<'_>| match sighting {
            Sighting::Run(run) => self.report_found(search, run),
            Sighting::NothingYet => self.context.emit(Event::NothingFoundYet {
                page: &self.context.provider.runs_page(),
            }),
        };
        let interruption = tokio::select! {
            found = find(search, limits, &say) => {
                if found.unsure.is_empty() && !found.runs.is_empty() {
                    self.context.siblings.mark_settled();
                }
                return found;
            }
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => Interruption::Stopped,
            () = self.deadline() => Interruption::TimedOut,
        };
        let failure = tokio::select! {
            failure = self.last_looks(search, interruption) => failure,
            () = self.context.shutdown.requested(ShutdownMode::Immediate) => None,
        };
        let mut found = search.known_now();
        found
            .runs
            .iter()
            .for_each(|run| self.report_found(search, run));
        found.interruption = Some(interruption);
        found.failure = failure;
        found
    }

    /// Looks once more when the search has been cut short; after a signal again and again while there is time, where
    /// a marker would show a run that can be cancelled then. Says why it failed, if the last one did.
    async fn last_looks(
        &self,
        search: &Search<'_, '_>,
        interruption: Interruption,
    ) -> Option<Error> {
        let asked = self
            .context
            .shutdown
            .requested_at()
            .unwrap_or_else(Instant::now);
        loop {
            let looked = timeout(LAST_LIST_TIMEOUT, find::once(search)).await;
            let is_found = !search.known_now().runs.is_empty();
            let has_time =
                interruption == Interruption::Stopped && asked.elapsed() < SEARCH_SHUTDOWN_GRACE;
            if is_found || !has_time || self.context.target.spec.marker().is_none() {
                return looked.ok()?.err();
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

    /// Waits for these runs. If the step has to end before they do, runs that have appeared since the search are looked
    /// for, so that they are cancelled too.
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
        // Only a marker shows that a run may be cancelled.
        if self.context.target.spec.marker().is_none() {
            return Vec::new();
        }
        tokio::select! {
            _ = timeout(LAST_LIST_TIMEOUT, find::once(search)) => {}
            () = self.context.shutdown.requested(ShutdownMode::Immediate) => {}
        }
        let new = self.report_new(search, search.known_now().runs);
        join_all(new.into_iter().map(|run| self.watch(run, wait))).await
    }

    /// Those of the runs that have not been reported as found yet, which they are now.
    fn report_new(&self, search: &Search<'_, '_>, mut runs: Vec<Run>) -> Vec<Run> {
        runs.retain(|run| !search.reported.borrow().contains(&run.id));
        for run in &runs {
            self.report_found(search, run);
        }
        runs
    }

    /// Marked runs that appeared after the search had ended, now that all known ones are over. A run that was taken for
    /// ours by its time is given up if one of the same workflow has the marker. `unread` says why the search could not
    /// read to its end: if that can't be made up for now, nobody knows whether there are more runs.
    async fn late_runs(
        &self,
        search: &Search<'_, '_>,
        monitored: &mut Monitored,
        unread: &mut Option<Error>,
    ) -> Vec<Run> {
        if self.context.target.spec.marker().is_none() {
            return Vec::new();
        }
        let time = if unread.is_some() {
            MISSING_LIST_TIMEOUT
        } else {
            LATE_LIST_TIMEOUT
        };
        let is_listed = tokio::select! {
            biased;
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => false,
            listed = timeout(time, list_at_last(search)) => matches!(listed, Ok(Ok(()))),
        };
        if let (false, Some(error)) = (is_listed, unread.take()) {
            let why = NotFound::Unlisted(error.message().to_owned());
            monitored.problems.push(self.not_found(why));
        }
        if self.context.shutdown.is_requested() {
            return Vec::new();
        }
        let found = search.known_now();
        let is_disowned = |run: &Run| {
            run.matched_by == MatchedBy::Timing
                && found.others.iter().any(|other| other.id == run.id)
        };
        monitored.runs.retain(|known| !is_disowned(&known.run));
        self.report_new(search, found.runs)
    }

    /// When the time of the wait is over.
    fn deadline_of(&self, wait: &WaitOptions) -> Instant {
        self.began + wait.timeout
    }

    /// Returns when the time of the wait is over, if it is waited.
    async fn deadline(&self) {
        match &self.context.target.wait {
            Some(wait) => sleep_until(self.deadline_of(wait)).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for one run, and sees to it that it does not go on without us.
    async fn watch(&self, run: Run, wait_for: &WaitOptions) -> RunReport {
        let emit = |news: News<'_>| self.context.emit(Event::Run { run: &run, news });
        let deadline = self.deadline_of(wait_for);
        let ends_by = DateTime::<Utc>::from(self.context.http.at_server(deadline));
        let watch = Watch {
            since: self.began,
            deadline,
            ends_by,
            on_blocked: wait_for.on_blocked,
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
            let how = CancelOptions {
                policy: wait_for.on_abandoned,
                time: match end {
                    End::Lost(_) => LOST_CANCEL_TIMEOUT,
                    End::Completed(_) | End::TimedOut | End::Blocked(_) | End::Stopped => {
                        CANCEL_TIMEOUT
                    }
                },
            };
            let cancelled = Box::pin(cancel_and_confirm(self.context, &run, how, &emit)).await;
            left_running = cancelled.left_running;
            // The poll that failed or came too late may go well now. What was cancelled wasn't over before.
            let late = cancelled.snapshot.as_ref();
            let late = late.and_then(|snapshot| ended_in_time(snapshot, ends_by));
            let late = late.filter(|conclusion| *conclusion != Conclusion::Cancelled);
            if let (Some(conclusion), End::TimedOut | End::Lost(_)) = (late, &end) {
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
            End::TimedOut => Some(Conclusion::TimedOut),
        };
        emit(News::Ended {
            end: &end,
            conclusion,
            snapshot: snapshot.as_ref(),
        });
        let logs = Box::pin(self.logs(&run, snapshot.as_ref(), wait_for, &emit)).await;
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
        }
    }
}

/// Lists the runs once more, as soon as they can be read.
async fn list_at_last(search: &Search<'_, '_>) -> Result<(), Error> {
    let interval = search.context.provider.poll_intervals().min;
    let list = async || find::once(search).await;
    retry(search.context.quiet_retry(), |_| Some(interval), list).await
}
