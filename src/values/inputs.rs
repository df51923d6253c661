//! The inputs as named values, trimmed but not interpreted. Empty means unset.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::document::Node;
use super::error::{Checked, InputError, complain};
use super::raw_input::RawInput;
use super::table::{self, Declared, INPUTS};
use super::with_line_breaks;
use crate::model::Secret;
use crate::text::nearest::nearest;

/// Values by the names of their inputs, either of the step or of an entry of `targets`.
#[derive(Clone, Default)]
pub(crate) struct Inputs {
    written: BTreeMap<String, Rc<RawInput>>,
    /// Inputs that are set under a mistyped name or with an unusable value. That is reported; that the input itself is
    /// missing isn't.
    unknown: BTreeSet<&'static str>,
}

impl Inputs {
    /// Takes the values by the names of their inputs.
    pub(crate) fn new(given: &BTreeMap<String, String>) -> Self {
        let written = given.iter().map(|(name, value)| {
            let written = match name.as_str() {
                "targets" => RawInput::lines(value),
                _ => RawInput::text(value),
            };
            (name.clone(), Rc::new(written))
        });
        let written: BTreeMap<_, _> = written.collect();
        let undeclared = written.keys().filter(|name| is_undeclared(name));
        Self {
            unknown: undeclared
                .filter_map(|name| meant(name, &|_| true))
                .collect(),
            written,
        }
    }

    /// Whether the input is set, but its value is unknown: see `unknown`.
    pub(crate) fn is_unknown(&self, name: &str) -> bool {
        self.unknown.contains(name) && self.written(name).is_none()
    }

    /// Whether an error about a missing input is misleading, because the input, or an alternative to it, is set with an
    /// unknown value.
    pub(crate) fn is_meant(&self, name: &str) -> bool {
        const CREDENTIALS: &[&str] = &["token", "trigger-token", "client-id", "private-key"];
        let enough = match name {
            "token" => CREDENTIALS,
            "event-type" => &["event-type", "workflow"],
            _ => return self.is_unknown(name),
        };
        let is_default = name == "token" && self.get(name) == self.get("github-token");
        (is_default || self.written(name).is_none())
            && enough.iter().any(|name| self.unknown.contains(name))
    }

    /// Records that the input is set, but its value is unknown.
    pub(crate) fn add_unknown(&mut self, name: &'static str) {
        self.unknown.insert(name);
    }

    /// Returns the value if it's set: neither empty nor the default.
    pub(crate) fn written(&self, name: &str) -> Option<&Rc<RawInput>> {
        let declared = table::declared(name);
        debug_assert!(declared.is_some(), "{name} is not declared");
        self.unless_default(declared?)
    }

    fn unless_default(&self, declared: &Declared) -> Option<&Rc<RawInput>> {
        let written = self.written.get(declared.name)?;
        let is_default = written.as_text() == Some(declared.default);
        (!written.is_empty() && !is_default).then_some(written)
    }

    /// Returns the value if it's set and is a string.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.written(name)?.as_text()
    }

    /// Reads a boolean of YAML 1.2. Unset means `false`, the default of all boolean inputs.
    pub(crate) fn boolean(&self, name: &str) -> Checked<bool> {
        match self.get(name) {
            Some("true" | "True" | "TRUE") => Ok(true),
            None | Some("false" | "False" | "FALSE") => Ok(false),
            Some(_) => complain(name, "it must be `true` or `false`"),
        }
    }

    /// Parses the YAML or JSON of an input, if it's set.
    pub(crate) fn document(&self, name: &'static str) -> Checked<Option<&Node>> {
        let document = self.written(name).map(|written| written.document());
        document
            .transpose()
            .map_err(|problem| vec![problem.complaint(name)])
    }

    /// Whether the input is an empty string, which for a secret means that it doesn't exist.
    pub(crate) fn is_empty(&self, name: &str) -> bool {
        self.written
            .get(name)
            .is_some_and(|written| written.is_empty())
    }

    /// Whether the input exists, even if it's empty or the default.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.written.contains_key(name)
    }

    /// Returns the inputs that are set.
    pub(crate) fn set(&self) -> impl Iterator<Item = &'static Declared> {
        INPUTS
            .iter()
            .filter(|declared| self.unless_default(declared).is_some())
    }

    pub(crate) fn insert(&mut self, name: impl Into<String>, written: Rc<RawInput>) {
        self.written.insert(name.into(), written);
    }

    /// Returns these inputs, and those of `others` that don't exist here and for which `inherits` is true.
    pub(crate) fn with(&self, others: &Self, inherits: impl Fn(&str) -> bool) -> Self {
        let mut all = self.clone();
        all.unknown.extend(&others.unknown);
        for (name, written) in &others.written {
            if !self.has(name) && inherits(name) {
                all.insert(name, Rc::clone(written));
            }
        }
        all
    }

    /// Rejects names that aren't inputs.
    pub(crate) fn undeclared(&self) -> Vec<InputError> {
        self.written
            .keys()
            .filter(|name| is_undeclared(name))
            .map(|name| InputError::new(name, no_such(name, "input", &|_| true)))
            .collect()
    }

    /// Returns every secret with the name of its input, even from inputs that turn out to be invalid.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, Secret)> {
        let mut secrets = Vec::new();
        for name in ["token", "github-token", "trigger-token", "private-key"] {
            if let Some(text) = self.get(name) {
                secrets.push((name, Secret::new(text)));
            }
        }
        if let Some(text) = self.get("private-key") {
            // A key with `\n` written out differs from the decoded one, which a library may quote.
            secrets.push(("private-key", Secret::new(with_line_breaks(text))));
        }
        if let Some(written) = self.written("secret-variables") {
            let texts = texts_of(written).into_iter();
            secrets.extend(texts.map(|text| ("secret-variables", Secret::new(text))));
        }
        secrets
    }
}

/// Returns the values in a mapping of secrets. If the input isn't a valid mapping, returns all of it, because any part
/// may be secret.
fn texts_of(written: &RawInput) -> Vec<&str> {
    match written.document().map(|node| (node, node.texts())) {
        Ok((node, Ok(_))) => node.scalars(),
        Ok((node, Err(_))) => written.source().into_iter().chain(node.scalars()).collect(),
        Err(_) => written.source().into_iter().collect(),
    }
}

fn is_undeclared(name: &str) -> bool {
    table::declared(name).is_none()
}

/// Returns the input that a wrong name most likely stands for, among those for which `could_be` is true.
pub(crate) fn meant(name: &str, could_be: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    nearest(name, names(could_be))
}

fn names(could_be: &dyn Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
    let names = INPUTS.iter().map(|input| input.name);
    names.filter(|name| could_be(name))
}

/// Formats the error for an unknown input or key, with a suggestion or a list of those for which `could_be` is true.
pub(crate) fn no_such(name: &str, what: &str, could_be: &dyn Fn(&str) -> bool) -> String {
    match meant(name, could_be) {
        Some(near) => format!("there is no such {what}; did you mean `{near}`?"),
        None => format!(
            "there is no such {what}; there are: {}",
            names(could_be).collect::<Vec<_>>().join(", ")
        ),
    }
}
