//! Arguments that the step adds to those of the user.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::values::{Checked, Errors, InputError, Inputs};

const MARKER_INPUT: &str = "marker-input";

/// The arguments that the step adds to a target's own.
#[derive(Default)]
pub(crate) struct Added {
    /// Identifies the runs. `None` if they can't be recognised by it, or needn't.
    pub(crate) marker: Option<AddedArgument>,
}

/// A payload property, an input or a variable.
pub(crate) struct AddedArgument {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Added {
    /// Adds a new marker with this name.
    pub(super) fn new(marker_name: Option<&str>) -> Self {
        let marker = marker_name.map(|name| AddedArgument {
            name: name.to_owned(),
            value: Uuid::new_v4().to_string(),
        });
        Self { marker }
    }

    /// Reads `marker-input`, for pipelines whose runs show the marker only if an input or variable puts it there.
    pub(super) fn read(inputs: &Inputs) -> Self {
        Self::new(inputs.get(MARKER_INPUT))
    }

    /// Whether a run's title, or the value of one of its variables, contains the marker.
    pub(super) fn marks(&self, text: &str) -> bool {
        let marker = self.marker.as_ref();
        marker.is_some_and(|marker| text.contains(&marker.value))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &AddedArgument> {
        self.marker.iter()
    }

    /// Appends these arguments to a compact object. Everything else stays as it was written.
    pub(super) fn append_to<'json>(&self, object: &'json RawValue) -> Cow<'json, RawValue> {
        if self.iter().next().is_none() {
            return Cow::Borrowed(object);
        }
        let unclosed = object.get().strip_suffix('}');
        let mut json = unclosed
            .unwrap_or_else(|| unreachable!("a compact object ends with its brace"))
            .to_owned();
        for added in self.iter() {
            if json.len() > 1 {
                json.push(',');
            }
            let [name, value] = [&added.name, &added.value].map(|text| Value::from(text.as_str()));
            json.extend([name.to_string().as_str(), ":", &value.to_string()]);
        }
        json.push('}');
        let raw = RawValue::from_string(json);
        Cow::Owned(raw.unwrap_or_else(|error| unreachable!("strings added to an object: {error}")))
    }

    /// Checks the names of inputs or variables. `taken` are those that the user sets.
    pub(super) fn check_names<'name>(
        &self,
        taken: impl IntoIterator<Item = &'name str>,
        is_allowed: impl Fn(&str) -> bool,
    ) -> Checked<()> {
        let mut errors = Errors::default();
        let taken: Vec<_> = taken.into_iter().collect();
        let named = self.marker.iter().map(|marker| (MARKER_INPUT, marker));
        for (input, AddedArgument { name, .. }) in named {
            if taken.contains(&name.as_str()) {
                let what = "is the name of an argument that is set already";
                let hint = "remove that argument, or use another name";
                errors.add([InputError::new(input, what).given(name).hint(hint)]);
            } else if !is_allowed(name) {
                let what = "can't be the name of an input or variable";
                errors.add([InputError::new(input, what).given(name)]);
            }
        }
        errors.finish(|| Some(()))
    }
}
