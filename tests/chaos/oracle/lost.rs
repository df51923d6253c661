//! Runs that count as lost: only after a minute of refusals, or if they were never found, and only after the step
//! tried to cancel them.

use std::time::Duration;

use sandbox::Run;

use super::Violations;
use super::cancels::may_cancel;
use super::record::{is_good, is_refusal, since};
use super::view::{Entry, Listed, View, id};

/// Shorter refusals are transient.
const REFUSAL_TIME: Duration = Duration::from_mins(1);
/// For the time between two requests.
const TOLERANCE: Duration = Duration::from_secs(3);
/// How long the step searches for runs, unless `timeout` is shorter.
const SEARCH_TIMEOUT: Duration = Duration::from_mins(5);
const MIN_REFUSALS: usize = 5;

pub(super) fn only_after_a_minute_of_refusals(view: &View<'_>, violations: &mut Violations) {
    for (entry, run) in lost_runs(view) {
        let (count, lasted) = refusals(view, run);
        if !is_enough(count, lasted) {
            violations.of(
                entry,
                format!("{} is lost after {count} refusals in {lasted:?}", id(run)),
            );
        }
    }
}

/// Whether the run couldn't be read for so long that the step had to give it up.
pub(super) fn had_to_be_given_up(view: &View<'_>, run: &Run) -> bool {
    let (count, lasted) = refusals(view, run);
    is_enough(count, lasted)
}

fn is_enough(count: usize, lasted: Duration) -> bool {
    lasted + TOLERANCE >= REFUSAL_TIME && count >= MIN_REFUSALS
}

/// Number and duration of the refusals before the run was given up. Then it is cancelled, and may be readable again.
fn refusals(view: &View<'_>, run: &Run) -> (usize, Duration) {
    let given_up = view.cancels_of(run).first().map(|(at, _)| *at);
    let reads = view.reads_of(run);
    let reads = reads.filter(|read| given_up.is_none_or(|at| read.arrived_at < at));
    let reads: Vec<_> = reads.collect();
    let good = reads.iter().rposition(|read| is_good(read.response));
    let since_then = &reads[good.map_or(0, |good| good + 1)..];
    let refusals = since_then.iter().filter(|read| is_refusal(read.response));
    let refusals: Vec<_> = refusals.map(|read| read.arrived_at).collect();
    let lasted = match (refusals.first(), refusals.last()) {
        (Some(first), Some(last)) => since(*first, *last),
        _ => Duration::ZERO,
    };
    (refusals.len(), lasted)
}

pub(super) fn lost_runs_were_cancelled(view: &View<'_>, violations: &mut Violations) {
    if view.has_signals() || view.closes() {
        return;
    }
    for (entry, run) in lost_runs(view) {
        let is_certain = entry.lists(run).is_some_and(Listed::is_certain);
        if is_certain && may_cancel(entry) && view.cancels_of(run).is_empty() {
            violations.of(entry, format!("{} is given up without a cancel", id(run)));
        }
    }
}

/// The step searches for a marked run until its time is up. For unmarked runs it may know earlier that it can't tell
/// them from strangers' runs.
pub(super) fn search_ends_only_when_time_is_up(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        let is_unfound = entry.conclusion() == Some("lost") && entry.listed().next().is_none();
        if !is_unfound || !entry.target.pipeline.is_marked() || view.has_signals() {
            continue;
        }
        let (Some(wait), Some(trigger)) = (entry.target.wait, entry.triggers.last()) else {
            continue;
        };
        let timeout = Duration::from_secs(wait.timeout as u64);
        let search_time = since(trigger.arrived_at, view.observed.ended_at);
        if search_time + TOLERANCE < timeout.min(SEARCH_TIMEOUT) {
            violations.of(
                entry,
                format!("not looked for for more than {search_time:?}"),
            );
        }
    }
}

fn lost_runs<'view, 'a>(
    view: &'view View<'a>,
) -> impl Iterator<Item = (&'view Entry<'a>, &'a Run)> {
    view.entries.iter().flat_map(move |entry| {
        let lost = entry.listed();
        let lost = lost.filter(|listed| listed.conclusion() == Some("lost"));
        lost.filter_map(move |listed| Some((entry, listed.run(entry, view)?)))
    })
}
