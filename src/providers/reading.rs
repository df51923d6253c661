//! Helpers to read responses, and the errors for unreadable ones, shared by all providers.

use serde::de::DeserializeOwned;

use crate::model::State;
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::{Response, ResponseBody};

/// Returns the error for a trigger's response with a success status and an unexpected body: a run may have started.
pub(super) fn unexpected_trigger_response(response: &Response, why: &str) -> Error {
    Error::new(
        ErrorKind::Unknown,
        format!("{} for the trigger, but {why}", response.status.as_u16()),
    )
}

/// Parses the JSON body. A body that can't be parsed is `ErrorKind::Unknown`, so reads are retried.
pub(super) fn parse_json<T: DeserializeOwned>(response: Response, what: &str) -> Result<T, Error> {
    response.json().map_err(|why| {
        let error = unreadable_response(what, &why);
        match response.body {
            ResponseBody::TooLarge(_) => error.with_response(response),
            ResponseBody::Complete(_) | ResponseBody::Unreadable(_) => error,
        }
    })
}

pub(super) fn unreadable_response(what: &str, why: &str) -> Error {
    Error::new(ErrorKind::Unknown, format!("{what} cannot be read: {why}"))
}

/// Turns the failure of an optional follow-up read into `None`. A rate limit is still an error, because polling on
/// would prolong it, unless `state` is completed: that must be reported.
pub(super) fn optional_read<T>(read: Result<T, Error>, state: State) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error)
            if matches!(error.kind(), ErrorKind::RateLimited(_))
                && state.conclusion().is_none() =>
        {
            Err(error)
        }
        Err(_) => Ok(None),
    }
}

/// Returns the error for a response that should name the default branch, and doesn't.
pub(super) fn no_default_branch(why: &str) -> Error {
    Error::new(
        ErrorKind::Unknown,
        format!("the default branch cannot be read: {why}"),
    )
    .hint("set `ref`")
}
