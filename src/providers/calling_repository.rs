//! The repository whose job runs this step, as opposed to the targets': what the step reads and writes there.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::model::{CommitStatus, Secret, Sink};
use crate::providers::error::Error;
use crate::providers::github::calling_repository::GitHubCallingRepository;
use crate::providers::http::proxies::Proxies;
use crate::providers::location::Location;
use crate::providers::quota::Quota;

/// The API of the repository whose job runs this step. Starts nothing, so every request may be repeated.
pub(crate) trait CallingRepository {
    /// Sets a status of a commit, once.
    async fn set_status(&self, commit: &str, status: &CommitStatus) -> Result<(), Error>;

    /// Reads the statuses of a commit, newest first, up to a limit.
    async fn statuses(&self, commit: &str) -> Result<ListedStatuses, Error>;

    /// Reads when a run of this repository was created. `None` if that can't be read, which may take a permission.
    async fn run_created_at(&self, run: u64) -> Option<DateTime<Utc>>;

    /// The rate limits of its token.
    fn quota(&self) -> &Quota;
}

/// The statuses of a commit.
pub(crate) struct ListedStatuses {
    /// Newest first.
    pub(crate) list: Vec<CommitStatus>,
    /// Whether these are all of them.
    pub(crate) is_complete: bool,
}

/// Where the calling repository is, and the job's own token for it.
pub(crate) struct CallerAccess {
    pub(crate) location: Location,
    pub(crate) token: Secret,
}

/// Opens the repository. Sends nothing. `emit` receives its requests as [`Event::Trace`](crate::model::Event::Trace).
pub(crate) fn open<'a>(
    access: &'a CallerAccess,
    proxies: &Arc<Proxies>,
    emit: Sink<'a>,
) -> Result<impl CallingRepository + use<'a>, Error> {
    GitHubCallingRepository::new(access, proxies, emit)
}
