//! Whether the step passes, and the annotations that say why not.

use super::line::ended;
use super::{one_line, run_passes, text};
use crate::fleet::Report;
use crate::follow::FollowedRun;
use crate::run::{Conclusion, End, Job, Nature, Outcome};

/// Most failed jobs that are named.
const MOST_NAMED: usize = 10;

/// What a person must be told.
pub(crate) enum Annotation {
    Error { title: String, text: String },
    Warning { title: String, text: String },
}

/// Whether the step passes.
pub(crate) fn passes(reports: &[Report<'_>]) -> bool {
    !reports.is_empty() && reports.iter().all(target_passes)
}

fn target_passes(report: &Report<'_>) -> bool {
    let followed = &report.followed;
    report.triggered.failure.is_none()
        && followed.unfound.is_empty()
        && followed.resultless.is_none()
        && followed.counted().all(|run| run_passes(report, run))
}

/// One for everything that is wrong with a target, and for every run that may go on.
pub(crate) fn annotations(report: &Report<'_>) -> Vec<Annotation> {
    let target = report.target;
    let mut annotations = Vec::new();
    let mut error = |what: &str, text: String| {
        annotations.push(Annotation::Error {
            title: format!("{target}: {what}"),
            text,
        });
    };
    if let Some(failure) = &report.triggered.failure {
        let what = match report.triggered.outcome {
            Outcome::Unknown => "outcome unknown",
            Outcome::Rejected | Outcome::NotSent | Outcome::Accepted => "not triggered",
        };
        error(what, text(failure));
    }
    for failure in &report.followed.unfound {
        error("run not found", text(failure));
    }
    for run in report
        .followed
        .counted()
        .filter(|run| !run_passes(report, run))
    {
        let conclusion = run.conclusion.map_or("stopped", Conclusion::word);
        error(
            &format!("{} {conclusion}", run.run),
            failed_run(report, run),
        );
    }
    if let Some(failure) = &report.followed.resultless {
        error("no result", text(failure));
    }
    let runs = report.followed.runs.iter();
    let left = runs.filter_map(|run| {
        Some((
            run.run.to_string(),
            run.left_running.as_ref()?,
            run.run.url.as_str(),
        ))
    });
    // What the error of the trigger or of the search says already needs no second annotation.
    annotations.extend(left.map(|(run, why, url)| Annotation::Warning {
        title: format!("{target}: {run} may still be going on"),
        text: format!("{why}\n{url}"),
    }));
    annotations
}

fn failed_run(report: &Report<'_>, run: &FollowedRun) -> String {
    let look = run.look.as_ref();
    let (what, hint) = match &run.end {
        Some(end) => (
            format!(
                "the run {}",
                ended(report.target, end, run.conclusion, look)
            ),
            hint(end),
        ),
        None => ("the run was not waited for".to_owned(), None),
    };
    let failed = failed_jobs(run);
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

/// Names of jobs that failed, each with its step.
pub(super) fn failed_jobs(run: &FollowedRun) -> Vec<String> {
    let jobs = run.look.iter().flat_map(|look| look.jobs.iter().flatten());
    let failed = |job: &&Job| {
        job.nature != Nature::Optional && job.state.conclusion() == Some(Conclusion::Failure)
    };
    let all: Vec<_> = jobs.filter(failed).collect();
    let more = all.len().checked_sub(MOST_NAMED).filter(|more| *more > 0);
    let named = all
        .into_iter()
        .take(MOST_NAMED)
        .map(|job| match &job.failed_step {
            Some(step) => format!(
                "job {} in the step {}",
                one_line(&job.name),
                one_line(&step.name)
            ),
            None => format!("job {}", one_line(&job.name)),
        });
    named
        .chain(more.map(|more| format!("and {more} more")))
        .collect()
}
