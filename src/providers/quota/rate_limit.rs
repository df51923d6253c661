//! Rate limits: a gate that is closed as long as one lasts.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Idempotency;

/// Where a provider limits us without saying for how long; twice that the next time.
const DEFAULT_RATE_LIMIT: Duration = Duration::from_mins(1);
/// A provider that says to come back at once, or in the past, is still given a moment.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// Nobody waits longer, whatever a server says: no job lasts so long.
const MAX_RATE_LIMIT: Duration = Duration::from_hours(5 * 24);

/// Closed for as long as a rate limit lasts.
pub(super) struct RateLimitGate {
    opens: Cell<Instant>,
    /// All the time that it was or will have been closed.
    closed: Cell<Duration>,
    /// How much of that was before the last answer to a trigger, and to a read.
    at_trigger: Cell<Duration>,
    at_read: Cell<Duration>,
    unsaid: Cell<Duration>,
}

impl RateLimitGate {
    pub(super) fn new() -> Self {
        Self {
            opens: Cell::new(Instant::now()),
            closed: Cell::default(),
            at_trigger: Cell::default(),
            at_read: Cell::default(),
            unsaid: Cell::new(DEFAULT_RATE_LIMIT),
        }
    }

    /// Returns when it is open.
    pub(super) async fn wait(&self) {
        while !self.remaining().is_zero() {
            sleep_until(self.opens.get()).await;
        }
    }

    /// For how long it was or will have been closed since such a request was answered.
    pub(super) fn closed_for(&self, idempotency: Idempotency) -> Duration {
        self.closed
            .get()
            .saturating_sub(self.at_answer(idempotency).get())
    }

    /// How long it stays closed.
    pub(super) fn remaining(&self) -> Duration {
        self.opens.get().saturating_duration_since(Instant::now())
    }

    /// Closes it for so long; where that is not said, for longer each time. Tells for how long it is closed now.
    pub(super) fn record(&self, said: Option<Duration>) -> Duration {
        let left = self.remaining();
        let pause = match said {
            Some(said) => said.clamp(MIN_PAUSE, MAX_RATE_LIMIT),
            // Several that were on their way together are told the same.
            None if !left.is_zero() => left,
            None => self
                .unsaid
                .replace((self.unsaid.get() * 2).min(MAX_RATE_LIMIT)),
        };
        if let Some(more) = pause.checked_sub(left) {
            self.closed.update(|closed| closed + more);
            self.opens.set(Instant::now() + pause);
        }
        pause.max(left)
    }

    pub(super) fn record_response(&self, idempotency: Idempotency) {
        self.at_answer(idempotency).set(self.closed.get());
        self.unsaid.set(DEFAULT_RATE_LIMIT);
    }

    fn at_answer(&self, idempotency: Idempotency) -> &Cell<Duration> {
        match idempotency {
            Idempotency::Once => &self.at_trigger,
            Idempotency::Repeatable => &self.at_read,
        }
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
            assert_eq!(gate.record(None), minutes * 60 * SECOND);
            gate.wait().await;
        }
        assert_eq!(gate.closed_for(Idempotency::Once), 7 * 60 * SECOND);
        gate.record_response(Idempotency::Repeatable);
        assert_eq!(gate.record(None), 60 * SECOND);
        assert_eq!(gate.closed_for(Idempotency::Once), 8 * 60 * SECOND);
        assert_eq!(gate.closed_for(Idempotency::Repeatable), 60 * SECOND);
        gate.record_response(Idempotency::Once);
        assert_eq!(gate.closed_for(Idempotency::Once), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_server_makes_us_wait_for_ever() {
        let gate = RateLimitGate::new();
        assert_eq!(gate.record(Some(Duration::MAX)), MAX_RATE_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_over_already_still_lasts_a_second() {
        let gate = RateLimitGate::new();
        assert_eq!(gate.record(Some(Duration::ZERO)), SECOND);
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
                gate.record(said.map(Duration::from_secs));
                if is_answered {
                    gate.record_response(Idempotency::Repeatable);
                }
                prop_assert!(gate.remaining() <= MAX_RATE_LIMIT);
                gate.closed_for(Idempotency::Once);
                // As if it had been waited for.
                gate.opens.set(Instant::now());
            }
        }
    }
}
