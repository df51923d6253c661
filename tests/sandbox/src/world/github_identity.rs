//! GitHub's tokens and Apps with their permissions. `provider` checks them.

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

/// Permissions of a token, by GitHub's names: `contents`, `actions`, `metadata`, …
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
    /// The login of its user or bot.
    pub owner: String,
    pub kind: GitHubTokenKind,
    /// Repositories it can access; anyone can read public ones. Shared by all copies of the token: each call has one.
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
    /// A `GITHUB_TOKEN`, or a token minted for an App's installation.
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

    /// `ghs_…`: the `GITHUB_TOKEN` of a workflow in that repository, with write permissions for contents and actions.
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

    /// Grants a permission. Classic tokens have scopes instead, and stay as they are.
    pub(super) fn grant(&mut self, name: &str, access: Access) {
        match &mut self.kind {
            GitHubTokenKind::Classic { .. } => {}
            GitHubTokenKind::FineGrained { permissions }
            | GitHubTokenKind::Installation { permissions } => {
                permissions.0.insert(name.to_owned(), access);
            }
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

/// An App's installation on the account that owns these repositories.
#[derive(Clone, Debug)]
pub struct Installation {
    pub id: u64,
    pub repositories: Vec<String>,
    pub permissions: Permissions,
}
