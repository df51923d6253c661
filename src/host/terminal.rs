//! A terminal, or a script whose output goes elsewhere. There is only a log, to which a script's outputs are printed too.

use super::variables::{self, OwnVariables};
use super::{Environment, Host, Severity, Unwritable, neutral};
use crate::model::{Caller, GivenInputs};

// As terminals number them.
const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

pub(super) struct Terminal {
    environment: Environment,
    /// Whether somebody watches.
    is_terminal: bool,
}

impl Terminal {
    pub(super) fn new(environment: &Environment, is_terminal: bool) -> Self {
        Self {
            environment: environment.clone(),
            is_terminal,
        }
    }

    /// See <https://no-color.org>.
    fn has_colours(&self) -> bool {
        self.is_live() && self.environment.get("NO_COLOR").is_none()
    }
}

impl Host for Terminal {
    fn inputs(&self, declared: &[&str]) -> GivenInputs {
        variables::read(&self.environment, OwnVariables::None, declared)
    }

    fn how_to_set_inputs(&self) -> &'static str {
        "set inputs as flags: see `--help`"
    }

    fn caller(&self) -> Caller {
        Caller {
            credentials: variables::credentials(&self.environment),
            ..Caller::default()
        }
    }

    fn annotation(&self, severity: Severity, _title: &str, message: &str) -> String {
        if self.has_colours() {
            coloured(severity, message)
        } else {
            plain(severity, message)
        }
    }

    fn line(&self, line: String) -> String {
        if self.has_colours() {
            with_coloured_mark(line)
        } else {
            line
        }
    }

    /// Somebody who watches has seen it all; a program gets the outputs in the log.
    fn set_outputs(&self, _outputs: &[(&str, String)]) -> Result<bool, Unwritable> {
        Ok(self.is_terminal)
    }

    fn is_live(&self) -> bool {
        self.is_terminal && self.environment.get("TERM") != Some("dumb")
    }
}

/// Formats an error or a warning as plain text.
pub(super) fn plain(severity: Severity, message: &str) -> String {
    neutral::text(&format!("{}: {message}", severity.as_str()))
}

/// Formats an error or a warning with its first word in colour.
pub(super) fn coloured(severity: Severity, message: &str) -> String {
    let colour = match severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
    };
    let word = severity.as_str();
    let message = plain(severity, message);
    let rest = message.strip_prefix(word).unwrap_or_default();
    format!("{}{rest}", in_colour(colour, word))
}

/// Colours the mark at the beginning of a verdict.
pub(super) fn with_coloured_mark(line: String) -> String {
    let marks = [("✓", GREEN), ("✗", RED)];
    let mut found = marks.into_iter().filter_map(|(mark, colour)| {
        let rest = line.strip_prefix(mark)?;
        Some(format!("{}{rest}", in_colour(colour, mark)))
    });
    found.next().unwrap_or(line)
}

fn in_colour(colour: u8, text: &str) -> String {
    format!("\u{1b}[1;{colour}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::host::Console;
    use crate::model::Secret;
    use crate::testing::Printed;

    #[test]
    fn a_terminal_gets_plain_lines_without_secrets() {
        let printed = Printed::default();
        let environment = Environment::new(&BTreeMap::new());
        let console = Console::new(
            Box::new(Terminal::new(&environment, false)),
            printed.clone(),
        );
        assert!(console.mask(&Secret::new("hunter2")));
        console.error("Invalid", "input `wait`: must be `true`\n::not `hunter2`");
        console.warning("a", "b");
        console.debug(format_args!("nobody asked"));
        console.group("[1/2] a", || console.log("inside"));
        console.early_outputs([("outcome", "unknown".to_owned())]);
        console.outputs([("outcome", "accepted".to_owned())]);
        console.summary("# Title");
        assert_eq!(
            printed.text(),
            "error: input `wait`: must be `true`\n| ::not `***`\nwarning: b\n[1/2] a\ninside\noutcome=accepted\n"
        );
        assert!(!console.lost_output());
    }
}
