//! A step that gets a signal.

use std::time::Duration;

use sandbox::Provider;
use serde_json::json;

use super::{NAMED, Wrong, all_are_complained_of, case, trigger};
use crate::case::{Course, Incident};

const WRONGS: &[Wrong] = &[
    (
        "a stop that takes its time",
        |seen| seen.after_signals[0] = Duration::from_secs(20),
        "went on for 20s after a signal",
    ),
    (
        "a second signal that is not heeded",
        |seen| seen.after_signals.push(Duration::from_secs(6)),
        "went on for 6s after a signal",
    ),
    (
        "a trigger on the wire that was forgotten",
        |seen| seen.results[NAMED]["outcome"] = json!("unknown"),
        "target-01: accepted in time, and unknown",
    ),
    (
        "a trigger after the signal",
        |seen| {
            let late = seen.ended_at + Duration::from_secs(10);
            trigger(seen, Provider::GitLab).arrived_at = late;
        },
        "target-01: triggered ",
    ),
];

#[test]
fn every_wrong_of_a_stop_is_complained_of() {
    let mut case = case(Course::Endless);
    let signal = Incident::Signal("INT");
    case.incidents = vec![(Duration::from_secs(3), signal)];
    all_are_complained_of(&case, WRONGS);
}
