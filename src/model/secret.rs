//! Strings that must not be printed. Without `Debug` and `Display`, they can't be printed by accident.

/// A credential, or the value of a secret variable.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Creates a token. Returns `None` if the text can't be a header value.
    pub(crate) fn token(text: &str) -> Option<Self> {
        let can_travel = text.bytes().all(|byte| byte.is_ascii_graphic());
        can_travel.then(|| Self::new(text))
    }

    /// Returns the secret, for requests and masks, never for messages.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}
