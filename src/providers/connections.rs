//! Which targets of a step share an account, a client and a sign-in.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use url::Url;

use super::github::{Library, Session, permissions};
use super::http::{Client, Http};
use super::{Error, PollIntervals, Quota};
use crate::providers::http::proxies::Proxies;
use crate::providers::target::{
    BitbucketCredential, GitHubCredential, GitLabCredential, PrivateKey, ProviderKind, Spec, Target,
};

/// What a target has in common with others.
pub(crate) struct Connection<'a> {
    pub(crate) quota: Rc<Quota>,
    pub(crate) client: Rc<Client>,
    /// GitHub's.
    pub(super) session: Option<Rc<Session<'a>>>,
}

impl Connection<'_> {
    /// Gives back what was made for this step alone; nothing can be asked for afterwards.
    pub(crate) async fn end(&self, target: &Target, http: &Http<'_>) {
        if let Some(session) = &self.session {
            session.end(target, http).await;
        }
    }
}

/// A host and a credential.
#[derive(Clone, PartialEq, Eq, Hash)]
struct CredentialKey<'a> {
    provider: ProviderKind,
    api: &'a Url,
    /// Of a GitHub App whose installation it is: each has a limit of its own.
    owner: Option<String>,
    credential: Vec<&'a [u8]>,
}

/// Finds out who shares what. Errors where no client can be made.
pub(crate) fn connections<'a>(
    targets: impl IntoIterator<Item = &'a Target>,
    proxies: &Arc<Proxies>,
) -> Vec<Result<Connection<'a>, Error>> {
    let mut clients = HashMap::new();
    let mut quotas = HashMap::new();
    let mut libraries = HashMap::new();
    let mut sessions = HashMap::new();
    let shared = targets.into_iter().map(|target| {
        let certificates = target.certificates.as_deref();
        let client = clients
            .entry(certificates)
            .or_insert_with(|| Client::new(certificates, proxies).map(Rc::new))
            .clone()?;
        let key = CredentialKey::of(target);
        let quota = quotas
            .entry(key.clone())
            .or_insert_with(|| Rc::new(Quota::new(PollIntervals::of(target.provider()).per_quota)));
        let quota = Rc::clone(quota);
        let session = match &target.spec {
            Spec::GitHub(spec) => {
                let library = libraries
                    .entry((&target.server.api, certificates))
                    .or_insert_with(|| {
                        Rc::new(Library::new(&target.server.api, Rc::clone(&client)))
                    });
                let session = sessions
                    .entry((key, certificates, permissions(target, spec)))
                    .or_insert_with(|| Rc::new(Session::new(target, spec, Rc::clone(library))));
                if !session.has_room() {
                    *session = Rc::new(Session::new(target, spec, Rc::clone(library)));
                }
                session.serve(target);
                Some(Rc::clone(session))
            }
            Spec::GitLab(_) | Spec::Bitbucket(_) => None,
        };
        Ok(Connection {
            quota,
            client,
            session,
        })
    });
    shared.collect()
}

impl<'a> CredentialKey<'a> {
    fn of(target: &'a Target) -> Self {
        let owner = || target.repository.split('/').next().map(str::to_lowercase);
        let (owner, credential) = match &target.spec {
            Spec::GitHub(spec) => match &spec.credential {
                GitHubCredential::Token(token) | GitHubCredential::WorkflowToken(token) => {
                    (None, vec![token.expose()])
                }
                GitHubCredential::App(app) => {
                    let (PrivateKey::Pkcs1(key) | PrivateKey::Pkcs8(key)) = &app.private_key;
                    return Self {
                        provider: ProviderKind::GitHub,
                        api: &target.server.api,
                        owner: owner(),
                        credential: vec![app.client_id.as_bytes(), key],
                    };
                }
            },
            Spec::GitLab(spec) => match &spec.credential {
                GitLabCredential::Access(token) => (None, vec![token.expose()]),
                GitLabCredential::Trigger { token, reader } => {
                    let reader = reader.as_ref().map_or("", |reader| reader.expose());
                    (None, vec![token.expose(), reader])
                }
            },
            Spec::Bitbucket(spec) => match &spec.credential {
                BitbucketCredential::Access(token) => (None, vec![token.expose()]),
                BitbucketCredential::Api { email, token } => (None, vec![email, token.expose()]),
            },
        };
        Self {
            provider: target.provider(),
            api: &target.server.api,
            owner,
            credential: credential.into_iter().map(str::as_bytes).collect(),
        }
    }
}
