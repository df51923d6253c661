//! The GitHub part of the world: repositories and workflows. Tokens and Apps are in `github_identity`.

use std::sync::Arc;
use std::time::Duration;

use super::{CommitStatus, Git, GitHubApp, GitHubToken};

/// The prefix of minted installation tokens.
pub(crate) const MINTED_PREFIX: &str = "ghs_sandboxMinted";

#[derive(Clone, Debug)]
pub struct GitHub {
    pub repositories: Vec<GitHubRepository>,
    pub tokens: Vec<GitHubToken>,
    pub apps: Vec<GitHubApp>,
    /// All commit statuses, in the order in which they were set.
    pub statuses: Vec<CommitStatus>,
    pub run_details: RunDetails,
    pub missing_permission: MissingPermission,
    /// Lifetime of minted installation tokens; an hour by default.
    pub token_lifetime: Duration,
    /// Whether the API has `concurrency_groups` of runs; true by default.
    pub has_concurrency_groups: bool,
    /// Age at which a run appears in filtered lists, which come from a search index; zero by default.
    pub search_lag: Duration,
    /// Number of requests that counted against the rate limit.
    pub requests: u64,
    /// Number of installation tokens minted so far.
    pub minted: u64,
}

impl Default for GitHub {
    fn default() -> Self {
        Self {
            repositories: Vec::new(),
            tokens: Vec::new(),
            apps: Vec::new(),
            statuses: Vec::new(),
            run_details: RunDetails::default(),
            missing_permission: MissingPermission::default(),
            token_lifetime: Duration::from_hours(1),
            has_concurrency_groups: true,
            search_lag: Duration::ZERO,
            requests: 0,
            minted: 0,
        }
    }
}

impl GitHub {
    /// Renames a repository, also in tokens and installations; the former name redirects.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        for repository in &mut self.repositories {
            if repository.name == from {
                to.clone_into(&mut repository.name);
                repository.former_names.push(from.to_owned());
            }
        }
        for status in &mut self.statuses {
            if status.repository == from {
                to.clone_into(&mut status.repository);
            }
        }
        let installations = self.apps.iter_mut().flat_map(|app| &mut app.installations);
        for installation in installations {
            rename(&mut installation.repositories, from, to);
        }
        for token in &mut self.tokens {
            let repositories: &mut Vec<String> = Arc::make_mut(&mut token.repositories);
            rename(repositories, from, to);
        }
    }

    /// Returns the minted installation tokens that haven't been revoked, including expired ones.
    pub fn minted_tokens(&self) -> Vec<&str> {
        let values = self.tokens.iter().map(|token| token.value.as_str());
        values
            .filter(|value| value.starts_with(MINTED_PREFIX))
            .collect()
    }
}

fn rename(names: &mut [String], from: &str, to: &str) {
    for name in names.iter_mut().filter(|name| *name == from) {
        to.clone_into(name);
    }
}

/// How the server handles the key `return_run_details`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunDetails {
    #[default]
    Known,
    /// Returns the run's id without its URLs.
    IdOnly,
    /// Like GitHub Enterprise Server before 3.21: this status (400 or 422), and a message that names the key.
    RejectedWith(u16),
    /// Like an API version without the key, in which every dispatch returns its run.
    Always,
}

/// The response to a token that lacks the permission for a visible repository. GitHub uses both statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingPermission {
    /// 404 for classic tokens, 403 for all others.
    #[default]
    ByKind,
    Forbidden,
    NotFound,
}

#[derive(Clone, Debug)]
pub struct GitHubRepository {
    pub id: u64,
    /// `owner/name`
    pub name: String,
    /// Former names, which redirect to the canonical URL.
    pub former_names: Vec<String>,
    pub private: bool,
    pub git: Git,
    pub workflows: Vec<Workflow>,
}

impl GitHubRepository {
    /// An empty public repository with the default branch `main`.
    pub fn new(id: u64, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            former_names: Vec::new(),
            private: false,
            git: Git::new("main"),
            workflows: Vec::new(),
        }
    }

    #[must_use]
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    #[must_use]
    pub fn formerly(mut self, name: &str) -> Self {
        self.former_names.push(name.to_owned());
        self
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

    /// Adds a commit that no branch or tag points to, such as the head of a pull request.
    #[must_use]
    pub fn commit(mut self, hash: &str) -> Self {
        self.git.commits.push(hash.to_owned());
        self
    }

    #[must_use]
    pub fn workflow(mut self, workflow: Workflow) -> Self {
        self.workflows.push(workflow);
        self
    }
}

#[derive(Clone, Debug)]
pub struct Workflow {
    pub id: u64,
    /// The file name, such as `build.yml`.
    pub file: String,
    pub name: String,
    pub state: WorkflowState,
    pub repository_dispatch: EventTypes,
    /// Inputs of its `workflow_dispatch` trigger; `None` if it has no such trigger.
    pub workflow_dispatch: Option<Vec<WorkflowInput>>,
    /// If false, only other branches have it, so the API can't start it.
    pub on_default_branch: bool,
    /// Its `run-name`, in which `${{ a || b }}` may contain `inputs.X`, `github.event.action`,
    /// `github.event.client_payload.X` and 'literals'.
    pub run_name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkflowState {
    Active,
    DisabledManually,
}

/// The `repository_dispatch` event types that start a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTypes {
    None,
    Only(Vec<String>),
    All,
}

#[derive(Clone, Debug)]
pub struct WorkflowInput {
    pub name: String,
    pub required: bool,
    pub default: Option<String>,
}

impl Workflow {
    /// An active workflow on the default branch, without triggers.
    pub fn new(id: u64, file: &str, name: &str) -> Self {
        Self {
            id,
            file: file.to_owned(),
            name: name.to_owned(),
            state: WorkflowState::Active,
            repository_dispatch: EventTypes::None,
            workflow_dispatch: None,
            on_default_branch: true,
            run_name: None,
        }
    }

    #[must_use]
    pub fn on_repository_dispatch(mut self, types: &[&str]) -> Self {
        self.repository_dispatch = EventTypes::Only(owned(types));
        self
    }

    #[must_use]
    pub fn on_every_repository_dispatch(mut self) -> Self {
        self.repository_dispatch = EventTypes::All;
        self
    }

    /// Adds a `workflow_dispatch` trigger.
    #[must_use]
    pub fn on_workflow_dispatch(mut self) -> Self {
        self.workflow_dispatch.get_or_insert_default();
        self
    }

    /// Adds an input to the `workflow_dispatch` trigger, and the trigger if it has none.
    #[must_use]
    pub fn input(mut self, name: &str, required: bool, default: Option<&str>) -> Self {
        let inputs = self.workflow_dispatch.get_or_insert_default();
        inputs.push(WorkflowInput {
            name: name.to_owned(),
            required,
            default: default.map(str::to_owned),
        });
        self
    }

    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.state = WorkflowState::DisabledManually;
        self
    }

    #[must_use]
    pub fn not_on_default_branch(mut self) -> Self {
        self.on_default_branch = false;
        self
    }

    #[must_use]
    pub fn run_name(mut self, template: &str) -> Self {
        self.run_name = Some(template.to_owned());
        self
    }

    pub(crate) fn listens_to(&self, event_type: &str) -> bool {
        match &self.repository_dispatch {
            EventTypes::None => false,
            EventTypes::Only(types) => types.iter().any(|known| known == event_type),
            EventTypes::All => true,
        }
    }
}

pub(super) fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
