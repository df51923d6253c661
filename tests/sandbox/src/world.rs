//! The world behind the three APIs: repositories, tokens and runs. Tests build a world, pass it to the sandbox and
//! inspect it at the end. The APIs are in `provider`.

mod bitbucket;
mod caller;
mod commit_status;
pub mod demo;
mod examples;
mod git;
mod github;
mod github_identity;
mod gitlab;
pub mod load;
mod progress;
mod rerun;
mod run;
mod scenario;
mod stranger;

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::clock::Clock;

pub use bitbucket::{
    Bitbucket, BitbucketRepository, BitbucketToken, BitbucketTokenKind, BranchPipelines,
};
pub use commit_status::{CommitStatus, StatusState};
pub use git::{Git, RefKind};
pub(crate) use github::MINTED_PREFIX;
pub use github::{
    EventTypes, GitHub, GitHubRepository, MissingPermission, RunDetails, Workflow, WorkflowInput,
    WorkflowState,
};
pub use github_identity::{
    Access, GitHubApp, GitHubToken, GitHubTokenKind, Installation, Permissions,
};
pub use gitlab::{
    Configuration, GitLab, GitLabProject, GitLabToken, GitLabVersion, InputKind, PipelineInput,
    PipelineVariables, Role, TriggerToken, Visibility,
};
pub use progress::{Job, JobState};
pub use run::{Conclusion, Run, State, Variable, VariableKind};
pub(crate) use scenario::Gate;
pub use scenario::{Artifact, Delays, Digest, JobScenario, Log, OnCancel, Scenario};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    GitHub,
    GitLab,
    Bitbucket,
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Bitbucket => "bitbucket",
        })
    }
}

/// The state behind the APIs. Starts empty; the methods that take `self` build it.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub github: GitHub,
    pub gitlab: GitLab,
    pub bitbucket: Bitbucket,
    /// All runs, in the order of their start.
    pub runs: Vec<Run>,
    pub clock: Clock,
    /// Scheme, host and port of all links, for a server that is reached by a different name than its own. If `None`,
    /// links use the origin of the request.
    pub external_url: Option<String>,
    /// Scenarios of runs; the last match applies.
    scenarios: Vec<(Pipeline, Scenario)>,
    /// Users who each start the same pipeline whenever a run is triggered.
    strangers: Vec<String>,
    /// Number of runs started so far, for their ids.
    started: u64,
}

/// A filter for pipelines: without a name, all pipelines of the provider.
#[derive(Clone, Debug)]
struct Pipeline {
    provider: Provider,
    name: Option<(String, String)>,
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn github_repository(mut self, repository: GitHubRepository) -> Self {
        self.github.repositories.push(repository);
        self
    }

    #[must_use]
    pub fn github_token(mut self, token: GitHubToken) -> Self {
        self.github.tokens.push(token);
        self
    }

    /// Grants a permission to a GitHub token of this world that isn't classic, such as `statuses` to a `GITHUB_TOKEN`.
    #[must_use]
    pub fn grant(mut self, token: &str, permission: &str, access: Access) -> Self {
        let mut tokens = self.github.tokens.iter_mut();
        if let Some(token) = tokens.find(|known| known.value == token) {
            token.grant(permission, access);
        }
        self
    }

    #[must_use]
    pub fn github_app(mut self, app: GitHubApp) -> Self {
        self.github.apps.push(app);
        self
    }

    #[must_use]
    pub fn gitlab_project(mut self, project: GitLabProject) -> Self {
        self.gitlab.projects.push(project);
        self
    }

    #[must_use]
    pub fn gitlab_token(mut self, token: GitLabToken) -> Self {
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

    /// Makes the clock run `speed` times as fast as the machine's.
    #[must_use]
    pub fn faster(mut self, speed: u32) -> Self {
        self.clock = self.clock.faster(speed);
        self
    }

    /// Sets the clock ahead of the machine's.
    #[must_use]
    pub fn ahead(mut self, ahead: Duration) -> Self {
        self.clock = self.clock.ahead(ahead);
        self
    }

    /// Sets the clock behind the machine's.
    #[must_use]
    pub fn behind(mut self, behind: Duration) -> Self {
        self.clock = self.clock.behind(behind);
        self
    }

    /// Sets the scenario of every run of the provider.
    #[must_use]
    pub fn scenario(mut self, provider: Provider, scenario: Scenario) -> Self {
        let pipeline = Pipeline {
            provider,
            name: None,
        };
        self.scenarios.push((pipeline, scenario));
        self
    }

    /// Sets the scenario of a pipeline's runs. The pipeline is a workflow's file name on GitHub, `.gitlab-ci.yml` on
    /// GitLab, and a custom pipeline's name or `default` on Bitbucket.
    #[must_use]
    pub fn scenario_of(
        mut self,
        provider: Provider,
        repository: &str,
        pipeline: &str,
        scenario: Scenario,
    ) -> Self {
        let pipeline = Pipeline {
            provider,
            name: Some((repository.to_owned(), pipeline.to_owned())),
        };
        self.scenarios.push((pipeline, scenario));
        self
    }

    /// Adds a run of each of these users just before every triggered run: of the same pipeline on the same ref, with
    /// its own marker if the triggered run has one.
    #[must_use]
    pub fn strangers(mut self, names: &[&str]) -> Self {
        self.strangers = github::owned(names);
        self
    }

    /// Starts the pipeline of the last run again, as another user.
    pub fn repeat_last_run_as(&mut self, name: &str) {
        let last = self.runs.last().cloned();
        if let Some(last) = last {
            self.add_run(last.into_strangers_run(name, 0));
        }
    }

    /// Displaces the last run, which waits in its concurrency group, by a similar one of another user.
    pub fn displace_last_run_as(&mut self, name: &str) {
        self.repeat_last_run_as(name);
        let mut runs = self.runs.iter_mut().rev().skip(1);
        if let Some(displaced) = runs.next() {
            displaced.is_displaced = true;
            displaced.position = None;
            displaced.complete(Conclusion::Cancelled);
        }
    }

    /// Renames a GitHub repository; the former name redirects.
    pub fn rename_github_repository(&mut self, from: &str, to: &str) {
        self.github.rename(from, to);
        for run in &mut self.runs {
            if run.provider == Provider::GitHub && run.repository == from {
                to.clone_into(&mut run.repository);
            }
        }
    }

    /// Starts a run as another user, without an API request.
    pub fn start_as(&mut self, name: &str, run: Run) {
        self.add_run(run.into_strangers_run(name, 0));
    }

    /// Sets a commit status, now and by its creator. Returns it with its id and time.
    pub fn add_status(&mut self, mut status: CommitStatus) -> CommitStatus {
        let statuses = &mut self.github.statuses;
        status.id = statuses.last().map_or(4_000_000_001, |last| last.id + 1);
        status.at = self.clock.now();
        statuses.push(status.clone());
        status
    }

    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Brings all runs up to date.
    pub(crate) fn refresh(&mut self) {
        let now = self.now();
        for run in self.runs.iter_mut().filter(|run| run.is_active()) {
            run.refresh(now);
        }
    }

    /// Approves the next job of a run that needs a person.
    pub fn approve(&mut self, provider: Provider, id: u64) {
        let now = self.now();
        for run in self.runs_by_id(provider, id) {
            run.approved_at.push(now);
            run.refresh(now);
        }
    }

    /// Re-runs all jobs of a GitHub run, as its next attempt. A run that hasn't ended fails first, as a caller's does.
    pub fn run_again(&mut self, id: u64) {
        let now = self.now();
        for run in self.runs_by_id(Provider::GitHub, id) {
            run.rerun(now);
        }
    }

    /// Deletes a run.
    pub fn delete_run(&mut self, provider: Provider, id: u64) {
        self.runs
            .retain(|run| run.provider != provider || run.id != id);
    }

    fn runs_by_id(&mut self, provider: Provider, id: u64) -> impl Iterator<Item = &mut Run> {
        let runs = self.runs.iter_mut();
        runs.filter(move |run| run.provider == provider && run.id == id)
    }

    /// Adds a triggered run, and the strangers' runs before it.
    pub(crate) fn start(&mut self, run: Run) -> Run {
        for (index, name) in self.strangers.clone().iter().enumerate() {
            let strangers_run = run.clone().into_strangers_run(name, index);
            self.add_run(strangers_run);
        }
        self.add_run(run)
    }

    /// Adds a run with its id, its number and its scenario.
    fn add_run(&mut self, mut run: Run) -> Run {
        let first_id = match run.provider {
            Provider::GitHub => 9_000_000_001,
            Provider::GitLab => 70_001,
            Provider::Bitbucket => 1,
        };
        run.id = first_id + self.started;
        self.started += 1;
        run.clock = self.clock;
        run.created_at = self.now();
        run.updated_at = run.created_at;
        // A run that was completed at creation has no scenario.
        if run.state != State::Completed {
            let mut scenarios = self.scenarios.iter().rev();
            let scenario = scenarios.find(|(pipeline, _)| pipeline.matches(&run));
            run.scenario = scenario.map(|(_, scenario)| scenario.clone());
            run.delays = run
                .scenario
                .as_ref()
                .map_or_else(Delays::default, |scenario| scenario.delays);
            run.refresh(run.created_at);
        }
        run.number = 1 + self
            .runs
            .iter()
            .rev()
            .find(|earlier| earlier.shares_numbers_with(&run))
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

impl Pipeline {
    fn matches(&self, run: &Run) -> bool {
        let is_named = |(repository, pipeline): &(String, String)| {
            *repository == run.repository && *pipeline == run.pipeline
        };
        self.provider == run.provider && self.name.as_ref().is_none_or(is_named)
    }
}
