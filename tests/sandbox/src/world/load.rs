//! A world for load tests: any number of equal repositories, alternating between the providers. For a few different
//! ones see `demo`.

use super::{
    BitbucketRepository, BitbucketToken, GitHubRepository, GitHubToken, GitLabProject, GitLabToken,
    Provider, Role, Workflow, World,
};

/// The workflow of each GitHub repository; also has a `workflow_dispatch` trigger.
pub const WORKFLOW: &str = "build.yml";
/// The event type of that workflow. The title of such a run contains the marker.
pub const EVENT_TYPE: &str = "deploy";

/// The tokens that start and read the pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// One token for all repositories of a provider.
    Shared,
    /// One token for each repository.
    Own,
}

/// A repository with the branch `main` and a pipeline for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub provider: Provider,
    pub repository: String,
    /// Has the minimum permissions.
    pub token: String,
}

/// Returns the first `count` targets, the same in every call.
pub fn targets(count: usize, tokens: Tokens) -> impl Iterator<Item = Target> {
    let providers = [Provider::GitHub, Provider::GitLab, Provider::Bitbucket];
    let providers = providers.into_iter().cycle().take(count);
    providers
        .enumerate()
        .map(move |(index, provider)| Target::new(provider, index, tokens))
}

impl Target {
    fn new(provider: Provider, index: usize, tokens: Tokens) -> Self {
        let (owner, prefix) = match provider {
            Provider::GitHub => ("octo-org", "ghp_"),
            Provider::GitLab => ("octo-group", "glpat-"),
            Provider::Bitbucket => ("octo-workspace", "ATCTT3x"),
        };
        let suffix = match tokens {
            Tokens::Shared => "All".to_owned(),
            Tokens::Own => format!("{index:04}"),
        };
        Self {
            provider,
            repository: format!("{owner}/app-{index}"),
            token: format!("{prefix}sandboxLoad{suffix}"),
        }
    }
}

impl World {
    /// A world that contains only these [`targets`].
    pub fn for_load(count: usize, tokens: Tokens) -> Self {
        let ids = 1_u64..;
        targets(count, tokens)
            .zip(ids)
            .fold(Self::new(), |world, (target, id)| world.target(id, &target))
    }

    /// Adds a target. Its token is the same as the last one, which is extended, or a new one.
    fn target(mut self, id: u64, target: &Target) -> Self {
        let Target {
            provider,
            repository: name,
            token: value,
        } = target;
        match provider {
            Provider::GitHub => {
                let workflow = Workflow::new(id, WORKFLOW, "Build")
                    .on_workflow_dispatch()
                    .on_repository_dispatch(&[EVENT_TYPE])
                    .run_name("Build ${{ github.event.client_payload.trigger_id }}");
                let last = self.github.tokens.pop_if(|last| last.value == *value);
                let token =
                    last.unwrap_or_else(|| GitHubToken::classic(value, "octocat", &["repo"]));
                self.github_repository(GitHubRepository::new(id, name).workflow(workflow))
                    .github_token(token.for_repository(name))
            }
            Provider::GitLab => {
                let last = self.gitlab.tokens.pop_if(|last| last.value == *value);
                let token = last.unwrap_or_else(|| GitLabToken::new(value, "octavia", &["api"]));
                self.gitlab_project(GitLabProject::new(id, name))
                    .gitlab_token(token.member(name, Role::Developer))
            }
            Provider::Bitbucket => {
                let scopes = ["pipeline:write", "repository"];
                let last = self.bitbucket.tokens.pop_if(|last| last.value == *value);
                let token =
                    last.unwrap_or_else(|| BitbucketToken::access(value, "octo-bot", &scopes));
                self.bitbucket_repository(BitbucketRepository::new(name))
                    .bitbucket_token(token.for_repository(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_alternate_between_the_providers() {
        let world = World::for_load(7, Tokens::Own);
        assert_eq!(world.github.repositories.len(), 3);
        assert_eq!(world.gitlab.projects.len(), 2);
        assert_eq!(world.bitbucket.repositories.len(), 2);
        assert_eq!(world.github.tokens.len(), 3);
        let shared = World::for_load(7, Tokens::Shared);
        assert_eq!(shared.github.tokens.len(), 1);
        assert_eq!(shared.gitlab.tokens[0].roles.len(), 2);
    }
}
