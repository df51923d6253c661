//! Decides what an entry of `targets` inherits from the step's inputs: everything that applies to it, but credentials
//! only for the provider and server to which the step itself would send them. Invalid values are reported elsewhere.

use super::super::HostRepository;
use super::super::destination::{self, Destination, ResolvedServer};
use super::super::follow::{self, FOLLOW, Named, TRIGGER_INPUTS};
use super::super::wait;
use super::STEP_ONLY;
use crate::model::WaitUntil;
use crate::providers::any::ProviderKind;
use crate::values::{InputError, Inputs};

/// Keys that determine a target's destination.
pub(super) const DESTINATION_KEYS: [&str; 3] = ["provider", "server-url", "repository"];

const SECRETS: &str = "secret-variables";

/// The step's inputs as defaults for the entries.
pub(super) struct Defaults<'step> {
    step: &'step Inputs,
    /// Provider and server of the step's own inputs. `None` if they are invalid.
    step_server: Option<ResolvedServer>,
    provider: Option<ProviderKind>,
    /// The provider if none is named.
    default: ProviderKind,
}

impl<'step> Defaults<'step> {
    pub(super) fn new(step: &'step Inputs, host_repository: &HostRepository) -> Self {
        let step_server = destination::resolve_server(step, host_repository).ok();
        let provider = match &step_server {
            Some(step_server) => Some(step_server.provider),
            None => destination::provider(step).ok().flatten(),
        };
        Self {
            step,
            step_server,
            provider,
            default: host_repository.provider,
        }
    }

    /// Returns the inputs that determine the destination of an entry's target and which certificates are trusted there.
    pub(super) fn destination_inputs(&self, own: &Inputs) -> Inputs {
        let by_url = has_web_url(own) && !self.is_on_step_server(own);
        let elsewhere = self.has_another_provider(own);
        own.with(self.step, |name| match name {
            "provider" => !by_url,
            "server-url" => !by_url && !elsewhere,
            "repository" => !elsewhere,
            "ca-certificates" => true,
            _ => false,
        })
    }

    /// Whether an entry's web URL is on the step's server.
    fn is_on_step_server(&self, own: &Inputs) -> bool {
        let step_server = self.step_server.as_ref();
        own.get("repository")
            .zip(step_server)
            .is_some_and(|(url, step_server)| destination::is_on(url, &step_server.server))
    }

    /// Whether an entry has a different provider than the step.
    fn has_another_provider(&self, own: &Inputs) -> bool {
        let wanted = match destination::provider(own) {
            Ok(Some(provider)) => Some(provider),
            // An empty `provider` means the default, unless a web URL determines it.
            Ok(None) if own.has("provider") && !has_web_url(own) && !has_web_url(self.step) => {
                Some(self.default)
            }
            Ok(None) | Err(_) => None,
        };
        matches!((wanted, self.provider), (Some(wanted), Some(step_provider)) if wanted != step_provider)
    }

    /// Returns what the step's own `follow` names. Empty if it isn't set, or invalid.
    pub(super) fn named(&self) -> Vec<Named> {
        let only_follow = Inputs::default().with(self.step, |name| name == FOLLOW);
        follow::read(&only_follow)
            .ok()
            .flatten()
            .unwrap_or_default()
    }

    /// Returns an entry's own keys, with the step's `follow` unless the entry says what to trigger.
    pub(super) fn with_follow(&self, own: &Inputs) -> Inputs {
        let triggers = own.has("repository") || TRIGGER_INPUTS.iter().any(|name| own.has(name));
        own.with(self.step, |name| name == FOLLOW && !triggers)
    }

    /// Returns all inputs of an entry for this provider. The destination is `None` if it's invalid.
    pub(super) fn all(
        &self,
        own: &Inputs,
        destination_inputs: &Inputs,
        provider: ProviderKind,
        destination: Option<&Destination>,
    ) -> Inputs {
        let follows = own.raw(FOLLOW).is_some();
        let waits = if own.has("wait") { own } else { self.step };
        let until = if follows {
            Some(WaitUntil::End)
        } else {
            // An invalid `wait` is reported where it's read.
            wait::until(waits).unwrap_or(Some(WaitUntil::End))
        };
        let is_same_server = match destination {
            Some(destination) => self.is_same_server(destination),
            None => self
                .provider
                .is_none_or(|step_provider| step_provider == provider),
        };
        destination_inputs.with(self.step, |name| match name {
            "github-token" => true,
            FOLLOW => false,
            "wait" if follows => false,
            _ if follows && TRIGGER_INPUTS.contains(&name) => false,
            _ if DESTINATION_KEYS.contains(&name) || STEP_ONLY.contains(&name) => false,
            _ if !provider.knows(name) || !provider.inherits(name, self.step, own) => false,
            _ if provider.is_credential(name) => {
                is_same_server && self.inherits_credential(name, own)
            }
            SECRETS => is_same_server,
            "result-artifact" if self.provider != Some(provider) => false,
            _ => wait::applies(name, until),
        })
    }

    /// Rejects an entry for another provider or server that would otherwise inherit the step's `secret-variables`.
    pub(super) fn secrets_not_inherited(
        &self,
        own: &Inputs,
        destination: &Destination,
    ) -> Option<InputError> {
        let is_set = self.step.raw(SECRETS).is_some();
        let is_refused = is_set
            && !own.has(SECRETS)
            && destination.provider.knows(SECRETS)
            && !self.is_same_server(destination);
        is_refused.then(|| {
            let what = "is missing. The step's own are only sent to the step's provider and server";
            InputError::new(SECRETS, what)
                .hint("set `secret-variables` for this target too, or to `{}` for none")
        })
    }

    /// Whether a destination has the step's own provider and server.
    pub(super) fn is_same_server(&self, destination: &Destination) -> bool {
        self.step_server.as_ref().is_some_and(|step_server| {
            step_server.provider == destination.provider
                && step_server.server == destination.server.web
        })
    }

    /// Whether an entry on the step's server inherits this credential, given the entry's own keys.
    fn inherits_credential(&self, name: &str, own: &Inputs) -> bool {
        if name != "token" {
            // An own token is another identity, even if it's empty because it was withheld.
            return !own.has("token");
        }
        let token = self.step.get(name);
        token.is_none() || token != self.step.get("github-token")
    }
}

fn has_web_url(inputs: &Inputs) -> bool {
    inputs
        .get("repository")
        .is_some_and(destination::is_web_url)
}
