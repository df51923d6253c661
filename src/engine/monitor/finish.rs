//! Ends what the step's first process may have left running: see [`crate::engine::second_chance`].

use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::{Instant, timeout_at};

use super::Monitor;
use crate::engine::cancel::{CancelOptions, CancelResult, cancel_and_confirm};
use crate::engine::find::{SearchLimits, Sighting, find};
use crate::engine::shutdown::ShutdownMode;
use crate::engine::unfinished::Unfinished;
use crate::model::{Event, News, OnAbandoned, Run};
use crate::providers::Candidate;

/// Time set aside, at the end, for cancelling the runs that the search finds.
const LATE_CANCELS_RESERVE: Duration = Duration::from_secs(30);

/// Result for one target.
pub(crate) struct Finished {
    pub(crate) runs: Vec<(Run, CancelResult)>,
    /// How the search for more runs ended; `None` if all were known.
    pub(crate) search: Option<SearchEnd>,
    /// Runs that may be the trigger's or somebody else's.
    pub(crate) ambiguous: Vec<Candidate>,
}

pub(crate) enum SearchEnd {
    Settled,
    /// The runs can't be listed, for this reason.
    Failed(String),
    /// There was no time left, or a signal came.
    Interrupted,
}

impl Finished {
    /// Whether `runs` holds everything that the trigger started.
    pub(crate) fn is_complete(&self) -> bool {
        match self.search {
            None => true,
            Some(SearchEnd::Settled) => !self.runs.is_empty(),
            Some(SearchEnd::Failed(_) | SearchEnd::Interrupted) => false,
        }
    }
}

/// Runs that the first process didn't know.
#[derive(Default)]
struct More {
    runs: Vec<(Run, CancelResult)>,
    ambiguous: Vec<Candidate>,
    search: Option<SearchEnd>,
}

impl Monitor<'_, '_> {
    /// Cancels the known runs again, and searches for runs that the first process didn't know.
    pub(crate) async fn finish(&self, unfinished: &Unfinished, deadline: Instant) -> Finished {
        let known = unfinished.runs.iter().cloned();
        let known = join_all(known.map(|run| self.cancel_run(run, deadline)));
        let (mut runs, more) = join(known, self.find_more(unfinished, deadline)).await;
        runs.extend(more.runs);
        Finished {
            runs,
            ambiguous: more.ambiguous,
            search: more.search,
        }
    }

    async fn find_more(&self, unfinished: &Unfinished, deadline: Instant) -> More {
        if unfinished.is_complete {
            return More::default();
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
        let found = tokio::select! {
            found = timeout_at(deadline - LATE_CANCELS_RESERVE, searching) => found.ok(),
            () = self.context.shutdown.requested(ShutdownMode::Immediate) => None,
        };
        let search_end = match found.as_ref().map(|found| &found.failure) {
            Some(None) => SearchEnd::Settled,
            Some(Some(error)) => SearchEnd::Failed(error.message().to_owned()),
            None => SearchEnd::Interrupted,
        };
        let mut found = found.unwrap_or_else(|| search.found_so_far());
        let mut new = std::mem::take(&mut found.runs);
        new.retain(|run| unfinished.runs.iter().all(|known| known.id != run.id));
        let cancelled = new.into_iter().map(|run| self.cancel_run(run, deadline));
        More {
            runs: join_all(cancelled).await,
            ambiguous: found.ambiguous.into_iter().flatten().collect(),
            search: Some(search_end),
        }
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
