//! State shared by all targets with the same server and credential: rate limits, the pace of polls, and values that
//! are read once per repository. A rate limit that one request meets pauses all of them.

mod cache;
mod pacer;
mod rate_limit;

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use cache::Cache;
use pacer::Pacer;
use rate_limit::RateLimitGate;

/// Whether a request may be sent again. Providers may limit the two kinds separately.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// Starts something. It is sent again only if the server didn't receive it, or refused it.
    Once,
    /// Has the same effect twice as once.
    Repeatable,
}

/// The shared state of one server and credential.
pub(crate) struct Quota {
    pacer: Pacer,
    gate: RateLimitGate,
    /// Ids of the runs that existed before the first trigger, by repository.
    pub(super) seen: Cache<Rc<HashSet<String>>>,
    /// Whether it has been checked when the credential expires.
    pub(super) is_expiry_checked: Cell<bool>,
    /// Default branches, by repository.
    pub(super) branches: Cache<String>,
}

impl Quota {
    /// `interval` is the minimum time between two polls.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            pacer: Pacer::new(interval),
            gate: RateLimitGate::new(),
            seen: Cache::default(),
            is_expiry_checked: Cell::default(),
            branches: Cache::default(),
        }
    }

    /// Waits until no known rate limit forbids a request.
    pub(crate) async fn wait(&self) {
        self.gate.wait().await;
    }

    /// Waits for a turn to poll, and for rate limits.
    pub(crate) async fn wait_for_turn(&self) {
        loop {
            self.pacer.wait().await;
            if self.gate.remaining().is_zero() {
                return;
            }
            self.wait().await;
        }
    }

    /// Records a rate limit, which pauses all requests. `retry_after` is how long, if the provider says so.
    pub(crate) fn record_rate_limit(
        &self,
        idempotency: Idempotency,
        retry_after: Option<Duration>,
    ) {
        self.gate.record(idempotency, retry_after);
    }

    /// Records a response that isn't a rate limit.
    pub(crate) fn record_response(&self, idempotency: Idempotency) {
        self.gate.record_response(idempotency);
    }

    /// How long requests are still paused.
    pub(crate) fn remaining_wait(&self) -> Duration {
        self.gate.remaining()
    }

    /// Total duration of the rate limits since a request of this kind last got another response, including the time
    /// that is still to wait.
    pub(crate) fn rate_limited_for(&self, idempotency: Idempotency) -> Duration {
        self.gate.closed_for(idempotency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_rate_limit_pauses_every_request_of_the_credential() {
        let quota = Quota::new(SECOND);
        let start = Instant::now();
        quota.wait().await;
        quota.record_rate_limit(Idempotency::Repeatable, Some(30 * SECOND));
        assert_eq!(quota.remaining_wait(), 30 * SECOND);
        // A shorter limit that is reported later doesn't shorten the pause.
        quota.record_rate_limit(Idempotency::Repeatable, Some(10 * SECOND));
        assert_eq!(quota.remaining_wait(), 30 * SECOND);
        quota.record_rate_limit(Idempotency::Repeatable, None);
        assert_eq!(quota.remaining_wait(), 30 * SECOND);
        let waited = async || {
            quota.wait().await;
            start.elapsed().as_secs()
        };
        assert_eq!(tokio::join!(waited(), waited()), (30, 30));
        quota.wait_for_turn().await;
        assert_eq!(start.elapsed(), 30 * SECOND);
        quota.wait_for_turn().await;
        assert_eq!(start.elapsed(), 31 * SECOND);
    }
}
