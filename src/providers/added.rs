//! Arguments that the step adds to those of the user: the marker, and the address of the calling run.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::providers::provider::InputContext;
use crate::values::{Checked, Errors, InputError, Inputs};

const MARKER_INPUT: &str = "marker-input";
const CALLER: &str = "caller";

/// Length of a marker.
const UUID_LENGTH: usize = 36;

/// The arguments that the step adds to a target's own.
#[derive(Default)]
pub(crate) struct Added {
    /// Identifies the runs. `None` if they can't be recognised by it, or needn't.
    pub(crate) marker: Option<AddedArgument>,
    /// The web address of the calling run.
    pub(crate) caller: Option<AddedArgument>,
}

/// A payload property, an input or a variable.
pub(crate) struct AddedArgument {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Added {
    /// Reads `caller`, and adds a new marker with this name.
    pub(super) fn read(
        inputs: &Inputs,
        context: &InputContext<'_>,
        marker_name: Option<&str>,
    ) -> Checked<Self> {
        let caller = caller(inputs, context)?;
        let marker = marker_name.map(|name| AddedArgument {
            name: name.to_owned(),
            value: Uuid::new_v4().to_string(),
        });
        Ok(Self { marker, caller })
    }

    /// The same with the name in `marker-input`, for pipelines whose runs show the marker only if an input or variable
    /// puts it there.
    pub(super) fn read_with_marker_input(
        inputs: &Inputs,
        context: &InputContext<'_>,
    ) -> Checked<Self> {
        Self::read(inputs, context, inputs.get(MARKER_INPUT))
    }

    /// Whether a run's title, or the value of one of its variables, contains the marker.
    pub(super) fn marks(&self, text: &str) -> bool {
        let marker = self.marker.as_ref();
        marker.is_some_and(|marker| text.contains(&marker.value))
    }

    /// Whether a run's title contains a marker of another trigger. Only pipelines that show their markers have one.
    pub(super) fn is_marked_by_another(&self, title: &str) -> bool {
        let is_uuid = |text: &[u8]| Uuid::try_parse_ascii(text).is_ok();
        let mut parts = title.as_bytes().windows(UUID_LENGTH);
        self.marker.is_some() && !self.marks(title) && parts.any(is_uuid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &AddedArgument> {
        self.caller.iter().chain(&self.marker)
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
        let mut taken: Vec<_> = taken.into_iter().collect();
        let named = [(CALLER, &self.caller), (MARKER_INPUT, &self.marker)];
        let named = named.into_iter();
        for (input, AddedArgument { name, .. }) in
            named.filter_map(|(input, added)| Some((input, added.as_ref()?)))
        {
            if taken.contains(&name.as_str()) {
                let what = "is the name of an argument that is set already";
                let hint = "remove that argument, or use another name";
                errors.add([InputError::new(input, what).given(name).hint(hint)]);
            } else if !is_allowed(name) {
                let what = "can't be the name of an input or variable";
                errors.add([InputError::new(input, what).given(name)]);
            }
            taken.push(name);
        }
        errors.finish(|| Some(()))
    }
}

fn caller(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Option<AddedArgument>> {
    let Some(name) = inputs.get(CALLER) else {
        return Ok(None);
    };
    let Some(url) = context.calling_run else {
        return InputError::new(CALLER, "is set, but this step isn't part of a workflow run")
            .hint("remove `caller`")
            .fail();
    };
    Ok(Some(AddedArgument {
        name: name.to_owned(),
        value: url.to_owned(),
    }))
}
