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
    opens: Cell<Instant>,
    /// Total time that the gate was closed, including the time until it opens.
    closed: Cell<Duration>,
    once: SinceResponse,
    repeatable: SinceResponse,
    /// Pause for the next rate limit without a duration.
    unsaid: Cell<Duration>,
}

/// Rate limits since a request of one kind last got another response.
#[derive(Default)]
struct SinceResponse {
    /// Total time that the gate had been closed by then.
    closed_before: Cell<Duration>,
    /// How many of them had a duration and closed an open gate.
    limits: Cell<u32>,
}

impl RateLimitGate {
    pub(super) fn new() -> Self {
        Self {
            opens: Cell::new(Instant::now()),
            closed: Cell::default(),
            once: SinceResponse::default(),
            repeatable: SinceResponse::default(),
            unsaid: Cell::new(DEFAULT_RATE_LIMIT),
        }
    }

    pub(super) async fn wait(&self) {
        while !self.remaining().is_zero() {
            sleep_until(self.opens.get()).await;
        }
    }

    /// How long the gate was closed since a request of this kind last got another response, including the time until
    /// it opens.
    pub(super) fn closed_for(&self, idempotency: Idempotency) -> Duration {
        let before = self.since_response(idempotency).closed_before.get();
        self.closed.get().saturating_sub(before)
    }

    pub(super) fn remaining(&self) -> Duration {
        self.opens.get().saturating_duration_since(Instant::now())
    }

    /// Closes the gate for the duration that the provider gives, or else for twice as long each time.
    pub(super) fn record(&self, idempotency: Idempotency, said: Option<Duration>) {
        let remaining = self.remaining();
        // If the gate is already closed, a request in flight has met the same limit.
        let is_new = remaining.is_zero();
        let pause = match said {
            Some(said) if is_new => said.max(self.since_response(idempotency).next_min_pause()),
            Some(said) => said,
            None if is_new => self.unsaid.replace(self.unsaid.get() * 2),
            None => remaining,
        };
        if let Some(more) = pause.min(MAX_RATE_LIMIT).checked_sub(remaining) {
            self.closed.update(|closed| closed + more);
            self.opens.set(Instant::now() + remaining + more);
        }
    }

    pub(super) fn record_response(&self, idempotency: Idempotency) {
        let since = self.since_response(idempotency);
        since.closed_before.set(self.closed.get());
        since.limits.set(0);
        self.unsaid.set(DEFAULT_RATE_LIMIT);
    }

    fn since_response(&self, idempotency: Idempotency) -> &SinceResponse {
        match idempotency {
            Idempotency::Once => &self.once,
            Idempotency::Repeatable => &self.repeatable,
        }
    }
}

impl SinceResponse {
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
    async fn what_is_not_said_doubles_until_something_is_answered() {
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
    async fn no_server_makes_us_wait_for_ever() {
        let gate = RateLimitGate::new();
        gate.record(Idempotency::Repeatable, Some(Duration::MAX));
        assert_eq!(gate.remaining(), MAX_RATE_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_over_already_still_lasts_a_second() {
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
            for (said, is_answered) in limits {
                gate.record(Idempotency::Repeatable, said.map(Duration::from_secs));
                if is_answered {
                    gate.record_response(Idempotency::Repeatable);
                }
                prop_assert!(gate.remaining() <= MAX_RATE_LIMIT);
                gate.closed_for(Idempotency::Once);
                // As if the pause had passed.
                gate.opens.set(Instant::now());
            }
        }
    }
}
