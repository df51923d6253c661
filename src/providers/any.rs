//! The providers behind one enum. What a provider is like is in its own folder, and the list at the end names each once:
//! one more takes a folder and a line there.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use super::connections::{Connection, CredentialKey};
use super::error::{Error, Kind};
use super::http::{Client, Http, LogTail};
use super::provider::{
    Candidate, CredentialParts, Depth, PollIntervals, Provider, ProviderSpec as _, RequestForm,
    Secrets, TriggerRequest,
};
use super::quota::Quota;
use super::target::Target;
use crate::model::{Job, ResultArtifact, Run, Snapshot};

/// What comes right before a trigger takes no longer: it holds one of the few permits for triggers.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Writes the enums over all providers, and the delegation to them. Each has a module with a `Spec`, and a type of its
/// own name that is the [`Provider`].
macro_rules! providers {
    ($($(#[$attribute:meta])* $kind:ident: $module:ident),+ $(,)?) => {
        /// Which provider.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub(crate) enum ProviderKind {
            $($(#[$attribute])* $kind),+
        }

        /// What a target's provider needs to know of it.
        pub(crate) enum Spec {
            $($(#[$attribute])* $kind(super::$module::Spec)),+
        }

        /// A target's provider, ready to be sent the trigger.
        pub(crate) enum AnyProvider<'a> {
            $($(#[$attribute])* $kind(super::$module::$kind<'a>)),+
        }

        /// What a target's provider needs to know of it, and what it shares with others of that provider.
        enum Session<'a> {
            $($(#[$attribute])* $kind(
                &'a super::$module::Spec,
                <super::$module::$kind<'a> as Provider<'a>>::Session,
            )),+
        }

        /// What the targets of one step share, by provider.
        #[derive(Default)]
        pub(super) struct Sessions<'a> {
            $($(#[$attribute])* $module: <super::$module::$kind<'a> as Provider<'a>>::Sessions),+
        }

        impl ProviderKind {
            pub(crate) const ALL: &'static [Self] = &[$($(#[$attribute])* Self::$kind),+];

            /// As written in inputs and outputs.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $($(#[$attribute])* Self::$kind => super::$module::Spec::ID),+
                }
            }

            /// As its owner writes it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $($(#[$attribute])* Self::$kind => super::$module::Spec::NAME),+
                }
            }

            pub(crate) const fn poll_intervals(self) -> PollIntervals {
                match self {
                    $($(#[$attribute])* Self::$kind => super::$module::Spec::POLL_INTERVALS),+
                }
            }
        }

        impl Spec {
            pub(crate) fn kind(&self) -> ProviderKind {
                match self {
                    $($(#[$attribute])* Self::$kind(_) => ProviderKind::$kind),+
                }
            }

            pub(crate) fn pipeline(&self) -> String {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.pipeline()),+
                }
            }

            pub(crate) fn source(&self) -> Option<String> {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.source()),+
                }
            }

            pub(crate) fn identity(&self) -> String {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.identity()),+
                }
            }

            pub(crate) fn marker(&self) -> Option<&str> {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.marker()),+
                }
            }

            pub(crate) fn set_marker(&mut self, known: &str) {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.set_marker(known)),+
                }
            }

            pub(crate) fn how_to_mark(&self) -> Option<&'static str> {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.how_to_mark()),+
                }
            }

            pub(crate) fn event_type(&self) -> Option<&str> {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.event_type()),+
                }
            }

            pub(crate) fn request_parts(&self) -> Vec<String> {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.request_parts()),+
                }
            }

            pub(crate) fn could_be_confused(&self, other: &Self) -> bool {
                match (self, other) {
                    $($(#[$attribute])* (Self::$kind(one), Self::$kind(other)) => {
                        one.could_be_confused(other)
                    })+
                    _ => false,
                }
            }

            pub(super) fn credential_parts(&self, repository: &str) -> CredentialParts<'_> {
                match self {
                    $($(#[$attribute])* Self::$kind(spec) => spec.credential_parts(repository)),+
                }
            }
        }

        impl<'a> Sessions<'a> {
            pub(super) fn of(
                &mut self,
                target: &'a Target,
                key: &CredentialKey<'a>,
                client: &Rc<Client>,
            ) -> AnySession<'a> {
                AnySession(match &target.spec {
                    $($(#[$attribute])* Spec::$kind(spec) => {
                        type Of<'a> = super::$module::$kind<'a>;
                        let session = Of::session(&mut self.$module, target, spec, key, client);
                        Session::$kind(spec, session)
                    })+
                })
            }
        }

        impl AnySession<'_> {
            /// Gives back what was made for this step alone; nothing can be asked for afterwards.
            pub(super) async fn end(&self, target: &Target, http: &Http<'_>) {
                match &self.0 {
                    $($(#[$attribute])* Session::$kind(_, session) => {
                        super::$module::$kind::end(session, target, http).await;
                    })+
                }
            }
        }

        impl<'a> AnyProvider<'a> {
            /// See [`Provider::open`].
            pub(crate) async fn open(
                target: &'a Target,
                http: &'a Http<'a>,
                connection: &Connection<'a>,
            ) -> Result<Self, Error> {
                Ok(match &connection.session.0 {
                    $($(#[$attribute])* Session::$kind(spec, session) => {
                        Self::$kind(super::$module::$kind::open(target, spec, http, session).await?)
                    })+
                })
            }

            pub(crate) fn kind(&self) -> ProviderKind {
                match self {
                    $($(#[$attribute])* Self::$kind(_) => ProviderKind::$kind),+
                }
            }

            pub(crate) fn trigger(&self, form: RequestForm, secrets: Secrets) -> TriggerRequest {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.trigger(form, secrets)),+
                }
            }

            async fn get_ready(&self) -> Result<(), Error> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.make_ready().await),+
                }
            }

            pub(crate) async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.send(form).await),+
                }
            }

            pub(crate) fn fallback(&self, rejection: &Error) -> Option<&'static str> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.fallback(rejection)),+
                }
            }

            pub(crate) async fn explain(&self, rejection: Error) -> Error {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.explain(rejection).await),+
                }
            }

            fn explain_unreadable(&self, error: Error) -> Error {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.explain_unreadable(error)),+
                }
            }

            pub(crate) async fn list_runs(
                &self,
                since: Option<SystemTime>,
            ) -> Result<Vec<Candidate>, Error> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.list_runs(since).await),+
                }
            }

            pub(crate) async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.status(run, depth).await),+
                }
            }

            pub(crate) async fn cancel(&self, run: &Run) -> Result<(), Error> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.cancel(run).await),+
                }
            }

            pub(crate) async fn log(&self, run: &Run, job: &Job) -> Result<LogTail, Error> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.log(run, job).await),+
                }
            }

            async fn any_result(
                &self,
                run: &Run,
                artifact: &ResultArtifact,
            ) -> Result<Vec<u8>, Error> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.result(run, artifact).await),+
                }
            }

            async fn read_visibility(&self) -> Result<bool, Error> {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.is_public().await),+
                }
            }

            pub(crate) fn runs_page(&self) -> String {
                match self {
                    $($(#[$attribute])* Self::$kind(provider) => provider.runs_page()),+
                }
            }
        }
    };
}

/// What a target needs of its provider to be opened.
pub(crate) struct AnySession<'a>(Session<'a>);

impl AnyProvider<'_> {
    pub(crate) fn poll_intervals(&self) -> PollIntervals {
        self.kind().poll_intervals()
    }

    /// See [`Provider::make_ready`]. Takes at most [`READY_TIMEOUT`].
    pub(crate) async fn make_ready(&self) -> Result<(), Error> {
        let too_long = |_| {
            let seconds = READY_TIMEOUT.as_secs();
            let what = format!("what comes before the trigger took more than {seconds} s");
            Error::new(Kind::Unreachable, what)
        };
        timeout(READY_TIMEOUT, self.get_ready())
            .await
            .map_err(too_long)?
    }

    /// The runs that are there before anything is triggered, whoever started them. That they can be read proves
    /// that the run will be, so it is read once for each repository, whoever asks.
    pub(crate) async fn seen(
        &self,
        repository: &str,
        quota: &Quota,
    ) -> Result<Rc<HashSet<String>>, Error> {
        let read = async || {
            let runs = self.list_runs(None).await;
            let runs = runs.map_err(|error| match error.kind() {
                Kind::Rejected => self.explain_unreadable(error),
                Kind::Unreachable | Kind::RateLimited(_) | Kind::Unknown => error,
            })?;
            Ok(Rc::new(runs.into_iter().map(|run| run.id).collect()))
        };
        quota.seen.get_or_read(repository, read).await
    }

    /// Whether everybody can read the repository, as far as that can be read.
    pub(crate) async fn is_public(&self) -> bool {
        self.read_visibility().await.unwrap_or(false)
    }

    /// See [`Provider::result`]. Some editors and shells put a byte-order mark before JSON, which is no part of it.
    pub(crate) async fn result(
        &self,
        run: &Run,
        artifact: &ResultArtifact,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = self.any_result(run, artifact).await?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        Ok(bytes)
    }
}

providers! {
    GitHub: github,
    GitLab: gitlab,
    Bitbucket: bitbucket,
}
