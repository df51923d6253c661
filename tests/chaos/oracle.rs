//! What must hold after every step, whatever happened to it. Compares the step's report with the sandbox's world and
//! its record of requests, never with other claims of the step.

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
        self.0.push(format!("{}: {what}", entry.target.mark));
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
        triggers::what_was_not_started_is_not_there,
        triggers::what_was_accepted_was_sent,
        triggers::timing_needs_an_accepted_trigger,
        triggers::an_unknown_trigger_arrived,
        triggers::rate_limits_are_waited_out,
        triggers::none_is_sent_where_one_cannot_be,
        runs::none_is_lost,
        runs::what_was_found_stays,
        runs::none_is_made_up,
        runs::none_is_anybody_elses,
        runs::they_ended_as_is_said,
        cancels::only_ours_are_cancelled,
        cancels::what_goes_on_is_named,
        cancels::what_is_named_goes_on,
        lost::only_after_a_minute_of_refusals,
        lost::not_without_a_cancel,
        lost::unfound_only_when_time_is_up,
        deadlines::a_success_in_time_is_reported,
        deadlines::nothing_is_cancelled_before_the_deadline,
        shutdown::nothing_is_triggered_any_more,
        shutdown::a_trigger_on_the_wire_is_awaited,
        shutdown::refused_cancels_are_sent_again,
        success::a_pass_is_deserved,
        ends::in_time,
        ends::with_the_right_code,
        ends::with_the_worst_outcome,
        ends::with_the_worst_conclusion,
        ends::with_the_first_run,
        ends::decently,
        ends::well_without_faults,
    ];
    let mut violations = Violations::default();
    for rule in rules {
        rule(&view, &mut violations);
    }
    violations.0
}
