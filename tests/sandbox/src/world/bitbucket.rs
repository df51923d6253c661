//! The Bitbucket part of the world: repositories and tokens.

use std::sync::Arc;

use super::Git;
use super::github::owned;

#[derive(Clone, Debug, Default)]
pub struct Bitbucket {
    pub repositories: Vec<BitbucketRepository>,
    pub tokens: Vec<BitbucketToken>,
    /// Whether the server fails with 500 for a tag target that doesn't name its commit; false by default.
    pub fails_for_tags_without_commit: bool,
}

/// A private repository, visible only to tokens that include it.
#[derive(Clone, Debug)]
pub struct BitbucketRepository {
    /// `workspace/repo`
    pub name: String,
    pub git: Git,
    pub custom_pipelines: Vec<String>,
    pub branch_pipelines: BranchPipelines,
}

/// Branches and tags for which `bitbucket-pipelines.yml` defines a pipeline, if no custom pipeline is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchPipelines {
    /// The file has a `default` pipeline.
    Every,
    Only(Vec<String>),
}

#[derive(Clone, Debug)]
pub struct BitbucketToken {
    pub value: String,
    /// The display name of its account.
    pub owner: String,
    pub kind: BitbucketTokenKind,
    pub scopes: Vec<String>,
    /// Repositories it can access. Shared by all copies of the token: each call has one.
    pub repositories: Arc<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BitbucketTokenKind {
    /// Belongs to a repository, project or workspace; sent as Bearer.
    Access,
    /// Belongs to a person; sent as Basic with the email address.
    Api { email: String },
}

impl BitbucketRepository {
    /// A repository with the default branch `main` and a pipeline for every branch.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            git: Git::new("main"),
            custom_pipelines: Vec::new(),
            branch_pipelines: BranchPipelines::Every,
        }
    }

    #[must_use]
    pub fn branch(mut self, name: &str) -> Self {
        self.git.add_branch(name);
        self
    }

    #[must_use]
    pub fn tag(mut self, name: &str) -> Self {
        self.git.add_tag(name);
        self
    }

    #[must_use]
    pub fn commit(mut self, hash: &str) -> Self {
        self.git.commits.push(hash.to_owned());
        self
    }

    #[must_use]
    pub fn custom_pipeline(mut self, name: &str) -> Self {
        self.custom_pipelines.push(name.to_owned());
        self
    }

    /// Defines pipelines for these branches and tags only.
    #[must_use]
    pub fn pipelines_only_for(mut self, names: &[&str]) -> Self {
        self.branch_pipelines = BranchPipelines::Only(owned(names));
        self
    }

    pub(crate) fn has_pipeline_for(&self, reference: &str) -> bool {
        match &self.branch_pipelines {
            BranchPipelines::Every => true,
            BranchPipelines::Only(names) => names.iter().any(|name| name == reference),
        }
    }
}

impl BitbucketToken {
    /// `ATCTT3x…`
    pub fn access(value: &str, owner: &str, scopes: &[&str]) -> Self {
        Self::new(value, owner, BitbucketTokenKind::Access, scopes)
    }

    /// `ATATT3x…`
    pub fn api(value: &str, owner: &str, email: &str, scopes: &[&str]) -> Self {
        let email = email.to_owned();
        Self::new(value, owner, BitbucketTokenKind::Api { email }, scopes)
    }

    fn new(value: &str, owner: &str, kind: BitbucketTokenKind, scopes: &[&str]) -> Self {
        Self {
            value: value.to_owned(),
            owner: owner.to_owned(),
            kind,
            scopes: owned(scopes),
            repositories: Arc::default(),
        }
    }

    #[must_use]
    pub fn for_repository(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.repositories).push(name.to_owned());
        self
    }
}
