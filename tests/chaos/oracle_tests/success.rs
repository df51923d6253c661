//! A step that passes.

use std::time::Duration;

use sandbox::world::Conclusion;
use sandbox::{Provider, RecordedResponse};
use serde_json::json;

use super::{Mutation, NAMED, case, positions, rejects_every_mutation, trigger};
use crate::case::Course;

const MUTATIONS: &[Mutation] = &[
    (
        "a run that failed",
        |observed| {
            let (own, _) = positions(observed);
            observed.runs[own].conclusion = Some(Conclusion::Failure);
        },
        "target-01: passes, and 7000",
    ),
    (
        "a second run of the same trigger that failed unseen",
        |observed| {
            let first = observed
                .runs
                .iter()
                .find(|run| run.provider == Provider::GitHub && !run.by_stranger);
            let mut late = first.expect("it was started").clone();
            late.id += 1_000;
            "late.yml".clone_into(&mut late.pipeline);
            late.conclusion = Some(Conclusion::Failure);
            observed.runs.push(late);
        },
        "target-00: passes, and 90000010",
    ),
    (
        "a trigger that nobody accepted",
        |observed| {
            trigger(observed, Provider::GitLab).response = RecordedResponse::Status(503);
            observed.results[NAMED]["runs"] = json!([]);
        },
        "target-01: passes, and nobody accepted its trigger",
    ),
];

#[test]
fn every_mutation_of_a_success_is_rejected() {
    let success = Course::Ends(Conclusion::Success, Duration::from_secs(1));
    let valid = rejects_every_mutation(&case(success), MUTATIONS);
    assert_eq!(valid.done.code, Some(0), "{}", valid.done);
}
