//! What is told of it all: log lines, outputs, exit code. Pure: nothing is printed here.

mod line;
mod outputs;
mod summary;
mod verdict;

pub(crate) use line::{announcement, duration, line, log, warning};
pub(crate) use outputs::{early_outputs, outputs};
pub(crate) use summary::summary;
pub(crate) use verdict::{Annotation, annotations, errors, headline, passes, word};

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
