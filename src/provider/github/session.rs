//! A sign-in that targets share: an API with a token in it, which for an App is minted once for all of them and
//! replaced before it expires.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ::http::StatusCode;
use tokio::sync::Mutex;

use super::api::{Api, Library};
use super::app::{self, Installed};
use crate::event::Event;
use crate::provider::http::Http;
use crate::provider::{Error, Kind};
use crate::target::{GitHubCall, GitHubCredential, Target};

/// Permissions of an App's token, with their levels.
pub(in crate::provider) type Permissions = BTreeMap<&'static str, &'static str>;

/// A credential at a server, and what it is for.
pub(in crate::provider) struct Session<'a> {
    library: Rc<Library>,
    credential: &'a GitHubCredential,
    permissions: Permissions,
    /// `owner/name` of each, for which an App's token must be good.
    repositories: RefCell<BTreeSet<String>>,
    signed_in: RefCell<Option<Rc<SignedIn>>>,
    /// Why nobody will be let in, once that is known.
    refused: RefCell<Option<Error>>,
    /// Held by whoever signs in, so that the others wait for that.
    signing: Mutex<()>,
}

/// What a sign-in gives.
pub(super) struct SignedIn {
    pub(super) api: Api,
    /// Of an App's credential: until when it is good, and the name under which the App acts.
    pub(super) installed: Option<Installed>,
}

/// What an App's token must allow for that target; of other tokens nobody can say.
pub(in crate::provider) fn permissions(target: &Target, call: &GitHubCall) -> Permissions {
    match call.credential {
        GitHubCredential::App(_) => app::permissions(target, call),
        GitHubCredential::Token(_) | GitHubCredential::WorkflowToken(_) => BTreeMap::new(),
    }
}

impl<'a> Session<'a> {
    /// One for that target, and for others with the same credential and permissions.
    pub(in crate::provider) fn new(
        target: &Target,
        call: &'a GitHubCall,
        library: Rc<Library>,
    ) -> Self {
        Self {
            library,
            credential: &call.credential,
            permissions: permissions(target, call),
            repositories: RefCell::default(),
            signed_in: RefCell::default(),
            refused: RefCell::default(),
            signing: Mutex::default(),
        }
    }

    /// Whether it can be good for one more repository.
    pub(in crate::provider) fn has_room(&self) -> bool {
        self.repositories.borrow().len() < app::MOST_REPOSITORIES
    }

    /// Lets it be good for that target's repository, too.
    pub(in crate::provider) fn serve(&self, target: &Target) {
        let repository = target.repository.clone();
        self.repositories.borrow_mut().insert(repository);
    }

    /// Signs in, unless somebody has.
    pub(super) async fn open(&self, target: &Target, http: &Http<'_>) -> Result<(), Error> {
        let _signing = self.signing.lock().await;
        if self.signed_in.borrow().is_some() {
            return Ok(());
        }
        if let Some(error) = self.refused.borrow().clone() {
            return Err(error);
        }
        self.sign_in(target, http).await.inspect_err(|error| {
            if error.kind() == Kind::Rejected {
                self.refused.replace(Some(error.clone()));
            }
        })
    }

    /// What the last sign-in gave; there must have been one.
    pub(super) fn signed_in(&self) -> Rc<SignedIn> {
        let signed_in = self.signed_in.borrow().clone();
        signed_in.unwrap_or_else(|| unreachable!("nobody asks before signing in"))
    }

    /// Signs in anew where an App's token is about to expire.
    pub(super) async fn renew_in_time(
        &self,
        target: &Target,
        http: &Http<'_>,
    ) -> Result<(), Error> {
        let expires_soon = || {
            let signed_in = self.signed_in();
            let installed = signed_in.installed.as_ref();
            installed.is_some_and(Installed::expires_soon)
        };
        if !expires_soon() {
            return Ok(());
        }
        let _signing = self.signing.lock().await;
        if expires_soon() {
            self.renew(target, http).await?;
        }
        Ok(())
    }

    /// Signs in anew where an App's token was refused before its time, unless somebody has since. Says whether
    /// there is another token now.
    pub(super) async fn renew_after(
        &self,
        error: &Error,
        used: &Rc<SignedIn>,
        target: &Target,
        http: &Http<'_>,
    ) -> Result<bool, Error> {
        let is_refused = error.status() == Some(StatusCode::UNAUTHORIZED);
        if !is_refused || used.installed.is_none() {
            return Ok(false);
        }
        let _signing = self.signing.lock().await;
        if Rc::ptr_eq(used, &self.signed_in()) {
            self.renew(target, http).await?;
        }
        Ok(true)
    }

    async fn renew(&self, target: &Target, http: &Http<'_>) -> Result<(), Error> {
        self.sign_in(target, http).await?;
        http.tell(Event::Trace(format_args!("the App's token is renewed")));
        Ok(())
    }

    async fn sign_in(&self, target: &Target, http: &Http<'_>) -> Result<(), Error> {
        let signed_in = match self.credential {
            GitHubCredential::Token(token) | GitHubCredential::WorkflowToken(token) => SignedIn {
                api: Api::new(&self.library, token)?,
                installed: None,
            },
            GitHubCredential::App(app) => {
                let repositories = self.repositories.borrow().clone();
                let scope = app::Scope {
                    repositories: &repositories,
                    permissions: &self.permissions,
                };
                let (token, installed) =
                    app::installation_token(target, app, &scope, &self.library, http).await?;
                http.tell(Event::Minted(&token));
                SignedIn {
                    api: Api::new(&self.library, &token)?,
                    installed: Some(installed),
                }
            }
        };
        self.signed_in.replace(Some(Rc::new(signed_in)));
        Ok(())
    }
}
