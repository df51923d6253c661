//! Cases that chance alone seldom draws: one target, and only the troubles that one promise is about.

use std::time::Duration;

use sandbox::world::{Conclusion, OnCancel};
use sandbox::{Moment, Provider, demo};

use super::outage::{Outage, OutageFailure, Scope};
use super::setting::{Behaviour, Course, Delays};
use super::target::{Credential, OnAbandoned, OnBlocked, Pipeline, Target, Wait};
use super::trouble::{Purpose, Trouble, Where, any_hang_up};
use super::{Case, Dice, Form, Incident, Weather};

/// In percent of all cases.
const CHANCE: u32 = 25;

impl Case {
    /// Turns some cases into one of these, and leaves the others as they are.
    pub(super) fn focus(mut self, dice: &mut Dice) -> Self {
        if !dice.chance(CHANCE) {
            return self;
        }
        self.form = Form::Inputs;
        self.dry_run = false;
        self.weather = Weather::Fair;
        self.troubles.clear();
        self.incidents.clear();
        self.setting.strangers.clear();
        let places: [fn(&mut Self, &mut Dice); 7] = [
            hung_up,
            on_the_wire,
            late_twin,
            refused_for_a_while,
            renewed,
            run_again,
            frozen,
        ];
        dice.pick(&places)(&mut self, dice);
        self.incidents.sort_by_key(|(at, _)| *at);
        self
    }

    fn one_target(&mut self, pipeline: Pipeline, timeout: usize) {
        self.targets = vec![Target {
            mark: "target-00".to_owned(),
            pipeline,
            wait: Some(Wait {
                timeout,
                on_abandoned: OnAbandoned::Cancel,
                on_blocked: OnBlocked::Wait,
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

fn any_pipeline(dice: &mut Dice) -> Pipeline {
    dice.pick(&[
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

/// One trigger starts two runs; the second one appears late, or while lists fail, and may end otherwise.
fn late_twin(case: &mut Case, dice: &mut Dice) {
    let credential = Credential::Token(demo::GITHUB_CLASSIC);
    let event_type = "release";
    let timeout = dice.between(30, 38);
    case.one_target(
        Pipeline::Event {
            event_type,
            credential,
        },
        timeout,
    );
    case.setting.behaviours[0] = ends(Conclusion::Success, dice.milliseconds(500, 25_000));
    let conclusion = dice.pick(&[Conclusion::Success, Conclusion::Failure]);
    case.setting.twin = ends(conclusion, dice.milliseconds(500, 16_000));
    case.setting.twin.delays.listed = dice.milliseconds(0, 15_000);
    if dice.chance(50) {
        let fails = Outage {
            provider: Provider::GitHub,
            of: Scope::Lists,
            failure: OutageFailure::Status(502),
            lasts: dice.milliseconds(4_000, 16_000),
        };
        let begins = dice.milliseconds(300, 4_000);
        case.incidents.push((begins, Incident::Outage(fails)));
    }
}

/// The run cannot be read in the middle of the wait.
fn refused_for_a_while(case: &mut Case, dice: &mut Dice) {
    let timeout = dice.between(30, 36);
    case.one_target(any_pipeline(dice), timeout);
    case.setting.behaviours = [ends(Conclusion::Success, dice.milliseconds(1_000, 26_000)); 3];
    let refuses = Outage {
        provider: case.targets[0].provider(),
        of: Scope::Runs,
        failure: dice.pick(&[
            OutageFailure::Status(404),
            OutageFailure::Status(401),
            OutageFailure::Status(307),
            OutageFailure::Page,
        ]),
        lasts: dice.milliseconds(5_000, 20_000),
    };
    let begins = dice.milliseconds(500, 6_000);
    case.incidents.push((begins, Incident::Outage(refuses)));
}

/// A token must be renewed soon, and that fails, or is slow while a signal comes.
fn renewed(case: &mut Case, dice: &mut Dice) {
    let credential = Credential::App;
    let timeout = dice.between(26, 34);
    case.one_target(Pipeline::Workflow { credential }, timeout);
    case.setting.token_life = dice.milliseconds(4_000, 9_000);
    case.setting.behaviours[0] = ends(Conclusion::Success, dice.milliseconds(1_000, 20_000));
    let is_stopped = dice.chance(50);
    let failure = if is_stopped {
        OutageFailure::Slow
    } else {
        dice.pick(&[
            OutageFailure::Status(500),
            OutageFailure::Status(403),
            OutageFailure::Status(422),
            OutageFailure::Status(404),
        ])
    };
    let fails = Outage {
        provider: Provider::GitHub,
        of: Scope::Renewals,
        failure,
        lasts: dice.milliseconds(5_000, 14_000),
    };
    let begins = dice.milliseconds(200, 3_000);
    case.incidents.push((begins, Incident::Outage(fails)));
    if is_stopped {
        let place = Where {
            provider: Provider::GitHub,
            purpose: Purpose::Trigger,
        };
        case.troubles = vec![(place, 1, Trouble::TooMany(429, Some(5)))];
        let at = dice.milliseconds(4_500, 8_000);
        case.incidents.push((at, Incident::Signal("INT")));
    }
}

/// Somebody runs it again as soon as it is over, and then the step is stopped.
fn run_again(case: &mut Case, dice: &mut Dice) {
    let credential = Credential::Token(demo::GITHUB_CLASSIC);
    case.one_target(Pipeline::Workflow { credential }, 20);
    let conclusion = dice.pick(&[Conclusion::Success, Conclusion::Failure]);
    let takes = dice.milliseconds(2_000, 6_000);
    case.setting.behaviours[0] = ends(conclusion, takes);
    let rerun = (Duration::from_millis(1), Incident::Rerun(0));
    let stopped = takes + dice.milliseconds(1_000, 2_500);
    case.incidents = vec![rerun, (stopped, Incident::Signal("INT"))];
}

/// The connections of the reads before the trigger end unannounced.
fn hung_up(case: &mut Case, dice: &mut Dice) {
    let pipeline = any_pipeline(dice);
    case.one_target(pipeline, 20);
    case.setting.behaviours = [ends(Conclusion::Success, Duration::from_secs(1)); 3];
    let place = Where {
        provider: pipeline.provider(),
        purpose: Purpose::Read,
    };
    let how = Trouble::HangUp(any_hang_up(dice));
    case.troubles = (1..=3).map(|nth| (place, nth, how)).collect();
}

/// A signal comes before the answer to its trigger.
fn on_the_wire(case: &mut Case, dice: &mut Dice) {
    case.one_target(any_pipeline(dice), 20);
    case.setting.behaviours = [ends(Conclusion::Success, Duration::from_mins(1)); 3];
    let place = Where {
        provider: case.targets[0].provider(),
        purpose: Purpose::Trigger,
    };
    let late = Trouble::Late(Moment::AfterActing, dice.milliseconds(1_000, 3_500));
    case.troubles = vec![(place, 1, late)];
    let signal = Incident::Signal(dice.pick(&["INT", "TERM"]));
    case.incidents = vec![(dice.milliseconds(300, 900), signal)];
}

/// The process is stopped when its deadline passes.
fn frozen(case: &mut Case, dice: &mut Dice) {
    case.one_target(any_pipeline(dice), 8);
    case.setting.behaviours = [ends(Conclusion::Success, dice.milliseconds(1_000, 7_500)); 3];
    let freeze = Incident::Freeze(dice.milliseconds(4_000, 9_000));
    let begins = dice.milliseconds(500, 6_000);
    case.incidents.push((begins, freeze));
}
