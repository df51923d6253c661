//! An input's value as written, with cached parse results.
//!
//! A thousand entries of `targets` may inherit the step's certificates, key or payload. They share the value, so that
//! it's parsed once.

use std::any::Any;
use std::borrow::Cow;
use std::cell::OnceCell;

use super::document::{self, Node, ValueError};
use super::error::Checked;

/// The value of an input, or of a key of an entry.
pub(crate) struct RawInput {
    format: Format,
    document: OnceCell<Result<Node, ValueError>>,
    /// Result of the first `parse` function: a `Checked<T>`.
    parsed: OnceCell<Box<dyn Any>>,
}

enum Format {
    /// A string, trimmed at both ends or at least at its end.
    Text(String),
    /// A mapping or list within JSON, as written.
    Json(String),
    /// A mapping or list within YAML.
    Yaml(Node),
}

impl RawInput {
    pub(crate) fn text(text: &str) -> Self {
        Self::new(Format::Text(trimmed(text).into_owned()))
    }

    /// Creates a string whose errors give line numbers. Keeps leading empty lines, because they count.
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
            parsed: OnceCell::new(),
        }
    }

    /// Whether the value is an empty string. `{}` isn't.
    pub(crate) fn is_empty(&self) -> bool {
        self.as_text().is_some_and(str::is_empty)
    }

    /// Whether the value is a mapping or list, not a string that may contain one.
    pub(crate) fn is_nested(&self) -> bool {
        self.as_text().is_none()
    }

    /// Returns the value if it's a string.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.format {
            Format::Text(text) => Some(text),
            Format::Json(_) | Format::Yaml(_) => None,
        }
    }

    /// Returns the value as written, unless it's a YAML mapping or list.
    pub(crate) fn source(&self) -> Option<&str> {
        match &self.format {
            Format::Text(text) | Format::Json(text) => Some(text),
            Format::Yaml(_) => None,
        }
    }

    /// Parses the YAML or JSON, once.
    pub(crate) fn document(&self) -> Result<&Node, &ValueError> {
        let text = match &self.format {
            Format::Text(text) | Format::Json(text) => text,
            Format::Yaml(node) => return Ok(node),
        };
        self.document.get_or_init(|| document::parse(text)).as_ref()
    }

    /// Returns the result of `parse`, which is cached for the first type `T`.
    pub(crate) fn parsed<T: Clone + 'static>(
        &self,
        parse: impl Fn(&Self) -> Checked<T>,
    ) -> Checked<T> {
        let parsed = self.parsed.get_or_init(|| Box::new(parse(self)));
        let parsed = parsed.downcast_ref().cloned();
        parsed.unwrap_or_else(|| parse(self))
    }
}

/// Trims a value. Lines of an indented mapping keep their relative indentation.
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
    fn each_type_gets_its_own_parse_result() {
        let raw = RawInput::text("12");
        let number = || raw.parsed(|_| Ok(12));
        let text = || raw.parsed(|_| Ok("12"));
        assert_eq!((number(), text(), number()), (Ok(12), Ok("12"), Ok(12)));
        let again = raw.parsed(|_| -> Checked<i32> { unreachable!("it is parsed once") });
        assert_eq!(again, Ok(12));
    }

    #[test]
    fn an_indented_mapping_keeps_its_shape() {
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
