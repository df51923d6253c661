//! The inputs of a step as its host passes them.

use std::collections::BTreeMap;

/// Values of inputs by name, not interpreted. An empty one means unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GivenInputs {
    pub(crate) values: BTreeMap<String, String>,
    /// Inputs that are set to different values in two places.
    pub(crate) conflicts: Vec<Conflict>,
}

/// An input that two environment variables set to different values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) input: String,
    pub(crate) variables: [String; 2],
}

impl GivenInputs {
    /// Sets inputs in place of any other values.
    pub(crate) fn replace(&mut self, values: BTreeMap<String, String>) {
        self.conflicts
            .retain(|conflict| !values.contains_key(&conflict.input));
        self.values.extend(values);
    }
}

impl From<BTreeMap<String, String>> for GivenInputs {
    fn from(values: BTreeMap<String, String>) -> Self {
        Self {
            values,
            conflicts: Vec::new(),
        }
    }
}
