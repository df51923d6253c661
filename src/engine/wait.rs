//! The poll loop, which waits for one run. It knows no provider: it gets a closure that polls, and emits what changes.

mod progress;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::engine::poll_failures::Refusals;
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::model::{Conclusion, End, News, OnBlocked, Snapshot, State};
use crate::providers::{Depth, Error, ErrorKind, PollIntervals, Quota};
use progress::Progress;

/// Something is emitted at least this often.
const HEARTBEAT_INTERVAL: Duration = Duration::from_mins(1);
/// Attempts to read the jobs of a run that has ended.
const MAX_FINAL_JOB_READS: u32 = 4;

/// Longest rate limit that is waited out for that.
const MAX_FINAL_RATE_LIMIT: Duration = Duration::from_mins(2);

/// Timeout of the poll after the deadline, including its repetitions.
const LAST_POLL_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before the poll after the deadline is repeated.
const LAST_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Providers round times, and their machines' clocks differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(3);
/// Time for a completed run to show its conclusion; without one it counts as failed.
const CONCLUSION_GRACE: Duration = Duration::from_secs(30);

/// Parameters of a wait.
pub(crate) struct Watch<'a> {
    /// When the trigger was accepted: the run's age counts from here.
    pub(crate) accepted_at: Instant,
    pub(crate) deadline: Instant,
    /// The deadline by the server's clock.
    pub(crate) server_deadline: DateTime<Utc>,
    pub(crate) on_blocked: OnBlocked,
    pub(crate) intervals: PollIntervals,
    pub(crate) quota: &'a Quota,
}

/// Result of a wait.
pub(crate) struct WaitResult {
    pub(crate) end: End,
    /// The last successful poll, if there was one.
    pub(crate) snapshot: Option<Snapshot>,
}

/// Polls a run until it has ended, or there is a reason to stop waiting.
pub(crate) async fn wait(
    poll: impl AsyncFn(Depth) -> Result<Snapshot, Error>,
    watch: &Watch<'_>,
    shutdown: &Shutdown,
    emit: &dyn Fn(News<'_>),
) -> WaitResult {
    let progress = Progress::new(watch.accepted_at, emit);
    let mut end = tokio::select! {
        // Biased: an end that was seen counts, even after a shutdown or the deadline.
        biased;
        end = poll_until_end(&poll, watch, &progress) => end,
        () = shutdown.requested(ShutdownMode::Graceful) => End::Stopped,
        () = sleep_until(watch.deadline) => End::TimedOut(progress.last_seen()),
        () = heartbeat(&progress) => unreachable!("the heartbeat never ends"),
    };
    if let End::TimedOut(_) = end {
        tokio::select! {
            biased;
            late = last_poll(&poll, watch, &progress) => end = late,
            () = shutdown.requested(ShutdownMode::Graceful) => {}
        }
    }
    if let End::Completed(_) = end {
        tokio::select! {
            biased;
            () = read_final_jobs(&poll, watch, &progress) => progress.report_missing_jobs(),
            () = shutdown.requested(ShutdownMode::Graceful) => {}
        }
    }
    WaitResult {
        end,
        snapshot: progress.take_last(),
    }
}

async fn poll_until_end(
    poll: &impl AsyncFn(Depth) -> Result<Snapshot, Error>,
    watch: &Watch<'_>,
    progress: &Progress<'_>,
) -> End {
    let mut refusals = Refusals::default();
    let mut unconcluded_since = None::<Instant>;
    let mut jobs_read_at = None::<Instant>;
    loop {
        watch.quota.wait_for_turn().await;
        let polled_at = Instant::now();
        let age = polled_at - watch.accepted_at;
        let jobs_are_old = jobs_read_at
            .is_none_or(|read_at| polled_at - read_at >= watch.intervals.jobs_interval(age));
        let depth = if jobs_are_old {
            Depth::Jobs
        } else {
            Depth::Run
        };
        let mut polled = poll(depth).await;
        if let Ok(snapshot) = &polled
            && snapshot.jobs.is_none()
            && snapshot.state.conclusion().is_none()
            && progress.has_changed(snapshot)
        {
            // Show right away what the jobs did.
            polled = poll(Depth::Jobs).await.or(polled);
        }
        match polled {
            Ok(mut snapshot) => {
                refusals.clear();
                progress.record_success();
                if jobs_are_old || snapshot.jobs.is_some() {
                    jobs_read_at = Some(polled_at);
                }
                if !snapshot.lacks_conclusion {
                    unconcluded_since = None;
                } else if unconcluded_since.get_or_insert(polled_at).elapsed() >= CONCLUSION_GRACE {
                    snapshot.state = State::Completed(Conclusion::Failure);
                }
                let state = snapshot.state;
                progress.record(snapshot);
                match state {
                    State::Completed(conclusion) => return End::Completed(conclusion),
                    State::Blocked if watch.on_blocked == OnBlocked::Fail => {
                        return End::Blocked(progress.blocked_on());
                    }
                    State::Queued | State::Running | State::Blocked => {}
                }
            }
            Err(error) => {
                if refusals.record(&error) {
                    return End::Lost(error.failure());
                }
                progress.record_failure(error.message());
            }
        }
        sleep_until(polled_at + watch.intervals.jittered(age)).await;
    }
}

/// Polls once more after the deadline, out of turn: a run that ended in time keeps its conclusion, however late that is
/// seen. The poll is repeated if it fails, or shows an end without a conclusion.
async fn last_poll(
    poll: &impl AsyncFn(Depth) -> Result<Snapshot, Error>,
    watch: &Watch<'_>,
    progress: &Progress<'_>,
) -> End {
    let poll_until_clear = async {
        loop {
            match poll(Depth::Jobs).await {
                Ok(snapshot) => {
                    let is_clear = !snapshot.lacks_conclusion;
                    let conclusion = ended_in_time(&snapshot, watch.server_deadline);
                    progress.record(snapshot);
                    if is_clear {
                        return conclusion;
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::Rejected | ErrorKind::RateLimited(_) => return None,
                    ErrorKind::Unreachable | ErrorKind::Unknown => {}
                },
            }
            sleep(LAST_POLL_INTERVAL).await;
        }
    };
    let clear = timeout(LAST_POLL_TIMEOUT, poll_until_clear).await;
    let conclusion = clear.ok().flatten();
    conclusion.map_or_else(|| End::TimedOut(progress.last_seen()), End::Completed)
}

/// Returns the conclusion of a run that ended before its deadline by the server's clock. A run without an end time gets
/// the benefit of the doubt.
pub(crate) fn ended_in_time(
    snapshot: &Snapshot,
    server_deadline: DateTime<Utc>,
) -> Option<Conclusion> {
    let completed = snapshot.times.completed;
    let in_time = completed.is_none_or(|completed| completed <= server_deadline + CLOCK_SKEW);
    snapshot.state.conclusion().filter(|_| in_time)
}

/// Reads the jobs of a run that has ended, if the last poll didn't include them: only they show which job failed.
async fn read_final_jobs(
    poll: &impl AsyncFn(Depth) -> Result<Snapshot, Error>,
    watch: &Watch<'_>,
    progress: &Progress<'_>,
) {
    for attempt in 0..MAX_FINAL_JOB_READS {
        if !progress.lacks_jobs() {
            return;
        }
        if attempt > 0 {
            sleep(watch.intervals.min).await;
        }
        if watch.quota.remaining_wait() > MAX_FINAL_RATE_LIMIT {
            return;
        }
        watch.quota.wait().await;
        match poll(Depth::Jobs).await {
            Ok(snapshot) if snapshot.state.conclusion().is_some() => progress.record(snapshot),
            Ok(_) | Err(_) => {}
        }
    }
}

async fn heartbeat(progress: &Progress<'_>) {
    loop {
        let left = HEARTBEAT_INTERVAL.saturating_sub(progress.time_since_news());
        if left.is_zero() {
            progress.emit_heartbeat();
        } else {
            sleep(left).await;
        }
    }
}
