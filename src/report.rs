//! What is told of it all: log lines, outputs, exit code. Pure: nothing is printed here.

mod line;
mod outputs;
mod summary;
mod verdict;

pub(crate) use line::{announcement, line, log, warning};
pub(crate) use outputs::{early_outputs, outputs};
pub(crate) use summary::summary;
pub(crate) use verdict::{Annotation, annotations, passes};

use crate::fleet::Report;
use crate::follow::FollowedRun;
use crate::run::Failure;

/// Takes the secrets out of a text: see `Runner::hide`.
pub(crate) type Hide<'a> = &'a dyn Fn(&str) -> String;

/// A failure with what to do about it.
fn text(failure: &Failure) -> String {
    match &failure.remedy {
        Some(remedy) => format!("{}\nhint: {remedy}", failure.what),
        None => failure.what.clone(),
    }
}

/// A name from outside, which may have line breaks in it, on one line.
fn one_line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a run ended as one that passes.
fn run_passes(report: &Report<'_>, run: &FollowedRun) -> bool {
    let passing = report.target.wait.as_ref().map(|wait| &wait.success);
    match (passing, run.conclusion) {
        (Some(passing), Some(conclusion)) => passing.contains(&conclusion),
        (Some(_), None) => false,
        (None, _) => true,
    }
}
