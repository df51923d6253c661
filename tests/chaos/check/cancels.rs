//! Cancels: of ours alone, none forgotten, and what goes on all the same is named.

use std::time::Duration;

use sandbox::world::OnCancel;
use sandbox::{RecordedRequest, Run};

use super::green::can_be_seen;
use super::record::is_good;
use super::view::{Entry, Listed, View, end, goes_on, id};
use crate::case::{Behaviour, OnAbandoned};

/// Somebody may run it again between the step's last read and its cancel. No API prevents that.
const BETWEEN_READ_AND_CANCEL: Duration = Duration::from_secs(1);
/// Reads may have failed this long before a cancel.
const READ_BEFORE_CANCEL: Duration = Duration::from_secs(10);

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
        let is_sure = entry.lists(run).is_some_and(Listed::is_sure);
        if !may_cancel(entry) || !is_sure || is_in_vain(view, request, run) {
            complaints.push(entry.complain(format!("cancelled {} without a right", id(run))));
        }
        // What can't be read may be cancelled all the same.
        let is_another_attempt = run.attempt() > 1
            && request.arrived_at > view.at(run.created_at) + BETWEEN_READ_AND_CANCEL
            && view.is_calm_from(run, request.arrived_at - READ_BEFORE_CANCEL);
        if is_another_attempt {
            let complaint = format!("cancelled attempt {} of {}", run.attempt(), id(run));
            complaints.push(entry.complain(complaint));
        }
    }
    complaints
}

/// Whether it had succeeded, and that had been read.
fn is_in_vain(view: &View<'_>, request: &RecordedRequest, run: &Run) -> bool {
    let run = run.first_attempt();
    let ended = view.at(run.concluded_from());
    let mut reads = view.reads_of(run);
    let was_read = reads.any(|read| {
        let is_between = (ended..request.arrived_at).contains(&read.arrived_at);
        is_between && is_good(read.response)
    });
    end(run) == Some("success") && was_read && view.can_be_read_from(run, ended)
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
            let is_known = listed.is_some() || can_be_seen(view, entry, run);
            if named.is_none() && is_known {
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

pub(super) fn may_cancel(entry: &Entry<'_>) -> bool {
    let wait = entry.target.wait;
    wait.is_some_and(|wait| wait.on_abandoned == OnAbandoned::Cancel)
}

/// Whether its cancel must have arrived: there was time for it, and somebody who would have heard it.
fn must_be_cancelled(view: &View<'_>, entry: &Entry<'_>, listed: Listed<'_>) -> bool {
    let was_hurried = view.seen.after_signals.len() > 1;
    may_cancel(entry) && listed.is_sure() && !was_hurried && !view.closes()
}

/// Where nothing stands in the way of a cancel, none is feared to go on that does not, or is not ours for sure.
pub(super) fn what_is_named_goes_on(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    if !view.is_calm() || view.seen.after_signals.len() > 1 {
        return complaints;
    }
    for entry in view.entries.iter().filter(|entry| may_cancel(entry)) {
        for listed in entry.listed().filter(|listed| listed.is_sure()) {
            let run = listed.run(entry, view);
            let is_left = run.is_some_and(goes_on);
            let is_obedient = run.is_some_and(|run| is_obedient(view.case.behaviour(run)));
            if is_obedient && (is_left || listed.left_running().is_some()) {
                complaints.push(entry.complain(format!("{} could be cancelled", listed.id())));
            }
        }
    }
    complaints
}

/// Whether its end after a cancel comes at once, after a refusal or two, and can be seen.
fn is_obedient(behaviour: Behaviour) -> bool {
    let ends = match behaviour.on_cancel {
        OnCancel::Ends(after) => after.is_zero(),
        OnCancel::RefusesAtFirst { .. } => true,
        OnCancel::Refuses(_) | OnCancel::Ignores => false,
    };
    ends && behaviour.delays.readable.is_zero() && behaviour.delays.concluded.is_zero()
}
