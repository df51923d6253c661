//! Text that must not be seen. It cannot be printed by accident: there is no `Debug` and no `Display`.

/// A credential or a secret variable's value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A token, if it can be one: it becomes a header's value.
    pub(crate) fn token(text: &str) -> Option<Self> {
        let can_travel = text.bytes().all(|byte| byte.is_ascii_graphic());
        can_travel.then(|| Self::new(text))
    }

    /// The text itself: for the wire, for masks, never for a message.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}
