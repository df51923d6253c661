//! A world of as many repositories as are wanted, of the three providers by turns: for whoever triggers many at
//! once. Not here: a few of each kind, with all their peculiarities (see `demo`).

use super::{
    BitbucketRepository, BitbucketToken, GitHubRepository, GitHubToken, GitLabProject, GitLabToken,
    Provider, Role, Workflow, World,
};

/// The workflow of each GitHub repository; it starts by `workflow_dispatch` too.
pub const WORKFLOW: &str = "build.yml";
/// What that workflow listens to. The title of such a run bears the marker.
pub const EVENT_TYPE: &str = "deploy";

/// Who may start and read the pipelines of a crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// One for all repositories of a provider.
    Shared,
    /// One for each repository.
    Own,
}

/// A repository of a crowd, with the branch `main` and a pipeline for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub provider: Provider,
    pub repository: String,
    /// All that is needed there, and no more.
    pub token: String,
}

/// The first so many, in their order.
pub fn members(count: usize, tokens: Tokens) -> impl Iterator<Item = Member> {
    let providers = [Provider::GitHub, Provider::GitLab, Provider::Bitbucket];
    let providers = providers.into_iter().cycle().take(count);
    providers
        .enumerate()
        .map(move |(index, provider)| Member::new(provider, index, tokens))
}

impl Member {
    fn new(provider: Provider, index: usize, tokens: Tokens) -> Self {
        let (owner, prefix) = match provider {
            Provider::GitHub => ("octo-org", "ghp_"),
            Provider::GitLab => ("octo-group", "glpat-"),
            Provider::Bitbucket => ("octo-workspace", "ATCTT3x"),
        };
        let whose = match tokens {
            Tokens::Shared => "All".to_owned(),
            Tokens::Own => format!("{index:04}"),
        };
        Self {
            provider,
            repository: format!("{owner}/app-{index}"),
            token: format!("{prefix}sandboxCrowd{whose}"),
        }
    }
}

impl World {
    /// A world of these [`members`] alone.
    pub fn crowd(count: usize, tokens: Tokens) -> Self {
        let ids = 1_u64..;
        members(count, tokens)
            .zip(ids)
            .fold(Self::new(), |world, (member, id)| world.member(id, &member))
    }

    fn member(self, id: u64, member: &Member) -> Self {
        let name = member.repository.as_str();
        match member.provider {
            Provider::GitHub => {
                let workflow = Workflow::new(id, WORKFLOW, "Build")
                    .on_workflow_dispatch()
                    .on_repository_dispatch(&[EVENT_TYPE])
                    .run_name("Build ${{ github.event.client_payload.trigger_id }}");
                self.github_repository(GitHubRepository::new(id, name).workflow(workflow))
                    .github_member(&member.token, name)
            }
            Provider::GitLab => self
                .gitlab_project(GitLabProject::new(id, name))
                .gitlab_member(&member.token, name),
            Provider::Bitbucket => self
                .bitbucket_repository(BitbucketRepository::new(name))
                .bitbucket_member(&member.token, name),
        }
    }

    /// Lets the token into the repository: the last one, or a new one.
    fn github_member(mut self, token: &str, repository: &str) -> Self {
        let last = self
            .github
            .tokens
            .pop_if(|last| last.value == token)
            .unwrap_or_else(|| GitHubToken::classic(token, "octocat", &["repo"]));
        self.github_token(last.for_repository(repository))
    }

    fn gitlab_member(mut self, token: &str, project: &str) -> Self {
        let last = self
            .gitlab
            .tokens
            .pop_if(|last| last.value == token)
            .unwrap_or_else(|| GitLabToken::new(token, "octavia", &["api"]));
        self.gitlab_token(last.member(project, Role::Developer))
    }

    fn bitbucket_member(mut self, token: &str, repository: &str) -> Self {
        let last = self
            .bitbucket
            .tokens
            .pop_if(|last| last.value == token)
            .unwrap_or_else(|| {
                BitbucketToken::access(token, "octo-bot", &["pipeline:write", "repository"])
            });
        self.bitbucket_token(last.for_repository(repository))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_of_the_three_by_turns() {
        let world = World::crowd(7, Tokens::Own);
        assert_eq!(world.github.repositories.len(), 3);
        assert_eq!(world.gitlab.projects.len(), 2);
        assert_eq!(world.bitbucket.repositories.len(), 2);
        assert_eq!(world.github.tokens.len(), 3);
        let shared = World::crowd(7, Tokens::Shared);
        assert_eq!(shared.github.tokens.len(), 1);
        assert_eq!(shared.gitlab.tokens[0].roles.len(), 2);
    }
}
