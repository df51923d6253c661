//! Parses inputs: strings, JSON and YAML, with all errors collected. Knows no provider.

mod document;
mod error;
mod inputs;
mod raw_input;
mod table;

pub(crate) use document::{Item, Node, Pair, ValueError, begins_as_json, compact_object, list};
pub(crate) use error::{Checked, Errors, InputError, invalid};
pub(crate) use inputs::{Inputs, nearest_input, unknown_input_message};
pub(crate) use raw_input::RawInput;
#[cfg(test)]
pub(crate) use table::INPUTS;
pub(crate) use table::declared;

/// Replaces `\n` with line breaks, in PEM that was stored where line breaks aren't allowed.
pub(crate) fn with_line_breaks(text: &str) -> String {
    text.replace("\\n", "\n")
}
