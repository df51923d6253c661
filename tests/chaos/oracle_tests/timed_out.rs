//! A step whose runs never end, so that it times out.

use std::time::{Duration, SystemTime};

use sandbox::world::{Conclusion, State};
use sandbox::{Provider, RecordedRequest, RecordedResponse, World};
use serde_json::{Value, json};

use super::{
    MARKED, Mutation, NAMED, cancel, case, listed, positions, rejects_every_mutation, trigger,
};
use crate::case::Course;
use crate::runner::Observed;

const MUTATIONS: &[Mutation] = &[
    (
        "a trigger that was sent again and acted on",
        |observed| {
            let (own, _) = positions(observed);
            let mut again = observed.runs[own].clone();
            again.id += 1_000;
            observed.runs.push(again);
        },
        "target-01: started .gitlab-ci.yml twice",
    ),
    (
        "a trigger that was sent again after an unclear answer",
        |observed| {
            let mut requests = observed.requests.iter();
            let trigger = requests.find(|request| request.is_trigger()).cloned();
            let mut first = trigger.expect("it was triggered");
            first.response = RecordedResponse::Reset;
            observed.requests.insert(0, first);
        },
        "sent again after Reset",
    ),
    (
        "a cancel that was forgotten",
        |observed| {
            let (own, _) = positions(observed);
            observed.requests.remove(cancel(observed));
            observed.runs[own].state = State::Running;
            observed.runs[own].conclusion = None;
            let listed = listed(observed, NAMED);
            listed["state"] = json!("running");
            listed["left_running"] = json!("for some reason");
        },
        "target-01: nobody cancelled 7000",
    ),
    (
        "a run that goes on in silence",
        |observed| {
            let (own, _) = positions(observed);
            observed.runs[own].state = State::Running;
        },
        "target-01: not reported that 7000",
    ),
    (
        "a stranger's run that was cancelled",
        |observed| {
            let (own, other) = positions(observed);
            let ids = [own, other].map(|place| observed.runs[place].id.to_string());
            let cancel = cancel(observed);
            let path = &mut observed.requests[cancel].path;
            *path = path.replace(&ids[0], &ids[1]);
        },
        "cancelled what is not ours",
    ),
    (
        "a run that was cancelled although its end was seen",
        |observed| {
            succeed_at_once(observed);
            listed(observed, NAMED)["conclusion"] = json!("success");
        },
        "without a right",
    ),
    (
        "an id that was lost",
        |observed| observed.results[NAMED]["runs"] = json!([]),
        "target-01: run 7000",
    ),
    (
        "a marked run that was lost",
        |observed| observed.results[MARKED]["runs"] = json!([]),
        "target-00: run 9000",
    ),
    (
        "a stranger's run taken for ours",
        |observed| {
            let (_, other) = positions(observed);
            let id = observed.runs[other].id.to_string();
            listed(observed, NAMED)["id"] = json!(id);
        },
        "is not its own",
    ),
    (
        "a run that nobody has heard of",
        |observed| listed(observed, MARKED)["id"] = json!("77"),
        "target-00: no run is \"77\"",
    ),
    (
        "another end",
        |observed| listed(observed, NAMED)["conclusion"] = json!("failure"),
        "ended Some(\"cancelled\"), not failure",
    ),
    (
        "a rejection of what runs",
        |observed| observed.results[NAMED]["outcome"] = json!("rejected"),
        "target-01: rejected, yet it runs",
    ),
    (
        "an acceptance by nobody",
        |observed| observed.requests.retain(|request| !request.is_trigger()),
        "accepted without ground",
    ),
    (
        "a wrong code",
        |observed| observed.done.code = Some(0),
        "code Some(0), not 1",
    ),
    (
        "a run that was cancelled before its time",
        |observed| {
            let at = trigger(observed, Provider::GitLab).arrived_at;
            let cancel = cancel(observed);
            observed.requests[cancel].arrived_at = at + Duration::from_secs(1);
        },
        "before time",
    ),
    (
        "a success in time that was not seen",
        succeed_at_once,
        "before its deadline, and is Some(\"timed-out\")",
    ),
    (
        "a run that is lost for no reason",
        |observed| listed(observed, NAMED)["conclusion"] = json!("lost"),
        "is lost after 0 refusals",
    ),
    (
        "a run that is given up without a cancel",
        |observed| {
            observed.requests.remove(cancel(observed));
            listed(observed, NAMED)["conclusion"] = json!("lost");
        },
        "is given up without a cancel",
    ),
    (
        "a marked run that was hardly looked for",
        |observed| {
            observed.results[MARKED]["runs"] = json!([]);
            observed.results[MARKED]["conclusion"] = json!("lost");
            let triggered = trigger(observed, Provider::GitHub).arrived_at;
            observed.ended_at = triggered + Duration::from_secs(3);
        },
        "not looked for for more than 3s",
    ),
    (
        "a colleague's attempt that was cancelled",
        |observed| {
            let mut world = World::new();
            world.runs = std::mem::take(&mut observed.runs);
            let own = world
                .runs
                .iter()
                .find(|run| run.provider == Provider::GitHub && !run.by_stranger);
            world.run_again(own.expect("it was started").id);
            observed.runs = world.runs;
            let is_it = |request: &&mut RecordedRequest| {
                request.provider == Some(Provider::GitHub) && request.path.ends_with("/cancel")
            };
            let cancel = observed.requests.iter_mut().find(is_it);
            let later = SystemTime::now() + Duration::from_secs(5);
            cancel.expect("it was cancelled").arrived_at = later;
        },
        "cancelled attempt 2 of 9000",
    ),
    (
        "a refused cancel that was not sent again",
        |observed| {
            let (own, _) = positions(observed);
            let cancel = cancel(observed);
            observed.requests[cancel].response = RecordedResponse::Status(409);
            observed.runs[own].state = State::Running;
            observed.runs[own].conclusion = None;
            listed(observed, NAMED)["left_running"] = json!("it was refused");
        },
        "refused its cancel with Status(409)",
    ),
    (
        "a conclusion that one target does not have",
        |observed| observed.results[NAMED]["conclusion"] = Value::Null,
        "conclusion \"timed-out\", not \"\"",
    ),
    (
        "a conclusion that is not the worst",
        |observed| observed.results[NAMED]["conclusion"] = json!("lost"),
        "conclusion \"timed-out\", not \"lost\"",
    ),
    (
        "a doubt about a trigger that never arrived",
        |observed| {
            observed.requests.retain(|request| !request.is_trigger());
            observed.results[NAMED]["outcome"] = json!("unknown");
        },
        "target-01: unknown, and no trigger arrived",
    ),
    (
        "a run that fits in time after an unclear answer",
        |observed| {
            trigger(observed, Provider::GitLab).response = RecordedResponse::Status(502);
            listed(observed, NAMED)["matched_by"] = json!("timing");
        },
        "target-01: a run only by its time",
    ),
    (
        "an unclear trigger that is taken for accepted by a run that fits in time",
        |observed| {
            trigger(observed, Provider::GitLab).response = RecordedResponse::Status(502);
            listed(observed, NAMED)["matched_by"] = json!("timing");
        },
        "target-01: accepted without ground",
    ),
    (
        "a rate limit that was not waited out",
        |observed| {
            let mut first = trigger(observed, Provider::GitLab).clone();
            first.response = RecordedResponse::Status(429);
            observed.requests.insert(0, first);
        },
        "target-01: sent again after 0ns",
    ),
];

/// The endless run succeeded as soon as it was created.
fn succeed_at_once(observed: &mut Observed) {
    let (own, _) = positions(observed);
    let run = &mut observed.runs[own];
    run.conclusion = Some(Conclusion::Success);
    run.updated_at = run.created_at;
}

#[test]
fn every_mutation_of_a_timeout_is_rejected() {
    let valid = rejects_every_mutation(&case(Course::Endless), MUTATIONS);
    let cancelled = |run: &&sandbox::Run| run.conclusion == Some(Conclusion::Cancelled);
    assert_eq!(valid.runs.iter().filter(cancelled).count(), 2);
}
