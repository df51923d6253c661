//! Commit statuses of the targets. Each target has a place on the board, which holds the newest status that isn't set
//! yet: a newer one replaces it. Requests of one target go out one after the other, so that none overtakes another.
//! Nothing waits for the board, except for a moment before the first trigger.

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::model::{CommitStatus, Failure, StatusState};
use crate::providers::calling_repository::CallingRepository;
use crate::providers::{Error, ErrorKind};

/// Time between two statuses of a target that only show its progress.
const MIN_PROGRESS_INTERVAL: Duration = Duration::from_secs(15);
/// The same for each target of the step: GitHub allows about 80 requests a minute that create something.
const PROGRESS_INTERVAL_PER_TARGET: Duration = Duration::from_secs(1);
/// Statuses of a target that only show its progress. GitHub keeps 1,000 of a commit and context, for all attempts.
const MAX_PROGRESS_UPDATES: usize = 100;
/// Concurrent requests.
const MAX_REQUESTS: usize = 8;
/// GitHub ends a request itself after this time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed request. It doubles with each further one.
const MIN_RETRY_PAUSE: Duration = Duration::from_secs(1);
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(30);
/// Attempts for a status that isn't the target's last. Another one will follow.
const MAX_ATTEMPTS: u32 = 5;

/// Time for the first statuses before the first trigger is sent without them.
const FIRST_STATUSES_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for the last statuses once all targets are finished. A rate limit usually takes a minute.
const LAST_STATUSES_TIMEOUT: Duration = Duration::from_secs(90);
/// The same, counted from a signal: all of the time that the step has, except for a moment to write outputs.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(6_500);

/// The statuses of all targets of a step.
pub(crate) struct StatusBoard {
    /// By target index.
    places: Vec<Place>,
    /// Whether no status will be shown any more.
    closed: watch::Sender<bool>,
    /// Whether a status was refused for a reason that concerns all of them, so that only last ones are tried.
    is_refused: Cell<bool>,
    requests: Semaphore,
}

/// When a status is to be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Urgency {
    Now,
    /// Some time after the target's previous one.
    Progress,
}

/// What became of a target's newest status.
pub(crate) enum Delivery {
    /// It was set, or there was none.
    Done,
    Rejected(Failure),
    /// There was no time left. Contains why the last attempt failed, if one did.
    Unset(Option<Failure>),
}

/// One target's place on the board.
struct Place {
    /// The newest status that isn't set.
    next: RefCell<Option<Update>>,
    changed: Notify,
    /// Whether the target's last status was shown.
    is_over: Cell<bool>,
    /// Whether the newest status was set, if there was one.
    is_set: Cell<bool>,
    /// Whether the first status was set. `None` until that is certain.
    was_set: watch::Sender<Option<bool>>,
    /// Why the last request failed, and whether another attempt is pointless.
    failure: RefCell<Option<(Failure, bool)>>,
    /// When the last attempt failed, and the number of consecutive failures.
    failed: Cell<Option<(Instant, u32)>>,
}

struct Update {
    status: CommitStatus,
    urgency: Urgency,
}

impl StatusBoard {
    pub(crate) fn new(targets: usize) -> Self {
        let place = || Place {
            next: RefCell::default(),
            changed: Notify::new(),
            is_over: Cell::default(),
            is_set: Cell::new(true),
            was_set: watch::Sender::new(None),
            failure: RefCell::default(),
            failed: Cell::default(),
        };
        Self {
            places: (0..targets).map(|_| place()).collect(),
            closed: watch::Sender::new(false),
            is_refused: Cell::default(),
            requests: Semaphore::new(MAX_REQUESTS),
        }
    }

    /// Shows a target's status as soon as possible, in place of one that isn't set yet. One that isn't pending is the
    /// target's last; later ones are ignored.
    pub(crate) fn show(&self, index: usize, status: CommitStatus, urgency: Urgency) {
        let place = &self.places[index];
        if place.is_over.get() {
            return;
        }
        place.is_over.set(is_last(&status));
        place.is_set.set(false);
        let mut next = place.next.borrow_mut();
        let replaced = next.as_ref().map(|replaced| replaced.urgency);
        let urgency = match (urgency, replaced) {
            (Urgency::Progress, None | Some(Urgency::Progress)) => Urgency::Progress,
            (Urgency::Now, _) | (_, Some(Urgency::Now)) => Urgency::Now,
        };
        *next = Some(Update { status, urgency });
        place.changed.notify_one();
    }

    /// Returns whether a target's first status was set, as soon as that is certain.
    pub(crate) async fn was_set(&self, index: usize) -> bool {
        let mut was_set = self.places[index].was_set.subscribe();
        let known = was_set.wait_for(Option::is_some).await;
        known.is_ok_and(|known| *known == Some(true))
    }

    /// Waits for the first statuses of all targets, but not for long.
    pub(crate) async fn first_statuses(&self, shutdown: &Shutdown) {
        let all = join_all((0..self.places.len()).map(|index| self.was_set(index)));
        tokio::select! {
            _ = timeout(FIRST_STATUSES_TIMEOUT, all) => {}
            () = shutdown.requested(ShutdownMode::Graceful) => {}
        }
    }

    /// Records that no further status will be shown.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
        for place in &self.places {
            place.changed.notify_one();
        }
    }

    /// Records that no status can be set.
    pub(crate) fn refuse(&self, failure: &Failure) {
        self.is_refused.set(true);
        for place in &self.places {
            place.failure.replace(Some((failure.clone(), true)));
            place.was_set.send_replace(Some(false));
        }
    }

    /// Sets the statuses that are shown, until the board is closed and all of them are set, or the time is up.
    /// `on_refused` is called once, if a status is refused for a reason that concerns all of them.
    pub(crate) async fn send(
        &self,
        repository: &impl CallingRepository,
        commit: &str,
        shutdown: &Shutdown,
        on_refused: &dyn Fn(Failure),
    ) {
        let sender = Sender {
            board: self,
            repository,
            commit,
            shutdown,
            on_refused,
        };
        let sending = join_all(self.places.iter().map(|place| sender.send_all(place)));
        tokio::select! {
            biased;
            _ = sending => {}
            () = self.time_is_up(shutdown) => {}
        }
    }

    async fn time_is_up(&self, shutdown: &Shutdown) {
        let after_end = async {
            let mut closed = self.closed.subscribe();
            let _ = closed.wait_for(|closed| *closed).await;
            sleep(LAST_STATUSES_TIMEOUT).await;
        };
        let after_signal = async {
            shutdown.requested(ShutdownMode::Graceful).await;
            let at = shutdown.requested_at().unwrap_or_else(Instant::now);
            sleep_until(at + SHUTDOWN_GRACE).await;
        };
        tokio::select! {
            () = shutdown.requested(ShutdownMode::Immediate) => {}
            () = after_signal => {}
            () = after_end => {}
        }
    }

    /// Returns what became of each target's newest status, in the order of the targets.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = Delivery> {
        self.places
            .iter()
            .map(|place| match &*place.failure.borrow() {
                Some((failure, true)) => Delivery::Rejected(failure.clone()),
                _ if place.is_set.get() => Delivery::Done,
                Some((failure, false)) => Delivery::Unset(Some(failure.clone())),
                None => Delivery::Unset(None),
            })
    }
}

fn is_last(status: &CommitStatus) -> bool {
    status.state != StatusState::Pending
}

struct Sender<'a, Repository> {
    board: &'a StatusBoard,
    repository: &'a Repository,
    commit: &'a str,
    shutdown: &'a Shutdown,
    on_refused: &'a dyn Fn(Failure),
}

impl<Repository: CallingRepository> Sender<'_, Repository> {
    /// Sets the statuses of one target, one after the other.
    async fn send_all(&self, place: &Place) {
        let mut last_set = None::<Instant>;
        let mut progress_updates = 0;
        while self.until_due(place, last_set).await {
            let slot = self.board.requests.acquire().await;
            // A newer one may have taken its place, and another target's may have been refused.
            let Some(update) = place.next.take() else {
                continue;
            };
            let is_progress = update.urgency == Urgency::Progress;
            let is_left_out = self.board.is_refused.get() && !is_last(&update.status);
            if is_left_out || (is_progress && progress_updates >= MAX_PROGRESS_UPDATES) {
                place
                    .was_set
                    .send_if_modified(|was_set| settle(was_set, false));
                continue;
            }
            progress_updates += usize::from(is_progress);
            let sent = self.send(&update.status).await;
            drop(slot);
            match sent {
                Ok(()) => {
                    last_set = Some(Instant::now());
                    place.failure.take();
                    place.failed.take();
                    place.is_set.set(place.next.borrow().is_none());
                    place
                        .was_set
                        .send_if_modified(|was_set| settle(was_set, true));
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
        place.failure.replace(Some((error.failure(), is_final)));
        if is_final && error.is_denied() && !self.board.is_refused.replace(true) {
            (self.on_refused)(error.failure());
        }
        let mut attempts = place.failed.get().map_or(0, |(_, attempts)| attempts);
        // A rate limit is waited out, and doesn't count.
        if !matches!(error.kind(), ErrorKind::RateLimited(_)) {
            attempts += 1;
            place.failed.set(Some((Instant::now(), attempts)));
        }
        let is_given_up = is_final || (attempts >= MAX_ATTEMPTS && !is_last(&update.status));
        let mut next = place.next.borrow_mut();
        if is_given_up {
            place
                .was_set
                .send_if_modified(|was_set| settle(was_set, false));
        } else if next.is_none() {
            *next = Some(update);
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
        if let Some((failed_at, attempts)) = place.failed.get() {
            due_at = due_at.max(failed_at + self.pause_after(attempts));
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

/// Records the fate of the first status. Returns whether that is news.
fn settle(was_set: &mut Option<bool>, is_set: bool) -> bool {
    let is_news = was_set.is_none();
    was_set.get_or_insert(is_set);
    is_news
}
