//! Decides which targets of a step share a quota, an HTTP client and a sign-in.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use url::Url;

use crate::model::Sink;
use crate::providers::any::{AnySession, AnySessions, ProviderKind};
use crate::providers::error::Error;
use crate::providers::http::proxies::Proxies;
use crate::providers::http::{Client, Http, LimitMessage};
use crate::providers::provider::CredentialParts;
use crate::providers::quota::Quota;
use crate::providers::target::Target;

/// A target's quota, HTTP client and session, each of which it may share with other targets.
pub(crate) struct Connection<'a> {
    quota: Rc<Quota>,
    client: Rc<Client>,
    /// The provider's name.
    server: &'static str,
    limit_messages: &'static [LimitMessage],
    pub(crate) session: AnySession<'a>,
}

impl Connection<'_> {
    /// Returns an HTTP client for one target, which reports its requests to `emit`.
    pub(crate) fn http<'sink>(&self, api: &Url, emit: Sink<'sink>) -> Http<'sink> {
        let (client, quota) = (Rc::clone(&self.client), Rc::clone(&self.quota));
        Http::new(client, quota, (self.server, self.limit_messages), api, emit)
    }
}

/// Identifies a server and a credential: targets with equal keys share a [`Quota`].
#[derive(Clone, PartialEq, Eq, Hash)]
struct CredentialKey<'a> {
    provider: ProviderKind,
    api: &'a Url,
    credential: CredentialParts<'a>,
}

impl<'a> CredentialKey<'a> {
    fn of(target: &'a Target) -> Self {
        Self {
            provider: target.provider(),
            api: &target.location.server.api,
            credential: target.spec.credential_parts(&target.location.repository),
        }
    }
}

/// Returns a connection for each target, in order, or an error if its client can't be created.
pub(crate) fn connections<'a>(
    targets: impl IntoIterator<Item = &'a Target>,
    proxies: &Arc<Proxies>,
) -> Vec<Result<Connection<'a>, Error>> {
    let mut clients = HashMap::new();
    let mut quotas = HashMap::new();
    let mut sessions = AnySessions::default();
    let connections = targets.into_iter().map(|target| {
        let certificates = target.location.certificates.as_deref();
        let client = clients
            .entry(certificates)
            .or_insert_with(|| Client::new(certificates, proxies).map(Rc::new))
            .clone()?;
        let key = CredentialKey::of(target);
        let session = sessions.session(
            &target.location,
            &target.spec,
            target.wait.as_ref(),
            &client,
        );
        let interval = target.provider().poll_intervals().per_quota;
        let quota = quotas
            .entry(key)
            .or_insert_with(|| Rc::new(Quota::new(interval)));
        Ok(Connection {
            quota: Rc::clone(quota),
            client,
            server: target.provider().name(),
            limit_messages: target.provider().limit_messages(),
            session,
        })
    });
    connections.collect()
}
