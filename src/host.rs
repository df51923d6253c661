//! Where the step runs: GitHub Actions, or a terminal. One file for each host, and everything that they have in common.

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

/// A host: what it knows of the step, the form that it gives to what the step says, and what it keeps of it.
///
/// A host prints nothing: [`Console`] does. What a host is given has no secret in it, but titles and messages may have line
/// breaks, which must be escaped or go through [`neutral::text`]. The defaults are for a host that has no such thing.
pub(crate) trait Host {
    /// The inputs that were given, by name.
    fn inputs(&self) -> BTreeMap<String, String>;

    /// How to set an input here, for those who tried it with a command-line argument.
    fn how_to_set_inputs(&self) -> &'static str;

    fn caller(&self) -> Caller {
        Caller::default()
    }

    /// Whether everybody can read the repository in which the step runs. Unless that's certain, it isn't so.
    fn is_public(&self) -> bool {
        false
    }

    fn limits(&self) -> Limits {
        Limits {
            annotation: usize::MAX,
            results: usize::MAX,
            summary: 0,
        }
    }

    /// What is printed for an error or a warning.
    fn annotation(&self, severity: Severity, title: &str, message: &str) -> String {
        neutral::text(&format!("{}: {title}: {message}", severity.as_str()))
    }

    /// What is printed before and after lines that belong together.
    fn group(&self, title: &str) -> (String, Option<String>) {
        (neutral::text(title), None)
    }

    /// Whether the user asked for debug messages.
    fn is_debug(&self) -> bool {
        false
    }

    /// What is printed for a debug message.
    fn debug(&self, message: &str) -> String {
        neutral::text(&format!("debug: {message}"))
    }

    /// What is printed to have the host itself hide a line of a secret. To a host that doesn't understand it, that would
    /// show the secret.
    fn mask(&self, _line: &str) -> Option<String> {
        None
    }

    /// Sets outputs of the step, replacing those of the same names. Returns whether there is a place for them.
    fn set_outputs(&self, _outputs: &[(&str, String)]) -> Result<bool, Unwritable> {
        Ok(false)
    }

    /// Appends Markdown to the page that shows what the step did.
    fn append_summary(&self, _markdown: &str) -> Result<(), Unwritable> {
        Ok(())
    }

    /// Saves a string under a number for the step's second chance, replacing what was saved under that before.
    fn save_state(&self, _number: usize, _text: &str) -> Result<(), Unwritable> {
        Ok(())
    }

    /// What the first process of this step has saved, by number, without what is empty.
    fn saved_state(&self) -> BTreeMap<usize, String> {
        BTreeMap::new()
    }
}

/// How much a host takes. Everything is made to fit before the host cuts it, or drops it whole.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Of an annotation's message, in characters.
    pub(crate) annotation: usize,
    /// Of the output `results`, in UTF-16 units.
    pub(crate) results: usize,
    /// Of the summary, in bytes.
    pub(crate) summary: usize,
}

/// How serious an annotation is.
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

/// Why a host can't keep something, for its user.
pub(crate) struct Unwritable {
    title: String,
    message: String,
}

/// The host that these variables are of.
pub(crate) fn detect(environment: &BTreeMap<String, String>) -> Box<dyn Host> {
    match GitHubActions::detect(environment) {
        Some(host) => Box::new(host),
        None => Box::new(Terminal::new(environment)),
    }
}

/// Inputs that are environment variables: `INPUT_` and the name in upper case, dashes kept.
fn input_variables(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let inputs = environment.iter().filter_map(|(variable, value)| {
        let name = variable.strip_prefix("INPUT_")?.to_lowercase();
        Some((name, value.clone()))
    });
    inputs.collect()
}
