//! What is said while a run goes on: a line when anything changes, else a heartbeat.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{BlockedOn, Job, News, Snapshot, State};

/// A failure that goes on is said again after so long.
const REMINDER_INTERVAL: Duration = Duration::from_mins(1);
/// A run that waits for its turn so long may wait for us.
const QUEUE_WARNING: Duration = Duration::from_mins(1);

/// What has been seen and said of a run.
pub(super) struct Progress<'a> {
    since: Instant,
    emit: &'a dyn Fn(News<'_>),
    spoke: Cell<Instant>,
    last: RefCell<Option<Snapshot>>,
    /// Whether the last look did not show the jobs, so that what is known of them is older.
    lacks_jobs: Cell<bool>,
    jobs: RefCell<HashMap<String, State>>,
    /// When a failure was said last.
    failing: Cell<Option<Instant>>,
    /// Since when it waits for its turn; `None` once that has been warned about.
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

    /// The last good look, with the jobs of the last one that showed them.
    pub(super) fn last(&self) -> Option<Snapshot> {
        self.last.take()
    }

    pub(super) fn lacks_jobs(&self) -> bool {
        self.lacks_jobs.get()
    }

    /// What it waits for, for all that was seen.
    pub(super) fn blocked_on(&self) -> Option<BlockedOn> {
        self.last.borrow().as_ref()?.blocked_on.clone()
    }

    /// Whether a look shows the run otherwise than the one before, so that its jobs may be too.
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
            // Some providers' jobs tell what it waits for.
            snapshot.blocked_on = snapshot.blocked_on.or_else(|| before.blocked_on.clone());
        }
        let (state, blocked_on) = match &before {
            Some(before) => (Some(before.state), before.blocked_on.as_ref()),
            None => (None, None),
        };
        let is_held_otherwise =
            snapshot.blocked_on.is_some() && blocked_on != snapshot.blocked_on.as_ref();
        // The end is told by others, together with what it means.
        let is_over = snapshot.state.conclusion().is_some();
        let is_news = !is_over && (state != Some(snapshot.state) || is_held_otherwise);
        let news = || News::State {
            state: snapshot.state,
            blocked_on: snapshot.blocked_on.as_ref(),
        };
        // That it runs comes before what its jobs do, and that it is blocked after what they did.
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
        // That a job is yet to come is no news.
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

    /// A look failed.
    pub(super) fn fail(&self, why: &str) {
        let is_old = |said: Instant| said.elapsed() < REMINDER_INTERVAL;
        if self.failing.get().is_some_and(is_old) {
            return;
        }
        self.failing.set(Some(Instant::now()));
        self.say(News::Failing(why));
    }

    /// A look was good.
    pub(super) fn recover(&self) {
        if self.failing.take().is_some() {
            self.say(News::Readable);
        }
    }

    /// How long nothing has been said.
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
