//! The job in which the step runs.

/// The environment of the step, as its host describes it. Values aren't validated.
#[derive(Default)]
pub(crate) struct Caller {
    /// Web address of the server that runs the job. `None` means github.com.
    pub(crate) server_url: Option<EnvironmentVariable>,
    /// Address of that server's API.
    pub(crate) api_url: Option<EnvironmentVariable>,
    pub(crate) repository: Option<String>,
    /// Name of the forge if it isn't GitHub: others run the same workflows but have different APIs.
    pub(crate) forge: Option<&'static str>,
    /// Who starts jobs that get no secrets, in words.
    pub(crate) secrets_withheld_from: Option<&'static str>,
    /// The run of the workflow that the step is part of. `None` if the host doesn't say which.
    pub(crate) run: Option<CallingRun>,
}

impl Caller {
    /// Returns another reason why a secret may be missing, to be appended to "isn't set".
    pub(crate) fn or_withheld(&self) -> String {
        match self.secrets_withheld_from {
            Some(whom) => format!(", or it was withheld because {whom} started the workflow"),
            None => String::new(),
        }
    }
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
