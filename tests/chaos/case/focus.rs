//! Cases that random drawing rarely produces: one target, and only the faults that concern one promise.

use std::time::Duration;

use sandbox::world::{Conclusion, Delays, OnCancel};
use sandbox::{Moment, Provider, demo};

use super::outage::{Outage, Scope};
use super::request_fault::{Purpose, RequestFault, RequestKind, draw_hang_up};
use super::setting::{Behaviour, Course};
use super::target::{Credential, Pipeline, Target, Wait};
use super::{Case, FaultRate, Incident, InputStyle, Rng};

/// Percentage of all cases.
const CHANCE: u32 = 25;

impl Case {
    /// Replaces some cases with one of these, and leaves the others unchanged.
    pub(super) fn focus(mut self, rng: &mut Rng) -> Self {
        if !rng.chance(CHANCE) {
            return self;
        }
        self.input_style = InputStyle::Single;
        self.dry_run = false;
        self.fault_rate = FaultRate::Low;
        self.request_faults.clear();
        self.incidents.clear();
        self.setting.strangers.clear();
        let places: [fn(&mut Self, &mut Rng); 7] = [
            dropped_connection,
            in_flight,
            late_twin,
            temporarily_refused,
            token_renewal,
            run_again,
            frozen,
        ];
        rng.pick(&places)(&mut self, rng);
        self.incidents.sort_by_key(|(at, _)| *at);
        self
    }

    fn one_target(&mut self, pipeline: Pipeline, timeout: usize) {
        self.targets = vec![Target {
            label: "target-00".to_owned(),
            pipeline,
            wait: Some(Wait {
                timeout,
                cancels_abandoned: true,
                fails_if_blocked: false,
            }),
        }];
    }
}

fn ends(conclusion: Conclusion, after: Duration) -> Behaviour {
    Behaviour {
        course: Course::Ends(conclusion, after),
        on_cancel: OnCancel::Ends(Duration::ZERO),
        delays: Delays::default(),
    }
}

fn any_pipeline(rng: &mut Rng) -> Pipeline {
    rng.pick(&[
        Pipeline::Workflow {
            credential: Credential::Token(demo::GITHUB_CLASSIC),
        },
        Pipeline::GitLab {
            trigger: false,
            inputs: true,
        },
        Pipeline::Bitbucket {
            custom: None,
            reference: "main",
        },
    ])
}

/// One trigger starts two runs. The second one appears late or while lists fail, and may end differently.
fn late_twin(case: &mut Case, rng: &mut Rng) {
    let credential = Credential::Token(demo::GITHUB_CLASSIC);
    let event_type = "release";
    let timeout = rng.between(30, 38);
    case.one_target(
        Pipeline::Event {
            event_type,
            credential,
        },
        timeout,
    );
    case.setting.behaviours[0] = ends(Conclusion::Success, rng.milliseconds(500, 25_000));
    let conclusion = rng.pick(&[Conclusion::Success, Conclusion::Failure]);
    case.setting.twin = ends(conclusion, rng.milliseconds(500, 16_000));
    case.setting.twin.delays.listed = rng.milliseconds(0, 15_000);
    if rng.chance(50) {
        let fails = Outage {
            provider: Provider::GitHub,
            scope: Scope::Lists,
            fault: RequestFault::Refused(502),
            lasts: rng.milliseconds(4_000, 16_000),
        };
        let begins = rng.milliseconds(300, 4_000);
        case.incidents.push((begins, Incident::Outage(fails)));
    }
}

/// The run can't be read in the middle of the wait.
fn temporarily_refused(case: &mut Case, rng: &mut Rng) {
    let timeout = rng.between(30, 36);
    case.one_target(any_pipeline(rng), timeout);
    case.setting.behaviours = [ends(Conclusion::Success, rng.milliseconds(1_000, 26_000)); 3];
    let refuses = Outage {
        provider: case.targets[0].provider(),
        scope: Scope::Runs,
        fault: rng.pick(&[
            RequestFault::Refused(404),
            RequestFault::Refused(401),
            RequestFault::Circles,
            RequestFault::BlockPage,
        ]),
        lasts: rng.milliseconds(5_000, 20_000),
    };
    let begins = rng.milliseconds(500, 6_000);
    case.incidents.push((begins, Incident::Outage(refuses)));
}

/// A token is due for renewal soon, which fails, or is slow while a signal arrives.
fn token_renewal(case: &mut Case, rng: &mut Rng) {
    let credential = Credential::App;
    let timeout = rng.between(26, 34);
    case.one_target(Pipeline::Workflow { credential }, timeout);
    case.setting.token_lifetime = rng.milliseconds(4_000, 9_000);
    case.setting.behaviours[0] = ends(Conclusion::Success, rng.milliseconds(1_000, 20_000));
    let is_stopped = rng.chance(50);
    let fault = if is_stopped {
        RequestFault::Late(Moment::BeforeActing, Duration::from_secs(4))
    } else {
        rng.pick(&[
            RequestFault::Refused(500),
            RequestFault::Refused(403),
            RequestFault::Refused(422),
            RequestFault::Refused(404),
        ])
    };
    let fails = Outage {
        provider: Provider::GitHub,
        scope: Scope::Renewals,
        fault,
        lasts: rng.milliseconds(5_000, 14_000),
    };
    let begins = rng.milliseconds(200, 3_000);
    case.incidents.push((begins, Incident::Outage(fails)));
    if is_stopped {
        let kind = RequestKind {
            provider: Provider::GitHub,
            purpose: Purpose::Trigger,
        };
        case.request_faults = vec![(kind, 1, RequestFault::TooMany(429, Some(5)))];
        let at = rng.milliseconds(4_500, 8_000);
        case.incidents.push((at, Incident::Signal("INT")));
    }
}

/// Somebody runs it again as soon as it is over, and then the step is stopped.
fn run_again(case: &mut Case, rng: &mut Rng) {
    let credential = Credential::Token(demo::GITHUB_CLASSIC);
    case.one_target(Pipeline::Workflow { credential }, 20);
    let conclusion = rng.pick(&[Conclusion::Success, Conclusion::Failure]);
    let takes = rng.milliseconds(2_000, 6_000);
    case.setting.behaviours[0] = ends(conclusion, takes);
    let rerun = (Duration::from_millis(1), Incident::Rerun(0));
    let stopped = takes + rng.milliseconds(1_000, 2_500);
    case.incidents = vec![rerun, (stopped, Incident::Signal("INT"))];
}

/// The connections of the reads before the trigger close without notice.
fn dropped_connection(case: &mut Case, rng: &mut Rng) {
    let pipeline = any_pipeline(rng);
    case.one_target(pipeline, 20);
    case.setting.behaviours = [ends(Conclusion::Success, Duration::from_secs(1)); 3];
    let kind = RequestKind {
        provider: pipeline.provider(),
        purpose: Purpose::Read,
    };
    let how = RequestFault::HangUp(draw_hang_up(rng));
    case.request_faults = (1..=3).map(|nth| (kind, nth, how)).collect();
}

/// A signal arrives before the response to the trigger.
fn in_flight(case: &mut Case, rng: &mut Rng) {
    case.one_target(any_pipeline(rng), 20);
    case.setting.behaviours = [ends(Conclusion::Success, Duration::from_mins(1)); 3];
    let kind = RequestKind {
        provider: case.targets[0].provider(),
        purpose: Purpose::Trigger,
    };
    let late = RequestFault::Late(Moment::AfterActing, rng.milliseconds(1_000, 3_500));
    case.request_faults = vec![(kind, 1, late)];
    let signal = Incident::Signal(rng.pick(&["INT", "TERM"]));
    case.incidents = vec![(rng.milliseconds(300, 900), signal)];
}

/// The process is frozen when its deadline passes.
fn frozen(case: &mut Case, rng: &mut Rng) {
    case.one_target(any_pipeline(rng), 8);
    case.setting.behaviours = [ends(Conclusion::Success, rng.milliseconds(1_000, 7_500)); 3];
    let freeze = Incident::Freeze(rng.milliseconds(4_000, 9_000));
    let begins = rng.milliseconds(500, 6_000);
    case.incidents.push((begins, freeze));
}
