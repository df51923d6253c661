//! All that happens to one step, drawn from a seed: what it is asked to do, in which world, and what goes wrong when.
//! The same seed is always the same case. Not here: playing it (see `play`).

mod dice;
mod focus;
mod incident;
mod outage;
mod setting;
mod target;
mod trouble;

use std::time::Duration;

use sandbox::{Provider, Run};

pub(crate) use dice::Dice;
pub(crate) use incident::Incident;
pub(crate) use outage::{Outage, Scope};
pub(crate) use setting::{Behaviour, Course, Delays, Setting, Skew};
pub(crate) use target::{Credential, OnAbandoned, OnBlocked, Pipeline, Target, Wait};
pub(crate) use trouble::{Trouble, Where};

/// From this seed on there are troubles that last a minute and more.
const FIRST_WITH_MINUTES: u64 = 1_000;
const MOST_TARGETS: usize = 20;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) targets: Vec<Target>,
    pub(crate) form: Form,
    pub(crate) max_parallel: usize,
    pub(crate) fail_fast: bool,
    pub(crate) dry_run: bool,
    pub(crate) setting: Setting,
    pub(crate) weather: Weather,
    /// Which of the requests of that kind meets what.
    pub(crate) troubles: Vec<(Where, usize, Trouble)>,
    /// In order; times count from the first line that the step prints, and zero is before it starts.
    pub(crate) incidents: Vec<(Duration, Incident)>,
}

/// How the step is told what to trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A target in the step's own inputs.
    Inputs,
    /// The input `targets`.
    List,
}

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing but what other people do, and signals.
    Calm,
    Fair,
    Foul,
}

/// How long the step waits for what it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Temper {
    /// Not long enough for runs that must be looked for, as a rule.
    Hasty,
    Patient,
    /// Long enough for troubles of many seconds in the middle.
    Steady,
    /// Long enough for troubles of more than a minute.
    Ageless,
}

impl Case {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let count = match dice.percent() {
            0..40 => 1,
            40..85 => dice.between(2, 6),
            _ => dice.between(7, MOST_TARGETS),
        };
        let form = if count == 1 && dice.chance(60) {
            Form::Inputs
        } else {
            Form::List
        };
        let weather = match dice.percent() {
            0..20 => Weather::Calm,
            20..60 => Weather::Fair,
            _ => Weather::Foul,
        };
        let temper = match dice.percent() {
            0..60 => Temper::Hasty,
            60..85 => Temper::Patient,
            _ if seed >= FIRST_WITH_MINUTES && dice.chance(20) => Temper::Ageless,
            _ => Temper::Steady,
        };
        let targets = target::draw(&mut dice, temper, count);
        let setting = Setting::draw(&mut dice, temper);
        let incidents = incident::draw(&mut dice, weather, temper, &targets);
        let is_stopped = incidents.iter().any(|(_, incident)| incident.is_signal());
        let lasting = if is_stopped || seed >= FIRST_WITH_MINUTES {
            trouble::Lasting::Minutes
        } else {
            trouble::Lasting::Seconds
        };
        let troubles = trouble::draw(&mut dice, weather, &targets, lasting);
        let case = Self {
            seed,
            targets,
            form,
            max_parallel: dice.between(1, 8),
            fail_fast: dice.chance(20),
            dry_run: dice.chance(3),
            setting,
            weather,
            troubles,
            incidents,
        };
        case.focus(&mut dice)
    }

    /// The target whose trigger started this run.
    pub(crate) fn owner(&self, run: &Run) -> Option<usize> {
        let marks = |target: &Target| target.has_marked(run);
        let owner = self.targets.iter().position(marks);
        owner.filter(|_| !run.is_strange)
    }

    /// Whether nothing happens to triggers there, but that their answers are late.
    pub(crate) fn triggers_are_late_at_worst(&self, provider: Provider) -> bool {
        let mut troubles = self.troubles.iter();
        troubles.all(|(place, _, trouble)| {
            let is_late = matches!(trouble, Trouble::Late(..));
            is_late || !place.is_trigger(provider)
        })
    }

    pub(crate) fn freezes(&self) -> bool {
        let mut incidents = self.incidents.iter().map(|(_, incident)| incident);
        incidents.any(|incident| matches!(incident, Incident::Freeze(_)))
    }

    /// Whether the answer to its trigger names the run.
    pub(crate) fn tells_the_run(&self, target: &Target) -> bool {
        match target.pipeline {
            Pipeline::Workflow { .. } => !self.setting.rejects_run_details(),
            Pipeline::Event { .. } => false,
            Pipeline::GitLab { .. } | Pipeline::Bitbucket { .. } => true,
        }
    }

    /// How that run behaviours.
    pub(crate) fn behaviour(&self, run: &Run) -> Behaviour {
        let [github, gitlab, bitbucket] = self.setting.behaviours;
        match run.provider {
            Provider::GitHub if run.pipeline == setting::TWIN_FILE => self.setting.twin,
            Provider::GitHub => github,
            Provider::GitLab => gitlab,
            Provider::Bitbucket => bitbucket,
        }
    }

    /// The longest that the step may take where nobody stops it: five tries before the trigger, its own time, a look
    /// into what became of it, and the end of what was started.
    pub(crate) fn longest(&self) -> Duration {
        let seconds = if self.seed < FIRST_WITH_MINUTES {
            240
        } else {
            720
        };
        Duration::from_secs(seconds)
    }
}
