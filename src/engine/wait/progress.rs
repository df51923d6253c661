//! Decides what is reported during a wait: every change, and otherwise a heartbeat.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{BlockedOn, Job, News, Snapshot, State};

/// Interval at which an ongoing poll failure is reported again.
const REMINDER_INTERVAL: Duration = Duration::from_mins(1);
/// A run that is queued behind its concurrency group for this long may be waiting for the calling workflow.
const QUEUE_WARNING: Duration = Duration::from_mins(1);

/// What has been seen and reported of a run.
pub(super) struct Progress<'a> {
    since: Instant,
    emit: &'a dyn Fn(News<'_>),
    spoke: Cell<Instant>,
    last: RefCell<Option<Snapshot>>,
    /// Whether the last poll didn't include the jobs, so that those in `last` are older.
    lacks_jobs: Cell<bool>,
    jobs: RefCell<HashMap<String, State>>,
    /// When a poll failure was last reported; `None` while polls succeed.
    failing: Cell<Option<Instant>>,
    turn: Cell<QueueWait>,
}

#[derive(Clone, Copy)]
enum QueueWait {
    NotWaiting,
    Since(Instant),
    Warned,
}

impl<'a> Progress<'a> {
    pub(super) fn new(since: Instant, emit: &'a dyn Fn(News<'_>)) -> Self {
        Self {
            since,
            emit,
            spoke: Cell::new(Instant::now()),
            last: RefCell::default(),
            lacks_jobs: Cell::new(true),
            jobs: RefCell::default(),
            failing: Cell::new(None),
            turn: Cell::new(QueueWait::NotWaiting),
        }
    }

    /// Takes out the last successful poll, with the jobs of the last poll that included them.
    pub(super) fn last(&self) -> Option<Snapshot> {
        self.last.take()
    }

    pub(super) fn lacks_jobs(&self) -> bool {
        self.lacks_jobs.get()
    }

    /// Returns what the run was blocked on at the last successful poll.
    pub(super) fn blocked_on(&self) -> Option<BlockedOn> {
        self.last.borrow().as_ref()?.blocked_on.clone()
    }

    /// Whether the run has changed since the last poll, so that its jobs may have changed too.
    pub(super) fn is_news(&self, snapshot: &Snapshot) -> bool {
        let last = self.last.borrow();
        last.as_ref().is_none_or(|last| {
            last.provider_status != snapshot.provider_status || last.changed != snapshot.changed
        })
    }

    pub(super) fn see(&self, mut snapshot: Snapshot) {
        let before = self.last.take();
        if snapshot.jobs.is_none()
            && let Some(before) = &before
            && before.provider_status == snapshot.provider_status
        {
            // Some providers show only with the jobs what the run is blocked on.
            snapshot.blocked_on = snapshot.blocked_on.or_else(|| before.blocked_on.clone());
        }
        let (state, blocked_on) = match &before {
            Some(before) => (Some(before.state), before.blocked_on.as_ref()),
            None => (None, None),
        };
        let is_held_otherwise =
            snapshot.blocked_on.is_some() && blocked_on != snapshot.blocked_on.as_ref();
        // The caller reports the end, together with its conclusion.
        let is_over = snapshot.state.conclusion().is_some();
        let is_news = !is_over && (state != Some(snapshot.state) || is_held_otherwise);
        let news = || News::State {
            state: snapshot.state,
            blocked_on: snapshot.blocked_on.as_ref(),
        };
        // Report `running` before changes of jobs, and `blocked` after them.
        let is_blocked = snapshot.state == State::Blocked;
        if is_news && !is_blocked {
            self.say(news());
        }
        for job in snapshot.jobs.iter().flatten() {
            self.see_job(job);
        }
        if is_news && is_blocked {
            self.say(news());
        }
        self.see_turn(snapshot.blocked_on.as_ref());
        self.lacks_jobs.set(snapshot.jobs.is_none());
        if snapshot.jobs.is_none() {
            snapshot.jobs = before.and_then(|before| before.jobs);
        }
        self.last.replace(Some(snapshot));
    }

    fn see_job(&self, job: &Job) {
        let before = self.jobs.borrow_mut().insert(job.id.clone(), job.state);
        let is_news = before != Some(job.state);
        // A queued job isn't worth reporting.
        if is_news && job.state != State::Queued {
            self.say(News::Job(job));
        }
    }

    fn see_turn(&self, blocked_on: Option<&BlockedOn>) {
        let next = match (blocked_on, self.turn.get()) {
            (Some(BlockedOn::Turn { .. }), QueueWait::NotWaiting) => {
                QueueWait::Since(Instant::now())
            }
            (Some(BlockedOn::Turn { .. }), QueueWait::Since(start))
                if start.elapsed() >= QUEUE_WARNING =>
            {
                self.say(News::LongTurn);
                QueueWait::Warned
            }
            (Some(BlockedOn::Turn { .. }), turn) => turn,
            _ => QueueWait::NotWaiting,
        };
        self.turn.set(next);
    }

    /// Reports a failed poll, unless that was done recently.
    pub(super) fn fail(&self, why: &str) {
        let is_old = |said: Instant| said.elapsed() < REMINDER_INTERVAL;
        if self.failing.get().is_some_and(is_old) {
            return;
        }
        self.failing.set(Some(Instant::now()));
        self.say(News::Failing(why));
    }

    /// Reports a successful poll after failed ones.
    pub(super) fn recover(&self) {
        if self.failing.take().is_some() {
            self.say(News::Readable);
        }
    }

    /// Returns the time since anything was reported.
    pub(super) fn silence(&self) -> Duration {
        self.spoke.get().elapsed()
    }

    pub(super) fn beat(&self) {
        let last = self.last.borrow();
        let jobs = last.as_ref().and_then(|snapshot| snapshot.jobs.as_deref());
        let done = |job: &&Job| job.state.conclusion().is_some();
        self.say(News::Heartbeat {
            elapsed: self.since.elapsed(),
            state: last.as_ref().map(|snapshot| snapshot.state),
            done: jobs.map_or(0, |jobs| jobs.iter().filter(done).count()),
            all: jobs.map_or(0, <[Job]>::len),
        });
    }

    fn say(&self, news: News<'_>) {
        self.spoke.set(Instant::now());
        (self.emit)(news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn progress_never_panics(polls in prop::collection::vec(arbitrary::snapshot(), 0..6)) {
            let progress = Progress::new(Instant::now(), &|_| {});
            for snapshot in polls {
                progress.is_news(&snapshot);
                progress.see(snapshot);
                progress.fail("no");
                progress.beat();
                progress.recover();
                progress.blocked_on();
            }
            progress.last();
        }
    }
}
