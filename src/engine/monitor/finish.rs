//! Ends what the step's first process may have left running: see [`crate::engine::second_chance`].

use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::{Instant, timeout_at};

use super::Monitor;
use crate::engine::cancel::{CancelOptions, CancelResult, cancel_and_confirm};
use crate::engine::find::{Found, SearchLimits, Sighting, find};
use crate::engine::unfinished::Unfinished;
use crate::model::{Event, News, OnAbandoned, Run};
use crate::providers::Candidate;

/// Time set aside, at the end, for cancelling the runs that the search finds.
const LATE_CANCELS_RESERVE: Duration = Duration::from_secs(30);

/// Result for one target.
pub(crate) struct Finished {
    pub(crate) runs: Vec<(Run, CancelResult)>,
    /// Whether `runs` holds everything that the trigger started.
    pub(crate) is_complete: bool,
    /// Runs that may be the trigger's or somebody else's.
    pub(crate) ambiguous: Vec<Candidate>,
    /// Why listing the runs failed, if it did.
    pub(crate) list_error: Option<String>,
}

impl Monitor<'_, '_> {
    /// Cancels the known runs again, and searches for runs that the first process didn't know.
    pub(crate) async fn finish(&self, unfinished: &Unfinished, deadline: Instant) -> Finished {
        let known = unfinished.runs.iter().cloned();
        let known = join_all(known.map(|run| self.cancel_run(run, deadline)));
        let (mut runs, (new, found)) = join(known, self.find_more(unfinished, deadline)).await;
        runs.extend(new);
        Finished {
            is_complete: unfinished.is_complete || (!runs.is_empty() && found.failure.is_none()),
            runs,
            ambiguous: found.ambiguous.into_iter().flatten().collect(),
            list_error: found.failure.map(|error| error.message().to_owned()),
        }
    }

    async fn find_more(
        &self,
        unfinished: &Unfinished,
        deadline: Instant,
    ) -> (Vec<(Run, CancelResult)>, Found) {
        if unfinished.is_complete {
            return (Vec::new(), Found::default());
        }
        let search = self.search();
        let limits = match unfinished.marker {
            Some(_) => SearchLimits::SECOND_CHANCE,
            // Without a marker no run can be identified: runs that fit are only named.
            None => SearchLimits::UNKNOWN,
        };
        let on_sighting = |sighting: Sighting<'_>| match sighting {
            Sighting::Run(run) => self.report_found(&search, run),
            Sighting::NothingYet => {}
        };
        let searching = find(&search, limits, &on_sighting);
        let found = timeout_at(deadline - LATE_CANCELS_RESERVE, searching).await;
        let mut found = found.unwrap_or_else(|_| search.found_so_far());
        let mut new = std::mem::take(&mut found.runs);
        new.retain(|run| unfinished.runs.iter().all(|known| known.id != run.id));
        let cancelled = new.into_iter().map(|run| self.cancel_run(run, deadline));
        (join_all(cancelled).await, found)
    }

    async fn cancel_run(&self, run: Run, deadline: Instant) -> (Run, CancelResult) {
        let options = CancelOptions {
            policy: OnAbandoned::Cancel,
            timeout: deadline.saturating_duration_since(Instant::now()),
        };
        let emit = |news: News<'_>| self.context.emit(Event::Run { run: &run, news });
        let cancelled = cancel_and_confirm(self.context, &run, options, &emit).await;
        (run, cancelled)
    }
}
