//! The step's end: in time, with the right code, and nothing indecent on the way.

use std::time::Duration;

use super::green::is_excused;
use super::view::{Entry, Listed, View, id};
use crate::case::OnAbandoned;

/// After the first signal.
const GRACE: Duration = Duration::from_secs(7);
/// What a machine that is busy with many of these at once takes.
const SLACK: Duration = Duration::from_secs(4);

/// All targets of a case can be looked for meanwhile.
const PATIENT: Duration = Duration::from_secs(13);

pub(super) fn in_time(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    let seen = view.seen;
    if seen.took > view.case.longest() {
        complaints.push(format!("took {:?}", seen.took));
    }
    let bounds = [GRACE + SLACK, Duration::ZERO + SLACK];
    for (after, most) in seen.after_signals.iter().zip(bounds) {
        if *after > most {
            complaints.push(format!("went on for {after:?} after a signal"));
        }
    }
    complaints
}

pub(super) fn with_the_right_code(view: &View<'_>) -> Vec<String> {
    let expected = i32::from(!view.entries.iter().all(|entry| passes(view, entry)));
    if view.seen.done.code == Some(expected) {
        return Vec::new();
    }
    vec![format!("code {:?}, not {expected}", view.seen.done.code)]
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

pub(super) fn with_the_worst_outcome(view: &View<'_>) -> Vec<String> {
    let order = ["unknown", "rejected", "not-sent", "accepted"];
    let is_there = |outcome: &&&str| {
        view.entries
            .iter()
            .any(|entry| entry.outcome() == **outcome)
    };
    let worst = order.iter().find(is_there).copied().unwrap_or_default();
    let said = view.seen.done.outputs["outcome"].as_str();
    if said == worst {
        return Vec::new();
    }
    vec![format!("outcome {said:?}, not {worst:?}")]
}

/// The worst of several; empty if any has none.
pub(super) fn with_the_worst_conclusion(view: &View<'_>) -> Vec<String> {
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
    let place = |conclusion: &&str| order.iter().position(|known| known == conclusion);
    let worst = conclusions.and_then(|all| all.into_iter().min_by_key(place));
    let said = view.seen.done.outputs["conclusion"].as_str();
    if said == worst.unwrap_or_default() {
        return Vec::new();
    }
    vec![format!("conclusion {said:?}, not {worst:?}")]
}

/// Of all that are in `results`.
pub(super) fn with_the_first_run(view: &View<'_>) -> Vec<String> {
    let first = view.entries.iter().find_map(|entry| entry.listed().next());
    let expected = first.map_or("", Listed::id);
    let said = view.seen.done.outputs["run-id"].as_str();
    if said == expected {
        return Vec::new();
    }
    vec![format!("run-id {said:?}, not {expected:?}")]
}

/// No request did what no client may.
pub(super) fn decently(view: &View<'_>) -> Vec<String> {
    let requests = view.seen.requests.iter();
    requests
        .flat_map(|request| &request.objections)
        .map(|objection| format!("a request: {objection}"))
        .collect()
}

/// Whether its runs are known for sure: at once, or in the time that there is to look for a marker.
fn can_be_known(view: &View<'_>, entry: &Entry<'_>) -> bool {
    let has_time = |least: Duration| {
        let wait = entry.target.wait;
        wait.is_some_and(|wait| Duration::from_secs(wait.timeout as u64) >= least)
    };
    let late = entry
        .started
        .iter()
        .map(|run| view.case.behaviour(run).delays.listed);
    let late = late.max().unwrap_or_default();
    view.case.tells_the_run(entry.target)
        || (entry.target.pipeline.is_marked() && has_time(PATIENT + late))
}

/// Where nothing goes wrong and nobody stops it, everything is started, known and as it should be.
pub(super) fn well_in_calm_weather(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    if !view.is_calm() || view.has_signals() || view.case.dry_run {
        return complaints;
    }
    for entry in &view.entries {
        let may_fail_fast = view.case.fail_fast;
        if entry.outcome() != "accepted" && !may_fail_fast {
            complaints.push(entry.complain(format!("{} for no reason", entry.outcome())));
        }
        if entry.outcome() == "accepted" && entry.started.is_empty() {
            complaints.push(entry.complain("nothing was started"));
        }
        for run in &entry.started {
            let is_known = entry.lists(run).is_some_and(Listed::is_sure);
            if can_be_known(view, entry) && !is_known && !is_excused(view, entry, run) {
                complaints.push(entry.complain(format!("run {} was not found", id(run))));
            }
        }
        let leaves = entry
            .target
            .wait
            .is_some_and(|wait| wait.on_abandoned == OnAbandoned::Leave);
        if leaves && entry.started.iter().any(|run| run.cancelled) {
            complaints.push(entry.complain("cancelled what was to be left"));
        }
    }
    complaints
}
