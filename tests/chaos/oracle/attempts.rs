//! What must hold over all attempts of a calling job with `on-rerun: once`, whatever happened to each of them.

mod again;
mod ends;
mod refusals;
mod strangers;
mod success;
mod taken_up;
mod view;

use super::Violations;
use crate::case::CallingJob;
use crate::runner::ObservedJob;
use view::View;

pub(crate) fn violations(job: &CallingJob, observed: &ObservedJob) -> Vec<String> {
    let view = View::new(job, observed);
    let rules = [
        again::nothing_is_started_again,
        again::each_attempt_sends_at_most_once,
        again::each_attempt_has_its_own_marker,
        refusals::what_is_not_sent_is_not_sent,
        refusals::a_calm_attempt_does_not_refuse,
        refusals::what_is_unclear_is_said,
        taken_up::what_is_accepted_has_evidence,
        taken_up::the_attempt_is_right,
        taken_up::conclusions_match_the_world,
        success::a_passing_attempt_succeeded,
        strangers::their_runs_are_not_taken_up,
        strangers::their_runs_are_not_cancelled,
        ends::results_are_complete,
        ends::exit_code_is_right,
        ends::in_time,
        ends::every_request_is_acceptable,
    ];
    let mut violations = Violations::default();
    for rule in rules {
        rule(&view, &mut violations);
    }
    violations.0
}
