//! Limits how many requests of each kind all targets together may have on the wire.

use tokio::sync::Semaphore;

/// Concurrent polls, across all credentials.
const MAX_POLLS: usize = 32;
/// Concurrent cancels. They are urgent, but GitHub allows at most a hundred concurrent requests.
const MAX_CANCELS: usize = 90;
/// Runs whose logs are read concurrently: a run's logs stay in memory until its target is finished.
const MAX_RUNS_READING_LOGS: usize = 4;
/// Results that are read concurrently: each is held in memory as a whole.
const MAX_RESULT_READS: usize = 8;

/// Semaphores without which many runs would send their requests all at once, each on its own connection.
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
            logs: Semaphore::new(MAX_RUNS_READING_LOGS),
            results: Semaphore::new(MAX_RESULT_READS),
        }
    }
}
