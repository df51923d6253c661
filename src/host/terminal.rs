//! A person at a terminal, or a script: plain lines, and the outputs are printed.

use super::{Host, Severity, neutral};

pub(super) struct Terminal;

impl Host for Terminal {
    fn annotation(&self, severity: Severity, title: &str, message: &str) -> String {
        lines(&format!("{}: {title}: {message}", severity.as_str()))
    }

    fn group(&self, title: &str) -> (String, Option<String>) {
        (lines(title), None)
    }
}

fn lines(text: &str) -> String {
    neutral::lines(text).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Console;
    use crate::model::Secret;
    use crate::testing::Printed;

    #[test]
    fn a_person_sees_plain_lines_and_no_secret() {
        let printed = Printed::default();
        let console = Console::new(Box::new(Terminal), printed.clone());
        assert!(console.mask(&Secret::new("hunter2")));
        console.error("input wait", "it must be `true`\n::not `hunter2`");
        console.warning("a", "b");
        console.debug(format_args!("nobody asked"));
        console.group("[1/2] a", || console.log("inside"));
        console.early_outputs([("outcome", "unknown".to_owned())]);
        console.outputs([("outcome", "accepted".to_owned())]);
        console.summary("# Title");
        assert_eq!(
            printed.text(),
            "error: input wait: it must be `true`\n| ::not `***`\nwarning: a: b\n[1/2] a\ninside\noutcome=accepted\n"
        );
        assert!(!console.lost_output());
    }
}
