//! Reads the environment variables for proxies and their exemptions. They are read only here, so that a proxy that
//! can't be used is an error and isn't ignored.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::model::Secret;
use crate::providers::http::proxies::{Exemption, Hosts, Proxies, bits};
use crate::values::{Checked, InputError};

/// The first one that is set counts. `HTTP_PROXY` isn't needed, because plain http is only used on loopback.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXEMPT: [&str; 2] = ["NO_PROXY", "no_proxy"];

type EnvironmentVariables = BTreeMap<String, String>;

pub(super) fn read(environment: &EnvironmentVariables) -> Checked<Proxies> {
    let first_set = |names: &[&'static str]| {
        let mut set = names.iter().filter_map(|name| {
            let value = environment.get(*name)?.trim();
            (!value.is_empty()).then_some((*name, value))
        });
        set.next()
    };
    let proxy = first_set(&PROXY)
        .map(|(name, text)| {
            address(text)
                .map_err(|(what, hint)| vec![InputError::for_variable(name, what).hint(hint)])
        })
        .transpose()?;
    let exempt = first_set(&EXEMPT).map_or("", |(_, list)| list);
    let exempt = exempt.split(|of: char| of == ',' || of.is_whitespace());
    Ok(Proxies::new(proxy, exempt.filter_map(exemption).collect()))
}

/// Parses a proxy's address. Errors are what is wrong and how to fix it. They never quote the address, because it may
/// contain a password.
fn address(text: &str) -> Result<Url, (String, &'static str)> {
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&with_scheme).map_err(|_| {
        let what = "isn't a valid proxy URL".to_owned();
        (what, "use `http://host:port`, and percent-encode special characters in the user name or password")
    })?;
    let scheme = url.scheme();
    if !["http", "https"].contains(&scheme) {
        let what = format!("has the scheme `{scheme}`, which isn't supported");
        return Err((
            what,
            "use a proxy that is reached by `http://` or `https://`",
        ));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        let what = "must end with the port".to_owned();
        return Err((
            what,
            "in a user name or password, write `/`, `?` and `#` as `%2F`, `%3F` and `%23`",
        ));
    }
    Ok(url)
}

/// Parses an entry of `NO_PROXY`: `*`, an IP address, a network such as `10.0.0.0/8`, or a name, which includes its
/// subdomains, with or without a leading `.` or `*.`. Names and addresses may have a port. Otherwise `None`.
fn exemption(entry: &str) -> Option<Exemption> {
    if entry == "*" {
        let hosts = Hosts::All;
        return Some(Exemption { hosts, port: None });
    }
    if let Some((address, prefix)) = entry.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let prefix = prefix
            .parse()
            .ok()
            .filter(|prefix| *prefix <= bits(address))?;
        let hosts = Hosts::Network(address, prefix);
        return Some(Exemption { hosts, port: None });
    }
    // Several colons outside brackets: an IPv6 address without a port.
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, Some(port.parse().ok()?))
        }
        _ => (entry, None),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let hosts = if let Ok(address) = bare.parse::<IpAddr>() {
        Hosts::Network(address, bits(address))
    } else {
        let name = host.strip_prefix('*').unwrap_or(host);
        let name = name.trim_start_matches('.').trim_end_matches('.');
        match Host::parse(name).ok()? {
            Host::Domain(name) => Hosts::Domain(name),
            Host::Ipv4(address) => Hosts::Network(address.into(), 32),
            Host::Ipv6(address) => Hosts::Network(address.into(), 128),
        }
    };
    Some(Exemption { hosts, port })
}

/// Returns the secrets in the proxies' addresses, each with the name of its variable: passwords as written, decoded,
/// and in the Basic form of requests. Doesn't parse the address, because it may be invalid. Without a password, the
/// user name is taken as the secret.
pub(crate) fn proxy_secrets(environment: &EnvironmentVariables) -> Vec<(String, Secret)> {
    let is_proxy = |name: &str| {
        ["https_proxy", "http_proxy", "all_proxy"].contains(&name.to_lowercase().as_str())
    };
    let variables = environment.iter().filter(|(name, _)| is_proxy(name));
    variables
        .flat_map(|(name, value)| {
            let secrets = secrets(value.trim());
            secrets
                .into_iter()
                .map(|secret| (name.clone(), Secret::new(secret)))
        })
        .collect()
}

fn secrets(address: &str) -> Vec<String> {
    let authority = address
        .split_once("://")
        .map_or(address, |(_, authority)| authority);
    let Some((account, _)) = authority.rsplit_once('@') else {
        return Vec::new();
    };
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    let secret = if password.is_empty() { user } else { password };
    if secret.is_empty() {
        return Vec::new();
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let basic = BASE64_STANDARD.encode(format!("{}:{}", decoded(user), decoded(password)));
    vec![secret.to_owned(), decoded(secret), basic]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_proxied(exempt: &str, address: &str) -> bool {
        let environment = BTreeMap::from([
            ("HTTPS_PROXY".to_owned(), "proxy.example:3128".to_owned()),
            ("NO_PROXY".to_owned(), exempt.to_owned()),
        ]);
        let proxies = read(&environment).unwrap();
        proxies.to(&Url::parse(address).unwrap()).is_some()
    }

    #[test]
    fn no_proxy_exempts_the_hosts_that_it_names() {
        for (exempt, address, is_exempt) in [
            ("", "https://git.example", false),
            ("*", "https://git.example", true),
            ("*", "https://[::1]", true),
            ("git.example", "https://git.example", true),
            ("git.example", "https://git.example:8443", true),
            ("git.example", "https://api.git.example", true),
            ("git.example", "https://digit.example", false),
            ("git.example", "https://git.example.com", false),
            ("GIT.example", "https://git.EXAMPLE", true),
            ("git.example.", "https://git.example", true),
            ("git.example", "https://git.example.", true),
            (".example", "https://git.example", true),
            (".example", "https://example", true),
            (".example", "https://anexample", false),
            ("*.example", "https://git.example", true),
            ("bücher.example", "https://xn--bcher-kva.example", true),
            ("a.example, git.example", "https://git.example", true),
            ("a.example ,\tgit.example", "https://git.example", true),
            ("a.example git.example", "https://git.example", true),
            (",,git.example,", "https://git.example", true),
            ("git.example:443", "https://git.example", true),
            ("git.example:8443", "https://git.example", false),
            ("git.example:8443", "https://git.example:8443", true),
            ("git.example:port", "https://git.example", false),
            ("10.1.2.3", "https://10.1.2.3", true),
            ("10.1.2.3", "https://10.1.2.4", false),
            ("10.1.2.3:8443", "https://10.1.2.3", false),
            ("10.1.2.3:8443", "https://10.1.2.3:8443", true),
            ("10.1.0.0/16", "https://10.1.2.3", true),
            ("10.1.0.0/16", "https://10.2.0.0", false),
            ("10.1.128.0/17", "https://10.1.127.255", false),
            ("0.0.0.0/0", "https://10.1.2.3", true),
            ("0.0.0.0/0", "https://git.example", false),
            ("0.0.0.0/0", "https://[::1]", false),
            ("10.0.0.0/33", "https://10.0.0.0", false),
            ("::1", "https://[::1]:8443", true),
            ("[::1]", "https://[::1]:8443", true),
            ("[::1]:8443", "https://[::1]:8443", true),
            ("[::1]:8443", "https://[::1]", false),
            ("::/0", "https://[::1]", true),
            ("::/0", "https://10.1.2.3", false),
            ("fd00::/8", "https://[fd12::1]", true),
            ("fd00::/8", "https://[fe80::1]", false),
        ] {
            assert_eq!(
                is_proxied(exempt, address),
                !is_exempt,
                "{exempt:?}: {address}"
            );
        }
    }

    #[test]
    fn plain_http_goes_through_no_proxy() {
        assert!(!is_proxied("", "http://127.0.0.1:8080"));
    }

    #[test]
    fn every_form_of_a_password_is_a_secret() {
        for (address, expected) in [
            ("http://proxy:3128", vec![]),
            ("me:pa%3Ass@proxy", vec!["pa%3Ass", "pa:ss", "bWU6cGE6c3M="]),
            ("http://me:p@ss@proxy", vec!["p@ss", "p@ss", "bWU6cEBzcw=="]),
            ("http://key@proxy", vec!["key", "key", "a2V5Og=="]),
            // Invalid addresses have secrets too.
            (
                "http://me:pa/ss@proxy",
                vec!["pa/ss", "pa/ss", "bWU6cGEvc3M="],
            ),
            (
                "socks5://me:pass@proxy",
                vec!["pass", "pass", "bWU6cGFzcw=="],
            ),
        ] {
            assert_eq!(secrets(address), expected, "{address}");
        }
    }
}
