//! Triggers: never twice, and nothing said of them that is not so.

use std::time::Duration;

use sandbox::{Provider, RecordedRequest, RecordedResponse};

use super::record::since;
use super::view::{Entry, View};

/// A second, less what the two clocks differ.
const LEAST_WAIT: Duration = Duration::from_millis(900);

/// Another one follows only where the one before was provably not acted on.
pub(super) fn sent_at_most_once(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in &view.entries {
        for pair in entry.triggers.windows(2) {
            if !was_turned_away(pair[0], view) {
                let response = pair[0].response;
                complaints.push(entry.complain(format!("sent again after {response:?}")));
            }
        }
        if view.case.dry_run && !entry.triggers.is_empty() {
            complaints.push(entry.complain("sent in a dry run"));
        }
    }
    complaints
}

/// Whether its answer, if it came, says that nothing was done and why another one may do better.
fn was_turned_away(request: &RecordedRequest, view: &View<'_>) -> bool {
    match request.response {
        // Too many, and elsewhere.
        RecordedResponse::Status(429 | 403 | 307) => true,
        RecordedResponse::Status(status @ (400 | 422)) => {
            let is_first = String::from_utf8_lossy(&request.body).contains("return_run_details");
            is_first && view.case.setting.details_rejected_with() == Some(status)
        }
        RecordedResponse::Status(404) => {
            let is_first = String::from_utf8_lossy(&request.body).contains("\"branch\"");
            is_first && request.provider == Some(Provider::Bitbucket)
        }
        RecordedResponse::Status(_)
        | RecordedResponse::NotYet
        | RecordedResponse::Reset
        | RecordedResponse::Closed
        | RecordedResponse::Malformed => false,
    }
}

/// One trigger starts several runs only of several workflows.
pub(super) fn started_at_most_once(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in &view.entries {
        for (index, run) in entry.started.iter().enumerate() {
            let before = &entry.started[..index];
            if before.iter().any(|other| other.pipeline == run.pipeline) {
                complaints.push(entry.complain(format!("started {} twice", run.pipeline)));
            }
        }
    }
    complaints
}

pub(super) fn what_was_not_started_is_not_there(view: &View<'_>) -> Vec<String> {
    let not_started = |entry: &&Entry<'_>| ["rejected", "not-sent"].contains(&entry.outcome());
    let entries = view.entries.iter().filter(not_started);
    entries
        .filter(|entry| !entry.started.is_empty())
        .map(|entry| entry.complain(format!("{}, yet it runs", entry.outcome())))
        .collect()
}

/// By the provider's word, or by a run that is certainly its own.
pub(super) fn what_was_accepted_was_sent(view: &View<'_>) -> Vec<String> {
    let accepted = |entry: &&Entry<'_>| entry.outcome() == "accepted";
    let is_grounded = |entry: &Entry<'_>| {
        entry.was_accepted() || (!entry.triggers.is_empty() && entry.owns_a_sure_run())
    };
    let entries = view.entries.iter().filter(accepted);
    entries
        .filter(|entry| !is_grounded(entry))
        .map(|entry| entry.complain("accepted without ground"))
        .collect()
}

/// After an unclear answer, a run that only fits in time is not matched.
pub(super) fn timing_needs_an_accepted_trigger(view: &View<'_>) -> Vec<String> {
    let by_time = |entry: &&Entry<'_>| entry.listed().any(|listed| !listed.is_sure());
    let entries = view.entries.iter().filter(by_time);
    entries
        .filter(|entry| !entry.was_accepted())
        .map(|entry| entry.complain("a run by its time alone, and nobody accepted the trigger"))
        .collect()
}

/// A trigger that never arrived can't be unknown, unless the server cut the connection while it was on its way.
pub(super) fn an_unknown_trigger_arrived(view: &View<'_>) -> Vec<String> {
    let unknown = view.entries.iter().filter(|entry| {
        entry.outcome() == "unknown" && entry.triggers.is_empty() && !view.closes()
    });
    unknown
        .map(|entry| entry.complain("unknown, and no trigger arrived"))
        .collect()
}

/// Whatever `Retry-After` says.
pub(super) fn rate_limits_are_waited_out(view: &View<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in &view.entries {
        for pair in entry.triggers.windows(2) {
            let is_limited = matches!(pair[0].response, RecordedResponse::Status(429 | 403));
            let waited = since(pair[0].arrived_at, pair[1].arrived_at);
            if is_limited && waited < LEAST_WAIT {
                complaints.push(entry.complain(format!("sent again after {waited:?}")));
            }
        }
    }
    complaints
}

/// What a target needs is looked into for all of them before the first is triggered.
pub(super) fn none_is_sent_where_one_cannot_be(view: &View<'_>) -> Vec<String> {
    let is_cut_short = view.has_signals() || view.case.fail_fast;
    let was_sent = |entry: &&Entry<'_>| !entry.triggers.is_empty();
    let stays = |entry: &Entry<'_>| entry.outcome() == "not-sent";
    if is_cut_short || !view.entries.iter().any(stays) {
        return Vec::new();
    }
    let sent = view.entries.iter().filter(was_sent);
    sent.map(|entry| entry.complain("sent, while another was not"))
        .collect()
}
