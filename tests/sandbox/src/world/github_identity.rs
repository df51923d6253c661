//! Who there is on GitHub: tokens and Apps, with what they may do. Not here: how they are checked (see `provider`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::github::owned;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Read,
    Write,
}

/// What a token may do, by GitHub's names: `contents`, `actions`, `metadata`, …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(pub BTreeMap<String, Access>);

impl Permissions {
    pub fn new(permissions: &[(&str, Access)]) -> Self {
        let pairs = permissions
            .iter()
            .map(|(name, access)| ((*name).to_owned(), *access));
        Self(pairs.collect())
    }

    pub(crate) fn cover(&self, name: &str, access: Access) -> bool {
        self.0.get(name).is_some_and(|granted| *granted >= access)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

#[derive(Clone, Debug)]
pub struct GitHubToken {
    pub value: String,
    /// The login it acts as.
    pub owner: String,
    pub kind: GitHubTokenKind,
    /// Where its rights hold; public repositories can be read without. Each call has a copy of its token, and all
    /// copies share them.
    pub repositories: Arc<Vec<String>>,
    pub expires_at: Option<SystemTime>,
}

#[derive(Clone, Debug)]
pub enum GitHubTokenKind {
    Classic {
        scopes: Vec<String>,
    },
    FineGrained {
        permissions: Permissions,
    },
    /// A workflow's own token, or one minted for an installation of an App.
    Installation {
        permissions: Permissions,
    },
}

impl GitHubToken {
    /// `ghp_…`
    pub fn classic(value: &str, owner: &str, scopes: &[&str]) -> Self {
        let scopes = owned(scopes);
        Self::new(value, owner, GitHubTokenKind::Classic { scopes })
    }

    /// `github_pat_…`
    pub fn fine_grained(value: &str, owner: &str, permissions: &[(&str, Access)]) -> Self {
        let permissions = Permissions::new(permissions);
        Self::new(value, owner, GitHubTokenKind::FineGrained { permissions })
    }

    /// `ghs_…`, the token of a workflow of that repository, with write permissions for contents and actions.
    pub fn workflow(value: &str, repository: &str) -> Self {
        let permissions = Permissions::new(&[
            ("actions", Access::Write),
            ("contents", Access::Write),
            ("metadata", Access::Read),
        ]);
        let kind = GitHubTokenKind::Installation { permissions };
        Self::new(value, "github-actions[bot]", kind).for_repository(repository)
    }

    pub(crate) fn new(value: &str, owner: &str, kind: GitHubTokenKind) -> Self {
        Self {
            value: value.to_owned(),
            owner: owner.to_owned(),
            kind,
            repositories: Arc::default(),
            expires_at: None,
        }
    }

    #[must_use]
    pub fn for_repository(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.repositories).push(name.to_owned());
        self
    }
}

#[derive(Clone, Debug)]
pub struct GitHubApp {
    pub id: u64,
    pub client_id: String,
    pub slug: String,
    /// `BEGIN RSA PUBLIC KEY` (PKCS#1).
    pub public_key_pem: String,
    pub installations: Vec<Installation>,
}

/// An App on the account that owns these repositories.
#[derive(Clone, Debug)]
pub struct Installation {
    pub id: u64,
    pub repositories: Vec<String>,
    pub permissions: Permissions,
}
