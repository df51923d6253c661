//! Runs in `results`: all of ours, none that is not, and as the world has them.

use std::collections::BTreeSet;

use sandbox::Run;

use super::green::can_be_seen;
use super::view::{self, Entry, View, id};
use crate::case::{Course, OnBlocked};

/// Every run that we started is named, or its trigger is said to be unknown.
pub(super) fn none_is_lost(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in &view.entries {
        for run in &entry.started {
            let is_told = entry.lists(run).is_some()
                || entry.outcome() == "unknown"
                || nobody_asked(view, entry)
                || is_told_unfound(view, entry)
                || !can_be_seen(view, entry, run);
            if !is_told {
                complaints.push(entry.complain(format!("run {} is lost", id(run))));
            }
        }
    }
    complaints
}

/// The answer does not name it, and it is not waited for.
fn nobody_asked(view: &View<'_>, entry: &Entry<'_>) -> bool {
    entry.target.wait.is_none()
        && entry.outcome() == "accepted"
        && !view.case.tells_the_run(entry.target)
        && entry.error().is_none()
        && entry.listed().next().is_none()
}

/// It had to be looked for, was not found, and that is said.
fn is_told_unfound(view: &View<'_>, entry: &Entry<'_>) -> bool {
    entry.outcome() == "accepted"
        && !view.case.tells_the_run(entry.target)
        && entry.error().is_some()
        && entry.left_running().is_some()
}

/// What was found for sure is not forgotten, whatever the step sees later. Only here the log has a say: it is held to
/// what it said.
pub(super) fn what_was_found_stays(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    let log = &view.seen.done.log;
    for entry in &view.entries {
        for run in &entry.started {
            let said = format!("found run {} by the marker", id(run));
            if log.contains(&said) && entry.lists(run).is_none() {
                complaints.push(entry.complain(format!("run {} was found and forgotten", id(run))));
            }
        }
    }
    complaints
}

/// What is said to be there, is there, and once.
pub(super) fn none_is_made_up(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut taken = BTreeSet::new();
    for entry in &view.entries {
        for listed in entry.listed() {
            let Some(run) = listed.run(entry, view) else {
                complaints.push(entry.complain(format!("no run is {:?}", listed.id())));
                continue;
            };
            if listed.is_sure() && !taken.insert((run.provider.to_string(), run.id)) {
                complaints.push(entry.complain(format!("run {} is there twice", id(run))));
            }
        }
    }
    complaints
}

/// Where it is said to be ours for sure.
pub(super) fn none_is_anybody_elses(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in &view.entries {
        for listed in entry.listed().filter(|listed| listed.is_sure()) {
            let run = listed.run(entry, view);
            let owner = run.and_then(|run| view.case.owner(run));
            if run.is_some() && owner != Some(entry.index) {
                complaints.push(entry.complain(format!("run {} is not its own", listed.id())));
            }
        }
    }
    complaints
}

pub(super) fn they_ended_as_is_said(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in &view.entries {
        for listed in entry.listed() {
            let Some(run) = listed.run(entry, view) else {
                continue;
            };
            if listed.has_ended() && view::goes_on(run) {
                complaints.push(entry.complain(format!("run {} has not ended", id(run))));
            }
            let Some(said) = listed.conclusion() else {
                continue;
            };
            let is_ours = ["timed-out", "lost"].contains(&said);
            let is_so = view::end(run) == Some(said) || gave_up(view, entry, run, said);
            if !is_ours && !is_so {
                let end = view::end(run);
                complaints
                    .push(entry.complain(format!("run {} ended {end:?}, not {said}", id(run))));
            }
        }
    }
    complaints
}

/// It was not worth waiting for a person.
fn gave_up(view: &View<'_>, entry: &Entry<'_>, run: &Run, said: &str) -> bool {
    let fails = entry
        .target
        .wait
        .is_some_and(|wait| wait.on_blocked == OnBlocked::Fail);
    let blocks = view.case.behaviour(run).course == Course::Blocks;
    said == "failure" && fails && blocks
}
