//! Cancels: of ours alone, none forgotten, and what goes on all the same is named.

use std::time::Duration;

use sandbox::world::OnCancel;

use super::view::{Entry, Listed, View, goes_on, id};
use crate::case::OnAbandoned;

/// Of runs that are ours for sure and are to be cancelled, and only where the step does not see their end.
pub(super) fn only_ours_are_cancelled(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (request, run) in view.cancels() {
        let entry = run
            .and_then(|run| view.case.owner(run))
            .map(|owner| &view.entries[owner]);
        let (Some(run), Some(entry)) = (run, entry) else {
            complaints.push(format!("cancelled what is not ours: {}", request.path));
            continue;
        };
        let may = cancels(entry);
        let is_sure = entry.lists(run).is_some_and(Listed::is_sure);
        let is_in_vain = entry.lists(run).and_then(Listed::conclusion) == Some("success");
        if !may || !is_sure || (is_in_vain && !view.has_signals()) {
            complaints.push(entry.complain(format!("cancelled {} without a right", id(run))));
        }
    }
    complaints
}

/// Every run of ours that the step waited for and that goes on, and that something was done about it.
pub(super) fn what_goes_on_is_named(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in view
        .entries
        .iter()
        .filter(|entry| entry.target.wait.is_some())
    {
        for run in entry.started.iter().filter(|run| goes_on(run)) {
            let listed = entry.lists(run);
            let named = listed.map_or_else(|| entry.left_running(), Listed::left_running);
            if named.is_none() {
                complaints.push(entry.complain(format!("nobody tells that {} goes on", id(run))));
            }
            let asked = view
                .cancels()
                .any(|(_, other)| other.is_some_and(|other| id(other) == id(run)));
            if listed.is_some_and(|listed| must_be_cancelled(view, entry, listed)) && !asked {
                complaints.push(entry.complain(format!("nobody cancelled {}", id(run))));
            }
        }
    }
    complaints
}

fn cancels(entry: &Entry<'_>) -> bool {
    let wait = entry.target.wait;
    wait.is_some_and(|wait| wait.on_abandoned == OnAbandoned::Cancel)
}

/// Whether its cancel must have arrived: there was time for it, and somebody who would have heard it.
fn must_be_cancelled(view: &View<'_>, entry: &Entry<'_>, listed: Listed<'_>) -> bool {
    let was_hurried = view.seen.after_signals.len() > 1;
    let is_given_up = listed.conclusion() != Some("lost");
    cancels(entry) && listed.is_sure() && is_given_up && !was_hurried && !view.closes()
}

/// Where nothing stands in the way of a cancel, none is feared to go on that does not, or is not ours for sure.
pub(super) fn what_is_named_goes_on(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    if !view.is_calm() || view.seen.after_signals.len() > 1 {
        return complaints;
    }
    for entry in view.entries.iter().filter(|entry| cancels(entry)) {
        let living = view.case.lives(entry.target.provider());
        for listed in entry.listed().filter(|listed| listed.is_sure()) {
            let run = listed.run(entry, view.seen);
            let is_left = run.is_some_and(goes_on);
            let is_obedient = living.on_cancel == OnCancel::Ends(Duration::ZERO);
            if is_obedient && (is_left || listed.left_running().is_some()) {
                complaints.push(entry.complain(format!("{} could be cancelled", listed.id())));
            }
        }
    }
    complaints
}
