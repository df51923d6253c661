//! `timeout`: counts from the accepted trigger, and a run that ended in time has its own conclusion, however late that
//! is seen.

use std::time::Duration;

use super::record::since;
use super::view::{View, end, id};
use crate::case::Course;

/// What lies between a trigger's arrival and the client's clock.
const SLACK: Duration = Duration::from_millis(300);
/// In which a run must be readable before the deadline, so that its end is seen for sure.
const READABLE: Duration = Duration::from_secs(2);

/// No false red: also when the process was frozen over the deadline.
pub(super) fn who_succeeds_in_time_is_a_success(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    if view.has_signals() {
        return complaints;
    }
    for entry in &view.entries {
        let Some(deadline) = entry.deadline() else {
            continue;
        };
        let succeeded = entry.started.iter();
        let succeeded = succeeded.filter(|run| end(run) == Some("success"));
        for run in succeeded {
            let Some(listed) = entry.lists(run).filter(|listed| listed.is_sure()) else {
                continue;
            };
            let in_time = view.at(run.concluded_from()) + SLACK < deadline;
            let is_seen = in_time && view.can_be_read_from(run, deadline - READABLE);
            let said = listed.conclusion();
            if is_seen && said != Some("success") {
                let early = since(view.at(run.concluded_from()), deadline);
                complaints.push(entry.complain(format!(
                    "{} succeeded {early:?} before its deadline, and is {said:?}",
                    id(run)
                )));
            }
        }
    }
    complaints
}

/// Nothing but a signal, a person who is awaited or a run that is lost makes it cancel before.
pub(super) fn nothing_is_cancelled_before(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in &view.entries {
        for run in &entry.started {
            let is_lost = entry
                .lists(run)
                .is_some_and(|listed| listed.conclusion() == Some("lost"));
            let blocks = view.case.living(run).course == Course::Blocks;
            let first = view.cancels_of(run).first().map(|(at, _)| *at);
            let (Some(first), Some(deadline)) = (first, entry.deadline()) else {
                continue;
            };
            let is_stopped = view.signals().any(|signal| signal <= first);
            if !is_stopped && !is_lost && !blocks && first + SLACK < deadline {
                let early = since(first, deadline);
                complaints.push(
                    entry.complain(format!("{} is cancelled {early:?} before time", id(run))),
                );
            }
        }
    }
    complaints
}
