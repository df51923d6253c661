//! The environment's `INPUT_*` as named texts: trimmed, empty meaning unset, nothing interpreted.

use std::collections::BTreeMap;

use super::complaint::Complaint;
use super::document;
use super::table::{Declared, INPUTS};
use super::with_line_breaks;
use crate::nearest::nearest;
use crate::secret::Secret;

/// The runner's own keys of `with:`; they reach a container action too.
const RUNNERS_OWN: [&str; 2] = ["args", "entrypoint"];

/// The inputs as they arrived.
pub(crate) struct Inputs(BTreeMap<String, String>);

impl Inputs {
    /// Reads what the runner made of `with:`: `INPUT_` and the name in upper case, dashes kept.
    pub(crate) fn from_environment(environment: &BTreeMap<String, String>) -> Self {
        let inputs = environment.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix("INPUT_")?.to_lowercase();
            Some((name, value.trim().to_owned()))
        });
        Self(inputs.collect())
    }

    /// The input's text, if it is set: neither empty nor its own default.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let declared = INPUTS.iter().find(|input| input.name == name);
        debug_assert!(declared.is_some(), "{name} is not declared");
        let text = self.0.get(name)?.as_str();
        let is_default = declared.is_some_and(|declared| declared.default == text);
        (!text.is_empty() && !is_default).then_some(text)
    }

    /// Whether the input arrived as an empty text, which for a secret means that it is not there.
    pub(super) fn is_empty(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(String::is_empty)
    }

    /// The inputs that are set.
    pub(super) fn set(&self) -> impl Iterator<Item = &'static Declared> {
        INPUTS.iter().filter(|input| self.get(input.name).is_some())
    }

    /// Complains about what is not an input at all.
    pub(super) fn undeclared(&self) -> Vec<Complaint> {
        let names = || INPUTS.iter().map(|input| input.name);
        self.0
            .keys()
            .filter(|name| {
                !names().any(|known| known == *name) && !RUNNERS_OWN.contains(&name.as_str())
            })
            .map(|name| {
                let message = match nearest(name, names()) {
                    Some(near) => format!("there is no such input; did you mean `{near}`?"),
                    None => format!(
                        "there is no such input; there are: {}",
                        names().collect::<Vec<_>>().join(", ")
                    ),
                };
                Complaint::new(name, message)
            })
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
        if let Some(text) = self.get("secret-variables") {
            let name = "secret-variables";
            match document::parse(text).and_then(document::Node::texts) {
                Ok(pairs) => secrets.extend(
                    pairs
                        .into_iter()
                        .map(|(_, value)| (name, Secret::new(value))),
                ),
                // Which part of it is secret cannot be told: all of it, then.
                Err(_) => secrets.push((name, Secret::new(text))),
            }
        }
        secrets
    }
}
