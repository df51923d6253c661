//! Helpers to read responses, and the errors for unreadable ones, shared by all providers.

use ::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::model::{Event, State};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::{Http, Response, ResponseBody};

pub(super) const INVALID_TOKEN_HINT: &str = "the token is mistyped, expired or revoked, or belongs to another server. Create a new one and update the secret";
pub(super) const OWN_WORDS_HINT: &str = "sign in on its web page as the token's owner, and do what its message asks for; then run the step again";

/// Says that something can't be found, for whatever reason. The providers don't distinguish between the two. A target's
/// own repository isn't named: the target is, and without a name, equal errors of several targets become one.
pub(super) fn not_visible(what: &str) -> String {
    format!("{what} doesn't exist, or the token can't access it")
}

/// Adds the status of a second request to that of the trigger, as evidence.
pub(super) fn both_answers(trigger: StatusCode, read: StatusCode) -> String {
    if trigger == read {
        " to both requests".to_owned()
    } else {
        let status = read.as_u16();
        format!(" to the trigger, and {status} to reading the repository")
    }
}

/// Reports that a dry run couldn't check something.
pub(super) fn unchecked(http: &Http<'_>, what: &str, error: &Error) {
    let note = format!("couldn't check {what}: {}", error.message());
    http.emit(Event::Note(&note));
}

/// What messages call a trigger.
pub(super) const TRIGGER: &str = "the trigger";

/// Checks the status of a trigger's response. The message of an unclear answer doesn't say that the trigger failed.
pub(super) fn check_trigger(response: Response) -> Result<Response, Error> {
    response
        .check_status(TRIGGER)
        .map_err(|error| match (error.kind(), error.response()) {
            (ErrorKind::Unknown, Some(response)) => {
                let message = format!("no clear answer to the trigger ({})", response.summary());
                error.with_text(message)
            }
            _ => error,
        })
}

/// Returns the error for a trigger's response with a success status that isn't the documented one: a run may have
/// started.
pub(super) fn unexpected_trigger_status(response: &Response) -> Error {
    let message = format!(
        "unexpected response to the trigger ({})",
        response.answered()
    );
    Error::new(ErrorKind::Unknown, message)
}

/// Returns the error for a trigger's response with a success status and an unexpected body: a run may have started.
pub(super) fn unexpected_trigger_response(response: &Response, why: &str) -> Error {
    let answered = response.answered();
    let message = format!("unexpected response to the trigger: {why} ({answered})");
    Error::new(ErrorKind::Unknown, message)
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
    Error::new(ErrorKind::Unknown, format!("{what} failed: {why}"))
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
        format!("the default branch can't be read: {why}"),
    )
    .hint("set `ref`")
}
