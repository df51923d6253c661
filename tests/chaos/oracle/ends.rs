//! The end of the step: in time, with the right exit code and outputs, and without requests that no client may send.

use std::time::Duration;

use super::Violations;
use super::success::is_excused;
use super::view::{Entry, Listed, View, id};

/// From the first signal.
pub(super) const SHUTDOWN_GRACE: Duration = Duration::from_secs(7);
/// For a machine that is busy with many cases.
pub(super) const TOLERANCE: Duration = Duration::from_secs(4);

/// Enough to search for the runs of all targets of a case.
const SEARCH_TIME: Duration = Duration::from_secs(13);

pub(super) fn in_time(view: &View<'_>, violations: &mut Violations) {
    let observed = view.observed;
    if observed.took > view.case.max_duration() {
        violations.add(format!("took {:?}", observed.took));
    }
    let bounds = [SHUTDOWN_GRACE + TOLERANCE, Duration::ZERO + TOLERANCE];
    for (after, limit) in observed.after_signals.iter().zip(bounds) {
        if *after > limit {
            violations.add(format!("went on for {after:?} after a signal"));
        }
    }
}

pub(super) fn exit_code_is_right(view: &View<'_>, violations: &mut Violations) {
    let expected = i32::from(!view.entries.iter().all(|entry| passes(view, entry)));
    let code = view.observed.done.code;
    if code != Some(expected) {
        violations.add(format!("code {code:?}, not {expected}"));
    }
}

fn passes(view: &View<'_>, entry: &Entry<'_>) -> bool {
    if view.case.dry_run {
        return entry.outcome() == "not-sent" && entry.error().is_none();
    }
    let is_well = entry.conclusion() == Some("success") && entry.listed().next().is_some();
    entry.outcome() == "accepted"
        && entry.error().is_none()
        && (entry.target.wait.is_none() || is_well)
}

fn expect_output(view: &View<'_>, name: &str, expected: &str, violations: &mut Violations) {
    let reported = view.observed.done.outputs[name].as_str();
    if reported != expected {
        violations.add(format!("{name} {reported:?}, not {expected:?}"));
    }
}

pub(super) fn outcome_is_the_worst(view: &View<'_>, violations: &mut Violations) {
    let order = ["unknown", "rejected", "not-sent", "accepted"];
    let is_there =
        |outcome: &&&str| (view.entries.iter()).any(|entry| entry.outcome() == **outcome);
    let worst = order.iter().find(is_there).copied().unwrap_or_default();
    expect_output(view, "outcome", worst, violations);
}

/// The worst of all; empty if any target has none.
pub(super) fn conclusion_is_the_worst(view: &View<'_>, violations: &mut Violations) {
    let order = [
        "lost",
        "timed-out",
        "failure",
        "cancelled",
        "skipped",
        "neutral",
        "success",
    ];
    let conclusions: Option<Vec<_>> = view.entries.iter().map(Entry::conclusion).collect();
    let rank = |conclusion: &&str| order.iter().position(|known| known == conclusion);
    let worst = conclusions.and_then(|all| all.into_iter().min_by_key(rank));
    expect_output(view, "conclusion", worst.unwrap_or_default(), violations);
}

pub(super) fn run_id_is_of_the_first_run(view: &View<'_>, violations: &mut Violations) {
    let first = view.entries.iter().find_map(|entry| entry.listed().next());
    expect_output(view, "run-id", first.map_or("", Listed::id), violations);
}

pub(super) fn every_request_is_acceptable(view: &View<'_>, violations: &mut Violations) {
    for request in &view.observed.requests {
        for objection in &request.objections {
            violations.add(format!("a request: {objection}"));
        }
    }
}

/// Whether its runs can be identified with certainty: by id, or by their marker in the time available.
fn can_be_known(view: &View<'_>, entry: &Entry<'_>) -> bool {
    let has_time = |minimum: Duration| {
        let wait = entry.target.wait;
        wait.is_some_and(|wait| Duration::from_secs(wait.timeout as u64) >= minimum)
    };
    let late = entry
        .started
        .iter()
        .map(|run| view.case.behaviour(run).delays.listed);
    let late = late.max().unwrap_or_default();
    view.case.response_names_run(entry.target)
        || (entry.target.pipeline.is_marked() && has_time(SEARCH_TIME + late))
}

/// Without faults and signals, everything is started and found.
pub(super) fn everything_works_without_faults(view: &View<'_>, violations: &mut Violations) {
    if !view.is_fault_free() || view.has_signals() || view.case.dry_run {
        return;
    }
    for entry in &view.entries {
        let may_fail_fast = view.case.fail_fast;
        if entry.outcome() != "accepted" && !may_fail_fast {
            violations.of(entry, format!("{} for no reason", entry.outcome()));
        }
        if entry.outcome() == "accepted" && entry.started.is_empty() {
            violations.of(entry, "nothing was started");
        }
        for run in &entry.started {
            let is_known = entry.lists(run).is_some_and(Listed::is_certain);
            if can_be_known(view, entry) && !is_known && !is_excused(view, entry, run) {
                violations.of(entry, format!("run {} was not found", id(run)));
            }
        }
        let leaves = entry
            .target
            .wait
            .is_some_and(|wait| !wait.cancels_abandoned);
        if leaves && entry.started.iter().any(|run| run.cancelled) {
            violations.of(entry, "cancelled what was to be left");
        }
    }
}
