//! The targets of a step, each from its preparation to its end.

use std::time::SystemTime;

use tokio::time::Instant;

use crate::event::{Event, Sink};
use crate::follow::{Followed, Following, follow};
use crate::patience::Patience;
use crate::provider::http::Http;
use crate::stop::Stop;
use crate::target::{Mode, Request, Target};
use crate::trigger::{Triggered, prepare, trigger};

/// A target and what became of it.
pub(crate) struct Report<'a> {
    pub(crate) target: &'a Target,
    pub(crate) triggered: Triggered,
    pub(crate) followed: Followed,
}

/// Triggers the targets, and follows what they start.
pub(crate) async fn run<'a>(
    request: &'a Request,
    stop: &Stop,
    tell: &dyn Fn(&'a Target, Event<'_>),
) -> Vec<Report<'a>> {
    let mut reports = Vec::new();
    for target in &request.targets {
        let tell = |event: Event<'_>| tell(target, event);
        tell(Event::Beginning);
        reports.push(call(target, request.mode, stop, &tell).await);
    }
    reports
}

async fn call<'a>(target: &'a Target, mode: Mode, stop: &Stop, tell: Sink<'_>) -> Report<'a> {
    let not_sent = |triggered| Report {
        target,
        triggered,
        followed: Followed::default(),
    };
    let http = match Http::new(target.certificates.as_deref(), tell) {
        Ok(http) => http,
        Err(error) => return not_sent(Triggered::not_sent(&error)),
    };
    let prepared = match prepare(target, &http, stop, tell).await {
        Ok(prepared) => prepared,
        Err(triggered) => return not_sent(triggered),
    };
    let began = Instant::now();
    // Who waits for the run waits for its trigger as well.
    let patience = target
        .wait
        .as_ref()
        .map_or_else(Patience::default, |wait| Patience(wait.timeout));
    let mut triggered = trigger(&prepared.connection, mode, patience, stop, tell).await;
    let following = Following {
        target,
        connection: &prepared.connection,
        http: &http,
        seen: &prepared.seen,
        sent: triggered.sent.unwrap_or_else(SystemTime::now),
        began,
        stop,
        tell,
    };
    let followed = follow(&following, &mut triggered).await;
    Report {
        target,
        triggered,
        followed,
    }
}
