//! The observations, grouped by target. Not here: whether they are right.

use std::time::{Duration, SystemTime};

use sandbox::world::{Conclusion, State};
use sandbox::{Provider, RecordedRequest, RecordedResponse, Run};
use serde_json::Value;

use crate::case::{Case, FaultRate, Incident, Target};
use crate::runner::Observed;

pub(crate) struct View<'a> {
    pub(crate) case: &'a Case,
    pub(crate) observed: &'a Observed,
    pub(crate) entries: Vec<Entry<'a>>,
    /// All runs. If somebody re-ran one, only the attempt that was triggered.
    runs: Vec<&'a Run>,
}

/// A target, its report, and what happened to it in the world.
pub(crate) struct Entry<'a> {
    pub(crate) index: usize,
    pub(crate) target: &'a Target,
    /// Its entry in `results`.
    pub(crate) reported: &'a Value,
    /// The runs that it started.
    pub(crate) started: Vec<&'a Run>,
    /// Its triggers, in order.
    pub(crate) triggers: Vec<&'a RecordedRequest>,
}

/// A run listed in `results`.
#[derive(Clone, Copy)]
pub(crate) struct Listed<'a>(&'a Value);

impl<'a> View<'a> {
    pub(crate) fn new(case: &'a Case, observed: &'a Observed) -> Self {
        let runs: Vec<_> = observed.runs.iter().map(Run::first_attempt).collect();
        let targets = case.targets.iter().zip(&observed.results).enumerate();
        let entries = targets.map(|(index, (target, reported))| {
            let is_own_trigger = |request: &&RecordedRequest| {
                request.is_trigger() && target.is_in(&String::from_utf8_lossy(&request.body))
            };
            let own = runs.iter().copied();
            Entry {
                index,
                target,
                reported,
                started: own.filter(|run| case.owner(run) == Some(index)).collect(),
                triggers: observed.requests.iter().filter(is_own_trigger).collect(),
            }
        });
        Self {
            case,
            observed,
            entries: entries.collect(),
            runs,
        }
    }

    /// All requests to cancel, each with the run that it concerns.
    pub(crate) fn cancels(&self) -> impl Iterator<Item = (&'a RecordedRequest, Option<&'a Run>)> {
        let observed = self.observed;
        let requests = observed.requests.iter();
        requests
            .filter(|request| is_cancel(request))
            .map(|request| (request, observed.runs.iter().find(|run| asks(request, run))))
    }

    pub(crate) fn has_signals(&self) -> bool {
        !self.observed.after_signals.is_empty()
    }

    /// Whether only strangers and signals interfere.
    pub(crate) fn is_fault_free(&self) -> bool {
        self.case.fault_rate == FaultRate::None
    }

    /// Maximum total time for which the process was frozen.
    pub(crate) fn frozen(&self) -> Duration {
        let incidents = self.case.incidents.iter();
        let freezes = incidents.filter_map(|(_, incident)| {
            if let Incident::Freeze(time) = incident {
                Some(*time)
            } else {
                None
            }
        });
        freezes.sum()
    }

    pub(crate) fn closes(&self) -> bool {
        let incidents = &self.case.incidents;
        let mut incidents = incidents.iter().map(|(_, incident)| incident);
        incidents.any(|incident| *incident == Incident::Closes)
    }
}

impl<'a> Entry<'a> {
    pub(crate) fn outcome(&self) -> &'a str {
        self.reported["outcome"].as_str().unwrap_or_default()
    }

    pub(crate) fn conclusion(&self) -> Option<&'a str> {
        self.reported["conclusion"].as_str()
    }

    pub(crate) fn error(&self) -> Option<&'a str> {
        self.reported["error"].as_str()
    }

    pub(crate) fn left_running(&self) -> Option<&'a str> {
        self.reported["left_running"].as_str()
    }

    pub(crate) fn listed(&self) -> impl Iterator<Item = Listed<'a>> {
        Listed::all(self.reported)
    }

    /// Whether its last trigger was accepted.
    pub(crate) fn was_accepted(&self) -> bool {
        let last = self.triggers.last();
        last.is_some_and(|request| matches!(request.response, RecordedResponse::Status(200..300)))
    }

    /// A time that is certainly not after the target's deadline: the trigger arrived before it was accepted.
    pub(crate) fn deadline(&self) -> Option<SystemTime> {
        let timeout = Duration::from_secs(self.target.wait?.timeout as u64);
        Some(self.triggers.last()?.arrived_at + timeout)
    }

    /// Whether a run that it started is listed as certainly its own.
    pub(crate) fn has_certain_run(&self) -> bool {
        let mut started = self.started.iter();
        started.any(|run| self.lists(run).is_some_and(Listed::is_certain))
    }

    /// The run's entry in the target's report.
    pub(crate) fn lists(&self, run: &Run) -> Option<Listed<'a>> {
        self.listed().find(|listed| listed.id() == id(run))
    }
}

impl<'a> Listed<'a> {
    /// The runs in an entry of `results`.
    pub(crate) fn all(entry: &'a Value) -> impl Iterator<Item = Self> {
        entry["runs"].as_array().into_iter().flatten().map(Self)
    }

    /// The attempt of the calling job that started it, if it is an earlier one. Counts from 1.
    pub(crate) fn started_by_attempt(self) -> Option<u64> {
        self.0["started_by_attempt"].as_u64()
    }

    pub(crate) fn id(self) -> &'a str {
        self.0["id"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_certain(self) -> bool {
        ["id", "marker"].contains(&self.0["matched_by"].as_str().unwrap_or_default())
    }

    pub(crate) fn has_ended(self) -> bool {
        self.0["state"] == "completed"
    }

    pub(crate) fn conclusion(self) -> Option<&'a str> {
        self.0["conclusion"].as_str()
    }

    pub(crate) fn left_running(self) -> Option<&'a str> {
        self.0["left_running"].as_str()
    }

    /// The same run in the world.
    pub(crate) fn run(self, entry: &Entry<'_>, view: &View<'a>) -> Option<&'a Run> {
        let mut runs = view.runs.iter().copied();
        runs.find(|run| {
            run.provider == entry.target.provider()
                && run.repository == entry.target.pipeline.repository()
                && id(run) == self.id()
        })
    }
}

/// The id in the provider's API.
pub(crate) fn id(run: &Run) -> String {
    match run.provider {
        Provider::GitHub | Provider::GitLab => run.id.to_string(),
        Provider::Bitbucket => run.uuid(),
    }
}

pub(crate) fn is_running(run: &Run) -> bool {
    run.state != State::Completed
}

/// The run's conclusion, as the output `results` spells it.
pub(crate) fn end(run: &Run) -> Option<&'static str> {
    let conclusion = run.conclusion.filter(|_| !is_running(run))?;
    Some(match conclusion {
        Conclusion::Success => "success",
        Conclusion::Neutral => "neutral",
        Conclusion::Skipped => "skipped",
        Conclusion::Failure => "failure",
        Conclusion::Cancelled => "cancelled",
    })
}

pub(crate) fn is_cancel(request: &RecordedRequest) -> bool {
    let ends = ["/cancel", "/force-cancel", "/stopPipeline"];
    request.method == "POST" && ends.iter().any(|end| request.path.ends_with(end))
}

/// Whether the request is about that run.
pub(crate) fn asks(request: &RecordedRequest, run: &Run) -> bool {
    let id = id(run).replace('{', "%7B").replace('}', "%7D");
    let mut parts = request.path.rsplit('/');
    request.provider == Some(run.provider) && parts.nth(1) == Some(id.as_str())
}
