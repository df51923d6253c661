//! Sentences about runs whose failed jobs were run again, or weren't.

use std::fmt;

use super::run_end::FailedJobs;
use crate::model::{Conclusion, Interruption, NotRetried, RunReport};
use crate::providers::target_report::TargetReport;

/// Returns `, with 1 retry`; empty for a run that wasn't retries.
pub(super) fn retries(run: &RunReport) -> String {
    match run.retries.earlier.len() {
        0 => String::new(),
        1 => ", with 1 retry".to_owned(),
        several => format!(", with {several} retries"),
    }
}

/// Whether a run passes only because its failed jobs were run again.
pub(super) fn is_flaky(report: &TargetReport<'_>, run: &RunReport) -> bool {
    let is_retried = !run.retries.earlier.is_empty();
    is_retried && run.conclusion != Some(Conclusion::Failure) && report.run_passes(run)
}

/// Names the jobs that failed in the earlier attempts of a run, in a phrase such as `attempt 1 failed in job test`.
pub(super) fn earlier_failures(
    run: &RunReport,
    job_name: &dyn Fn(&str) -> String,
    step_name: &dyn Fn(&str) -> String,
) -> String {
    let attempts = run.retries.earlier.iter().map(|attempt| {
        let jobs = FailedJobs::of(Some(&attempt.snapshot)).phrase(job_name, step_name);
        format!("attempt {} failed{jobs}", attempt.number)
    });
    attempts.collect::<Vec<_>>().join("; ")
}

impl fmt::Display for NotRetried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MatchedByTime => formatter.write_str(
                "the run was identified only by its start time and might belong to somebody else",
            ),
            Self::ByAnother => formatter.write_str("somebody else has already done that"),
            Self::Interrupted(Interruption::Stopped) => {
                formatter.write_str("the step was stopped before that")
            }
            Self::Interrupted(Interruption::TimedOut) => {
                formatter.write_str("`timeout` passed before that")
            }
            Self::Failed(failure) => formatter.write_str(&failure.what),
            Self::NothingStarted { unclear, waited } => {
                let answer = match unclear {
                    None => "the request was accepted",
                    Some(failure) => &failure.what,
                };
                let seconds = waited.as_secs();
                write!(
                    formatter,
                    "{answer}, but no job started again within {seconds} s"
                )
            }
        }
    }
}
