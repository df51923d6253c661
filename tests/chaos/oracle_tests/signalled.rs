//! A step that gets a signal.

use std::time::Duration;

use sandbox::Provider;
use serde_json::json;

use super::{Mutation, NAMED, case, rejects_every_mutation, trigger};
use crate::case::{Course, Incident};

const MUTATIONS: &[Mutation] = &[
    (
        "a stop that takes its time",
        |observed| observed.after_signals[0] = Duration::from_secs(20),
        "went on for 20s after a signal",
    ),
    (
        "a second signal that is not heeded",
        |observed| observed.after_signals.push(Duration::from_secs(6)),
        "went on for 6s after a signal",
    ),
    (
        "a trigger on the wire that was forgotten",
        |observed| observed.results[NAMED]["outcome"] = json!("unknown"),
        "target-01: accepted in time, and unknown",
    ),
    (
        "a trigger after the signal",
        |observed| {
            let late = observed.ended_at + Duration::from_secs(10);
            trigger(observed, Provider::GitLab).arrived_at = late;
        },
        "target-01: triggered ",
    ),
];

#[test]
fn every_mutation_of_a_shutdown_is_rejected() {
    let mut case = case(Course::Endless);
    let signal = Incident::Signal("INT");
    case.incidents = vec![(Duration::from_secs(3), signal)];
    rejects_every_mutation(&case, MUTATIONS);
}
