//! GitHub's API with one credential: plain requests, and looks that cost nothing where nothing changed.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ::http::{HeaderMap, HeaderValue, Method, StatusCode, header, request};
use octocrab::{Octocrab, OctocrabBuilder};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use url::Url;

use crate::provider::http::{Answer, Http, USER_AGENT};
use crate::provider::{Error, Kind, credential_header, judge, unreadable};
use crate::secret::Secret;

/// octocrab with one credential; every request goes through [`Http::exchange`] of whoever makes it.
pub(super) struct Api {
    octocrab: Octocrab,
    token: Secret,
    /// What was read last at each address that was looked at, with the tag by which GitHub knows it. Tags
    /// are good for one token alone.
    looks: RefCell<HashMap<Url, Tagged>>,
}

/// A tag, and what it is of.
type Tagged = (HeaderValue, Rc<dyn Any>);

impl Api {
    pub(super) fn new(api: &Url, token: &Secret, http: &Http<'_>) -> Result<Self, Error> {
        // Only scheme and host: octocrab would put a path in front of redirected addresses too.
        let octocrab = OctocrabBuilder::new()
            .base_uri(api.origin().ascii_serialization())
            .and_then(|builder| {
                builder
                    .personal_token(token.expose())
                    .add_header(header::ACCEPT, "application/vnd.github+json".to_owned())
                    .build_with_reqwest(http.client().clone())
            })
            .map_err(|error| {
                Error::new(Kind::Rejected, "no GitHub client can be made").because(&error)
            })?;
        Ok(Self {
            octocrab,
            token: token.clone(),
            looks: RefCell::default(),
        })
    }

    pub(super) async fn get(&self, http: &Http<'_>, url: &Url) -> Result<Answer, Error> {
        self.exchange(http, Method::GET, url, None, None).await
    }

    pub(super) async fn post(
        &self,
        http: &Http<'_>,
        url: &Url,
        body: &RawValue,
    ) -> Result<Answer, Error> {
        self.exchange(http, Method::POST, url, Some(body), None)
            .await
    }

    /// Reads again what may have been read before: costs nothing of the rate limit where it is the same.
    pub(super) async fn look<T: DeserializeOwned + 'static>(
        &self,
        http: &Http<'_>,
        url: &Url,
        what: &str,
    ) -> Result<Rc<T>, Error> {
        let known = self.looks.borrow().get(url).cloned();
        let known = known.and_then(|(tag, read)| Some((tag, read.downcast::<T>().ok()?)));
        let tag = known.as_ref().map(|(tag, _)| tag);
        let answer = self.exchange(http, Method::GET, url, None, tag).await?;
        if let Some((_, before)) = known.filter(|_| answer.status == StatusCode::NOT_MODIFIED) {
            return Ok(before);
        }
        let answer = judge(answer, what)?;
        let read: Rc<T> = Rc::new(answer.json().map_err(|why| unreadable(what, &why))?);
        if let Some(tag) = answer.headers.get(header::ETAG) {
            let look = (tag.clone(), Rc::clone(&read) as Rc<dyn Any>);
            self.looks.borrow_mut().insert(url.clone(), look);
        }
        Ok(read)
    }

    /// What a download's first request brings along.
    pub(super) fn download_headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", self.token.expose());
        headers.insert(header::AUTHORIZATION, credential_header(&bearer)?);
        Ok(headers)
    }

    async fn exchange(
        &self,
        http: &Http<'_>,
        method: Method,
        url: &Url,
        body: Option<&RawValue>,
        unless: Option<&HeaderValue>,
    ) -> Result<Answer, Error> {
        http.exchange(&method, url, async |url| {
            let mut request = request::Builder::new()
                .method(method.clone())
                .uri(url.as_str())
                .header(header::USER_AGENT, USER_AGENT);
            if let Some(tag) = unless {
                request = request.header(header::IF_NONE_MATCH, tag);
            }
            self.octocrab
                .execute(self.octocrab.build_request(request, body)?)
                .await
        })
        .await
    }
}
