//! Parses a YAML or JSON list of mappings, or of strings that are short for one. For YAML, also returns the lines of items and keys.

use std::collections::HashSet;

use saphyr::{MarkedYaml, YamlData};
use serde_json::value::RawValue;

use super::super::raw_input::RawInput;
use super::comments::Comments;
use super::json::{Pairs, invalid_json, strict_json};
use super::yaml::{Document, name, node};
use super::{Node, ValueError, begins_as_json};

pub(crate) struct Item {
    /// Starts at 1. `None` in JSON.
    pub(crate) line: Option<usize>,
    /// In the order of the document. `None` if the item is neither a mapping nor a string.
    pub(crate) pairs: Option<Vec<Pair>>,
}

impl Item {
    /// Creates an item from a string, which is short for `repository: …`. An empty one isn't a target.
    fn short(line: Option<usize>, repository: &str) -> Self {
        let pair = Pair {
            name: "repository".to_owned(),
            line,
            value: RawInput::text(repository),
            has_comment: false,
        };
        let pairs = (!repository.trim().is_empty()).then(|| vec![pair]);
        Self { line, pairs }
    }
}

/// A key of an item, with its value.
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) line: Option<usize>,
    /// Empty for `null`, and in YAML for a missing value.
    pub(crate) value: RawInput,
    /// Whether the value is a plain YAML scalar followed by a comment.
    pub(crate) has_comment: bool,
}

/// Parses JSON if the text begins like JSON, otherwise YAML 1.2. Errors give the line or the item, and never quote a
/// value.
pub(crate) fn list(text: &str) -> Result<Vec<Item>, ValueError> {
    if begins_as_json(text) {
        return from_json(&strict_json(text)?);
    }
    let Document { root, comments } = Document::of(text)?;
    let YamlData::Sequence(nodes) = &root.data else {
        return Err(not_a_list());
    };
    let items = nodes.iter().map(|node| yaml_item(node, &comments));
    items.collect()
}

fn yaml_item(item: &MarkedYaml<'_>, comments: &Comments<'_>) -> Result<Item, ValueError> {
    let line = Some(item.span.start.line());
    let pairs = match &item.data {
        YamlData::Mapping(pairs) => pairs,
        YamlData::Representation(..) => {
            let Node::Scalar(scalar) = node(item, comments, 0)? else {
                return Ok(Item { line, pairs: None });
            };
            let is_null = scalar.is_null();
            return Ok(Item::short(line, if is_null { "" } else { &scalar.text }));
        }
        YamlData::Value(_)
        | YamlData::Sequence(_)
        | YamlData::Tagged(..)
        | YamlData::Alias(_)
        | YamlData::BadValue => return Ok(Item { line, pairs: None }),
    };
    let mut names = HashSet::with_capacity(pairs.len());
    let mut read = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let line = key.span.start.line();
        let name = name(key)?;
        if !names.insert(name) {
            return Err(ValueError::new(format!(
                "uses a key twice in one entry, again at line {line}"
            )));
        }
        let value = node(value, comments, 0)?;
        let has_comment = matches!(&value, Node::Scalar(scalar) if scalar.comment.is_some());
        let value = match value {
            Node::Scalar(scalar) if scalar.is_null() => RawInput::text(""),
            Node::Scalar(scalar) => RawInput::text(&scalar.text),
            nested @ (Node::Sequence(_) | Node::Mapping(_)) => RawInput::yaml(nested),
        };
        let name = name.to_owned();
        read.push(Pair {
            name,
            line: Some(line),
            value,
            has_comment,
        });
    }
    let pairs = Some(read);
    Ok(Item { line, pairs })
}

fn from_json(text: &str) -> Result<Vec<Item>, ValueError> {
    if !text.trim_start().starts_with('[') {
        return Err(not_a_list());
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| invalid_json(&error))?;
    let items = items.into_iter().enumerate();
    items.map(|(index, item)| json_item(index, item)).collect()
}

fn json_item(index: usize, item: &RawValue) -> Result<Item, ValueError> {
    let line = None;
    let is_string = item.get().starts_with('"');
    if !is_string && !item.get().starts_with('{') {
        return Ok(Item { line, pairs: None });
    }
    // Everything has been checked except for lone surrogates in strings.
    let bad_escape = |_| {
        ValueError::new(format!(
            "isn't valid JSON: a string in entry {} has a `\\u` escape that is half a character",
            index + 1
        ))
    };
    if is_string {
        let text: String = serde_json::from_str(item.get()).map_err(bad_escape)?;
        return Ok(Item::short(line, &text));
    }
    let Pairs(pairs) = serde_json::from_str(item.get()).map_err(bad_escape)?;
    let mut names = HashSet::with_capacity(pairs.len());
    let mut read = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        if !names.insert(&pair.name) {
            let number = index + 1;
            return Err(ValueError::new(format!(
                "uses a key twice in entry {number}"
            )));
        }
        let value = match pair.value.get() {
            "null" => RawInput::text(""),
            json if json.starts_with(['{', '[']) => RawInput::json(json.to_owned()),
            json if json.starts_with('"') => {
                let text: String = serde_json::from_str(json).map_err(bad_escape)?;
                RawInput::text(&text)
            }
            json => RawInput::text(json),
        };
        let name = pair.name.clone();
        read.push(Pair {
            name,
            line,
            value,
            has_comment: false,
        });
    }
    let pairs = Some(read);
    Ok(Item { line, pairs })
}

fn not_a_list() -> ValueError {
    ValueError::new("must be a list")
        .hint("begin each target with a dash, like `- repository: octo-org/app`")
}
