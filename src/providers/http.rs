//! Sends HTTP requests: follows redirects, limits the size of bodies, classifies failures. Never retries.

mod client;
mod download;
mod failure;
#[cfg(target_os = "linux")]
mod name;
pub(crate) mod proxies;
pub(super) mod request;
pub(super) mod response;

use std::error::Error as StdError;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::value::RawValue;
use tokio::time::Instant;
use url::{Origin, Url};

pub(crate) use client::{Client, USER_AGENT};
pub(crate) use download::LogTail;
pub(crate) use response::{LimitMessage, Response, ResponseBody};

use crate::model::{Event, Sink};
use crate::providers::error::{Error, ErrorKind, innermost};
use crate::providers::quota::{Idempotency, Quota};

const MAX_REDIRECTS: usize = 5;
/// Largest JSON body that is read, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Largest body of an error response that is read, in bytes. Only its message is shown.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Longest `Location` of a redirect that is followed, in bytes. The URL is shown in messages.
const MAX_LOCATION: usize = 2_000;

/// How long before its expiry a token is reported.
const EXPIRY_WARNING: TimeDelta = TimeDelta::days(14);

const REDIRECT_HINT: &str = "if the server or repository has moved, update `server-url` and `repository`: a token is only sent to the server it belongs to. A login page also redirects";

type BoxError = Box<dyn StdError + Send + Sync>;

/// The HTTP client of one target. Reports requests as events, and records rate limits for the target's credential.
pub(crate) struct Http<'a> {
    client: Rc<Client>,
    /// Origin of the target's API.
    origin: Origin,
    quota: Rc<Quota>,
    /// The provider's name, for messages.
    server: &'static str,
    limit_messages: &'static [LimitMessage],
    emit: Sink<'a>,
}

impl<'a> Http<'a> {
    pub(super) fn new(
        client: Rc<Client>,
        quota: Rc<Quota>,
        (server, limit_messages): (&'static str, &'static [LimitMessage]),
        api: &Url,
        emit: Sink<'a>,
    ) -> Self {
        Self {
            client,
            origin: api.origin(),
            quota,
            server,
            limit_messages,
            emit,
        }
    }

    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Returns the same client for requests with another credential, which has its own rate limits.
    pub(super) fn with_own_quota(&self) -> Self {
        Self {
            client: Rc::clone(&self.client),
            origin: self.origin.clone(),
            quota: Rc::new(Quota::new(Duration::ZERO)),
            server: self.server,
            limit_messages: self.limit_messages,
            emit: self.emit,
        }
    }

    /// Records whether a response is a rate limit. Must see every response to a request with the credential.
    fn record(&self, idempotency: Idempotency, response: &Response) {
        match response.rate_limit() {
            Some(limit) => self.quota.record_rate_limit(idempotency, limit.wait),
            None => self.quota.record_response(idempotency),
        }
    }

    fn client(&self, idempotency: Idempotency) -> Result<&reqwest::Client, Error> {
        self.client.inner(idempotency)
    }

    pub(crate) fn emit(&self, event: Event<'_>) {
        (self.emit)(event);
    }

    pub(crate) fn emitter(&self) -> Sink<'a> {
        self.emit
    }

    /// Returns a repository's default branch. It is read once per credential and reported for each target.
    pub(super) async fn default_branch(
        &self,
        repository: &str,
        read: impl AsyncFnOnce() -> Result<String, Error>,
    ) -> Result<String, Error> {
        let branch = self.quota().branches.get_or_read(repository, read).await?;
        self.emit(Event::DefaultReference(&branch));
        Ok(branch)
    }

    /// Warns if the credential expires within [`EXPIRY_WARNING`], by the server's clock.
    pub(super) fn warn_before_expiry(&self, expiry: DateTime<Utc>) {
        let left = expiry - DateTime::<Utc>::from(self.at_server(Instant::now()));
        if left > EXPIRY_WARNING {
            return;
        }
        let date = expiry.format("%Y-%m-%d");
        let days = match left.num_days() {
            ..1 => "in less than a day".to_owned(),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        };
        self.emit(Event::Caution(&format!(
            "the token expires on {date}, {days}. Create a new one and update the secret before then"
        )));
    }

    /// Whether a response has shown the server's clock.
    pub(crate) fn knows_clock(&self) -> bool {
        self.client.knows_clock(&self.origin)
    }

    /// Converts a moment to the server's time. Until a response has shown that, uses the local clock.
    pub(crate) fn at_server(&self, moment: Instant) -> SystemTime {
        self.client.at_server(&self.origin, moment)
    }

    /// Sends one request and follows redirects: only to the same origin, at most [`MAX_REDIRECTS`], and with a body
    /// only if the status keeps the method and the body. Any response is `Ok`, whatever its status, except a redirect
    /// that isn't followed.
    ///
    /// `send` builds and sends the request again for each address.
    pub(crate) async fn send_with<B, E>(
        &self,
        idempotency: Idempotency,
        method: &Method,
        address: &Url,
        send: impl AsyncFn(&Url) -> Result<http::Response<B>, E>,
    ) -> Result<Response, Error>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
        E: StdError + 'static,
    {
        let mut address = address.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = send(&address).await.map_err(|error| {
                let error = self.transport_error(&address, &error);
                self.emit(Event::Trace(format_args!(
                    "{method} {address} -> {}",
                    error.message()
                )));
                error
            })?;
            self.emit(Event::Trace(format_args!(
                "{method} {address} -> {}",
                response.status()
            )));
            self.client.set_clock(&address, response.headers());
            if let Some(next) = redirect_target(method, &address, &response)? {
                address = next;
                continue;
            }
            let response = self.read(response).await;
            self.record(idempotency, &response);
            return Ok(response);
        }
        Err(Error::new(
            unfollowed_redirect_kind(method),
            format!("{address} redirected more than {MAX_REDIRECTS} times"),
        ))
    }

    /// Sends a request with an optional JSON body, as [`Self::send_with`] does.
    pub(crate) async fn send(
        &self,
        idempotency: Idempotency,
        method: Method,
        address: &Url,
        headers: HeaderMap,
        body: Option<&RawValue>,
    ) -> Result<Response, Error> {
        let client = self.client(idempotency)?;
        self.send_with(idempotency, &method, address, async |address| {
            let mut request = client
                .request(method.clone(), address.clone())
                .headers(headers.clone());
            if let Some(body) = body {
                request = request
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(body.get().to_owned());
            }
            request
                .send()
                .await
                .map(http::Response::<reqwest::Body>::from)
        })
        .await
    }

    /// Reads a body to its end, or up to the limit for its status.
    async fn read<B>(&self, response: http::Response<B>) -> Response
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = response.into_parts();
        let limit = if parts.status.is_success() {
            MAX_BODY
        } else {
            MAX_ERROR_BODY
        };
        let mut body = std::pin::pin!(body);
        let mut bytes = Vec::new();
        let body = loop {
            match body.frame().await {
                None => break ResponseBody::Complete(bytes),
                Some(Err(error)) => {
                    break ResponseBody::Unreadable(innermost(error.into().as_ref()));
                }
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        if bytes.len() + data.len() > limit {
                            break ResponseBody::TooLarge(limit);
                        }
                        bytes.extend_from_slice(data);
                    }
                }
            }
        };
        Response {
            status: parts.status,
            headers: parts.headers,
            body,
            server: self.server,
            limit_messages: self.limit_messages,
        }
    }
}

/// Returns the kind of error for a redirect that isn't followed. A server may redirect after it has acted.
fn unfollowed_redirect_kind(method: &Method) -> ErrorKind {
    if method.is_safe() {
        ErrorKind::Rejected
    } else {
        ErrorKind::Unknown
    }
}

/// Returns the address that a response redirects to, if any, or an error if that redirect isn't allowed.
fn redirect_target<B>(
    method: &Method,
    address: &Url,
    response: &http::Response<B>,
) -> Result<Option<Url>, Error> {
    let status = response.status();
    let same_request = match status {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::GET,
        StatusCode::NOT_MODIFIED => return Ok(None),
        status if status.is_redirection() => false,
        _ => return Ok(None),
    };
    let kind = unfollowed_redirect_kind(method);
    let refused = |why: &str| {
        let status = status.as_u16();
        let message = format!("{address} redirected {why}, which isn't followed ({status})");
        Error::new(kind, message).hint(REDIRECT_HINT)
    };
    let next = response
        .headers()
        .get(header::LOCATION)
        .and_then(|location| location.to_str().ok())
        .filter(|location| location.len() <= MAX_LOCATION)
        .and_then(|location| address.join(location).ok())
        .ok_or_else(|| refused("without a usable address"))?;
    if next.origin() != address.origin() {
        return Err(refused("to another server"));
    }
    if !same_request {
        return Err(refused("in a way that drops what was sent"));
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_redirect_never_panics(parts in arbitrary::response(serde_json::Value::Null), location in arbitrary::text()) {
            let address = Url::parse("https://git.example/api/v4/projects/a%2Fb?x=y").unwrap();
            let Response { status, headers, .. } = parts.response();
            let mut response = http::Response::new(());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            if let Ok(location) = location.parse() {
                response.headers_mut().insert(header::LOCATION, location);
            }
            for method in [Method::GET, Method::POST] {
                let _ = redirect_target(&method, &address, &response);
            }
        }
    }
}
