//! Limits the number of triggers on the wire, and stops further ones after a signal or a failure with `fail-fast`.

use std::num::NonZeroUsize;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::engine::shutdown::{Shutdown, ShutdownHandle, ShutdownMode};
use crate::providers::Quota;
use crate::providers::target::OnFailure;

/// Hands out permits for triggers, in the order of the requests for them.
pub(crate) struct Concurrency {
    permits: Semaphore,
    on_failure: OnFailure,
    handle: ShutdownHandle,
    closed: Shutdown,
}

/// Allows one trigger to be on the wire until it is dropped.
pub(crate) struct Permit<'a>(#[expect(dead_code, reason = "held")] SemaphorePermit<'a>);

impl Concurrency {
    pub(crate) fn new(count: NonZeroUsize, on_failure: OnFailure) -> Self {
        let (handle, closed) = Shutdown::manual();
        Self {
            permits: Semaphore::new(count.get()),
            on_failure,
            handle,
            closed,
        }
    }

    /// Stops handing out permits. Triggers on the wire aren't affected.
    pub(crate) fn close(&self) {
        self.handle.request(ShutdownMode::Graceful);
    }

    /// Records that a target has failed. With `fail-fast`, no more triggers are sent.
    pub(crate) fn record_failure(&self) {
        match self.on_failure {
            OnFailure::SendNoMore => self.close(),
            OnFailure::GoOn => {}
        }
    }

    /// A shutdown that is requested once no more triggers may be sent.
    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.closed
    }

    /// Waits for a permit and for the end of any rate limit. Returns `None` if no more triggers may be sent.
    pub(crate) async fn acquire(&self, quota: &Quota) -> Option<Permit<'_>> {
        loop {
            let permit = tokio::select! {
                biased;
                () = self.closed.requested(ShutdownMode::Graceful) => return None,
                permit = self.permits.acquire() => permit.ok()?,
            };
            if quota.remaining_wait().is_zero() {
                return Some(Permit(permit));
            }
            // Release the permit while rate-limited: other credentials may have budget.
            drop(permit);
            tokio::select! {
                () = self.closed.requested(ShutdownMode::Graceful) => return None,
                () = quota.wait() => {}
            }
        }
    }
}
