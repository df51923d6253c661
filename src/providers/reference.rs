//! Git refs: branches and tags, with and without `refs/heads/` or `refs/tags/`.

pub(crate) const BRANCHES: &str = "refs/heads/";
pub(crate) const TAGS: &str = "refs/tags/";

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reference {
    Branch(String),
    Tag(String),
    /// A bare name. The provider resolves it to a branch or tag.
    Named(String),
}

impl Reference {
    /// Without `refs/heads/` or `refs/tags/`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::Named(name) => name,
        }
    }

    /// The ref as it was given. GitHub and GitLab resolve a full ref to exactly that branch or tag.
    pub(crate) fn full(&self) -> String {
        match self {
            Self::Branch(name) => format!("{BRANCHES}{name}"),
            Self::Tag(name) => format!("{TAGS}{name}"),
            Self::Named(name) => name.clone(),
        }
    }
}

/// Strips `refs/heads/` or `refs/tags/`, as GitHub and GitLab do when they show a run.
pub(crate) fn short_name(reference: &str) -> &str {
    let short = reference.strip_prefix(BRANCHES);
    short
        .or_else(|| reference.strip_prefix(TAGS))
        .unwrap_or(reference)
}

/// Whether runs of two refs could be mistaken for each other. `None` is the default branch, which may have any name. A
/// run shows only the short name of its ref, so a branch and a tag with the same name look alike.
pub(super) fn may_be_same(one: Option<&Reference>, other: Option<&Reference>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.name() == other.name(),
        (None, _) | (_, None) => true,
    }
}

/// Hexadecimal digits of a commit's full hash.
pub(crate) const COMMIT_LENGTH: usize = 40;

/// Whether this is a commit's full hash.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == COMMIT_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
