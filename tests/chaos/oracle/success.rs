//! No false success: a step that passes has started everything it should, and every run that it waited for succeeded.

use std::time::Duration;

use sandbox::Run;

use super::Violations;
use super::view::{Entry, Listed, View, end, id};

/// The step searches for new runs of a trigger until this long after the last one appeared.
const SETTLE_TIME: Duration = Duration::from_secs(10);
/// From a run's appearance in lists to the list request that shows it.
const TOLERANCE: Duration = Duration::from_secs(2);

pub(super) fn a_passing_step_succeeded(view: &View<'_>, violations: &mut Violations) {
    if view.observed.done.code != Some(0) || view.case.dry_run {
        return;
    }
    for entry in &view.entries {
        if !entry.was_accepted() && !entry.has_certain_run() {
            violations.of(entry, "passes, and nobody accepted its trigger");
        }
        if entry.target.wait.is_none() {
            continue;
        }
        let failed = entry.started.iter();
        let failed = failed.filter(|run| end(run) != Some("success"));
        for run in failed.filter(|run| !is_excused(view, entry, run)) {
            let (id, end) = (id(run), end(run));
            violations.of(entry, format!("passes, and {id} ended as {end:?}"));
        }
    }
}

/// Whether no rule promises that the step knows this run. The step searches for new runs until 10 s after the last
/// one appeared, and once more when the last known run has ended. Missing a run that appears later is no fault. If
/// the step matched another run of the same workflow by time, it has warned that this may be the wrong one.
pub(super) fn is_excused(view: &View<'_>, entry: &Entry<'_>, run: &Run) -> bool {
    if entry.lists(run).is_some() {
        return false;
    }
    let known: Vec<_> = entry
        .listed()
        .filter_map(|listed| Some((listed, listed.run(entry, view)?)))
        .collect();
    let is_mistaken = |(listed, other): &(Listed<'_>, &Run)| {
        !listed.is_certain() && other.pipeline == run.pipeline
    };
    if known.iter().any(is_mistaken) {
        return true;
    }
    let appeared = known.iter().map(|(_, other)| view.at(other.listed_from()));
    let triggered = entry.triggers.last().map(|request| request.arrived_at);
    let last = appeared.chain(triggered).max();
    let settled = last.map(|last| last + SETTLE_TIME - TOLERANCE);
    let ended = known
        .iter()
        .map(|(_, other)| view.at(other.concluded_from()));
    let ended = ended.max().filter(|_| entry.target.pipeline.is_marked());
    let promised = settled.into_iter().chain(ended).max();
    promised.is_none_or(|promised| view.at(run.listed_from()) > promised)
}

/// Whether there was time to see the run in a list: before the step had to end, and while lists were readable.
pub(super) fn can_be_seen(view: &View<'_>, entry: &Entry<'_>, run: &Run) -> bool {
    if is_excused(view, entry, run) {
        return false;
    }
    let listed = view.at(run.listed_from());
    let ends = view.signals().next().into_iter().chain(entry.deadline());
    let is_in_time = ends.min().is_none_or(|end| listed + TOLERANCE < end);
    is_in_time && view.can_be_read_from(run, listed)
}
