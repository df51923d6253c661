//! The world that a step finds: how runs live there, who else is about, and what the servers are like.

use std::time::Duration;

use sandbox::world::{Conclusion, GitlabVersion, JobLife, Life, OnCancel, RunDetails};
use sandbox::{Provider, World};

use super::Dice;
use super::incident::NAMES;

#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// At GitHub, GitLab and Bitbucket.
    pub(crate) lives: [Living; 3],
    /// For each run that is triggered, each of these starts one too.
    pub(crate) strangers: Vec<&'static str>,
    /// The status by which GitHub refuses to tell which run it starts, if it does.
    pub(crate) run_details_rejected: Option<u16>,
    /// How far the servers' clock is off.
    pub(crate) skew: Skew,
    pub(crate) old_gitlab: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Skew {
    None,
    Ahead(Duration),
    Behind(Duration),
}

/// What runs do by themselves, and when they are cancelled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Living {
    pub(crate) course: Course,
    pub(crate) on_cancel: OnCancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Ends so after so long.
    Ends(Conclusion, Duration),
    Endless,
    /// Waits for a person who never comes.
    Blocks,
}

impl Setting {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let lives = [(); 3].map(|()| Living::draw(dice));
        let strangers = if dice.chance(40) {
            (0..dice.between(1, 2)).map(|_| dice.pick(&NAMES)).collect()
        } else {
            Vec::new()
        };
        let run_details_rejected = dice.chance(20).then(|| dice.pick(&[400, 422]));
        let skew = match dice.percent() {
            0..10 => Skew::Ahead(dice.milliseconds(500, 3_600_000)),
            10..20 => Skew::Behind(dice.milliseconds(500, 3_600_000)),
            _ => Skew::None,
        };
        Self {
            lives,
            strangers,
            run_details_rejected,
            skew,
            old_gitlab: dice.chance(20),
        }
    }

    pub(crate) fn world(&self) -> World {
        let mut world = World::demo().strangers(&self.strangers);
        let providers = [Provider::Github, Provider::Gitlab, Provider::Bitbucket];
        for (provider, living) in providers.into_iter().zip(self.lives) {
            world = world.lives(provider, living.life());
        }
        world = match self.skew {
            Skew::None => world,
            Skew::Ahead(skew) => world.ahead(skew),
            Skew::Behind(skew) => world.behind(skew),
        };
        if let Some(status) = self.run_details_rejected {
            world.github.run_details = RunDetails::RejectedWith(status);
        }
        if self.old_gitlab {
            world.gitlab.version = GitlabVersion::Old;
        }
        world
    }
}

impl Living {
    fn draw(dice: &mut Dice) -> Self {
        let course = match dice.percent() {
            0..45 => {
                let passes = dice.chance(75);
                let conclusion = if passes {
                    Conclusion::Success
                } else {
                    Conclusion::Failure
                };
                Course::Ends(conclusion, dice.milliseconds(0, 5_000))
            }
            45..90 => Course::Endless,
            _ => Course::Blocks,
        };
        let on_cancel = match dice.percent() {
            0..60 => OnCancel::Ends(Duration::ZERO),
            60..80 => OnCancel::Ends(dice.milliseconds(100, 3_000)),
            80..90 => OnCancel::Ignores,
            _ => OnCancel::Refuses(dice.pick(&[403, 409, 500])),
        };
        Self { course, on_cancel }
    }

    fn life(self) -> Life {
        let job = |takes| JobLife::new("build", takes);
        let life = match self.course {
            Course::Ends(conclusion, takes) => Life::new().job(job(takes).concludes(conclusion)),
            Course::Endless => Life::endless(),
            Course::Blocks => {
                let gated = job(Duration::ZERO).needs_approval("production", &["octocat"]);
                Life::new().job(gated)
            }
        };
        life.on_cancel(self.on_cancel)
    }
}
