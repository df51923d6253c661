//! Runs in `results`: all runs of this step, no others, and with the state that they have in the world.

use std::collections::BTreeSet;

use sandbox::Run;

use super::Violations;
use super::success::can_be_seen;
use super::view::{self, Entry, View, id};
use crate::case::Course;

/// Every run that the step started is in `results`, or its trigger is reported as unknown.
pub(super) fn none_is_lost(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        for run in &entry.started {
            let is_reported = entry.lists(run).is_some()
                || entry.outcome() == "unknown"
                || need_not_be_found(view, entry)
                || is_reported_unfound(view, entry)
                || !can_be_seen(view, entry, run);
            if !is_reported {
                violations.of(entry, format!("run {} is lost", id(run)));
            }
        }
    }
}

/// The response doesn't name the run, and the step doesn't wait for it.
fn need_not_be_found(view: &View<'_>, entry: &Entry<'_>) -> bool {
    entry.target.wait.is_none()
        && entry.outcome() == "accepted"
        && !view.case.response_names_run(entry.target)
        && entry.error().is_none()
        && entry.listed().next().is_none()
}

/// The step had to search for the run, didn't find it, and reports that.
fn is_reported_unfound(view: &View<'_>, entry: &Entry<'_>) -> bool {
    entry.outcome() == "accepted"
        && !view.case.response_names_run(entry.target)
        && entry.error().is_some()
        && entry.left_running().is_some()
}

/// A run found with certainty isn't forgotten, whatever the step reads later. Only this rule reads the log.
pub(super) fn found_runs_are_kept(view: &View<'_>, violations: &mut Violations) {
    let lines: Vec<_> = view.observed.done.log.lines().collect();
    for entry in &view.entries {
        for run in &entry.started {
            // The run's page is at the end of the line, or alone on the next one.
            let page = format!("/actions/runs/{}", id(run));
            let is_found = lines.iter().enumerate().any(|(index, line)| {
                let mut both = lines[index..].iter().take(2);
                line.contains(" by the marker in its title")
                    && both.any(|line| line.ends_with(&page))
            });
            if is_found && entry.lists(run).is_none() {
                violations.of(entry, format!("run {} was found and forgotten", id(run)));
            }
        }
    }
}

/// Every run in `results` exists, and is listed only once.
pub(super) fn every_listed_run_exists(view: &View<'_>, violations: &mut Violations) {
    let mut taken = BTreeSet::new();
    for entry in &view.entries {
        for listed in entry.listed() {
            let Some(run) = listed.run(entry, view) else {
                violations.of(entry, format!("no run is {:?}", listed.id()));
                continue;
            };
            if listed.is_certain() && !taken.insert((run.provider.to_string(), run.id)) {
                violations.of(entry, format!("run {} is there twice", id(run)));
            }
        }
    }
}

/// Runs reported as certainly this step's belong to it.
pub(super) fn listed_runs_belong_to_the_target(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        for listed in entry.listed().filter(|listed| listed.is_certain()) {
            let run = listed.run(entry, view);
            let owner = run.and_then(|run| view.case.owner(run));
            if run.is_some() && owner != Some(entry.index) {
                violations.of(entry, format!("run {} is not its own", listed.id()));
            }
        }
    }
}

pub(super) fn conclusions_match_the_world(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        for listed in entry.listed() {
            let Some(run) = listed.run(entry, view) else {
                continue;
            };
            if listed.has_ended() && view::is_running(run) {
                violations.of(entry, format!("run {} has not ended", id(run)));
            }
            let Some(reported) = listed.conclusion() else {
                continue;
            };
            let is_steps_own = ["timed-out", "lost"].contains(&reported);
            let is_so =
                view::end(run) == Some(reported) || failed_as_blocked(view, entry, run, reported);
            if !is_steps_own && !is_so {
                let end = view::end(run);
                violations.of(
                    entry,
                    format!("run {} ended {end:?}, not {reported}", id(run)),
                );
            }
        }
    }
}

/// Whether the step failed because the run waits for a person.
fn failed_as_blocked(view: &View<'_>, entry: &Entry<'_>, run: &Run, reported: &str) -> bool {
    let fails = entry.target.wait.is_some_and(|wait| wait.fails_if_blocked);
    let blocks = view.case.behaviour(run).course == Course::Blocks;
    reported == "failure" && fails && blocks
}
