//! Looks up what earlier attempts of the job have started, for `on-rerun: once`.

mod earlier;

use std::time::Duration;

use tokio::time::sleep;

use self::earlier::Earlier;
use crate::engine::context::TargetContext;
use crate::engine::retry::{RetryPolicy, backoff, retry};
use crate::engine::shutdown::ShutdownMode;
use crate::model::{Event, MatchedBy, NotRecalled, NotSent, Problem, Run, Snapshot};
use crate::providers::target::Recall;
use crate::providers::{Depth, EarlierRuns, Error, Idempotency};

/// An earlier attempt may have been killed just after it sent its trigger, so that its run isn't listed yet.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// Returns the runs to take up, which are going on or have passed; none if the target has to be triggered. If neither
/// can be determined, nothing may be sent: then it returns why.
pub(crate) async fn recall(
    context: TargetContext<'_, '_>,
    recall: &Recall,
) -> Result<Vec<Run>, Problem> {
    tokio::select! {
        recalled = look_up(context, recall) => recalled.map_err(|why| Problem::NotRecalled {
            why,
            page: context.provider.runs_page(),
        }),
        () = context.shutdown.requested(ShutdownMode::Graceful) => {
            Err(Problem::NotSent(NotSent::Stopped))
        }
    }
}

async fn look_up(context: TargetContext<'_, '_>, recall: &Recall) -> Result<Vec<Run>, NotRecalled> {
    let (attempt, candidates) = match earlier(context, recall).await? {
        Earlier::Nothing if recall.markers.is_empty() => return Ok(Vec::new()),
        Earlier::Nothing => {
            sleep(SETTLE_TIME).await;
            match earlier(context, recall).await? {
                Earlier::Nothing => return Ok(Vec::new()),
                Earlier::Runs { attempt, runs } => (attempt, runs),
            }
        }
        Earlier::Runs { attempt, runs } => (attempt, runs),
    };
    let mut runs = Vec::new();
    for candidate in candidates {
        let run = Run {
            started_by_attempt: Some(attempt),
            ..candidate.into_run(MatchedBy::Marker)
        };
        runs.push(read_run(context, run).await?);
    }
    Ok(decide(context, runs))
}

async fn earlier(context: TargetContext<'_, '_>, recall: &Recall) -> Result<Earlier, NotRecalled> {
    let list = async || {
        let _slot = context.limits.polls.acquire().await;
        if recall.markers.is_empty() {
            // The first attempt only checks that no other step has its marker, among the newest runs.
            return Ok(EarlierRuns {
                candidates: context.provider.list_runs(None).await?,
                is_complete: false,
            });
        }
        context.provider.list_earlier_runs(recall.since).await
    };
    let listed = with_retries(context, list).await?;
    Earlier::find(&recall.markers, listed)
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

/// Decides whether these runs are taken up, or the target is triggered again because they have failed.
fn decide(context: TargetContext<'_, '_>, runs: Vec<(Run, Snapshot)>) -> Vec<Run> {
    let conclusions = runs.iter().map(|(_, snapshot)| snapshot.state.conclusion());
    let ended: Option<Vec<_>> = conclusions.collect();
    let has_failed = ended.is_some_and(|ended| !context.target.passes_with(&ended));
    for (run, snapshot) in &runs {
        context.siblings.claim(run);
        context.emit(Event::Recalled {
            run,
            conclusion: snapshot.state.conclusion(),
            is_repeated: has_failed,
        });
    }
    if has_failed {
        return Vec::new();
    }
    context.siblings.mark_settled();
    runs.into_iter().map(|(run, _)| run).collect()
}
