//! Failures of a provider. The code branches on the kind; the message and the hint are for people.

use std::error::Error as StdError;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use ::http::StatusCode;

use crate::model::Failure;
use crate::providers::http::response::{Response, ResponseBody};

const INTERMEDIARY_HINT: &str =
    "allow requests from this runner to that server, or bypass the proxy with `NO_PROXY`";

/// What a failure says about the request: whether it took effect, and whether to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ErrorKind {
    /// No connection was made, so nothing was sent. A retry may succeed.
    Unreachable,
    /// The provider did not act, and says how long to wait; `None` if it doesn't say how long.
    RateLimited(Option<Duration>),
    /// The provider certainly did not act, or nothing was sent, and a retry would fail in the same way.
    Rejected,
    /// The request was sent and no clear response came back: the provider may have acted.
    Unknown,
}

/// A failure at a provider.
#[derive(Clone)]
pub(crate) struct Error {
    kind: ErrorKind,
    /// What happened and the most likely reason, as a sentence fragment.
    message: String,
    hint: Option<String>,
    /// Messages of the underlying errors, outermost first, for debugging.
    causes: Vec<String>,
    /// The response that reported the failure, if one came.
    response: Option<Rc<Response>>,
    /// The request for a token failed, not the request that needs the token.
    is_of_sign_in: bool,
    /// The requested thing doesn't exist, although the request succeeded.
    is_missing: bool,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
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

    /// Marks the failure as one of a request for a token.
    pub(super) fn while_signing_in(self) -> Self {
        Self {
            is_of_sign_in: true,
            ..self
        }
    }

    /// Whether the request for a token failed. The response then says nothing about what the token is for.
    pub(crate) fn is_of_sign_in(&self) -> bool {
        self.is_of_sign_in
    }

    /// Puts a subject before the message: `subject: message`.
    pub(super) fn of(self, subject: &str) -> Self {
        let message = format!("{subject}: {}", self.message);
        Self { message, ..self }
    }

    /// Replaces the message only.
    pub(super) fn with_text(self, message: String) -> Self {
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

    /// Replaces the message by the most likely reason, followed by the provider's answer with its own words, and
    /// replaces the hint.
    pub(super) fn with_reason(self, why: impl fmt::Display, hint: impl Into<String>) -> Self {
        let answer = self.response().map(Response::summary);
        self.explained(why, answer, hint)
    }

    /// Like [`Self::with_reason`] for a reason that makes the provider's words redundant: only its status follows.
    pub(super) fn with_message(self, message: impl fmt::Display, hint: impl Into<String>) -> Self {
        self.with_evidence(message, "", hint)
    }

    /// Like [`Self::with_message`], and adds `evidence` after the status.
    pub(super) fn with_evidence(
        self,
        message: impl fmt::Display,
        evidence: &str,
        hint: impl Into<String>,
    ) -> Self {
        let answer = self.response().map(Response::answered);
        let answer = answer.map(|answer| answer + evidence);
        self.explained(message, answer, hint)
    }

    fn explained(
        self,
        message: impl fmt::Display,
        answer: Option<String>,
        hint: impl Into<String>,
    ) -> Self {
        let answer = answer.map(|answer| format!(" ({answer})"));
        Self {
            message: format!("{message}{}", answer.unwrap_or_default()),
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Applies `explain` to a rejection. Other failures may be gone the next time, so they stay as they are.
    pub(super) fn if_rejected(self, explain: impl FnOnce(Self) -> Self) -> Self {
        if self.kind == ErrorKind::Rejected {
            explain(self)
        } else {
            self
        }
    }

    pub(super) fn response(&self) -> Option<&Response> {
        self.response.as_deref()
    }

    /// The response that reported the failure, if the provider itself sent it. Another server's says nothing about
    /// tokens, permissions or what exists.
    pub(super) fn provider_response(&self) -> Option<&Response> {
        self.response()
            .filter(|response| !response.is_from_intermediary())
    }

    /// Whether a smaller page may succeed: the response was too large, or the server failed to produce it.
    pub(super) fn suggests_smaller_page(&self) -> bool {
        self.response().is_some_and(|response| {
            response.status.is_server_error() || matches!(response.body, ResponseBody::TooLarge(_))
        })
    }

    /// Marks the failure as one about something that doesn't exist.
    pub(super) fn missing(self) -> Self {
        Self {
            is_missing: true,
            ..self
        }
    }

    /// Whether the requested thing doesn't exist. Shortly after the end of a run it may still appear.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_missing || self.status() == Some(::http::StatusCode::NOT_FOUND)
    }

    /// Whether access was denied, so that similar requests will fail as well.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(
            self.status(),
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
        )
    }

    /// The status of the response that reported the failure, if one came.
    pub(crate) fn status(&self) -> Option<::http::StatusCode> {
        self.response().map(|response| response.status)
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Treats a rejection like a failure that may be gone the next time.
    pub(super) fn temporary(self) -> Self {
        let kind = match self.kind {
            ErrorKind::Rejected => ErrorKind::Unknown,
            ErrorKind::Unreachable | ErrorKind::RateLimited(_) | ErrorKind::Unknown => self.kind,
        };
        Self { kind, ..self }
    }

    /// Marks the failure as one before the trigger was sent: with nothing started, an unclear response may be retried.
    pub(crate) fn before_anything_was_sent(self) -> Self {
        let kind = match self.kind {
            ErrorKind::Unknown => ErrorKind::Unreachable,
            ErrorKind::Unreachable | ErrorKind::RateLimited(_) | ErrorKind::Rejected => self.kind,
        };
        Self { kind, ..self }
    }

    /// Adds that the provider asks to wait longer than the budget allows.
    pub(crate) fn over_budget(self, pause: Duration, limit: Duration) -> Self {
        let message = format!(
            "{}; the provider asks to wait {} s, longer than the {} s limit",
            self.message,
            pause.as_secs_f64().ceil(),
            limit.as_secs()
        );
        let hint =
            "run the workflow again later, or use another token, which has its own rate limit";
        self.with_text(message).hint(hint)
    }

    /// The parts of the error that are reported.
    pub(crate) fn failure(&self) -> Failure {
        Failure {
            what: self.message.clone(),
            remedy: self.hint.clone(),
            causes: self.causes.clone(),
        }
    }

    /// The message without the hint.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

/// Iterates over an error and its causes, outermost first. `io::Error::source` skips the error that it wraps, so that
/// one is taken from `get_ref`.
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

/// Returns the message of the innermost cause. The outer ones only repeat that something failed.
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
    /// Returns the response if its status is a success, or else an error whose kind follows from the status, for every
    /// provider alike. `what` names in the message what was done: `the trigger`, `reading the run`.
    pub(super) fn check_status(self, what: &str) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let summary = self.summary();
        let error = if let Some(limit) = self.rate_limit() {
            let message = format!("too many requests ({summary})");
            Error::new(ErrorKind::RateLimited(limit.wait), message)
        } else if self.is_from_intermediary() {
            let message = format!(
                "a proxy, firewall or login page refused the request in place of {} ({} with {})",
                self.server,
                self.status.as_u16(),
                self.describe_body(),
            );
            Error::new(ErrorKind::Rejected, message).hint(INTERMEDIARY_HINT)
        } else if self.status.is_client_error() && self.status != StatusCode::REQUEST_TIMEOUT {
            Error::new(ErrorKind::Rejected, format!("{what} failed ({summary})"))
        } else {
            Error::new(ErrorKind::Unknown, format!("{what} failed ({summary})"))
        };
        Err(error.with_response(self))
    }
}
