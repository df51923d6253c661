//! The pacer that all polls with one credential share.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets polls through one at a time, with an interval between them.
pub(super) struct Pacer {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pacer {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: Mutex::new(Instant::now()),
        }
    }

    pub(super) async fn wait(&self) {
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        *next = Instant::now() + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn polls_are_spaced_by_the_interval() {
        let pacer = Pacer::new(Duration::from_secs(5));
        let start = Instant::now();
        let pass = async || {
            pacer.wait().await;
            start.elapsed().as_secs()
        };
        assert_eq!(tokio::join!(pass(), pass(), pass()), (0, 5, 10));
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(pass().await, 70);
        assert_eq!(pass().await, 75);
    }
}
