//! A step that passes.

use std::time::Duration;

use sandbox::world::Conclusion;
use sandbox::{Provider, RecordedResponse};
use serde_json::json;

use super::{NAMED, Wrong, all_are_complained_of, case, places, trigger};
use crate::case::Course;

const WRONGS: &[Wrong] = &[
    (
        "a run that failed",
        |seen| {
            let (ours, _) = places(seen);
            seen.runs[ours].conclusion = Some(Conclusion::Failure);
        },
        "target-01: passes, and 7000",
    ),
    (
        "a second run of the same trigger that failed unseen",
        |seen| {
            let first = seen
                .runs
                .iter()
                .find(|run| run.provider == Provider::GitHub && !run.is_strange);
            let mut late = first.expect("it was started").clone();
            late.id += 1_000;
            "late.yml".clone_into(&mut late.pipeline);
            late.conclusion = Some(Conclusion::Failure);
            seen.runs.push(late);
        },
        "target-00: passes, and 90000010",
    ),
    (
        "a trigger that nobody accepted",
        |seen| {
            trigger(seen, Provider::GitLab).response = RecordedResponse::Status(503);
            seen.results[NAMED]["runs"] = json!([]);
        },
        "target-01: passes, and nobody accepted its trigger",
    ),
];

#[test]
fn every_wrong_of_a_pass_is_complained_of() {
    let success = Course::Ends(Conclusion::Success, Duration::from_secs(1));
    let right = all_are_complained_of(&case(success), WRONGS);
    assert_eq!(right.done.code, Some(0), "{}", right.done);
}
