//! Turns transport errors into errors with a kind, a likely cause and a hint.

use std::error::Error as StdError;
use std::io;
use std::net::IpAddr;

use url::Url;

use super::Http;
use super::client::TIMEOUT;
#[cfg(target_os = "linux")]
use super::name;
use crate::providers::error::{Error, ErrorKind, causes, innermost};
use crate::providers::http::proxies::host_and_port;

#[cfg(target_os = "linux")]
const NO_RESOLVER_HINT: &str = "make sure that this file of the runner, or of its container, is readable and names a DNS server. An entry in /etc/hosts can't replace it";
const UNREACHABLE_HINT: &str = "check `server-url` and `repository`. A server in a private network can only be reached by a runner in that network";
const SHORT_NAME_HINT: &str = "check `server-url`. A name without a dot only works if the runner's network or its /etc/hosts knows it; otherwise use the full name, like `git.example.com`";
const UNKNOWN_ISSUER_HINT: &str = "if the server, or a proxy in between, has a certificate of a private CA, set `ca-certificates` to the CA's certificate. If you did, the variable or secret in it is empty";
const OTHER_ISSUER_HINT: &str = "if the server, or a proxy in between, has a certificate of a private CA, add the CA's certificate to `ca-certificates`, which doesn't contain it";
const INVALID_CERTIFICATE_HINT: &str = "fix the server's certificate. If you expected a different certificate, check `server-url` and the proxy; for a private CA, set `ca-certificates`";
const LOOPBACK_PROXY_HINT: &str = "use an address of the proxy that containers can reach, such as the runner's IP address: in the action's container, 127.0.0.1 and localhost are the container itself";

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
                    "the connection to {host} broke before a response arrived: {}",
                    innermost(error)
                )
            };
            return Error::new(ErrorKind::Unknown, what).because(error);
        }
        #[cfg(target_os = "linux")]
        if let Some(no_resolver) =
            causes(error).find_map(|cause| cause.downcast_ref::<name::NoResolver>())
        {
            let message = format!("{host} can't be looked up: {no_resolver}");
            return Error::new(ErrorKind::Rejected, message)
                .hint(NO_RESOLVER_HINT)
                .because(error);
        }
        let proxy = self.client.proxies.to(address).map(host_and_port);
        let certificate_error =
            |host: &str, tls| certificate_error(host, tls, self.client.trusts_given_certificates);
        let failure = match (tls_error(error), proxy) {
            // Without a tunnel yet, the TLS handshake that failed is the one with the proxy.
            (Some(tls), Some(proxy)) if tunnel_error(error).is_some() => {
                certificate_error(&format!("the proxy {proxy}"), tls)
            }
            (Some(tls), _) => certificate_error(host, tls),
            (None, Some(proxy)) => proxy_error(host, proxy, error),
            (None, None) => {
                let message = format!("{host} can't be reached: {}", innermost(error));
                let hint = if is_short_name(address) {
                    SHORT_NAME_HINT
                } else {
                    UNREACHABLE_HINT
                };
                Error::new(ErrorKind::Unreachable, message).hint(hint)
            }
        };
        failure.because(error)
    }
}

/// Whether the host is a name without a domain, such as `gitlab`.
fn is_short_name(address: &Url) -> bool {
    let name = address.domain().unwrap_or(".");
    name != "localhost" && !name.contains('.')
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Not retried: a certificate that isn't trusted stays so. `has_given` says whether `ca-certificates` is set.
fn certificate_error(host: &str, tls: &rustls::Error, has_given: bool) -> Error {
    let unknown_issuer =
        *tls == rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let hint = if unknown_issuer && has_given {
        OTHER_ISSUER_HINT
    } else if unknown_issuer {
        UNKNOWN_ISSUER_HINT
    } else if let rustls::Error::InvalidCertificate(_) = tls {
        INVALID_CERTIFICATE_HINT
    } else {
        "check that the server speaks https at this address, and check `server-url`"
    };
    let message = format!("TLS handshake with {host} failed: {tls}");
    Error::new(ErrorKind::Rejected, message).hint(hint)
}

/// Finds an error of the proxy tunnel. Only the message identifies it.
fn tunnel_error(error: &(dyn StdError + 'static)) -> Option<String> {
    causes(error)
        .map(ToString::to_string)
        .find(|text| text.contains("tunnel error"))
}

/// Whether a proxy, given as host and port, is on this machine. Inside a container that's the container.
fn is_loopback(proxy: &str) -> bool {
    let host = proxy.rsplit_once(':').map_or(proxy, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

fn proxy_error(host: &str, proxy: &str, error: &(dyn StdError + 'static)) -> Error {
    if causes(error).any(|cause| cause.to_string() == "Invalid Server Name") {
        return Error::new(
            ErrorKind::Rejected,
            format!("{host} can't be reached through the proxy {proxy}: TLS through a proxy doesn't support IPv6 addresses"),
        )
        .hint("use the server's name, or bypass the proxy with `NO_PROXY`");
    }
    match tunnel_error(error) {
        Some(text) if text.contains("proxy authorization required") => Error::new(
            ErrorKind::Rejected,
            format!("the proxy {proxy} requires authentication for {host}"),
        )
        .hint("put user name and password into the URL in `HTTPS_PROXY`, or bypass the proxy with `NO_PROXY`"),
        // The proxy's status isn't known. A 403 would be final, but a 502 or 503 may pass, so it is retried.
        Some(text) if text.contains("unsuccessful") => Error::new(
            ErrorKind::Unreachable,
            format!("the proxy {proxy} refused to connect to {host}"),
        )
        .hint("allow that server in the proxy, or bypass the proxy with `NO_PROXY`"),
        _ => {
            let why = innermost(error);
            let message = format!("{host} can't be reached through the proxy {proxy}: {why}");
            let is_refused = causes(error)
                .filter_map(|cause| cause.downcast_ref::<io::Error>())
                .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused);
            let hint = if is_refused && is_loopback(proxy) {
                LOOPBACK_PROXY_HINT
            } else {
                "check the runner's `HTTPS_PROXY` and `NO_PROXY`"
            };
            Error::new(ErrorKind::Unreachable, message).hint(hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_domain_is_recognised() {
        for (address, expected) in [
            ("https://gitlab/x", true),
            ("https://gitlab:8443", true),
            ("https://git.example.com", false),
            ("http://localhost:3000", false),
            ("https://10.0.0.1", false),
            ("https://[fd00::10]:8443", false),
        ] {
            let address = Url::parse(address).unwrap();
            assert_eq!(is_short_name(&address), expected, "{address}");
        }
    }

    #[test]
    fn a_proxy_on_the_loopback_is_recognised() {
        for (proxy, expected) in [
            ("127.0.0.1:3128", true),
            ("127.0.0.1", true),
            ("localhost:3128", true),
            ("[::1]:3128", true),
            ("10.0.0.1:3128", false),
            ("[fd00::10]:3128", false),
            ("proxy.example.com", false),
            ("localhost.example.com:1", false),
        ] {
            assert_eq!(is_loopback(proxy), expected, "{proxy}");
        }
    }
}
