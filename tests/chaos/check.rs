//! What must be true after every step, whatever happened to it. Everything is judged by the world and by the record
//! of requests, never by what the step says of itself.

mod cancels;
mod deadlines;
mod ends;
mod green;
mod lost;
mod record;
mod runs;
mod stopping;
mod triggers;
mod view;

use crate::case::Case;
use crate::play::Seen;
use view::View;

/// All that is wrong, a line each.
pub(crate) fn check(case: &Case, seen: &Seen) -> Vec<String> {
    if seen.results.len() != case.targets.len() {
        return vec![format!("{} results", seen.results.len())];
    }
    let view = View::new(case, seen);
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
        stopping::nothing_is_triggered_any_more,
        stopping::a_trigger_on_the_wire_is_awaited,
        stopping::refused_cancels_are_sent_again,
        green::a_pass_is_deserved,
        ends::in_time,
        ends::with_the_right_code,
        ends::with_the_worst_outcome,
        ends::with_the_worst_conclusion,
        ends::with_the_first_run,
        ends::decently,
        ends::well_in_calm_weather,
    ];
    rules.iter().flat_map(|rule| rule(&view)).collect()
}
