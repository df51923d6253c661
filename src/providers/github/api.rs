//! GitHub's API with one credential: plain requests, and looks that cost nothing where nothing changed.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use octocrab::{Octocrab, OctocrabBuilder};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use url::Url;

use crate::model::Secret;
use crate::providers::error::{Error, Kind};
use crate::providers::http::request::credential_header;
use crate::providers::http::{Client, Http, Response, USER_AGENT};
use crate::providers::quota::Idempotency;
use crate::providers::reading::parse;

/// The version of the API that the wire structs are written for.
const API_VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-github-api-version"),
    HeaderValue::from_static("2022-11-28"),
);
const OUR_HEADERS: [(HeaderName, HeaderValue); 2] = [
    API_VERSION,
    (
        header::ACCEPT,
        HeaderValue::from_static("application/vnd.github+json"),
    ),
];

/// octocrab without a credential, for all who come with the same certificates to the same server: each of its
/// clients takes as much memory as what it is used for.
pub(super) struct Library {
    /// Scheme and host alone: octocrab would put a path in front of redirected addresses too.
    base: String,
    client: Rc<Client>,
    /// Made when they are needed first.
    for_triggers: OnceCell<Octocrab>,
    for_reads: OnceCell<Octocrab>,
}

impl Library {
    pub(super) fn new(api: &Url, client: Rc<Client>) -> Self {
        Self {
            base: api.origin().ascii_serialization(),
            client,
            for_triggers: OnceCell::new(),
            for_reads: OnceCell::new(),
        }
    }

    fn octocrab(&self, idempotency: Idempotency) -> Result<&Octocrab, Error> {
        let made = match idempotency {
            Idempotency::Once => &self.for_triggers,
            Idempotency::Repeatable => &self.for_reads,
        };
        if let Some(octocrab) = made.get() {
            return Ok(octocrab);
        }
        let client = self.client.inner(idempotency)?;
        let octocrab = OctocrabBuilder::new()
            .base_uri(self.base.as_str())
            .and_then(|builder| builder.build_with_reqwest(client.clone()))
            .map_err(|error| {
                Error::new(Kind::Rejected, "no GitHub client can be made").because(&error)
            })?;
        Ok(made.get_or_init(|| octocrab))
    }
}

/// octocrab with one credential; every request goes through [`Http::exchange`] of whoever makes it.
pub(super) struct Api {
    library: Rc<Library>,
    bearer: HeaderValue,
    /// What was read last at each address that was looked at, with the tag by which GitHub knows it. Tags
    /// are good for one token alone.
    cached: RefCell<HashMap<Url, Tagged>>,
}

/// A request without its address.
struct ApiRequest<'a> {
    idempotency: Idempotency,
    method: Method,
    body: Option<&'a RawValue>,
    /// The tag of what need not be sent again.
    unless: Option<&'a HeaderValue>,
}

impl ApiRequest<'_> {
    fn of(idempotency: Idempotency, method: Method) -> Self {
        Self {
            idempotency,
            method,
            body: None,
            unless: None,
        }
    }
}

/// A tag, and what it is of.
type Tagged = (HeaderValue, Rc<dyn Any>);

impl Api {
    pub(super) fn new(library: &Rc<Library>, token: &Secret) -> Result<Self, Error> {
        Ok(Self {
            library: Rc::clone(library),
            bearer: credential_header(&format!("Bearer {}", token.expose()))?,
            cached: RefCell::default(),
        })
    }

    pub(super) async fn get(&self, http: &Http<'_>, url: &Url) -> Result<Response, Error> {
        let (response, _) = self.get_at(http, url).await?;
        Ok(response)
    }

    /// The same with the address that answered, which redirects may have led to.
    pub(super) async fn get_at(
        &self,
        http: &Http<'_>,
        url: &Url,
    ) -> Result<(Response, Url), Error> {
        let request = ApiRequest::of(Idempotency::Repeatable, Method::GET);
        self.exchange(http, request, url).await
    }

    pub(super) async fn delete(&self, http: &Http<'_>, url: &Url) -> Result<Response, Error> {
        let request = ApiRequest::of(Idempotency::Repeatable, Method::DELETE);
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
            ..ApiRequest::of(idempotency, Method::POST)
        };
        let (response, _) = self.exchange(http, request, url).await?;
        Ok(response)
    }

    /// Reads again what may have been read before: costs nothing of the rate limit where it is the same.
    pub(super) async fn get_cached<T: DeserializeOwned + 'static>(
        &self,
        http: &Http<'_>,
        url: &Url,
        what: &str,
    ) -> Result<Rc<T>, Error> {
        let known = self.cached.borrow().get(url).cloned();
        let known = known.and_then(|(tag, read)| Some((tag, read.downcast::<T>().ok()?)));
        let tag = known.as_ref().map(|(tag, _)| tag);
        let request = ApiRequest {
            unless: tag,
            ..ApiRequest::of(Idempotency::Repeatable, Method::GET)
        };
        let (response, _) = self.exchange(http, request, url).await?;
        if let Some((_, before)) = known.filter(|_| response.status == StatusCode::NOT_MODIFIED) {
            return Ok(before);
        }
        let response = response.check_status(what)?;
        // A copy: the header is a part of all that was received with it, and would keep that in memory.
        let tag = response.headers.get(header::ETAG);
        let tag = tag.map(|tag| HeaderValue::from_bytes(tag.as_bytes()));
        let read: Rc<T> = Rc::new(parse(response, what)?);
        if let Some(Ok(tag)) = tag {
            let tagged = (tag, Rc::clone(&read) as Rc<dyn Any>);
            self.cached.borrow_mut().insert(url.clone(), tagged);
        }
        Ok(read)
    }

    /// What a download's first request brings along.
    pub(super) fn download_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::from_iter(OUR_HEADERS);
        headers.insert(header::AUTHORIZATION, self.bearer.clone());
        headers
    }

    async fn exchange(
        &self,
        http: &Http<'_>,
        ApiRequest {
            idempotency,
            method,
            body,
            unless,
        }: ApiRequest<'_>,
        url: &Url,
    ) -> Result<(Response, Url), Error> {
        let octocrab = self.library.octocrab(idempotency)?;
        let last = RefCell::new(url.clone());
        let response = http
            .exchange(idempotency, &method, url, async |url| {
                last.replace(url.clone());
                let mut request = request::Builder::new()
                    .method(method.clone())
                    .uri(url.as_str())
                    .header(header::AUTHORIZATION, self.bearer.clone())
                    .header(header::USER_AGENT, USER_AGENT);
                if let Some(tag) = unless {
                    request = request.header(header::IF_NONE_MATCH, tag);
                }
                let mut request = octocrab.build_request(request, body)?;
                // In place of whatever the library has put there.
                for (name, value) in OUR_HEADERS {
                    request.headers_mut().insert(name, value);
                }
                octocrab.execute(request).await
            })
            .await?;
        Ok((response, last.into_inner()))
    }
}
