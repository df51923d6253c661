//! The job in which the step runs.

use std::time::Duration;

use super::Secret;

/// The environment of the step, as its host describes it. Values aren't validated.
#[derive(Default)]
pub(crate) struct Caller {
    /// Id of the provider that runs the job. `None` if it's another CI system, or none.
    pub(crate) provider: Option<&'static str>,
    /// Web address of the server that runs the job. `None` means the provider's public one.
    pub(crate) server_url: Option<EnvironmentVariable>,
    /// Address of that server's API.
    pub(crate) api_url: Option<EnvironmentVariable>,
    pub(crate) repository: Option<String>,
    /// Name of the forge if it isn't GitHub: others run the same workflows but have different APIs.
    pub(crate) forge: Option<&'static str>,
    /// Why a secret that is set may still be missing here, as a sentence about it.
    pub(crate) why_withheld: Option<&'static str>,
    /// The web page of the run whose job runs this step.
    pub(crate) page: Option<String>,
    /// How long the step can wait at most before the host ends its job.
    pub(crate) max_timeout: Option<Duration>,
    /// Credentials from the environment, for targets that aren't given one. The first for a provider counts.
    pub(crate) credentials: Vec<HostCredential>,
    /// The run of the workflow that the step is part of. `None` if the host doesn't say which.
    pub(crate) run: Option<CallingRun>,
}

impl Caller {
    /// Returns another reason why a secret may be missing, to be appended to "isn't set".
    pub(crate) fn or_withheld(&self) -> String {
        let why = self.why_withheld.map(|why| format!(", or {why}"));
        why.unwrap_or_default()
    }
}

/// A credential that the host's environment holds.
#[derive(Clone)]
pub(crate) struct HostCredential {
    pub(crate) variable: &'static str,
    /// Id of the provider that it is for.
    pub(crate) provider: &'static str,
    /// The input that it stands for.
    pub(crate) input: &'static str,
    pub(crate) secret: Secret,
    pub(crate) scope: ServerScope,
}

/// The servers to which a credential is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerScope {
    /// The one that runs the job.
    Host,
    /// The provider's public ones, the one that runs the job, and the one in the step's own `server-url`.
    PublicOrStep,
}

pub(crate) struct EnvironmentVariable {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// The run whose job runs this step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallingRun {
    /// Its id in the API of the caller's server. A re-run keeps it.
    pub(crate) id: u64,
    /// 1, and one more for each re-run.
    pub(crate) attempt: u64,
    /// The job's key in the workflow. Empty if it isn't known.
    pub(crate) job: String,
    /// The web page of this attempt.
    pub(crate) url: String,
}

impl CallingRun {
    /// Whether an address is that of the run's page, or of one of its attempts.
    pub(crate) fn is_at(&self, url: &str) -> bool {
        let page = |url: &str| {
            let run = url.split("/attempts/").next();
            run.unwrap_or_default().to_ascii_lowercase()
        };
        page(&self.url) == page(url)
    }
}
