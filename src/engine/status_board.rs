//! Commit statuses of the targets. Each target has a place on the board, which holds the newest status that isn't set
//! yet: a newer one replaces it. Nothing waits for the board, except for a moment before the first trigger, and targets
//! whose statuses are their memory.

mod sender;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::engine::retry::{DEFAULT_RATE_LIMIT_BUDGET, RetryPolicy, backoff, retry};
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::model::{CommitStatus, Failure, StatusState};
use crate::providers::Idempotency;
use crate::providers::calling_repository::{CallingRepository, ListedStatuses};
use sender::StatusSender;

/// Time for a status that a target needs before it goes on. Rate limits are waited out meanwhile.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_mins(5);
/// Concurrent requests.
const MAX_REQUESTS: usize = 8;
/// Time for the first statuses before the first trigger is sent without them.
const FIRST_STATUSES_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for the last statuses once all targets are finished. A rate limit usually takes a minute.
const LAST_STATUSES_TIMEOUT: Duration = Duration::from_secs(90);
/// The same, counted from a signal: all of the time that the step has, except for a moment to write outputs.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(6);

/// The statuses of all targets of a step.
pub(crate) struct StatusBoard {
    /// By target index.
    places: Vec<Place>,
    /// Whether no status will be shown any more.
    closed: watch::Sender<bool>,
    /// Why a status was refused, if the reason concerns all of them. Then only last ones are tried.
    refused: RefCell<Option<Failure>>,
    requests: Semaphore,
    /// The commit's statuses as they were before this step. `None` until they are read.
    earlier: watch::Sender<Option<EarlierStatuses>>,
    /// Whether somebody needs them.
    needs_earlier: bool,
}

/// The commit's statuses, or why they can't be read.
type EarlierStatuses = Result<Rc<ListedStatuses>, Failure>;

/// What has become of a target's newest status.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Newest {
    /// It was set, or there is none.
    Set,
    Waiting,
    /// It won't be sent again.
    GivenUp,
}

/// When a status is to be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Urgency {
    Now,
    /// Some time after the target's previous one.
    Progress,
}

/// What happened to a target's newest status.
pub(crate) enum Delivery {
    /// It was set, or there was none.
    Done,
    Rejected {
        failure: Failure,
        /// Whether it concerns all statuses, and `on_refused` was called with it.
        is_reported: bool,
    },
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
    newest: watch::Sender<Newest>,
    /// Whether the first status was set. `None` until that is certain.
    was_set: watch::Sender<Option<bool>>,
    /// The last request, if it failed.
    failed: RefCell<Option<FailedRequest>>,
}

struct FailedRequest {
    failure: Failure,
    /// Whether another attempt is pointless.
    is_final: bool,
    at: Instant,
    /// Number of consecutive failures.
    attempts: u32,
}

struct Update {
    status: CommitStatus,
    urgency: Urgency,
}

impl StatusBoard {
    /// `needs_earlier`: whether the statuses that the commit has already are read.
    pub(crate) fn new(targets: usize, needs_earlier: bool) -> Self {
        let place = || Place {
            next: RefCell::default(),
            changed: Notify::new(),
            is_over: Cell::default(),
            newest: watch::Sender::new(Newest::Set),
            was_set: watch::Sender::new(None),
            failed: RefCell::default(),
        };
        Self {
            places: (0..targets).map(|_| place()).collect(),
            closed: watch::Sender::new(false),
            refused: RefCell::default(),
            requests: Semaphore::new(MAX_REQUESTS),
            earlier: watch::Sender::new(None),
            needs_earlier,
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
        place.newest.send_replace(Newest::Waiting);
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

    /// Returns the statuses that the commit had before this step, once they are read.
    pub(crate) async fn earlier(&self) -> EarlierStatuses {
        let mut earlier = self.earlier.subscribe();
        let known = earlier.wait_for(Option::is_some).await;
        let known = known.ok().and_then(|known| known.clone());
        known.unwrap_or_else(|| Err(no_answer()))
    }

    /// Waits until a target's newest status is set. Fails if that doesn't succeed in time.
    pub(crate) async fn confirm(&self, index: usize) -> Result<(), Failure> {
        let place = &self.places[index];
        let mut newest = place.newest.subscribe();
        let known = newest.wait_for(|newest| *newest != Newest::Waiting);
        let known = timeout(CONFIRMATION_TIMEOUT, known).await;
        if known.is_ok_and(|known| known.is_ok_and(|newest| *newest == Newest::Set)) {
            return Ok(());
        }
        let failed = place.failed.borrow();
        let failure = failed.as_ref().map(|failed| failed.failure.clone());
        let failure = failure.or_else(|| self.refused.borrow().clone());
        Err(failure.unwrap_or_else(no_answer))
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
        self.refused.replace(Some(failure.clone()));
        self.earlier.send_replace(Some(Err(failure.clone())));
        for place in &self.places {
            place.failed.replace(Some(FailedRequest {
                failure: failure.clone(),
                is_final: true,
                at: Instant::now(),
                attempts: 1,
            }));
            place.give_up();
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
        let sender = StatusSender {
            board: self,
            repository,
            commit,
            shutdown,
            on_refused,
        };
        let sending = join_all(self.places.iter().map(|place| sender.send_all(place)));
        let sending = join(self.read_earlier(repository, commit, shutdown), sending);
        tokio::select! {
            biased;
            _ = sending => {}
            () = self.time_is_up(shutdown) => {}
        }
        for place in &self.places {
            place.give_up();
        }
    }

    /// Reads the statuses that the commit has, if somebody needs them. Those who do show none before that.
    async fn read_earlier(
        &self,
        repository: &impl CallingRepository,
        commit: &str,
        shutdown: &Shutdown,
    ) {
        if !self.needs_earlier {
            return;
        }
        let policy = RetryPolicy {
            idempotency: Idempotency::Repeatable,
            rate_limit_budget: DEFAULT_RATE_LIMIT_BUDGET,
            quota: repository.quota(),
            shutdown,
            emit: &|_| {},
        };
        let read = async || repository.statuses(commit).await;
        let read = retry(policy, backoff(policy.idempotency), read);
        tokio::select! {
            read = read => {
                let earlier = read.map(Rc::new).map_err(|error| error.failure());
                self.earlier.send_replace(Some(earlier));
            }
            // Nobody needs them any more.
            () = shutdown.requested(ShutdownMode::Graceful) => {}
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

    /// Returns what happened to each target's newest status, in the order of the targets.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = Delivery> {
        self.places.iter().map(|place| {
            let failed = place.failed.borrow();
            let failure = failed.as_ref().map(|failed| failed.failure.clone());
            match failure {
                Some(failure) if failed.as_ref().is_some_and(|failed| failed.is_final) => {
                    Delivery::Rejected {
                        is_reported: self.refused.borrow().as_ref().map(|refused| &refused.what)
                            == Some(&failure.what),
                        failure,
                    }
                }
                _ if *place.newest.borrow() == Newest::Set => Delivery::Done,
                failure => Delivery::Unset(failure),
            }
        })
    }
}

impl Place {
    /// Records that the status that was sent last is set.
    fn record_success(&self) {
        self.failed.take();
        if self.next.borrow().is_none() {
            self.newest.send_replace(Newest::Set);
        }
        self.settle(true);
    }

    /// Records that the status that was to be sent last won't be sent again.
    fn give_up(&self) {
        if *self.newest.borrow() == Newest::Waiting {
            self.newest.send_replace(Newest::GivenUp);
        }
        self.settle(false);
    }

    /// Records whether the first status was set, unless that is known already.
    fn settle(&self, is_set: bool) {
        self.was_set.send_if_modified(|known| {
            let is_news = known.is_none();
            known.get_or_insert(is_set);
            is_news
        });
    }
}

fn no_answer() -> Failure {
    Failure {
        what: "there was no answer in time".to_owned(),
        remedy: None,
        causes: Vec::new(),
    }
}

fn is_last(status: &CommitStatus) -> bool {
    status.state != StatusState::Pending
}
