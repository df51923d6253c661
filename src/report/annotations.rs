//! Decides whether the step passes, and writes the annotations that explain why not.

use std::collections::HashMap;

use super::log::{ended, time_taken};
use super::problem::explain;
use crate::model::{Conclusion, End, Job, JobKind, RunReport};
use crate::providers::target_report::TargetReport;
use crate::text::untrusted::one_line;

/// Maximum number of failed jobs, or of targets with the same error, to name.
const MAX_NAMED: usize = 10;
/// Maximum number of annotations of a step, to keep the log readable. GitHub's page shows only ten of each kind.
const MAX_ANNOTATIONS: usize = 50;

pub(crate) enum Annotation {
    Error { title: String, text: String },
    Warning { title: String, text: String },
}

/// Returns a target's result in one word.
pub(crate) fn word(report: &TargetReport<'_>) -> &'static str {
    match report.monitored.conclusion {
        Some(conclusion) => conclusion.as_str(),
        None if report.monitored.runs.iter().any(|run| run.end.is_some()) => "stopped",
        None => report.outcome.as_str(),
    }
}

/// Returns a target's result in one line.
pub(crate) fn headline(report: &TargetReport<'_>) -> String {
    let target = report.target;
    let details = match report.monitored.runs.as_slice() {
        [] => String::new(),
        [run] => {
            let time_taken = run
                .snapshot
                .as_ref()
                .and_then(|snapshot| time_taken(&snapshot.times));
            let time_taken = time_taken.map(|time| format!(" after {time}"));
            let (run, url) = (&run.run, &run.run.url);
            format!("{}, {run} {url}", time_taken.unwrap_or_default())
        }
        runs => format!(", {} runs", runs.len()),
    };
    let problem = report.problems().next();
    let why = problem.map_or(String::new(), |problem| {
        format!(": {}", one_line(&explain(target, problem).what))
    });
    format!("{target}: {}{details}{why}", word(report))
}

/// Whether the step passes: there is a target, and all of them pass.
pub(crate) fn passes(reports: &[TargetReport<'_>]) -> bool {
    !reports.is_empty() && reports.iter().all(TargetReport::passes)
}

/// Returns an annotation for every error, and for every run that may still be running. An error that several targets
/// share is reported once.
pub(crate) fn annotations(reports: &[TargetReport<'_>]) -> Vec<Annotation> {
    let mut annotations: Vec<_> = all_errors(reports)
        .into_iter()
        .map(TargetError::annotation)
        .chain(reports.iter().flat_map(left_running_warnings))
        .collect();
    let more = annotations.len().saturating_sub(MAX_ANNOTATIONS);
    if more > 0 {
        annotations.truncate(MAX_ANNOTATIONS);
        annotations.push(Annotation::Error {
            title: format!("{more} more errors and warnings"),
            text: "each is in the log of this step, in the group of its target, and in the output `results`"
                .to_owned(),
        });
    }
    annotations
}

/// An error and the targets that have it, at least one.
pub(super) struct TargetError {
    what: String,
    pub(super) text: String,
    targets: Vec<String>,
}

/// Returns all errors in the order of the targets. A shared error is listed with its first target.
fn all_errors(reports: &[TargetReport<'_>]) -> Vec<TargetError> {
    grouped(reports, errors_of)
}

/// Returns the same without failed runs.
pub(super) fn failures(reports: &[TargetReport<'_>]) -> Vec<TargetError> {
    grouped(reports, failures_of)
}

fn grouped(
    reports: &[TargetReport<'_>],
    errors_of: impl Fn(&TargetReport<'_>) -> Vec<(String, String)>,
) -> Vec<TargetError> {
    let mut found: Vec<TargetError> = Vec::new();
    let mut positions = HashMap::new();
    for report in reports {
        for (what, text) in errors_of(report) {
            let position = *positions
                .entry((what.clone(), text.clone()))
                .or_insert(found.len());
            match found.get_mut(position) {
                Some(known) => known.targets.push(report.target.name.clone()),
                None => found.push(TargetError {
                    what,
                    text,
                    targets: vec![report.target.name.clone()],
                }),
            }
        }
    }
    found
}

impl TargetError {
    fn annotation(self) -> Annotation {
        let (what, target_names) = (&self.what, self.target_names());
        match self.targets.len() {
            1 => Annotation::Error {
                title: format!("{target_names}: {what}"),
                text: self.text,
            },
            count => Annotation::Error {
                title: format!("{count} targets: {what}"),
                text: format!("{}\n{target_names}", self.text),
            },
        }
    }

    /// Returns the targets' names.
    pub(super) fn target_names(&self) -> String {
        let named = self.targets.iter().take(MAX_NAMED);
        let mut named: Vec<_> = named.map(String::as_str).collect();
        named.dedup();
        let more = self.targets.len().saturating_sub(MAX_NAMED);
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{}{more}", named.join(", "))
    }
}

/// Returns all errors of one target in full, for its group in the log.
pub(crate) fn errors(report: &TargetReport<'_>) -> Vec<String> {
    let errors = errors_of(report).into_iter();
    errors
        .map(|(what, text)| format!("{what}: {text}"))
        .collect()
}

fn errors_of(report: &TargetReport<'_>) -> Vec<(String, String)> {
    let mut errors = failures_of(report);
    errors.extend(failed_runs_of(report));
    errors
}

/// Returns title and text of the errors in a target's trigger, search and result.
fn failures_of(report: &TargetReport<'_>) -> Vec<(String, String)> {
    let problems = report.problems();
    let problems = problems.map(|problem| {
        let explained = explain(report.target, problem);
        (explained.title.to_owned(), explained.text())
    });
    problems.collect()
}

fn failed_runs_of(report: &TargetReport<'_>) -> impl Iterator<Item = (String, String)> {
    let failed = report.monitored.counted();
    let failed = failed.filter(|run| !report.run_passes(run));
    failed.map(|run| {
        let conclusion = run.conclusion.map_or("stopped", Conclusion::as_str);
        let what = format!("{} {conclusion}", run.run);
        (what, failed_run(report, run))
    })
}

/// Returns warnings only for known runs: the errors of trigger and search mention the others already.
fn left_running_warnings(report: &TargetReport<'_>) -> Vec<Annotation> {
    let target = report.target;
    let left = report.monitored.runs.iter().filter_map(|run| {
        let why = run.left_running.as_ref()?;
        Some(Annotation::Warning {
            title: format!("{target}: {} may still be going on", run.run),
            text: format!("{why}\n{}", run.run.url),
        })
    });
    left.collect()
}

fn failed_run(report: &TargetReport<'_>, run: &RunReport) -> String {
    let snapshot = run.snapshot.as_ref();
    let (what, hint) = match &run.end {
        Some(end) => (
            format!(
                "the run {}",
                ended(report.target, end, run.conclusion, snapshot)
            ),
            hint(end),
        ),
        None => ("the run was not waited for".to_owned(), None),
    };
    let failed = failed_jobs(run, one_line);
    let failed = if failed.is_empty() {
        String::new()
    } else {
        format!("; failed: {}", failed.join(", "))
    };
    let hint = hint
        .map(|hint| format!("\nhint: {hint}"))
        .unwrap_or_default();
    format!("{what}{failed}{hint}\n{}", run.run.url)
}

fn hint(end: &End) -> Option<&str> {
    match end {
        End::Lost(failure) => failure.remedy.as_deref().or(Some(
            "look whether the run is still there, and whether the token is still good",
        )),
        End::TimedOut => Some("raise `timeout` if it needs longer"),
        End::Completed(_) | End::Blocked(_) | End::Stopped => None,
    }
}

/// Returns the names of failed jobs, each with the step that failed.
pub(super) fn failed_jobs(run: &RunReport, name: impl Fn(&str) -> String) -> Vec<String> {
    let jobs = run
        .snapshot
        .iter()
        .flat_map(|snapshot| snapshot.jobs.iter().flatten());
    let failed = |job: &&Job| {
        job.kind != JobKind::Optional && job.state.conclusion() == Some(Conclusion::Failure)
    };
    let all: Vec<_> = jobs.filter(failed).collect();
    let more = all.len().checked_sub(MAX_NAMED).filter(|more| *more > 0);
    let named = all
        .into_iter()
        .take(MAX_NAMED)
        .map(|job| match &job.failed_step {
            Some(step) => format!("job {} in the step {}", name(&job.name), name(&step.name)),
            None => format!("job {}", name(&job.name)),
        });
    named
        .chain(more.map(|more| format!("and {more} more")))
        .collect()
}
