//! Cancels: only runs of this step are cancelled, none is forgotten, and runs left running are reported.

use std::time::Duration;

use sandbox::world::OnCancel;
use sandbox::{RecordedRequest, Run};

use super::Violations;
use super::record::is_good;
use super::success::can_be_seen;
use super::view::{Entry, Listed, View, end, id, is_running};
use crate::case::Behaviour;

/// Somebody may re-run it between the step's last read and its cancel. No API prevents that.
const BETWEEN_READ_AND_CANCEL: Duration = Duration::from_secs(1);
/// How long before a cancel the run must have been readable.
const READ_BEFORE_CANCEL: Duration = Duration::from_secs(10);
/// A read this shortly before a cancel may get its response too late, or be interrupted by a signal.
const RESPONSE_TIME: Duration = Duration::from_millis(200);

/// Cancels concern only runs that are certainly this step's, that may be cancelled, and that the step hasn't seen
/// succeed.
pub(super) fn only_own_runs_are_cancelled(view: &View<'_>, violations: &mut Violations) {
    for (request, run) in view.cancels() {
        let entry = run
            .and_then(|run| view.case.owner(run))
            .map(|owner| &view.entries[owner]);
        let (Some(run), Some(entry)) = (run, entry) else {
            violations.add(format!("cancelled what is not ours: {}", request.path));
            continue;
        };
        let is_certain = entry.lists(run).is_some_and(Listed::is_certain);
        if !may_cancel(entry) || !is_certain || is_after_seen_success(view, request, run) {
            violations.of(entry, format!("cancelled {} without a right", id(run)));
        }
        // A run that can't be read may be cancelled, whichever attempt it is.
        let is_another_attempt = run.attempt() > 1
            && request.arrived_at > view.at(run.created_at) + BETWEEN_READ_AND_CANCEL
            && view.can_be_read_from(run, request.arrived_at - READ_BEFORE_CANCEL);
        if is_another_attempt {
            let attempt = run.attempt();
            violations.of(entry, format!("cancelled attempt {attempt} of {}", id(run)));
        }
    }
}

/// Whether the run had succeeded, and the step had read that.
fn is_after_seen_success(view: &View<'_>, request: &RecordedRequest, run: &Run) -> bool {
    let run = run.first_attempt();
    let ended = view.at(run.concluded_from());
    let mut reads = view.reads_of(run);
    let was_read = reads.any(|read| {
        let is_between = (ended..request.arrived_at - RESPONSE_TIME).contains(&read.arrived_at);
        is_between && is_good(read.response)
    });
    end(run) == Some("success") && was_read && view.can_be_read_from(run, ended)
}

/// Every run that the step waited for and that is still running is reported, and was cancelled if required.
pub(super) fn runs_left_running_are_reported(view: &View<'_>, violations: &mut Violations) {
    for entry in view
        .entries
        .iter()
        .filter(|entry| entry.target.wait.is_some())
    {
        for run in entry.started.iter().filter(|run| is_running(run)) {
            let listed = entry.lists(run);
            let named = listed.map_or_else(|| entry.left_running(), Listed::left_running);
            let is_known = listed.is_some() || can_be_seen(view, entry, run);
            if named.is_none() && is_known {
                violations.of(entry, format!("not reported that {} goes on", id(run)));
            }
            let has_cancel = view
                .cancels()
                .any(|(_, other)| other.is_some_and(|other| id(other) == id(run)));
            if listed.is_some_and(|listed| must_be_cancelled(view, entry, listed)) && !has_cancel {
                violations.of(entry, format!("nobody cancelled {}", id(run)));
            }
        }
    }
}

pub(super) fn may_cancel(entry: &Entry<'_>) -> bool {
    entry.target.wait.is_some_and(|wait| wait.cancels_abandoned)
}

/// Whether its cancel must have arrived: there was time for it, and the server was reachable.
fn must_be_cancelled(view: &View<'_>, entry: &Entry<'_>, listed: Listed<'_>) -> bool {
    let was_hurried = view.observed.after_signals.len() > 1;
    may_cancel(entry) && listed.is_certain() && !was_hurried && !view.closes()
}

/// If nothing prevents a cancel, no run that is certainly this step's is left running, or reported as such.
pub(super) fn nothing_cancellable_is_left_running(view: &View<'_>, violations: &mut Violations) {
    if !view.is_fault_free() || view.observed.after_signals.len() > 1 {
        return;
    }
    for entry in view.entries.iter().filter(|entry| may_cancel(entry)) {
        for listed in entry.listed().filter(|listed| listed.is_certain()) {
            let run = listed.run(entry, view);
            let is_left = run.is_some_and(is_running);
            let ends_when_cancelled =
                run.is_some_and(|run| ends_when_cancelled(view.case.behaviour(run)));
            if ends_when_cancelled && (is_left || listed.left_running().is_some()) {
                violations.of(entry, format!("{} could be cancelled", listed.id()));
            }
        }
    }
}

/// Whether a cancel ends the run immediately, perhaps after a refusal or two, and the end can be read.
fn ends_when_cancelled(behaviour: Behaviour) -> bool {
    let ends = match behaviour.on_cancel {
        OnCancel::Ends(after) => after.is_zero(),
        OnCancel::RefusesAtFirst { .. } => true,
        OnCancel::Refuses(_) | OnCancel::Ignores => false,
    };
    ends && behaviour.delays.readable.is_zero() && behaviour.delays.concluded.is_zero()
}
