//! For the tests beside the code.

pub(crate) mod arbitrary;
