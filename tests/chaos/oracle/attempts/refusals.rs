//! Refusals: nothing is sent if the step says so, and it says so only for a reason.

use std::time::Duration;

use sandbox::{Provider, demo};

use super::super::Violations;
use super::super::triggers::was_refused;
use super::view::{Entry, TargetHistory, View};
use crate::case::{Credential, Pipeline};

const MINUTE: Duration = Duration::from_mins(1);
/// The owner of the developer's token.
const DEVELOPER: &str = "octavia";

/// Triggers that were refused don't count: the step may be stopped before it sends another one.
pub(super) fn what_is_not_sent_is_not_sent(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        for entry in view.entries(target) {
            let mut triggers = target.triggers_of(entry.attempt);
            let is_sent =
                triggers.any(|trigger| !was_refused(trigger.request, &view.job.case.setting));
            if entry.outcome() == "not-sent" && is_sent {
                violations.add(target.in_attempt(entry.attempt, "not sent, and yet it was"));
            }
        }
    }
}

/// If everything can be recognised and read, the step triggers or takes up, and passes or fails with the run.
pub(super) fn a_calm_attempt_does_not_refuse(view: &View<'_>, violations: &mut Violations) {
    if view.job.case.fail_fast {
        return;
    }
    for target in &view.targets {
        let calm = view
            .entries(target)
            .filter(|entry| view.job.is_calm(entry.attempt));
        for entry in calm {
            let is_refused = entry.outcome() != "accepted";
            if is_refused && !has_reason(view, target, entry) {
                let what = format!("{} for no reason: {:?}", entry.outcome(), entry.error());
                violations.add(target.in_attempt(entry.attempt, &what));
            }
        }
    }
}

/// Whether the step may be unable to recognise or to read what earlier attempts have started.
fn has_reason(view: &View<'_>, target: &TargetHistory<'_>, entry: Entry<'_>) -> bool {
    let began = view.observed.attempts[entry.attempt].started_at;
    let mut earlier = target.runs.iter();
    let is_late = earlier.any(|started| view.at(started.run.readable_from()) > began);
    let pipeline = target.target.pipeline;
    let is_unmarked = matches!(
        pipeline,
        Pipeline::Event {
            event_type: "deploy",
            ..
        }
    );
    is_late
        || is_unmarked
        || hides_variables(view, pipeline)
        || may_expire(view, pipeline)
        || is_unclear(view, target, entry)
}

/// The status that an earlier attempt has left may not say what it has started.
fn is_unclear(view: &View<'_>, target: &TargetHistory<'_>, entry: Entry<'_>) -> bool {
    let ended_at = view.observed.attempts[entry.attempt].ended_at;
    let repository = target.target.pipeline.repository();
    let is_remembered = view.job.is_remembered_by_status(target.target);
    is_remembered && view.is_unclear(repository, entry.attempt, ended_at)
}

/// What is unclear is neither triggered again nor passed over in silence.
pub(super) fn what_is_unclear_is_said(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        let repository = target.target.pipeline.repository();
        let mut others = view
            .targets
            .iter()
            .filter(|other| other.index != target.index);
        let is_only_one = others.all(|other| other.target.pipeline.repository() != repository);
        if !is_only_one || !view.job.is_remembered_by_status(target.target) {
            continue;
        }
        for entry in view.entries(target) {
            let began = view.observed.attempts[entry.attempt].started_at;
            let is_triggered = target.triggers_of(entry.attempt).next().is_some();
            let is_silent = is_triggered || entry.error().is_none();
            if is_silent && view.is_unclear(repository, entry.attempt, began) {
                violations.add(target.in_attempt(entry.attempt, "unclear, and doesn't say so"));
            }
        }
    }
}

/// A developer can't read the variables of other people's pipelines.
fn hides_variables(view: &View<'_>, pipeline: Pipeline) -> bool {
    let mut runs = view.observed.runs.iter();
    matches!(pipeline, Pipeline::GitLab { .. })
        && view.job.gitlab_token == demo::GITLAB_DEVELOPER
        && runs.any(|run| run.provider == Provider::GitLab && run.actor != DEVELOPER)
}

/// A read may have waited for its turn until the App's token, which is valid for some seconds here, had expired.
fn may_expire(view: &View<'_>, pipeline: Pipeline) -> bool {
    let credential = match pipeline {
        Pipeline::Workflow { credential }
        | Pipeline::TitledWorkflow { credential }
        | Pipeline::Event { credential, .. } => credential,
        Pipeline::GitLab { .. } | Pipeline::Bitbucket { .. } => return false,
    };
    credential == Credential::App && view.job.case.setting.token_lifetime < MINUTE
}
