//! The payload of a `repository_dispatch`, and the properties that the step adds to it.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::value::RawValue;

use crate::providers::added::Added;
use crate::providers::provider::InputContext;
use crate::values::{
    Checked, InputError, Inputs, Node, RawInput, ValueError, begins_as_json, compact_object,
    invalid, quoted_json,
};

// GitHub's limits, from its REST documentation.
const MAX_PAYLOAD_PROPERTIES: usize = 10;
/// In characters. Also applies to all workflow inputs together.
const MAX_PAYLOAD_LENGTH: usize = 65_535;

/// The payload property that receives the marker.
const MARKER: &str = "trigger_id";

pub(super) const PAYLOAD: &str = "client-payload";

/// Reads the payload, and what the step adds to it: a marker if `needs_marker`.
pub(super) fn client_payload(
    inputs: &Inputs,
    context: &InputContext<'_>,
) -> Checked<(Rc<RawValue>, Added)> {
    if inputs.is_empty(PAYLOAD) {
        return InputError::new(PAYLOAD, "is empty")
            .hint("check its expression; to send an empty payload, write `{}` or remove `client-payload`")
            .fail();
    }
    let none = Rc::new(RawInput::text("{}"));
    let written = inputs.raw(PAYLOAD).unwrap_or(&none);
    let payload = written.parsed(payload)?;
    let added = Added::read(inputs, context, context.needs_marker.then_some(MARKER))?;
    check_properties(&payload.names, &added)?;
    let sent = added.append_to(&payload.json);
    check_length(PAYLOAD, sent.get().chars().count())?;
    Ok((Rc::clone(&payload.json), added))
}

fn check_properties(names: &HashSet<String>, added: &Added) -> Checked<()> {
    if let Some(taken) = added.iter().find(|added| names.contains(&added.name)) {
        let what = format!(
            "has the property `{}`, which the step adds itself",
            taken.name
        );
        return InputError::new(PAYLOAD, what).hint("rename yours").fail();
    }
    let properties = names.len();
    if properties + added.iter().count() <= MAX_PAYLOAD_PROPERTIES {
        return Ok(());
    }
    let names: Vec<_> = added
        .iter()
        .map(|added| format!("`{}`", added.name))
        .collect();
    let adds = if names.is_empty() {
        String::new()
    } else {
        format!(", and the step adds {}", names.join(" and "))
    };
    let what = format!(
        "has {properties} top-level properties{adds}, but GitHub accepts at most {MAX_PAYLOAD_PROPERTIES}"
    );
    InputError::new(PAYLOAD, what)
        .hint("nest some of them under one key")
        .fail()
}

/// A JSON object without whitespace between its tokens.
struct Payload {
    json: Rc<RawValue>,
    /// Names of the top-level properties.
    names: HashSet<String>,
}

impl Payload {
    fn new(json: Box<RawValue>, names: HashSet<String>) -> Rc<Self> {
        Rc::new(Self {
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

pub(super) fn check_length(name: &str, length: usize) -> Checked<()> {
    if length > MAX_PAYLOAD_LENGTH {
        return invalid(
            name,
            format!("has {length} characters, but GitHub accepts at most {MAX_PAYLOAD_LENGTH}"),
        );
    }
    Ok(())
}
