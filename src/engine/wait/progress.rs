//! Decides what is reported during a wait: every change, and otherwise a heartbeat.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{BlockedOn, Job, LastSeen, News, Snapshot, State};

/// Interval at which an ongoing poll failure is reported again.
const REMINDER_INTERVAL: Duration = Duration::from_mins(1);
/// A run that is queued behind its concurrency group for this long may be waiting for the calling workflow.
const QUEUE_WARNING_DELAY: Duration = Duration::from_mins(1);

/// What has been seen and reported of a run.
pub(super) struct Progress<'a> {
    accepted_at: Instant,
    sink: &'a dyn Fn(News<'_>),
    last_news_at: Cell<Instant>,
    last: RefCell<Option<Snapshot>>,
    /// Whether the last poll didn't include the jobs, so that those in `last` are older.
    lacks_jobs: Cell<bool>,
    jobs: RefCell<HashMap<String, State>>,
    /// Numbers of ended and of all jobs, as last reported.
    job_counts: Cell<(usize, usize)>,
    /// When a poll failure was last reported; `None` while polls succeed.
    failure_reported_at: Cell<Option<Instant>>,
    queue_wait: Cell<QueueWait>,
}

#[derive(Clone, Copy)]
enum QueueWait {
    NotWaiting,
    Since(Instant),
    Warned,
}

impl<'a> Progress<'a> {
    pub(super) fn new(accepted_at: Instant, sink: &'a dyn Fn(News<'_>)) -> Self {
        Self {
            accepted_at,
            sink,
            last_news_at: Cell::new(Instant::now()),
            last: RefCell::default(),
            lacks_jobs: Cell::new(true),
            jobs: RefCell::default(),
            job_counts: Cell::default(),
            failure_reported_at: Cell::new(None),
            queue_wait: Cell::new(QueueWait::NotWaiting),
        }
    }

    /// Takes out the last successful poll, with the jobs of the last poll that included them.
    pub(super) fn take_last(&self) -> Option<Snapshot> {
        self.last.take()
    }

    pub(super) fn lacks_jobs(&self) -> bool {
        self.lacks_jobs.get()
    }

    /// Returns what the run was blocked on at the last successful poll.
    pub(super) fn blocked_on(&self) -> Option<BlockedOn> {
        self.last.borrow().as_ref()?.blocked_on.clone()
    }

    /// Returns what the run was doing at the last successful poll.
    pub(super) fn last_seen(&self) -> LastSeen {
        LastSeen {
            state: self.last.borrow().as_ref().map(|last| last.state),
            blocked_on: self.blocked_on(),
        }
    }

    /// Whether the run has changed since the last poll, so that its jobs may have changed too.
    pub(super) fn has_changed(&self, snapshot: &Snapshot) -> bool {
        let last = self.last.borrow();
        last.as_ref().is_none_or(|last| {
            last.provider_status != snapshot.provider_status || last.changed != snapshot.changed
        })
    }

    pub(super) fn record(&self, mut snapshot: Snapshot) {
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
        let blocked_on_changed =
            snapshot.blocked_on.is_some() && blocked_on != snapshot.blocked_on.as_ref();
        // The caller reports the end, together with its conclusion.
        let is_over = snapshot.state.conclusion().is_some();
        let is_new_state = !is_over && (state != Some(snapshot.state) || blocked_on_changed);
        let news = || News::State {
            state: snapshot.state,
            blocked_on: snapshot.blocked_on.as_ref(),
        };
        // Report `running` before changes of jobs, and `blocked` after them.
        let is_blocked = snapshot.state == State::Blocked;
        if is_new_state && !is_blocked {
            self.emit(news());
        }
        for job in snapshot.jobs.iter().flatten() {
            self.record_job(job);
        }
        if is_new_state && is_blocked {
            self.emit(news());
        }
        if let Some(jobs) = &snapshot.jobs {
            self.record_job_counts(jobs);
        }
        self.record_queue_wait(snapshot.blocked_on.as_ref());
        self.lacks_jobs.set(snapshot.jobs.is_none());
        if snapshot.jobs.is_none()
            && let Some(before) = before
        {
            snapshot.jobs = before.jobs;
            snapshot.jobs_cut_at = before.jobs_cut_at;
        }
        self.last.replace(Some(snapshot));
    }

    fn record_job(&self, job: &Job) {
        let before = self.jobs.borrow_mut().insert(job.id.clone(), job.state);
        let has_changed = before != Some(job.state);
        // A queued job isn't worth reporting.
        if has_changed && job.state != State::Queued {
            self.emit(News::Job(job));
        }
    }

    fn record_job_counts(&self, jobs: &[Job]) {
        let (done, all) = job_counts(jobs);
        if self.job_counts.replace((done, all)) != (done, all) {
            // Not logged, so the next heartbeat isn't later because of it.
            (self.sink)(News::JobsDone { done, all });
        }
    }

    fn record_queue_wait(&self, blocked_on: Option<&BlockedOn>) {
        let next = match (blocked_on, self.queue_wait.get()) {
            (Some(BlockedOn::Turn { .. }), QueueWait::NotWaiting) => {
                QueueWait::Since(Instant::now())
            }
            (Some(BlockedOn::Turn { .. }), QueueWait::Since(start))
                if start.elapsed() >= QUEUE_WARNING_DELAY =>
            {
                self.emit(News::LongTurn);
                QueueWait::Warned
            }
            (Some(BlockedOn::Turn { .. }), unchanged) => unchanged,
            _ => QueueWait::NotWaiting,
        };
        self.queue_wait.set(next);
    }

    /// Reports a failed poll, unless that was done recently.
    pub(super) fn record_failure(&self, why: &str) {
        let is_recent = |reported_at: Instant| reported_at.elapsed() < REMINDER_INTERVAL;
        if self.failure_reported_at.get().is_some_and(is_recent) {
            return;
        }
        self.failure_reported_at.set(Some(Instant::now()));
        self.emit(News::Failing(why));
    }

    /// Reports a successful poll after failed ones.
    pub(super) fn record_success(&self) {
        if self.failure_reported_at.take().is_some() {
            self.emit(News::Readable);
        }
    }

    /// Reports, of a run that has ended, that its jobs can't be read, or not all of them.
    pub(super) fn report_missing_jobs(&self) {
        if self.lacks_jobs() {
            return self.emit(News::JobsUnreadable);
        }
        let last = self.last.borrow();
        if let Some(read) = last.as_ref().and_then(|last| last.jobs_cut_at) {
            self.emit(News::SomeJobs(read));
        }
    }

    /// Returns the time since anything was reported.
    pub(super) fn time_since_news(&self) -> Duration {
        self.last_news_at.get().elapsed()
    }

    pub(super) fn emit_heartbeat(&self) {
        let last = self.last.borrow();
        let jobs = last.as_ref().and_then(|snapshot| snapshot.jobs.as_deref());
        let (done, all) = job_counts(jobs.unwrap_or_default());
        self.emit(News::Heartbeat {
            elapsed: self.accepted_at.elapsed(),
            state: last.as_ref().map(|snapshot| snapshot.state),
            done,
            all,
        });
    }

    fn emit(&self, news: News<'_>) {
        self.last_news_at.set(Instant::now());
        (self.sink)(news);
    }
}

/// Returns the numbers of ended and of all jobs.
fn job_counts(jobs: &[Job]) -> (usize, usize) {
    let ended = jobs.iter().filter(|job| job.state.conclusion().is_some());
    (ended.count(), jobs.len())
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
                progress.has_changed(&snapshot);
                progress.record(snapshot);
                progress.record_failure("no");
                progress.emit_heartbeat();
                progress.record_success();
                progress.blocked_on();
            }
            progress.take_last();
        }
    }
}
