//! After a signal, and after a refused cancel.

use std::time::{Duration, SystemTime};

use sandbox::{RecordedResponse, Run};

use super::Violations;
use super::cancels::may_cancel;
use super::view::{View, end, id};

/// For a trigger in flight when the signal arrived, on a busy machine.
const TOLERANCE: Duration = Duration::from_millis(1_500);
/// A trigger in flight gets four seconds; a busy machine uses one of them.
const IN_FLIGHT_TIMEOUT: Duration = Duration::from_secs(3);
/// A refused cancel is sent again after a second. The rest is for a read in between, on a busy machine.
const CANCEL_RETRY_TIMEOUT: Duration = Duration::from_secs(3);
/// The last second of the shutdown is for the outputs.
const AFTER_SIGNAL: Duration = Duration::from_secs(6);
const MINUTE: Duration = Duration::from_mins(1);
const AFTER_DEADLINE: Duration = Duration::from_secs(28);

pub(super) fn nothing_is_triggered_after_a_signal(view: &View<'_>, violations: &mut Violations) {
    let Some(signal) = view.signals().next() else {
        return;
    };
    for entry in &view.entries {
        let late = entry.triggers.iter();
        let late = late.filter(|trigger| trigger.arrived_at > signal + TOLERANCE);
        for trigger in late {
            let after = trigger.arrived_at.duration_since(signal);
            violations.of(entry, format!("triggered {after:?} after a signal"));
        }
    }
}

/// The step waits for a trigger in flight for some seconds after the signal.
pub(super) fn a_trigger_in_flight_is_awaited(view: &View<'_>, violations: &mut Violations) {
    let mut signals = view.signals();
    let (Some(signal), None) = (signals.next(), signals.next()) else {
        return;
    };
    for entry in view.entries.iter().filter(|entry| entry.was_accepted()) {
        let provider = entry.target.provider();
        let came_back = entry.triggers.last().and_then(|last| last.responded_at);
        let in_time = came_back.is_some_and(|back| back < signal + IN_FLIGHT_TIMEOUT);
        let is_well = !view.closes() && view.case.triggers_are_late_at_worst(provider);
        if in_time && is_well && entry.outcome() != "accepted" {
            let outcome = entry.outcome();
            violations.of(entry, format!("accepted in time, and {outcome}"));
        }
    }
}

/// As long as the run goes on and there is time.
pub(super) fn refused_cancels_are_resent(view: &View<'_>, violations: &mut Violations) {
    for entry in view.entries.iter().filter(|entry| may_cancel(entry)) {
        for run in &entry.started {
            let cancels = view.cancels_of(run);
            let Some((first, _)) = cancels.first() else {
                continue;
            };
            let limit = limit(view, *first);
            for (index, (at, response)) in cancels.iter().enumerate() {
                let next = cancels.get(index + 1).map(|(at, _)| *at);
                let due = *at + CANCEL_RETRY_TIMEOUT + view.frozen();
                let is_over = end(run).is_some() && view.at(run.updated_at) <= due;
                let is_kept = next.is_some_and(|next| next <= due) || is_over || due > limit;
                if is_refused(*response) && is_unaffected(view, run, *at) && !is_kept {
                    violations.of(
                        entry,
                        format!(
                            "{} refused its cancel with {response:?}, and that was all",
                            id(run)
                        ),
                    );
                }
            }
        }
    }
}

/// Until when another cancel may be sent, given the first one.
fn limit(view: &View<'_>, first: SystemTime) -> SystemTime {
    let mut signals = view.signals();
    let by_signal = signals.next().map(|signal| signal + AFTER_SIGNAL);
    let by_second = signals.next();
    let limits = by_signal.into_iter().chain(by_second);
    limits.fold(first + AFTER_DEADLINE, SystemTime::min)
}

/// Excludes rate limits, because they say when to come back.
fn is_refused(response: RecordedResponse) -> bool {
    matches!(response, RecordedResponse::Status(400..600))
        && response != RecordedResponse::Status(429)
}

/// Excludes runs whose slow or failing reads may delay the next cancel.
fn is_unaffected(view: &View<'_>, run: &Run, at: SystemTime) -> bool {
    view.at(run.readable_from()) <= at
        && view.is_fault_free_from(run, at - MINUTE)
        && !view.has_cancel_faults(run)
}
