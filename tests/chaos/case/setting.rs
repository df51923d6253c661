//! The world that a step finds: how runs behave, which strangers start some, and how the servers behave.

use std::time::{Duration, SystemTime};

use sandbox::world::{
    Conclusion, Delays, GitLabVersion, JobScenario, OnCancel, RunDetails, Scenario, Workflow,
};
use sandbox::{Provider, World};

use super::incident::NAMES;
use super::{Rng, WaitTime};

#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// For GitHub, GitLab and Bitbucket.
    pub(crate) behaviours: [Behaviour; 3],
    /// Each of these users also starts a run for each triggered one.
    pub(crate) strangers: Vec<&'static str>,
    /// For the second workflow that `release` starts.
    pub(crate) twin: Behaviour,
    /// How GitHub names the run that a `workflow_dispatch` starts, if it does.
    pub(crate) run_details: RunDetails,
    /// Delay of GitHub's search index.
    pub(crate) search_lag: Duration,
    pub(crate) token_lifetime: Duration,
    /// How far the servers' clocks are off.
    pub(crate) skew: Skew,
    pub(crate) old_gitlab: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Skew {
    None,
    Ahead(Duration),
    Behind(Duration),
}

/// How runs behave, and how they react to a cancel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    pub(crate) course: Course,
    pub(crate) on_cancel: OnCancel,
    pub(crate) delays: Delays,
}

/// `release` also starts this workflow, besides the demo's own. Both have a marker.
pub(super) const TWIN_FILE: &str = "publish.yml";
const TWIN_ID: u64 = 120;
/// The workflow whose title shows the marker that is passed as an input.
const TITLED_FILE: &str = "titled.yml";
const APP: &str = "octo-org/app";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Completes after this time.
    Ends(Conclusion, Duration),
    Endless,
    /// Waits for a person who never comes.
    Blocks,
}

impl Skew {
    /// Converts a time on the skewed clock to the machine's time.
    pub(crate) fn undo(self, time: SystemTime) -> SystemTime {
        match self {
            Self::None => time,
            Self::Ahead(skew) => time - skew,
            Self::Behind(skew) => time + skew,
        }
    }
}

impl Setting {
    pub(super) fn draw(rng: &mut Rng, wait_time: WaitTime) -> Self {
        let behaviours = [(); 3].map(|()| Behaviour::draw(rng, wait_time));
        let twin = Behaviour::draw(rng, wait_time);
        let strangers = if rng.chance(40) {
            (0..rng.between(1, 2)).map(|_| rng.pick(&NAMES)).collect()
        } else {
            Vec::new()
        };
        let run_details = match rng.percent() {
            0..20 => RunDetails::RejectedWith(rng.pick(&[400, 422])),
            20..30 => RunDetails::IdOnly,
            _ => RunDetails::Known,
        };
        let skew = match rng.percent() {
            0..10 => Skew::Ahead(rng.milliseconds(500, 3_600_000)),
            10..20 => Skew::Behind(rng.milliseconds(500, 3_600_000)),
            _ => Skew::None,
        };
        Self {
            behaviours,
            strangers,
            twin,
            run_details,
            search_lag: match rng.percent() {
                0..15 => Duration::from_hours(1),
                15..30 => rng.milliseconds(500, 15_000),
                _ => Duration::ZERO,
            },
            token_lifetime: if rng.chance(50) {
                rng.milliseconds(4_000, 20_000)
            } else {
                Duration::from_hours(1)
            },
            skew,
            old_gitlab: rng.chance(20),
        }
    }

    pub(crate) fn world(&self) -> World {
        let mut world = World::demo().strangers(&self.strangers);
        let providers = [Provider::GitHub, Provider::GitLab, Provider::Bitbucket];
        for (provider, behaviour) in providers.into_iter().zip(self.behaviours) {
            world = world.scenario(provider, behaviour.scenario());
        }
        world = match self.skew {
            Skew::None => world,
            Skew::Ahead(skew) => world.ahead(skew),
            Skew::Behind(skew) => world.behind(skew),
        };
        let workflow = Workflow::new(TWIN_ID, TWIN_FILE, "Publish")
            .on_repository_dispatch(&["release"])
            .run_name("Publish ${{ github.event.client_payload.trigger_id }}");
        let app = world
            .github
            .repositories
            .iter_mut()
            .find(|app| app.name == APP);
        let app = app.expect("the demo has it");
        app.workflows.push(workflow);
        for titled in &mut app.workflows {
            if titled.file == TITLED_FILE {
                // For the argument that identifies the target.
                *titled = titled.clone().input("version", false, None);
            }
        }
        world = world.scenario_of(Provider::GitHub, APP, TWIN_FILE, self.twin.scenario());
        world.github.run_details = self.run_details;
        world.github.search_lag = self.search_lag;
        world.github.token_lifetime = self.token_lifetime;
        if self.old_gitlab {
            world.gitlab.version = GitLabVersion::Old;
        }
        world
    }

    /// Lets every cancel end its run, at the latest if it is sent again.
    pub(super) fn heed_cancels(&mut self) {
        for behaviour in self.behaviours.iter_mut().chain([&mut self.twin]) {
            if matches!(
                behaviour.on_cancel,
                OnCancel::Refuses(_) | OnCancel::Ignores
            ) {
                behaviour.on_cancel = OnCancel::Ends(Duration::ZERO);
            }
        }
    }

    /// The status with which GitHub rejects `return_run_details`.
    pub(crate) fn details_rejected_with(&self) -> Option<u16> {
        match self.run_details {
            RunDetails::RejectedWith(status) => Some(status),
            RunDetails::Always => Some(422),
            RunDetails::Known | RunDetails::IdOnly => None,
        }
    }

    pub(super) fn rejects_run_details(&self) -> bool {
        self.details_rejected_with().is_some()
    }
}

fn draw_delays(rng: &mut Rng, wait_time: WaitTime) -> Delays {
    let listed = match (rng.percent(), wait_time) {
        (0..5, WaitTime::VeryLong) => Duration::from_secs(75),
        (0..12, WaitTime::Medium | WaitTime::Long | WaitTime::VeryLong) => {
            rng.milliseconds(8_000, 14_000)
        }
        (12..30, _) => rng.milliseconds(500, 6_000),
        _ => Duration::ZERO,
    };
    let readable = match rng.percent() {
        0..10 => rng.milliseconds(500, 6_000),
        _ => Duration::ZERO,
    };
    let concluded = match rng.percent() {
        0..10 => rng.milliseconds(500, 8_000),
        _ => Duration::ZERO,
    };
    Delays {
        listed,
        readable,
        concluded,
        ..Delays::default()
    }
}

impl Behaviour {
    fn draw(rng: &mut Rng, wait_time: WaitTime) -> Self {
        let longest = match wait_time {
            WaitTime::Short => 5_000,
            WaitTime::Medium => 15_000,
            WaitTime::Long => 30_000,
            WaitTime::VeryLong => 100_000,
        };
        let course = match rng.percent() {
            0..45 => {
                let passes = rng.chance(75);
                let conclusion = if passes {
                    Conclusion::Success
                } else {
                    Conclusion::Failure
                };
                Course::Ends(conclusion, rng.milliseconds(0, longest))
            }
            45..90 => Course::Endless,
            _ => Course::Blocks,
        };
        let on_cancel = match rng.percent() {
            0..50 => OnCancel::Ends(Duration::ZERO),
            50..65 => OnCancel::RefusesAtFirst {
                status: rng.pick(&[400, 401, 404, 409]),
                times: rng.pick(&[1, 1, 2]),
            },
            65..80 => OnCancel::Ends(rng.milliseconds(100, 3_000)),
            80..90 => OnCancel::Ignores,
            _ => OnCancel::Refuses(rng.pick(&[403, 409, 500])),
        };
        Self {
            course,
            on_cancel,
            delays: draw_delays(rng, wait_time),
        }
    }

    fn scenario(self) -> Scenario {
        let job = |takes| JobScenario::new("build", takes);
        let scenario = match self.course {
            Course::Ends(conclusion, takes) => {
                Scenario::new().job(job(takes).concludes(conclusion))
            }
            Course::Endless => Scenario::endless(),
            Course::Blocks => {
                let gated = job(Duration::ZERO).needs_approval("production", &["octocat"]);
                Scenario::new().job(gated)
            }
        };
        scenario.on_cancel(self.on_cancel).delays(self.delays)
    }
}
