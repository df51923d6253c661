//! When the earliest run may have been created that an attempt of the job has started.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::model::Sink;
use crate::providers::calling_repository::{self, CallerAccess, CallingRepository as _};
use crate::providers::http::proxies::Proxies;
use crate::providers::target::Request;

/// GitHub allows a run to be run again for 30 days, and a run takes 35 days at most.
const MAX_RERUN_AGE: Duration = Duration::from_hours(65 * 24);
/// How much the clock of a target's server may be behind that of the caller's.
const MAX_CLOCK_SKEW: Duration = Duration::from_hours(1);
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Read once for all targets, when the first one needs it.
pub(crate) struct Beginning<'a> {
    calling_run: Option<&'a (CallerAccess, u64)>,
    proxies: &'a Arc<Proxies>,
    known: OnceCell<SystemTime>,
}

impl<'a> Beginning<'a> {
    pub(crate) fn new(request: &'a Request) -> Self {
        Self {
            calling_run: request.calling_run.as_ref(),
            proxies: &request.proxies,
            known: OnceCell::new(),
        }
    }

    pub(super) async fn get(&self, emit: Sink<'_>) -> SystemTime {
        let get = async || {
            let (before, time) = match self.read(emit).await {
                Some(created_at) => (MAX_CLOCK_SKEW, created_at),
                // It may have begun as early as possible.
                None => (MAX_RERUN_AGE, SystemTime::now()),
            };
            time.checked_sub(before).unwrap_or(SystemTime::UNIX_EPOCH)
        };
        *self.known.get_or_init(get).await
    }

    /// Reads when the calling run was created, which a re-run doesn't change.
    async fn read(&self, emit: Sink<'_>) -> Option<SystemTime> {
        let (access, run) = self.calling_run?;
        let repository = calling_repository::open(access, self.proxies, emit).ok()?;
        let read = timeout(READ_TIMEOUT, repository.run_created_at(*run)).await;
        Some(read.ok()??.into())
    }
}
