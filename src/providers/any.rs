//! The providers behind one enum. What a provider is like is in its own folder, and the list names each once: one
//! more takes a folder and a line there (and its `mod`, which `cargo fmt` must see).

use std::rc::Rc;

use url::Url;

use super::connections::{Connection, CredentialKey};
use super::error::Error;
use super::http::{Client, Http};
use super::provider::{CredentialParts, InputContext, PollIntervals, Provider, ProviderSpec as _};
use super::target::Target;
use crate::model::ResultArtifact;
use crate::values::{Checked, Inputs};

/// Every provider, and the module with the type of that name, its [`Provider`].
/// Hands all of them to another macro, with what is for that.
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

/// `of_kind!(kind, S => S::NAME)`: for whichever provider it is, with its `Spec` as `S`.
macro_rules! of_kind {
    ([$($(#[$attribute:meta])* $kind:ident: $module:ident,)+] $of:expr, $spec:ident => $value:expr) => {
        match $of {
            $($(#[$attribute])* ProviderKind::$kind => {
                type $spec = SpecOf<super::$module::$kind<'static>>;
                $value
            })+
        }
    };
    ($($arguments:tt)+) => { with_all_providers!(of_kind $($arguments)+) };
}

/// `of_any!(self, one => one.pipeline())`: for whichever provider an enum has in it.
macro_rules! of_any {
    ([$($(#[$attribute:meta])* $kind:ident: $module:ident,)+] $of:expr, $one:ident => $value:expr) => {
        match $of {
            $($(#[$attribute])* Self::$kind($one) => $value,)+
        }
    };
    ($($arguments:tt)+) => { with_all_providers!(of_any $($arguments)+) };
}

/// Writes the enums over all providers, and what needs more than one of them or makes one of another.
macro_rules! enums {
    ([$($(#[$attribute:meta])* $kind:ident: $module:ident,)+]) => {
        /// Which provider.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub(crate) enum ProviderKind {
            $($(#[$attribute])* $kind),+
        }

        impl ProviderKind {
            pub(crate) const ALL: &'static [Self] = &[$($(#[$attribute])* Self::$kind),+];
        }

        /// What a target's provider needs to know of it.
        pub(crate) enum AnySpec {
            $($(#[$attribute])* $kind(SpecOf<super::$module::$kind<'static>>)),+
        }

        /// How the tokens of each provider begin, by its name.
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

        /// What a target's provider needs to know of it, and what it shares with others of that provider.
        enum Session<'a> {
            $($(#[$attribute])* $kind(
                &'a SpecOf<super::$module::$kind<'static>>,
                <super::$module::$kind<'a> as Provider<'a>>::Session,
            )),+
        }

        /// What the targets of one step share, by provider.
        #[derive(Default)]
        pub(super) struct Sessions<'a> {
            $($(#[$attribute])* $module: <super::$module::$kind<'a> as Provider<'a>>::Sessions),+
        }

        impl<'a> Sessions<'a> {
            pub(super) fn of(
                &mut self,
                target: &'a Target,
                key: &CredentialKey<'a>,
                client: &Rc<Client>,
            ) -> AnySession<'a> {
                AnySession(match &target.spec {
                    $($(#[$attribute])* AnySpec::$kind(spec) => {
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

        /// A target's provider, ready to be sent the trigger.
        pub(crate) enum AnyProvider<'a> {
            $($(#[$attribute])* $kind(super::$module::$kind<'a>)),+
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
        }
    };
}

mod provider;

type SpecOf<P> = <P as Provider<'static>>::Spec;

with_all_providers!(enums);

/// What a target needs of its provider to be opened.
pub(crate) struct AnySession<'a>(Session<'a>);

/// See `ProviderSpec`.
impl ProviderKind {
    /// Of a target where nothing says which, and of the repository whose job the step is a part of.
    pub(crate) const DEFAULT: Self = Self::GitHub;

    pub(crate) fn as_str(self) -> &'static str {
        of_kind!(self, S => S::ID)
    }

    pub(crate) fn name(self) -> &'static str {
        of_kind!(self, S => S::NAME)
    }

    /// The providers that an input is for; none where it is for all.
    pub(crate) fn owners(input: &str) -> Vec<Self> {
        let owns = |kind: &Self| of_kind!(*kind, S => S::INPUTS).contains(&input);
        Self::ALL.iter().copied().filter(owns).collect()
    }

    /// Whether an input means something for this provider.
    pub(crate) fn knows(self, input: &str) -> bool {
        let owners = Self::owners(input);
        owners.is_empty() || owners.contains(&self)
    }

    /// Whether an input is a credential of this provider or a part of one.
    pub(crate) fn is_credential(self, input: &str) -> bool {
        input == "token" || of_kind!(self, S => S::CREDENTIALS).contains(&input)
    }

    pub(crate) fn default_server(self) -> &'static str {
        of_kind!(self, S => S::DEFAULT_SERVER)
    }

    pub(crate) fn is_public_host(self, host: &str) -> bool {
        of_kind!(self, S => S::is_public_host(host))
    }

    pub(crate) fn check_server(self, web: &Url) -> Result<(), &'static str> {
        of_kind!(self, S => S::check_server(web))
    }

    pub(crate) fn api_address(self, web: &Url) -> Url {
        of_kind!(self, S => S::api_address(web))
    }

    pub(crate) fn repository_form(self) -> &'static str {
        of_kind!(self, S => S::REPOSITORY_FORM)
    }

    pub(crate) fn check_name(self, name: &str) -> Result<(), &'static str> {
        of_kind!(self, S => S::check_name(name))
    }

    pub(crate) fn result_artifact(self, inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        of_kind!(self, S => S::result_artifact(inputs))
    }

    pub(crate) fn inherits(self, name: &str, step: &Inputs, own: &Inputs) -> bool {
        of_kind!(self, S => S::inherits(name, step, own))
    }

    pub(crate) const fn poll_intervals(self) -> PollIntervals {
        of_kind!(self, S => S::POLL_INTERVALS)
    }
}

/// See `ProviderSpec`.
impl AnySpec {
    pub(crate) fn pipeline(&self) -> String {
        of_any!(self, spec => spec.pipeline())
    }

    pub(crate) fn source(&self) -> Option<String> {
        of_any!(self, spec => spec.source())
    }

    pub(crate) fn identity(&self) -> String {
        of_any!(self, spec => spec.identity())
    }

    pub(crate) fn marker(&self) -> Option<&str> {
        of_any!(self, spec => spec.marker())
    }

    pub(crate) fn set_marker(&mut self, known: &str) {
        of_any!(self, spec => spec.set_marker(known));
    }

    pub(crate) fn how_to_mark(&self) -> Option<&'static str> {
        of_any!(self, spec => spec.how_to_mark())
    }

    pub(crate) fn event_type(&self) -> Option<&str> {
        of_any!(self, spec => spec.event_type())
    }

    pub(crate) fn request_parts(&self) -> Vec<String> {
        of_any!(self, spec => spec.request_parts())
    }

    pub(super) fn credential_parts(&self, repository: &str) -> CredentialParts<'_> {
        of_any!(self, spec => spec.credential_parts(repository))
    }
}
