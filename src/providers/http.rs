//! The one HTTP client: timeouts, redirects, caps, and what a failure means. It retries nothing.

mod client;
mod download;
mod failure;
mod name;
pub(crate) mod proxies;
pub(super) mod request;
pub(super) mod response;

use std::error::Error as StdError;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::value::RawValue;
use tokio::time::Instant;
use url::{Origin, Url};

pub(crate) use client::{Client, USER_AGENT};
pub(crate) use download::LogTail;
pub(crate) use response::{LimitMessage, Response, ResponseBody};

use crate::model::{Event, Sink};
use crate::providers::error::{Error, Kind, innermost};
use crate::providers::quota::{Idempotency, Quota};

const MAX_REDIRECTS: usize = 5;
/// Largest JSON body that is read, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Most that is read of an answer that is no success, in bytes: of that only an explanation is shown.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Longest address that a redirect may lead to, in bytes: it is shown in messages.
const MAX_LOCATION: usize = 2_000;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A client in the hands of one target, to whom it tells what it does.
pub(crate) struct Http<'a> {
    client: Rc<Client>,
    /// Of the target's API.
    origin: Origin,
    quota: Rc<Quota>,
    limit_messages: &'static [LimitMessage],
    emit: Sink<'a>,
}

impl<'a> Http<'a> {
    pub(super) fn new(
        client: Rc<Client>,
        quota: Rc<Quota>,
        limit_messages: &'static [LimitMessage],
        api: &Url,
        emit: Sink<'a>,
    ) -> Self {
        Self {
            client,
            origin: api.origin(),
            quota,
            limit_messages,
            emit,
        }
    }

    /// What is shared with all who come with the same credential.
    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }

    /// The same in the name of another credential, which has rate limits of its own.
    pub(super) fn with_own_quota(&self) -> Self {
        Self {
            client: Rc::clone(&self.client),
            origin: self.origin.clone(),
            quota: Rc::new(Quota::new(Duration::ZERO)),
            limit_messages: self.limit_messages,
            emit: self.emit,
        }
    }

    /// Every response to a request with the credential comes by here, so that one rate limit holds for all.
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

    /// Where its events go.
    pub(crate) fn emitter(&self) -> Sink<'a> {
        self.emit
    }

    /// A repository's default branch, read by the first of the account that needs it, and told to each.
    pub(super) async fn default_branch(
        &self,
        repository: &str,
        read: impl AsyncFnOnce() -> Result<String, Error>,
    ) -> Result<String, Error> {
        let branch = self.quota().branches.get_or_read(repository, read).await?;
        self.emit(Event::DefaultReference(&branch));
        Ok(branch)
    }

    /// Whether the server has told what its clock shows.
    pub(crate) fn knows_clock(&self) -> bool {
        self.client.knows_clock(&self.origin)
    }

    /// What the server's clock showed at a moment; until it has answered, what ours did.
    pub(crate) fn at_server(&self, moment: Instant) -> SystemTime {
        self.client.at_server(&self.origin, moment)
    }

    /// Sends one request, following redirects by our rules: to the same origin alone, at most five,
    /// with a body only where the status says that method and body stay the same. Errors only where
    /// no answer came; what an answer means is for the provider.
    ///
    /// `send` makes and sends the request anew for each address.
    pub(crate) async fn exchange<B, E>(
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
                let error = self.failure(&address, &error);
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
            if let Some(next) = redirect(method, &address, &response)? {
                address = next;
                continue;
            }
            let response = self.read(response).await;
            self.record(idempotency, &response);
            return Ok(response);
        }
        Err(Error::new(
            unfollowed(method),
            format!("{address} redirects more than {MAX_REDIRECTS} times"),
        ))
    }

    /// The same with plain requests: JSON in, JSON out.
    pub(crate) async fn plain(
        &self,
        idempotency: Idempotency,
        method: Method,
        address: &Url,
        headers: HeaderMap,
        body: Option<&RawValue>,
    ) -> Result<Response, Error> {
        let client = self.client(idempotency)?;
        self.exchange(idempotency, &method, address, async |address| {
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

    /// Reads a body to its end or to the cap.
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
            limit_messages: self.limit_messages,
        }
    }
}

/// What a redirect means that isn't followed: servers answer with one after they have acted, too.
fn unfollowed(method: &Method) -> Kind {
    if method.is_safe() {
        Kind::Rejected
    } else {
        Kind::Unknown
    }
}

/// Where a response sends us on, if it does. Errors where it may not.
fn redirect<B>(
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
    let kind = unfollowed(method);
    let refused = |why: &str| {
        Error::new(kind, format!("{address} answered with a redirect ({}) {why}", status.as_u16())).hint(
            "the credential is not taken anywhere else: set `server-url` and `repository` to where they are now; a login page in between redirects too",
        )
    };
    let next = response
        .headers()
        .get(header::LOCATION)
        .and_then(|location| location.to_str().ok())
        .filter(|location| location.len() <= MAX_LOCATION)
        .and_then(|location| address.join(location).ok())
        .ok_or_else(|| refused("to nowhere"))?;
    if next.origin() != address.origin() {
        return Err(refused("to another server"));
    }
    if !same_request {
        return Err(refused("that would drop what was sent"));
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
        fn a_redirect_never_panics(parts in arbitrary::response(serde_json::Value::Null), place in arbitrary::text()) {
            let address = Url::parse("https://git.example/api/v4/projects/a%2Fb?x=y").unwrap();
            let Response { status, headers, .. } = parts.response();
            let mut response = http::Response::new(());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            if let Ok(place) = place.parse() {
                response.headers_mut().insert(header::LOCATION, place);
            }
            for method in [Method::GET, Method::POST] {
                let _ = redirect(&method, &address, &response);
            }
        }
    }
}
