//! The end of each attempt: in time, and with the right exit code and outputs.

use super::super::Violations;
use super::super::ends::{SHUTDOWN_GRACE, TOLERANCE};
use super::view::{Entry, View};

/// There is an entry for each target.
pub(super) fn results_are_complete(view: &View<'_>, violations: &mut Violations) {
    for (index, attempt) in view.ended() {
        let (results, targets) = (attempt.results.len(), view.targets.len());
        if results != targets {
            let number = index + 1;
            violations.add(format!(
                "attempt {number}: {results} results, not {targets}"
            ));
        }
    }
}

pub(super) fn exit_code_is_right(view: &View<'_>, violations: &mut Violations) {
    for (index, attempt) in view.ended() {
        let passes = view.targets.iter().all(|target| {
            let mut entries = view.entries(target);
            let entry = entries.find(|entry: &Entry<'_>| entry.attempt == index);
            entry.is_some_and(|entry| entry.passes(target.target))
        });
        let expected = i32::from(!passes);
        if attempt.done.code != Some(expected) {
            let (number, code) = (index + 1, attempt.done.code);
            violations.add(format!("attempt {number}: code {code:?}, not {expected}"));
        }
    }
}

pub(super) fn in_time(view: &View<'_>, violations: &mut Violations) {
    for (index, attempt) in view.ended() {
        let number = index + 1;
        let took = attempt.ended_at.duration_since(attempt.started_at);
        let took = took.unwrap_or_default();
        if took > view.job.case.max_duration() {
            violations.add(format!("attempt {number}: took {took:?}"));
        }
        let bounds = [SHUTDOWN_GRACE + TOLERANCE, TOLERANCE];
        for (after, limit) in attempt.after_signals.iter().zip(bounds) {
            if *after > limit {
                violations.add(format!(
                    "attempt {number}: went on for {after:?} after a signal"
                ));
            }
        }
    }
}

pub(super) fn every_request_is_acceptable(view: &View<'_>, violations: &mut Violations) {
    for request in &view.observed.requests {
        for objection in &request.objections {
            violations.add(format!("a request: {objection}"));
        }
    }
}
