//! GitHub's API with one credential: plain requests, and conditional ones that cost no rate limit if nothing changed.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use chrono::{DateTime, Utc};
use octocrab::{Octocrab, OctocrabBuilder};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use url::Url;

use crate::model::Secret;
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::request::credential_header;
use crate::providers::http::{Client, Http, Response, USER_AGENT};
use crate::providers::quota::Idempotency;
use crate::providers::reading::parse_json;

/// The version of the API that the wire structs are written for.
const API_VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-github-api-version"),
    HeaderValue::from_static("2022-11-28"),
);
const COMMON_HEADERS: [(HeaderName, HeaderValue); 2] = [
    API_VERSION,
    (
        header::ACCEPT,
        HeaderValue::from_static("application/vnd.github+json"),
    ),
];

/// octocrab without a credential, shared by all targets with the same server and certificates: an octocrab client needs
/// as much memory as the requests it's used for.
pub(super) struct OctocrabClients {
    /// Only scheme and host: octocrab would also prepend a path to redirected URLs.
    base: String,
    client: Rc<Client>,
    /// Both are created on first use.
    for_triggers: OnceCell<Octocrab>,
    for_reads: OnceCell<Octocrab>,
}

impl OctocrabClients {
    pub(super) fn new(api: &Url, client: Rc<Client>) -> Self {
        Self {
            base: api.origin().ascii_serialization(),
            client,
            for_triggers: OnceCell::new(),
            for_reads: OnceCell::new(),
        }
    }

    fn get(&self, idempotency: Idempotency) -> Result<&Octocrab, Error> {
        let cell = match idempotency {
            Idempotency::Once => &self.for_triggers,
            Idempotency::Repeatable => &self.for_reads,
        };
        if let Some(octocrab) = cell.get() {
            return Ok(octocrab);
        }
        let client = self.client.inner(idempotency)?;
        let octocrab = OctocrabBuilder::new()
            .base_uri(self.base.as_str())
            .and_then(|builder| builder.build_with_reqwest(client.clone()))
            .map_err(|error| {
                Error::new(ErrorKind::Rejected, "the GitHub client can't be created")
                    .because(&error)
            })?;
        Ok(cell.get_or_init(|| octocrab))
    }
}

/// octocrab with one credential. Every request goes through the caller's [`Http::send_with`].
pub(super) struct Api {
    octocrab: Rc<OctocrabClients>,
    authorization: HeaderValue,
    /// Whether the token's expiry has been checked. GitHub sends it with every response.
    is_expiry_checked: Cell<bool>,
    /// The last value read from each URL, with its `ETag`. Each is only valid for one token.
    cached: RefCell<HashMap<Url, CachedRead>>,
}

/// A request without its URL.
struct ApiRequest<'a> {
    idempotency: Idempotency,
    method: Method,
    body: Option<&'a RawValue>,
    /// The `ETag` of the cached value.
    if_none_match: Option<&'a HeaderValue>,
}

impl ApiRequest<'_> {
    fn new(idempotency: Idempotency, method: Method) -> Self {
        Self {
            idempotency,
            method,
            body: None,
            if_none_match: None,
        }
    }
}

/// An `ETag`, and the value it belongs to.
type CachedRead = (HeaderValue, Rc<dyn Any>);

impl Api {
    pub(super) fn new(octocrab: &Rc<OctocrabClients>, token: &Secret) -> Result<Self, Error> {
        Ok(Self {
            octocrab: Rc::clone(octocrab),
            authorization: credential_header(&format!("Bearer {}", token.expose()))?,
            is_expiry_checked: Cell::default(),
            cached: RefCell::default(),
        })
    }

    pub(super) async fn get(&self, http: &Http<'_>, url: &Url) -> Result<Response, Error> {
        let (response, _) = self.get_with_final_url(http, url).await?;
        Ok(response)
    }

    /// Like [`Self::get`], and also returns the URL that answered, after redirects.
    pub(super) async fn get_with_final_url(
        &self,
        http: &Http<'_>,
        url: &Url,
    ) -> Result<(Response, Url), Error> {
        let request = ApiRequest::new(Idempotency::Repeatable, Method::GET);
        self.exchange(http, request, url).await
    }

    pub(super) async fn delete(&self, http: &Http<'_>, url: &Url) -> Result<Response, Error> {
        let request = ApiRequest::new(Idempotency::Repeatable, Method::DELETE);
        let (response, _) = self.exchange(http, request, url).await?;
        Ok(response)
    }

    pub(super) async fn post(
        &self,
        http: &Http<'_>,
        idempotency: Idempotency,
        url: &Url,
        body: Option<&RawValue>,
    ) -> Result<Response, Error> {
        let request = ApiRequest {
            body,
            ..ApiRequest::new(idempotency, Method::POST)
        };
        let (response, _) = self.exchange(http, request, url).await?;
        Ok(response)
    }

    /// Reads a value, with a conditional request if it was read before. An unchanged value costs no rate limit.
    pub(super) async fn get_cached<T: DeserializeOwned + 'static>(
        &self,
        http: &Http<'_>,
        url: &Url,
        what: &str,
    ) -> Result<Rc<T>, Error> {
        let cached = self.cached.borrow().get(url).cloned();
        let cached = cached.and_then(|(tag, read)| Some((tag, read.downcast::<T>().ok()?)));
        let tag = cached.as_ref().map(|(tag, _)| tag);
        let request = ApiRequest {
            if_none_match: tag,
            ..ApiRequest::new(Idempotency::Repeatable, Method::GET)
        };
        let (response, _) = self.exchange(http, request, url).await?;
        if let Some((_, parsed)) = cached.filter(|_| response.status == StatusCode::NOT_MODIFIED) {
            return Ok(parsed);
        }
        let response = response.check_status(what)?;
        // Copied, because the header shares memory with the whole response and would keep it alive.
        let tag = response.headers.get(header::ETAG);
        let tag = tag.map(|tag| HeaderValue::from_bytes(tag.as_bytes()));
        let read: Rc<T> = Rc::new(parse_json(response, what)?);
        if let Some(Ok(tag)) = tag {
            let tagged = (tag, Rc::clone(&read) as Rc<dyn Any>);
            self.cached.borrow_mut().insert(url.clone(), tagged);
        }
        Ok(read)
    }

    /// Warns once if the token expires soon. Installation tokens, which are renewed, have no such header.
    fn check_expiry(&self, http: &Http<'_>, response: &Response) {
        let expiry = response.header("github-authentication-token-expiration");
        if let Some(expiry) = expiry.and_then(expiry_date)
            && !self.is_expiry_checked.replace(true)
        {
            http.warn_before_expiry(expiry);
        }
    }

    /// Returns the headers for the first request of a download.
    pub(super) fn download_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::from_iter(COMMON_HEADERS);
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers
    }

    async fn exchange(
        &self,
        http: &Http<'_>,
        ApiRequest {
            idempotency,
            method,
            body,
            if_none_match,
        }: ApiRequest<'_>,
        url: &Url,
    ) -> Result<(Response, Url), Error> {
        let octocrab = self.octocrab.get(idempotency)?;
        let final_url = RefCell::new(url.clone());
        let response = http
            .send_with(idempotency, &method, url, async |url| {
                final_url.replace(url.clone());
                let mut request = request::Builder::new()
                    .method(method.clone())
                    .uri(url.as_str())
                    .header(header::AUTHORIZATION, self.authorization.clone())
                    .header(header::USER_AGENT, USER_AGENT);
                if let Some(tag) = if_none_match {
                    request = request.header(header::IF_NONE_MATCH, tag);
                }
                let mut request = octocrab.build_request(request, body)?;
                // Replace the headers that octocrab has set.
                for (name, value) in COMMON_HEADERS {
                    request.headers_mut().insert(name, value);
                }
                octocrab.execute(request).await
            })
            .await?;
        self.check_expiry(http, &response);
        Ok((response, final_url.into_inner()))
    }
}

/// Parses `2026-12-01 09:00:00 UTC`, or a time with an offset such as `+0100`.
fn expiry_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.replace(" UTC", " +0000");
    let time = DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S %z").ok()?;
    Some(time.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_date_has_a_time_zone() {
        let noon = "2026-12-01T12:00:00Z".parse().ok();
        assert_eq!(expiry_date("2026-12-01 12:00:00 UTC"), noon);
        assert_eq!(expiry_date("2026-12-01 13:00:00 +0100"), noon);
        for other in ["", "2026-12-01", "never"] {
            assert_eq!(expiry_date(other), None, "{other}");
        }
    }
}
