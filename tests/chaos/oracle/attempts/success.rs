//! No false success: an attempt that passes has a run of each target that passed, whichever attempt started it.

use super::super::Violations;
use super::super::view::{end, id};
use super::view::{Entry, Started, TargetHistory, View};

pub(super) fn a_passing_attempt_succeeded(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        let passing = view.entries(target).filter(|entry| {
            let attempt = &view.observed.attempts[entry.attempt];
            attempt.done.code == Some(0)
        });
        for entry in passing {
            let is_started = if target.target.wait.is_some() {
                entry.listed().next().is_some()
            } else {
                target.was_accepted(entry.attempt) || entry.listed().next().is_some()
            };
            if !is_started {
                violations.add(target.in_attempt(entry.attempt, "passes without a run"));
            }
            if target.target.wait.is_some() {
                check_runs(view, target, entry, violations);
            }
        }
    }
}

/// Every listed run has passed, and so has everything else that was started with those that were taken up.
fn check_runs(
    view: &View<'_>,
    target: &TargetHistory<'_>,
    entry: Entry<'_>,
    violations: &mut Violations,
) {
    let listed = entry.listed();
    let listed: Vec<_> = listed.filter_map(|run| target.started(run)).collect();
    let is_counted = |started: &&Started<'_>| {
        let is_listed = |other: &Started<'_>| id(other.run) == id(started.run);
        let is_together = |other: &Started<'_>| other.attempt == started.attempt;
        let is_taken_up =
            started.attempt < entry.attempt && view.is_visible(started.run, entry.attempt);
        listed.iter().any(is_listed) || is_taken_up && listed.iter().any(is_together)
    };
    for started in target.runs.iter().filter(is_counted) {
        let run = started.run;
        let mut ends = run.attempts().map(end);
        if !ends.any(|end| end == Some("success")) {
            let what = format!("passes, and {} did not", id(run));
            violations.add(target.in_attempt(entry.attempt, &what));
        }
    }
}
