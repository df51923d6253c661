//! Credentials from the host's environment, for targets that aren't given one.

use std::rc::Rc;

use super::{Destination, HostRepository};
use crate::model::{HostCredential, ServerScope};
use crate::providers::any::ProviderKind;
use crate::values::{INPUTS, InputError, Inputs, RawInput, Secrecy};

/// Adds the host's credential for a destination to its inputs, unless they have one. `is_step_server`: whether the step's
/// own inputs name this provider and server.
pub(super) fn add(
    inputs: &mut Inputs,
    host_repository: &HostRepository,
    destination: &Destination,
    is_step_server: bool,
) {
    let provider = destination.provider;
    if has_credential(inputs, provider) {
        return;
    }
    let is_for_it = |credential: &&HostCredential| {
        let server = &destination.server.web;
        let is_own = host_repository.is_own_server(provider, server);
        let is_public = || {
            let host = server.host_str().unwrap_or_default();
            provider.is_public_host(host) && server.scheme() == "https" && server.port().is_none()
        };
        credential.provider == provider.as_str()
            && match credential.scope {
                ServerScope::Host => is_own,
                ServerScope::PublicOrStep => is_own || is_step_server || is_public(),
            }
    };
    let credential = host_repository.credentials.iter().find(is_for_it);
    if let Some(credential) = credential {
        let value = RawInput::text(credential.secret.expose());
        inputs.insert(credential.input, Rc::new(value));
    }
}

/// Whether a secret is given, even if it's empty: then it was meant to be used.
fn has_credential(inputs: &Inputs, provider: ProviderKind) -> bool {
    let mut secrets = INPUTS
        .iter()
        .filter(|input| input.secrecy == Secrecy::Whole);
    secrets.any(|input| provider.is_credential(input.name) && inputs.has(input.name))
}

/// Rejects a credential of the host's own server that is meant for another one.
pub(super) fn sent_elsewhere(
    inputs: &Inputs,
    host_repository: &HostRepository,
    destination: &Destination,
) -> Option<InputError> {
    if host_repository.is_own_server(destination.provider, &destination.server.web) {
        return None;
    }
    let credentials = host_repository.credentials.iter();
    let mut bound = credentials.filter(|credential| credential.scope == ServerScope::Host);
    bound.find_map(|credential| {
        let is_given = |name: &&str| inputs.get(name) == Some(credential.secret.expose());
        let name = ["token", "trigger-token"].into_iter().find(is_given)?;
        let what = format!(
            "is this job's `{}`, which is only sent to the server that runs the job",
            credential.variable
        );
        let hint = format!("pass a token of {}", destination.server.web);
        Some(InputError::new(name, what).hint(hint))
    })
}
