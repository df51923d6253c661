//! A target of a step whose inputs are invalid.

/// What is known about a target that was never read, because its inputs or those of another target are invalid.
pub(crate) struct InvalidTarget {
    pub(crate) provider: Option<&'static str>,
    pub(crate) repository: Option<String>,
    /// What is wrong with it, or why it wasn't triggered although it's fine.
    pub(crate) error: String,
}
