//! Searches for the runs of a trigger, and looks for runs that appear late.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Monitor;
use super::not_found::urls;
use crate::engine::find::{self, Found, Search, SearchLimits, Sighting, find};
use crate::engine::retry::retry;
use crate::engine::shutdown::ShutdownMode;
use crate::engine::trigger::Triggered;
use crate::model::{
    Event, Interruption, MatchedBy, Monitored, NotFound, Outcome, Problem, Run, UnknownSearch,
};
use crate::providers::Error;

/// Timeout of one list after the search or the wait was interrupted.
pub(super) const LAST_LIST_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Time after a signal in which the search for a marked run goes on: a new run takes seconds to appear, and cancelling
/// it takes time too.
const SEARCH_SHUTDOWN_GRACE: Duration = Duration::from_millis(4_200);
const LAST_LIST_INTERVAL: Duration = Duration::from_millis(700);
/// Time, retries included, to list runs that appeared late, once all known ones have ended. It's longer if the search
/// ended with failing lists, because only this list can then show whether there are more runs.
const LATE_LIST_TIMEOUT: Duration = Duration::from_secs(15);
const LATE_LIST_AFTER_FAILURE_TIMEOUT: Duration = Duration::from_mins(1);

impl<'target> Monitor<'_, 'target> {
    pub(super) fn search(&self) -> Search<'_, 'target> {
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
    pub(super) async fn resolve_unknown_outcome(
        &self,
        search: &Search<'_, '_>,
        triggered: &mut Triggered,
    ) {
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
            if self.context.target.wait.is_none() {
                // No other search follows.
                triggered.runs = found.runs;
            }
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

    pub(super) async fn find(&self, search: &Search<'_, '_>, limits: SearchLimits) -> Found {
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

    pub(super) fn report_found(&self, search: &Search<'_, '_>, run: &Run) {
        self.context.siblings.claim(run);
        if search.reported.borrow_mut().insert(run.id.clone()) {
            self.context.emit(Event::Found(run));
        }
    }

    /// Whether runs that appear late could be recognised: they have a marker, and none is known by its id, which would be
    /// the only one.
    pub(super) fn may_have_more_runs<'run>(
        &self,
        known: impl IntoIterator<Item = &'run Run>,
    ) -> bool {
        let mut known = known.into_iter();
        self.context.target.spec.marker().is_some()
            && known.all(|run| run.matched_by != MatchedBy::Id)
    }

    /// Reports the runs that haven't been reported as found yet, and returns them.
    pub(super) fn report_new(&self, search: &Search<'_, '_>, mut runs: Vec<Run>) -> Vec<Run> {
        runs.retain(|run| !search.reported.borrow().contains(&run.id));
        for run in &runs {
            self.report_found(search, run);
        }
        runs
    }

    /// Returns marked runs that appeared after the search, once all known runs have ended. Drops a run that was matched
    /// by timing if another one of the same workflow has the marker. `unread` is why the search couldn't list the runs
    /// up to its end: if they can't be listed now either, that is recorded as a problem.
    pub(super) async fn late_runs(
        &self,
        search: &Search<'_, '_>,
        monitored: &mut Monitored,
        unread: &mut Option<Error>,
    ) -> Vec<Run> {
        let known = monitored.runs.iter().map(|known| &known.run);
        if !self.may_have_more_runs(known) {
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
}

/// Lists the runs once more, and retries until that succeeds.
async fn list_with_retries(search: &Search<'_, '_>) -> Result<(), Error> {
    let interval = search.context.provider.poll_intervals().min;
    let list = async || find::list_now(search).await;
    retry(search.context.quiet_retry(), |_| Some(interval), list).await
}
