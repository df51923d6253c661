//! Ending what an earlier process of this step has left going: see [`crate::engine::second_chance`].

use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::{Instant, timeout_at};

use super::Monitor;
use crate::engine::cancel::{CancelOptions, CancelResult, cancel_and_confirm};
use crate::engine::find::{Found, Limits, Sighting, find};
use crate::engine::unfinished::Unfinished;
use crate::model::{Event, News, OnAbandoned, Run};
use crate::providers::Candidate;

/// Kept for the cancels of runs that are found late.
const CANCELS_TIMEOUT: Duration = Duration::from_secs(30);

/// What became of it.
pub(crate) struct Finished {
    pub(crate) runs: Vec<(Run, CancelResult)>,
    /// Whether all that the trigger has started is among these runs.
    pub(crate) is_complete: bool,
    /// Runs that may be the trigger's, and may be somebody else's.
    pub(crate) unsure: Vec<Candidate>,
    /// Why the runs could not be listed, if they couldn't.
    pub(crate) unlisted: Option<String>,
}

impl Monitor<'_, '_> {
    /// Cancels what is certainly this step's, once more, and looks for what wasn't known yet.
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
            // Nothing can be recognised: what fits is only named.
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
