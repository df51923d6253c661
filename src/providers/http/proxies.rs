//! Which proxy requests go through, and which servers they reach without it. Reading the variables is for `input`.

use std::net::IpAddr;

use url::{Host, Position, Url};

/// The proxy of the environment, and its exemptions.
#[derive(Default)]
pub(crate) struct Proxies {
    proxy: Option<Url>,
    exempt: Vec<Exemption>,
}

/// Servers that are reached without the proxy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exemption {
    pub(crate) hosts: Hosts,
    /// `None`: whatever the port.
    pub(crate) port: Option<u16>,
}

/// Hosts by their names or addresses. A name is never looked up to compare its address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hosts {
    All,
    /// That name, in lower case, and all below it.
    Domain(String),
    /// Addresses that have so many bits in common with this one.
    Network(IpAddr, u32),
}

impl Proxies {
    pub(crate) fn new(proxy: Option<Url>, exempt: Vec<Exemption>) -> Self {
        Self { proxy, exempt }
    }

    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.proxy.is_none()
    }

    /// The proxy that leads to an address. Plain http is for this machine alone: a proxy would see the token, and
    /// would look on its own loopback.
    pub(crate) fn to(&self, address: &Url) -> Option<&Url> {
        let proxy = self.proxy.as_ref()?;
        let is_exempt = self.exempt.iter().any(|exempt| exempt.has(address));
        (address.scheme() == "https" && !is_exempt).then_some(proxy)
    }
}

/// A proxy's host and port, without credentials.
pub(crate) fn shown(proxy: &Url) -> &str {
    &proxy[Position::BeforeHost..Position::AfterPort]
}

impl Exemption {
    fn has(&self, address: &Url) -> bool {
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
                is_in(IpAddr::V4(address), *network, *bits)
            }
            (Hosts::Network(network, bits), Some(Host::Ipv6(address))) => {
                is_in(IpAddr::V6(address), *network, *bits)
            }
            (Hosts::Domain(_) | Hosts::Network(..), _) => false,
        }
    }
}

/// How many bits an address of that kind has.
pub(crate) fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whether the first bits of both are the same, and both are of one kind.
fn is_in(address: IpAddr, network: IpAddr, first: u32) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let differing = number(address) ^ number(network);
    let others = bits(network).saturating_sub(first);
    // A shift by all 128 bits leaves none.
    address.is_ipv4() == network.is_ipv4() && differing.checked_shr(others).unwrap_or(0) == 0
}
