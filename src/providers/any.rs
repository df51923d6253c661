//! The list of providers, and the enums generated from it. Adding a provider takes a folder, a line in the list, and a
//! `mod` in `providers.rs` (not generated, because `cargo fmt` must see it). Provider-specific code is in the folders.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;
use url::Url;

use crate::model::{FollowedRun, Job, ResultArtifact, Run, Snapshot, WaitOptions};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::{Client, Http, LimitMessage, LogTail};
use crate::providers::location::Location;
use crate::providers::provider::{
    Candidate, CredentialParts, Depth, EarlierRuns, InputContext, PollIntervals, Provider,
    ProviderSpec as _, RequestForm, RunAddress, Secrets, Sessions, TriggerRequest,
};
use crate::providers::quota::Quota;
use crate::values::{Checked, Inputs};

/// Time limit for `make_ready`, which holds one of the few trigger permits.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// The list of providers. Each line names a type that implements [`Provider`] and its module; the type's name is also
/// the enum variant. Calls another macro with the list, followed by its own arguments.
macro_rules! with_all_providers {
    ($macro:ident $($rest:tt)*) => {
        $macro! {
            [
                GitHub: github,
                GitLab: gitlab,
                Bitbucket: bitbucket,
                #[cfg(test)]
                Memory: memory,
            ]
            $($rest)*
        }
    };
}

/// Evaluates an expression with a type alias for the `Spec` of a `ProviderKind`:
/// `with_spec!(kind, S => S::NAME)` is `GitHubSpec::NAME` for `ProviderKind::GitHub`.
macro_rules! with_spec {
    ([$($(#[$attribute:meta])* $kind:ident: $module:ident,)+] $value:expr, $spec:ident => $result:expr) => {
        match $value {
            $($(#[$attribute])* ProviderKind::$kind => {
                type $spec = SpecOf<super::$module::$kind<'static>>;
                $result
            })+
        }
    };
    ($($arguments:tt)+) => { with_all_providers!(with_spec $($arguments)+) };
}

/// Delegates to the value inside an enum over all providers:
/// `delegate!(self, spec => spec.pipeline())` is `match self { Self::GitHub(spec) => spec.pipeline(), … }`.
macro_rules! delegate {
    ([$($(#[$attribute:meta])* $kind:ident: $module:ident,)+] $value:expr, $inner:ident => $result:expr) => {
        match $value {
            $($(#[$attribute])* Self::$kind($inner) => $result,)+
        }
    };
    ($($arguments:tt)+) => { with_all_providers!(delegate $($arguments)+) };
}

/// Defines the enums over all providers, with the functions that convert between them or match on two at once.
macro_rules! define_enums {
    ([$($(#[$attribute:meta])* $kind:ident: $module:ident,)+]) => {
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub(crate) enum ProviderKind {
            $($(#[$attribute])* $kind),+
        }

        impl ProviderKind {
            pub(crate) const ALL: &'static [Self] = &[$($(#[$attribute])* Self::$kind),+];
        }

        /// A target's [`ProviderSpec`](super::provider::ProviderSpec).
        pub(crate) enum AnySpec {
            $($(#[$attribute])* $kind(SpecOf<super::$module::$kind<'static>>)),+
        }

        /// Each provider's name and token prefixes.
        pub(crate) const TOKEN_PREFIXES: &[(&str, &[&str])] = &[
            $($(#[$attribute])* (
                SpecOf::<super::$module::$kind<'static>>::NAME,
                SpecOf::<super::$module::$kind<'static>>::TOKEN_PREFIXES,
            )),+
        ];

        impl AnySpec {
            /// See `ProviderSpec::read`.
            pub(crate) fn read(
                kind: ProviderKind,
                inputs: &Inputs,
                context: &InputContext<'_>,
            ) -> Checked<Self> {
                match kind {
                    $($(#[$attribute])* ProviderKind::$kind => {
                        SpecOf::<super::$module::$kind<'static>>::read(inputs, context).map(Self::$kind)
                    })+
                }
            }

            /// See `ProviderSpec::follow`.
            pub(crate) fn follow(
                kind: ProviderKind,
                inputs: &Inputs,
                context: &InputContext<'_>,
                may_cancel: bool,
            ) -> Checked<Self> {
                match kind {
                    $($(#[$attribute])* ProviderKind::$kind => {
                        type Spec = SpecOf<super::$module::$kind<'static>>;
                        Spec::follow(inputs, context, may_cancel).map(Self::$kind)
                    })+
                }
            }

            pub(crate) fn kind(&self) -> ProviderKind {
                match self {
                    $($(#[$attribute])* Self::$kind(_) => ProviderKind::$kind),+
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
        }

        /// A target's spec, and the session that it may share with other targets of its provider.
        pub(crate) enum AnySession<'a> {
            $($(#[$attribute])* $kind(
                &'a SpecOf<super::$module::$kind<'static>>,
                SessionOf<'a, super::$module::$kind<'a>>,
            )),+
        }

        /// The sessions of one step, by provider.
        #[derive(Default)]
        pub(crate) struct AnySessions<'a> {
            $($(#[$attribute])* $module: <super::$module::$kind<'a> as Provider<'a>>::Sessions),+
        }

        impl<'a> AnySessions<'a> {
            pub(crate) fn session(
                &mut self,
                location: &'a Location,
                spec: &'a AnySpec,
                wait: Option<&WaitOptions>,
                client: &Rc<Client>,
            ) -> AnySession<'a> {
                match spec {
                    $($(#[$attribute])* AnySpec::$kind(spec) => {
                        let session = self.$module.session(location, spec, wait, client);
                        AnySession::$kind(spec, session)
                    })+
                }
            }
        }

        impl<'a> AnySession<'a> {
            /// See [`Sessions::end`].
            pub(crate) async fn end(&self, location: &Location, http: &Http<'_>) {
                match self {
                    $($(#[$attribute])* Self::$kind(_, session) => {
                        type Spec = SpecOf<super::$module::$kind<'static>>;
                        type Of<'a> = <super::$module::$kind<'a> as Provider<'a>>::Sessions;
                        <Of<'_> as Sessions<'_, Spec>>::end(session, location, http).await;
                    })+
                }
            }
        }

        /// A target's provider, signed in and ready to trigger.
        pub(crate) enum AnyProvider<'a> {
            $($(#[$attribute])* $kind(super::$module::$kind<'a>)),+
        }

        impl<'a> AnyProvider<'a> {
            /// See [`Provider::open`].
            pub(crate) async fn open(
                location: &'a Location,
                http: &'a Http<'a>,
                session: &AnySession<'a>,
            ) -> Result<Self, Error> {
                Ok(match session {
                    $($(#[$attribute])* AnySession::$kind(spec, session) => {
                        Self::$kind(super::$module::$kind::open(location, spec, http, session).await?)
                    })+
                })
            }

            pub(crate) fn kind(&self) -> ProviderKind {
                match self {
                    $($(#[$attribute])* Self::$kind(_) => ProviderKind::$kind),+
                }
            }
        }
    };
}

type SpecOf<P> = <P as Provider<'static>>::Spec;
type SessionOf<'a, P> =
    <<P as Provider<'a>>::Sessions as Sessions<'a, <P as Provider<'a>>::Spec>>::Session;

with_all_providers!(define_enums);

/// See `ProviderSpec`.
impl ProviderKind {
    /// The provider of targets that don't name one, and of the repository whose job runs this step.
    pub(crate) const DEFAULT: Self = Self::GitHub;

    /// Returns the provider with this name in inputs.
    pub(crate) fn by_id(id: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|provider| provider.as_str() == id)
    }

    pub(crate) fn as_str(self) -> &'static str {
        with_spec!(self, S => S::ID)
    }

    pub(crate) fn name(self) -> &'static str {
        with_spec!(self, S => S::NAME)
    }

    /// The providers that support this input; empty if all do.
    pub(crate) fn owners(input: &str) -> Vec<Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|kind| kind.owns(input)).collect()
    }

    fn owns(self, input: &str) -> bool {
        with_spec!(self, S => S::INPUTS).contains(&input)
    }

    /// Whether an input means something to this provider: it's one of its own, or one that all have in common.
    pub(crate) fn knows(self, input: &str) -> bool {
        self.owns(input) || !Self::ALL.iter().any(|kind| kind.owns(input))
    }

    /// Whether an input is one of this provider's credentials, or part of one.
    pub(crate) fn is_credential(self, input: &str) -> bool {
        input == "token" || with_spec!(self, S => S::CREDENTIALS).contains(&input)
    }

    /// Inputs that some provider accepts in place of this one, itself included. Empty if there are none.
    pub(crate) fn alternatives(input: &str) -> Vec<&'static str> {
        let groups = |kind: &Self| with_spec!(*kind, S => S::ALTERNATIVES);
        let groups = Self::ALL.iter().flat_map(groups);
        let groups = groups.filter(|group| group.contains(&input));
        groups.copied().flatten().copied().collect()
    }

    pub(crate) fn default_server(self) -> &'static str {
        with_spec!(self, S => S::DEFAULT_SERVER)
    }

    pub(crate) fn is_public_host(self, host: &str) -> bool {
        with_spec!(self, S => S::is_public_host(host))
    }

    pub(crate) fn check_server(self, web: &Url) -> Result<(), &'static str> {
        with_spec!(self, S => S::check_server(web))
    }

    pub(crate) fn api_address(self, web: &Url) -> Url {
        with_spec!(self, S => S::api_address(web))
    }

    pub(crate) fn repository_form(self) -> &'static str {
        with_spec!(self, S => S::REPOSITORY_FORM)
    }

    pub(crate) fn run_address_form(self) -> &'static str {
        with_spec!(self, S => S::RUN_ADDRESS_FORM)
    }

    pub(crate) fn run_address(self, path: &str) -> Option<RunAddress> {
        with_spec!(self, S => S::run_address(path))
    }

    pub(crate) fn is_run_id(self, id: &str) -> bool {
        with_spec!(self, S => S::is_run_id(id))
    }

    pub(crate) fn check_name(self, name: &str) -> Result<(), &'static str> {
        with_spec!(self, S => S::check_name(name))
    }

    pub(crate) fn result_artifact(self, inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        with_spec!(self, S => S::result_artifact(inputs))
    }

    pub(crate) fn inherits(self, name: &str, step: &Inputs, own: &Inputs) -> bool {
        with_spec!(self, S => S::inherits(name, step, own))
    }

    pub(crate) const fn limit_messages(self) -> &'static [LimitMessage] {
        with_spec!(self, S => S::LIMIT_MESSAGES)
    }

    pub(crate) const fn poll_intervals(self) -> PollIntervals {
        with_spec!(self, S => S::POLL_INTERVALS)
    }
}

/// See `ProviderSpec`.
impl AnySpec {
    pub(crate) fn pipeline(&self) -> String {
        delegate!(self, spec => spec.pipeline())
    }

    pub(crate) fn source(&self) -> Option<String> {
        delegate!(self, spec => spec.source())
    }

    pub(crate) fn identity(&self) -> String {
        delegate!(self, spec => spec.identity())
    }

    pub(crate) fn check_retries(&self) -> Checked<()> {
        delegate!(self, spec => spec.check_retries())
    }

    /// The string that the target's runs carry, so that they can be recognised.
    pub(crate) fn marker(&self) -> Option<&str> {
        let added = delegate!(self, spec => spec.added());
        added.marker.as_ref().map(|marker| marker.value.as_str())
    }

    /// Sets the marker, if the target's runs have one, to that of a trigger that was sent earlier.
    pub(crate) fn set_marker(&mut self, known: &str) {
        let added = delegate!(self, spec => spec.added_mut());
        if let Some(marker) = &mut added.marker {
            known.clone_into(&mut marker.value);
        }
    }

    pub(crate) fn how_to_mark(&self) -> Option<String> {
        delegate!(self, spec => spec.how_to_mark())
    }

    pub(crate) fn event_type(&self) -> Option<&str> {
        delegate!(self, spec => spec.event_type())
    }

    pub(crate) fn request_parts(&self) -> Vec<String> {
        delegate!(self, spec => spec.request_parts())
    }

    pub(super) fn credential_parts(&self, repository: &str) -> CredentialParts<'_> {
        delegate!(self, spec => spec.credential_parts(repository))
    }
}

/// See `Provider`.
impl AnyProvider<'_> {
    pub(crate) fn poll_intervals(&self) -> PollIntervals {
        self.kind().poll_intervals()
    }

    pub(crate) async fn prepare_trigger(&mut self) -> Result<(), Error> {
        delegate!(self, provider => provider.prepare_trigger().await)
    }

    pub(crate) fn trigger(&self, form: RequestForm, secrets: Secrets) -> TriggerRequest {
        delegate!(self, provider => provider.trigger(form, secrets))
    }

    /// Fails as unreachable after [`READY_TIMEOUT`].
    pub(crate) async fn make_ready(&self) -> Result<(), Error> {
        let too_long = |_| {
            let seconds = READY_TIMEOUT.as_secs();
            let what = format!("preparing the trigger took more than {seconds} s");
            Error::new(ErrorKind::Unreachable, what)
        };
        let ready = async { delegate!(self, provider => provider.make_ready().await) };
        timeout(READY_TIMEOUT, ready).await.map_err(too_long)?
    }

    pub(crate) async fn check(&self) -> Result<(), Error> {
        delegate!(self, provider => provider.check().await)
    }

    pub(crate) async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error> {
        delegate!(self, provider => provider.send(form).await)
    }

    pub(crate) fn fallback(&self, rejection: &Error) -> Option<&'static str> {
        delegate!(self, provider => provider.fallback(rejection))
    }

    pub(crate) async fn explain(&self, rejection: Error) -> Error {
        delegate!(self, provider => provider.explain(rejection).await)
    }

    fn explain_unreadable(&self, error: Error) -> Error {
        delegate!(self, provider => provider.explain_unreadable(error))
    }

    pub(crate) async fn list_runs(
        &self,
        since: Option<SystemTime>,
    ) -> Result<Vec<Candidate>, Error> {
        delegate!(self, provider => provider.list_runs(since).await)
    }

    pub(crate) async fn list_earlier_runs(&self, since: SystemTime) -> Result<EarlierRuns, Error> {
        delegate!(self, provider => provider.list_earlier_runs(since).await)
    }

    pub(crate) async fn latest_attempt(&self, run: &Run) -> Result<u64, Error> {
        delegate!(self, provider => provider.latest_attempt(run).await)
    }

    /// Ids of the runs that exist before anything is triggered, by anyone. Reading them proves that the
    /// step will be able to read its own run. They are read once per repository and shared.
    pub(crate) async fn seen(
        &self,
        repository: &str,
        quota: &Quota,
    ) -> Result<Rc<HashSet<String>>, Error> {
        let read = async || {
            let runs = self.list_runs(None).await;
            let runs = runs.map_err(|error| match error.kind() {
                ErrorKind::Rejected => self.explain_unreadable(error),
                ErrorKind::Unreachable | ErrorKind::RateLimited(_) | ErrorKind::Unknown => error,
            })?;
            Ok(Rc::new(runs.into_iter().map(|run| run.id).collect()))
        };
        quota.seen.get_or_read(repository, read).await
    }

    /// Reads a run that was started elsewhere. If it can't be read, the error says whether it's the run or the
    /// repository.
    pub(crate) async fn followed(&self, given: &FollowedRun) -> Result<Run, Error> {
        let error = match delegate!(self, provider => provider.followed(given).await) {
            Err(error) if error.kind() == ErrorKind::Rejected => error,
            read => return read,
        };
        if error.is_missing() && delegate!(self, provider => provider.is_public().await).is_ok() {
            let message = format!("the repository has no run {}", given.id);
            return Err(
                error.with_message(message, "check `follow`, and whether the run was deleted")
            );
        }
        Err(self.explain_unreadable(error))
    }

    pub(crate) async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        delegate!(self, provider => provider.status(run, depth).await)
    }

    pub(crate) async fn displaced_by(&self, run: &Run) -> Result<Option<Run>, Error> {
        delegate!(self, provider => provider.displaced_by(run).await)
    }

    pub(crate) async fn cancel(
        &self,
        run: &Run,
        end_of_check: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        delegate!(self, provider => provider.cancel(run, end_of_check).await)
    }

    pub(crate) async fn rerun_failed_jobs(&self, run: &Run, ended: &Snapshot) -> Result<(), Error> {
        delegate!(self, provider => provider.rerun_failed_jobs(run, ended).await)
    }

    pub(crate) async fn has_next_attempt(
        &self,
        run: &Run,
        ended: &Snapshot,
    ) -> Result<bool, Error> {
        delegate!(self, provider => provider.has_next_attempt(run, ended).await)
    }

    pub(crate) fn attempt_page(&self, run: &Run) -> String {
        delegate!(self, provider => provider.attempt_page(run))
    }

    pub(crate) async fn log(&self, run: &Run, job: &Job) -> Result<LogTail, Error> {
        delegate!(self, provider => provider.log(run, job).await)
    }

    /// Strips a byte-order mark, which some editors and shells put before JSON.
    pub(crate) async fn result(
        &self,
        run: &Run,
        artifact: &ResultArtifact,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = delegate!(self, provider => provider.result(run, artifact).await)?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        Ok(bytes)
    }

    /// `false` if that can't be read.
    pub(crate) async fn is_public(&self) -> bool {
        let is_public = delegate!(self, provider => provider.is_public().await);
        is_public.unwrap_or(false)
    }

    pub(crate) fn runs_page(&self) -> String {
        delegate!(self, provider => provider.runs_page())
    }
}
