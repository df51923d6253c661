//! Variables of pipelines, some of which are secrets.

use crate::model::Secret;

pub(crate) struct Variable {
    pub(crate) key: String,
    pub(crate) value: Argument,
}

impl Variable {
    /// Its name, whether it is a secret, and its value.
    pub(super) fn parts(&self) -> [String; 3] {
        let (kind, value) = match &self.value {
            Argument::Plain(text) => ("plain", text.as_str()),
            Argument::Secret(secret) => ("secret", secret.expose()),
        };
        [&self.key, kind, value].map(str::to_owned)
    }
}

/// A variable's value.
pub(crate) enum Argument {
    Plain(String),
    /// Masked in our log, and sent `secured` where the provider knows that.
    Secret(Secret),
}
