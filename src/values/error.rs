//! Input errors, collected so that a user sees all of them at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::{self, Write as _};

use crate::text::untrusted::{cut, one_line, visible};

/// Maximum length of a value in a message, in characters.
const MAX_VALUE: usize = 80;
/// Maximum number of entries of `targets` that one message names.
const MAX_NAMED: usize = 10;

/// An invalid input. What is wrong with it is a predicate, such as "must be `true` or `false`", so that the same text
/// reads well after the name of an input and after the key of an entry of `targets`.
///
/// Messages about entries never quote a value: any of them may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputError {
    /// Name of the input, variable or argument. In an entry of `targets`, the key, or empty for the entry as a whole.
    pub(crate) input: String,
    what: String,
    part: Part,
    given: Given,
    hint: Option<String>,
    /// The hint in an entry of `targets`, where that must not quote a value.
    hint_in_entry: Option<String>,
    subject: Subject,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Input,
    /// An environment variable that isn't an input.
    Variable,
    Argument,
    /// At least one entry of `targets`. All have the same problem.
    Entries(Vec<EntryName>),
}

/// The part of the input that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Key(String),
    ValueOf(String),
}

/// The value that was given, as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    NotShown,
    /// As in "must be `true` or `false`, not `maybe`".
    InsteadOf(String),
    /// As in "is a commit (`0123abc`)".
    Is(String),
}

/// Names an entry of `targets`: by its repository if that is known, and by its line if the list is YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryName {
    /// From 0, as in the output `results`.
    pub(crate) index: usize,
    pub(crate) repository: Option<String>,
    /// Of the entry or of one of its keys.
    pub(crate) line: Option<usize>,
}

impl fmt::Display for EntryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.index + 1;
        match (&self.repository, self.line) {
            (Some(repository), Some(line)) => write!(formatter, "{repository} (line {line})"),
            (Some(repository), None) => write!(formatter, "{repository} (entry {number})"),
            (None, Some(line)) => write!(formatter, "entry {number} (line {line})"),
            (None, None) => write!(formatter, "entry {number}"),
        }
    }
}

impl InputError {
    pub(crate) fn new(input: impl Into<String>, what: impl fmt::Display) -> Self {
        Self {
            input: input.into(),
            what: what.to_string(),
            part: Part::Whole,
            given: Given::NotShown,
            hint: None,
            hint_in_entry: None,
            subject: Subject::Input,
        }
    }

    /// Creates an error about an environment variable.
    pub(crate) fn for_variable(name: &str, what: impl fmt::Display) -> Self {
        Self {
            subject: Subject::Variable,
            ..Self::new(name, what)
        }
    }

    /// Creates an error about a command-line argument.
    pub(crate) fn for_argument(name: &str, what: impl fmt::Display) -> Self {
        Self {
            subject: Subject::Argument,
            ..Self::new(name, what)
        }
    }

    /// Creates an error about a key of the input's mapping.
    pub(crate) fn of_key(input: &str, key: &str, what: &str) -> Self {
        Self::new(input, what).about(Part::Key(one_line(key)))
    }

    /// Says how to fix it, in the imperative.
    pub(crate) fn hint(self, hint: impl fmt::Display) -> Self {
        let hint = hint.to_string();
        Self {
            hint_in_entry: Some(hint.clone()),
            hint: Some(hint),
            ..self
        }
    }

    /// The same for a hint that quotes the value, and one for entries of `targets`, which must not.
    pub(crate) fn hint_with_value(self, hint: impl fmt::Display, in_entry: &str) -> Self {
        Self {
            hint: Some(hint.to_string()),
            hint_in_entry: Some(in_entry.to_owned()),
            ..self
        }
    }

    /// Ends the message with ", not `value`". The value must not be a secret.
    pub(crate) fn not(self, value: &str) -> Self {
        Self {
            given: Given::InsteadOf(shown(value)),
            ..self
        }
    }

    /// Ends the message with the value in parentheses. The value must not be a secret.
    pub(crate) fn given(self, value: &str) -> Self {
        Self {
            given: Given::Is(shown(value)),
            ..self
        }
    }

    /// Makes an error about an input one about another input, from which that one's value was taken.
    pub(crate) fn moved(self, from: &str, to: &str) -> Self {
        let [old, new] = [from, to].map(|name| format!("`{name}`"));
        let renamed = |text: String| text.replace(&old, &new);
        Self {
            input: if self.input == from {
                to.to_owned()
            } else {
                self.input
            },
            what: renamed(self.what),
            hint: self.hint.map(renamed),
            hint_in_entry: self.hint_in_entry.map(renamed),
            ..self
        }
    }

    pub(super) fn about(self, part: Part) -> Self {
        Self { part, ..self }
    }

    /// Moves the error to an entry of `targets`.
    pub(crate) fn in_entry(self, entry: EntryName) -> Self {
        Self {
            given: Given::NotShown,
            hint: self.hint_in_entry.clone(),
            subject: Subject::Entries(vec![entry]),
            ..self
        }
    }

    pub(crate) fn fail<T>(self) -> Checked<T> {
        Err(vec![self])
    }

    /// Names what kind of thing is wrong.
    pub(crate) fn title(&self) -> String {
        match self.subject {
            Subject::Input | Subject::Entries(_) => {
                format!("Invalid input `{}`", self.input_name())
            }
            Subject::Variable => "Invalid environment variable".to_owned(),
            Subject::Argument => "Invalid command-line argument".to_owned(),
        }
    }

    /// Returns the name of the input, variable or argument.
    pub(crate) fn input_name(&self) -> &str {
        match self.subject {
            Subject::Entries(_) => "targets",
            Subject::Input | Subject::Variable | Subject::Argument => &self.input,
        }
    }

    /// Names what is wrong: an input, or entries of `targets`.
    pub(crate) fn subject(&self) -> String {
        match &self.subject {
            Subject::Input => format!("input `{}`", self.input),
            Subject::Variable => format!("environment variable `{}`", self.input),
            Subject::Argument => format!("command-line argument {}", self.input),
            Subject::Entries(entries) => {
                let named = entries.iter().take(MAX_NAMED).map(EntryName::to_string);
                let mut subject =
                    format!("input `targets`, {}", named.collect::<Vec<_>>().join(", "));
                let more = entries.len().saturating_sub(MAX_NAMED);
                if more > 0 {
                    let _ = write!(subject, " and {more} more");
                }
                subject
            }
        }
    }

    /// Returns the message without the hint.
    pub(crate) fn sentence(&self) -> String {
        format!("{}: {}", self.subject(), self.what())
    }

    /// Returns the message without the hint, about only one of the entries that have the problem.
    pub(crate) fn sentence_for(&self, entry: &EntryName) -> String {
        format!("input `targets`, {entry}: {}", self.what())
    }

    /// Returns what is wrong and how to fix it, without the subject.
    pub(crate) fn problem(&self) -> String {
        let hint = self.hint.iter().map(|hint| format!("\nhint: {hint}"));
        format!("{}{}", self.what(), hint.collect::<String>())
    }

    fn what(&self) -> String {
        let what = match (&self.subject, &self.part, self.input.as_str()) {
            (Subject::Entries(_), Part::Whole, "") => self.what.clone(),
            (Subject::Entries(_), Part::Whole, key) => format!("`{key}` {}", self.what),
            (Subject::Entries(_), Part::Key(_), key) => format!("a key in `{key}` {}", self.what),
            (Subject::Entries(_), Part::ValueOf(_), key) => {
                format!("a value in `{key}` {}", self.what)
            }
            (_, Part::Whole, _) => self.what.clone(),
            (_, Part::Key(name), _) => format!("the key `{name}` {}", self.what),
            (_, Part::ValueOf(name), _) => format!("the value of `{name}` {}", self.what),
        };
        let given = match &self.given {
            Given::NotShown => String::new(),
            Given::InsteadOf(value) => format!(", not `{value}`"),
            Given::Is(value) => format!(" (`{value}`)"),
        };
        format!("{what}{given}")
    }

    /// Returns the entries of `targets` that have the problem. Empty if it's another input's.
    pub(crate) fn entries(&self) -> &[EntryName] {
        match &self.subject {
            Subject::Entries(entries) => entries,
            Subject::Input | Subject::Variable | Subject::Argument => &[],
        }
    }
}

/// The whole message, beginning with its subject.
impl fmt::Display for InputError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.subject(), self.problem())
    }
}

/// Shortens a value to one line.
fn shown(value: &str) -> String {
    cut(&visible(&one_line(value)), MAX_VALUE)
}

/// Merges equal problems: many entries may have the same one, or inherit it.
pub(crate) fn merged(errors: Vec<InputError>) -> Vec<InputError> {
    let mut merged: Vec<InputError> = Vec::new();
    let mut positions: HashMap<(String, String, bool), usize> = HashMap::new();
    for error in errors {
        let is_entry = !error.entries().is_empty();
        let same = (error.input.clone(), error.problem(), is_entry);
        match positions.entry(same) {
            Entry::Vacant(new) => {
                new.insert(merged.len());
                merged.push(error);
            }
            Entry::Occupied(known) => {
                if let (Subject::Entries(all), Subject::Entries(more)) =
                    (&mut merged[*known.get()].subject, error.subject)
                {
                    all.extend(more);
                }
            }
        }
    }
    merged
}

/// A value read from the inputs, or all errors in it. An empty list means that it depends on another value, whose
/// errors are reported there.
pub(crate) type Checked<T> = Result<T, Vec<InputError>>;

/// Returns a single error.
pub(crate) fn invalid<T>(input: &str, what: impl fmt::Display) -> Checked<T> {
    InputError::new(input, what).fail()
}

/// Collects the errors in the parts of a value, so that each part is checked even if another is invalid.
#[derive(Default)]
pub(crate) struct Errors(Vec<InputError>);

impl Errors {
    /// Returns a part if it's valid. Otherwise collects its errors.
    pub(crate) fn take<T>(&mut self, part: Checked<T>) -> Option<T> {
        part.map_err(|found| self.add(found)).ok()
    }

    pub(crate) fn add(&mut self, found: impl IntoIterator<Item = InputError>) {
        self.0.extend(found);
    }

    /// Returns the whole if there are no errors.
    pub(crate) fn finish<T>(self, whole: impl FnOnce() -> Option<T>) -> Checked<T> {
        match whole() {
            Some(whole) if self.0.is_empty() => Ok(whole),
            _ => Err(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: usize, repository: Option<&str>, line: Option<usize>) -> EntryName {
        EntryName {
            index,
            repository: repository.map(str::to_owned),
            line,
        }
    }

    #[test]
    fn a_value_is_one_short_visible_line() {
        let value = format!("a\n\u{202e} {}", "b".repeat(100));
        let error = InputError::new("wait", "must be `true` or `false`").not(&value);
        let shown = format!("a \\u{{202e}} {}[…]", "b".repeat(69));
        assert_eq!(
            error.to_string(),
            format!("input `wait`: must be `true` or `false`, not `{shown}`")
        );
    }

    #[test]
    fn an_error_in_an_entry_shows_no_value() {
        let error = InputError::new("server-url", "is wrong")
            .given("hunter2")
            .hint_with_value("use `hunter2`", "use another one");
        assert_eq!(
            error.to_string(),
            "input `server-url`: is wrong (`hunter2`)\nhint: use `hunter2`"
        );
        for (name, shown) in [
            (entry(2, Some("a/b"), Some(12)), "a/b (line 12)"),
            (entry(2, Some("a/b"), None), "a/b (entry 3)"),
            (entry(2, None, Some(12)), "entry 3 (line 12)"),
            (entry(2, None, None), "entry 3"),
        ] {
            assert_eq!(
                error.clone().in_entry(name).to_string(),
                format!("input `targets`, {shown}: `server-url` is wrong\nhint: use another one")
            );
        }
        let key = InputError::of_key("variables", "hunter2", "is wrong");
        assert_eq!(
            key.to_string(),
            "input `variables`: the key `hunter2` is wrong"
        );
        assert_eq!(
            key.in_entry(entry(0, None, None)).to_string(),
            "input `targets`, entry 1: a key in `variables` is wrong"
        );
    }

    #[test]
    fn equal_problems_are_merged_in_order() {
        let error = |input: &str, what: &str| InputError::new(input, what);
        let merged = merged(vec![
            error("wait", "is wrong"),
            error("ref", "is wrong").in_entry(entry(0, None, None)),
            error("wait", "is wrong"),
            error("ref", "is missing").in_entry(entry(0, None, None)),
            error("ref", "is wrong").in_entry(entry(4, None, None)),
        ]);
        let shown: Vec<_> = merged.iter().map(InputError::to_string).collect();
        assert_eq!(
            shown,
            [
                "input `wait`: is wrong",
                "input `targets`, entry 1, entry 5: `ref` is wrong",
                "input `targets`, entry 1: `ref` is missing",
            ]
        );
        let every = merged.iter().map(|error| error.entries().len());
        assert_eq!(every.collect::<Vec<_>>(), [0, 2, 1]);
    }
}
