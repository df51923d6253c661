//! The trigger: sent at most once, and what became of it.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use crate::event::{Event, Sink};
use crate::patience::{Nature, Patience, patiently};
use crate::provider::http::Http;
use crate::provider::{Connection, Error, Form, Kind, Secrets};
use crate::run::{Failure, Outcome, Run};
use crate::stop::{Stop, Urgency};
use crate::target::{Mode, Target};

/// How long a trigger that is on the wire may take to come back after the step is asked to stop.
const GRACE: Duration = Duration::from_secs(2);

/// How long reads may take that only tell a rejection better.
const EXPLANATION: Duration = Duration::from_secs(20);

/// What became of a target's trigger.
pub(crate) struct Triggered {
    pub(crate) outcome: Outcome,
    /// When the last request for it went out, by our clock; `None` where none did.
    pub(crate) sent: Option<SystemTime>,
    /// What was started, as far as the answer told it.
    pub(crate) runs: Vec<Run>,
    pub(crate) failure: Option<Failure>,
}

/// A target that is ready to be triggered.
pub(crate) struct Prepared<'a> {
    pub(crate) connection: Connection<'a>,
    /// Runs that are there already, where they are read: where the trigger's own will be waited for.
    pub(crate) seen: HashSet<String>,
}

/// Does all that comes before a trigger and starts nothing: signs in, and proves that the run will be
/// readable if it is to be waited for.
pub(crate) async fn prepare<'a>(
    target: &'a Target,
    http: &'a Http<'a>,
    stop: &Stop,
    tell: Sink<'_>,
) -> Result<Prepared<'a>, Triggered> {
    let preparing = patiently(Nature::Read, Patience::default(), stop, tell, async || {
        let connection = Connection::open(target, http).await?;
        let mut seen = HashSet::new();
        if target.wait.is_some() {
            let runs = connection.recent(None).await;
            let runs = runs.map_err(|error| match error.kind() {
                Kind::Rejected => connection.explain_unreadable(error),
                Kind::Unreachable | Kind::RateLimited(_) | Kind::Unknown => error,
            })?;
            seen.extend(runs.into_iter().map(|run| run.id));
        }
        Ok(Prepared { connection, seen })
    });
    tokio::select! {
        prepared = preparing => match prepared {
            Ok(_) if stop.is_asked() => Err(Triggered::stopped()),
            Ok(prepared) => Ok(prepared),
            Err(error) => Err(Triggered::not_sent(&error)),
        },
        () = stop.asked(Urgency::Soon) => Err(Triggered::stopped()),
    }
}

/// Triggers one target.
pub(crate) async fn trigger(
    connection: &Connection<'_>,
    mode: Mode,
    patience: Patience,
    stop: &Stop,
    tell: Sink<'_>,
) -> Triggered {
    match mode {
        Mode::DryRun => {
            let trigger = connection.trigger(Form::First, Secrets::Hidden);
            tell(Event::WouldSend {
                url: &trigger.url,
                body: trigger.body.get(),
            });
            Triggered {
                outcome: Outcome::NotSent,
                sent: None,
                runs: Vec::new(),
                failure: None,
            }
        }
        Mode::Send => send(connection, patience, stop, tell).await,
    }
}

async fn send(
    connection: &Connection<'_>,
    patience: Patience,
    stop: &Stop,
    tell: Sink<'_>,
) -> Triggered {
    let on_the_wire = Cell::new(false);
    let sent = Cell::new(None);
    let triggered = |triggered| Triggered {
        sent: sent.get(),
        ..triggered
    };
    let attempt = async |form| {
        patiently(Nature::Trigger, patience, stop, tell, async || {
            on_the_wire.set(true);
            sent.set(Some(SystemTime::now()));
            let answer = connection.send(form).await;
            on_the_wire.set(false);
            answer
        })
        .await
    };
    let sending = async {
        match attempt(Form::First).await {
            Err(rejection) if rejection.kind() == Kind::Rejected && !stop.is_asked() => {
                match connection.second_form(&rejection) {
                    Some(why) => {
                        tell(Event::SecondForm(why));
                        attempt(Form::Second).await
                    }
                    None => Err(rejection),
                }
            }
            answer => answer,
        }
    };
    let answer = tokio::select! {
        // An answer that is there counts, whatever else happened meanwhile.
        biased;
        answer = sending => answer,
        () = out_of_grace(stop, &on_the_wire) => {
            let stopped = Error::new(Kind::Unknown, "stopped while the trigger was on the wire, and no answer came in time");
            return triggered(Triggered::unknown(&stopped, &connection.runs_page()));
        }
    };
    triggered(match answer {
        Ok(run) => {
            tell(Event::Accepted {
                run: run.as_ref(),
                page: &connection.runs_page(),
            });
            Triggered {
                outcome: Outcome::Accepted,
                sent: None,
                runs: run.into_iter().collect(),
                failure: None,
            }
        }
        Err(error) => match error.kind() {
            Kind::Unknown => Triggered::unknown(&error, &connection.runs_page()),
            Kind::Unreachable | Kind::RateLimited(_) if stop.is_asked() => Triggered::stopped(),
            Kind::Unreachable | Kind::RateLimited(_) => {
                Triggered::failed(Outcome::Rejected, &error)
            }
            Kind::Rejected => {
                let unexplained = Triggered::failed(Outcome::Rejected, &error);
                tokio::select! {
                    explained = connection.explain(error) => Triggered::failed(Outcome::Rejected, &explained),
                    () = sleep(EXPLANATION) => unexplained,
                    () = stop.asked(Urgency::Soon) => unexplained,
                }
            }
        },
    })
}

/// Returns when a stop has been asked for and what is on the wire has had its time.
async fn out_of_grace(stop: &Stop, on_the_wire: &Cell<bool>) {
    stop.asked(Urgency::Soon).await;
    tokio::select! {
        () = sleep(GRACE) => {}
        () = stop.asked(Urgency::Now) => {}
    }
    // What is not on the wire ends by itself.
    if !on_the_wire.get() {
        std::future::pending::<()>().await;
    }
}

impl Triggered {
    fn failed(outcome: Outcome, error: &Error) -> Self {
        Self {
            outcome,
            sent: None,
            runs: Vec::new(),
            failure: Some(error.failure()),
        }
    }

    pub(crate) fn not_sent(error: &Error) -> Self {
        Self::failed(Outcome::NotSent, error)
    }

    fn stopped() -> Self {
        Self::not_sent(&Error::new(
            Kind::Rejected,
            "stopped before the trigger was sent; nothing was started",
        ))
    }

    fn unknown(error: &Error, page: &str) -> Self {
        let mut triggered = Self::failed(Outcome::Unknown, error);
        if let Some(failure) = &mut triggered.failure {
            failure.what = format!(
                "{}; the pipeline may have been started, or not",
                failure.what
            );
            failure.remedy = Some(format!(
                "it was not sent again, since that could start it twice: look whether it runs at {page}, and start the step again only if it does not"
            ));
        }
        triggered
    }
}
