//! Input errors, collected so that a user sees all of them at once.

use std::fmt;

/// An invalid input. The message never quotes a value: in `targets` any value may be a secret, and a step's own inputs
/// may have a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputError {
    pub(crate) input: String,
    pub(crate) message: String,
    /// The key in the message, if there is one.
    key: Option<String>,
    subject: Subject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Input,
    /// An environment variable that isn't an input.
    Variable,
    Argument,
}

impl InputError {
    pub(crate) fn new(input: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            input: input.into(),
            message: message.to_string(),
            key: None,
            subject: Subject::Input,
        }
    }

    /// Creates an error about an environment variable.
    pub(crate) fn for_variable(name: &str, message: impl fmt::Display) -> Self {
        Self {
            subject: Subject::Variable,
            ..Self::new(name, message)
        }
    }

    /// Creates an error about a command-line argument.
    pub(crate) fn for_argument(name: &str, message: impl fmt::Display) -> Self {
        Self {
            subject: Subject::Argument,
            ..Self::new(name, message)
        }
    }

    /// Names what the error is about.
    pub(crate) fn title(&self) -> String {
        match self.subject {
            Subject::Input => format!("input {}", self.input),
            Subject::Variable => format!("environment variable {}", self.input),
            Subject::Argument => format!("command-line argument {}", self.input),
        }
    }

    /// Adds the key of the input's mapping that the message names.
    pub(crate) fn with_key(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }

    /// Returns the message without the key: in an entry of `targets`, a misplaced secret may be parsed as a key.
    pub(crate) fn message_without_key(&self) -> String {
        match &self.key {
            Some(key) => {
                self.message
                    .replacen(&format!("the value of `{key}`"), "a value in it", 1)
            }
            None => self.message.clone(),
        }
    }
}

/// A value read from the inputs, or all errors in it. An empty list means that it depends on another value, whose
/// errors are reported there.
pub(crate) type Checked<T> = Result<T, Vec<InputError>>;

/// Returns a single error.
pub(crate) fn invalid<T>(input: &str, message: impl fmt::Display) -> Checked<T> {
    Err(vec![InputError::new(input, message)])
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
