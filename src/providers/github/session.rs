//! A sign-in shared by several targets. For an App it requests one token for all of them, renews it before it expires,
//! and revokes it at the end.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use ::http::StatusCode;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use url::Url;

use super::api::{Api, OctocrabClients};
use super::app::{self, TokenMetadata, Validity};
use super::permissions::{Permissions, permissions};
use crate::model::{Event, WaitOptions};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::github::spec::{GitHubCredential, GitHubSpec};
use crate::providers::http::request::below;
use crate::providers::http::{Client, Http};
use crate::providers::location::Location;
use crate::providers::provider::{CredentialParts, ProviderSpec as _, Sessions};

/// Time limit for renewing an expired token. The target that renews it is blocked meanwhile.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit for renewing a token that's still valid.
const EARLY_RENEWAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Minimum time between such attempts. One that is dropped midway counts too.
const EARLY_RENEWAL_INTERVAL: Duration = Duration::from_secs(10);
/// Delay after the first failed renewal. It doubles with each further one.
const INITIAL_RETRY_DELAY: Duration = Duration::from_secs(5);
const MAX_RETRY_DELAY: Duration = Duration::from_mins(1);
/// How long after its replacement a token is revoked. By then no request with it can be in flight.
const REVOCATION_DELAY: Duration = Duration::from_secs(5);
const REVOCATION_TIMEOUT: Duration = Duration::from_secs(2);

/// A credential for one server, with the permissions and repositories it's used for.
pub(crate) struct GitHubSession<'a> {
    octocrab: Rc<OctocrabClients>,
    credential: &'a GitHubCredential,
    permissions: Permissions,
    /// `owner/name` of each repository that an App's token must cover.
    repositories: RefCell<BTreeSet<String>>,
    signed_in: RefCell<Option<Rc<SignedIn>>>,
    /// A rejected sign-in, which isn't retried.
    permanent_error: RefCell<Option<Error>>,
    /// Held while signing in, so that other targets wait. The holder may be dropped at any time: a sign-in changes
    /// nothing until it's complete.
    sign_in_lock: Mutex<()>,
    /// The last renewal, if it failed.
    failed_renewal: RefCell<Option<FailedRenewal>>,
    /// When renewing a token that's still valid was last tried, unless it succeeded.
    last_early_renewal: Cell<Option<Instant>>,
    /// Tokens that were replaced before they expired, and when.
    retired: RefCell<Vec<(Instant, Rc<SignedIn>)>>,
}

struct FailedRenewal {
    error: Error,
    delay: Duration,
    retry_at: Instant,
}

/// Result of a sign-in.
pub(super) struct SignedIn {
    pub(super) api: Api,
    /// Only for an App: its token's expiry and the App's login.
    pub(super) app_token: Option<TokenMetadata>,
}

/// The sign-ins of one step.
#[derive(Default)]
pub(crate) struct GitHubSessions<'a> {
    /// Keyed by API URL and certificates.
    octocrabs: HashMap<(&'a Url, Option<&'a str>), Rc<OctocrabClients>>,
    sessions: HashMap<SessionKey<'a>, Rc<GitHubSession<'a>>>,
}

/// API URL, credential, certificates and permissions.
type SessionKey<'a> = (&'a Url, CredentialParts<'a>, Option<&'a str>, Permissions);

impl<'a> Sessions<'a, GitHubSpec> for GitHubSessions<'a> {
    type Session = Rc<GitHubSession<'a>>;

    /// Returns the session for a target. Targets with the same key share one, up to [`app::MAX_REPOSITORIES`]
    /// repositories.
    fn session(
        &mut self,
        location: &'a Location,
        spec: &'a GitHubSpec,
        wait: Option<&WaitOptions>,
        client: &Rc<Client>,
    ) -> Self::Session {
        let api = &location.server.api;
        let certificates = location.certificates.as_deref();
        let octocrab = self.octocrabs.entry((api, certificates));
        let octocrab =
            octocrab.or_insert_with(|| Rc::new(OctocrabClients::new(api, Rc::clone(client))));
        let credential = spec.credential_parts(&location.repository);
        let permissions = permissions(spec, wait);
        let new = || {
            let (octocrab, permissions) = (Rc::clone(octocrab), permissions.clone());
            Rc::new(GitHubSession::new(spec, permissions, octocrab))
        };
        let key = (api, credential, certificates, permissions.clone());
        let session = self.sessions.entry(key).or_insert_with(new);
        if !session.has_room() {
            *session = new();
        }
        session.add_repository(location);
        Rc::clone(session)
    }

    async fn end(session: &Self::Session, location: &Location, http: &Http<'_>) {
        session.end(location, http).await;
    }
}

impl<'a> GitHubSession<'a> {
    fn new(spec: &'a GitHubSpec, permissions: Permissions, octocrab: Rc<OctocrabClients>) -> Self {
        Self {
            octocrab,
            credential: &spec.credential,
            permissions,
            repositories: RefCell::default(),
            signed_in: RefCell::default(),
            permanent_error: RefCell::default(),
            sign_in_lock: Mutex::default(),
            failed_renewal: RefCell::default(),
            last_early_renewal: Cell::default(),
            retired: RefCell::default(),
        }
    }

    fn has_room(&self) -> bool {
        self.repositories.borrow().len() < app::MAX_REPOSITORIES
    }

    fn add_repository(&self, location: &Location) {
        let repository = location.repository.clone();
        self.repositories.borrow_mut().insert(repository);
    }

    /// Signs in, unless another target already has.
    pub(super) async fn open(&self, location: &Location, http: &Http<'_>) -> Result<(), Error> {
        let _lock = self.sign_in_lock.lock().await;
        if self.signed_in.borrow().is_some() {
            return Ok(());
        }
        if let Some(error) = self.permanent_error.borrow().clone() {
            return Err(error);
        }
        self.sign_in(location, http).await.inspect_err(|error| {
            if error.kind() == ErrorKind::Rejected {
                self.permanent_error.replace(Some(error.clone()));
            }
        })
    }

    /// Returns the last sign-in. Panics if there was none.
    pub(super) fn signed_in(&self) -> Rc<SignedIn> {
        let signed_in = self.signed_in.borrow().clone();
        signed_in.unwrap_or_else(|| unreachable!("nobody asks before signing in"))
    }

    fn validity(&self) -> Validity {
        let signed_in = self.signed_in();
        let app_token = signed_in.app_token.as_ref();
        app_token.map_or(Validity::Good, TokenMetadata::validity)
    }

    /// Renews an App's token if it expires soon. Fails only if it has expired: until then it's still usable.
    /// Also revokes tokens that were replaced.
    pub(super) async fn renew_if_needed(
        &self,
        location: &Location,
        http: &Http<'_>,
    ) -> Result<(), Error> {
        self.revoke_retired(location, http).await;
        match self.validity() {
            Validity::Good => Ok(()),
            Validity::ExpiresSoon => {
                self.renew_early(location, http).await;
                Ok(())
            }
            Validity::Expired => self.renew_if_expired(location, http).await,
        }
    }

    async fn renew_early(&self, location: &Location, http: &Http<'_>) {
        let tried = self.last_early_renewal.get();
        if tried.is_some_and(|tried| tried.elapsed() < EARLY_RENEWAL_INTERVAL) {
            return;
        }
        // Don't wait if another target is renewing it.
        let Ok(_lock) = self.sign_in_lock.try_lock() else {
            return;
        };
        self.last_early_renewal.set(Some(Instant::now()));
        let previous = self.signed_in();
        match self.renew(EARLY_RENEWAL_TIMEOUT, location, http).await {
            Ok(()) => {
                self.last_early_renewal.take();
                self.retired.borrow_mut().push((Instant::now(), previous));
            }
            Err(error) => http.emit(Event::Trace(format_args!("{}", error.message()))),
        }
    }

    /// Renews an App's token if it has expired.
    pub(super) async fn renew_if_expired(
        &self,
        location: &Location,
        http: &Http<'_>,
    ) -> Result<(), Error> {
        if self.validity() != Validity::Expired {
            return Ok(());
        }
        let _lock = self.sign_in_lock.lock().await;
        if self.validity() == Validity::Expired {
            self.renew(RENEWAL_TIMEOUT, location, http).await?;
        }
        Ok(())
    }

    /// Renews an App's token that GitHub rejected before it expired, unless another target already has. Returns
    /// whether there is a new token now.
    pub(super) async fn renew_if_rejected(
        &self,
        error: &Error,
        used: &Rc<SignedIn>,
        location: &Location,
        http: &Http<'_>,
    ) -> Result<bool, Error> {
        let is_unauthorized = error.status() == Some(StatusCode::UNAUTHORIZED);
        if !is_unauthorized || error.is_of_sign_in() || used.app_token.is_none() {
            return Ok(false);
        }
        let _lock = self.sign_in_lock.lock().await;
        if Rc::ptr_eq(used, &self.signed_in()) {
            self.renew(RENEWAL_TIMEOUT, location, http).await?;
        }
        Ok(true)
    }

    /// Renews the token. The caller must hold the lock. After a failure, returns the same error until the retry delay is
    /// over.
    async fn renew(
        &self,
        limit: Duration,
        location: &Location,
        http: &Http<'_>,
    ) -> Result<(), Error> {
        if let Some(failed) = &*self.failed_renewal.borrow()
            && Instant::now() < failed.retry_at
        {
            return Err(failed.error.clone());
        }
        let renewed = timeout(limit, self.sign_in(location, http)).await;
        let renewed = renewed.unwrap_or_else(|_| {
            let seconds = limit.as_secs();
            let what = format!("GitHub didn't return a new one within {seconds} s");
            Err(Error::new(ErrorKind::Unknown, what).while_signing_in())
        });
        match renewed {
            Ok(()) => {
                self.failed_renewal.take();
                http.emit(Event::Trace(format_args!("the App's token was renewed")));
                Ok(())
            }
            Err(error) => {
                let error = error.of("the App's token can't be renewed");
                let previous = self.failed_renewal.take().map(|failed| failed.delay);
                let failed = FailedRenewal::new(&error, previous);
                self.failed_renewal.replace(Some(failed));
                Err(error)
            }
        }
    }

    /// Revokes replaced tokens on a best-effort basis.
    async fn revoke_retired(&self, location: &Location, http: &Http<'_>) {
        let is_due = |(since, _): &mut (Instant, _)| since.elapsed() >= REVOCATION_DELAY;
        let due: Vec<_> = self.retired.borrow_mut().extract_if(.., is_due).collect();
        for (_, signed_in) in due {
            let _ = timeout(REVOCATION_TIMEOUT, signed_in.revoke(location, http)).await;
        }
    }

    /// Revokes all tokens created for this step on a best-effort basis. The session can't be used afterwards.
    pub(super) async fn end(&self, location: &Location, http: &Http<'_>) {
        let retired = self.retired.take().into_iter();
        let retired = retired.map(|(_, signed_in)| signed_in);
        let all: Vec<_> = retired.chain(self.signed_in.take()).collect();
        join_all(all.iter().map(|signed_in| signed_in.revoke(location, http))).await;
    }

    async fn sign_in(&self, location: &Location, http: &Http<'_>) -> Result<(), Error> {
        let previous = self.signed_in.borrow().clone();
        let signed_in = match self.credential {
            GitHubCredential::Token(token) | GitHubCredential::WorkflowToken(token) => SignedIn {
                api: Api::new(&self.octocrab, token)?,
                app_token: None,
            },
            GitHubCredential::App(app) => {
                let repositories = self.repositories.borrow().clone();
                let scope = app::Scope {
                    repositories: &repositories,
                    permissions: &self.permissions,
                };
                let previous = previous
                    .as_ref()
                    .and_then(|previous| previous.app_token.as_ref());
                // A rate limit of the App itself must not block requests with a token it already has.
                let app_http = http.with_own_quota();
                let minted = app::installation_token(
                    location,
                    app,
                    &scope,
                    previous,
                    &self.octocrab,
                    &app_http,
                );
                let (token, app_token) = minted.await.map_err(Error::while_signing_in)?;
                http.emit(Event::Minted(&token));
                SignedIn {
                    api: Api::new(&self.octocrab, &token)?,
                    app_token: Some(app_token),
                }
            }
        };
        self.signed_in.replace(Some(Rc::new(signed_in)));
        Ok(())
    }
}

impl SignedIn {
    /// Revokes an App's token, which was created for this step. Other tokens are not the step's to revoke.
    async fn revoke(&self, location: &Location, http: &Http<'_>) {
        let is_expired = |app_token: &TokenMetadata| app_token.validity() == Validity::Expired;
        if self.app_token.as_ref().is_none_or(is_expired) {
            return;
        }
        let url = below(&location.server.api, ["installation", "token"]);
        // Errors are ignored: the token expires by itself.
        let _ = self.api.delete(http, &url).await;
    }
}

impl FailedRenewal {
    fn new(error: &Error, previous: Option<Duration>) -> Self {
        let delay = previous.map_or(INITIAL_RETRY_DELAY, |previous| {
            (previous * 2).min(MAX_RETRY_DELAY)
        });
        let retry_after = match error.kind() {
            ErrorKind::RateLimited(retry_after) => retry_after.unwrap_or(MAX_RETRY_DELAY),
            ErrorKind::Unreachable | ErrorKind::Rejected | ErrorKind::Unknown => Duration::ZERO,
        };
        Self {
            error: error.clone(),
            delay,
            retry_at: Instant::now() + delay.max(retry_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn delays_between_failed_renewals_grow_and_respect_rate_limits() {
        let delay = |kind, previous| {
            let failed = FailedRenewal::new(&Error::new(kind, "no"), previous);
            (
                failed.delay.as_secs(),
                (failed.retry_at - Instant::now()).as_secs(),
            )
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(delay(ErrorKind::Unknown, None), (5, 5));
        assert_eq!(delay(ErrorKind::Rejected, seconds(5)), (10, 10));
        assert_eq!(delay(ErrorKind::Unreachable, seconds(40)), (60, 60));
        assert_eq!(delay(ErrorKind::RateLimited(seconds(2)), None), (5, 5));
        assert_eq!(delay(ErrorKind::RateLimited(seconds(300)), None), (5, 300));
        assert_eq!(delay(ErrorKind::RateLimited(None), None), (5, 60));
    }
}
