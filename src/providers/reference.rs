//! Refs: branches and tags, and the forms in which providers write them.

/// How the full refs of branches begin.
pub(crate) const BRANCHES: &str = "refs/heads/";
/// How the full refs of tags begin.
pub(crate) const TAGS: &str = "refs/tags/";

/// A branch or tag.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reference {
    Branch(String),
    Tag(String),
    /// A bare name: which of the two, the provider knows.
    Named(String),
}

impl Reference {
    /// Without `refs/heads/` or `refs/tags/`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::Named(name) => name,
        }
    }

    /// As it was written. GitHub and GitLab resolve a full ref to just that branch or tag.
    pub(crate) fn full(&self) -> String {
        match self {
            Self::Branch(name) => format!("{BRANCHES}{name}"),
            Self::Tag(name) => format!("{TAGS}{name}"),
            Self::Named(name) => name.clone(),
        }
    }
}

/// A ref's name without `refs/heads/` or `refs/tags/`, as GitHub and GitLab show it for a run.
pub(crate) fn short_name(reference: &str) -> &str {
    let short = reference.strip_prefix(BRANCHES);
    short
        .or_else(|| reference.strip_prefix(TAGS))
        .unwrap_or(reference)
}

/// Whether two refs may be the same. None is the default branch, whichever that is. A run shows only the short name of its
/// ref, so a branch and a tag of the same name look alike.
pub(super) fn may_be_same(one: Option<&Reference>, other: Option<&Reference>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.name() == other.name(),
        (None, _) | (_, None) => true,
    }
}
