//! Runs that we stop waiting for before their end: what is ours for sure is cancelled, and what may go
//! on is named.

use std::time::Duration;

use ::http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use crate::event::News;
use crate::provider::{Connection, Depth, Error, Kind};
use crate::run::{Look, Run};
use crate::stop::{Stop, Urgency};
use crate::target::OnAbandoned;

/// So long after a signal all must be said; the step has a second more to write it down.
const TIME_AFTER_SIGNAL: Duration = Duration::from_secs(4);
/// After a deadline nobody is in a hurry.
const TIME_AFTER_DEADLINE: Duration = Duration::from_secs(30);
/// Between looks whether a cancel took effect; the first one comes sooner.
const FIRST_LOOK: Duration = Duration::from_millis(700);
/// Times that a cancel is sent where no clear answer comes back or a rate limit puts it off, and the pause
/// between them where that says none.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// What became of a run that was abandoned.
pub(crate) struct Abandoned {
    /// A look since then, if there was a good one.
    pub(crate) look: Option<Look>,
    /// Why it may go on, if it may.
    pub(crate) left_running: Option<String>,
}

/// Cancels a run, if it may be, and sees whether that took effect as long as there is time.
pub(crate) async fn abandon(
    connection: &Connection<'_>,
    run: &Run,
    policy: OnAbandoned,
    slots: &Semaphore,
    stop: &Stop,
    tell: &dyn Fn(News<'_>),
) -> Abandoned {
    if let Some(why) = untouchable(run, policy) {
        return Abandoned {
            look: None,
            left_running: Some(why),
        };
    }
    tell(News::Cancelling);
    let mut so_far = "it was not its turn to be cancelled".to_owned();
    let too_late = tokio::select! {
        abandoned = cancel(connection, run, slots, &mut so_far) => return abandoned,
        why = out_of_time(stop) => why,
    };
    Abandoned {
        look: None,
        left_running: Some(format!("{so_far} {too_late}")),
    }
}

/// Why a run is left alone.
fn untouchable(run: &Run, policy: OnAbandoned) -> Option<String> {
    if policy == OnAbandoned::Leave {
        return Some("`on-abandoned` is `leave`".to_owned());
    }
    (!run.matched_by.is_sure()).then(|| {
        "it was recognised by its time alone and may be somebody else's, so it was not cancelled"
            .to_owned()
    })
}

async fn cancel(
    connection: &Connection<'_>,
    run: &Run,
    slots: &Semaphore,
    so_far: &mut String,
) -> Abandoned {
    let slot = slots.acquire().await;
    "the cancel was not answered".clone_into(so_far);
    let refusal = ask_for_its_end(connection, run, so_far).await.err();
    drop(slot);
    if refusal.is_none() {
        "the cancel was accepted, but had not taken effect".clone_into(so_far);
    }
    let may_be_over = |status| {
        matches!(
            status,
            StatusCode::CONFLICT | StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND
        )
    };
    let mut pause = FIRST_LOOK;
    loop {
        if refusal.is_none() {
            sleep(pause).await;
            pause = connection.pace().shortest;
        }
        let slot = slots.acquire().await;
        let look = connection.look(run, Depth::Jobs).await.ok();
        drop(slot);
        if look
            .as_ref()
            .is_some_and(|look| look.state.conclusion().is_some())
        {
            return Abandoned {
                look,
                left_running: None,
            };
        }
        let Some(refusal) = &refusal else { continue };
        let again = match refusal.status() {
            Some(status) if may_be_over(status) => ", and it is not over",
            _ => "",
        };
        return Abandoned {
            look,
            left_running: Some(format!(
                "the cancel was refused: {}{again}",
                refusal.message()
            )),
        };
    }
}

/// A cancel may be sent again, other than a trigger: a run ends once.
async fn ask_for_its_end(
    connection: &Connection<'_>,
    run: &Run,
    so_far: &mut String,
) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        let error = match connection.cancel(run).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let pause = match error.kind() {
            Kind::Rejected => return Err(error),
            Kind::RateLimited(said) => said.unwrap_or(PAUSE),
            Kind::Unreachable | Kind::Unknown => PAUSE,
        };
        if tries == TRIES {
            return Err(error);
        }
        tries += 1;
        *so_far = format!(
            "the cancel failed ({}), and no other had been accepted",
            error.message()
        );
        sleep(pause).await;
    }
}

/// Returns when there is no more time to see what becomes of a cancel; says when that is.
async fn out_of_time(stop: &Stop) -> String {
    let signal = async {
        stop.asked(Urgency::Soon).await;
        let asked = stop.asked_at().unwrap_or_else(Instant::now);
        sleep_until(asked + TIME_AFTER_SIGNAL).await;
    };
    tokio::select! {
        biased;
        () = stop.asked(Urgency::Now) => "when a second signal came".to_owned(),
        () = signal => "when the step had to end".to_owned(),
        () = sleep(TIME_AFTER_DEADLINE) => {
            format!("after {} s", TIME_AFTER_DEADLINE.as_secs())
        }
    }
}
