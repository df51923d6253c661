//! Files in which hosts without outputs of their own keep them, and the error for one that can't be written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Unwritable;

/// The outputs that are kept as variables: the short ones.
const VARIABLES: [&str; 4] = ["outcome", "run-id", "run-url", "conclusion"];

/// The outputs that were set so far.
#[derive(Default)]
pub(super) struct Outputs(RefCell<BTreeMap<String, String>>);

impl Outputs {
    pub(super) fn set(&self, outputs: &[(&str, String)]) {
        let outputs = outputs.iter();
        let outputs = outputs.map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.0.borrow_mut().extend(outputs);
    }

    pub(super) fn get(&self, name: &str) -> String {
        self.0.borrow().get(name).cloned().unwrap_or_default()
    }

    /// Returns the lines of a file of variables, such as `TRIGGER_PIPELINE_RUN_ID=7`. Such files have no quotes and no
    /// escapes, so a value with a line break is left out.
    pub(super) fn variables(&self) -> Vec<String> {
        let variables = VARIABLES.iter().filter_map(|name| {
            let value = self.get(name);
            (!value.contains(['\n', '\r'])).then(|| format!("{}={value}", variable(name)))
        });
        variables.collect()
    }
}

/// Returns the variable for an output.
fn variable(output: &str) -> String {
    let name = output.to_uppercase().replace('-', "_");
    format!("TRIGGER_PIPELINE_{name}")
}

/// Whether a line of a file of variables is one of [`Outputs::variables`].
pub(super) fn is_own_variable(line: &str) -> bool {
    let name = line.split('=').next().unwrap_or_default();
    VARIABLES.iter().any(|output| variable(output) == name)
}

/// Writes a file, replacing its contents.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Unwritable> {
    fs::write(path, text).map_err(|error| {
        let path = path.display();
        Unwritable {
            title: format!("{path} can't be written"),
            message: format!(
                "{path}: can't be written: {error}\nhint: make its folder exist and be writable for this job"
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_become_variables() {
        let outputs = Outputs::default();
        outputs.set(&[
            ("outcome", "unknown".to_owned()),
            ("run-id", "7".to_owned()),
            ("run-url", "a\nb".to_owned()),
            ("results", "[]".to_owned()),
        ]);
        outputs.set(&[("outcome", "accepted".to_owned())]);
        let variables = outputs.variables();
        assert_eq!(
            variables,
            [
                "TRIGGER_PIPELINE_OUTCOME=accepted",
                "TRIGGER_PIPELINE_RUN_ID=7",
                "TRIGGER_PIPELINE_CONCLUSION="
            ]
        );
        assert!(variables.iter().all(|line| is_own_variable(line)));
        assert!(!is_own_variable("TRIGGER_PIPELINE_OTHER=1"));
    }
}
