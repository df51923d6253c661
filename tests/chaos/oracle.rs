//! What must hold after every step, whatever happened to it. Compares the step's report with the sandbox's world and
//! its record of requests, never with other claims of the step. For several attempts of a calling job, see `attempts`.

pub(crate) mod attempts;
mod cancels;
mod deadlines;
mod ends;
mod lost;
mod record;
mod runs;
mod shutdown;
mod success;
mod triggers;
mod view;

use std::fmt::Display;

use crate::case::Case;
use crate::runner::Observed;
use view::{Entry, View};

/// Everything that is wrong, one line each.
#[derive(Default)]
pub(crate) struct Violations(Vec<String>);

impl Violations {
    fn add(&mut self, what: String) {
        self.0.push(what);
    }

    /// Adds a violation that concerns one target.
    fn of(&mut self, entry: &Entry<'_>, what: impl Display) {
        self.0.push(format!("{}: {what}", entry.target.label));
    }
}

pub(crate) fn violations(case: &Case, observed: &Observed) -> Vec<String> {
    if observed.results.len() != case.targets.len() {
        return vec![format!("{} results", observed.results.len())];
    }
    let view = View::new(case, observed);
    let rules = [
        triggers::sent_at_most_once,
        triggers::started_at_most_once,
        triggers::rejected_and_unsent_triggers_started_nothing,
        triggers::acceptance_has_evidence,
        triggers::timing_needs_an_accepted_trigger,
        triggers::an_unknown_trigger_arrived,
        triggers::rate_limits_are_waited_out,
        triggers::all_or_none_are_sent,
        runs::none_is_lost,
        runs::found_runs_are_kept,
        runs::every_listed_run_exists,
        runs::listed_runs_belong_to_the_target,
        runs::conclusions_match_the_world,
        cancels::only_own_runs_are_cancelled,
        cancels::runs_left_running_are_reported,
        cancels::nothing_cancellable_is_left_running,
        lost::only_after_a_minute_of_refusals,
        lost::lost_runs_were_cancelled,
        lost::search_ends_only_when_time_is_up,
        deadlines::a_success_in_time_is_reported,
        deadlines::nothing_is_cancelled_before_the_deadline,
        shutdown::nothing_is_triggered_after_a_signal,
        shutdown::a_trigger_in_flight_is_awaited,
        shutdown::refused_cancels_are_resent,
        success::a_passing_step_succeeded,
        ends::in_time,
        ends::exit_code_is_right,
        ends::outcome_is_the_worst,
        ends::conclusion_is_the_worst,
        ends::run_id_is_of_the_first_run,
        ends::every_request_is_acceptable,
        ends::everything_works_without_faults,
    ];
    let mut violations = Violations::default();
    for rule in rules {
        rule(&view, &mut violations);
    }
    violations.0
}
