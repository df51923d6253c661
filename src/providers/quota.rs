//! What all targets of one host and credential share. Rate limits are the host's and the credential's, not a
//! target's: when one request is told to wait, all wait, and all go on afterwards. So is the pace of looks, and so is
//! what was read of a repository before anything was sent.

mod cache;
mod pacer;
mod rate_limit;

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use cache::Cache;
use pacer::Pacer;
use rate_limit::RateLimitGate;

/// Whether a request may be sent again. What limits the one kind need not limit the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// It starts something: sent again only where it was not received, or refused unread.
    Once,
    /// Doing it twice is as good as doing it once.
    Repeatable,
}

/// A host and a credential.
pub(crate) struct Quota {
    pacer: Pacer,
    gate: RateLimitGate,
    /// The runs that were there before the first trigger, by repository.
    pub(super) seen: Cache<Rc<HashSet<String>>>,
    /// The default branches, by repository.
    pub(super) branches: Cache<String>,
}

impl Quota {
    /// One whose looks keep so far apart.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            pacer: Pacer::new(interval),
            gate: RateLimitGate::new(),
            seen: Cache::default(),
            branches: Cache::default(),
        }
    }

    /// Returns when no rate limit is known to forbid a request.
    pub(crate) async fn wait(&self) {
        self.gate.wait().await;
    }

    /// Returns when it is one's turn to look.
    pub(crate) async fn wait_for_turn(&self) {
        loop {
            self.pacer.wait().await;
            if self.gate.remaining().is_zero() {
                return;
            }
            self.wait().await;
        }
    }

    /// Records that a request has met a rate limit, which lasts so long if the provider says it: all wait from now on.
    pub(crate) fn record_rate_limit(&self, idempotency: Idempotency, said: Option<Duration>) {
        self.gate.record(idempotency, said);
    }

    /// Records that a request was answered otherwise.
    pub(crate) fn record_response(&self, idempotency: Idempotency) {
        self.gate.record_response(idempotency);
    }

    /// How long it still is until a request may be sent.
    pub(crate) fn remaining_wait(&self) -> Duration {
        self.gate.remaining()
    }

    /// How long rate limits have lasted since such a request was last answered otherwise, what is still to
    /// come included.
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
    async fn all_wait_where_one_was_told_to() {
        let quota = Quota::new(SECOND);
        let start = Instant::now();
        quota.wait().await;
        quota.record_rate_limit(Idempotency::Repeatable, Some(30 * SECOND));
        assert_eq!(quota.remaining_wait(), 30 * SECOND);
        // Told a little later, and less.
        quota.record_rate_limit(Idempotency::Repeatable, Some(10 * SECOND));
        assert_eq!(quota.remaining_wait(), 30 * SECOND);
        quota.record_rate_limit(Idempotency::Repeatable, None);
        assert_eq!(quota.remaining_wait(), 30 * SECOND);
        let others = async || {
            quota.wait().await;
            start.elapsed().as_secs()
        };
        assert_eq!(tokio::join!(others(), others()), (30, 30));
        quota.wait_for_turn().await;
        assert_eq!(start.elapsed(), 30 * SECOND);
        quota.wait_for_turn().await;
        assert_eq!(start.elapsed(), 31 * SECOND);
    }
}
