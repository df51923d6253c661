//! The one HTTP client: timeouts, redirects, caps, and what a failure means. It retries nothing.

mod answer;
mod download;
mod name;

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error as StdError;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::redirect::Policy;
use serde_json::value::RawValue;
use url::{Origin, Url};

pub(crate) use answer::{Answer, Body};
pub(crate) use download::Tail;

use super::error::{Error, Kind, causes};
use super::{Account, Share};
use crate::event::{Event, Sink};

/// For a name's address, the connection and the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For all of a request and its answer. Creating a GitLab pipeline with many includes takes its time,
/// and to give up too early makes an outcome unknown.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Shorter than any server's own, so that no request meets a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
const MOST_REDIRECTS: usize = 5;
/// Largest JSON body that is read, in bytes.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

pub(crate) const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

type BoxError = Box<dyn StdError + Send + Sync>;

/// A client that keeps its connections. Targets share one where they trust the same certificates.
pub(crate) struct Client {
    inner: reqwest::Client,
    /// Which proxy the client uses for what; it reads the same variables.
    proxies: Matcher,
    /// What each server's clock showed at its first answer, and what ours did then: each answer would
    /// tell it a little otherwise.
    clocks: RefCell<HashMap<Origin, (SystemTime, SystemTime)>>,
}

impl Client {
    /// A client that trusts the system's certificates (or those of `SSL_CERT_FILE`) and these. Errors
    /// if there are no certificates at all, or some that cannot be used.
    pub(crate) fn new(certificates: Option<&str>) -> Result<Self, Error> {
        // A second call finds the first one's provider in place, which is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let extra = certificates
            .map(|pem| reqwest::Certificate::from_pem_bundle(pem.as_bytes()))
            .transpose();
        let client = extra.and_then(|extra| {
            let builder = reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .http1_only()
                .user_agent(USER_AGENT)
                .dns_resolver(name::Resolver::default());
            match extra {
                Some(extra) => builder.tls_certs_merge(extra),
                None => builder,
            }
            .build()
        });
        let client = client.map_err(|error| {
            Error::new(
                Kind::Rejected,
                "no HTTP client can be made: the certificates cannot be used",
            )
            .hint("look at `ca-certificates` and at the file that SSL_CERT_FILE names")
            .because(&error)
        })?;
        Ok(Self {
            inner: client,
            proxies: Matcher::from_env(),
            clocks: RefCell::default(),
        })
    }

    /// The client itself, for a library that brings its own requests.
    pub(crate) fn inner(&self) -> &reqwest::Client {
        &self.inner
    }
}

/// A client in the hands of one target, to whom it tells what it does.
pub(crate) struct Http<'a> {
    client: Rc<Client>,
    /// Of the target's API.
    origin: Origin,
    account: Rc<Account>,
    tell: Sink<'a>,
}

impl<'a> Http<'a> {
    pub(crate) fn new(share: &Share<'_>, api: &Url, tell: Sink<'a>) -> Self {
        Self {
            client: Rc::clone(&share.client),
            origin: api.origin(),
            account: Rc::clone(&share.account),
            tell,
        }
    }

    /// What is shared with all who come with the same credential.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    fn client(&self) -> &reqwest::Client {
        self.client.inner()
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        (self.tell)(event);
    }

    /// What the server's clock shows at a time of ours; as long as it has not answered, the same.
    pub(crate) fn at_server(&self, ours: SystemTime) -> SystemTime {
        let clocks = self.client.clocks.borrow();
        let Some((theirs, then)) = clocks.get(&self.origin) else {
            return ours;
        };
        match ours.duration_since(*then) {
            Ok(later) => *theirs + later,
            Err(earlier) => *theirs - earlier.duration(),
        }
    }

    /// An answer tells the server's clock, the first one.
    fn set_clock(&self, address: &Url, headers: &HeaderMap) {
        if let Some(date) = answer::date(headers) {
            let mut clocks = self.client.clocks.borrow_mut();
            let clock = clocks.entry(address.origin());
            clock.or_insert_with(|| (date, SystemTime::now()));
        }
    }

    /// Sends one request, following redirects by our rules: to the same origin alone, at most five,
    /// with a body only where the status says that method and body stay the same. Errors only where
    /// no answer came; what an answer means is for the provider.
    ///
    /// `send` makes and sends the request anew for each address.
    pub(crate) async fn exchange<B, E>(
        &self,
        method: &Method,
        address: &Url,
        send: impl AsyncFn(&Url) -> Result<http::Response<B>, E>,
    ) -> Result<Answer, Error>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
        E: StdError + 'static,
    {
        let mut address = address.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = send(&address).await.map_err(|error| {
                let error = self.failure(&address, &error);
                self.tell(Event::Trace(format!(
                    "{method} {address} -> {}",
                    error.message()
                )));
                error
            })?;
            self.tell(Event::Trace(format!(
                "{method} {address} -> {}",
                response.status()
            )));
            self.set_clock(&address, response.headers());
            match redirect(method, &address, &response)? {
                Some(next) => address = next,
                None => return Ok(read(response).await),
            }
        }
        Err(Error::new(
            Kind::Rejected,
            format!("{address} redirects more than {MOST_REDIRECTS} times"),
        ))
    }

    /// The same with plain requests: JSON in, JSON out.
    pub(crate) async fn plain(
        &self,
        method: Method,
        address: &Url,
        headers: HeaderMap,
        body: Option<&RawValue>,
    ) -> Result<Answer, Error> {
        self.exchange(&method, address, async |address| {
            let mut request = self
                .client()
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

    /// What it means that no answer came.
    fn failure(&self, address: &Url, error: &(dyn StdError + 'static)) -> Error {
        let place = address.authority();
        let is = |what: fn(&reqwest::Error) -> bool| {
            causes(error)
                .filter_map(|cause| cause.downcast_ref())
                .any(what)
        };
        if !is(reqwest::Error::is_connect) {
            let what = if is(reqwest::Error::is_timeout) {
                format!("{place} did not answer within {} s", TIMEOUT.as_secs())
            } else {
                format!(
                    "the connection to {place} broke before an answer came: {}",
                    innermost(error)
                )
            };
            return Error::new(Kind::Unknown, what).because(error);
        }
        if let Some(no_resolver) =
            causes(error).find_map(|cause| cause.downcast_ref::<name::NoResolver>())
        {
            return Error::new(Kind::Rejected, format!("{place} cannot be looked up: {no_resolver}"))
                .hint("that file is the runner's or its container's: it must be readable and name a server; an entry in /etc/hosts does not replace it")
                .because(error);
        }
        let proxy = address
            .as_str()
            .parse()
            .ok()
            .and_then(|uri| self.client.proxies.intercept(&uri));
        let failure = match (tls_failure(error), proxy) {
            (Some(tls), _) => certificate_failure(place, tls),
            (None, Some(proxy)) => {
                let proxy = proxy.uri().authority().map_or("", http::uri::Authority::as_str);
                proxy_failure(place, proxy, error)
            }
            (None, None) => {
                Error::new(Kind::Unreachable, format!("{place} cannot be reached: {}", innermost(error)))
                    .hint("check `server-url` and `repository`; a server inside a private network is reached only from a runner inside it")
            }
        };
        failure.because(error)
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
    // After a 303 the request has been dealt with (RFC 9110, 15.4.4); after the others it has not.
    let kind = if status == StatusCode::SEE_OTHER {
        Kind::Unknown
    } else {
        Kind::Rejected
    };
    let refused = |why: &str| {
        Error::new(kind, format!("{address} answered with a redirect ({}) {why}", status.as_u16())).hint(
            "the credential is not taken anywhere else: set `server-url` and `repository` to where they are now; a login page in between redirects too",
        )
    };
    let next = response
        .headers()
        .get(header::LOCATION)
        .and_then(|location| location.to_str().ok())
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

/// Reads a body to its end or to the cap.
async fn read<B>(response: http::Response<B>) -> Answer
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (parts, body) = response.into_parts();
    let mut body = std::pin::pin!(body);
    let mut bytes = Vec::new();
    let body = loop {
        match body.frame().await {
            None => break Body::Complete(bytes),
            Some(Err(error)) => break Body::Unreadable(innermost(error.into().as_ref())),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    if bytes.len() + data.len() > BODY_LIMIT {
                        break Body::Unreadable(format!("it is larger than {BODY_LIMIT} bytes"));
                    }
                    bytes.extend_from_slice(data);
                }
            }
        }
    };
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

fn tls_failure<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Final: a certificate does not become another one by waiting.
fn certificate_failure(place: &str, tls: &rustls::Error) -> Error {
    let unknown_issuer =
        *tls == rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let hint = if unknown_issuer {
        "where the server, or a proxy in between, has a certificate of your own authority, give that authority's certificate in `ca-certificates`"
    } else if let rustls::Error::InvalidCertificate(_) = tls {
        "the server's certificate must be mended; where another one should have come, look at `server-url` and at the proxy. For an authority of your own there is `ca-certificates`"
    } else {
        "is there a server that speaks https at this address? Look at `server-url`"
    };
    Error::new(
        Kind::Rejected,
        format!("there is no safe connection to {place}: {tls}"),
    )
    .hint(hint)
}

fn proxy_failure(place: &str, proxy: &str, error: &(dyn StdError + 'static)) -> Error {
    // The tunnel's errors are told apart by nothing but their text.
    let tunnel = causes(error)
        .map(ToString::to_string)
        .find(|text| text.contains("tunnel error"));
    match tunnel {
        Some(text) if text.contains("proxy authorization required") => Error::new(
            Kind::Rejected,
            format!("the proxy {proxy} wants a user name and password for {place}"),
        )
        .hint("put them into the URL in HTTPS_PROXY, or exempt the server with NO_PROXY"),
        Some(text) if text.contains("unsuccessful") => Error::new(
            Kind::Rejected,
            format!("the proxy {proxy} refuses to connect to {place}"),
        )
        .hint("let the proxy allow that server, or exempt it with NO_PROXY"),
        _ => Error::new(
            Kind::Unreachable,
            format!(
                "{place} cannot be reached through the proxy {proxy}: {}",
                innermost(error)
            ),
        )
        .hint("check HTTPS_PROXY and NO_PROXY of the runner"),
    }
}

/// What the lowest library said: the others only repeat that something failed.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error)
        .filter(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_none_or(|error| error.get_ref().is_none())
        })
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise;
    use chrono::{DateTime, SecondsFormat, Utc};
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_servers_clock_never_panics() {
        let target = &noise::targets()[0];
        // Up to the end of the year 9999.
        let ours = prop_oneof![
            Just(0),
            0..253_402_300_800_u64,
            1_700_000_000..1_900_000_000_u64
        ];
        noise::with_http(target, |_, http| {
            proptest!(|(headers in noise::headers(), then in &ours, ours in &ours)| {
                http.client.clocks.borrow_mut().clear();
                http.set_clock(&target.server.api, &headers);
                let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
                if let Some((_, clock)) = http.client.clocks.borrow_mut().get_mut(&http.origin) {
                    *clock = at(then);
                }
                // So it is asked for the runs since then.
                let since = DateTime::<Utc>::from(http.at_server(at(ours)) - Duration::from_secs(3));
                let _ = since.to_rfc3339_opts(SecondsFormat::Secs, true);
            });
        });
    }

    proptest! {
        #[test]
        fn a_redirect_never_panics(parts in noise::answer(serde_json::Value::Null), place in noise::text()) {
            let address = Url::parse("https://git.example/api/v4/projects/a%2Fb?x=y").unwrap();
            let Answer { status, headers, .. } = parts.answer();
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
