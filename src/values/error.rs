//! What is wrong with inputs, collected: a user should see all of it at once.

use std::fmt;

/// What is wrong with an input, and what would be right. The message never quotes a value: in `targets` any of them may be
/// a secret, and a step's own inputs may have one in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputError {
    pub(crate) input: String,
    pub(crate) message: String,
    /// The key that the message names, if it does.
    key: Option<String>,
    source: Subject,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Input,
    /// A variable of the environment that is no input.
    Variable,
    /// The command line.
    Argument,
}

impl InputError {
    pub(crate) fn new(input: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            input: input.into(),
            message: message.to_string(),
            key: None,
            source: Subject::Input,
        }
    }

    /// One about the environment.
    pub(crate) fn of_variable(name: &str, message: impl fmt::Display) -> Self {
        Self {
            source: Subject::Variable,
            ..Self::new(name, message)
        }
    }

    /// One about the command line.
    pub(crate) fn of_argument(name: &str, message: impl fmt::Display) -> Self {
        Self {
            source: Subject::Argument,
            ..Self::new(name, message)
        }
    }

    /// What it is about, in words.
    pub(crate) fn title(&self) -> String {
        match self.source {
            Subject::Input => format!("input {}", self.input),
            Subject::Variable => format!("environment variable {}", self.input),
            Subject::Argument => format!("command-line argument {}", self.input),
        }
    }

    /// The same error, whose message names a key of the input's mapping.
    pub(crate) fn naming(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }

    /// The message without the key: in an entry of `targets`, a secret in the wrong place may be taken for one.
    pub(crate) fn nameless(&self) -> String {
        match &self.key {
            Some(key) => {
                self.message
                    .replacen(&format!("the value of `{key}`"), "a value in it", 1)
            }
            None => self.message.clone(),
        }
    }
}

/// What a part of the inputs comes to, or all that is wrong with it. An error without complaints: this part needs
/// another one, and what is wrong is reported there.
pub(crate) type Checked<T> = Result<T, Vec<InputError>>;

/// One thing that is wrong.
pub(crate) fn complain<T>(input: &str, message: impl fmt::Display) -> Checked<T> {
    Err(vec![InputError::new(input, message)])
}

/// All that is wrong with the parts of a whole: each part is checked, whatever is wrong with another.
#[derive(Default)]
pub(crate) struct Errors(Vec<InputError>);

impl Errors {
    /// What a part comes to; what is wrong with it is kept.
    pub(crate) fn take<T>(&mut self, part: Checked<T>) -> Option<T> {
        part.map_err(|found| self.add(found)).ok()
    }

    pub(crate) fn add(&mut self, found: impl IntoIterator<Item = InputError>) {
        self.0.extend(found);
    }

    /// The whole, if nothing is wrong with any of its parts.
    pub(crate) fn finish<T>(self, whole: impl FnOnce() -> Option<T>) -> Checked<T> {
        match whole() {
            Some(whole) if self.0.is_empty() => Ok(whole),
            _ => Err(self.0),
        }
    }
}
