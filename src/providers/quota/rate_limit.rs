//! Rate limits: a gate that is closed while one lasts.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Idempotency;

/// Pause for a rate limit without a duration. Doubles each time.
const DEFAULT_RATE_LIMIT: Duration = Duration::from_mins(1);
/// Minimum pause, even if the provider says to retry at once or gives a time in the past. Doubles each time, up to
/// [`MAX_MIN_PAUSE`], so that retries can't become an endless loop.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_MIN_PAUSE: Duration = Duration::from_mins(1);
/// Upper limit for any pause: no job runs this long.
const MAX_RATE_LIMIT: Duration = Duration::from_hours(5 * 24);

pub(super) struct RateLimitGate {
    opens_at: Cell<Instant>,
    /// Total time that the gate was closed, including the time until it opens.
    total_closed: Cell<Duration>,
    once: LimitStreak,
    repeatable: LimitStreak,
    /// Pause for the next rate limit without a duration.
    default_pause: Cell<Duration>,
}

/// Rate limits since a request of one kind last got another response.
#[derive(Default)]
struct LimitStreak {
    /// Total time that the gate had been closed by then.
    closed_before: Cell<Duration>,
    /// How many of them had a duration and closed an open gate.
    limits: Cell<u32>,
}

impl RateLimitGate {
    pub(super) fn new() -> Self {
        Self {
            opens_at: Cell::new(Instant::now()),
            total_closed: Cell::default(),
            once: LimitStreak::default(),
            repeatable: LimitStreak::default(),
            default_pause: Cell::new(DEFAULT_RATE_LIMIT),
        }
    }

    pub(super) async fn wait(&self) {
        while !self.remaining().is_zero() {
            sleep_until(self.opens_at.get()).await;
        }
    }

    /// How long the gate was closed since a request of this kind last got another response, including the time until
    /// it opens.
    pub(super) fn closed_for(&self, idempotency: Idempotency) -> Duration {
        let before = self.streak(idempotency).closed_before.get();
        self.total_closed.get().saturating_sub(before)
    }

    pub(super) fn remaining(&self) -> Duration {
        self.opens_at
            .get()
            .saturating_duration_since(Instant::now())
    }

    /// Closes the gate for the duration that the provider gives, or else for twice as long each time.
    pub(super) fn record(&self, idempotency: Idempotency, retry_after: Option<Duration>) {
        let remaining = self.remaining();
        // If the gate is already closed, a request in flight has met the same limit.
        let is_new = remaining.is_zero();
        let pause = match retry_after {
            Some(retry_after) if is_new => {
                retry_after.max(self.streak(idempotency).next_min_pause())
            }
            Some(retry_after) => retry_after,
            None if is_new => self.default_pause.replace(self.default_pause.get() * 2),
            None => remaining,
        };
        if let Some(more) = pause.min(MAX_RATE_LIMIT).checked_sub(remaining) {
            self.total_closed.update(|closed| closed + more);
            self.opens_at.set(Instant::now() + remaining + more);
        }
    }

    pub(super) fn record_response(&self, idempotency: Idempotency) {
        let streak = self.streak(idempotency);
        streak.closed_before.set(self.total_closed.get());
        streak.limits.set(0);
        self.default_pause.set(DEFAULT_RATE_LIMIT);
    }

    fn streak(&self, idempotency: Idempotency) -> &LimitStreak {
        match idempotency {
            Idempotency::Once => &self.once,
            Idempotency::Repeatable => &self.repeatable,
        }
    }
}

impl LimitStreak {
    fn next_min_pause(&self) -> Duration {
        let limits = self.limits.get();
        self.limits.set(limits.saturating_add(1));
        (MIN_PAUSE * 2_u32.pow(limits.min(6))).min(MAX_MIN_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn pauses_without_a_duration_double_until_another_response() {
        let gate = RateLimitGate::new();
        for minutes in [1, 2, 4] {
            gate.record(Idempotency::Repeatable, None);
            assert_eq!(gate.remaining(), minutes * 60 * SECOND);
            gate.wait().await;
        }
        assert_eq!(gate.closed_for(Idempotency::Once), 7 * 60 * SECOND);
        gate.record_response(Idempotency::Repeatable);
        gate.record(Idempotency::Repeatable, None);
        assert_eq!(gate.remaining(), 60 * SECOND);
        assert_eq!(gate.closed_for(Idempotency::Once), 8 * 60 * SECOND);
        assert_eq!(gate.closed_for(Idempotency::Repeatable), 60 * SECOND);
        gate.record_response(Idempotency::Once);
        assert_eq!(gate.closed_for(Idempotency::Once), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_has_an_upper_limit() {
        let gate = RateLimitGate::new();
        gate.record(Idempotency::Repeatable, Some(Duration::MAX));
        assert_eq!(gate.remaining(), MAX_RATE_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_already_over_still_pauses_for_a_second() {
        let gate = RateLimitGate::new();
        gate.record(Idempotency::Repeatable, Some(Duration::ZERO));
        assert_eq!(gate.remaining(), SECOND);
    }

    proptest! {
        #[test]
        fn a_limit_never_panics(
            limits in prop::collection::vec(
                (prop::option::of(prop_oneof![0..400_u64, any::<u64>(), Just(u64::MAX)]), any::<bool>()), 0..60,
            ),
        ) {
            let gate = RateLimitGate::new();
            for (retry_after, got_response) in limits {
                gate.record(Idempotency::Repeatable, retry_after.map(Duration::from_secs));
                if got_response {
                    gate.record_response(Idempotency::Repeatable);
                }
                prop_assert!(gate.remaining() <= MAX_RATE_LIMIT);
                gate.closed_for(Idempotency::Once);
                // As if the pause had passed.
                gate.opens_at.set(Instant::now());
            }
        }
    }
}
