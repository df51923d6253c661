//! The world behind the three APIs: what there is, who may see it, and what was started. Tests build one, hand it
//! to the sandbox and read it at the end. Not here: the APIs themselves (see `provider`).

mod bitbucket;
pub mod demo;
mod git;
mod github;
mod github_identity;
mod gitlab;
mod run;

use std::fmt;

pub use bitbucket::{
    Bitbucket, BitbucketRepository, BitbucketToken, BitbucketTokenKind, BranchPipelines,
};
pub use git::{Git, RefKind};
pub use github::{
    Github, GithubRepository, Listens, MissingPermission, RunDetails, Workflow, WorkflowInput,
    WorkflowState,
};
pub use github_identity::{
    Access, GithubApp, GithubToken, GithubTokenKind, Installation, Permissions,
};
pub use gitlab::{
    Configuration, Gitlab, GitlabProject, GitlabToken, InputKind, PipelineInput, PipelineVariables,
    Role, TriggerToken, Visibility,
};
pub use run::{Conclusion, Run, State, Variable, VariableKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    Github,
    Gitlab,
    Bitbucket,
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Bitbucket => "bitbucket",
        })
    }
}

/// All there is. Empty to begin with; the methods that take `self` are for building.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub github: Github,
    pub gitlab: Gitlab,
    pub bitbucket: Bitbucket,
    /// Everything that was started, in order.
    pub runs: Vec<Run>,
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn github_repository(mut self, repository: GithubRepository) -> Self {
        self.github.repositories.push(repository);
        self
    }

    #[must_use]
    pub fn github_token(mut self, token: GithubToken) -> Self {
        self.github.tokens.push(token);
        self
    }

    #[must_use]
    pub fn github_app(mut self, app: GithubApp) -> Self {
        self.github.apps.push(app);
        self
    }

    #[must_use]
    pub fn gitlab_project(mut self, project: GitlabProject) -> Self {
        self.gitlab.projects.push(project);
        self
    }

    #[must_use]
    pub fn gitlab_token(mut self, token: GitlabToken) -> Self {
        self.gitlab.tokens.push(token);
        self
    }

    #[must_use]
    pub fn bitbucket_repository(mut self, repository: BitbucketRepository) -> Self {
        self.bitbucket.repositories.push(repository);
        self
    }

    #[must_use]
    pub fn bitbucket_token(mut self, token: BitbucketToken) -> Self {
        self.bitbucket.tokens.push(token);
        self
    }

    /// Gives the run its id and number, and keeps it.
    pub(crate) fn start(&mut self, mut run: Run) -> Run {
        let first_id = match run.provider {
            Provider::Github => 9_000_000_001,
            Provider::Gitlab => 70_001,
            Provider::Bitbucket => 1,
        };
        run.id = first_id + self.runs.len() as u64;
        run.number = 1 + self
            .runs
            .iter()
            .rev()
            .find(|earlier| earlier.counts_with(&run))
            .map_or(0, |earlier| earlier.number);
        self.runs.push(run.clone());
        run
    }

    pub(crate) fn runs_of(
        &self,
        provider: Provider,
        repository: &str,
    ) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs
            .iter()
            .filter(move |run| run.provider == provider && run.repository == repository)
    }

    pub(crate) fn run_mut(
        &mut self,
        provider: Provider,
        repository: &str,
        wanted: impl Fn(&Run) -> bool,
    ) -> Option<&mut Run> {
        self.runs
            .iter_mut()
            .find(|run| run.provider == provider && run.repository == repository && wanted(run))
    }
}
