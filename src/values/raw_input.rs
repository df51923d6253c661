//! A value as it was written, and what has been made of it.
//!
//! A thousand entries of `targets` may inherit the step's certificates, key or payload. They share the value, so that it
//! is parsed once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::rc::Rc;

use serde_json::value::RawValue;

use super::document::{self, Node, Problem};
use super::error::Checked;
use crate::providers::github::spec::PrivateKey;

/// A value of an input, or of a key of an entry.
pub(crate) struct RawInput {
    format: Format,
    document: OnceCell<Result<Node, Problem>>,
    /// PEM, with all line breaks, if it is that.
    pub(crate) certificates: OnceCell<Checked<Rc<str>>>,
    /// The payload of a `repository_dispatch`, if it is that.
    pub(crate) payload: OnceCell<Checked<Payload>>,
    /// A key of an App, if it is that.
    pub(crate) private_key: OnceCell<Checked<PrivateKey>>,
}

/// An object of JSON, without the space between its tokens.
pub(crate) struct Payload {
    pub(crate) json: Rc<RawValue>,
    /// How long it is.
    pub(crate) characters: usize,
    /// Of its properties at the top.
    pub(crate) names: HashSet<String>,
}

impl Payload {
    pub(crate) fn new(json: Box<RawValue>, names: HashSet<String>) -> Self {
        Self {
            characters: json.get().chars().count(),
            json: json.into(),
            names,
        }
    }
}

/// How a value stands there.
enum Format {
    /// A text, without the blanks around or at least behind it.
    Text(String),
    /// A mapping or list in the midst of JSON, as it was written.
    Json(String),
    /// A mapping or list in the midst of YAML.
    Yaml(Node),
}

impl RawInput {
    pub(crate) fn text(text: &str) -> Self {
        Self::new(Format::Text(trimmed(text).into_owned()))
    }

    /// One whose lines are told by their numbers, so that also the empty ones before it count.
    pub(crate) fn lines(text: &str) -> Self {
        Self::new(Format::Text(text.trim_end().to_owned()))
    }

    pub(crate) fn json(json: String) -> Self {
        Self::new(Format::Json(json))
    }

    pub(crate) fn yaml(node: Node) -> Self {
        Self::new(Format::Yaml(node))
    }

    fn new(format: Format) -> Self {
        Self {
            format,
            document: OnceCell::new(),
            certificates: OnceCell::new(),
            payload: OnceCell::new(),
            private_key: OnceCell::new(),
        }
    }

    /// Nothing was written, not even something empty with a form, like `{}`.
    pub(crate) fn is_empty(&self) -> bool {
        self.as_text().is_some_and(str::is_empty)
    }

    /// Whether it is a mapping or list of its own, not a text that may have one in it.
    pub(crate) fn is_nested(&self) -> bool {
        self.as_text().is_none()
    }

    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.format {
            Format::Text(text) => Some(text),
            Format::Json(_) | Format::Yaml(_) => None,
        }
    }

    /// What JSON there is, if it is JSON, stands in this just as it was written.
    pub(crate) fn source(&self) -> Option<&str> {
        match &self.format {
            Format::Text(text) | Format::Json(text) => Some(text),
            Format::Yaml(_) => None,
        }
    }

    /// What the YAML or JSON comes to.
    pub(crate) fn document(&self) -> Result<&Node, &Problem> {
        let text = match &self.format {
            Format::Text(text) | Format::Json(text) => text,
            Format::Yaml(node) => return Ok(node),
        };
        self.document.get_or_init(|| document::parse(text)).as_ref()
    }
}

/// A value without the space around it. The lines of an indented mapping stay as far apart from each other as they are.
fn trimmed(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    let before = &text[..text.len() - text.trim_start().len()];
    let indent = before.len() - before.rfind('\n').map_or(0, |end| end + 1);
    if indent == 0 || !trimmed.contains('\n') {
        return Cow::Borrowed(trimmed);
    }
    let lines = trimmed.split('\n').map(|line| {
        let spaces = line.bytes().take_while(|byte| *byte == b' ').count();
        &line[spaces.min(indent)..]
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_indented_is_trimmed_as_a_whole() {
        for (text, expected) in [
            (" a ", "a"),
            ("\n  a: 1\n  b: 2\n", "a: 1\nb: 2"),
            ("  a:\n    - b\n\n  # c\n  d: e", "a:\n  - b\n\n# c\nd: e"),
            ("  a: 1\nb: 2", "a: 1\nb: 2"),
            ("  a: 1\n# c\n  b: 2", "a: 1\n# c\nb: 2"),
            ("a: 1\n  b: 2", "a: 1\n  b: 2"),
            ("é\n\n  a\n  b", "é\n\n  a\n  b"),
        ] {
            assert_eq!(trimmed(text), expected, "{text:?}");
        }
    }
}
