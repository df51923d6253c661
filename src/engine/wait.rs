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
use crate::providers::{Depth, Error, PollIntervals, Quota};
use progress::Progress;

/// Something is emitted at least this often.
const HEARTBEAT_INTERVAL: Duration = Duration::from_mins(1);
/// Attempts to read the jobs of a run that has ended.
const MAX_POLLS_AT_END: u32 = 4;

/// Longest rate limit that is waited out for that.
const MAX_RATE_LIMIT_AT_END: Duration = Duration::from_mins(2);

/// Timeout of the single poll after the deadline.
const LAST_POLL_TIMEOUT: Duration = Duration::from_secs(10);
/// Providers round times, and their machines' clocks differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(3);
/// Time for a completed run to show its conclusion; without one it counts as failed.
const CONCLUSION_GRACE: Duration = Duration::from_secs(30);

/// Parameters of a wait.
pub(crate) struct Watch<'a> {
    /// When the trigger was accepted: the run's age counts from here.
    pub(crate) since: Instant,
    pub(crate) deadline: Instant,
    /// The deadline by the server's clock.
    pub(crate) ends_by: DateTime<Utc>,
    pub(crate) on_blocked: OnBlocked,
    pub(crate) intervals: PollIntervals,
    pub(crate) quota: &'a Quota,
}

/// Result of a wait.
pub(crate) struct Waited {
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
) -> Waited {
    let progress = Progress::new(watch.since, emit);
    let mut end = tokio::select! {
        // Biased: an end that was seen counts, even after a shutdown or the deadline.
        biased;
        end = follow(&poll, watch, &progress) => end,
        () = shutdown.requested(ShutdownMode::Graceful) => End::Stopped,
        () = sleep_until(watch.deadline) => End::TimedOut,
        () = heartbeat(&progress) => unreachable!("a heart beats for ever"),
    };
    if let End::TimedOut = end {
        tokio::select! {
            biased;
            late = last_poll(&poll, watch, &progress) => end = late,
            () = shutdown.requested(ShutdownMode::Graceful) => {}
        }
    }
    if let End::Completed(_) = end {
        tokio::select! {
            biased;
            () = see_the_jobs(&poll, watch, &progress) => {}
            () = shutdown.requested(ShutdownMode::Graceful) => {}
        }
    }
    Waited {
        end,
        snapshot: progress.last(),
    }
}

async fn follow(
    poll: &impl AsyncFn(Depth) -> Result<Snapshot, Error>,
    watch: &Watch<'_>,
    progress: &Progress<'_>,
) -> End {
    let mut refusals = Refusals::default();
    let mut unconcluded = None::<Instant>;
    let mut jobs_seen = None::<Instant>;
    loop {
        watch.quota.wait_for_turn().await;
        let at = Instant::now();
        let age = at - watch.since;
        let jobs_are_old =
            jobs_seen.is_none_or(|seen| at - seen >= watch.intervals.jobs_interval(age));
        let depth = if jobs_are_old {
            Depth::Jobs
        } else {
            Depth::Run
        };
        let mut found = poll(depth).await;
        if let Ok(seen) = &found
            && seen.jobs.is_none()
            && seen.state.conclusion().is_none()
            && progress.is_news(seen)
        {
            // Show right away what the jobs did.
            found = poll(Depth::Jobs).await.or(found);
        }
        match found {
            Ok(mut found) => {
                refusals.clear();
                progress.recover();
                if jobs_are_old || found.jobs.is_some() {
                    jobs_seen = Some(at);
                }
                if !found.lacks_conclusion {
                    unconcluded = None;
                } else if unconcluded.get_or_insert(at).elapsed() >= CONCLUSION_GRACE {
                    found.state = State::Completed(Conclusion::Failure);
                }
                let state = found.state;
                progress.see(found);
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
                progress.fail(error.message());
            }
        }
        sleep_until(at + watch.intervals.jittered(age)).await;
    }
}

/// Polls once more after the deadline, out of turn: a run that ended in time keeps its conclusion, however late that is
/// seen.
async fn last_poll(
    poll: &impl AsyncFn(Depth) -> Result<Snapshot, Error>,
    watch: &Watch<'_>,
    progress: &Progress<'_>,
) -> End {
    let Ok(Ok(found)) = timeout(LAST_POLL_TIMEOUT, poll(Depth::Jobs)).await else {
        return End::TimedOut;
    };
    let conclusion = ended_in_time(&found, watch.ends_by);
    progress.see(found);
    conclusion.map_or(End::TimedOut, End::Completed)
}

/// Returns the conclusion of a run that ended before its deadline by the server's clock. A run without an end time gets
/// the benefit of the doubt.
pub(crate) fn ended_in_time(snapshot: &Snapshot, ends_by: DateTime<Utc>) -> Option<Conclusion> {
    let completed = snapshot.times.completed;
    let in_time = completed.is_none_or(|completed| completed <= ends_by + CLOCK_SKEW);
    snapshot.state.conclusion().filter(|_| in_time)
}

/// Reads the jobs of a run that has ended, if the last poll didn't include them: only they show which job failed.
async fn see_the_jobs(
    poll: &impl AsyncFn(Depth) -> Result<Snapshot, Error>,
    watch: &Watch<'_>,
    progress: &Progress<'_>,
) {
    for again in 0..MAX_POLLS_AT_END {
        if !progress.lacks_jobs() {
            return;
        }
        if again > 0 {
            sleep(watch.intervals.min).await;
        }
        if watch.quota.remaining_wait() > MAX_RATE_LIMIT_AT_END {
            return;
        }
        watch.quota.wait().await;
        match poll(Depth::Jobs).await {
            Ok(found) if found.state.conclusion().is_some() => progress.see(found),
            Ok(_) | Err(_) => {}
        }
    }
}

async fn heartbeat(progress: &Progress<'_>) {
    loop {
        let left = HEARTBEAT_INTERVAL.saturating_sub(progress.silence());
        if left.is_zero() {
            progress.beat();
        } else {
            sleep(left).await;
        }
    }
}
