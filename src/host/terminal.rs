//! A terminal or a script. There is only a log, to which outputs are printed too.

use std::collections::BTreeMap;

use super::{Host, input_variables};

pub(super) struct Terminal {
    inputs: BTreeMap<String, String>,
}

impl Terminal {
    pub(super) fn new(environment: &BTreeMap<String, String>) -> Self {
        Self {
            inputs: input_variables(environment),
        }
    }
}

impl Host for Terminal {
    fn inputs(&self) -> BTreeMap<String, String> {
        self.inputs.clone()
    }

    fn how_to_set_inputs(&self) -> &'static str {
        "set inputs as environment variables instead, such as `INPUT_EVENT-TYPE` for `event-type`"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Console;
    use crate::model::Secret;
    use crate::testing::Printed;

    #[test]
    fn a_terminal_gets_plain_lines_without_secrets() {
        let printed = Printed::default();
        let console = Console::new(Box::new(Terminal::new(&BTreeMap::new())), printed.clone());
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
