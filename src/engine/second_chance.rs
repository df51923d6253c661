//! The second chance of a step whose job was cancelled: a second process after the job's other steps, with the same
//! inputs, minutes of time and no signal. It cancels the runs that the first process may have left running, searches
//! for runs that weren't known yet, and polls until all of them have ended.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::engine::context::TargetContext;
use crate::engine::member::{Member, sign_out};
use crate::engine::monitor::{Finished, Monitor};
use crate::engine::request_limits::RequestLimits;
use crate::engine::shutdown::Shutdown;
use crate::engine::siblings::siblings;
use crate::engine::unfinished::Unfinished;
use crate::model::Event;
use crate::providers::target::Request;
use crate::providers::{Error, connections};

/// Time for all targets. The runner gives a cancelled job five minutes.
const SECOND_CHANCE_TIMEOUT: Duration = Duration::from_mins(4);

/// Ends the runs of unfinished targets, each given with its index in the request. `emit` receives their events. The
/// results are in the same order; an error means that the target's provider couldn't be opened.
pub(crate) async fn run(
    request: &Request,
    unfinished: &[(usize, Unfinished)],
    shutdown: &Shutdown,
    emit: &dyn Fn(usize, &Event<'_>),
) -> Vec<Result<Finished, Error>> {
    let deadline = Instant::now() + SECOND_CHANCE_TIMEOUT;
    let target = |index: &usize| &request.targets[*index];
    let connections = connections(
        unfinished.iter().map(|(index, _)| target(index)),
        &request.proxies,
    );
    let siblings: Vec<_> = siblings(&request.targets).collect();
    let sinks: Vec<_> = unfinished
        .iter()
        .map(|(index, _)| move |event: Event<'_>| emit(*index, &event))
        .collect();
    let members = unfinished.iter().zip(&connections).zip(&sinks);
    let members: Vec<_> = members
        .map(|(((index, _), connection), sink)| {
            Member::new(target(index), connection, &siblings[*index], sink)
        })
        .collect();
    let (limits, none_seen) = (RequestLimits::new(), HashSet::new());
    let finishing = members.iter().zip(unfinished);
    let finishing = finishing.map(async |(member, (_, unfinished))| {
        let opened = member.open(shutdown, async |provider, http| Ok((provider, http)));
        let (provider, http) = opened.await?;
        let now = Instant::now();
        let monitor = Monitor {
            context: TargetContext {
                target: member.target,
                provider: &provider,
                http,
                siblings: member.siblings,
                limits: &limits,
                shutdown,
                memory: None,
            },
            seen: &none_seen,
            sent_at: now.checked_sub(unfinished.age()).unwrap_or(now),
            answered_at: now,
        };
        Ok(monitor.finish(unfinished, deadline).await)
    });
    let finished = join_all(finishing).await;
    sign_out(&members, shutdown).await;
    finished
}
