//! The job that the step is a part of.

/// Where the step runs, as its host describes it. Nothing is checked.
#[derive(Default)]
pub(crate) struct Caller {
    /// The web address of the server that runs it; github.com if there is none.
    pub(crate) server_url: Option<EnvironmentVariable>,
    /// The address of that server's API.
    pub(crate) api_url: Option<EnvironmentVariable>,
    pub(crate) repository: Option<String>,
    /// The forge, if it isn't GitHub: others run the same workflows but have other APIs.
    pub(crate) forge: Option<&'static str>,
    /// Whose jobs get no secrets.
    pub(crate) secrets_withheld_from: Option<&'static str>,
}

impl Caller {
    /// Why a secret may be missing, to follow "is not set".
    pub(crate) fn or_withheld(&self) -> String {
        match self.secrets_withheld_from {
            Some(whom) => format!(", or withheld, as it is from {whom}"),
            None => String::new(),
        }
    }
}

/// An environment variable.
pub(crate) struct EnvironmentVariable {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}
