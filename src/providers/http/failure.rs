//! Turns transport errors into errors with a kind, a likely cause and a hint.

use std::error::Error as StdError;

use url::Url;

use super::Http;
use super::client::TIMEOUT;
use super::name;
use crate::providers::error::{Error, ErrorKind, causes, innermost};
use crate::providers::http::proxies::host_and_port;

impl Http<'_> {
    pub(super) fn transport_error(&self, address: &Url, error: &(dyn StdError + 'static)) -> Error {
        let host = address.authority();
        let has = |what: fn(&reqwest::Error) -> bool| {
            causes(error)
                .filter_map(|cause| cause.downcast_ref())
                .any(what)
        };
        if !has(reqwest::Error::is_connect) {
            let what = if has(reqwest::Error::is_timeout) {
                format!("{host} did not answer within {} s", TIMEOUT.as_secs())
            } else {
                format!(
                    "the connection to {host} broke before an answer came: {}",
                    innermost(error)
                )
            };
            return Error::new(ErrorKind::Unknown, what).because(error);
        }
        if let Some(no_resolver) =
            causes(error).find_map(|cause| cause.downcast_ref::<name::NoResolver>())
        {
            return Error::new(ErrorKind::Rejected, format!("{host} cannot be looked up: {no_resolver}"))
                .hint("that file is the runner's or its container's: it must be readable and name a server; an entry in /etc/hosts does not replace it")
                .because(error);
        }
        let proxy = self.client.proxies.to(address).map(host_and_port);
        let failure = match (tls_error(error), proxy) {
            // Without a tunnel yet, the TLS handshake that failed is the one with the proxy.
            (Some(tls), Some(proxy)) if tunnel_error(error).is_some() => {
                certificate_error(&format!("the proxy {proxy}"), tls)
            }
            (Some(tls), _) => certificate_error(host, tls),
            (None, Some(proxy)) => proxy_error(host, proxy, error),
            (None, None) => {
                Error::new(ErrorKind::Unreachable, format!("{host} cannot be reached: {}", innermost(error)))
                    .hint("check `server-url` and `repository`; a server inside a private network is reached only from a runner inside it")
            }
        };
        failure.because(error)
    }
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Not retried: a certificate that isn't trusted stays so.
fn certificate_error(host: &str, tls: &rustls::Error) -> Error {
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
        ErrorKind::Rejected,
        format!("there is no safe connection to {host}: {tls}"),
    )
    .hint(hint)
}

/// Finds an error of the proxy tunnel. Only the message identifies it.
fn tunnel_error(error: &(dyn StdError + 'static)) -> Option<String> {
    causes(error)
        .map(ToString::to_string)
        .find(|text| text.contains("tunnel error"))
}

fn proxy_error(host: &str, proxy: &str, error: &(dyn StdError + 'static)) -> Error {
    if causes(error).any(|cause| cause.to_string() == "Invalid Server Name") {
        return Error::new(
            ErrorKind::Rejected,
            format!("{host} cannot be reached through the proxy {proxy}: it is an IPv6 address, which TLS through a proxy does not take"),
        )
        .hint("give the server by its name, or exempt it with NO_PROXY");
    }
    match tunnel_error(error) {
        Some(text) if text.contains("proxy authorization required") => Error::new(
            ErrorKind::Rejected,
            format!("the proxy {proxy} wants a user name and password for {host}"),
        )
        .hint("put them into the URL in HTTPS_PROXY, or exempt the server with NO_PROXY"),
        // The proxy's status isn't known. A 403 would be final, but a 502 or 503 may pass, so it is retried.
        Some(text) if text.contains("unsuccessful") => Error::new(
            ErrorKind::Unreachable,
            format!("the proxy {proxy} refuses to connect to {host}"),
        )
        .hint("let the proxy allow that server, or exempt it with NO_PROXY"),
        _ => Error::new(
            ErrorKind::Unreachable,
            format!(
                "{host} cannot be reached through the proxy {proxy}: {}",
                innermost(error)
            ),
        )
        .hint("check HTTPS_PROXY and NO_PROXY of the runner"),
    }
}
