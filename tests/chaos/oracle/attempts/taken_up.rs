//! What an attempt reports about the runs that it has taken up.

use super::super::Violations;
use super::super::view::{Listed, end, id};
use super::view::View;
use crate::case::Course;

/// A target counts as accepted because of a trigger of this attempt, or of a run that it has taken up.
pub(super) fn what_is_accepted_has_evidence(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        for entry in view.entries(target) {
            let has_own_run = || {
                let mut listed = entry.listed();
                let is_sent = target.triggers_of(entry.attempt).next().is_some();
                is_sent && listed.any(Listed::is_certain)
            };
            let has_taken_up =
                || entry.listed().next().is_some() && entry.listed().all(is_of_earlier_attempt);
            let has_evidence =
                target.was_accepted(entry.attempt) || has_own_run() || has_taken_up();
            if entry.outcome() == "accepted" && !has_evidence {
                violations.add(target.in_attempt(entry.attempt, "accepted without ground"));
            }
        }
    }
}

fn is_of_earlier_attempt(listed: Listed<'_>) -> bool {
    listed.started_by_attempt().is_some()
}

/// `started_by_attempt` is the attempt that has started the run, unless it is this one.
pub(super) fn the_attempt_is_right(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        for entry in view.entries(target) {
            for listed in entry.listed().filter(|listed| listed.is_certain()) {
                let Some(started) = target.started(listed) else {
                    continue;
                };
                let number = started.attempt as u64 + 1;
                let expected = (started.attempt != entry.attempt).then_some(number);
                let reported = listed.started_by_attempt();
                if reported != expected {
                    let id = id(started.run);
                    let what = format!("{id} is of attempt {reported:?}, not {expected:?}");
                    violations.add(target.in_attempt(entry.attempt, &what));
                }
            }
        }
    }
}

/// Somebody may run a run again, so any attempt of it counts.
pub(super) fn conclusions_match_the_world(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        for entry in view.entries(target) {
            let ended_at = view.observed.attempts[entry.attempt].ended_at;
            for listed in entry.listed() {
                let (Some(started), Some(reported)) = (target.started(listed), listed.conclusion())
                else {
                    continue;
                };
                let mut attempts = started.run.attempts();
                let is_so = attempts.any(|attempt| {
                    end(attempt) == Some(reported) && view.at(attempt.updated_at) <= ended_at
                });
                let fails_if_blocked = target.target.wait.is_some_and(|wait| wait.fails_if_blocked);
                let is_blocked = reported == "failure"
                    && fails_if_blocked
                    && view.job.case.behaviour(started.run).course == Course::Blocks;
                let is_steps_own = ["timed-out", "lost"].contains(&reported);
                if !is_so && !is_blocked && !is_steps_own {
                    let id = id(started.run);
                    let what = format!("{id} did not end as {reported}");
                    violations.add(target.in_attempt(entry.attempt, &what));
                }
            }
        }
    }
}
