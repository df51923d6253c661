//! How many triggers are on the wire at once, and whether more may go out.

use std::num::NonZeroUsize;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::engine::shutdown::{Shutdown, ShutdownHandle, ShutdownMode};
use crate::providers::Quota;
use crate::providers::target::OnFailure;

/// Permits for triggers: one each, in the order in which they were asked for.
pub(crate) struct Concurrency {
    free: Semaphore,
    on_failure: OnFailure,
    handle: ShutdownHandle,
    closed: Shutdown,
}

/// Allows one trigger to be on the wire, as long as this lives.
pub(crate) struct Permit<'a>(#[expect(dead_code, reason = "held")] SemaphorePermit<'a>);

impl Concurrency {
    pub(crate) fn new(count: NonZeroUsize, on_failure: OnFailure) -> Self {
        let (handle, closed) = Shutdown::manual();
        Self {
            free: Semaphore::new(count.get()),
            on_failure,
            handle,
            closed,
        }
    }

    /// Lets no more triggers go out. Those on the wire go on.
    pub(crate) fn close(&self) {
        self.handle.request(ShutdownMode::Graceful);
    }

    /// Records that a target has failed: with `fail-fast`, no more triggers go out.
    pub(crate) fn record_failure(&self) {
        match self.on_failure {
            OnFailure::SendNoMore => self.close(),
            OnFailure::GoOn => {}
        }
    }

    /// Requested when no more triggers may go out.
    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.closed
    }

    /// Returns with a permit when no rate limit forbids to use it; `None` where no more triggers may go out.
    pub(crate) async fn acquire(&self, quota: &Quota) -> Option<Permit<'_>> {
        loop {
            let permit = tokio::select! {
                biased;
                () = self.closed.requested(ShutdownMode::Graceful) => return None,
                permit = self.free.acquire() => permit.ok()?,
            };
            if quota.remaining_wait().is_zero() {
                return Some(Permit(permit));
            }
            // A target that waits for a rate limit holds no permit: others have other limits.
            drop(permit);
            tokio::select! {
                () = self.closed.requested(ShutdownMode::Graceful) => return None,
                () = quota.wait() => {}
            }
        }
    }
}
