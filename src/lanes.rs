//! How many triggers are on the wire at once, and whether more may go out.

use std::num::NonZeroUsize;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::provider::Account;
use crate::shutdown::{Shutdown, ShutdownHandle, ShutdownMode};
use crate::target::OnFailure;

/// The lanes to the wire: one trigger each at a time, in the order in which they came.
pub(crate) struct Lanes {
    free: Semaphore,
    on_failure: OnFailure,
    handle: ShutdownHandle,
    closed: Shutdown,
}

/// A lane is taken as long as this lives.
pub(crate) struct Lane<'a>(#[expect(dead_code, reason = "held")] SemaphorePermit<'a>);

impl Lanes {
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

    /// A target has failed: where no more are to be sent after that, none will.
    pub(crate) fn failed(&self) {
        match self.on_failure {
            OnFailure::SendNoMore => self.close(),
            OnFailure::GoOn => {}
        }
    }

    /// Asked to stop when the lanes are closed.
    pub(crate) fn closed(&self) -> &Shutdown {
        &self.closed
    }

    /// Returns with a free lane when no rate limit forbids to use it; `None` where the lanes are closed.
    pub(crate) async fn take(&self, account: &Account) -> Option<Lane<'_>> {
        loop {
            let lane = tokio::select! {
                biased;
                () = self.closed.requested(ShutdownMode::Graceful) => return None,
                lane = self.free.acquire() => lane.ok()?,
            };
            if account.left().is_zero() {
                return Some(Lane(lane));
            }
            // Whom a limit keeps waiting holds no lane: others have other limits.
            drop(lane);
            tokio::select! {
                () = self.closed.requested(ShutdownMode::Graceful) => return None,
                () = account.pass() => {}
            }
        }
    }
}
