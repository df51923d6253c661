//! Branches, tags and commits of one repository. It has no files: the world defines the workflows.

use ring::digest;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefKind {
    Branch,
    Tag,
}

impl RefKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Tag => "tag",
        }
    }
}

/// Refs with the hashes of the commits they point to.
#[derive(Clone, Debug)]
pub struct Git {
    pub default_branch: String,
    pub branches: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    /// Commits that no ref points to.
    pub commits: Vec<String>,
}

/// An existing branch or tag.
pub(crate) struct Resolved<'a> {
    pub(crate) kind: RefKind,
    /// Without `refs/…/`.
    pub(crate) name: &'a str,
    pub(crate) commit: &'a str,
}

impl Git {
    pub fn new(default_branch: &str) -> Self {
        Self {
            default_branch: default_branch.to_owned(),
            branches: vec![(default_branch.to_owned(), commit_hash(default_branch))],
            tags: Vec::new(),
            commits: Vec::new(),
        }
    }

    pub(crate) fn add_branch(&mut self, name: &str) {
        self.branches.push((name.to_owned(), commit_hash(name)));
    }

    pub(crate) fn add_tag(&mut self, name: &str) {
        self.tags.push((name.to_owned(), commit_hash(name)));
    }

    /// Returns the commit that a branch or tag points to.
    pub fn commit_of(&self, kind: RefKind, name: &str) -> Option<&str> {
        let references = match kind {
            RefKind::Branch => &self.branches,
            RefKind::Tag => &self.tags,
        };
        references
            .iter()
            .find_map(|(known, commit)| (known == name).then_some(commit.as_str()))
    }

    /// Resolves a ref as GitHub and GitLab do: a full ref, like `refs/tags/v1`, is only that branch or tag; a bare name
    /// is the branch of that name, or else the tag.
    pub(crate) fn resolve<'a>(&'a self, reference: &'a str) -> Option<Resolved<'a>> {
        let resolved = |kind, name| {
            let commit = self.commit_of(kind, name)?;
            Some(Resolved { kind, name, commit })
        };
        if let Some(name) = reference.strip_prefix("refs/heads/") {
            resolved(RefKind::Branch, name)
        } else if let Some(name) = reference.strip_prefix("refs/tags/") {
            resolved(RefKind::Tag, name)
        } else {
            resolved(RefKind::Branch, reference).or_else(|| resolved(RefKind::Tag, reference))
        }
    }

    /// Whether both a branch and a tag have this bare name.
    pub(crate) fn is_ambiguous(&self, name: &str) -> bool {
        [RefKind::Branch, RefKind::Tag]
            .into_iter()
            .all(|kind| self.commit_of(kind, name).is_some())
    }

    pub(crate) fn knows_commit(&self, hash: &str) -> bool {
        let pointed_to = self
            .branches
            .iter()
            .chain(&self.tags)
            .map(|(_, commit)| commit);
        pointed_to.chain(&self.commits).any(|commit| commit == hash)
    }
}

/// Returns a fake hash of 40 hexadecimal digits, always the same for the same name.
fn commit_hash(name: &str) -> String {
    use std::fmt::Write as _;
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    digest.as_ref()[..20]
        .iter()
        .fold(String::new(), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        })
}
