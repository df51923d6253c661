//! Describes how a run, or the wait for it, ended.

use std::fmt;

use super::log::{duration, time_taken};
use super::retries::retries;
use crate::model::{
    BlockedOn, Conclusion, End, Job, JobKind, LastSeen, OnAbandoned, Run, RunReport, Snapshot,
    State,
};
use crate::providers::target::Target;
use crate::text::untrusted::one_line;

/// Maximum number of failed jobs to name.
const MAX_NAMED: usize = 10;

/// How a run ended, as a sentence without its subject, in three parts: the job names in it are shown as code in the
/// summary.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RunEnd {
    /// What happened, such as `failed after 4m 10s`.
    pub(super) what: String,
    pub(super) failed_jobs: FailedJobs,
    /// What the provider calls it, in parentheses; empty if that adds nothing.
    pub(super) status: String,
}

/// The failed jobs of a run, each with the step that failed.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct FailedJobs {
    named: Vec<(String, Option<String>)>,
    /// Number of further failed jobs.
    more: usize,
}

impl RunEnd {
    pub(super) fn new(
        target: &Target,
        end: &End,
        conclusion: Option<Conclusion>,
        snapshot: Option<&Snapshot>,
    ) -> Self {
        let (mut what, mut status) = (ended(target, end, conclusion), String::new());
        if let (End::Completed(conclusion), Some(snapshot)) = (end, snapshot) {
            if let Some(time) = time_taken(&snapshot.times) {
                what = format!("{what} after {time}");
            }
            if *conclusion == Conclusion::Skipped && has_only_manual_jobs(snapshot) {
                "was skipped, because it has only manual jobs".clone_into(&mut what);
            }
            let wait = target.wait.as_ref();
            let is_listed = wait.is_none_or(|wait| wait.success.contains(conclusion));
            if !is_listed && *conclusion != Conclusion::Failure {
                what = format!("{what}, and `success-conclusions` doesn't include `{conclusion}`");
            }
            status = provider_status(target, snapshot);
        }
        Self {
            what,
            failed_jobs: FailedJobs::of(snapshot),
            status,
        }
    }

    /// Returns how an attempt ended that is retried.
    pub(super) fn of_attempt(target: &Target, end: &End, snapshot: &Snapshot) -> Self {
        Self::new(target, end, snapshot.state.conclusion(), Some(snapshot))
    }

    pub(super) fn of(target: &Target, run: &RunReport) -> Self {
        let snapshot = run.snapshot.as_ref();
        match &run.end {
            Some(end) => {
                let mut ended = Self::new(target, end, run.conclusion, snapshot);
                let not_retried = run
                    .retries
                    .not_retried
                    .as_ref()
                    .map_or(String::new(), |why| {
                        format!("; its failed jobs weren't run again: {why}")
                    });
                let cancelled = if was_cancelled_by_the_step(target, run) {
                    "; the step cancelled it"
                } else {
                    ""
                };
                ended.status = format!("{}{}{not_retried}{cancelled}", retries(run), ended.status);
                if let (End::Completed(Conclusion::Cancelled), Some(other)) =
                    (end, &run.displaced_by)
                {
                    ended.what = format!(
                        "was cancelled before it started, most likely displaced by {other} of its concurrency group"
                    );
                }
                ended
            }
            None => Self {
                what: "was triggered".to_owned(),
                failed_jobs: FailedJobs::of(None),
                status: String::new(),
            },
        }
    }
}

impl fmt::Display for RunEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let jobs = self.failed_jobs.phrase(&str::to_owned, &quoted);
        write!(formatter, "{}{jobs}{}", self.what, self.status)
    }
}

impl FailedJobs {
    /// The names of the jobs, without their steps.
    pub(super) fn job_names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(job, _)| job.as_str())
    }

    pub(super) fn of(snapshot: Option<&Snapshot>) -> Self {
        let jobs = snapshot.iter().flat_map(|snapshot| &snapshot.jobs);
        let failed = |job: &&Job| {
            job.kind != JobKind::Optional && job.state.conclusion() == Some(Conclusion::Failure)
        };
        let failed: Vec<_> = jobs.flatten().filter(failed).collect();
        let named = failed.iter().take(MAX_NAMED).map(|job| {
            let step = job.failed_step.as_ref();
            (one_line(&job.name), step.map(|step| one_line(&step.name)))
        });
        Self {
            named: named.collect(),
            more: failed.len().saturating_sub(MAX_NAMED),
        }
    }

    /// Names the jobs in a phrase such as ` in job deploy, step "helm upgrade"`. Empty without failed jobs.
    pub(super) fn phrase(
        &self,
        job_name: &dyn Fn(&str) -> String,
        step_name: &dyn Fn(&str) -> String,
    ) -> String {
        let named = self.named.iter().map(|(job, step)| {
            let job = job_name(job);
            match step {
                Some(step) => format!("job {job}, step {}", step_name(step)),
                None => format!("job {job}"),
            }
        });
        let more = (self.more > 0).then(|| format!("{} more jobs", self.more));
        let all: Vec<_> = named.chain(more).collect();
        match all.as_slice() {
            [] => String::new(),
            [one] => format!(" in {one}"),
            [first @ .., last] => format!(" in {} and {last}", first.join("; ")),
        }
    }
}

/// Names a step in plain text.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Names a run with its workflow, if the trigger may start runs of several.
pub(super) fn run_name(run: &Run) -> String {
    let workflow = run.workflow.as_deref().unwrap_or_default();
    format!("{run}{}", of_workflow(workflow))
}

/// Returns ` of build.yml` for the path of a workflow; empty without one.
pub(super) fn of_workflow(path: &str) -> String {
    match path.rsplit('/').next() {
        None | Some("") => String::new(),
        Some(file) => format!(" of {}", one_line(file)),
    }
}

fn ended(target: &Target, end: &End, conclusion: Option<Conclusion>) -> String {
    match end {
        End::Completed(conclusion) => predicate(*conclusion).to_owned(),
        End::TimedOut(last_seen) => {
            let timeout = target.wait.as_ref().map(|wait| duration(wait.timeout));
            let timeout = timeout.unwrap_or_default();
            format!("{} after {timeout} (`timeout`)", still(last_seen))
        }
        End::Lost(failure) => format!("can't be read any more: {}", failure.what),
        End::Blocked(blocked_on) => {
            let blocked_on = blocked_on
                .as_ref()
                .map_or("a person".to_owned(), describe_blocked_on);
            format!("was waiting for {blocked_on}, and `on-blocked` is `fail`")
        }
        End::Stopped => match conclusion {
            Some(conclusion) => format!("{} after the step was stopped", predicate(conclusion)),
            None => "was still running when the step was stopped".to_owned(),
        },
    }
}

/// Whether the wait for the run ended early, and the cancel that follows took effect. If it didn't, there is a warning.
fn was_cancelled_by_the_step(target: &Target, run: &RunReport) -> bool {
    let is_abandoned = matches!(run.end, Some(End::TimedOut(_) | End::Blocked(_)));
    let wait = target.wait.as_ref();
    let cancels = wait.is_some_and(|wait| wait.on_abandoned == OnAbandoned::Cancel);
    let snapshot = run.snapshot.as_ref();
    let conclusion = snapshot.and_then(|snapshot| snapshot.state.conclusion());
    is_abandoned && cancels && conclusion == Some(Conclusion::Cancelled)
}

/// Says what a run was doing when the time was up.
fn still(LastSeen { state, blocked_on }: &LastSeen) -> String {
    match (state, blocked_on) {
        (_, Some(blocked_on)) => {
            format!("was still waiting for {}", describe_blocked_on(blocked_on))
        }
        (Some(State::Queued), None) => "was still queued".to_owned(),
        (Some(State::Blocked), None) => "was still waiting for a person".to_owned(),
        (Some(State::Running | State::Completed(_)), None) => "was still running".to_owned(),
        (None, None) => "couldn't be read".to_owned(),
    }
}

/// Whether no job of a pipeline has started, because all of them are started by hand and none has to be.
fn has_only_manual_jobs(snapshot: &Snapshot) -> bool {
    let is_manual = |job: &Job| job.kind == JobKind::Optional && job.state == State::Queued;
    let jobs = snapshot.jobs.as_deref().unwrap_or_default();
    !jobs.is_empty() && jobs.iter().all(is_manual)
}

fn predicate(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "succeeded",
        Conclusion::Neutral => "ended as neutral",
        Conclusion::Skipped => "was skipped",
        Conclusion::Cancelled => "was cancelled",
        Conclusion::Failure => "failed",
        Conclusion::TimedOut => "timed out",
        Conclusion::Lost => "was lost",
    }
}

pub(super) fn describe_blocked_on(blocked_on: &BlockedOn) -> String {
    match blocked_on {
        BlockedOn::Person(what) | BlockedOn::Passing(what) => one_line(what),
        BlockedOn::Turn { position } => {
            let ahead = match position {
                None | Some(0) => "other runs".to_owned(),
                Some(1) => "1 other run".to_owned(),
                Some(several) => format!("{several} other runs"),
            };
            format!("{ahead} of its concurrency group")
        }
    }
}

/// Returns the provider's own term for a conclusion, if it differs from [`Conclusion`]'s, and its reason, in parentheses.
fn provider_status(target: &Target, snapshot: &Snapshot) -> String {
    let status = &snapshot.provider_status;
    let word = status.conclusion.as_ref().unwrap_or(&status.state);
    let conclusion = snapshot.state.conclusion().map(Conclusion::as_str);
    let word = Some(word.as_str()).filter(|word| conclusion != Some(word));
    let said = word.into_iter().chain(status.reason.as_deref());
    let said: Vec<_> = said.map(one_line).collect();
    if said.is_empty() {
        return String::new();
    }
    format!(" ({}: {})", target.provider().name(), said.join(": "))
}
