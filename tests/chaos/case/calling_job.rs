//! A calling job with `on-rerun: once` that is run again, and again, always with the same inputs, except for the arguments of
//! targets without a marker: they show which attempt has started a run.

use std::time::Duration;

use sandbox::world::Access;
use sandbox::{Sandbox, World, demo};
use serde_json::{Map, Value, json};

use super::request_fault::{self, FaultDuration};
use super::target::MARKER_VARIABLE;
use super::{
    Case, Credential, FIRST_WITH_MINUTES, FaultRate, Incident, InputStyle, Pipeline, Rng, Setting,
    Target, Wait, WaitTime, incident,
};

#[derive(Clone, Debug)]
pub(crate) struct CallingJob {
    /// Everything but what happens during each attempt. Its request faults count over all attempts.
    pub(crate) case: Case,
    /// Whether each target is shown as a commit status, which is then the memory of those without a marker.
    pub(crate) has_statuses: bool,
    /// Whether the name of a GitLab pipeline shows its marker. Otherwise only a variable does.
    pub(crate) names_show_markers: bool,
    /// The token for GitLab. Only a maintainer's reads the variables of everybody's pipelines.
    pub(crate) gitlab_token: &'static str,
    pub(crate) attempts: Vec<Attempt>,
    /// Whether all faults are over when the last attempt begins, and nobody stops it.
    pub(crate) ends_calmly: bool,
}

/// An attempt of the calling job.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Since the end of the attempt before.
    pub(crate) pause: Duration,
    /// As in a [`Case`]. The signal `KILL` is what a runner that is lost looks like.
    pub(crate) incidents: Vec<(Duration, Incident)>,
}

/// In milliseconds. Only the time shows which attempt has sent a request, and on a busy machine the last one of a killed
/// attempt may be recorded late.
const MIN_PAUSE: u64 = 1_500;
/// Shows a marker that is passed as an input or as a variable.
const PIPELINE_NAME: &str = "Deploy $[[ inputs.trigger_id ]] $TRIGGER_ID";

impl CallingJob {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let rng = &mut rng;
        // Cases of every `cargo test` take less than half a minute.
        let is_quick = seed < FIRST_WITH_MINUTES;
        let fault_rate = match rng.percent() {
            0..30 => FaultRate::None,
            30..80 => FaultRate::Low,
            _ if is_quick => FaultRate::Low,
            _ => FaultRate::High,
        };
        let wait_time = if is_quick || rng.chance(65) {
            WaitTime::Short
        } else {
            WaitTime::Medium
        };
        let has_statuses = rng.chance(50);
        // With statuses, GitLab's pipelines have no markers.
        let names_show_markers = rng.chance(50) && !has_statuses;
        let targets = draw_targets(rng, wait_time, |rng| {
            if has_statuses && rng.chance(80) {
                draw_unmarked(rng)
            } else {
                draw_marked(rng, names_show_markers)
            }
        });
        let duration = if is_quick {
            FaultDuration::Seconds
        } else {
            FaultDuration::Minutes
        };
        let mut request_faults = request_fault::draw(rng, fault_rate, &targets, duration);
        if has_statuses {
            let faults = request_fault::draw_for_statuses(rng, fault_rate, targets.len(), duration);
            request_faults.extend(faults);
        }
        let mut setting = Setting::draw(rng, wait_time);
        if is_quick {
            setting.heed_cancels();
        }
        let case = Case {
            seed,
            input_style: if targets.len() == 1 && rng.chance(60) {
                InputStyle::Single
            } else {
                InputStyle::List
            },
            max_parallel: rng.between(1, 8),
            fail_fast: rng.chance(10),
            dry_run: false,
            setting,
            fault_rate,
            request_faults,
            incidents: Vec::new(),
            targets,
        };
        let gitlab_token = if rng.chance(70) {
            demo::GITLAB_MAINTAINER
        } else {
            demo::GITLAB_DEVELOPER
        };
        let ends_calmly = is_quick || rng.chance(60);
        let attempts = draw_attempts(rng, &case, wait_time, is_quick, ends_calmly);
        Self {
            case,
            has_statuses,
            names_show_markers,
            gitlab_token,
            attempts,
            ends_calmly,
        }
    }

    pub(crate) fn world(&self) -> World {
        let mut world = self.case.setting.world();
        if self.names_show_markers {
            for project in &mut world.gitlab.projects {
                *project = project.clone().pipeline_name(PIPELINE_NAME);
            }
        }
        if self.has_statuses {
            let token = demo::GITHUB_WORKFLOW_OF_CALLER;
            world = world.grant(token, "statuses", Access::Write);
        }
        world
    }

    /// The inputs of a target in an attempt, counted from 0, as an entry of `targets`.
    pub(crate) fn inputs(
        &self,
        target: &Target,
        attempt: usize,
        sandbox: &Sandbox,
    ) -> Map<String, Value> {
        let mut target = target.clone();
        let is_remembered = self.is_remembered_by_status(&target);
        if is_remembered {
            // A marker that only this test sees.
            let label = &target.label;
            let number: String = label.chars().filter(char::is_ascii_digit).collect();
            target.label = format!("{label} 00000000-0000-4000-8000-{attempt:04}{number:0>8}");
        }
        let mut inputs = target.inputs(sandbox);
        if let Pipeline::GitLab { inputs: has, .. } = target.pipeline {
            let marker = if has { "trigger_id" } else { MARKER_VARIABLE };
            inputs.insert("token".to_owned(), json!(self.gitlab_token));
            if !is_remembered {
                inputs.insert("marker-input".to_owned(), json!(marker));
            }
        }
        inputs
    }

    /// Whether the memory of a target is its commit status rather than a marker.
    pub(crate) fn is_remembered_by_status(&self, target: &Target) -> bool {
        match target.pipeline {
            Pipeline::Workflow { .. } | Pipeline::Bitbucket { .. } => true,
            Pipeline::GitLab { .. } => self.has_statuses,
            Pipeline::TitledWorkflow { .. } | Pipeline::Event { .. } => false,
        }
    }

    /// Whether this attempt, counted from 0, meets neither faults nor signals.
    pub(crate) fn is_calm(&self, attempt: usize) -> bool {
        self.ends_calmly && attempt + 1 == self.attempts.len()
    }
}

/// Between one and six, some of which differ only in their arguments.
fn draw_targets(
    rng: &mut Rng,
    wait_time: WaitTime,
    draw_pipeline: impl Fn(&mut Rng) -> Pipeline,
) -> Vec<Target> {
    let count = if rng.chance(40) { 1 } else { rng.between(2, 6) };
    let wait = rng.chance(75);
    let mut targets: Vec<Target> = Vec::new();
    for index in 0..count {
        let pipeline = match targets.last() {
            Some(equal) if rng.chance(35) => equal.pipeline,
            _ => draw_pipeline(rng),
        };
        targets.push(Target {
            label: format!("target-{index:02}"),
            pipeline,
            wait: wait.then(|| Wait::draw(rng, wait_time)),
        });
    }
    targets
}

fn draw_unmarked(rng: &mut Rng) -> Pipeline {
    match rng.percent() {
        0..34 => Pipeline::Workflow {
            credential: Credential::draw(rng),
        },
        34..67 => Pipeline::GitLab {
            trigger: rng.chance(30),
            inputs: rng.chance(50),
        },
        _ => Pipeline::Bitbucket {
            custom: rng.chance(50).then(|| rng.pick(&["deploy", "nightly"])),
            reference: rng.pick(&["main", "develop", "v2.0.0"]),
        },
    }
}

fn draw_marked(rng: &mut Rng, names_show_markers: bool) -> Pipeline {
    let credential = Credential::draw(rng);
    match rng.percent() {
        0..35 => Pipeline::TitledWorkflow { credential },
        35..65 => Pipeline::Event {
            event_type: rng.pick(&["deploy-marked", "release"]),
            credential,
        },
        65..92 => Pipeline::GitLab {
            trigger: rng.chance(30),
            inputs: names_show_markers && rng.chance(50),
        },
        // Its runs can't be recognised.
        _ => Pipeline::Event {
            event_type: "deploy",
            credential,
        },
    }
}

fn draw_attempts(
    rng: &mut Rng,
    case: &Case,
    wait_time: WaitTime,
    is_quick: bool,
    ends_calmly: bool,
) -> Vec<Attempt> {
    let count = match rng.percent() {
        0..60 => 2,
        60..90 => 3,
        _ if is_quick => 3,
        _ => 4,
    };
    let max_pause = if is_quick { 2_000 } else { 7_000 };
    let attempts = (1..=count).map(|number| {
        let mut incidents = incident::draw(rng, case.fault_rate, wait_time, &case.targets);
        if is_quick {
            incidents.retain(|(_, incident)| !matches!(incident, Incident::Freeze(_)));
        }
        if number == count && ends_calmly {
            incidents.retain(|(_, incident)| matches!(incident, Incident::Stranger(..)));
        } else if number < count && (is_quick || rng.chance(45)) {
            // In the middle of the trigger, of the wait, or while it looks back.
            let latest = match number {
                1 => 4_000,
                _ if is_quick => 2_500,
                _ => 16_000,
            };
            let name = rng.pick(&["KILL", "KILL", "INT"]);
            // A frozen process heeds no signal.
            incidents.retain(|(_, incident)| !matches!(incident, Incident::Freeze(_)));
            incidents.push((rng.milliseconds(50, latest), Incident::Signal(name)));
        }
        incidents.sort_by_key(|(at, _)| *at);
        Attempt {
            pause: rng.milliseconds(MIN_PAUSE, max_pause),
            incidents,
        }
    });
    attempts.collect()
}
