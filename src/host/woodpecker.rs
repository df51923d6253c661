//! Woodpecker and Drone: a plugin, whose `settings:` are variables that begin with `PLUGIN_`.

use std::path::PathBuf;

use super::variables::{self, OwnVariables};
use super::{Environment, Host};
use crate::model::{Caller, GivenInputs};

const PREFIX: &str = "PLUGIN_";
/// A setting that isn't an input.
const RESULTS_FILE: &str = "results-file";

/// Providers by the names that Woodpecker has for them.
const FORGES: [&str; 3] = ["github", "gitlab", "bitbucket"];

pub(super) struct Woodpecker {
    environment: Environment,
}

impl Woodpecker {
    pub(super) fn detect(environment: &Environment) -> Option<Self> {
        let is_here =
            environment.get("CI") == Some("woodpecker") || environment.get("DRONE") == Some("true");
        is_here.then(|| Self {
            environment: environment.clone(),
        })
    }
}

impl Host for Woodpecker {
    fn inputs(&self, declared: &[&str]) -> GivenInputs {
        let mut given =
            variables::read(&self.environment, OwnVariables::Prefixed(PREFIX), declared);
        given.values.remove(RESULTS_FILE);
        given
    }

    fn how_to_set_inputs(&self) -> &'static str {
        "set inputs under the step's `settings:`, such as `event-type`"
    }

    /// Drone doesn't say which forge the repository is on.
    fn caller(&self) -> Caller {
        let forge = self.environment.get("CI_FORGE_TYPE");
        let provider = FORGES.into_iter().find(|known| forge == Some(known));
        let is_known = provider.is_some();
        Caller {
            provider,
            server_url: self
                .environment
                .variable("CI_FORGE_URL")
                .filter(|_| is_known),
            repository: self.environment.text("CI_REPO").filter(|_| is_known),
            page: self
                .environment
                .text("CI_PIPELINE_URL")
                .or_else(|| self.environment.text("DRONE_BUILD_LINK")),
            credentials: variables::credentials(&self.environment),
            ..Caller::default()
        }
    }

    fn results_file(&self) -> Option<PathBuf> {
        self.environment
            .get("PLUGIN_RESULTS_FILE")
            .map(PathBuf::from)
    }
}
