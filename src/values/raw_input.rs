//! A value as it was written, and what has been made of it.
//!
//! A thousand entries of `targets` may inherit the step's certificates, key or payload. They share the value, so that it
//! is parsed once.

use std::any::Any;
use std::borrow::Cow;
use std::cell::OnceCell;

use super::document::{self, Node, Problem};
use super::error::Checked;

/// A value of an input, or of a key of an entry.
pub(crate) struct RawInput {
    format: Format,
    document: OnceCell<Result<Node, Problem>>,
    /// What its reader made of it: a `Checked<T>`.
    parsed: OnceCell<Box<dyn Any>>,
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
            parsed: OnceCell::new(),
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

    /// What `parse` makes of it, made once; what another reader has made of it before doesn't count.
    pub(crate) fn parsed<T: Clone + 'static>(
        &self,
        parse: impl Fn(&Self) -> Checked<T>,
    ) -> Checked<T> {
        let parsed = self.parsed.get_or_init(|| Box::new(parse(self)));
        let parsed = parsed.downcast_ref().cloned();
        parsed.unwrap_or_else(|| parse(self))
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
    fn each_reader_gets_what_it_makes_of_a_value() {
        let written = RawInput::text("12");
        let number = || written.parsed(|_| Ok(12));
        let text = || written.parsed(|_| Ok("12"));
        assert_eq!((number(), text(), number()), (Ok(12), Ok("12"), Ok(12)));
        let again = written.parsed(|_| -> Checked<i32> { unreachable!("it is parsed once") });
        assert_eq!(again, Ok(12));
    }

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
