//! The checks themselves: after a step that did everything right they complain of nothing, and of each wrong that is
//! put into what was seen of it.

use std::time::Duration;

use sandbox::world::{OnCancel, RunDetails};
use sandbox::{Provider, RecordedRequest, demo};
use serde_json::Value;

use crate::case::{
    Behaviour, Case, Course, Credential, Delays, Form, OnAbandoned, OnBlocked, Pipeline, Setting,
    Skew, Target, Wait, Weather,
};
use crate::check::check;
use crate::play::{Seen, play};

mod calm;
mod passed;
mod stopped;

const MARKED: usize = 0;
const NAMED: usize = 1;

/// Two targets whose runs go on, or end so, beside other people's of the same kind.
fn case(course: Course) -> Case {
    let wait = Wait {
        timeout: 12,
        on_abandoned: OnAbandoned::Cancel,
        on_blocked: OnBlocked::Wait,
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
        mark: format!("target-{index:02}"),
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
        form: Form::List,
        max_parallel: 8,
        fail_fast: false,
        dry_run: false,
        setting: Setting {
            behaviours: [behaviour; 3],
            strangers: vec!["octocat", "octavia"],
            twin: behaviour,
            run_details: RunDetails::Known,
            search_lag: Duration::ZERO,
            token_life: Duration::from_hours(1),
            skew: Skew::None,
            old_gitlab: false,
        },
        weather: Weather::Calm,
        troubles: Vec::new(),
        incidents: Vec::new(),
    }
}

/// Where it stands in `results`.
fn listed(seen: &mut Seen, target: usize) -> &mut Value {
    &mut seen.results[target]["runs"][0]
}

/// The place of GitLab's run that is ours, and of one that is not.
fn places(seen: &Seen) -> (usize, usize) {
    let place = |is_strange| {
        let mut runs = seen.runs.iter();
        let is_it =
            |run: &sandbox::Run| run.provider == Provider::GitLab && run.is_strange == is_strange;
        runs.position(is_it).expect("it was started")
    };
    (place(false), place(true))
}

/// The order of the request that asks for its end.
fn cancel(seen: &Seen) -> usize {
    let mut requests = seen.requests.iter();
    let is_it = |request: &RecordedRequest| {
        request.provider == Some(Provider::GitLab) && request.path.ends_with("/cancel")
    };
    requests.position(is_it).expect("it was cancelled")
}

/// Its trigger.
fn trigger(seen: &mut Seen, provider: Provider) -> &mut RecordedRequest {
    let mut requests = seen.requests.iter_mut();
    let is_it =
        |request: &&mut RecordedRequest| request.provider == Some(provider) && request.is_trigger();
    requests.find(is_it).expect("it was triggered")
}

/// A wrong, how it is done, and what is said of it.
type Wrong = (&'static str, fn(&mut Seen), &'static str);

/// Plays the case, which goes well, and then does each wrong to what was seen of it.
fn all_are_complained_of(case: &Case, wrongs: &[Wrong]) -> Seen {
    let right = play(case);
    assert_eq!(check(case, &right), Vec::<String>::new(), "{}", right.done);
    for (wrong, doctor, complaint) in wrongs {
        let mut seen = right.clone();
        doctor(&mut seen);
        let complaints = check(case, &seen);
        let is_it = |said: &String| said.contains(complaint);
        assert!(complaints.iter().any(is_it), "{wrong}: {complaints:?}");
    }
    right
}
