//! The host that the step runs on: GitHub Actions or a terminal. One file for each host, and what they share.

mod console;
mod github_actions;
mod neutral;
mod redactor;
mod terminal;

use std::collections::BTreeMap;

pub(crate) use console::Console;
use github_actions::GitHubActions;
use terminal::Terminal;

use crate::model::Caller;

/// The environment of a step: its inputs, how its output is formatted, and where its results go.
///
/// A host doesn't print; [`Console`] does. Strings passed to a host contain no secrets, but titles and messages may
/// contain line breaks, which must be escaped or passed through [`neutral::text`]. The default methods are for hosts
/// without the feature.
pub(crate) trait Host {
    /// Returns the inputs that were set, by name.
    fn inputs(&self) -> BTreeMap<String, String>;

    /// Explains how to set an input, for users who tried a command-line argument.
    fn how_to_set_inputs(&self) -> &'static str;

    fn caller(&self) -> Caller {
        Caller::default()
    }

    /// Whether anyone can read the repository in which the step runs. `false` if that isn't certain.
    fn is_public(&self) -> bool {
        false
    }

    /// Returns the web address of a file in the action's repository, in the version that is running. `None` if that
    /// isn't known.
    fn file_page(&self, _path: &str) -> Option<String> {
        None
    }

    fn limits(&self) -> Limits {
        Limits {
            annotation: usize::MAX,
            annotations: usize::MAX,
            results: usize::MAX,
            summary: 0,
        }
    }

    /// Formats an error or a warning for printing.
    /// The title is for hosts that show it: a message begins with its subject.
    fn annotation(&self, severity: Severity, _title: &str, message: &str) -> String {
        neutral::text(&format!("{}: {message}", severity.as_str()))
    }

    /// Returns the lines to print before and after a group of log lines.
    fn group(&self, title: &str) -> (String, Option<String>) {
        (neutral::text(title), None)
    }

    /// Whether the user asked for debug messages.
    fn is_debug(&self) -> bool {
        false
    }

    /// Formats a debug message for printing.
    fn debug(&self, message: &str) -> String {
        neutral::text(&format!("debug: {message}"))
    }

    /// Returns the command that makes the host itself mask a line of a secret. `None` on a host without one, because
    /// there the command would reveal the secret.
    fn mask(&self, _line: &str) -> Option<String> {
        None
    }

    /// Sets outputs of the step, replacing those of the same names. Returns whether the host stores outputs.
    fn set_outputs(&self, _outputs: &[(&str, String)]) -> Result<bool, Unwritable> {
        Ok(false)
    }

    /// Appends Markdown to the job summary.
    fn append_summary(&self, _markdown: &str) -> Result<(), Unwritable> {
        Ok(())
    }

    /// Saves a string under a number for the step's second chance, replacing any earlier value.
    fn save_state(&self, _number: usize, _text: &str) -> Result<(), Unwritable> {
        Ok(())
    }

    /// Returns the non-empty strings saved by the first process of this step, by number.
    fn saved_state(&self) -> BTreeMap<usize, String> {
        BTreeMap::new()
    }
}

/// Size limits of a host. Content is shortened to fit, before the host truncates it or drops it entirely.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// For an annotation's message, in characters.
    pub(crate) annotation: usize,
    /// For the number of errors, and of warnings, that a step shows.
    pub(crate) annotations: usize,
    /// For the output `results`, in UTF-16 code units.
    pub(crate) results: usize,
    /// For the summary, in bytes.
    pub(crate) summary: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Severity {
    Error,
    Warning,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// The annotation to show when a host can't write its outputs, summary or state.
pub(crate) struct Unwritable {
    title: String,
    message: String,
}

/// Detects the host from its environment variables.
pub(crate) fn detect(environment: &BTreeMap<String, String>) -> Box<dyn Host> {
    match GitHubActions::detect(environment) {
        Some(host) => Box::new(host),
        None => Box::new(Terminal::new(environment)),
    }
}

/// Reads the inputs from environment variables: `INPUT_` and the name in upper case, dashes kept.
fn input_variables(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let inputs = environment.iter().filter_map(|(variable, value)| {
        let name = variable.strip_prefix("INPUT_")?.to_lowercase();
        Some((name, value.clone()))
    });
    inputs.collect()
}
