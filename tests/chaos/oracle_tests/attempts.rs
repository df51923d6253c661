//! A calling job that is run again.

use std::time::{Duration, SystemTime};

use sandbox::world::{Conclusion, State};
use sandbox::{Provider, RecordedRequest, RecordedResponse, demo};
use serde_json::json;

use super::{NAMED, case};
use crate::case::{Attempt, CallingJob, Course, Incident, Pipeline};
use crate::oracle::attempts::violations;
use crate::runner::{ObservedJob, run_attempts};

type Mutation = (&'static str, fn(&mut ObservedJob), &'static str);

const SECOND: Duration = Duration::from_secs(1);

/// The first attempt is killed while its runs are going on, and the second one takes them up.
const TAKEN_UP: &[Mutation] = &[
    (
        "a trigger while the run of the first attempt is going on",
        |observed| send_again(observed, 3 * SECOND),
        "attempt 2: target-01: triggered while 7000",
    ),
    (
        "a trigger although the run of the first attempt has passed",
        |observed| send_again(observed, 60 * SECOND),
        "attempt 2: target-01: triggered although 7000",
    ),
    (
        "a trigger with the marker of the first attempt",
        |observed| {
            let mut again = trigger(observed, Provider::GitLab).clone();
            again.arrived_at = observed.attempts[1].started_at + SECOND;
            observed.requests.push(again);
        },
        "attempt 2: target-01: a marker that was used before",
    ),
    (
        "a trigger without a marker",
        |observed| {
            let trigger = trigger(observed, Provider::GitLab);
            let body = String::from_utf8_lossy(&trigger.body).replace('-', "_");
            trigger.body = body.replace("target_01", "target-01").into_bytes();
        },
        "attempt 1: target-01: a trigger without a marker",
    ),
    (
        "a trigger that was sent again in one attempt",
        |observed| {
            let again = trigger(observed, Provider::GitLab).clone();
            observed.requests.push(again);
        },
        "attempt 1: target-01: sent again after Status(201)",
    ),
    (
        "two runs of one workflow in one attempt",
        |observed| {
            let mut again = run(observed).clone();
            again.id += 1_000;
            observed.runs.push(again);
        },
        "attempt 1: target-01: started .gitlab-ci.yml twice",
    ),
    (
        "a refusal by a calm attempt",
        |observed| entry(observed)["outcome"] = json!("not-sent"),
        "attempt 2: target-01: not-sent for no reason",
    ),
    (
        "a trigger although the step says that nothing was sent",
        |observed| {
            send_again(observed, 60 * SECOND);
            entry(observed)["outcome"] = json!("not-sent");
        },
        "attempt 2: target-01: not sent, and yet it was",
    ),
    (
        "an acceptance of nothing",
        |observed| entry(observed)["runs"] = json!([]),
        "attempt 2: target-01: accepted without ground",
    ),
    (
        "a run of the first attempt that counts as one of the second",
        |observed| entry(observed)["runs"][0]["started_by_attempt"] = json!(null),
        "is of attempt None, not Some(1)",
    ),
    (
        "a run of another attempt",
        |observed| entry(observed)["runs"][0]["started_by_attempt"] = json!(2),
        "is of attempt Some(2), not Some(1)",
    ),
    (
        "another end",
        |observed| entry(observed)["runs"][0]["conclusion"] = json!("cancelled"),
        "did not end as cancelled",
    ),
    (
        "an end that comes later",
        |observed| run(observed).updated_at += 60 * SECOND,
        "did not end as success",
    ),
    (
        "a run that failed",
        |observed| run(observed).conclusion = Some(Conclusion::Failure),
        "attempt 2: target-01: passes, and 7000",
    ),
    (
        "a second run of the same trigger that failed unseen",
        |observed| {
            let mut other = run(observed).clone();
            other.id += 1_000;
            "other.yml".clone_into(&mut other.pipeline);
            other.conclusion = Some(Conclusion::Failure);
            observed.runs.push(other);
        },
        "attempt 2: target-01: passes, and 7100",
    ),
    (
        "a success without a run",
        |observed| entry(observed)["runs"] = json!([]),
        "attempt 2: target-01: passes without a run",
    ),
    (
        "a stranger's run that is taken up",
        |observed| {
            let mut runs = observed.runs.iter();
            let theirs = runs.find(|run| run.provider == Provider::GitLab && run.by_stranger);
            let id = theirs.expect("it was started").id.to_string();
            entry(observed)["runs"][0]["id"] = json!(id);
        },
        "attempt 2: target-01: run 7000",
    ),
    (
        "a stranger's run that is cancelled",
        |observed| {
            let mut runs = observed.runs.iter();
            let theirs = runs.find(|run| run.provider == Provider::GitLab && run.by_stranger);
            let id = theirs.expect("it was started").id;
            let mut cancel = trigger(observed, Provider::GitLab).clone();
            cancel.path = format!("/api/v4/projects/4242/pipelines/{id}/cancel");
            observed.requests.push(cancel);
        },
        "cancelled without a right",
    ),
    (
        "results without a target",
        |observed| drop(observed.attempts[1].results.pop()),
        "attempt 2: 1 results, not 2",
    ),
    (
        "a wrong code",
        |observed| observed.attempts[1].done.code = Some(1),
        "attempt 2: code Some(1), not 0",
    ),
    (
        "a stop that takes its time",
        |observed| observed.attempts[1].after_signals.push(20 * SECOND),
        "attempt 2: went on for 20s after a signal",
    ),
    (
        "an attempt without end",
        |observed| observed.attempts[1].ended_at += 1_000 * SECOND,
        "attempt 2: took ",
    ),
    (
        "a request that no client may send",
        |observed| {
            let objections = &mut trigger(observed, Provider::GitLab).objections;
            objections.push("a token in the URL".to_owned());
        },
        "a request: a token in the URL",
    ),
];

/// The runs of the first attempt fail, and the second one triggers again.
const TRIGGERED_AGAIN: &[Mutation] = &[
    (
        "a run that had passed",
        |observed| run(observed).conclusion = Some(Conclusion::Success),
        "attempt 2: target-01: triggered although 7000",
    ),
    (
        "a run that had not ended",
        |observed| run(observed).state = State::Running,
        "attempt 2: target-01: triggered while 7000",
    ),
    (
        "a run that ended later",
        |observed| run(observed).updated_at += 60 * SECOND,
        "attempt 2: target-01: triggered while 7000",
    ),
];

/// The same as in [`TAKEN_UP`], but a commit status is the memory of the GitLab target.
const REMEMBERED: &[Mutation] = &[
    (
        "a trigger while the run of the first attempt is going on",
        |observed| send_again(observed, 3 * SECOND),
        "attempt 2: target-01: triggered while 7000",
    ),
    (
        "a trigger although the run of the first attempt has passed",
        |observed| send_again(observed, 60 * SECOND),
        "attempt 2: target-01: triggered although 7000",
    ),
    (
        "a refusal by a calm attempt",
        |observed| entry(observed)["outcome"] = json!("not-sent"),
        "attempt 2: target-01: not-sent for no reason",
    ),
    (
        "silence although nobody knows what the first attempt has started",
        |observed| {
            let began = observed.attempts[1].started_at;
            let mut statuses = observed.statuses.iter_mut().rev();
            let last =
                statuses.find(|status| status.context.contains("group") && status.at < began);
            let description = last.and_then(|status| status.description.as_mut());
            let description = description.expect("it was set");
            *description = description.replace(')', ", unclear)");
        },
        "attempt 2: target-01: unclear, and doesn't say so",
    ),
];

/// The first attempt gets this signal after three seconds, and the second one nothing.
fn job(course: Course, signal: Option<&'static str>) -> CallingJob {
    let mut case = case(course);
    case.targets[NAMED].pipeline = Pipeline::GitLab {
        trigger: false,
        inputs: false,
    };
    for target in &mut case.targets {
        if let Some(wait) = &mut target.wait {
            wait.timeout = 25;
        }
    }
    let signal = signal.map(|name| (3 * SECOND, Incident::Signal(name)));
    let attempt = |incidents| Attempt {
        pause: SECOND,
        incidents,
    };
    CallingJob {
        case,
        has_statuses: false,
        names_show_markers: false,
        gitlab_token: demo::GITLAB_MAINTAINER,
        attempts: vec![attempt(signal.into_iter().collect()), attempt(Vec::new())],
        ends_calmly: true,
    }
}

/// The first GitLab run that the job has started.
fn run(observed: &mut ObservedJob) -> &mut sandbox::Run {
    let mut runs = observed.runs.iter_mut();
    let is_it = |run: &&mut sandbox::Run| run.provider == Provider::GitLab && !run.by_stranger;
    runs.find(is_it).expect("it was started")
}

/// What the second attempt reports on GitLab.
fn entry(observed: &mut ObservedJob) -> &mut serde_json::Value {
    &mut observed.attempts[1].results[NAMED]
}

/// The first trigger at that provider.
fn trigger(observed: &mut ObservedJob, provider: Provider) -> &mut RecordedRequest {
    let mut requests = observed.requests.iter_mut();
    let is_it =
        |request: &&mut RecordedRequest| request.provider == Some(provider) && request.is_trigger();
    requests.find(is_it).expect("it was triggered")
}

/// Adds a trigger of the second attempt, with a marker of its own.
fn send_again(observed: &mut ObservedJob, after: Duration) {
    let arrived_at: SystemTime = observed.attempts[1].started_at + after;
    let mut again = trigger(observed, Provider::GitLab).clone();
    again.body = b"target-01 11111111-0000-5000-8000-000000000000".to_vec();
    again.arrived_at = arrived_at;
    again.response = RecordedResponse::Status(201);
    observed.requests.push(again);
}

fn rejects_every_mutation(job: &CallingJob, mutations: &[Mutation]) -> ObservedJob {
    let valid = run_attempts(job);
    assert_eq!(
        violations(job, &valid),
        Vec::<String>::new(),
        "{}",
        valid.describe()
    );
    for (what, mutate, expected) in mutations {
        let mut observed = valid.clone();
        mutate(&mut observed);
        let violations = violations(job, &observed);
        let is_it = |violation: &String| violation.contains(expected);
        assert!(violations.iter().any(is_it), "{what}: {violations:?}");
    }
    valid
}

#[test]
fn every_mutation_of_runs_that_are_taken_up_is_rejected() {
    let success = Course::Ends(Conclusion::Success, 12 * SECOND);
    let job = job(success, Some("KILL"));
    let valid = rejects_every_mutation(&job, TAKEN_UP);
    assert_eq!(valid.attempts[0].done.code, None);
    assert_eq!(valid.attempts[1].done.code, Some(0), "{}", valid.describe());
}

#[test]
fn every_mutation_of_runs_that_are_triggered_again_is_rejected() {
    let failure = Course::Ends(Conclusion::Failure, SECOND);
    let valid = rejects_every_mutation(&job(failure, None), TRIGGERED_AGAIN);
    let own = valid.runs.iter().filter(|run| !run.by_stranger);
    assert_eq!(own.count(), 4, "{}", valid.describe());
}

#[test]
fn every_mutation_of_runs_that_are_remembered_by_status_is_rejected() {
    let success = Course::Ends(Conclusion::Success, 12 * SECOND);
    let job = CallingJob {
        has_statuses: true,
        ..job(success, Some("KILL"))
    };
    let valid = rejects_every_mutation(&job, REMEMBERED);
    assert_eq!(valid.attempts[0].done.code, None);
    assert_eq!(valid.attempts[1].done.code, Some(0), "{}", valid.describe());
    let entry = &valid.attempts[1].results[NAMED];
    assert_eq!(
        entry["runs"][0]["started_by_attempt"],
        1,
        "{}",
        valid.describe()
    );
}
