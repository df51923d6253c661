//! What is wrong with inputs, collected: a user should see all of it at once.

use std::fmt;

/// What is wrong with an input, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) input: String,
    pub(crate) message: String,
}

impl Complaint {
    pub(super) fn new(input: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            input: input.into(),
            message: message.to_string(),
        }
    }
}

/// What a part of the inputs comes to, or all that is wrong with it: at least one complaint.
pub(super) type Part<T> = Result<T, Vec<Complaint>>;

/// One thing that is wrong.
pub(super) fn complain<T>(input: &str, message: impl fmt::Display) -> Part<T> {
    Err(vec![Complaint::new(input, message)])
}

/// Both parts, or what is wrong with either.
pub(super) fn both<A, B>(first: Part<A>, second: Part<B>) -> Part<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (first, second) => Err([first.err(), second.err()]
            .into_iter()
            .flatten()
            .flatten()
            .collect()),
    }
}

/// Right if there is nothing wrong.
pub(super) fn none_of(complaints: Vec<Complaint>) -> Part<()> {
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints)
    }
}
