//! How many requests of each kind all targets together may have on the wire.

use tokio::sync::Semaphore;

/// Most polls on the wire at once, whichever credentials they are with.
const MAX_POLLS: usize = 32;
/// Most cancels on the wire at once: they are in a hurry, but GitHub takes no more than a hundred requests together.
const MAX_CANCELS: usize = 90;
/// Most runs whose logs are read at once: all that is read of a run is in memory until its target is over.
const MAX_RUNS_READ: usize = 4;
/// Most results that are read at once: each is in memory as a whole.
const MAX_RESULTS: usize = 8;

/// Without these, many runs would send their requests all at once, each on a connection of its own.
pub(crate) struct RequestLimits {
    pub(crate) polls: Semaphore,
    pub(crate) cancels: Semaphore,
    pub(crate) logs: Semaphore,
    pub(crate) results: Semaphore,
}

impl RequestLimits {
    pub(crate) fn new() -> Self {
        Self {
            polls: Semaphore::new(MAX_POLLS),
            cancels: Semaphore::new(MAX_CANCELS),
            logs: Semaphore::new(MAX_RUNS_READ),
            results: Semaphore::new(MAX_RESULTS),
        }
    }
}
