//! The poll loop. It knows no provider: it gets a closure that looks, and says what it sees.

mod progress;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod trouble;

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::event::News;
use crate::provider::{Account, Depth, Error, Kind, Nature, Pace};
use crate::run::{End, Look, State};
use crate::stop::{Stop, Urgency};
use crate::target::OnBlocked;
use progress::Progress;
use trouble::{Sentence, Trouble};

/// Something is said at least so often.
const HEARTBEAT: Duration = Duration::from_mins(1);
/// Most looks at the jobs of a run that is over.
const LOOKS_AT_THE_END: u32 = 4;

/// A rate limit that is waited out for them.
const LONGEST_LIMIT_AT_THE_END: Duration = Duration::from_mins(2);

/// How a run is waited for.
pub(crate) struct Watch<'a> {
    /// When the trigger went out: the run's age counts from there.
    pub(crate) since: Instant,
    pub(crate) deadline: Instant,
    pub(crate) on_blocked: OnBlocked,
    pub(crate) pace: Pace,
    pub(crate) account: &'a Account,
}

/// What came of a wait.
pub(crate) struct Waited {
    pub(crate) end: End,
    /// The last good look, if there was one.
    pub(crate) look: Option<Look>,
}

/// Looks at a run until it has ended, or there is a reason to look no longer.
pub(crate) async fn wait(
    look: impl AsyncFn(Depth) -> Result<Look, Error>,
    watch: &Watch<'_>,
    stop: &Stop,
    tell: &dyn Fn(News<'_>),
) -> Waited {
    let progress = Progress::new(watch.since, tell);
    let end = tokio::select! {
        // An end that was seen counts, whatever else happened meanwhile.
        biased;
        end = follow(&look, watch, &progress) => end,
        () = stop.asked(Urgency::Soon) => End::Stopped,
        () = sleep_until(watch.deadline) => End::TimedOut,
        () = heartbeat(&progress) => unreachable!("a heart beats for ever"),
    };
    if let End::Completed(_) = end {
        tokio::select! {
            biased;
            () = see_the_jobs(&look, watch, &progress) => {}
            () = stop.asked(Urgency::Soon) => {}
        }
    }
    Waited {
        end,
        look: progress.last(),
    }
}

async fn follow(
    look: &impl AsyncFn(Depth) -> Result<Look, Error>,
    watch: &Watch<'_>,
    progress: &Progress<'_>,
) -> End {
    let mut trouble = Trouble::new();
    let mut jobs_seen = None::<Instant>;
    loop {
        watch.account.turn().await;
        let at = Instant::now();
        let age = at - watch.since;
        let jobs_are_old = jobs_seen.is_none_or(|seen| at - seen >= watch.pace.jobs_interval(age));
        let depth = if jobs_are_old {
            Depth::Jobs
        } else {
            Depth::Run
        };
        let mut found = look(depth).await;
        if let Ok(seen) = &found
            && seen.jobs.is_none()
            && seen.state.conclusion().is_none()
            && progress.is_news(seen)
        {
            // What its jobs did is what people want to know of a change.
            found = look(Depth::Jobs).await.or(found);
        }
        match found {
            Ok(found) => {
                watch.account.answered(Nature::Read);
                trouble.is_over(progress);
                if jobs_are_old || found.jobs.is_some() {
                    jobs_seen = Some(at);
                }
                let state = found.state;
                progress.see(found);
                match state {
                    State::Completed(conclusion) => return End::Completed(conclusion),
                    State::Blocked if watch.on_blocked == OnBlocked::Fail => {
                        return End::Blocked(progress.held());
                    }
                    State::Queued | State::Running | State::Blocked => {}
                }
            }
            Err(error) => {
                if let Kind::RateLimited(said) = error.kind() {
                    watch.account.refused(said);
                }
                match trouble.weigh(&error) {
                    Sentence::Lost => return End::Lost(error.failure()),
                    Sentence::Pending => progress.fail(error.message()),
                }
            }
        }
        sleep_until(at + watch.pace.jittered(age)).await;
    }
}

/// What the jobs of a run that is over came to, where the look that showed its end did not show them:
/// nothing else will tell which of them failed.
async fn see_the_jobs(
    look: &impl AsyncFn(Depth) -> Result<Look, Error>,
    watch: &Watch<'_>,
    progress: &Progress<'_>,
) {
    for again in 0..LOOKS_AT_THE_END {
        if !progress.lacks_jobs() {
            return;
        }
        if again > 0 {
            sleep(watch.pace.shortest).await;
        }
        if watch.account.left() > LONGEST_LIMIT_AT_THE_END {
            return;
        }
        watch.account.pass().await;
        match look(Depth::Jobs).await {
            Ok(found) if found.state.conclusion().is_some() => progress.see(found),
            Err(error) => {
                if let Kind::RateLimited(said) = error.kind() {
                    watch.account.refused(said);
                }
            }
            Ok(_) => {}
        }
    }
}

async fn heartbeat(progress: &Progress<'_>) {
    loop {
        let left = HEARTBEAT.saturating_sub(progress.silence());
        if left.is_zero() {
            progress.beat();
        } else {
            sleep(left).await;
        }
    }
}
