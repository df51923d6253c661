//! A step whose runs go on until it has had enough of them.

use std::time::{Duration, SystemTime};

use sandbox::world::{Conclusion, State};
use sandbox::{Provider, RecordedRequest, RecordedResponse, World};
use serde_json::{Value, json};

use super::{MARKED, NAMED, Wrong, all_are_complained_of, cancel, case, listed, places, trigger};
use crate::case::Course;
use crate::play::Seen;

const WRONGS: &[Wrong] = &[
    (
        "a trigger that was sent again and acted on",
        |seen| {
            let (ours, _) = places(seen);
            let mut again = seen.runs[ours].clone();
            again.id += 1_000;
            seen.runs.push(again);
        },
        "target-01: started .gitlab-ci.yml twice",
    ),
    (
        "a trigger that was sent again after an unclear answer",
        |seen| {
            let mut requests = seen.requests.iter();
            let trigger = requests.find(|request| request.is_trigger()).cloned();
            let mut first = trigger.expect("it was triggered");
            first.response = RecordedResponse::Reset;
            seen.requests.insert(0, first);
        },
        "sent again after Reset",
    ),
    (
        "a cancel that was forgotten",
        |seen| {
            let (ours, _) = places(seen);
            seen.requests.remove(cancel(seen));
            seen.runs[ours].state = State::Running;
            seen.runs[ours].conclusion = None;
            let listed = listed(seen, NAMED);
            listed["state"] = json!("running");
            listed["left_running"] = json!("for some reason");
        },
        "target-01: nobody cancelled 7000",
    ),
    (
        "a run that goes on in silence",
        |seen| {
            let (ours, _) = places(seen);
            seen.runs[ours].state = State::Running;
        },
        "target-01: nobody tells that 7000",
    ),
    (
        "a stranger's run that was cancelled",
        |seen| {
            let (ours, theirs) = places(seen);
            let ids = [ours, theirs].map(|place| seen.runs[place].id.to_string());
            let cancel = cancel(seen);
            let path = &mut seen.requests[cancel].path;
            *path = path.replace(&ids[0], &ids[1]);
        },
        "cancelled what is not ours",
    ),
    (
        "a run that was cancelled although its end was seen",
        |seen| {
            succeed_at_once(seen);
            listed(seen, NAMED)["conclusion"] = json!("success");
        },
        "without a right",
    ),
    (
        "an id that was lost",
        |seen| seen.results[NAMED]["runs"] = json!([]),
        "target-01: run 7000",
    ),
    (
        "a marked run that was lost",
        |seen| seen.results[MARKED]["runs"] = json!([]),
        "target-00: run 9000",
    ),
    (
        "a stranger's run taken for ours",
        |seen| {
            let (_, theirs) = places(seen);
            let id = seen.runs[theirs].id.to_string();
            listed(seen, NAMED)["id"] = json!(id);
        },
        "is not its own",
    ),
    (
        "a run that nobody has heard of",
        |seen| listed(seen, MARKED)["id"] = json!("77"),
        "target-00: no run is \"77\"",
    ),
    (
        "another end",
        |seen| listed(seen, NAMED)["conclusion"] = json!("failure"),
        "ended Some(\"cancelled\"), not failure",
    ),
    (
        "a rejection of what runs",
        |seen| seen.results[NAMED]["outcome"] = json!("rejected"),
        "target-01: rejected, yet it runs",
    ),
    (
        "an acceptance by nobody",
        |seen| seen.requests.retain(|request| !request.is_trigger()),
        "accepted without ground",
    ),
    (
        "a wrong code",
        |seen| seen.done.code = Some(0),
        "code Some(0), not 1",
    ),
    (
        "a run that was cancelled before its time",
        |seen| {
            let at = trigger(seen, Provider::GitLab).arrived_at;
            let cancel = cancel(seen);
            seen.requests[cancel].arrived_at = at + Duration::from_secs(1);
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
        |seen| listed(seen, NAMED)["conclusion"] = json!("lost"),
        "is lost after 0 refusals",
    ),
    (
        "a run that is given up without a cancel",
        |seen| {
            seen.requests.remove(cancel(seen));
            listed(seen, NAMED)["conclusion"] = json!("lost");
        },
        "is given up without a cancel",
    ),
    (
        "a marked run that was hardly looked for",
        |seen| {
            seen.results[MARKED]["runs"] = json!([]);
            seen.results[MARKED]["conclusion"] = json!("lost");
            let triggered = trigger(seen, Provider::GitHub).arrived_at;
            seen.ended_at = triggered + Duration::from_secs(3);
        },
        "not looked for for more than 3s",
    ),
    (
        "a colleague's attempt that was cancelled",
        |seen| {
            let mut world = World::new();
            world.runs = std::mem::take(&mut seen.runs);
            let ours = world
                .runs
                .iter()
                .find(|run| run.provider == Provider::GitHub && !run.is_strange);
            world.run_again(ours.expect("it was started").id);
            seen.runs = world.runs;
            let is_it = |request: &&mut RecordedRequest| {
                request.provider == Some(Provider::GitHub) && request.path.ends_with("/cancel")
            };
            let cancel = seen.requests.iter_mut().find(is_it);
            let later = SystemTime::now() + Duration::from_secs(5);
            cancel.expect("it was cancelled").arrived_at = later;
        },
        "cancelled attempt 2 of 9000",
    ),
    (
        "a refused cancel that was not sent again",
        |seen| {
            let (ours, _) = places(seen);
            let cancel = cancel(seen);
            seen.requests[cancel].response = RecordedResponse::Status(409);
            seen.runs[ours].state = State::Running;
            seen.runs[ours].conclusion = None;
            listed(seen, NAMED)["left_running"] = json!("it was refused");
        },
        "refused its cancel with Status(409)",
    ),
    (
        "a conclusion that one target does not have",
        |seen| seen.results[NAMED]["conclusion"] = Value::Null,
        "conclusion \"timed-out\", not None",
    ),
    (
        "a conclusion that is not the worst",
        |seen| seen.results[NAMED]["conclusion"] = json!("lost"),
        "conclusion \"timed-out\", not Some(\"lost\")",
    ),
    (
        "a doubt about a trigger that never arrived",
        |seen| {
            seen.requests.retain(|request| !request.is_trigger());
            seen.results[NAMED]["outcome"] = json!("unknown");
        },
        "target-01: unknown, and no trigger arrived",
    ),
    (
        "a run that fits in time after an unclear answer",
        |seen| {
            trigger(seen, Provider::GitLab).response = RecordedResponse::Status(502);
            listed(seen, NAMED)["matched_by"] = json!("timing");
        },
        "target-01: a run by its time alone",
    ),
    (
        "an unclear trigger that is taken for accepted by a run that fits in time",
        |seen| {
            trigger(seen, Provider::GitLab).response = RecordedResponse::Status(502);
            listed(seen, NAMED)["matched_by"] = json!("timing");
        },
        "target-01: accepted without ground",
    ),
    (
        "a rate limit that was not waited out",
        |seen| {
            let mut first = trigger(seen, Provider::GitLab).clone();
            first.response = RecordedResponse::Status(429);
            seen.requests.insert(0, first);
        },
        "target-01: sent again after 0ns",
    ),
];

/// What is to go on till the end has ended as soon as it was there.
fn succeed_at_once(seen: &mut Seen) {
    let (ours, _) = places(seen);
    let run = &mut seen.runs[ours];
    run.conclusion = Some(Conclusion::Success);
    run.updated_at = run.created_at;
}

#[test]
fn every_wrong_of_a_wait_is_complained_of() {
    let right = all_are_complained_of(&case(Course::Endless), WRONGS);
    let cancelled = |run: &&sandbox::Run| run.conclusion == Some(Conclusion::Cancelled);
    assert_eq!(right.runs.iter().filter(cancelled).count(), 2);
}
