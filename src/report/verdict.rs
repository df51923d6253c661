//! Sums up what happened to the targets: a word for each, and the last line of the log.

use super::pipeline;
use super::problem::errors_of;
use super::run_end::RunEnd;
use crate::model::{Conclusion, End, Outcome, RunReport};
use crate::providers::target_report::TargetReport;
use crate::text::untrusted::one_line;

/// Result of a target or a run, from good to bad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Word {
    Passed,
    Triggered,
    Checked,
    NotTriggered,
    NotFollowed,
    Skipped,
    Cancelled,
    Stopped,
    Blocked,
    Failed,
    TimedOut,
    Lost,
    Rejected,
    Unknown,
}

impl Word {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Triggered => "triggered",
            Self::Checked => "checked",
            Self::NotTriggered => "not triggered",
            Self::NotFollowed => "not followed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Lost => "lost",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Passed | Self::Triggered | Self::Checked)
    }

    pub(super) fn mark(self) -> &'static str {
        mark(self.is_good())
    }

    /// Returns the result as the end of a sentence about the target.
    pub(super) const fn predicate(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Triggered => "was triggered",
            Self::Checked => "was checked, but not triggered (dry run)",
            Self::NotTriggered | Self::Rejected => "was not triggered",
            Self::NotFollowed => "was not followed",
            Self::Skipped => "was skipped",
            Self::Cancelled => "was cancelled",
            Self::Stopped => "was not finished when the step was stopped",
            Self::Blocked => "waits for a person",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Lost => "was lost",
            Self::Unknown => "may or may not have been triggered",
        }
    }
}

fn mark(is_good: bool) -> &'static str {
    if is_good { "✓" } else { "✗" }
}

/// Returns a target's result in one word.
pub(crate) fn word(report: &TargetReport<'_>) -> Word {
    let monitored = &report.monitored;
    match report.outcome {
        _ if report.passes() => match report.outcome {
            Outcome::NotSent => Word::Checked,
            _ if monitored.conclusion.is_some() => Word::Passed,
            Outcome::Accepted | Outcome::Rejected | Outcome::Unknown => Word::Triggered,
        },
        Outcome::Rejected => Word::Rejected,
        Outcome::NotSent if report.target.follow.is_some() => Word::NotFollowed,
        Outcome::NotSent => Word::NotTriggered,
        Outcome::Unknown => Word::Unknown,
        Outcome::Accepted => {
            let runs = monitored.runs.iter().map(|run| run_word(report, run));
            // Runs that weren't found count, too.
            let missing = match monitored.conclusion {
                None => Some(Word::Stopped),
                Some(conclusion @ (Conclusion::TimedOut | Conclusion::Lost)) => {
                    Some(conclusion_word(conclusion))
                }
                Some(_) => None,
            };
            let worst = runs.filter(|word| !word.is_good()).chain(missing).max();
            // A target may fail although its run passes, for example without a result.
            worst.unwrap_or(Word::Failed)
        }
    }
}

/// Returns a run's result in one word.
pub(super) fn run_word(report: &TargetReport<'_>, run: &RunReport) -> Word {
    match (&run.end, run.conclusion) {
        (None, _) => Word::Triggered,
        (Some(End::Blocked(_)), _) => Word::Blocked,
        (Some(_), None) => Word::Stopped,
        (Some(_), Some(_)) if report.run_passes(run) => Word::Passed,
        (Some(_), Some(conclusion)) => conclusion_word(conclusion),
    }
}

/// Returns the word for a conclusion that doesn't pass.
fn conclusion_word(conclusion: Conclusion) -> Word {
    match conclusion {
        Conclusion::Success | Conclusion::Neutral | Conclusion::Failure => Word::Failed,
        Conclusion::Skipped => Word::Skipped,
        Conclusion::Cancelled => Word::Cancelled,
        Conclusion::TimedOut => Word::TimedOut,
        Conclusion::Lost => Word::Lost,
    }
}

/// Counts words: `7 passed, 3 failed`.
pub(crate) fn counts(words: impl IntoIterator<Item = Word>) -> String {
    let mut words: Vec<_> = words.into_iter().collect();
    words.sort_unstable();
    let counts = words.chunk_by(|one, other| one == other);
    let counts = counts.map(|same| format!("{} {}", same.len(), same[0].as_str()));
    counts.collect::<Vec<_>>().join(", ")
}

/// Returns the last line of the log.
pub(crate) fn verdict(reports: &[TargetReport<'_>]) -> String {
    match reports {
        [one] => target_verdict(one),
        several => {
            let words: Vec<_> = several.iter().map(word).collect();
            let mark = mark(words.iter().all(|word| word.is_good()));
            let dry_run = if words.contains(&Word::Checked) {
                " (dry run: nothing was sent)"
            } else {
                ""
            };
            let all = words.len();
            format!("{mark} {all} targets: {}{dry_run}", counts(words))
        }
    }
}

/// Returns what happened to one target in one line, with a link.
pub(crate) fn target_verdict(report: &TargetReport<'_>) -> String {
    let (target, monitored) = (report.target, &report.monitored);
    let mark = word(report).mark();
    let pipeline = pipeline(target);
    let pipeline = pipeline.strip_prefix("workflow ").unwrap_or(&pipeline);
    // Names that would be ambiguous without their pipeline have it already.
    let name = if target.name.contains(pipeline) {
        target.name.clone()
    } else {
        format!("{target} {pipeline}")
    };
    let problem = report.problems().next().and_then(|_| {
        let error = errors_of(report).into_iter().next()?;
        let page = error.pages.first().map(|page| page.url.clone());
        Some((one_line(&error.sentence()), page))
    });
    match (monitored.runs.as_slice(), problem) {
        ([], Some((why, page))) => {
            let page = page.map_or(String::new(), |page| format!(" {page}"));
            format!("{mark} {name}: {why}{page}")
        }
        ([], None) => format!("{mark} {name} {}", word(report).predicate()),
        ([run], problem) => {
            let number = match run.run.number {
                Some(number) => format!("#{number}"),
                None => run.run.to_string(),
            };
            let ended = one_line(&RunEnd::of(target, run).to_string());
            let but = problem.map_or(String::new(), |(why, _)| format!(", but {why}"));
            format!("{mark} {name} {number} {ended}{but} {}", run.run.url)
        }
        (runs, problem) => {
            let counts = counts(runs.iter().map(|run| run_word(report, run)));
            let but = problem.map_or(String::new(), |(why, _)| format!(", but {why}"));
            format!("{mark} {name}: {} runs: {counts}{but}", runs.len())
        }
    }
}
