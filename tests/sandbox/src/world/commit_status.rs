//! Commit statuses on GitHub. `provider` checks and shows them.

use std::time::SystemTime;

/// A commit status, as it was set. A later status of the same commit and context hides it, but doesn't change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// Set when it is added to a world, as is `at`.
    pub id: u64,
    /// `owner/name`
    pub repository: String,
    pub sha: String,
    pub context: String,
    pub state: StatusState,
    pub description: Option<String>,
    pub target_url: Option<String>,
    /// Name of the user or bot that set it.
    pub creator: String,
    pub at: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusState {
    Pending,
    Success,
    Failure,
    Error,
}

impl CommitStatus {
    /// A status by `octocat`, without description and link.
    pub fn new(repository: &str, sha: &str, context: &str, state: StatusState) -> Self {
        Self {
            id: 0,
            repository: repository.to_owned(),
            sha: sha.to_owned(),
            context: context.to_owned(),
            state,
            description: None,
            target_url: None,
            creator: "octocat".to_owned(),
            at: SystemTime::UNIX_EPOCH,
        }
    }

    #[must_use]
    pub fn description(mut self, description: &str) -> Self {
        self.description = Some(description.to_owned());
        self
    }

    #[must_use]
    pub fn target_url(mut self, url: &str) -> Self {
        self.target_url = Some(url.to_owned());
        self
    }

    #[must_use]
    pub fn creator(mut self, name: &str) -> Self {
        name.clone_into(&mut self.creator);
        self
    }

    /// Whether both are of the same commit and context, of which GitHub ignores the case.
    pub(crate) fn replaces(&self, earlier: &Self) -> bool {
        self.repository == earlier.repository
            && self.sha == earlier.sha
            && self.context.eq_ignore_ascii_case(&earlier.context)
    }
}

impl StatusState {
    const ALL: [Self; 4] = [Self::Pending, Self::Success, Self::Failure, Self::Error];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
