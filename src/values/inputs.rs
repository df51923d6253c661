//! The inputs as named values, trimmed but not interpreted. Empty means unset.

use std::array;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::document::Node;
use super::error::{Checked, InputError};
use super::raw_input::RawInput;
use super::table::{self, Declared, INPUTS, Secrecy};
use super::with_line_breaks;
use crate::model::Secret;
use crate::text::nearest::nearest;
use crate::text::untrusted::one_line;

/// The values of inputs, either of the step or of an entry of `targets`.
#[derive(Clone)]
pub(crate) struct Inputs {
    /// In the order of [`INPUTS`].
    values: [Option<Rc<RawInput>>; INPUTS.len()],
    /// Names that aren't inputs, in order.
    undeclared: Vec<String>,
    /// Inputs that are set under a mistyped name or with an unusable value. That is reported; that the input itself is
    /// missing isn't.
    unusable: BTreeSet<&'static str>,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            values: array::from_fn(|_| None),
            undeclared: Vec::new(),
            unusable: BTreeSet::new(),
        }
    }
}

impl Inputs {
    /// Takes the values by the names of their inputs.
    pub(crate) fn new(given: &BTreeMap<String, String>) -> Self {
        let mut inputs = Self::default();
        for (name, value) in given {
            if let Some(position) = table::position(name) {
                let raw = match name.as_str() {
                    "targets" => RawInput::lines(value),
                    _ => RawInput::text(value),
                };
                inputs.values[position] = Some(Rc::new(raw));
            } else {
                inputs.unusable.extend(nearest_input(name, &|_| true));
                inputs.undeclared.push(name.clone());
            }
        }
        inputs
    }

    /// Whether the input was meant to be set, but has no usable value.
    pub(crate) fn is_unusable(&self, name: &str) -> bool {
        self.unusable.contains(name) && self.raw(name).is_none()
    }

    /// Whether the input was meant to be set, and what was given for it has no usable value.
    pub(crate) fn has_unusable(&self, name: &str) -> bool {
        self.unusable.contains(name)
    }

    /// Records that the input was meant to be set, but has no usable value.
    pub(crate) fn mark_unusable(&mut self, name: &'static str) {
        self.unusable.insert(name);
    }

    /// Returns the value if it's set: neither empty nor the default.
    pub(crate) fn raw(&self, name: &str) -> Option<&Rc<RawInput>> {
        let position = table::position(name);
        debug_assert!(position.is_some(), "{name} is not declared");
        self.unless_default(position?)
    }

    fn unless_default(&self, position: usize) -> Option<&Rc<RawInput>> {
        let raw = self.values[position].as_ref()?;
        let is_default = raw.as_text() == Some(INPUTS[position].default);
        (!raw.is_empty() && !is_default).then_some(raw)
    }

    /// Returns the value if it's set and is a string.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.raw(name)?.as_text()
    }

    /// Reads a boolean of YAML 1.2. Unset means `false`, the default of all boolean inputs.
    pub(crate) fn boolean(&self, name: &str) -> Checked<bool> {
        match self.get(name) {
            Some("true" | "True" | "TRUE") => Ok(true),
            None | Some("false" | "False" | "FALSE") => Ok(false),
            Some(other) => InputError::new(name, "must be `true` or `false`")
                .not(other)
                .fail(),
        }
    }

    /// Parses the YAML or JSON of an input, if it's set.
    pub(crate) fn document(&self, name: &'static str) -> Checked<Option<&Node>> {
        let document = self.raw(name).map(|raw| raw.document());
        document
            .transpose()
            .map_err(|problem| vec![problem.for_input(name)])
    }

    /// Whether the input is an empty string, which for a secret means that it doesn't exist.
    pub(crate) fn is_empty(&self, name: &str) -> bool {
        self.existing(name).is_some_and(|raw| raw.is_empty())
    }

    /// Whether the input exists, even if it's empty or the default.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.existing(name).is_some()
    }

    fn existing(&self, name: &str) -> Option<&Rc<RawInput>> {
        self.values[table::position(name)?].as_ref()
    }

    /// Returns the inputs that are set.
    pub(crate) fn set(&self) -> impl Iterator<Item = &'static Declared> {
        let all = INPUTS.iter().enumerate();
        let set = all.filter(|(position, _)| self.unless_default(*position).is_some());
        set.map(|(_, declared)| declared)
    }

    /// Sets an input. `name` must be declared.
    pub(crate) fn insert(&mut self, name: &str, raw: Rc<RawInput>) {
        let position = table::position(name);
        let position = position.unwrap_or_else(|| unreachable!("{name} is declared"));
        self.values[position] = Some(raw);
    }

    /// Returns these inputs, and those of `others` that don't exist here and for which `inherits` is true.
    pub(crate) fn with(&self, others: &Self, inherits: impl Fn(&str) -> bool) -> Self {
        let mut all = self.clone();
        all.unusable.extend(&others.unusable);
        let values = all.values.iter_mut().zip(&others.values);
        for ((value, other), declared) in values.zip(&INPUTS) {
            if value.is_none() && other.is_some() && inherits(declared.name) {
                value.clone_from(other);
            }
        }
        all
    }

    /// Rejects names that aren't inputs.
    pub(crate) fn undeclared(&self) -> Vec<InputError> {
        self.undeclared
            .iter()
            .map(|name| {
                let hint = hint_for_unknown(name, "inputs", &|_| true);
                InputError::new(one_line(name), "isn't an input of this action").hint(hint)
            })
            .collect()
    }

    /// Returns every secret with the name of its input, even from inputs that turn out to be invalid.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, Secret)> {
        let mut secrets = Vec::new();
        for (position, declared) in INPUTS.iter().enumerate() {
            let name = declared.name;
            match (declared.secrecy, self.unless_default(position)) {
                (Secrecy::Whole, Some(raw)) => {
                    let text = raw.as_text().unwrap_or_default();
                    secrets.push((name, Secret::new(text)));
                    let decoded = with_line_breaks(text);
                    // A key with `\n` written out differs from the decoded one, which a library may quote.
                    if decoded != text {
                        secrets.push((name, Secret::new(decoded)));
                    }
                }
                (Secrecy::Values, Some(raw)) => {
                    let strings = secret_strings(raw).into_iter();
                    secrets.extend(strings.map(|text| (name, Secret::new(text))));
                }
                (Secrecy::Nothing, _) | (_, None) => {}
            }
        }
        secrets
    }
}

/// Returns the values in a mapping of secrets. If the input isn't a valid mapping, returns all of it, because any part
/// may be secret.
fn secret_strings(raw: &RawInput) -> Vec<&str> {
    match raw.document().map(|node| (node, node.strings())) {
        Ok((node, Ok(_))) => node.scalars(),
        Ok((node, Err(_))) => raw.source().into_iter().chain(node.scalars()).collect(),
        Err(_) => raw.source().into_iter().collect(),
    }
}

/// Returns the input that a wrong name most likely stands for, among those for which `is_candidate` is true.
pub(crate) fn nearest_input(
    name: &str,
    is_candidate: &dyn Fn(&str) -> bool,
) -> Option<&'static str> {
    nearest(name, candidates(is_candidate))
}

fn candidates(is_candidate: &dyn Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
    let names = INPUTS.iter().map(|input| input.name);
    names.filter(|name| is_candidate(name))
}

/// Returns what to do about an unknown input or key: a suggestion, or a list of those for which `is_candidate` is true.
pub(crate) fn hint_for_unknown(
    name: &str,
    kind: &str,
    is_candidate: &dyn Fn(&str) -> bool,
) -> String {
    match nearest_input(name, is_candidate) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "use one of these {kind}: {}",
            candidates(is_candidate).collect::<Vec<_>>().join(", ")
        ),
    }
}
