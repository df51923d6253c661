//! What an answer means to all three providers alike.

use serde::de::DeserializeOwned;

use crate::model::State;
use crate::providers::error::{Error, Kind};
use crate::providers::http::{Response, ResponseBody};

/// A success that cannot be understood: something may have been started.
pub(super) fn unclear(response: &Response, why: &str) -> Error {
    Error::new(
        Kind::Unknown,
        format!("{} for the trigger, but {why}", response.status.as_u16()),
    )
}

/// What was read, if it can be understood; later it may.
pub(super) fn parse<T: DeserializeOwned>(response: Response, what: &str) -> Result<T, Error> {
    response.json().map_err(|why| {
        let error = unreadable(what, &why);
        match response.body {
            ResponseBody::TooLarge(_) => error.with_response(response),
            ResponseBody::Complete(_) | ResponseBody::Unreadable(_) => error,
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
