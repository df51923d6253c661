//! The repository in which the step runs.

use std::time::Duration;

use url::Url;

use super::destination::{self, Destination};
use crate::model::{Caller, CallingRun, EnvironmentVariable, HostCredential};
use crate::providers::any::ProviderKind;
use crate::providers::location::{Server, fixed, path_on};
use crate::providers::provider::Distance;
use crate::values::Checked;

/// The repository in which the step runs, with its server.
pub(super) struct HostRepository {
    pub(super) provider: ProviderKind,
    pub(super) server: Server,
    pub(super) repository: Option<String>,
    /// Name of the forge if it only imitates that provider.
    pub(super) forge: Option<&'static str>,
    /// The run whose job runs this step.
    pub(super) calling_run: Option<CallingRun>,
    /// Its web page.
    pub(super) calling_page: Option<String>,
    /// Time after which the host ends the job.
    pub(super) max_timeout: Option<Duration>,
    /// Credentials from the host's environment.
    pub(super) credentials: Vec<HostCredential>,
    /// Another reason why a secret may be missing, to be appended to "isn't set".
    pub(super) or_withheld: String,
}

impl HostRepository {
    /// Uses the provider's public server if the caller names none.
    pub(super) fn read(caller: &Caller) -> Checked<Self> {
        let provider = caller.provider.and_then(ProviderKind::by_id);
        let provider = provider.unwrap_or(ProviderKind::DEFAULT);
        let url = |variable: &EnvironmentVariable| {
            destination::server_address(&variable.value)
                .map_err(|error| vec![error.of_variable(variable.name)])
        };
        let web = match &caller.server_url {
            Some(variable) => url(variable)?,
            None => fixed(provider.default_server()),
        };
        let api = match &caller.api_url {
            Some(variable) => url(variable)?,
            None => provider.api_address(&web),
        };
        Ok(Self {
            provider,
            server: Server { web, api },
            repository: caller.repository.clone(),
            forge: caller.forge,
            calling_run: caller.run.clone(),
            calling_page: caller.page.clone(),
            max_timeout: caller.max_timeout,
            credentials: caller.credentials.clone(),
            or_withheld: caller.or_withheld(),
        })
    }

    /// Whether an address is on the step's server, below that server's path.
    pub(super) fn contains(&self, address: &Url) -> bool {
        path_on(&self.server.web, address).is_some()
    }

    /// Whether this is the step's own provider and server.
    pub(super) fn is_own_server(&self, provider: ProviderKind, server: &Url) -> bool {
        self.provider == provider && self.server.web == *server
    }

    pub(super) fn distance(&self, destination: &Destination) -> Distance<'_> {
        if !self.is_own_server(destination.provider, &destination.server.web) {
            return Distance::OtherServer;
        }
        match self.repository.as_deref() {
            Some(own) if !own.eq_ignore_ascii_case(&destination.repository) => {
                Distance::SameServer { own }
            }
            Some(_) | None => Distance::SameRepository,
        }
    }
}
