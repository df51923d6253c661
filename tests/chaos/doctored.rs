//! The checks themselves: after a step that did everything right they complain of nothing, and of each wrong that is
//! put into what was seen of it.

use std::time::Duration;

use sandbox::world::{Conclusion, OnCancel, State};
use sandbox::{Answered, Provider};
use serde_json::{Value, json};

use crate::case::{
    Case, Course, Form, Living, OnAbandoned, OnBlocked, Pipeline, Setting, Skew, Target, Wait,
    Weather,
};
use crate::check::check;
use crate::play::{Seen, play};

const MARKED: usize = 0;
const NAMED: usize = 1;

/// Two targets whose runs go on until the step has had enough of them, beside other people's of the same kind.
fn calm() -> Case {
    let wait = Wait {
        timeout: 12,
        on_abandoned: OnAbandoned::Cancel,
        on_blocked: OnBlocked::Wait,
    };
    let pipelines = [
        Pipeline::Event("release"),
        Pipeline::Gitlab {
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
    let endless = Living {
        course: Course::Endless,
        on_cancel: OnCancel::Ends(Duration::ZERO),
    };
    Case {
        seed: 0,
        targets: targets.collect(),
        form: Form::List,
        max_parallel: 8,
        fail_fast: false,
        dry_run: false,
        setting: Setting {
            lives: [endless; 3],
            strangers: vec!["octocat", "octavia"],
            run_details_rejected: None,
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
            |run: &sandbox::Run| run.provider == Provider::Gitlab && run.is_strange == is_strange;
        runs.position(is_it).expect("it was started")
    };
    (place(false), place(true))
}

/// The order of the request that asks for its end.
fn cancel(seen: &Seen) -> usize {
    let mut requests = seen.requests.iter();
    let is_it = |request: &sandbox::RecordedRequest| {
        request.provider == Some(Provider::Gitlab) && request.path.ends_with("/cancel")
    };
    requests.position(is_it).expect("it was cancelled")
}

/// A wrong, how it is done, and what is said of it.
type Wrong = (&'static str, fn(&mut Seen), &'static str);

const WRONGS: [Wrong; 15] = [
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
            first.answered = Answered::Reset;
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
        |seen| listed(seen, NAMED)["conclusion"] = json!("success"),
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
        "a stop that takes its time",
        |seen| seen.after_signals.push(Duration::from_secs(20)),
        "after a signal",
    ),
];

#[test]
fn every_wrong_is_complained_of() {
    let case = calm();
    let right = play(&case);
    assert_eq!(check(&case, &right), Vec::<String>::new(), "{}", right.done);
    let cancelled = |run: &&sandbox::Run| run.conclusion == Some(Conclusion::Cancelled);
    assert_eq!(right.runs.iter().filter(cancelled).count(), 2);
    for (wrong, doctor, complaint) in WRONGS {
        let mut seen = right.clone();
        doctor(&mut seen);
        let complaints = check(&case, &seen);
        let is_it = |said: &String| said.contains(complaint);
        assert!(complaints.iter().any(is_it), "{wrong}: {complaints:?}");
    }
}
