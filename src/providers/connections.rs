//! Which targets of a step share a quota, a client and a sign-in.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use url::Url;

use super::any::{AnySession, ProviderKind, Sessions};
use super::http::proxies::Proxies;
use super::http::{Client, Http};
use super::provider::CredentialParts;
use super::target::Target;
use super::{Error, Quota};

/// What a target has in common with others.
pub(crate) struct Connection<'a> {
    pub(crate) quota: Rc<Quota>,
    pub(crate) client: Rc<Client>,
    pub(super) session: AnySession<'a>,
}

impl Connection<'_> {
    /// Gives back what was made for this step alone; nothing can be asked for afterwards.
    pub(crate) async fn end(&self, target: &Target, http: &Http<'_>) {
        self.session.end(target, http).await;
    }
}

/// A server and a credential.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct CredentialKey<'a> {
    provider: ProviderKind,
    api: &'a Url,
    credential: CredentialParts<'a>,
}

impl<'a> CredentialKey<'a> {
    pub(super) fn of(target: &'a Target) -> Self {
        Self {
            provider: target.provider(),
            api: &target.server.api,
            credential: target.spec.credential_parts(&target.repository),
        }
    }
}

/// Finds out who shares what. Errors where no client can be made.
pub(crate) fn connections<'a>(
    targets: impl IntoIterator<Item = &'a Target>,
    proxies: &Arc<Proxies>,
) -> Vec<Result<Connection<'a>, Error>> {
    let mut clients = HashMap::new();
    let mut quotas = HashMap::new();
    let mut sessions = Sessions::default();
    let connections = targets.into_iter().map(|target| {
        let certificates = target.certificates.as_deref();
        let client = clients
            .entry(certificates)
            .or_insert_with(|| Client::new(certificates, proxies).map(Rc::new))
            .clone()?;
        let key = CredentialKey::of(target);
        let session = sessions.of(target, &key, &client);
        let interval = target.provider().poll_intervals().per_quota;
        let quota = quotas
            .entry(key)
            .or_insert_with(|| Rc::new(Quota::new(interval)));
        Ok(Connection {
            quota: Rc::clone(quota),
            client,
            session,
        })
    });
    connections.collect()
}
