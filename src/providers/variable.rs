//! Pipeline variables, plain or secret.

use crate::model::Secret;

pub(crate) struct Variable {
    pub(crate) key: String,
    pub(crate) value: Argument,
}

impl Variable {
    /// Its key, `plain` or `secret`, and its value.
    pub(super) fn parts(&self) -> [String; 3] {
        let (kind, value) = match &self.value {
            Argument::Plain(text) => ("plain", text.as_str()),
            Argument::Secret(secret) => ("secret", secret.expose()),
        };
        [&self.key, kind, value].map(str::to_owned)
    }
}

pub(crate) enum Argument {
    Plain(String),
    /// Masked in the step's log, and sent as `secured` if the provider supports that.
    Secret(Secret),
}
