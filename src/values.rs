//! Parses inputs: strings, JSON and YAML, with all errors collected. Knows no provider.

mod document;
mod error;
mod inputs;
mod raw_input;
mod table;

pub(crate) use document::{
    Item, Node, Pair, ValueError, begins_as_json, compact_object, json_string, list, quoted_json,
};
pub(crate) use error::{Checked, EntryName, Errors, InputError, invalid, merged};
pub(crate) use inputs::{Inputs, hint_for_unknown, nearest_input};
pub(crate) use raw_input::RawInput;
pub(crate) use table::{Declared, INPUTS, Secrecy, declared};

/// Replaces `\n` with line breaks, in PEM that was stored where line breaks aren't allowed.
pub(crate) fn with_line_breaks(text: &str) -> String {
    text.replace("\\n", "\n")
}
