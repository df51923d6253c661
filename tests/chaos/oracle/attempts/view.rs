//! The observations of all attempts, grouped by target. Not here: whether they are right. Attempts count from 0, except
//! where the step reports them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use sandbox::world::CommitStatus;
use sandbox::{RecordedRequest, RecordedResponse, Run};
use serde_json::Value;

use crate::case::{CallingJob, Target};
use crate::oracle::view::{Listed, id};
use crate::runner::{ObservedAttempt, ObservedJob};

/// How long a new attempt keeps looking for what an earlier one may have started.
const SETTLE_TIME: Duration = Duration::from_secs(10);

pub(super) struct View<'a> {
    pub(super) job: &'a CallingJob,
    pub(super) observed: &'a ObservedJob,
    pub(super) targets: Vec<TargetHistory<'a>>,
}

/// A target, and what happened to it in the world.
pub(super) struct TargetHistory<'a> {
    pub(super) index: usize,
    pub(super) target: &'a Target,
    /// In order of arrival.
    pub(super) triggers: Vec<Trigger<'a>>,
    pub(super) runs: Vec<Started<'a>>,
}

pub(super) struct Trigger<'a> {
    pub(super) request: &'a RecordedRequest,
    pub(super) attempt: usize,
    pub(super) marker: Option<String>,
}

/// A run, with the attempt whose trigger started it.
#[derive(Clone, Copy)]
pub(super) struct Started<'a> {
    pub(super) run: &'a Run,
    pub(super) attempt: usize,
}

/// The report on a target by an attempt that wasn't killed.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) attempt: usize,
    reported: &'a Value,
}

impl<'a> View<'a> {
    pub(super) fn new(job: &'a CallingJob, observed: &'a ObservedJob) -> Self {
        let targets = job.case.targets.iter().enumerate();
        let targets = targets.map(|(index, target)| {
            let requests = observed.requests.iter();
            let triggers: Vec<_> = requests
                .filter(|request| request.is_trigger() && target.is_in(&text(request)))
                .map(|request| Trigger {
                    request,
                    attempt: attempt_at(observed, request.arrived_at),
                    marker: marker_in(&text(request)),
                })
                .collect();
            let runs = observed.runs.iter();
            let runs = runs.filter(|run| job.case.owner(run) == Some(index));
            let runs = runs.filter_map(|run| {
                let marker = marker_in(&arguments(run));
                let mut triggers = triggers.iter();
                let trigger = triggers.find(|trigger| trigger.marker == marker)?;
                let attempt = trigger.attempt;
                Some(Started { run, attempt })
            });
            TargetHistory {
                index,
                target,
                runs: runs.collect(),
                triggers,
            }
        });
        Self {
            job,
            observed,
            targets: targets.collect(),
        }
    }

    /// Converts the world's time to that of the record.
    pub(super) fn at(&self, time: SystemTime) -> SystemTime {
        self.job.case.setting.skew.undo(time)
    }

    /// The attempts that weren't killed.
    pub(super) fn ended(&self) -> impl Iterator<Item = (usize, &'a ObservedAttempt)> {
        let attempts = self.observed.attempts.iter().enumerate();
        attempts.filter(|(_, attempt)| attempt.done.code.is_some())
    }

    /// What these attempts report on a target.
    pub(super) fn entries(&self, target: &TargetHistory<'_>) -> impl Iterator<Item = Entry<'a>> {
        let index = target.index;
        self.ended().filter_map(move |(attempt, ended)| {
            let reported = ended.results.get(index)?;
            Some(Entry { attempt, reported })
        })
    }

    /// Whether an attempt that looks back can't overlook the run.
    pub(super) fn is_visible(&self, run: &Run, attempt: usize) -> bool {
        let began = self.observed.attempts[attempt].started_at;
        self.at(run.listed_from()) <= began + SETTLE_TIME
    }

    /// The same, of a target. A commit status is written before the trigger, so nothing is overlooked.
    pub(super) fn must_know(&self, target: &TargetHistory<'_>, run: &Run, attempt: usize) -> bool {
        self.job.is_remembered_by_status(target.target) || self.is_visible(run, attempt)
    }

    /// Whether the last status that an earlier attempt had set by that time, for a target of this repository, leaves open
    /// what was started.
    pub(super) fn is_unclear(&self, repository: &str, attempt: usize, by: SystemTime) -> bool {
        let statuses = self.observed.statuses.iter();
        let about = |status: &&CommitStatus| {
            let context = status.context.strip_prefix("trigger-pipeline / ");
            context.is_some_and(|target| target.starts_with(repository))
        };
        let set = statuses.filter(|status| about(status) && self.at(status.at) <= by);
        let mut last = BTreeMap::new();
        for status in set {
            let description = status.description.as_deref().unwrap_or_default();
            for earlier in 1..=attempt {
                if description.contains(&format!(", attempt {earlier}, ")) {
                    last.insert((&status.context, earlier), description);
                }
            }
        }
        last.values().any(|text| text.ends_with(", unclear)"))
    }

    /// When an attempt of the job has read the run's state.
    pub(super) fn reads_of(
        &self,
        run: &'a Run,
        attempt: usize,
    ) -> impl Iterator<Item = SystemTime> {
        let requests = self.observed.requests.iter();
        let reads = requests.filter(move |request| {
            let id = id(run);
            let mut path = request.path.trim_end_matches('/').split('/');
            request.method == "GET"
                && request.provider == Some(run.provider)
                && path.any(|part| part == id)
        });
        reads
            .filter_map(|request| request.responded_at)
            .filter(move |at| attempt_at(self.observed, *at) == attempt)
    }
}

impl<'a> TargetHistory<'a> {
    /// The triggers that an attempt has sent.
    pub(super) fn triggers_of(&self, attempt: usize) -> impl Iterator<Item = &Trigger<'a>> {
        let triggers = self.triggers.iter();
        triggers.filter(move |trigger| trigger.attempt == attempt)
    }

    /// The runs that an attempt has started.
    pub(super) fn runs_of(&self, attempt: usize) -> impl Iterator<Item = &'a Run> {
        let runs = self.runs.iter();
        runs.filter(move |started| started.attempt == attempt)
            .map(|started| started.run)
    }

    /// A listed run, if it is one of the target's own.
    pub(super) fn started(&self, listed: Listed<'_>) -> Option<Started<'a>> {
        let mut runs = self.runs.iter();
        runs.find(|started| id(started.run) == listed.id()).copied()
    }

    /// Whether the provider has accepted a trigger of that attempt.
    pub(super) fn was_accepted(&self, attempt: usize) -> bool {
        self.triggers_of(attempt)
            .any(|trigger| matches!(trigger.request.response, RecordedResponse::Status(200..300)))
    }

    /// A violation that concerns this target in that attempt.
    pub(super) fn in_attempt(&self, attempt: usize, what: &str) -> String {
        format!("attempt {}: {}: {what}", attempt + 1, self.target.label)
    }
}

impl<'a> Entry<'a> {
    pub(super) fn outcome(self) -> &'a str {
        self.reported["outcome"].as_str().unwrap_or_default()
    }

    pub(super) fn conclusion(self) -> Option<&'a str> {
        self.reported["conclusion"].as_str()
    }

    pub(super) fn error(self) -> Option<&'a str> {
        self.reported["error"].as_str()
    }

    pub(super) fn listed(self) -> impl Iterator<Item = Listed<'a>> {
        Listed::all(self.reported)
    }

    /// Whether the step passes as far as this target is concerned.
    pub(super) fn passes(self, target: &Target) -> bool {
        let is_well = self.conclusion() == Some("success") && self.listed().next().is_some();
        self.outcome() == "accepted" && self.error().is_none() && (target.wait.is_none() || is_well)
    }
}

/// The attempt that was the latest at that time.
fn attempt_at(observed: &ObservedJob, time: SystemTime) -> usize {
    let attempts = observed.attempts.iter();
    let begun = attempts.filter(|attempt| attempt.started_at <= time);
    begun.count().saturating_sub(1)
}

fn text(request: &RecordedRequest) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

/// Everything that a run was given.
fn arguments(run: &Run) -> String {
    let variables = run.variables.iter().map(|variable| variable.value.as_str());
    let variables: Vec<_> = variables.collect();
    format!("{:?} {:?} {variables:?}", run.inputs, run.client_payload)
}

/// The first UUID.
fn marker_in(text: &str) -> Option<String> {
    const LENGTH: usize = 36;
    let mut windows = text.as_bytes().windows(LENGTH);
    let is_uuid = |window: &&[u8]| {
        let mut characters = window.iter().enumerate();
        characters.all(|(index, character)| match index {
            8 | 13 | 18 | 23 => *character == b'-',
            _ => character.is_ascii_hexdigit(),
        })
    };
    let found = windows.find(is_uuid)?;
    Some(String::from_utf8_lossy(found).into_owned())
}
