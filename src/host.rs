//! The host that the step runs on: a CI system or a terminal. One file for each host, and what they share.

mod bitbucket_pipelines;
mod console;
mod files;
mod github_actions;
mod gitlab_ci;
mod live;
mod neutral;
mod other_ci;
mod redactor;
mod terminal;
mod variables;
mod woodpecker;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bitbucket_pipelines::BitbucketPipelines;
pub(crate) use console::Console;
use github_actions::GitHubActions;
use gitlab_ci::GitLabCi;
use other_ci::OtherCi;
use terminal::Terminal;
use variables::Environment;
use woodpecker::Woodpecker;

use crate::model::{Caller, GivenInputs};

/// The environment of a step: its inputs, how its output is formatted, and where its results go.
///
/// A host doesn't print; [`Console`] does. Strings passed to a host contain no secrets, but titles and messages may
/// contain line breaks, which must be escaped or passed through [`neutral::text`]. The default methods are for hosts
/// without the feature.
pub(crate) trait Host {
    /// Returns the inputs that were set. `declared` are the names of all inputs.
    fn inputs(&self, declared: &[&str]) -> GivenInputs;

    /// Whether inputs may also be set as flags.
    fn takes_flags(&self) -> bool {
        true
    }

    /// Explains how to set an input, for users who tried a command-line argument where none is taken.
    fn how_to_set_inputs(&self) -> &'static str;

    /// Whether the host distinguishes exit codes other than 0 and 1.
    fn has_exit_codes(&self) -> bool {
        true
    }

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
        terminal::plain(severity, message)
    }

    /// Formats a line of the log, which begins with a mark if it's a verdict.
    fn line(&self, line: String) -> String {
        line
    }

    /// Whether lines may be drawn that change, in place of repeated ones.
    fn is_live(&self) -> bool {
        false
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

    /// Returns the file that receives the output `results`, in addition to [`set_outputs`](Self::set_outputs).
    fn results_file(&self) -> Option<PathBuf> {
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
/// `is_terminal`: whether the output goes to a terminal.
pub(crate) fn detect(environment: &BTreeMap<String, String>, is_terminal: bool) -> Box<dyn Host> {
    fn boxed(host: impl Host + 'static) -> Box<dyn Host> {
        Box::new(host)
    }
    let environment = Environment::new(environment);
    // In this order, because some systems set variables of others, too.
    let detected = GitHubActions::detect(&environment).map(boxed);
    let detected = detected.or_else(|| GitLabCi::detect(&environment).map(boxed));
    let detected = detected.or_else(|| BitbucketPipelines::detect(&environment).map(boxed));
    let detected = detected.or_else(|| Woodpecker::detect(&environment).map(boxed));
    let detected = detected.or_else(|| OtherCi::detect(&environment).map(boxed));
    detected.unwrap_or_else(|| boxed(Terminal::new(&environment, is_terminal)))
}
