//! The reqwest clients: timeouts, TLS and proxies. Also records the clock of each server.

mod roots;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use tokio::time::Instant;
use url::{Origin, Url};

#[cfg(target_os = "linux")]
use super::name::Resolver;
use super::response;
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::proxies::Proxies;
use crate::providers::quota::Idempotency;

/// DNS lookup, TCP connect and TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From the start of a request to the end of its response. Creating a GitLab pipeline with many includes is slow, and
/// giving up too early makes an outcome unknown.
pub(super) const TIMEOUT: Duration = Duration::from_mins(1);
/// Shorter than any server's timeout, so that no request is sent on a connection that the server is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Triggers use their own connections and reuse one only right after another trigger. A server may close an idle
/// connection at any moment, and then nobody would know whether the trigger arrived.
const TRIGGER_IDLE_TIMEOUT: Duration = Duration::from_millis(200);

pub(crate) const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Pooled connections, with separate ones for triggers. Targets that trust the same certificates share a client.
pub(crate) struct Client {
    triggers: reqwest::Client,
    /// Created on first use: many steps send nothing but a trigger.
    reads: OnceCell<reqwest::Client>,
    /// Shared by both, so that each can resume the other's TLS sessions.
    tls: ClientConfig,
    pub(super) proxies: Arc<Proxies>,
    /// Whether it trusts more than the public CAs, by `ca-certificates`.
    pub(super) trusts_given_certificates: bool,
    /// The `Date` of each server's first response, and when it arrived. Later responses would give slightly different
    /// times. `Instant` is monotonic, so setting the local clock has no effect.
    clocks: RefCell<HashMap<Origin, (SystemTime, Instant)>>,
}

impl Client {
    /// Creates a client that trusts the public CAs (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`) and `certificates`,
    /// and uses only these proxies. Fails if a source of certificates can't be used.
    pub(crate) fn new(certificates: Option<&str>, proxies: &Arc<Proxies>) -> Result<Self, Error> {
        let mut tls = ClientConfig::builder()
            .with_root_certificates(roots::roots(certificates)?)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            triggers: build_client(&tls, proxies, TRIGGER_IDLE_TIMEOUT)?,
            reads: OnceCell::new(),
            tls,
            proxies: Arc::clone(proxies),
            trusts_given_certificates: certificates.is_some(),
            clocks: RefCell::default(),
        })
    }

    /// Returns the reqwest client for requests of that kind. octocrab is built on it.
    pub(crate) fn inner(&self, idempotency: Idempotency) -> Result<&reqwest::Client, Error> {
        match (idempotency, self.reads.get()) {
            (Idempotency::Once, _) => Ok(&self.triggers),
            (Idempotency::Repeatable, Some(reads)) => Ok(reads),
            (Idempotency::Repeatable, None) => {
                let reads = build_client(&self.tls, &self.proxies, IDLE_TIMEOUT)?;
                Ok(self.reads.get_or_init(|| reads))
            }
        }
    }

    /// Converts a moment to a server's time. Until a response has shown that, uses the local clock.
    pub(super) fn at_server(&self, server: &Origin, moment: Instant) -> SystemTime {
        let known = self.clocks.borrow().get(server).copied();
        let (date, received) = known.unwrap_or_else(|| (SystemTime::now(), Instant::now()));
        match moment.checked_duration_since(received) {
            Some(elapsed) => date + elapsed,
            None => date - received.duration_since(moment),
        }
    }

    pub(super) fn knows_clock(&self, server: &Origin) -> bool {
        self.clocks.borrow().contains_key(server)
    }

    /// Records the server's clock from its first response.
    pub(super) fn set_clock(&self, address: &Url, headers: &HeaderMap) {
        if let Some(date) = response::date_header(headers) {
            let mut clocks = self.clocks.borrow_mut();
            let clock = clocks.entry(address.origin());
            clock.or_insert_with(|| (date, Instant::now()));
        }
    }
}

fn build_client(
    tls: &ClientConfig,
    proxies: &Arc<Proxies>,
    idle_timeout: Duration,
) -> Result<reqwest::Client, Error> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .pool_idle_timeout(idle_timeout)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .http1_only()
        .user_agent(USER_AGENT);
    #[cfg(target_os = "linux")]
    let builder = builder.dns_resolver(Resolver::default());
    with_proxies(proxies, builder).build().map_err(|error| {
        Error::new(ErrorKind::Rejected, "the HTTP client can't be created")
            .hint("report this as a bug in the action")
            .because(&error)
    })
}

/// Sets the proxies explicitly. By default reqwest reads the environment, and ignores a proxy that isn't valid.
fn with_proxies(proxies: &Arc<Proxies>, builder: ClientBuilder) -> ClientBuilder {
    if proxies.is_empty() {
        return builder.no_proxy();
    }
    let proxies = Arc::clone(proxies);
    builder.proxy(reqwest::Proxy::custom(move |address| {
        proxies.to(address).cloned()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use chrono::{DateTime, SecondsFormat, Utc};
    use proptest::prelude::*;

    /// From an hour ago to an hour from now, as moments of the monotonic clock.
    #[test]
    fn a_servers_clock_never_panics() {
        let target = &arbitrary::targets()[0];
        let hour = Duration::from_hours(1);
        arbitrary::with_http(target, |http| {
            proptest!(|(headers in arbitrary::headers(), seconds in 0..7_200_u64)| {
                http.client.clocks.borrow_mut().clear();
                http.client.set_clock(&target.location.server.api, &headers);
                let moment = Instant::now() + Duration::from_secs(seconds);
                let moment = moment.checked_sub(hour).unwrap_or(moment);
                // The form in which a list of runs is requested.
                let since = DateTime::<Utc>::from(http.at_server(moment) - Duration::from_secs(3));
                let _ = since.to_rfc3339_opts(SecondsFormat::Secs, true);
            });
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_servers_clock_keeps_running() {
        let proxies = Arc::new(Proxies::default());
        let client = Client::new(None, &proxies).ok().unwrap();
        let address = Url::parse("https://git.example").unwrap();
        let date = "Sun, 22 Nov 2026 12:00:00 GMT";
        let headers = HeaderMap::from_iter([(http::header::DATE, date.parse().unwrap())]);
        let start = Instant::now();
        client.set_clock(&address, &headers);
        let noon = httpdate::parse_http_date(date).unwrap();
        let minute = Duration::from_mins(1);
        let at = |moment| client.at_server(&address.origin(), moment);
        assert_eq!(at(start + minute), noon + minute);
        tokio::time::advance(2 * minute).await;
        assert_eq!(at(start), noon);
        assert_eq!(at(Instant::now()), noon + 2 * minute);
    }
}
