//! The GitLab part of the world: projects, trigger tokens and access tokens.

use std::sync::Arc;

use serde_json::Value;

use super::Git;
use super::github::owned;

#[derive(Clone, Debug, Default)]
pub struct GitLab {
    pub projects: Vec<GitLabProject>,
    pub tokens: Vec<GitLabToken>,
    pub version: GitLabVersion,
    /// Maximum number of pipelines created per project and minute; unlimited if `None`.
    pub max_pipelines_a_minute: Option<usize>,
}

/// Differences between server versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GitLabVersion {
    /// Has `trigger_jobs` as well as `bridges`, and supports `byte_offset` for traces.
    #[default]
    New,
    /// Has only `bridges`, and always sends the whole trace.
    Old,
}

#[derive(Clone, Debug)]
pub struct GitLabProject {
    pub id: u64,
    /// `group/sub/project`
    pub path: String,
    /// Paths from before it moved: `GET` is redirected, everything else refused.
    pub former_paths: Vec<String>,
    pub visibility: Visibility,
    pub git: Git,
    /// Refs on which only maintainers may run pipelines.
    pub protected: Vec<String>,
    pub trigger_tokens: Vec<TriggerToken>,
    pub pipeline_variables: PipelineVariables,
    pub configuration: Configuration,
    /// Inputs declared in `.gitlab-ci.yml`.
    pub inputs: Vec<PipelineInput>,
    /// Its `workflow: name:`, in which `$X` and `${X}` are variables of the request, and `$[[ inputs.X ]]` inputs.
    pub pipeline_name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    Public,
    Private,
}

/// Whether pipeline variables are allowed. New namespaces on gitlab.com forbid them by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineVariables {
    Allowed,
    Forbidden,
}

/// The effect of `.gitlab-ci.yml` on a new pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Configuration {
    Runs,
    /// Its `rules` exclude every job.
    NoJobs,
    NoStages,
    /// It is invalid, with this error message. A trigger token still creates a pipeline, which has failed.
    Invalid(String),
}

#[derive(Clone, Debug)]
pub struct PipelineInput {
    pub name: String,
    pub kind: InputKind,
    /// If `None`, the input is required.
    pub default: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    String,
    Number,
    Boolean,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Guest,
    Reporter,
    Developer,
    Maintainer,
}

/// A `glptt-…` token: acts as its owner, with the owner's role in the project.
#[derive(Clone, Debug)]
pub struct TriggerToken {
    pub value: String,
    pub owner: String,
    pub role: Role,
}

/// A `glpat-…` token.
#[derive(Clone, Debug)]
pub struct GitLabToken {
    pub value: String,
    pub owner: String,
    pub scopes: Vec<String>,
    /// Project paths with the owner's role. Shared by all copies of the token: each call has one.
    pub roles: Arc<Vec<(String, Role)>>,
}

impl GitLabProject {
    /// An empty public project with the default branch `main`.
    pub fn new(id: u64, path: &str) -> Self {
        Self {
            id,
            path: path.to_owned(),
            former_paths: Vec::new(),
            visibility: Visibility::Public,
            git: Git::new("main"),
            protected: Vec::new(),
            trigger_tokens: Vec::new(),
            pipeline_variables: PipelineVariables::Allowed,
            configuration: Configuration::Runs,
            inputs: Vec::new(),
            pipeline_name: None,
        }
    }

    #[must_use]
    pub fn formerly(mut self, path: &str) -> Self {
        self.former_paths.push(path.to_owned());
        self
    }

    #[must_use]
    pub fn private(mut self) -> Self {
        self.visibility = Visibility::Private;
        self
    }

    #[must_use]
    pub fn branch(mut self, name: &str) -> Self {
        self.git.add_branch(name);
        self
    }

    #[must_use]
    pub fn protected_branch(mut self, name: &str) -> Self {
        self.protected.push(name.to_owned());
        self.branch(name)
    }

    #[must_use]
    pub fn tag(mut self, name: &str) -> Self {
        self.git.add_tag(name);
        self
    }

    #[must_use]
    pub fn trigger_token(mut self, value: &str, owner: &str, role: Role) -> Self {
        self.trigger_tokens.push(TriggerToken {
            value: value.to_owned(),
            owner: owner.to_owned(),
            role,
        });
        self
    }

    #[must_use]
    pub fn forbids_variables(mut self) -> Self {
        self.pipeline_variables = PipelineVariables::Forbidden;
        self
    }

    #[must_use]
    pub fn configuration(mut self, configuration: Configuration) -> Self {
        self.configuration = configuration;
        self
    }

    #[must_use]
    pub fn pipeline_name(mut self, template: &str) -> Self {
        self.pipeline_name = Some(template.to_owned());
        self
    }

    pub(crate) fn protects(&self, reference: &str) -> bool {
        self.protected.iter().any(|name| name == reference)
    }

    #[must_use]
    pub fn input(mut self, name: &str, kind: InputKind, default: Option<Value>) -> Self {
        self.inputs.push(PipelineInput {
            name: name.to_owned(),
            kind,
            default,
        });
        self
    }
}

impl GitLabToken {
    pub fn new(value: &str, owner: &str, scopes: &[&str]) -> Self {
        Self {
            value: value.to_owned(),
            owner: owner.to_owned(),
            scopes: owned(scopes),
            roles: Arc::default(),
        }
    }

    #[must_use]
    pub fn member(mut self, project: &str, role: Role) -> Self {
        Arc::make_mut(&mut self.roles).push((project.to_owned(), role));
        self
    }

    pub(crate) fn role_in(&self, project: &str) -> Option<Role> {
        self.roles
            .iter()
            .find_map(|(path, role)| (path == project).then_some(*role))
    }
}
