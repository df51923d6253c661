//! The trigger: sent at most once, and what became of it.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::sleep;

use crate::event::{Event, Sink};
use crate::patience::{Nature, patiently};
use crate::provider::http::Http;
use crate::provider::{Connection, Error, Form, Kind, Secrets};
use crate::run::{Outcome, Run};
use crate::stop::{Stop, Urgency};
use crate::target::{Mode, Target};

/// How long a trigger that is on the wire may take to come back after the step is asked to stop.
const GRACE: Duration = Duration::from_secs(2);

/// How long reads may take that only tell a rejection better.
const EXPLANATION: Duration = Duration::from_secs(20);

/// What became of a target's trigger.
pub(crate) struct Triggered {
    pub(crate) outcome: Outcome,
    /// What was started, as far as the answer told it.
    pub(crate) runs: Vec<Run>,
    pub(crate) failure: Option<Failure>,
}

/// Why a target was not triggered, or may not have been.
pub(crate) struct Failure {
    /// What happened, in one line.
    pub(crate) what: String,
    /// What to do about it, and where to look.
    pub(crate) remedy: Option<String>,
    /// What the libraries below said.
    pub(crate) causes: Vec<String>,
}

/// Triggers one target.
pub(crate) async fn trigger(target: &Target, mode: Mode, stop: &Stop, tell: Sink<'_>) -> Triggered {
    let http = match Http::new(target.certificates.as_deref(), tell) {
        Ok(http) => http,
        Err(error) => return Triggered::not_sent(&error),
    };
    let opening = patiently(Nature::Read, stop, tell, async || {
        Connection::open(target, &http).await
    });
    let connection = tokio::select! {
        opened = opening => match opened {
            Ok(_) if stop.is_asked() => return Triggered::stopped(),
            Ok(connection) => connection,
            Err(error) => return Triggered::not_sent(&error),
        },
        () = stop.asked(Urgency::Soon) => return Triggered::stopped(),
    };
    match mode {
        Mode::DryRun => {
            let trigger = connection.trigger(Form::First, Secrets::Hidden);
            tell(Event::WouldSend {
                url: &trigger.url,
                body: trigger.body.get(),
            });
            Triggered {
                outcome: Outcome::NotSent,
                runs: Vec::new(),
                failure: None,
            }
        }
        Mode::Send => send(&connection, stop, tell).await,
    }
}

async fn send(connection: &Connection<'_>, stop: &Stop, tell: Sink<'_>) -> Triggered {
    let on_the_wire = Cell::new(false);
    let attempt = async |form| {
        patiently(Nature::Trigger, stop, tell, async || {
            on_the_wire.set(true);
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
            return Triggered::unknown(&stopped, &connection.runs_page());
        }
    };
    match answer {
        Ok(run) => {
            tell(Event::Accepted {
                run: run.as_ref(),
                page: &connection.runs_page(),
            });
            Triggered {
                outcome: Outcome::Accepted,
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
    }
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
        let failure = Failure {
            what: error.message().to_owned(),
            remedy: error.remedy().map(str::to_owned),
            causes: error.causes().to_vec(),
        };
        Self {
            outcome,
            runs: Vec::new(),
            failure: Some(failure),
        }
    }

    fn not_sent(error: &Error) -> Self {
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
