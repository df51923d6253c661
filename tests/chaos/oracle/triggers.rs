//! Triggers: never sent twice, and reported truthfully.

use std::time::Duration;

use sandbox::{Provider, RecordedRequest, RecordedResponse};

use super::Violations;
use super::record::since;
use super::view::View;
use crate::case::Setting;

/// One second, less the tolerance between the two clocks.
const MIN_WAIT: Duration = Duration::from_millis(900);

/// Another trigger follows only if the previous one provably did nothing.
pub(super) fn sent_at_most_once(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        for pair in entry.triggers.windows(2) {
            if !was_refused(pair[0], &view.case.setting) {
                let response = pair[0].response;
                violations.of(entry, format!("sent again after {response:?}"));
            }
        }
        if view.case.dry_run && !entry.triggers.is_empty() {
            violations.of(entry, "sent in a dry run");
        }
    }
}

/// Whether the response says that nothing was done and that another trigger may succeed.
pub(super) fn was_refused(request: &RecordedRequest, setting: &Setting) -> bool {
    match request.response {
        // Rate limits, and a redirect.
        RecordedResponse::Status(429 | 403 | 307) => true,
        RecordedResponse::Status(status @ (400 | 422)) => {
            let is_first = String::from_utf8_lossy(&request.body).contains("return_run_details");
            is_first && setting.details_rejected_with() == Some(status)
        }
        RecordedResponse::Status(404) => {
            let is_first = String::from_utf8_lossy(&request.body).contains("\"branch\"");
            is_first && request.provider == Some(Provider::Bitbucket)
        }
        RecordedResponse::Status(_)
        | RecordedResponse::Pending
        | RecordedResponse::Reset
        | RecordedResponse::Closed
        | RecordedResponse::Malformed => false,
    }
}

/// One trigger starts several runs only if they are of different workflows.
pub(super) fn started_at_most_once(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        for (index, run) in entry.started.iter().enumerate() {
            let before = &entry.started[..index];
            if before.iter().any(|other| other.pipeline == run.pipeline) {
                violations.of(entry, format!("started {} twice", run.pipeline));
            }
        }
    }
}

pub(super) fn rejected_and_unsent_triggers_started_nothing(
    view: &View<'_>,
    violations: &mut Violations,
) {
    for entry in &view.entries {
        let outcome = entry.outcome();
        if ["rejected", "not-sent"].contains(&outcome) && !entry.started.is_empty() {
            violations.of(entry, format!("{outcome}, yet it runs"));
        }
    }
}

/// Accepted by the provider, or proven by a run that is certainly the target's own.
pub(super) fn acceptance_has_evidence(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        let has_run = !entry.triggers.is_empty() && entry.has_certain_run();
        if entry.outcome() == "accepted" && !entry.was_accepted() && !has_run {
            violations.of(entry, "accepted without ground");
        }
    }
}

/// After an unclear response, no run is matched by time.
pub(super) fn timing_needs_an_accepted_trigger(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        if entry.listed().any(|listed| !listed.is_certain()) && !entry.was_accepted() {
            violations.of(
                entry,
                "a run only by its time, and nobody accepted the trigger",
            );
        }
    }
}

/// An unknown trigger has arrived, unless the server cut the connection while it was in flight.
pub(super) fn an_unknown_trigger_arrived(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        if entry.outcome() == "unknown" && entry.triggers.is_empty() && !view.closes() {
            violations.of(entry, "unknown, and no trigger arrived");
        }
    }
}

/// Also if `Retry-After` is shorter.
pub(super) fn rate_limits_are_waited_out(view: &View<'_>, violations: &mut Violations) {
    for entry in &view.entries {
        for pair in entry.triggers.windows(2) {
            let is_limited = matches!(pair[0].response, RecordedResponse::Status(429 | 403));
            let waited = since(pair[0].arrived_at, pair[1].arrived_at);
            if is_limited && waited < MIN_WAIT {
                violations.of(entry, format!("sent again after {waited:?}"));
            }
        }
    }
}

/// All preconditions are checked for every target before the first one is triggered.
pub(super) fn all_or_none_are_sent(view: &View<'_>, violations: &mut Violations) {
    let is_cut_short = view.has_signals() || view.case.fail_fast;
    let mut entries = view.entries.iter();
    if is_cut_short || !entries.any(|entry| entry.outcome() == "not-sent") {
        return;
    }
    for entry in &view.entries {
        if !entry.triggers.is_empty() {
            violations.of(entry, "sent, while another was not");
        }
    }
}
