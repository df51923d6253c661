//! When a request is tried again: only where the first one provably changed nothing.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

use crate::event::{Event, Sink};
use crate::provider::{Error, Kind};
use crate::stop::{Stop, Urgency};

/// Tries where no connection comes about: pauses of about 1, 3, 9 and 27 s.
const TRIES: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// All waiting for rate limits together, where nobody waits for more.
const RATE_LIMIT_PATIENCE: Duration = Duration::from_mins(5);
/// Where a provider limits us without saying for how long; twice that the next time.
const UNSAID_LIMIT: Duration = Duration::from_mins(1);

/// Whether doing it twice is as good as doing it once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Sent again only where it was not received, or refused unread.
    Trigger,
    /// Sent again after any passing failure.
    Read,
}

/// How long rate limits are waited out, all of them together.
#[derive(Clone, Copy)]
pub(crate) struct Patience(pub(crate) Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(RATE_LIMIT_PATIENCE)
    }
}

/// Makes the attempt, and again as long as that is safe and promises something. Errors with the last
/// failure; also when asked to stop while it waits.
pub(crate) async fn patiently<T>(
    nature: Nature,
    Patience(limit): Patience,
    stop: &Stop,
    tell: Sink<'_>,
    attempt: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_factor(3.0)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(TRIES - 1)
        .build();
    let mut patience = limit;
    let mut unsaid = UNSAID_LIMIT;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let pause = match error.kind() {
            Kind::Rejected => return Err(error),
            Kind::Unknown if nature == Nature::Trigger => return Err(error),
            Kind::Unreachable | Kind::Unknown => match pauses.next() {
                Some(pause) => pause,
                None => return Err(error),
            },
            Kind::RateLimited(said) => {
                let pause = said.unwrap_or_else(|| {
                    let pause = unsaid;
                    unsaid *= 2;
                    pause
                });
                match patience.checked_sub(pause) {
                    Some(rest) => patience = rest,
                    None => return Err(error.out_of_patience(pause, limit)),
                }
                pause
            }
        };
        let why = error.message();
        tell(Event::Waiting { why, pause });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.asked(Urgency::Soon) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use tokio::time::Instant;

    /// Runs attempts that fail like this, in virtual time. Tells how often it was tried, for how long,
    /// and what came of it.
    async fn run(nature: Nature, failures: Vec<Kind>) -> (usize, u64, Result<(), Error>) {
        let (_asker, stop) = Stop::by_hand();
        let tries = Cell::new(0);
        let failures = RefCell::new(failures.into_iter());
        let start = Instant::now();
        let result = patiently(nature, Patience::default(), &stop, &|_| {}, async || {
            tries.set(tries.get() + 1);
            match failures.borrow_mut().next() {
                Some(kind) => Err(Error::new(kind, "no")),
                None => Ok(()),
            }
        })
        .await;
        (tries.get(), start.elapsed().as_secs(), result)
    }

    fn limited(seconds: u64) -> Kind {
        Kind::RateLimited(Some(Duration::from_secs(seconds)))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_received_is_sent_five_times_at_most() {
        let (tries, seconds, result) = run(Nature::Trigger, vec![Kind::Unreachable; 9]).await;
        assert_eq!((tries, seconds), (5, 40));
        assert!(result.is_err());
        let (tries, _, result) = run(Nature::Trigger, vec![Kind::Unreachable; 4]).await;
        assert_eq!(tries, 5);
        assert!(result.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_trigger_that_may_have_arrived_is_never_sent_again() {
        for kind in [Kind::Unknown, Kind::Rejected] {
            let (tries, seconds, result) = run(Nature::Trigger, vec![kind]).await;
            assert_eq!((tries, seconds, result.is_err()), (1, 0, true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_sent_again_unless_it_is_refused() {
        assert_eq!(run(Nature::Read, vec![Kind::Unknown]).await.0, 2);
        assert_eq!(run(Nature::Read, vec![Kind::Rejected]).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn rate_limits_are_waited_out_for_five_minutes_in_all() {
        let (tries, seconds, result) = run(Nature::Trigger, vec![limited(100); 3]).await;
        assert_eq!((tries, seconds, result.is_ok()), (4, 300, true));
        let (tries, seconds, result) = run(Nature::Trigger, vec![limited(100), limited(201)]).await;
        assert_eq!((tries, seconds, result.is_ok()), (2, 100, false));
        let (tries, seconds, result) = run(Nature::Trigger, vec![Kind::RateLimited(None); 3]).await;
        assert_eq!((tries, seconds, result.is_ok()), (3, 180, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_waiting() {
        let (asker, stop) = Stop::by_hand();
        let start = Instant::now();
        let tries = Cell::new(0);
        let attempts = patiently(
            Nature::Trigger,
            Patience::default(),
            &stop,
            &|_| {},
            async || -> Result<(), Error> {
                tries.set(tries.get() + 1);
                Err(Error::new(limited(200), "no"))
            },
        );
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            asker.ask(Urgency::Soon);
        };
        let (result, ()) = tokio::join!(attempts, stopping);
        assert!(result.is_err());
        assert_eq!((tries.get(), start.elapsed().as_secs()), (1, 5));
    }
}
