//! Never twice: what one attempt has started isn't started again by another one.

use std::time::SystemTime;

use sandbox::{RecordedRequest, Run};

use super::super::Violations;
use super::super::triggers::was_refused;
use super::super::view::{end, id};
use super::view::{TargetHistory, Trigger, View};

/// A trigger follows what an earlier attempt has started only if that is over, and has failed or was cancelled.
pub(super) fn nothing_is_started_again(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        for trigger in &target.triggers {
            for earlier in 0..trigger.attempt {
                if let Some(why) = must_not_follow(view, target, trigger, earlier) {
                    violations.add(target.in_attempt(trigger.attempt, &why));
                }
            }
        }
    }
}

/// Why this trigger may not follow what that attempt has started.
fn must_not_follow(
    view: &View<'_>,
    target: &TargetHistory<'_>,
    trigger: &Trigger<'_>,
    earlier: usize,
) -> Option<String> {
    let runs = target.runs_of(earlier);
    let runs: Vec<_> = runs
        .filter(|run| view.must_know(target, run, trigger.attempt))
        .collect();
    let ends = runs
        .iter()
        .map(|run| (*run, possible_ends(view, run, trigger)));
    let ends: Vec<_> = ends.collect();
    if let Some((run, _)) = ends.iter().find(|(_, ends)| ends.is_empty()) {
        let number = earlier + 1;
        return Some(format!(
            "triggered while {} of attempt {number} goes on",
            id(run)
        ));
    }
    let has_failed = |(_, ends): &(&Run, Vec<&str>)| ends.iter().any(|end| *end != "success");
    let passed = ends.first().filter(|_| !ends.iter().any(has_failed));
    passed.map(|(run, _)| {
        let number = earlier + 1;
        format!("triggered although {} of attempt {number} passed", id(run))
    })
}

/// How the run had ended when the trigger was sent, or when the attempt last read it: somebody may run it again between
/// these two.
fn possible_ends(view: &View<'_>, run: &Run, trigger: &Trigger<'_>) -> Vec<&'static str> {
    let sent = trigger.request.arrived_at;
    let reads = view.reads_of(run, trigger.attempt);
    let times = reads.filter(|read| *read <= sent).chain([sent]);
    times.filter_map(|time| end_at(view, run, time)).collect()
}

/// How the run's latest attempt at that time had ended by then.
fn end_at(view: &View<'_>, run: &Run, time: SystemTime) -> Option<&'static str> {
    let mut attempts = run.attempts().rev();
    let latest = attempts.find(|attempt| view.at(attempt.created_at) <= time)?;
    end(latest).filter(|_| view.at(latest.updated_at) <= time)
}

/// Within one attempt, another trigger follows only if the previous one provably did nothing.
pub(super) fn each_attempt_sends_at_most_once(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        for pair in target.triggers.windows(2) {
            let request: &RecordedRequest = pair[0].request;
            let is_again = pair[0].attempt == pair[1].attempt;
            if is_again && !was_refused(request, &view.job.case.setting) {
                let what = format!("sent again after {:?}", request.response);
                violations.add(target.in_attempt(pair[1].attempt, &what));
            }
        }
        for (index, started) in target.runs.iter().enumerate() {
            let mut before = target.runs[..index].iter();
            let is_twice = before.any(|other| {
                let same_workflow = other.run.pipeline == started.run.pipeline;
                other.attempt == started.attempt && same_workflow
            });
            if is_twice {
                let what = format!("started {} twice", started.run.pipeline);
                violations.add(target.in_attempt(started.attempt, &what));
            }
        }
    }
}

/// Otherwise its runs couldn't be told from those of another attempt or target.
pub(super) fn each_attempt_has_its_own_marker(view: &View<'_>, violations: &mut Violations) {
    let triggers = view.targets.iter().flat_map(|target| {
        let index = target.index;
        target.triggers.iter().map(move |trigger| (index, trigger))
    });
    let triggers: Vec<_> = triggers.collect();
    for (place, (index, trigger)) in triggers.iter().enumerate() {
        let target = &view.targets[*index];
        let Some(marker) = &trigger.marker else {
            violations.add(target.in_attempt(trigger.attempt, "a trigger without a marker"));
            continue;
        };
        let is_shared = triggers[..place].iter().any(|(other, earlier)| {
            let same = earlier.marker.as_ref() == Some(marker);
            same && (*other, earlier.attempt) != (*index, trigger.attempt)
        });
        if is_shared {
            violations.add(target.in_attempt(trigger.attempt, "a marker that was used before"));
        }
    }
}
