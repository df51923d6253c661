//! Looks up what earlier attempts of the job have started, for `on-rerun: once`.

mod beginning;
mod by_status;
mod earlier;

use std::time::Duration;

use tokio::time::sleep;

pub(crate) use self::beginning::Beginning;
use self::earlier::EarlierAttempts;
use crate::engine::context::TargetContext;
use crate::engine::retry::{RetryPolicy, backoff, retry};
use crate::engine::shutdown::ShutdownMode;
use crate::model::{Event, MatchedBy, NotRecalled, NotSent, Problem, Run, Snapshot};
use crate::providers::target::Recall;
use crate::providers::{Depth, EarlierRuns, Error, Idempotency};

/// An earlier attempt may have been killed just after it sent its trigger, so that its run isn't listed yet. Nothing is
/// triggered before this time has passed and the runs have been listed once more.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// What to do about what earlier attempts have started. The runs are those of one attempt.
enum Decision {
    /// They are going on or have passed.
    TakeUp(Vec<(Run, Snapshot)>),
    /// Everything has failed; these are the latest ones.
    TriggerAgain(Vec<(Run, Snapshot)>),
    /// Nothing was found.
    Trigger,
}

/// Returns the runs to take up, which are going on or have passed; none if the target has to be triggered. If neither
/// can be determined, nothing may be sent: then it returns why.
pub(crate) async fn recall(
    context: TargetContext<'_, '_>,
    recall: &Recall,
    beginning: &Beginning<'_>,
) -> Result<Vec<Run>, Problem> {
    tokio::select! {
        recalled = look_up(context, recall, beginning) => recalled.map_err(|why| Problem::NotRecalled {
            why,
            page: context.provider.runs_page(),
        }),
        () = context.shutdown.requested(ShutdownMode::Graceful) => {
            Err(Problem::NotSent(NotSent::Stopped))
        }
    }
}

async fn look_up(
    context: TargetContext<'_, '_>,
    recall: &Recall,
    beginning: &Beginning<'_>,
) -> Result<Vec<Run>, NotRecalled> {
    match recall {
        Recall::Markers(markers) => look_up_by_markers(context, markers, beginning).await,
        Recall::Statuses(_) => by_status::look_up(context).await,
    }
}

async fn look_up_by_markers(
    context: TargetContext<'_, '_>,
    markers: &[String],
    beginning: &Beginning<'_>,
) -> Result<Vec<Run>, NotRecalled> {
    let earlier = find_earlier(context, markers, beginning).await?;
    if markers.is_empty() {
        return Ok(Vec::new());
    }
    // An event may start more runs than are listed yet, of other workflows.
    let may_be_more = context.target.spec.event_type().is_some();
    if !may_be_more && let Decision::TakeUp(runs) = decide(context, &earlier).await? {
        return Ok(take_up(context, runs));
    }
    sleep(SETTLE_TIME).await;
    let earlier = find_earlier(context, markers, beginning).await?;
    match decide(context, &earlier).await? {
        Decision::TakeUp(runs) => Ok(take_up(context, runs)),
        Decision::TriggerAgain(failed) => {
            report(context, &failed, true);
            Ok(Vec::new())
        }
        Decision::Trigger => {
            earlier.check_that_nothing_is_hidden()?;
            Ok(Vec::new())
        }
    }
}

async fn find_earlier(
    context: TargetContext<'_, '_>,
    markers: &[String],
    beginning: &Beginning<'_>,
) -> Result<EarlierAttempts, NotRecalled> {
    let list = async || {
        let _slot = context.limits.polls.acquire().await;
        if markers.is_empty() {
            // The first attempt only checks that no other step has its marker, among the newest runs.
            return Ok(EarlierRuns {
                candidates: context.provider.list_runs(None).await?,
                is_complete: false,
            });
        }
        let since = beginning.get(context.http.emitter()).await;
        context.provider.list_earlier_runs(since).await
    };
    let listed = with_retries(context, list).await?;
    EarlierAttempts::find(markers, listed)
}

/// Reads the state of a run's latest attempt.
async fn read_run(
    context: TargetContext<'_, '_>,
    run: Run,
) -> Result<(Run, Snapshot), NotRecalled> {
    let attempt = with_retries(context, async || {
        context.provider.latest_attempt(&run).await
    });
    let run = Run {
        attempt: attempt.await?,
        ..run
    };
    let read = async || Box::pin(context.provider.status(&run, Depth::Run)).await;
    let snapshot = with_retries(context, read).await?;
    Ok((run, snapshot))
}

async fn with_retries<T>(
    context: TargetContext<'_, '_>,
    read: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, NotRecalled> {
    let policy = RetryPolicy::for_reads(context.http, context.shutdown);
    let read = retry(policy, backoff(Idempotency::Repeatable), read).await;
    read.map_err(|error| NotRecalled::Unreadable(error.failure()))
}

/// Considers what every earlier attempt has started, because somebody may have re-run any of it.
async fn decide(
    context: TargetContext<'_, '_>,
    earlier: &EarlierAttempts,
) -> Result<Decision, NotRecalled> {
    let mut decision = Decision::Trigger;
    for (attempt, candidates) in &earlier.attempts {
        let candidates = candidates.iter().cloned();
        let runs = candidates.map(|candidate| candidate.into_run(MatchedBy::Marker));
        decision = decision.after(context, *attempt, runs.collect()).await?;
        if matches!(decision, Decision::TakeUp(_)) {
            break;
        }
    }
    Ok(decision)
}

impl Decision {
    /// Considers the runs of an attempt, after those of all later ones.
    async fn after(
        self,
        context: TargetContext<'_, '_>,
        attempt: u64,
        runs: Vec<Run>,
    ) -> Result<Self, NotRecalled> {
        let mut read = Vec::new();
        for run in runs {
            let run = Run {
                started_by_attempt: Some(attempt),
                ..run
            };
            read.push(read_run(context, run).await?);
        }
        let conclusions = read.iter().map(|(_, snapshot)| snapshot.state.conclusion());
        let ended: Option<Vec<_>> = conclusions.collect();
        if ended.is_none_or(|ended| context.target.passes_with(&ended)) {
            return Ok(Self::TakeUp(read));
        }
        Ok(match self {
            Self::Trigger => Self::TriggerAgain(read),
            later @ (Self::TakeUp(_) | Self::TriggerAgain(_)) => later,
        })
    }
}

fn take_up(context: TargetContext<'_, '_>, runs: Vec<(Run, Snapshot)>) -> Vec<Run> {
    report(context, &runs, false);
    context.siblings.mark_settled();
    runs.into_iter().map(|(run, _)| run).collect()
}

fn report(context: TargetContext<'_, '_>, runs: &[(Run, Snapshot)], is_repeated: bool) {
    for (run, snapshot) in runs {
        context.siblings.claim(run);
        context.emit(Event::Recalled {
            run,
            conclusion: snapshot.state.conclusion(),
            is_repeated,
        });
    }
}
