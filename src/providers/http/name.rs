//! Name resolution with `/etc/hosts` and the servers in `/etc/resolv.conf`, because a static binary has no system
//! resolver. Only for Linux: on other systems the binary isn't static, and uses the system's.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

const NO_ADDRESS: &str = "DNS has no address for this name";

/// Queries only the servers that the system configures: lookups fail if `/etc/resolv.conf` can't be read.
#[derive(Clone, Default)]
pub(super) struct Resolver(Arc<OnceLock<TokioResolver>>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let fail = |source: Box<dyn StdError + Send + Sync>| Unresolved {
                name: name.as_str().to_owned(),
                source,
            };
            let resolver = this.resolver().map_err(fail)?;
            let found = resolver.lookup_ip(name.as_str()).await;
            let found = found.map_err(|error| {
                fail(if error.is_no_records_found() {
                    // The library's message is a dump of its query.
                    NO_ADDRESS.into()
                } else {
                    Box::new(error)
                })
            })?;
            let addresses: Vec<_> = found
                .iter()
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Resolver {
    fn resolver(&self) -> Result<&TokioResolver, Box<dyn StdError + Send + Sync>> {
        if let Some(resolver) = self.0.get() {
            return Ok(resolver);
        }
        let mut builder =
            TokioResolver::builder_tokio().map_err(|error| NoResolver(Box::new(error)))?;
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
        let resolver = builder.build()?;
        Ok(self.0.get_or_init(|| resolver))
    }
}

/// `/etc/resolv.conf` can't be used. A retry won't help.
#[derive(Debug)]
pub(super) struct NoResolver(Box<dyn StdError + Send + Sync>);

impl fmt::Display for NoResolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/etc/resolv.conf can't be used: {}", self.0)
    }
}

impl StdError for NoResolver {}

#[derive(Debug)]
pub(super) struct Unresolved {
    name: String,
    source: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "could not resolve {}", self.name)
    }
}

impl StdError for Unresolved {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}
