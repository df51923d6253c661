//! Decides what an entry of `targets` inherits from the step's inputs: everything that applies to it, but credentials
//! only for the provider and server to which the step itself would send them. Invalid values are reported elsewhere.

use super::super::HostRepository;
use super::super::location::{self, Location, ServerLocation};
use super::super::wait::ONLY_WITH_WAIT;
use super::STEPS_ALONE;
use crate::providers::any::ProviderKind;
use crate::values::{InputError, Inputs};

/// Keys that determine a target's location.
pub(super) const WHERE: [&str; 3] = ["provider", "server-url", "repository"];

const SECRETS: &str = "secret-variables";

/// The step's inputs as defaults for the entries.
pub(super) struct Defaults<'step> {
    step: &'step Inputs,
    /// Provider and server of the step's own inputs. `None` if they are invalid.
    site: Option<ServerLocation>,
    provider: Option<ProviderKind>,
}

impl<'step> Defaults<'step> {
    pub(super) fn new(step: &'step Inputs, host_repository: &HostRepository) -> Self {
        let site = location::site(step, host_repository).ok();
        let provider = match &site {
            Some(site) => Some(site.provider),
            None => location::provider(step).ok().flatten(),
        };
        Self {
            step,
            site,
            provider,
        }
    }

    /// Returns the inputs that determine the location of an entry's target and which certificates are trusted there.
    pub(super) fn ground(&self, own: &Inputs) -> Inputs {
        let by_url = is_by_url(own) && !self.is_on_steps_server(own);
        let elsewhere = self.is_another_provider(own);
        own.with(self.step, |name| match name {
            "provider" => !by_url,
            "server-url" => !by_url && !elsewhere,
            "repository" => !elsewhere,
            "ca-certificates" => true,
            _ => false,
        })
    }

    /// Whether an entry's web URL is on the step's server.
    fn is_on_steps_server(&self, own: &Inputs) -> bool {
        let site = self.site.as_ref();
        own.get("repository")
            .zip(site)
            .is_some_and(|(url, site)| location::is_on(url, &site.server))
    }

    /// Whether an entry has a different provider than the step.
    fn is_another_provider(&self, own: &Inputs) -> bool {
        let asked = match location::provider(own) {
            Ok(Some(provider)) => Some(provider),
            // An empty `provider` means the default, unless a web URL determines it.
            Ok(None) if own.has("provider") && !is_by_url(own) && !is_by_url(self.step) => {
                Some(ProviderKind::DEFAULT)
            }
            Ok(None) | Err(_) => None,
        };
        matches!((asked, self.provider), (Some(asked), Some(steps)) if asked != steps)
    }

    /// Returns all inputs of an entry for this provider. The location is `None` if it's invalid.
    pub(super) fn all(
        &self,
        own: &Inputs,
        ground: &Inputs,
        provider: ProviderKind,
        place: Option<&Location>,
    ) -> Inputs {
        let waits = if own.has("wait") { own } else { self.step };
        // An invalid `wait` is reported where it's read.
        let waits = waits.boolean("wait").unwrap_or(true);
        let is_at = match place {
            Some(place) => self.is_at(place),
            None => self.provider.is_none_or(|steps| steps == provider),
        };
        ground.with(self.step, |name| match name {
            "github-token" => true,
            _ if WHERE.contains(&name) || STEPS_ALONE.contains(&name) => false,
            _ if !provider.knows(name) || !provider.inherits(name, self.step, own) => false,
            _ if provider.is_credential(name) => is_at && self.inherits_credential(name, own),
            SECRETS => is_at,
            "result-artifact" => waits && self.provider == Some(provider),
            _ => waits || !ONLY_WITH_WAIT.contains(&name),
        })
    }

    /// Rejects an entry for another provider or server that would otherwise inherit the step's `secret-variables`.
    pub(super) fn refused_secrets(&self, own: &Inputs, place: &Location) -> Option<InputError> {
        let is_set = self.step.raw(SECRETS).is_some();
        let is_refused =
            is_set && !own.has(SECRETS) && place.provider.knows(SECRETS) && !self.is_at(place);
        is_refused.then(|| {
            let message = "the step's own are sent only to the step's provider and server: set them for this target too, or write `{}` for none";
            InputError::new(SECRETS, message)
        })
    }

    /// Whether a location has the step's own provider and server.
    fn is_at(&self, place: &Location) -> bool {
        self.site
            .as_ref()
            .is_some_and(|site| site.provider == place.provider && site.server == place.server.web)
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

fn is_by_url(inputs: &Inputs) -> bool {
    inputs.get("repository").is_some_and(location::is_web_url)
}
