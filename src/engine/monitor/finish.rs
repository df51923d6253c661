//! Ends what the step's first process may have left running: see [`crate::engine::second_chance`].

use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::{Instant, timeout_at};

use super::Monitor;
use crate::engine::cancel::{CancelOptions, CancelResult, cancel_and_confirm};
use crate::engine::find::{Found, Limits, Sighting, find};
use crate::engine::unfinished::Unfinished;
use crate::model::{Event, News, OnAbandoned, Run};
use crate::providers::Candidate;

/// Time set aside, at the end, for cancelling the runs that the search finds.
const CANCELS_TIMEOUT: Duration = Duration::from_secs(30);

/// Result for one target.
pub(crate) struct Finished {
    pub(crate) runs: Vec<(Run, CancelResult)>,
    /// Whether `runs` holds everything that the trigger started.
    pub(crate) is_complete: bool,
    /// Runs that may be the trigger's or somebody else's.
    pub(crate) unsure: Vec<Candidate>,
    /// Why listing the runs failed, if it did.
    pub(crate) unlisted: Option<String>,
}

impl Monitor<'_, '_> {
    /// Cancels the known runs again, and searches for runs that the first process didn't know.
    pub(crate) async fn finish(&self, unfinished: &Unfinished, until: Instant) -> Finished {
        let known = unfinished.runs.iter().cloned();
        let known = join_all(known.map(|run| self.end(run, until)));
        let (mut runs, (new, found)) = join(known, self.find_more(unfinished, until)).await;
        runs.extend(new);
        Finished {
            is_complete: unfinished.is_complete || !runs.is_empty(),
            runs,
            unsure: found.unsure.into_iter().flatten().collect(),
            unlisted: found.failure.map(|error| error.message().to_owned()),
        }
    }

    async fn find_more(
        &self,
        unfinished: &Unfinished,
        until: Instant,
    ) -> (Vec<(Run, CancelResult)>, Found) {
        if unfinished.is_complete {
            return (Vec::new(), Found::default());
        }
        let search = self.search();
        let limits = match unfinished.marker {
            Some(_) => Limits::SECOND_CHANCE,
            // Without a marker no run can be identified: runs that fit are only named.
            None => Limits::UNKNOWN,
        };
        let say = |sighting: Sighting<'_>| match sighting {
            Sighting::Run(run) => self.report_found(&search, run),
            Sighting::NothingYet => {}
        };
        let searching = find(&search, limits, &say);
        let found = timeout_at(until - CANCELS_TIMEOUT, searching).await;
        let mut found = found.unwrap_or_else(|_| search.known_now());
        let mut new = std::mem::take(&mut found.runs);
        new.retain(|run| unfinished.runs.iter().all(|known| known.id != run.id));
        let ended = new.into_iter().map(|run| self.end(run, until));
        (join_all(ended).await, found)
    }

    async fn end(&self, run: Run, until: Instant) -> (Run, CancelResult) {
        let how = CancelOptions {
            policy: OnAbandoned::Cancel,
            time: until.saturating_duration_since(Instant::now()),
        };
        let emit = |news: News<'_>| self.context.emit(Event::Run { run: &run, news });
        let cancelled = cancel_and_confirm(self.context, &run, how, &emit).await;
        (run, cancelled)
    }
}
