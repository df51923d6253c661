//! What an answer means to all three providers alike.

use serde::de::DeserializeOwned;

use super::error::{Error, Kind};
use super::http::{Answer, Body};
use crate::run::State;

/// What an answer's status means, where the provider has no word of its own for it.
pub(super) fn judge(answer: Answer, what: &str) -> Result<Answer, Error> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let told = answer.tell();
    if let Some(limit) = answer.rate_limit() {
        let error = Error::new(
            Kind::RateLimited(limit.wait),
            format!("too many requests: {told} for {what}"),
        );
        return Err(error.with_answer(answer));
    }
    let status = answer.status;
    let kind = if status.is_client_error() && status != ::http::StatusCode::REQUEST_TIMEOUT {
        Kind::Rejected
    } else {
        Kind::Unknown
    };
    Err(Error::new(kind, format!("{told} for {what}")).with_answer(answer))
}

/// A success that cannot be understood: something may have been started.
pub(super) fn unclear(answer: &Answer, why: &str) -> Error {
    Error::new(
        Kind::Unknown,
        format!("{} for the trigger, but {why}", answer.status.as_u16()),
    )
}

/// What was read, if it can be understood; later it may.
pub(super) fn parse<T: DeserializeOwned>(answer: Answer, what: &str) -> Result<T, Error> {
    answer.json().map_err(|why| {
        let error = unreadable(what, &why);
        match answer.body {
            Body::TooLarge(_) => error.with_answer(answer),
            Body::Complete(_) | Body::Unreadable(_) => error,
        }
    })
}

pub(super) fn unreadable(what: &str, why: &str) -> Error {
    Error::new(Kind::Unknown, format!("{what} cannot be read: {why}"))
}

/// What is read beside a look that was good and showed this state: without it that is as good. But a rate
/// limit must be slept out, since asking on would prolong it, unless an end was seen: that must be told.
pub(super) fn beside<T>(read: Result<T, Error>, state: State) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error)
            if matches!(error.kind(), Kind::RateLimited(_)) && state.conclusion().is_none() =>
        {
            Err(error)
        }
        Err(_) => Ok(None),
    }
}

/// The default branch was asked for, and the answer cannot be understood.
pub(super) fn no_default_branch(why: &str) -> Error {
    Error::new(
        Kind::Unknown,
        format!("the default branch cannot be read: {why}"),
    )
    .hint("set `ref`")
}
