//! Everything that happens to one step, drawn from a seed: its inputs, the world, and what goes wrong when. The same
//! seed always gives the same case. Not here: running it (see `runner`).

mod calling_job;
mod focus;
mod incident;
mod outage;
mod request_fault;
mod rng;
mod setting;
mod target;

use std::time::Duration;

use sandbox::{Provider, Run};

pub(crate) use calling_job::{Attempt, CallingJob};
pub(crate) use incident::Incident;
pub(crate) use outage::{Outage, Scope};
pub(crate) use request_fault::{RequestFault, RequestKind};
pub(crate) use rng::Rng;
pub(crate) use setting::{Behaviour, Course, Setting, Skew};
pub(crate) use target::{Credential, Pipeline, Target, Wait};

/// From this seed on there are faults that last a minute and more.
const FIRST_WITH_MINUTES: u64 = 1_000;
const MAX_TARGETS: usize = 20;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) targets: Vec<Target>,
    pub(crate) input_style: InputStyle,
    pub(crate) max_parallel: usize,
    pub(crate) fail_fast: bool,
    pub(crate) dry_run: bool,
    pub(crate) setting: Setting,
    pub(crate) fault_rate: FaultRate,
    /// The kind of request, which one of that kind (from 1), and the fault it meets.
    pub(crate) request_faults: Vec<(RequestKind, usize, RequestFault)>,
    /// In order. Times count from the first line that the step prints; zero means before it starts.
    pub(crate) incidents: Vec<(Duration, Incident)>,
}

/// How the step's inputs name what to trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputStyle {
    /// A target in the step's own inputs.
    Single,
    /// The input `targets`.
    List,
}

/// How many requests fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultRate {
    /// Only other people and signals interfere.
    None,
    Low,
    High,
}

/// How long the step waits for what it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitTime {
    /// Usually too short for runs that must be searched for.
    Short,
    Medium,
    /// Long enough for faults of many seconds in the middle.
    Long,
    /// Long enough for faults of more than a minute.
    VeryLong,
}

impl Case {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let count = match rng.percent() {
            0..40 => 1,
            40..85 => rng.between(2, 6),
            _ => rng.between(7, MAX_TARGETS),
        };
        let input_style = if count == 1 && rng.chance(60) {
            InputStyle::Single
        } else {
            InputStyle::List
        };
        let fault_rate = match rng.percent() {
            0..20 => FaultRate::None,
            20..60 => FaultRate::Low,
            _ => FaultRate::High,
        };
        let wait_time = match rng.percent() {
            0..60 => WaitTime::Short,
            60..85 => WaitTime::Medium,
            _ if seed >= FIRST_WITH_MINUTES && rng.chance(20) => WaitTime::VeryLong,
            _ => WaitTime::Long,
        };
        let targets = target::draw(&mut rng, wait_time, count);
        let setting = Setting::draw(&mut rng, wait_time);
        let incidents = incident::draw(&mut rng, fault_rate, wait_time, &targets);
        let is_stopped = incidents.iter().any(|(_, incident)| incident.is_signal());
        let duration = if is_stopped || seed >= FIRST_WITH_MINUTES {
            request_fault::FaultDuration::Minutes
        } else {
            request_fault::FaultDuration::Seconds
        };
        let request_faults = request_fault::draw(&mut rng, fault_rate, &targets, duration);
        let case = Self {
            seed,
            targets,
            input_style,
            max_parallel: rng.between(1, 8),
            fail_fast: rng.chance(20),
            dry_run: rng.chance(3),
            setting,
            fault_rate,
            request_faults,
            incidents,
        };
        case.focus(&mut rng)
    }

    /// The target whose trigger started this run.
    pub(crate) fn owner(&self, run: &Run) -> Option<usize> {
        let marks = |target: &Target| target.has_marked(run);
        let owner = self.targets.iter().position(marks);
        owner.filter(|_| !run.by_stranger)
    }

    /// Whether late responses are the only faults that triggers at that provider meet.
    pub(crate) fn triggers_are_late_at_worst(&self, provider: Provider) -> bool {
        let mut request_faults = self.request_faults.iter();
        request_faults.all(|(kind, _, fault)| {
            let is_late = matches!(fault, RequestFault::Late(..));
            is_late || !kind.is_trigger(provider)
        })
    }

    pub(crate) fn freezes(&self) -> bool {
        let mut incidents = self.incidents.iter().map(|(_, incident)| incident);
        incidents.any(|incident| matches!(incident, Incident::Freeze(_)))
    }

    /// Whether the response to its trigger names the run.
    pub(crate) fn response_names_run(&self, target: &Target) -> bool {
        match target.pipeline {
            Pipeline::Workflow { .. } | Pipeline::TitledWorkflow { .. } => {
                !self.setting.rejects_run_details()
            }
            Pipeline::Event { .. } => false,
            Pipeline::GitLab { .. } | Pipeline::Bitbucket { .. } => true,
        }
    }

    pub(crate) fn behaviour(&self, run: &Run) -> Behaviour {
        let [github, gitlab, bitbucket] = self.setting.behaviours;
        match run.provider {
            Provider::GitHub if run.pipeline == setting::TWIN_FILE => self.setting.twin,
            Provider::GitHub => github,
            Provider::GitLab => gitlab,
            Provider::Bitbucket => bitbucket,
        }
    }

    /// Maximum duration of the step unless a signal stops it: five attempts before the trigger, its own timeout, the
    /// search after an unknown outcome, and the cancels.
    pub(crate) fn max_duration(&self) -> Duration {
        let seconds = if self.seed < FIRST_WITH_MINUTES {
            240
        } else {
            720
        };
        Duration::from_secs(seconds)
    }
}
