//! The payload of a `repository_dispatch`, and the marker in it.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::values::{
    Checked, InputError, Inputs, Node, RawInput, ValueError, begins_as_json, compact_object,
    invalid, quoted_json,
};

// GitHub's limits, from its REST documentation.
const MAX_PAYLOAD_PROPERTIES: usize = 10;
/// In characters. Also applies to all workflow inputs together.
const MAX_PAYLOAD_LENGTH: usize = 65_535;

/// The payload property that holds the marker.
const MARKER: &str = "trigger_id";

pub(super) const PAYLOAD: &str = "client-payload";

/// Reads the payload. With `wait`, adds a marker and returns it too.
pub(super) fn client_payload(inputs: &Inputs) -> Checked<(Rc<RawValue>, Option<String>)> {
    if inputs.is_empty(PAYLOAD) {
        return InputError::new(PAYLOAD, "is empty")
            .hint("check its expression; to send an empty payload, write `{}` or remove `client-payload`")
            .fail();
    }
    // An invalid `wait` is reported where it's read.
    let wait = inputs.boolean("wait").unwrap_or(false);
    let none = Rc::new(RawInput::text("{}"));
    let written = inputs.raw(PAYLOAD).unwrap_or(&none);
    let payload = written.parsed(payload)?;
    let Payload {
        json,
        characters,
        names,
    } = &*payload;
    let properties = names.len();
    let nest = "nest some of them under one key";
    if properties > MAX_PAYLOAD_PROPERTIES {
        let what = format!(
            "has {properties} top-level properties, but GitHub accepts at most {MAX_PAYLOAD_PROPERTIES}"
        );
        return InputError::new(PAYLOAD, what).hint(nest).fail();
    }
    if !wait {
        check_length(PAYLOAD, *characters)?;
        return Ok((Rc::clone(json), None));
    }
    if names.contains(MARKER) {
        let what = format!(
            "has the property `{MARKER}`, which `wait: true` sets itself to recognise the run"
        );
        return InputError::new(PAYLOAD, what).hint("rename yours").fail();
    }
    if properties == MAX_PAYLOAD_PROPERTIES {
        let what = format!(
            "has {properties} top-level properties, and `wait: true` adds `{MARKER}`, but GitHub accepts at most {MAX_PAYLOAD_PROPERTIES}"
        );
        return InputError::new(PAYLOAD, what).hint(nest).fail();
    }
    let marker = Uuid::new_v4().to_string();
    let payload = with_property(json, MARKER, &marker);
    check_length(PAYLOAD, payload.get().chars().count())?;
    Ok((payload.into(), Some(marker)))
}

/// A JSON object without whitespace between its tokens.
struct Payload {
    json: Rc<RawValue>,
    /// Length of the JSON.
    characters: usize,
    /// Names of the top-level properties.
    names: HashSet<String>,
}

impl Payload {
    fn new(json: Box<RawValue>, names: HashSet<String>) -> Rc<Self> {
        Rc::new(Self {
            characters: json.get().chars().count(),
            json: json.into(),
            names,
        })
    }
}

/// Reads a payload, which is JSON (kept as written) or YAML.
fn payload(written: &RawInput) -> Checked<Rc<Payload>> {
    let input_error = |error: &ValueError| vec![error.for_input(PAYLOAD)];
    let not_an_object = || {
        invalid(
            PAYLOAD,
            "must be a JSON object or a YAML mapping, like `version: v1.2.3`",
        )
    };
    if let Some(text) = written.source()
        && begins_as_json(text)
    {
        let object = compact_object(text).map_err(|error| input_error(&error))?;
        return object.map_or_else(not_an_object, |(json, names)| Ok(Payload::new(json, names)));
    }
    let node = written.document().map_err(input_error)?;
    let pairs = match node {
        Node::Mapping(pairs) => pairs,
        _ if node.is_json_in_quotes() => return Err(input_error(&quoted_json())),
        Node::Scalar(_) | Node::Sequence(_) => return not_an_object(),
    };
    let json = node.typed().map_err(|error| input_error(&error))?;
    let names = pairs.iter().map(|(name, _)| name.clone()).collect();
    Ok(Payload::new(json, names))
}

/// Appends a string property to an object. Everything else stays as it was written.
fn with_property(object: &RawValue, key: &str, text: &str) -> Box<RawValue> {
    let inside = object
        .get()
        .strip_suffix('}')
        .unwrap_or_else(|| unreachable!("a compact object ends with its brace"));
    let comma = if inside == "{" { "" } else { "," };
    let text = serde_json::Value::from(text);
    RawValue::from_string(format!("{inside}{comma}\"{key}\":{text}}}"))
        .unwrap_or_else(|error| unreachable!("an object with one more text is JSON: {error}"))
}

/// Returns what a payload contained before the marker was added, without the closing brace.
pub(crate) fn without_marker<'json>(payload: &'json RawValue, marker: Option<&str>) -> &'json str {
    let json = payload.get();
    let inside = match marker {
        Some(marker) => json.strip_suffix(&format!("\"{MARKER}\":\"{marker}\"}}")),
        None => json.strip_suffix('}'),
    };
    inside.unwrap_or(json).trim_end_matches(',')
}

pub(super) fn check_length(name: &str, length: usize) -> Checked<()> {
    if length > MAX_PAYLOAD_LENGTH {
        return invalid(
            name,
            format!("has {length} characters, but GitHub accepts at most {MAX_PAYLOAD_LENGTH}"),
        );
    }
    Ok(())
}
