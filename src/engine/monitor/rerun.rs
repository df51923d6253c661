//! Re-runs the failed jobs of a run that failed, as often as `retries` allows. That is requested at most once for each
//! attempt: if the answer is unclear, the run itself shows whether it has started again.

use std::cell::Cell;
use std::mem;
use std::time::Duration;

use futures_util::future::join;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::Monitor;
use super::watch::Attempt;
use crate::engine::retry::{RetryPolicy, backoff, retry};
use crate::engine::shutdown::ShutdownMode;
use crate::model::{
    AttemptReport, Conclusion, End, Event, Failure, Interruption, News, NotRetried, Retries, Run,
    Snapshot, State, Times, WaitOptions,
};
use crate::providers::{Error, ErrorKind, Idempotency};

/// Time for the run to start again after the request, counted from the first read that shows it unchanged.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Time after a signal, or after the deadline, in which a request on the wire may still be answered. Then the new
/// attempt is cancelled, which takes time too.
const RERUN_SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

impl Monitor<'_, '_> {
    /// Re-runs failed jobs until the run ends in another way than failed, or all retries are used up. Returns the last
    /// attempt, and what was done.
    pub(super) async fn retry(&self, first: Attempt, wait: &WaitOptions) -> (Attempt, Retries) {
        let (mut last, mut retries) = (first, Retries::default());
        for number in 1..=wait.retries {
            let Attempt { run, end, snapshot } = &last;
            let (End::Completed(Conclusion::Failure), Some(failed)) = (end, snapshot) else {
                break;
            };
            let emit = |news: News<'_>| self.context.emit(Event::Run { run, news });
            let next = if let Some(why) = self.reason_not_to_retry(run, wait) {
                Err(why)
            } else {
                emit(News::Retrying {
                    end,
                    snapshot: failed,
                    number,
                    of: wait.retries,
                });
                self.next_attempt(run, failed, wait, &emit).await
            };
            match next {
                Ok(next) => {
                    let page = |attempt: &Attempt| self.context.provider.attempt_page(&attempt.run);
                    retries.page = Some(page(&next));
                    let before = mem::replace(&mut last, next);
                    let (number, page) = (before.run.attempt, page(&before));
                    let report = before.snapshot.map(|snapshot| AttemptReport {
                        number,
                        page,
                        snapshot,
                    });
                    retries.earlier.extend(report);
                }
                Err(why) => {
                    emit(News::NotRetried(&why));
                    retries.not_retried = Some(why);
                    break;
                }
            }
        }
        (last, retries)
    }

    fn reason_not_to_retry(&self, run: &Run, wait: &WaitOptions) -> Option<NotRetried> {
        if !run.matched_by.is_certain() {
            Some(NotRetried::MatchedByTime)
        } else if self.context.shutdown.is_requested() {
            Some(NotRetried::Interrupted(Interruption::Stopped))
        } else if Instant::now() >= self.deadline_of(wait) {
            Some(NotRetried::Interrupted(Interruption::TimedOut))
        } else {
            None
        }
    }

    /// Re-runs the failed jobs, and waits for the attempt that comes of it. Meanwhile, reads their logs.
    async fn next_attempt(
        &self,
        run: &Run,
        failed: &Snapshot,
        wait: &WaitOptions,
        emit: &dyn Fn(News<'_>),
    ) -> Result<Attempt, NotRetried> {
        let unclear = self.send_rerun(run, failed, wait, emit).await?;
        if let Some(failure) = &unclear {
            emit(News::RetryUnclear(&failure.what));
        }
        let show_log = |news: News<'_>| {
            if let News::Log(log) = news {
                emit(News::RetriedLog(log));
            } else {
                emit(news);
            }
        };
        let logs = self.read_failed_logs(run, Some(failed), wait, &show_log);
        // The logs must not delay what happens at the deadline.
        let logs = timeout_at(self.deadline_of(wait), logs);
        let (_, next) = join(logs, self.wait_for_next(run, failed, wait)).await;
        next.ok_or(NotRetried::NothingStarted {
            unclear,
            waited: START_TIMEOUT,
        })
    }

    /// Sends the request, unless somebody else has run the run again, or the step must end first. It isn't sent again
    /// unless it provably had no effect. Returns why it's unclear whether the provider accepted it, if it is.
    async fn send_rerun(
        &self,
        run: &Run,
        failed: &Snapshot,
        wait: &WaitOptions,
        emit: &dyn Fn(News<'_>),
    ) -> Result<Option<Failure>, NotRetried> {
        let deadline = self.deadline_of(wait);
        let policy = RetryPolicy {
            idempotency: Idempotency::Once,
            rate_limit_budget: deadline.saturating_duration_since(Instant::now()),
            quota: self.context.quota(),
            shutdown: self.context.shutdown,
            emit: self.context.http.emitter(),
        };
        let (is_by_another, is_on_the_wire) = (Cell::new(false), Cell::new(false));
        let next = run.next_attempt();
        let sending = retry(policy, backoff(policy.idempotency), async || {
            let _slot = self.context.limits.polls.acquire().await;
            let begun = self.context.provider.has_next_attempt(run, failed).await;
            if begun.map_err(Error::before_anything_was_sent)? {
                is_by_another.set(true);
                return Ok(());
            }
            if self.context.shutdown.is_requested() || Instant::now() >= deadline {
                return Err(Error::new(ErrorKind::Unreachable, "not sent yet"));
            }
            emit(News::NextAttempt(&next));
            is_on_the_wire.set(true);
            let response = self.context.provider.rerun_failed_jobs(run, failed).await;
            is_on_the_wire.set(false);
            response
        });
        let response = tokio::select! {
            // Biased: a response that has arrived counts, even after a shutdown.
            biased;
            response = sending => response,
            interruption = self.sending_interrupted(deadline, &is_on_the_wire) => {
                if !is_on_the_wire.get() {
                    return Err(NotRetried::Interrupted(interruption));
                }
                let what = "the step had to end before the request was answered";
                Err(Error::new(ErrorKind::Unknown, what))
            }
        };
        match response {
            Ok(()) if is_by_another.get() => Err(NotRetried::ByAnother),
            Ok(()) => Ok(None),
            Err(error) => match error.kind() {
                ErrorKind::Unknown => Ok(Some(error.failure())),
                ErrorKind::Unreachable | ErrorKind::RateLimited(_)
                    if self.context.shutdown.is_requested() =>
                {
                    Err(NotRetried::Interrupted(Interruption::Stopped))
                }
                ErrorKind::Rejected | ErrorKind::Unreachable | ErrorKind::RateLimited(_) => {
                    Err(NotRetried::Failed(error.failure()))
                }
            },
        }
    }

    /// Returns after a signal or at the deadline, once a request on the wire has used up its grace period.
    async fn sending_interrupted(
        &self,
        deadline: Instant,
        is_on_the_wire: &Cell<bool>,
    ) -> Interruption {
        let interruption = tokio::select! {
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => Interruption::Stopped,
            () = sleep_until(deadline) => Interruption::TimedOut,
        };
        if is_on_the_wire.get() {
            tokio::select! {
                () = sleep(RERUN_SHUTDOWN_GRACE) => {}
                () = self.context.shutdown.requested(ShutdownMode::Immediate) => {}
            }
        }
        interruption
    }

    /// Waits until the run has started again, and then for its end. Returns `None` if it stays unchanged for
    /// [`START_TIMEOUT`]. If the step has to end before that is clear, the attempt is treated as one that has begun.
    async fn wait_for_next(
        &self,
        run: &Run,
        failed: &Snapshot,
        wait: &WaitOptions,
    ) -> Option<Attempt> {
        let next = run.next_attempt();
        let has_begun = Cell::new(false);
        let unchanged_since = Cell::new(None::<Instant>);
        let poll = async |depth| {
            if !has_begun.get() {
                let _slot = self.context.limits.polls.acquire().await;
                let begun = self.context.provider.has_next_attempt(run, failed).await?;
                has_begun.set(begun);
            }
            if has_begun.get() {
                return self.poll(&next, depth).await;
            }
            let since = unchanged_since.get().unwrap_or_else(Instant::now);
            unchanged_since.set(Some(since));
            Ok(if since.elapsed() < START_TIMEOUT {
                not_started(failed)
            } else {
                failed.clone()
            })
        };
        let known_jobs = failed.jobs.as_deref().unwrap_or_default();
        let emit = |news: News<'_>| {
            let is_known = matches!(news, News::Job(job) if job.is_carried_over(known_jobs));
            if !is_known {
                self.context.emit(Event::Run { run: &next, news });
            }
        };
        let (end, snapshot) = self.wait_for(poll, wait, &emit).await;
        let is_unchanged = matches!(end, End::Completed(_)) && !has_begun.get();
        (!is_unchanged).then_some(Attempt {
            run: next,
            end,
            snapshot,
        })
    }
}

/// The run as it is until it has started again.
fn not_started(failed: &Snapshot) -> Snapshot {
    Snapshot {
        state: State::Queued,
        provider_status: failed.provider_status.clone(),
        lacks_conclusion: false,
        number: failed.number,
        attempt: failed.attempt,
        times: Times {
            completed: None,
            ..failed.times
        },
        changed: failed.changed,
        blocked_on: None,
        jobs: Some(Vec::new()),
        jobs_cut_at: None,
    }
}
