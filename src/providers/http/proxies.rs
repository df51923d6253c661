//! Which requests go through the proxy. `input` reads the environment variables.

use std::net::IpAddr;

use url::{Host, Position, Url};

/// The proxy from the environment, and the servers that bypass it.
#[derive(Default)]
pub(crate) struct Proxies {
    proxy: Option<Url>,
    exempt: Vec<Exemption>,
}

/// Servers that bypass the proxy, from an entry of `NO_PROXY`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exemption {
    pub(crate) hosts: Hosts,
    /// `None` matches any port.
    pub(crate) port: Option<u16>,
}

/// Hosts by name or address. A name is never resolved to compare its address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hosts {
    All,
    /// This domain, in lower case, and all of its subdomains.
    Domain(String),
    /// A network address and the length of its prefix, in bits.
    Network(IpAddr, u32),
}

impl Proxies {
    pub(crate) fn new(proxy: Option<Url>, exempt: Vec<Exemption>) -> Self {
        Self { proxy, exempt }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.proxy.is_none()
    }

    /// Returns the proxy for an address, if any. Plain http is only used on this machine and never proxied: a proxy
    /// would see the token, and would connect to its own loopback.
    pub(crate) fn to(&self, address: &Url) -> Option<&Url> {
        let proxy = self.proxy.as_ref()?;
        let is_exempt = self.exempt.iter().any(|exempt| exempt.matches(address));
        (address.scheme() == "https" && !is_exempt).then_some(proxy)
    }
}

/// Returns a proxy's host and port, without its credentials.
pub(crate) fn host_and_port(proxy: &Url) -> &str {
    &proxy[Position::BeforeHost..Position::AfterPort]
}

impl Exemption {
    fn matches(&self, address: &Url) -> bool {
        let port = address.port_or_known_default();
        if self.port.is_some() && self.port != port {
            return false;
        }
        match (&self.hosts, address.host()) {
            (Hosts::All, _) => true,
            (Hosts::Domain(domain), Some(Host::Domain(name))) => {
                let name = name.trim_end_matches('.');
                let above = name.strip_suffix(domain.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Hosts::Network(network, bits), Some(Host::Ipv4(address))) => {
                is_in_network(IpAddr::V4(address), *network, *bits)
            }
            (Hosts::Network(network, bits), Some(Host::Ipv6(address))) => {
                is_in_network(IpAddr::V6(address), *network, *bits)
            }
            (Hosts::Domain(_) | Hosts::Network(..), _) => false,
        }
    }
}

/// Returns the number of bits in an address of that family.
pub(crate) fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whether the address and the network are of the same family and have the first bits in common.
fn is_in_network(address: IpAddr, network: IpAddr, prefix: u32) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let differing = number(address) ^ number(network);
    let host_bits = bits(network).saturating_sub(prefix);
    // `checked_shr` returns `None` for a shift by all 128 bits.
    address.is_ipv4() == network.is_ipv4() && differing.checked_shr(host_bits).unwrap_or(0) == 0
}
