//! Texts: how those from outside are cut and made visible, and which name was meant.

pub(crate) mod nearest;
pub(crate) mod untrusted;
