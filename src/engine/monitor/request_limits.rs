//! How much all targets together may do at once.

use tokio::sync::Semaphore;

/// Most looks on the wire at once, whoever's credential they are with.
const MAX_POLLS: usize = 32;
/// Most cancels on the wire at once: they are in a hurry, but GitHub takes no more than a hundred requests together.
const MAX_CANCELS: usize = 90;
/// Most logs and results that are read at once: each is in memory as a whole.
const MAX_DOWNLOADS: usize = 8;

/// Bounds on what many runs would else do all at once, each with a connection of its own.
pub(crate) struct RequestLimits {
    pub(super) polls: Semaphore,
    pub(super) cancels: Semaphore,
    pub(super) readings: Semaphore,
}

impl RequestLimits {
    pub(crate) fn new() -> Self {
        Self {
            polls: Semaphore::new(MAX_POLLS),
            cancels: Semaphore::new(MAX_CANCELS),
            readings: Semaphore::new(MAX_DOWNLOADS),
        }
    }
}
