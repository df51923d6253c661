//! String helpers: truncating and escaping untrusted text, and finding the nearest name.

pub(crate) mod nearest;
pub(crate) mod untrusted;
