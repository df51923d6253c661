//! Cancels runs that the step stops waiting for before they end, and reports why a run may still be going on. Only runs
//! that are certainly this step's are cancelled.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::engine::context::TargetContext;
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::model::{Cancel, CancelEnd, LeftRunning, MatchedBy, News, OnAbandoned, Run, Snapshot};
use crate::providers::{Depth, ErrorKind, Quota};

/// Time after a signal until cancels must be settled. The step must end within seven seconds, of which revoking tokens
/// takes one, and writing outputs a moment.
const CANCEL_SHUTDOWN_GRACE: Duration = Duration::from_millis(5_500);
/// Delay before the first poll that checks whether an accepted cancel took effect.
const FIRST_POLL_DELAY: Duration = Duration::from_millis(700);
/// Interval between two cancel requests for a run, while none has been accepted.
const CANCEL_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Time to set aside for a single cancel request; they usually take less.
const CANCEL_REQUEST_RESERVE: Duration = Duration::from_secs(2);
/// Interval after which an accepted cancel that had no effect is sent again.
const ACCEPTED_CANCEL_RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// Timeouts of a single cancel request and of a single poll: a server that never answers must not delay the next one.
const CANCEL_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const CONFIRM_POLL_TIMEOUT: Duration = Duration::from_secs(3);
/// For checking whether a run is over before it is cancelled. After that, the cancel is sent anyway. After a signal, only
/// the first part is certain: the rest is given up if it would delay the cancels of other runs.
const CERTAIN_CHECK_TIME: Duration = Duration::from_millis(250);
const MORE_CHECK_TIME: Duration = Duration::from_millis(1_750);

/// How to stop waiting for a run.
#[derive(Clone, Copy)]
pub(crate) struct CancelOptions {
    pub(crate) policy: OnAbandoned,
    /// For the cancel to be accepted and to take effect, retries included. A signal may shorten it.
    pub(crate) timeout: Duration,
}

/// Result of cancelling a run.
pub(crate) struct CancelResult {
    /// The last successful poll since the cancel began.
    pub(crate) snapshot: Option<Snapshot>,
    /// Why the run may still be going on; `None` if it has ended.
    pub(crate) left_running: Option<LeftRunning>,
}

/// Cancels a run if policy and match allow it, and polls until it has ended or the time is up.
pub(crate) async fn cancel_and_confirm(
    context: TargetContext<'_, '_>,
    run: &Run,
    options: CancelOptions,
    emit: &dyn Fn(News<'_>),
) -> CancelResult {
    if let Some(why) = reason_to_leave_running(run, options.policy) {
        return CancelResult {
            snapshot: None,
            left_running: Some(why),
        };
    }
    emit(News::Cancelling);
    let mut progress = CancelProgress {
        cancel: Cancel::Unanswered,
        snapshot: None,
    };
    let deadline = Deadline {
        timeout_at: Instant::now() + options.timeout,
        shutdown: context.shutdown,
    };
    let end = tokio::select! {
        () = cancel(context, run, deadline, &mut progress) => None,
        end = deadline.expired(options.timeout) => Some(end),
    };
    CancelResult {
        left_running: end.map(|end| LeftRunning::Cancel {
            cancel: progress.cancel,
            end,
        }),
        snapshot: progress.snapshot,
    }
}

/// State of a cancel, kept outside its future so that it survives the deadline.
struct CancelProgress {
    cancel: Cancel,
    snapshot: Option<Snapshot>,
}

/// Returns why a run must not be cancelled, if it mustn't.
fn reason_to_leave_running(run: &Run, policy: OnAbandoned) -> Option<LeftRunning> {
    if policy == OnAbandoned::Leave {
        return Some(LeftRunning::ByPolicy);
    }
    match run.matched_by {
        MatchedBy::Id | MatchedBy::Marker => None,
        MatchedBy::Timing => Some(LeftRunning::MatchedByTime),
        MatchedBy::Url => Some(LeftRunning::Followed),
    }
}

/// Cancels a run and returns when it has ended. Unlike a trigger, a cancel is idempotent. Providers refuse it for runs
/// that have only just started, or temporarily, so it is sent again until one is accepted.
async fn cancel(
    context: TargetContext<'_, '_>,
    run: &Run,
    deadline: Deadline<'_>,
    progress: &mut CancelProgress,
) {
    let TargetContext {
        provider, limits, ..
    } = context;
    let mut poll_delay = FIRST_POLL_DELAY;
    let mut accepted_at = None::<Instant>;
    let mut was_answered = false;
    loop {
        let mut resume_at = Instant::now();
        if accepted_at.is_none_or(|at| at.elapsed() >= ACCEPTED_CANCEL_RETRY_INTERVAL) {
            let slot = loop {
                deadline.wait_for_quota(context.quota(), was_answered).await;
                let slot = limits.cancels.acquire().await;
                // Another request may have been rate-limited in the meantime.
                if deadline.may_send_cancel(context.quota(), was_answered) {
                    break slot;
                }
            };
            resume_at = Instant::now() + CANCEL_RETRY_INTERVAL;
            let request = provider.cancel(run, end_of_check(context));
            let response = timeout(CANCEL_REQUEST_TIMEOUT, request).await;
            drop(slot);
            match response {
                Ok(Ok(())) => {
                    was_answered = true;
                    accepted_at = Some(Instant::now());
                    progress.cancel = Cancel::Accepted;
                }
                Ok(Err(error)) => {
                    was_answered |= error.status().is_some();
                    accepted_at = None;
                    let message = error.message().to_owned();
                    progress.cancel = match error.kind() {
                        ErrorKind::Rejected => Cancel::Refused(message),
                        ErrorKind::RateLimited(_) | ErrorKind::Unreachable | ErrorKind::Unknown => {
                            Cancel::Failed(message)
                        }
                    };
                }
                Err(_) => {}
            }
        }
        if accepted_at.is_some() {
            sleep(poll_delay).await;
            poll_delay = provider.poll_intervals().min;
        }
        let slot = limits.cancels.acquire().await;
        let snapshot = timeout(CONFIRM_POLL_TIMEOUT, provider.status(run, Depth::Jobs)).await;
        drop(slot);
        if let Ok(Ok(snapshot)) = snapshot {
            let is_over = snapshot.state.conclusion().is_some();
            progress.snapshot = Some(snapshot);
            if is_over {
                return;
            }
        }
        sleep_until(resume_at).await;
    }
}

/// Returns when there is no more time for checking whether a run is over.
async fn end_of_check(context: TargetContext<'_, '_>) {
    sleep(CERTAIN_CHECK_TIME).await;
    let others_wait = context.limits.cancels.available_permits() == 0;
    if !(others_wait && context.shutdown.is_requested()) {
        sleep(MORE_CHECK_TIME).await;
    }
}

/// The deadline of a cancel, which a shutdown may bring forward.
#[derive(Clone, Copy)]
struct Deadline<'a> {
    timeout_at: Instant,
    shutdown: &'a Shutdown,
}

impl Deadline<'_> {
    fn instant(self) -> Instant {
        let requested = self.shutdown.requested_at();
        requested.map_or(self.timeout_at, |at| {
            self.timeout_at.min(at + CANCEL_SHUTDOWN_GRACE)
        })
    }

    /// Whether a cancel may be sent now. If a rate limit outlasts the deadline, waiting is pointless, so each run's
    /// cancel is sent despite the limit until the provider has answered one.
    fn may_send_cancel(self, quota: &Quota, was_answered: bool) -> bool {
        let limit = quota.remaining_wait();
        limit.is_zero()
            || (!was_answered && Instant::now() + limit + CANCEL_REQUEST_RESERVE >= self.instant())
    }

    async fn wait_for_quota(self, quota: &Quota, was_answered: bool) {
        while !self.may_send_cancel(quota, was_answered) {
            let is_shutting_down = self.shutdown.is_requested();
            tokio::select! {
                // Not `quota.wait`: another request may extend the limit meanwhile, past the deadline.
                () = sleep(quota.remaining_wait()) => {}
                () = self.shutdown.requested(ShutdownMode::Graceful), if !is_shutting_down => {}
            }
        }
    }

    /// Returns when the time for the cancel is up, with the reason.
    async fn expired(self, timeout: Duration) -> CancelEnd {
        let signal = async {
            self.shutdown.requested(ShutdownMode::Graceful).await;
            sleep_until(self.instant()).await;
        };
        tokio::select! {
            biased;
            () = self.shutdown.requested(ShutdownMode::Immediate) => CancelEnd::SecondSignal,
            () = signal => CancelEnd::Shutdown,
            () = sleep_until(self.timeout_at) => CancelEnd::After(timeout),
        }
    }
}
