//! Prepares one target, sends its trigger at most once, and determines the outcome.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::engine::concurrency::{Concurrency, Permit};
use crate::engine::context::TargetContext;
use crate::engine::member::Member;
use crate::engine::retry::{DEFAULT_RATE_LIMIT_BUDGET, RetryPolicy, backoff, retry};
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::engine::status_memory::StatusMemory;
use crate::model::{Event, Failure, Followed, NotSent, Outcome, Problem, Run};
use crate::providers::http::Http;
use crate::providers::target::Mode;
use crate::providers::{AnyProvider, Error, ErrorKind, Idempotency, RequestForm, Secrets};

/// Time after a signal in which a trigger on the wire may still be answered.
const TRIGGER_SHUTDOWN_GRACE: Duration = Duration::from_secs(4);

/// Timeout for reads that only serve to explain a rejection.
const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Result of a target's trigger.
pub(crate) struct Triggered {
    pub(crate) outcome: Outcome,
    /// When its last request was sent, if one was.
    pub(crate) sent_at: Option<Instant>,
    /// When that request was answered or failed. `timeout` counts from here, so that delays before the trigger don't
    /// shorten the wait for the run.
    pub(crate) answered_at: Option<Instant>,
    /// The runs that the response named, or that an earlier attempt of the job has started.
    pub(crate) runs: Vec<Run>,
    pub(crate) problem: Option<Problem>,
}

/// A target that is ready to be triggered, or followed.
pub(crate) struct Prepared<'a> {
    pub(crate) provider: AnyProvider<'a>,
    pub(crate) http: &'a Http<'a>,
    /// IDs of the runs that already exist; only read if runs have to be found.
    pub(crate) seen: Rc<HashSet<String>>,
    /// The runs of a target that triggers nothing.
    pub(crate) followed: Vec<Run>,
}

/// Does everything before a trigger that starts nothing: signs in and, if the step needs to, checks that the runs can be
/// read. Runs that are only followed are read. `memory` is opened last.
pub(crate) async fn prepare<'a>(
    member: &'a Member<'a>,
    memory: Option<StatusMemory<'_>>,
    shutdown: &Shutdown,
) -> Result<Prepared<'a>, Triggered> {
    (member.emit)(Event::Beginning);
    let target = member.target;
    let preparing = member.open(shutdown, async |provider, http| {
        let repository = &target.location.repository;
        let (mut seen, mut followed) = (Rc::default(), Vec::new());
        match (&target.follow, &target.wait, &target.recall) {
            (Some(follow), ..) => {
                for given in &follow.runs {
                    followed.push(provider.followed(given).await?);
                }
            }
            (None, Some(_), _) | (None, None, Some(_)) => {
                seen = provider.seen(repository, http.quota()).await?;
            }
            (None, None, None) => {}
        }
        Ok(Prepared {
            provider,
            http,
            seen,
            followed,
        })
    });
    let preparing = async {
        let prepared: Prepared<'_> = preparing
            .await
            .map_err(|error| Triggered::not_ready(&error))?;
        if let Some(memory) = memory {
            let opened = memory.open(member.emit, prepared.provider.runs_page());
            opened.await.map_err(Triggered::not_recalled)?;
        }
        Ok(prepared)
    };
    tokio::select! {
        prepared = preparing => match prepared {
            Ok(_) if shutdown.is_requested() => Err(Triggered::not_sent(NotSent::Stopped)),
            prepared => prepared,
        },
        () = shutdown.requested(ShutdownMode::Graceful) => Err(Triggered::not_sent(NotSent::Stopped)),
    }
}

/// Begins to follow runs that were started elsewhere. Sends nothing.
pub(crate) fn begin_to_follow(
    context: TargetContext<'_, '_>,
    follow: &Followed,
    runs: &[Run],
) -> Triggered {
    if runs.is_empty() {
        let problem = Problem::NothingToFollow(follow.outcome);
        return Triggered::new(Outcome::NotSent, Some(problem));
    }
    for run in runs {
        context.siblings.claim(run);
        context.emit(Event::Following(run));
    }
    Triggered {
        runs: runs.to_vec(),
        ..Triggered::new(Outcome::Accepted, None)
    }
}

/// Sends a target's trigger, or only reports it in a dry run.
pub(crate) async fn trigger(
    context: TargetContext<'_, '_>,
    concurrency: &Concurrency,
    mode: Mode,
) -> Triggered {
    match mode {
        Mode::DryRun => {
            let checked = tokio::select! {
                checked = context.provider.check() => checked,
                () = context.shutdown.requested(ShutdownMode::Graceful) => {
                    return Triggered::not_sent(NotSent::Stopped);
                }
            };
            if let Err(error) = checked {
                return Triggered::not_ready(&error);
            }
            let trigger = context
                .provider
                .trigger(RequestForm::Preferred, Secrets::Hidden);
            context.emit(Event::WouldSend {
                url: &trigger.url,
                body: trigger.body.get(),
            });
            Triggered::new(Outcome::NotSent, None)
        }
        Mode::Send => {
            TriggerSender {
                context,
                concurrency,
            }
            .send()
            .await
        }
    }
}

/// Parameters for sending one trigger.
#[derive(Clone, Copy)]
struct TriggerSender<'a, 'target> {
    context: TargetContext<'a, 'target>,
    concurrency: &'a Concurrency,
}

/// Progress of one trigger, kept outside its future so that it survives a shutdown.
#[derive(Default)]
struct SendState {
    is_on_the_wire: Cell<bool>,
    sent_at: Cell<Option<Instant>>,
    answered_at: Cell<Option<Instant>>,
    /// Whether the target's memory says that the trigger may have been sent.
    is_announced: Cell<bool>,
    /// Why it can't be made to say so.
    unannounced: Cell<Option<Failure>>,
}

impl<'a> TriggerSender<'a, '_> {
    async fn send(self) -> Triggered {
        let state = SendState::default();
        let response = tokio::select! {
            // Biased: a response that has arrived counts, even after a shutdown.
            biased;
            response = self.send_with_fallback(&state) => response,
            () = grace_period_over(self.context.shutdown, &state.is_on_the_wire) => {
                Err(Error::new(ErrorKind::Unknown, "the step was stopped before the trigger was answered"))
            }
        };
        if let Some(failure) = state.unannounced.take() {
            return Triggered::new(Outcome::NotSent, Some(Problem::NotTriggered(failure)));
        }
        Triggered {
            sent_at: state.sent_at.get(),
            answered_at: state.answered_at.get(),
            ..self.into_triggered(response).await
        }
    }

    /// Sends the preferred form, and the fallback form if the first was rejected for the one reason that allows it.
    async fn send_with_fallback(self, state: &SendState) -> Result<Option<Run>, Error> {
        match self.send_form(RequestForm::Preferred, state).await {
            Err(rejection)
                if rejection.kind() == ErrorKind::Rejected
                    && !self.context.shutdown.is_requested() =>
            {
                match self.context.provider.fallback(&rejection) {
                    Some(why) => {
                        self.context.emit(Event::Fallback(why));
                        self.send_form(RequestForm::Fallback, state).await
                    }
                    None => Err(rejection),
                }
            }
            response => response,
        }
    }

    async fn send_form(self, form: RequestForm, state: &SendState) -> Result<Option<Run>, Error> {
        // With `wait`, rate limits may be waited out for as long as the run.
        let wait = self.context.target.wait.as_ref();
        let policy = RetryPolicy {
            idempotency: Idempotency::Once,
            rate_limit_budget: wait.map_or(DEFAULT_RATE_LIMIT_BUDGET, |wait| wait.timeout),
            quota: self.context.quota(),
            shutdown: self.concurrency.shutdown(),
            emit: self.context.http.emitter(),
        };
        retry(policy, backoff(policy.idempotency), async || {
            let _permit = self.ready_permit(state).await?;
            self.context.emit(Event::Sending);
            self.context.siblings.mark_sent();
            state.is_on_the_wire.set(true);
            state.sent_at.set(Some(Instant::now()));
            let response = self.context.provider.send(form).await;
            state.answered_at.set(Some(Instant::now()));
            state.is_on_the_wire.set(false);
            self.update_siblings(&response);
            response
        })
        .await
    }

    /// Waits for a permit, for a valid credential, and until the target's memory says that the trigger may have been
    /// sent. A shutdown, or another target's failure with `fail-fast`, interrupts these waits at once, and is checked
    /// again after the last one.
    async fn ready_permit(self, state: &SendState) -> Result<Permit<'a>, Error> {
        let getting_ready = async {
            let permit = self.concurrency.acquire(self.context.quota()).await;
            let ready = self.context.provider.make_ready().await;
            ready.map_err(Error::before_anything_was_sent)?;
            self.announce(state).await?;
            Ok(permit)
        };
        let permit = tokio::select! {
            biased;
            () = self.concurrency.shutdown().requested(ShutdownMode::Graceful) => None,
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => {
                self.concurrency.close();
                None
            }
            permit = getting_ready => permit?,
        };
        permit.ok_or_else(|| {
            // `Unreachable` is the kind for requests that were not sent, and could be sent later.
            Error::new(ErrorKind::Unreachable, "not sent yet")
        })
    }

    /// Writes ahead, once, that the trigger may have been sent.
    async fn announce(self, state: &SendState) -> Result<(), Error> {
        let Some(memory) = self.context.memory.filter(|_| !state.is_announced.get()) else {
            return Ok(());
        };
        let announced = memory.announce(self.context.http.emitter()).await;
        announced.map_err(|failure| {
            let error = Error::new(ErrorKind::Rejected, failure.what.clone());
            state.unannounced.set(Some(failure));
            error
        })?;
        state.is_announced.set(true);
        Ok(())
    }

    /// Records for the siblings which run was started, if that is known.
    fn update_siblings(self, response: &Result<Option<Run>, Error>) {
        match response {
            Ok(Some(run)) => {
                self.context.siblings.claim(run);
                self.context.siblings.mark_settled();
            }
            Ok(None) => {}
            Err(error) => match error.kind() {
                ErrorKind::Unknown => {}
                ErrorKind::Rejected | ErrorKind::Unreachable | ErrorKind::RateLimited(_) => {
                    self.context.siblings.mark_settled();
                }
            },
        }
    }

    async fn into_triggered(self, response: Result<Option<Run>, Error>) -> Triggered {
        let error = match response {
            Ok(run) => {
                match &run {
                    Some(run) => self.context.emit(Event::Accepted(run)),
                    None => {
                        self.context.emit(Event::AcceptedWithoutRun(
                            &self.context.provider.runs_page(),
                        ));
                    }
                }
                let mut triggered = Triggered::new(Outcome::Accepted, None);
                triggered.runs.extend(run);
                return triggered;
            }
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Unknown => Triggered::unknown(&error, self.context.provider.runs_page()),
            ErrorKind::Unreachable | ErrorKind::RateLimited(_)
                if self.context.shutdown.is_requested() =>
            {
                Triggered::not_sent(NotSent::Stopped)
            }
            ErrorKind::Unreachable | ErrorKind::RateLimited(_)
                if self.concurrency.shutdown().is_requested() =>
            {
                Triggered::not_sent(NotSent::FailFast)
            }
            ErrorKind::Unreachable | ErrorKind::RateLimited(_) => {
                Triggered::failed(Outcome::Rejected, &error)
            }
            ErrorKind::Rejected => {
                // Before explaining the rejection, which may take a while.
                self.concurrency.record_failure();
                let unexplained = Triggered::failed(Outcome::Rejected, &error);
                tokio::select! {
                    explained = self.context.provider.explain(error) => Triggered::failed(Outcome::Rejected, &explained),
                    () = sleep(EXPLAIN_TIMEOUT) => unexplained,
                    () = self.context.shutdown.requested(ShutdownMode::Graceful) => unexplained,
                }
            }
        }
    }
}

/// Returns after a shutdown, once a trigger on the wire has used up its grace period.
async fn grace_period_over(shutdown: &Shutdown, is_on_the_wire: &Cell<bool>) {
    shutdown.requested(ShutdownMode::Graceful).await;
    tokio::select! {
        () = sleep(TRIGGER_SHUTDOWN_GRACE) => {}
        () = shutdown.requested(ShutdownMode::Immediate) => {}
    }
    // A trigger that isn't on the wire ends by itself.
    if !is_on_the_wire.get() {
        std::future::pending::<()>().await;
    }
}

impl Triggered {
    fn new(outcome: Outcome, problem: Option<Problem>) -> Self {
        Self {
            outcome,
            sent_at: None,
            answered_at: None,
            runs: Vec::new(),
            problem,
        }
    }

    fn failed(outcome: Outcome, error: &Error) -> Self {
        Self::new(outcome, Some(Problem::NotTriggered(error.failure())))
    }

    /// The target could not be prepared.
    pub(crate) fn not_ready(error: &Error) -> Self {
        Self::failed(Outcome::NotSent, error)
    }

    /// The trigger was not sent, for a reason outside the target.
    pub(crate) fn not_sent(why: NotSent) -> Self {
        Self::new(Outcome::NotSent, Some(Problem::NotSent(why)))
    }

    /// Runs that an earlier attempt of the job has started.
    pub(crate) fn taken_up(runs: Vec<Run>) -> Self {
        Self {
            runs,
            ..Self::new(Outcome::Accepted, None)
        }
    }

    /// It's unknown whether an earlier attempt of the job has started something.
    pub(crate) fn not_recalled(problem: Problem) -> Self {
        Self::new(Outcome::NotSent, Some(problem))
    }

    fn unknown(error: &Error, page: String) -> Self {
        let problem = Problem::OutcomeUnknown {
            failure: error.failure(),
            search: None,
            page,
        };
        Self::new(Outcome::Unknown, Some(problem))
    }
}
