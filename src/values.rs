//! Strings by the names of inputs, and what they say: JSON, YAML, or all that is wrong with them. Knows no provider.

mod document;
mod error;
mod inputs;
mod raw_input;
mod table;

pub(crate) use document::{Item, Node, Pair, Problem, begins_as_json, compact_object, list};
pub(crate) use error::{Checked, Errors, InputError, complain};
pub(crate) use inputs::{Inputs, meant, no_such};
pub(crate) use raw_input::RawInput;
#[cfg(test)]
pub(crate) use table::INPUTS;
pub(crate) use table::declared;

/// PEM that went through a place that keeps no line breaks has them written out.
pub(crate) fn with_line_breaks(text: &str) -> String {
    text.replace("\\n", "\n")
}
