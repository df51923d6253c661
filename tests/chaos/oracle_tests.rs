//! Tests of the oracle: it accepts a step that did everything right, and rejects each mutation of the observations.

use std::time::Duration;

use sandbox::world::{Delays, OnCancel, RunDetails};
use sandbox::{Provider, RecordedRequest, demo};
use serde_json::Value;

use crate::case::{
    Behaviour, Case, Course, Credential, FaultRate, InputStyle, Pipeline, Setting, Skew, Target,
    Wait,
};
use crate::oracle::violations;
use crate::runner::{Observed, run};

mod attempts;
mod signalled;
mod success;
mod timed_out;

const MARKED: usize = 0;
const NAMED: usize = 1;

/// Two targets whose runs follow this course, besides similar runs of other people.
fn case(course: Course) -> Case {
    let wait = Wait {
        timeout: 12,
        cancels_abandoned: true,
        fails_if_blocked: false,
    };
    let pipelines = [
        Pipeline::Event {
            event_type: "deploy-marked",
            credential: Credential::Token(demo::GITHUB_CLASSIC),
        },
        Pipeline::GitLab {
            trigger: false,
            inputs: true,
        },
    ];
    let targets = pipelines.into_iter().enumerate();
    let targets = targets.map(|(index, pipeline)| Target {
        label: format!("target-{index:02}"),
        pipeline,
        wait: Some(wait),
    });
    let behaviour = Behaviour {
        course,
        on_cancel: OnCancel::Ends(Duration::ZERO),
        delays: Delays::default(),
    };
    Case {
        seed: 0,
        targets: targets.collect(),
        input_style: InputStyle::List,
        max_parallel: 8,
        fail_fast: false,
        dry_run: false,
        setting: Setting {
            behaviours: [behaviour; 3],
            strangers: vec!["octocat", "octavia"],
            twin: behaviour,
            run_details: RunDetails::Known,
            search_lag: Duration::ZERO,
            token_lifetime: Duration::from_hours(1),
            skew: Skew::None,
            old_gitlab: false,
        },
        fault_rate: FaultRate::None,
        request_faults: Vec::new(),
        incidents: Vec::new(),
    }
}

/// The first run of the target in `results`.
fn listed(observed: &mut Observed, target: usize) -> &mut Value {
    &mut observed.results[target]["runs"][0]
}

/// Positions of the step's GitLab run and of a stranger's.
fn positions(observed: &Observed) -> (usize, usize) {
    let position = |by_stranger| {
        let mut runs = observed.runs.iter();
        let is_it =
            |run: &sandbox::Run| run.provider == Provider::GitLab && run.by_stranger == by_stranger;
        runs.position(is_it).expect("it was started")
    };
    (position(false), position(true))
}

/// Order of the request that cancels it.
fn cancel(observed: &Observed) -> usize {
    let mut requests = observed.requests.iter();
    let is_it = |request: &RecordedRequest| {
        request.provider == Some(Provider::GitLab) && request.path.ends_with("/cancel")
    };
    requests.position(is_it).expect("it was cancelled")
}

/// The trigger at that provider.
fn trigger(observed: &mut Observed, provider: Provider) -> &mut RecordedRequest {
    let mut requests = observed.requests.iter_mut();
    let is_it =
        |request: &&mut RecordedRequest| request.provider == Some(provider) && request.is_trigger();
    requests.find(is_it).expect("it was triggered")
}

/// A description, a change to the observations, and part of the violation that the oracle must report.
type Mutation = (&'static str, fn(&mut Observed), &'static str);

/// Runs the case, which must pass, and applies each mutation to its observations.
fn rejects_every_mutation(case: &Case, mutations: &[Mutation]) -> Observed {
    let valid = run(case);
    assert_eq!(
        violations(case, &valid),
        Vec::<String>::new(),
        "{}",
        valid.done
    );
    for (what, mutate, expected) in mutations {
        let mut observed = valid.clone();
        mutate(&mut observed);
        let violations = violations(case, &observed);
        let is_it = |violation: &String| violation.contains(expected);
        assert!(violations.iter().any(is_it), "{what}: {violations:?}");
    }
    valid
}
