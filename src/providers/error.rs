//! What can go wrong at a provider. Retry and report branch on the kind; the prose is for people.

use std::error::Error as StdError;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use ::http::StatusCode;

use crate::model::Failure;
use crate::providers::http::response::{Response, ResponseBody};

/// What follows from a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// No connection came about, so nothing was sent; later it may.
    Unreachable,
    /// The provider did not act and says when it will; `None` where it says only "later".
    RateLimited(Option<Duration>),
    /// The provider provably did not act, or nothing was sent, and trying again would change nothing.
    Rejected,
    /// The request went out and no clear answer came back: the provider may have acted.
    Unknown,
}

/// A failure at a provider.
#[derive(Clone)]
pub(crate) struct Error {
    kind: Kind,
    /// What happened and why most likely, as a fragment.
    message: String,
    /// What to do about it.
    hint: Option<String>,
    /// What the libraries below said, outermost first. For debugging.
    causes: Vec<String>,
    /// The answer that it was, if one came.
    response: Option<Rc<Response>>,
    /// It is of a request for a token.
    is_of_sign_in: bool,
    /// What was read is not there, though all else was well.
    is_missing: bool,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            causes: Vec::new(),
            response: None,
            is_of_sign_in: false,
            is_missing: false,
        }
    }

    /// The same failure, of a request for a token.
    pub(super) fn while_signing_in(self) -> Self {
        Self {
            is_of_sign_in: true,
            ..self
        }
    }

    /// Whether no token was to be had. Then an answer speaks of that alone, and not of what the token was for.
    pub(crate) fn is_of_sign_in(&self) -> bool {
        self.is_of_sign_in
    }

    /// The same failure, of something that begins the sentence.
    pub(super) fn of(self, subject: &str) -> Self {
        let message = format!("{subject}: {}", self.message);
        Self { message, ..self }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn because(mut self, source: &(dyn StdError + 'static)) -> Self {
        self.causes = causes(source).map(ToString::to_string).collect();
        self
    }

    pub(crate) fn with_response(mut self, response: Response) -> Self {
        self.response = Some(Rc::new(response));
        self
    }

    /// The same failure with the reason why, most likely, and what to do about it.
    pub(super) fn with_reason(self, why: impl fmt::Display, hint: impl Into<String>) -> Self {
        let message = format!("{}: {why}", self.message);
        self.with_message(message, hint)
    }

    /// The same failure in other words.
    pub(super) fn with_message(self, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Explained, if it is a rejection: anything else may be otherwise the next time.
    pub(super) fn if_rejected(self, explain: impl FnOnce(Self) -> Self) -> Self {
        if self.kind == Kind::Rejected {
            explain(self)
        } else {
            self
        }
    }

    pub(super) fn response(&self) -> Option<&Response> {
        self.response.as_deref()
    }

    /// Whether less may be had where this came: the answer was too large, or the server failed at making it.
    pub(super) fn is_about_size(&self) -> bool {
        self.response().is_some_and(|response| {
            response.status.is_server_error() || matches!(response.body, ResponseBody::TooLarge(_))
        })
    }

    /// The failure that what was read is not there.
    pub(super) fn missing(self) -> Self {
        Self {
            is_missing: true,
            ..self
        }
    }

    /// Whether what was read is not there: just after a run's end it may come yet.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_missing || self.status() == Some(::http::StatusCode::NOT_FOUND)
    }

    /// The status of the answer that it was, if one came.
    pub(crate) fn status(&self) -> Option<::http::StatusCode> {
        self.response().map(|response| response.status)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The same failure, of what came before a trigger: it started nothing, and later it may go well.
    pub(crate) fn before_anything_was_sent(self) -> Self {
        let kind = match self.kind {
            Kind::Unknown => Kind::Unreachable,
            Kind::Unreachable | Kind::RateLimited(_) | Kind::Rejected => self.kind,
        };
        Self { kind, ..self }
    }

    /// The failure where a provider asks for more patience than there is.
    pub(crate) fn over_budget(self, asked: Duration, limit: Duration) -> Self {
        let message = format!(
            "{}; it asks to wait {} s, and {} s in all is the most that is waited",
            self.message,
            asked.as_secs_f64().ceil(),
            limit.as_secs()
        );
        self.with_message(
            message,
            "run the workflow again later; another token has a limit of its own",
        )
    }

    /// What is told of it.
    pub(crate) fn failure(&self) -> Failure {
        Failure {
            what: self.message.clone(),
            remedy: self.hint.clone(),
            causes: self.causes.clone(),
        }
    }

    /// What happened, without the hint.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

/// An error and what caused it, outermost first. An I/O error hides the one that it wraps.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| cause(error))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// What the lowest library said: the others only repeat that something failed.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error)
        .filter(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_none_or(|error| error.get_ref().is_none())
        })
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

impl Response {
    /// The response if its status is a success, else an error of the kind that the status means for every provider.
    /// `what` is what was requested, for the message.
    pub(super) fn check_status(self, what: &str) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let summary = self.summary();
        let (kind, message) = if let Some(limit) = self.rate_limit() {
            let message = format!("too many requests: {summary} for {what}");
            (Kind::RateLimited(limit.wait), message)
        } else if self.status.is_client_error() && self.status != StatusCode::REQUEST_TIMEOUT {
            (Kind::Rejected, format!("{summary} for {what}"))
        } else {
            (Kind::Unknown, format!("{summary} for {what}"))
        };
        Err(Error::new(kind, message).with_response(self))
    }
}
