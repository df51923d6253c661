//! After a signal, and after a cancel that was refused.

use std::time::{Duration, SystemTime};

use sandbox::{RecordedResponse, Run};

use super::cancels::may_cancel;
use super::view::{View, end, id};

/// For a trigger that was on the wire when the signal came, on a busy machine.
const SLACK: Duration = Duration::from_millis(1_500);
/// A trigger that is on the wire gets four seconds; a busy machine takes one of them.
const ON_THE_WIRE: Duration = Duration::from_secs(3);
/// A refused cancel is sent again after a second. The rest is for a read in between, on a busy machine.
const AGAIN: Duration = Duration::from_secs(3);
/// The last second before the step must be out is for its outputs.
const AFTER_SIGNAL: Duration = Duration::from_secs(6);
const MINUTE: Duration = Duration::from_mins(1);
const AFTER_DEADLINE: Duration = Duration::from_secs(28);

pub(super) fn nothing_is_triggered_any_more(view: &View<'_>) -> Vec<String> {
    let Some(signal) = view.signals().next() else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    for entry in &view.entries {
        let late = entry.triggers.iter();
        let late = late.filter(|trigger| trigger.arrived_at > signal + SLACK);
        for trigger in late {
            let after = trigger.arrived_at.duration_since(signal);
            complaints.push(entry.complain(format!("triggered {after:?} after a signal")));
        }
    }
    complaints
}

/// A trigger that is on the wire when the signal comes is waited for for some seconds.
pub(super) fn a_trigger_on_the_wire_is_awaited(view: &View<'_>) -> Vec<String> {
    let mut signals = view.signals();
    let (Some(signal), None) = (signals.next(), signals.next()) else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    for entry in view.entries.iter().filter(|entry| entry.was_accepted()) {
        let provider = entry.target.provider();
        let came_back = entry.triggers.last().and_then(|last| last.responded_at);
        let in_time = came_back.is_some_and(|back| back < signal + ON_THE_WIRE);
        let is_well = !view.closes() && view.case.triggers_are_late_at_worst(provider);
        if in_time && is_well && entry.outcome() != "accepted" {
            let outcome = entry.outcome();
            complaints.push(entry.complain(format!("accepted in time, and {outcome}")));
        }
    }
    complaints
}

/// While the run goes on and there is time.
pub(super) fn refused_cancels_are_sent_again(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in view.entries.iter().filter(|entry| may_cancel(entry)) {
        for run in &entry.started {
            let cancels = view.cancels_of(run);
            let Some((first, _)) = cancels.first() else {
                continue;
            };
            let limit = limit(view, *first);
            for (index, (at, answered)) in cancels.iter().enumerate() {
                let next = cancels.get(index + 1).map(|(at, _)| *at);
                let due = *at + AGAIN + view.frozen();
                let is_over = end(run).is_some() && view.at(run.updated_at) <= due;
                let is_kept = next.is_some_and(|next| next <= due) || is_over || due > limit;
                if is_refused(*answered) && is_untroubled(view, run, *at) && !is_kept {
                    complaints.push(entry.complain(format!(
                        "{} refused its cancel with {answered:?}, and that was all",
                        id(run)
                    )));
                }
            }
        }
    }
    complaints
}

/// Until when there is time for another one, if the first was sent then.
fn limit(view: &View<'_>, first: SystemTime) -> SystemTime {
    let mut signals = view.signals();
    let by_signal = signals.next().map(|signal| signal + AFTER_SIGNAL);
    let by_second = signals.next();
    let limits = by_signal.into_iter().chain(by_second);
    limits.fold(first + AFTER_DEADLINE, SystemTime::min)
}

/// Rate limits say when to come back, so they don't count.
fn is_refused(answered: RecordedResponse) -> bool {
    matches!(answered, RecordedResponse::Status(400..600))
        && answered != RecordedResponse::Status(429)
}

/// Slow or failing reads of the run may delay the next cancel.
fn is_untroubled(view: &View<'_>, run: &Run, at: SystemTime) -> bool {
    view.at(run.readable_from()) <= at
        && view.is_calm_from(run, at - MINUTE)
        && !view.has_troubled_cancels(run)
}
