//! Runs that the step stops waiting for before their end: what is certainly this step's is cancelled, and what may go
//! on is named.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::engine::context::TargetContext;
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::model::{Cancel, CancelEnd, LeftRunning, News, OnAbandoned, Run, Snapshot};
use crate::providers::{Depth, Kind, Quota};

/// After a signal everything must be known by then. The step must be over after seven seconds; of these it needs one to
/// revoke its tokens, and a moment to write its outputs.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(5_500);
/// Until the first poll for whether an accepted cancel took effect.
const FIRST_POLL_DELAY: Duration = Duration::from_millis(700);
/// Between two cancels of a run that goes on, where the first was refused or not answered.
const CANCEL_INTERVAL: Duration = Duration::from_secs(1);
/// What a cancel takes at most, usually.
const CANCEL_TIME: Duration = Duration::from_secs(2);
/// After this long an accepted cancel that had no effect is sent again.
const RECANCEL_INTERVAL: Duration = Duration::from_secs(30);
/// For one cancel, and for one poll between two of them: a server that never answers must not keep the next one back.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_TIMEOUT: Duration = Duration::from_secs(3);

/// How a run is given up.
#[derive(Clone, Copy)]
pub(crate) struct CancelOptions {
    pub(crate) policy: OnAbandoned,
    /// For its cancel to be accepted and to take effect, unless a signal leaves less.
    pub(crate) time: Duration,
}

/// What became of a run that was abandoned.
pub(crate) struct CancelResult {
    /// The last poll since then, if there was a good one.
    pub(crate) snapshot: Option<Snapshot>,
    /// Why it may go on, if it may.
    pub(crate) left_running: Option<LeftRunning>,
}

/// Cancels a run, if it may be, and checks whether that took effect as long as there is time.
pub(crate) async fn cancel_and_confirm(
    context: TargetContext<'_, '_>,
    run: &Run,
    options: CancelOptions,
    emit: &dyn Fn(News<'_>),
) -> CancelResult {
    if let Some(why) = untouchable(run, options.policy) {
        return CancelResult {
            snapshot: None,
            left_running: Some(why),
        };
    }
    emit(News::Cancelling);
    let mut so_far = SoFar {
        cancel: Cancel::Unanswered,
        snapshot: None,
    };
    let time = TimeLeft {
        until: Instant::now() + options.time,
        shutdown: context.shutdown,
    };
    let end = tokio::select! {
        () = cancel(context, run, time, &mut so_far) => None,
        end = time.is_over(options.time) => Some(end),
    };
    CancelResult {
        left_running: end.map(|end| LeftRunning::Cancel {
            cancel: so_far.cancel,
            end,
        }),
        snapshot: so_far.snapshot,
    }
}

/// What is known while the cancel is under way.
struct SoFar {
    cancel: Cancel,
    snapshot: Option<Snapshot>,
}

/// Why a run is left alone.
fn untouchable(run: &Run, policy: OnAbandoned) -> Option<LeftRunning> {
    if policy == OnAbandoned::Leave {
        return Some(LeftRunning::ByPolicy);
    }
    (!run.matched_by.is_sure()).then_some(LeftRunning::MatchedByTime)
}

/// Returns when the run is over. A cancel may be sent again, unlike a trigger: a run ends once. Providers refuse one
/// for a run that has hardly begun, or for a moment; so any that wasn't accepted is sent again.
async fn cancel(context: TargetContext<'_, '_>, run: &Run, time: TimeLeft<'_>, so_far: &mut SoFar) {
    let TargetContext {
        provider, limits, ..
    } = context;
    let mut pause = FIRST_POLL_DELAY;
    let mut accepted = None::<Instant>;
    let mut is_asked = false;
    loop {
        let mut resume = Instant::now();
        if accepted.is_none_or(|at| at.elapsed() >= RECANCEL_INTERVAL) {
            let slot = loop {
                time.wait_for_quota(context.quota(), is_asked).await;
                let slot = limits.cancels.acquire().await;
                // Another one may have met a limit meanwhile.
                if time.allows_cancel(context.quota(), is_asked) {
                    break slot;
                }
            };
            is_asked = true;
            resume = Instant::now() + CANCEL_INTERVAL;
            let response = timeout(ATTEMPT_TIMEOUT, provider.cancel(run)).await;
            drop(slot);
            match response {
                Ok(Ok(())) => {
                    accepted = Some(Instant::now());
                    so_far.cancel = Cancel::Accepted;
                }
                Ok(Err(error)) => {
                    accepted = None;
                    let message = error.message().to_owned();
                    so_far.cancel = match error.kind() {
                        Kind::Rejected => Cancel::Refused(message),
                        Kind::RateLimited(_) | Kind::Unreachable | Kind::Unknown => {
                            Cancel::Failed(message)
                        }
                    };
                }
                Err(_) => {}
            }
        }
        if accepted.is_some() {
            sleep(pause).await;
            pause = provider.poll_intervals().min;
        }
        let slot = limits.cancels.acquire().await;
        let snapshot = timeout(POLL_TIMEOUT, provider.status(run, Depth::Jobs)).await;
        drop(slot);
        if let Ok(Ok(snapshot)) = snapshot {
            let is_over = snapshot.state.conclusion().is_some();
            so_far.snapshot = Some(snapshot);
            if is_over {
                return;
            }
        }
        sleep_until(resume).await;
    }
}

/// The time for a cancel, which a shutdown may shorten.
#[derive(Clone, Copy)]
struct TimeLeft<'a> {
    until: Instant,
    shutdown: &'a Shutdown,
}

impl TimeLeft<'_> {
    fn end(self) -> Instant {
        let requested = self.shutdown.requested_at();
        requested.map_or(self.until, |at| self.until.min(at + SHUTDOWN_GRACE))
    }

    /// Whether no rate limit forbids a cancel. Nothing is gained by waiting for the end of one that outlasts the time there
    /// is: then each run is asked to end once all the same.
    fn allows_cancel(self, quota: &Quota, is_asked: bool) -> bool {
        let limit = quota.remaining_wait();
        limit.is_zero() || (!is_asked && Instant::now() + limit + CANCEL_TIME >= self.end())
    }

    async fn wait_for_quota(self, quota: &Quota, is_asked: bool) {
        while !self.allows_cancel(quota, is_asked) {
            let is_shutting_down = self.shutdown.is_requested();
            tokio::select! {
                () = quota.wait() => {}
                () = self.shutdown.requested(ShutdownMode::Graceful), if !is_shutting_down => {}
            }
        }
    }

    /// Returns when there is no more time to see what becomes of a cancel.
    async fn is_over(self, whole: Duration) -> CancelEnd {
        let signal = async {
            self.shutdown.requested(ShutdownMode::Graceful).await;
            sleep_until(self.end()).await;
        };
        tokio::select! {
            biased;
            () = self.shutdown.requested(ShutdownMode::Immediate) => CancelEnd::SecondSignal,
            () = signal => CancelEnd::Shutdown,
            () = sleep_until(self.until) => CancelEnd::After(whole),
        }
    }
}
