//! `timeout` counts from the accepted trigger. A run that ended in time keeps its own conclusion, however late that
//! is read.

use std::time::Duration;

use super::Violations;
use super::lost::had_to_be_given_up;
use super::record::since;
use super::view::{View, end, id};
use crate::case::Course;

/// Delay between the trigger's arrival and the moment from which the client counts.
const TOLERANCE: Duration = Duration::from_millis(300);
/// A run that has been readable for this long at the deadline is certainly read once more.
const READABLE: Duration = Duration::from_secs(2);

/// There is no false failure, even if the process was frozen at the deadline.
pub(super) fn a_success_in_time_is_reported(view: &View<'_>, violations: &mut Violations) {
    if view.has_signals() {
        return;
    }
    for entry in &view.entries {
        let Some(deadline) = entry.deadline() else {
            continue;
        };
        let succeeded = entry.started.iter();
        let succeeded = succeeded.filter(|run| end(run) == Some("success"));
        for run in succeeded {
            let Some(listed) = entry.lists(run).filter(|listed| listed.is_certain()) else {
                continue;
            };
            let in_time = view.at(run.concluded_from()) + TOLERANCE < deadline;
            let is_seen = in_time && view.can_be_read_from(run, deadline - READABLE);
            let reported = listed.conclusion();
            // `lost` has a rule of its own: the run couldn't be read for a minute, and was given up.
            if is_seen && !matches!(reported, Some("success" | "lost")) {
                let early = since(view.at(run.concluded_from()), deadline);
                violations.of(
                    entry,
                    format!(
                        "{} succeeded {early:?} before its deadline, and is {reported:?}",
                        id(run)
                    ),
                );
            }
        }
    }
}

/// Before the deadline, the step cancels only because of a signal, a blocked run or a lost run.
pub(super) fn nothing_is_cancelled_before_the_deadline(
    view: &View<'_>,
    violations: &mut Violations,
) {
    for entry in &view.entries {
        for run in &entry.started {
            // A run that was given up may be readable again while it is cancelled.
            let is_lost = had_to_be_given_up(view, run);
            let blocks = view.case.behaviour(run).course == Course::Blocks;
            let first = view.cancels_of(run).first().map(|(at, _)| *at);
            let (Some(first), Some(deadline)) = (first, entry.deadline()) else {
                continue;
            };
            let is_stopped = view.signals().any(|signal| signal <= first);
            if !is_stopped && !is_lost && !blocks && first + TOLERANCE < deadline {
                let early = since(first, deadline);
                violations.of(
                    entry,
                    format!("{} is cancelled {early:?} before time", id(run)),
                );
            }
        }
    }
}
