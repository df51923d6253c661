//! Runs all targets of a step: prepares every one before triggering the first, triggers as many at once as
//! `max-parallel` allows, and monitors them together.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::future::{join, join_all};
use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use crate::engine::concurrency::Concurrency;
use crate::engine::context::TargetContext;
use crate::engine::member::{Member, sign_out};
use crate::engine::monitor::{self, Monitor};
use crate::engine::recall::{Beginning, recall};
use crate::engine::request_limits::RequestLimits;
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::engine::siblings::siblings;
use crate::engine::status_board::StatusBoard;
use crate::engine::status_memory::StatusMemory;
use crate::engine::trigger::{Prepared, Triggered, begin_to_follow, prepare, trigger};
use crate::model::{Event, Monitored, NotSent, Outcome, Problem};
use crate::providers::connections;
use crate::providers::target::{Mode, Request};
use crate::providers::target_report::TargetReport;

/// If a target can't be prepared, the preparation of others is still begun until this long after the start.
const PREPARE_AFTER_FAILURE_TIMEOUT: Duration = Duration::from_secs(30);

/// Receives the events of all targets. `index` is the target's index in the request.
pub(crate) trait Observer {
    fn on_event(&self, index: usize, event: &Event<'_>);
    /// Called once per target, after its last event.
    fn on_finished(&self, index: usize, report: &TargetReport<'_>);
}

/// Triggers the targets and monitors their runs. The reports are in the order of the targets. `statuses` holds what the
/// observer shows of them, and somebody else sends it.
pub(crate) async fn run<'a>(
    request: &'a Request,
    shutdown: &Shutdown,
    observer: &dyn Observer,
    statuses: Option<&StatusBoard>,
) -> Vec<TargetReport<'a>> {
    let targets = &request.targets;
    let sinks: Vec<_> = (0..targets.len())
        .map(|index| move |event: Event<'_>| observer.on_event(index, &event))
        .collect();
    let connections = connections(targets, &request.proxies);
    let siblings: Vec<_> = siblings(targets).collect();
    let members: Vec<_> = targets
        .iter()
        .zip(&connections)
        .zip(&sinks)
        .zip(&siblings)
        .map(|(((target, connection), sink), siblings)| {
            Member::new(target, connection, siblings, sink)
        })
        .collect();
    let targets_with_indexes = targets.iter().enumerate();
    let memories =
        targets_with_indexes.map(|(index, target)| StatusMemory::new(target, index, statuses));
    let memories: Vec<_> = memories.collect();
    let preparing = prepare_all(&members, &memories, request.max_parallel, shutdown);
    let (prepared, ()) = join(preparing, first_statuses(statuses, shutdown)).await;
    let batch = Batch {
        mode: request.mode,
        concurrency: Concurrency::new(request.max_parallel, request.on_failure),
        shutdown,
        observer,
        limits: RequestLimits::new(),
        runs_with_logs: Cell::default(),
        memories,
        beginning: Beginning::new(request),
    };
    let running = members.iter().zip(prepared).enumerate();
    let running =
        running.map(|(index, (member, prepared))| batch.run_target(index, member, prepared));
    let reports = tokio::select! {
        results = join_all(running) => targets.iter().zip(results).map(TargetReport::new).collect(),
        () = batch.close_on_shutdown() => unreachable!("it never returns"),
    };
    sign_out(&members, shutdown).await;
    reports
}

/// Waits a moment for the first commit statuses, which are set while the targets are prepared.
async fn first_statuses(statuses: Option<&StatusBoard>, shutdown: &Shutdown) {
    if let Some(statuses) = statuses {
        statuses.first_statuses(shutdown).await;
    }
}

/// Prepares the targets, `max_parallel` at a time. All or nothing: no target is triggered if one can't be prepared.
async fn prepare_all<'a>(
    members: &'a [Member<'a>],
    memories: &[Option<StatusMemory<'_>>],
    max_parallel: NonZeroUsize,
    shutdown: &Shutdown,
) -> Vec<Result<Prepared<'a>, Triggered>> {
    let start = Instant::now();
    let has_failed = Cell::new(false);
    let preparing = members.iter().zip(memories);
    let preparing = preparing.map(async |(member, memory)| {
        // Report every problem, but don't spend an hour on servers that don't answer.
        if has_failed.get() && start.elapsed() > PREPARE_AFTER_FAILURE_TIMEOUT {
            return Err(Triggered::not_sent(NotSent::OtherNotReady));
        }
        let prepared = prepare(member, *memory, shutdown).await;
        has_failed.set(has_failed.get() || prepared.is_err());
        prepared
    });
    let preparing = stream::iter(preparing).buffered(max_parallel.get());
    let mut prepared: Vec<_> = preparing.collect().await;
    // After a shutdown nothing is sent anyway, and each target already has that as its reason.
    if has_failed.get() && !shutdown.is_requested() {
        for ready in prepared.iter_mut().filter(|prepared| prepared.is_ok()) {
            *ready = Err(Triggered::not_sent(NotSent::OtherNotReady));
        }
    }
    prepared
}

/// State shared by all targets.
struct Batch<'a> {
    mode: Mode,
    concurrency: Concurrency,
    shutdown: &'a Shutdown,
    observer: &'a dyn Observer,
    limits: RequestLimits,
    /// Number of runs whose logs have been kept for the summary so far.
    runs_with_logs: Cell<usize>,
    /// By target index.
    memories: Vec<Option<StatusMemory<'a>>>,
    beginning: Beginning<'a>,
}

impl Batch<'_> {
    async fn run_target<'a>(
        &self,
        index: usize,
        member: &'a Member<'a>,
        prepared: Result<Prepared<'a>, Triggered>,
    ) -> (Outcome, Option<Problem>, Monitored) {
        let (triggered, monitored) = match prepared {
            Ok(prepared) => self.trigger_and_monitor(index, member, &prepared).await,
            Err(triggered) => (triggered, Monitored::default()),
        };
        let result = (triggered.outcome, triggered.problem, monitored);
        let mut report = TargetReport::new((member.target, result));
        if !report.passes() {
            self.concurrency.record_failure();
        }
        self.observer.on_finished(index, &report);
        report.monitored.limit_logs(&self.runs_with_logs);
        (report.outcome, report.problem, report.monitored)
    }

    async fn trigger_and_monitor<'a>(
        &self,
        index: usize,
        member: &'a Member<'a>,
        prepared: &Prepared<'a>,
    ) -> (Triggered, Monitored) {
        let context = TargetContext {
            target: member.target,
            provider: &prepared.provider,
            http: prepared.http,
            siblings: member.siblings,
            limits: &self.limits,
            shutdown: self.shutdown,
            memory: self.memories[index],
        };
        // The one place that decides whether anything is triggered.
        let mut triggered = match &member.target.follow {
            Some(follow) => begin_to_follow(context, follow, &prepared.followed),
            // Boxed, so that a thousand waiting targets don't hold the memory of finished and rare states.
            None => Box::pin(self.recall_or_trigger(context)).await,
        };
        let monitor = Monitor {
            context,
            seen: &prepared.seen,
            sent_at: triggered.sent_at.unwrap_or_else(Instant::now),
            answered_at: triggered.answered_at.unwrap_or_else(Instant::now),
        };
        let monitored = Box::pin(monitor::monitor(&monitor, &mut triggered)).await;
        (triggered, monitored)
    }

    /// Triggers a target, unless an earlier attempt of the job has started runs that it can take up.
    async fn recall_or_trigger(&self, context: TargetContext<'_, '_>) -> Triggered {
        if let (Some(earlier), Mode::Send) = (&context.target.recall, self.mode) {
            match Box::pin(recall(context, earlier, &self.beginning)).await {
                Ok(runs) if runs.is_empty() => {}
                Ok(runs) => return Triggered::taken_up(runs),
                Err(problem) => return Triggered::not_recalled(problem),
            }
        }
        trigger(context, &self.concurrency, self.mode).await
    }

    /// Never returns.
    async fn close_on_shutdown(&self) {
        self.shutdown.requested(ShutdownMode::Graceful).await;
        self.concurrency.close();
        std::future::pending::<()>().await;
    }
}
