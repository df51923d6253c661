//! The inputs as named values: trimmed, empty meaning unset, nothing interpreted.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::document::Node;
use super::error::{Checked, InputError, complain};
use super::raw_input::RawInput;
use super::table::{self, Declared, INPUTS};
use super::with_line_breaks;
use crate::model::Secret;
use crate::text::nearest::nearest;

/// Values by the names of their inputs: as they arrived, or those that hold for an entry of `targets`.
#[derive(Clone, Default)]
pub(crate) struct Inputs {
    written: BTreeMap<String, Rc<RawInput>>,
    /// Names of inputs that something was meant to be, but its name is mistyped or its value has a form that it cannot
    /// have. That is complained about; that the input itself is not set is not.
    unknown: BTreeSet<&'static str>,
}

impl Inputs {
    /// Reads values by the names of their inputs.
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

    /// Whether something was meant to be that input, of which no more is known.
    pub(crate) fn is_unknown(&self, name: &str) -> bool {
        self.unknown.contains(name) && self.written(name).is_none()
    }

    /// Whether a complaint about an input only says that it is not set, while it was meant to be, or another one was
    /// that would be enough.
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

    /// Something is meant to be that input, of which no more is known.
    pub(crate) fn add_unknown(&mut self, name: &'static str) {
        self.unknown.insert(name);
    }

    /// The value, if it is set: neither empty nor the input's own default.
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

    /// The text, if it is set, and no mapping or list of its own.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.written(name)?.as_text()
    }

    /// Booleans as YAML 1.2 writes them; unset is `false`, the default of each.
    pub(crate) fn boolean(&self, name: &str) -> Checked<bool> {
        match self.get(name) {
            Some("true" | "True" | "TRUE") => Ok(true),
            None | Some("false" | "False" | "FALSE") => Ok(false),
            Some(_) => complain(name, "it must be `true` or `false`"),
        }
    }

    /// What the YAML or JSON of an input comes to, if it is set.
    pub(crate) fn document(&self, name: &'static str) -> Checked<Option<&Node>> {
        let document = self.written(name).map(|written| written.document());
        document
            .transpose()
            .map_err(|problem| vec![problem.complaint(name)])
    }

    /// Whether the input arrived as an empty text, which for a secret means that it is not there.
    pub(crate) fn is_empty(&self, name: &str) -> bool {
        self.written
            .get(name)
            .is_some_and(|written| written.is_empty())
    }

    /// Whether there is anything of that name, if only something empty or the default.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.written.contains_key(name)
    }

    /// The inputs that are set.
    pub(crate) fn set(&self) -> impl Iterator<Item = &'static Declared> {
        INPUTS
            .iter()
            .filter(|declared| self.unless_default(declared).is_some())
    }

    pub(crate) fn insert(&mut self, name: impl Into<String>, written: Rc<RawInput>) {
        self.written.insert(name.into(), written);
    }

    /// These, and of the others those that `inherits` lets in where there is none here.
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

    /// Complains about what is not an input at all.
    pub(crate) fn undeclared(&self) -> Vec<InputError> {
        self.written
            .keys()
            .filter(|name| is_undeclared(name))
            .map(|name| InputError::new(name, no_such(name, "input", &|_| true)))
            .collect()
    }

    /// Every secret among the inputs with the name of its input, also in inputs that turn out wrong.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, Secret)> {
        let mut secrets = Vec::new();
        for name in ["token", "github-token", "trigger-token", "private-key"] {
            if let Some(text) = self.get(name) {
                secrets.push((name, Secret::new(text)));
            }
        }
        if let Some(text) = self.get("private-key") {
            // Written out on one line it is another text than the key that a library may quote.
            secrets.push(("private-key", Secret::new(with_line_breaks(text))));
        }
        if let Some(written) = self.written("secret-variables") {
            let texts = texts_of(written).into_iter();
            secrets.extend(texts.map(|text| ("secret-variables", Secret::new(text))));
        }
        secrets
    }
}

/// The values in a mapping of secrets. Where it is none, which part of it is secret cannot be told: all
/// of it, then.
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

/// The input that was meant by a name that is none, of those that it could be.
pub(crate) fn meant(name: &str, could_be: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    nearest(name, names(could_be))
}

fn names(could_be: &dyn Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
    let names = INPUTS.iter().map(|input| input.name);
    names.filter(|name| could_be(name))
}

/// That there is no such input or key, and which one was meant, of those that could be.
pub(crate) fn no_such(name: &str, what: &str, could_be: &dyn Fn(&str) -> bool) -> String {
    match meant(name, could_be) {
        Some(near) => format!("there is no such {what}; did you mean `{near}`?"),
        None => format!(
            "there is no such {what}; there are: {}",
            names(could_be).collect::<Vec<_>>().join(", ")
        ),
    }
}
