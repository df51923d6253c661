//! Sends the statuses on the board. Requests of one target go out one after the other, so that none overtakes another.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::{FailedRequest, Place, StatusBoard, Update, Urgency, is_last};
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::model::{CommitStatus, Failure};
use crate::providers::calling_repository::CallingRepository;
use crate::providers::{Error, ErrorKind};

/// Time between two statuses of a target that only show its progress.
const MIN_PROGRESS_INTERVAL: Duration = Duration::from_secs(15);
/// The same for each target of the step: GitHub allows about 80 requests a minute that create something.
const PROGRESS_INTERVAL_PER_TARGET: Duration = Duration::from_secs(1);
/// Statuses of a target that only show its progress. GitHub keeps 1,000 of a commit and context, for all attempts.
const MAX_PROGRESS_UPDATES: usize = 100;
/// GitHub ends a request itself after this time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed request. It doubles with each further one.
const MIN_RETRY_PAUSE: Duration = Duration::from_secs(1);
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(30);
/// Attempts for a status that isn't the target's last. Another one will follow.
const MAX_ATTEMPTS: u32 = 5;

/// Sends what is on the board.
pub(super) struct StatusSender<'a, Repository> {
    pub(super) board: &'a StatusBoard,
    pub(super) repository: &'a Repository,
    pub(super) commit: &'a str,
    pub(super) shutdown: &'a Shutdown,
    pub(super) on_refused: &'a dyn Fn(Failure),
}

impl<Repository: CallingRepository> StatusSender<'_, Repository> {
    /// Sets the statuses of one target, one after the other.
    pub(super) async fn send_all(&self, place: &Place) {
        let mut last_set = None::<Instant>;
        let mut progress_updates = 0;
        while self.until_due(place, last_set).await {
            let slot = self.board.requests.acquire().await;
            // A newer one may have taken its place, and another target's may have been refused.
            let Some(update) = place.next.take() else {
                continue;
            };
            let is_progress = update.urgency == Urgency::Progress;
            let is_left_out = self.board.refused.borrow().is_some() && !is_last(&update.status);
            if is_left_out || (is_progress && progress_updates >= MAX_PROGRESS_UPDATES) {
                place.give_up();
                continue;
            }
            progress_updates += usize::from(is_progress);
            let sent = self.send(&update.status).await;
            drop(slot);
            match sent {
                Ok(()) => {
                    last_set = Some(Instant::now());
                    place.record_success();
                }
                Err(error) => self.record_failure(place, update, &error),
            }
        }
    }

    async fn send(&self, status: &CommitStatus) -> Result<(), Error> {
        let setting = self.repository.set_status(self.commit, status);
        let too_long = |_| {
            let seconds = REQUEST_TIMEOUT.as_secs();
            let what = format!("setting the commit status took more than {seconds} s");
            Error::new(ErrorKind::Unknown, what)
        };
        timeout(REQUEST_TIMEOUT, setting).await.map_err(too_long)?
    }

    fn record_failure(&self, place: &Place, update: Update, error: &Error) {
        let is_final = error.kind() == ErrorKind::Rejected;
        if is_final && error.is_denied() && self.board.refused.borrow().is_none() {
            self.board.refused.replace(Some(error.failure()));
            (self.on_refused)(error.failure());
        }
        let mut failed = place.failed.borrow_mut();
        // A rate limit is waited out, and doesn't count.
        let is_counted = !matches!(error.kind(), ErrorKind::RateLimited(_));
        let before = failed.as_ref().map_or(0, |failed| failed.attempts);
        let attempts = before + u32::from(is_counted);
        *failed = Some(FailedRequest {
            failure: error.failure(),
            is_final,
            at: Instant::now(),
            attempts,
        });
        let is_given_up = is_final || (attempts >= MAX_ATTEMPTS && !is_last(&update.status));
        let mut next = place.next.borrow_mut();
        match (is_given_up, next.is_none()) {
            (true, true) => place.give_up(),
            // There is a newer one to send.
            (true, false) => place.settle(false),
            (false, true) => *next = Some(update),
            (false, false) => {}
        }
    }

    /// Waits until there is a status that may be sent now. Returns `false` if there won't be another one.
    async fn until_due(&self, place: &Place, last_set: Option<Instant>) -> bool {
        loop {
            let due_at = self.due_at(place, last_set);
            if due_at.is_some_and(|at| at <= Instant::now()) {
                return true;
            }
            if due_at.is_none() && *self.board.closed.borrow() {
                return false;
            }
            let due = async {
                match due_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let is_stopping = self.shutdown.is_requested();
            tokio::select! {
                () = due => {}
                () = place.changed.notified() => {}
                () = self.shutdown.requested(ShutdownMode::Graceful), if !is_stopping => {}
            }
        }
    }

    /// Returns when the place's status may be sent, if there is one.
    fn due_at(&self, place: &Place, last_set: Option<Instant>) -> Option<Instant> {
        let next = place.next.borrow();
        let update = next.as_ref()?;
        let mut due_at = Instant::now() + self.repository.quota().remaining_wait();
        if let Some(failed) = &*place.failed.borrow() {
            due_at = due_at.max(failed.at + self.pause_after(failed.attempts));
        }
        if let (Urgency::Progress, Some(last_set)) = (update.urgency, last_set) {
            due_at = due_at.max(last_set + self.progress_interval());
        }
        Some(due_at)
    }

    fn pause_after(&self, attempts: u32) -> Duration {
        // There is no time for long pauses after a signal.
        let doublings = if self.shutdown.is_requested() {
            0
        } else {
            attempts.saturating_sub(1).min(10)
        };
        (MIN_RETRY_PAUSE * 2_u32.pow(doublings)).min(MAX_RETRY_PAUSE)
    }

    fn progress_interval(&self) -> Duration {
        let targets = u32::try_from(self.board.places.len()).unwrap_or(u32::MAX);
        MIN_PROGRESS_INTERVAL.max(PROGRESS_INTERVAL_PER_TARGET * targets)
    }
}
