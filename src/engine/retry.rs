//! Retries requests, but only if the previous attempt provably changed nothing.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::model::{Event, Sink};
use crate::providers::http::Http;
use crate::providers::{Error, ErrorKind, Idempotency, Quota};

/// Attempts in all, with pauses of about 1, 3, 9 and 27 s between them.
const MAX_ATTEMPTS: usize = 5;
const MIN_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// Retries of one request after rate limits, however short the waits are that the provider asks for.
const MAX_RATE_LIMIT_RETRIES: u32 = 30;

/// See [`RetryPolicy::rate_limit_budget`].
pub(crate) const DEFAULT_RATE_LIMIT_BUDGET: Duration = Duration::from_mins(5);

/// When to retry, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct RetryPolicy<'a> {
    pub(crate) idempotency: Idempotency,
    /// Total time that rate limits are waited out while no request gets through.
    pub(crate) rate_limit_budget: Duration,
    pub(crate) quota: &'a Quota,
    pub(crate) shutdown: &'a Shutdown,
    /// Receives an event for each pause.
    pub(crate) emit: Sink<'a>,
}

/// Runs the operation, and retries it after rate limits within the budget, and after other failures if `pause_after`
/// returns a pause. Returns the last error, also if a shutdown is requested while it waits.
pub(crate) async fn retry<T>(
    policy: RetryPolicy<'_>,
    mut pause_after: impl FnMut(&Error) -> Option<Duration>,
    operation: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, Error> {
    let RetryPolicy {
        idempotency,
        quota,
        shutdown,
        emit,
        ..
    } = policy;
    let mut rate_limits = 0;
    loop {
        policy.wait_for_quota().await?;
        let error = match operation().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let pause = match error.kind() {
            ErrorKind::RateLimited(retry_after) => {
                // A GitHub App's own requests have a separate quota, so their rate limit isn't recorded here yet.
                if quota.remaining_wait().is_zero() {
                    quota.record_rate_limit(idempotency, retry_after);
                }
                rate_limits += 1;
                let pause = quota.remaining_wait();
                policy.check_budget(&error, pause)?;
                (rate_limits <= MAX_RATE_LIMIT_RETRIES).then_some(pause)
            }
            ErrorKind::Unreachable | ErrorKind::Rejected | ErrorKind::Unknown => {
                pause_after(&error)
            }
        };
        let Some(pause) = pause.filter(|_| !shutdown.is_requested()) else {
            return Err(error);
        };
        let why = error.message();
        emit(Event::Waiting { why, pause });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.requested(ShutdownMode::Graceful) => return Err(error),
        }
    }
}

/// Returns growing pauses after failures that may be temporary, if the request wasn't received or is repeatable.
pub(crate) fn backoff(idempotency: Idempotency) -> impl FnMut(&Error) -> Option<Duration> {
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(MIN_BACKOFF)
        .with_factor(3.0)
        .with_max_delay(MAX_BACKOFF)
        .with_max_times(MAX_ATTEMPTS - 1)
        .build();
    move |error| match (error.kind(), idempotency) {
        (ErrorKind::Unreachable, _) | (ErrorKind::Unknown, Idempotency::Repeatable) => {
            pauses.next()
        }
        (ErrorKind::Unknown, Idempotency::Once)
        | (ErrorKind::Rejected | ErrorKind::RateLimited(_), _) => None,
    }
}

impl<'a> RetryPolicy<'a> {
    /// Returns a policy for requests that start nothing.
    pub(crate) fn for_reads(http: &'a Http<'_>, shutdown: &'a Shutdown) -> Self {
        Self {
            idempotency: Idempotency::Repeatable,
            rate_limit_budget: DEFAULT_RATE_LIMIT_BUDGET,
            quota: http.quota(),
            shutdown,
            emit: http.emitter(),
        }
    }

    /// Waits out a rate limit that another request with the same credential has met.
    async fn wait_for_quota(&self) -> Result<(), Error> {
        let remaining = self.quota.remaining_wait();
        if remaining.is_zero() {
            return Ok(());
        }
        let error = Error::new(
            ErrorKind::RateLimited(Some(remaining)),
            "too many requests with the same credential",
        );
        self.check_budget(&error, remaining)?;
        tokio::select! {
            () = self.quota.wait() => Ok(()),
            () = self.shutdown.requested(ShutdownMode::Graceful) => Err(error),
        }
    }

    fn check_budget(&self, error: &Error, pause: Duration) -> Result<(), Error> {
        let limit = self.rate_limit_budget;
        if self.quota.rate_limited_for(self.idempotency) > limit {
            return Err(error.clone().over_budget(pause, limit));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use tokio::time::Instant;

    /// Retries an operation that fails like this, in virtual time. Returns the number of attempts, the seconds taken,
    /// and the result.
    async fn run(
        idempotency: Idempotency,
        failures: Vec<ErrorKind>,
    ) -> (usize, u64, Result<(), Error>) {
        let (_handle, shutdown) = Shutdown::manual();
        let attempts = Cell::new(0);
        let failures = RefCell::new(failures.into_iter());
        let start = Instant::now();
        let quota = Quota::new(Duration::ZERO);
        let policy = RetryPolicy {
            idempotency,
            rate_limit_budget: DEFAULT_RATE_LIMIT_BUDGET,
            quota: &quota,
            shutdown: &shutdown,
            emit: &|_| {},
        };
        let result = retry(policy, backoff(policy.idempotency), async || {
            attempts.set(attempts.get() + 1);
            match failures.borrow_mut().next() {
                Some(kind) => Err(Error::new(kind, "no")),
                None => Ok(()),
            }
        })
        .await;
        (attempts.get(), start.elapsed().as_secs(), result)
    }

    fn rate_limited(seconds: u64) -> ErrorKind {
        ErrorKind::RateLimited(Some(Duration::from_secs(seconds)))
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreceived_request_is_sent_at_most_five_times() {
        let (attempts, seconds, result) =
            run(Idempotency::Once, vec![ErrorKind::Unreachable; 9]).await;
        assert_eq!((attempts, seconds), (5, 40));
        assert!(result.is_err());
        let (attempts, _, result) = run(Idempotency::Once, vec![ErrorKind::Unreachable; 4]).await;
        assert_eq!(attempts, 5);
        assert!(result.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_trigger_that_may_have_arrived_is_never_sent_again() {
        for kind in [ErrorKind::Unknown, ErrorKind::Rejected] {
            let (attempts, seconds, result) = run(Idempotency::Once, vec![kind]).await;
            assert_eq!((attempts, seconds, result.is_err()), (1, 0, true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_retried_unless_it_is_rejected() {
        assert_eq!(
            run(Idempotency::Repeatable, vec![ErrorKind::Unknown])
                .await
                .0,
            2
        );
        assert_eq!(
            run(Idempotency::Repeatable, vec![ErrorKind::Rejected])
                .await
                .0,
            1
        );
    }

    #[tokio::test(start_paused = true)]
    async fn rate_limits_are_waited_out_for_at_most_five_minutes_in_all() {
        let (attempts, seconds, result) = run(Idempotency::Once, vec![rate_limited(100); 3]).await;
        assert_eq!((attempts, seconds, result.is_ok()), (4, 300, true));
        let (attempts, seconds, result) = run(
            Idempotency::Once,
            vec![rate_limited(100), rate_limited(201)],
        )
        .await;
        assert_eq!((attempts, seconds, result.is_ok()), (2, 100, false));
        let (attempts, seconds, result) =
            run(Idempotency::Once, vec![ErrorKind::RateLimited(None); 3]).await;
        assert_eq!((attempts, seconds, result.is_ok()), (3, 180, false));
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_rate_limit_is_waited_out_longer_each_time() {
        let (attempts, seconds, result) = run(Idempotency::Once, vec![rate_limited(0); 4]).await;
        assert_eq!(
            (attempts, seconds, result.is_ok()),
            (5, 1 + 2 + 4 + 8, true)
        );
        let (attempts, seconds, result) = run(Idempotency::Once, vec![rate_limited(0); 999]).await;
        assert_eq!((attempts, seconds, result.is_ok()), (10, 243, false));
    }

    #[tokio::test(start_paused = true)]
    async fn another_targets_rate_limit_is_waited_out_within_the_budget() {
        let (_handle, shutdown) = Shutdown::manual();
        let quota = Quota::new(Duration::ZERO);
        let start = Instant::now();
        let attempt = async |minutes, rate_limit_budget| {
            let policy = RetryPolicy {
                idempotency: Idempotency::Once,
                rate_limit_budget: Duration::from_mins(rate_limit_budget),
                quota: &quota,
                shutdown: &shutdown,
                emit: &|_| {},
            };
            quota.record_rate_limit(Idempotency::Once, Some(Duration::from_mins(minutes)));
            let result = retry(policy, backoff(policy.idempotency), async || {
                // Like the HTTP client.
                quota.record_response(policy.idempotency);
                Ok(())
            })
            .await;
            (result.is_ok(), start.elapsed().as_secs())
        };
        assert_eq!(attempt(4, 5).await, (true, 240));
        // A request that got through in between resets the budget.
        assert_eq!(attempt(4, 5).await, (true, 480));
        assert_eq!(attempt(6, 5).await, (false, 480));
        assert_eq!(attempt(6, 60).await, (true, 840));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_interrupts_a_rate_limit() {
        let (handle, shutdown) = Shutdown::manual();
        let start = Instant::now();
        let attempts = Cell::new(0);
        let quota = Quota::new(Duration::ZERO);
        let policy = RetryPolicy {
            idempotency: Idempotency::Once,
            rate_limit_budget: DEFAULT_RATE_LIMIT_BUDGET,
            quota: &quota,
            shutdown: &shutdown,
            emit: &|_| {},
        };
        let retrying = retry(
            policy,
            backoff(policy.idempotency),
            async || -> Result<(), Error> {
                attempts.set(attempts.get() + 1);
                Err(Error::new(rate_limited(200), "no"))
            },
        );
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            handle.request(ShutdownMode::Graceful);
        };
        let (result, ()) = tokio::join!(retrying, stopping);
        assert!(result.is_err());
        assert_eq!((attempts.get(), start.elapsed().as_secs()), (1, 5));
    }
}
