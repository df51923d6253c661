//! Bitbucket Pipelines: a pipe, or a script of a step.

use std::fs;
use std::path::PathBuf;

use super::files::{self, Outputs};
use super::variables::{self, OwnVariables};
use super::{Environment, Host, Unwritable};
use crate::model::{Caller, GivenInputs};

const RESULTS_FILE: &str = "trigger-pipeline.results.json";

pub(super) struct BitbucketPipelines {
    environment: Environment,
    outputs: Outputs,
}

impl BitbucketPipelines {
    pub(super) fn detect(environment: &Environment) -> Option<Self> {
        let is_here = environment.get("BITBUCKET_BUILD_NUMBER").is_some();
        is_here.then(|| Self {
            environment: environment.clone(),
            outputs: Outputs::default(),
        })
    }

    /// Whether the step is a pipe, whose `variables:` are the only ones beside Bitbucket's own.
    fn is_pipe(&self) -> bool {
        self.environment.get("BITBUCKET_PIPE_STORAGE_DIR").is_some()
    }
}

impl Host for BitbucketPipelines {
    fn inputs(&self, declared: &[&str]) -> GivenInputs {
        let own = if self.is_pipe() {
            OwnVariables::Bare
        } else {
            OwnVariables::None
        };
        variables::read(&self.environment, own, declared)
    }

    fn how_to_set_inputs(&self) -> &'static str {
        "set inputs under the pipe's `variables:`, such as `EVENT_TYPE` for `event-type`; a script can use flags: see `--help`"
    }

    fn caller(&self) -> Caller {
        let repository = self.environment.text("BITBUCKET_REPO_FULL_NAME");
        let number = self.environment.get("BITBUCKET_BUILD_NUMBER");
        let page = repository.as_ref().zip(number);
        Caller {
            provider: Some("bitbucket"),
            page: page.map(|(repository, number)| {
                format!("https://bitbucket.org/{repository}/pipelines/results/{number}")
            }),
            repository,
            why_withheld: self
                .is_pipe()
                .then_some("it isn't passed on under the pipe's `variables:`"),
            credentials: variables::credentials(&self.environment),
            ..Caller::default()
        }
    }

    fn results_file(&self) -> Option<PathBuf> {
        let folder = self.environment.get("BITBUCKET_CLONE_DIR")?;
        Some(PathBuf::from(folder).join(RESULTS_FILE))
    }

    /// The step must also list the variables under `output-variables:`.
    fn set_outputs(&self, outputs: &[(&str, String)]) -> Result<bool, Unwritable> {
        self.outputs.set(outputs);
        let Some(path) = self.environment.get("BITBUCKET_PIPELINES_VARIABLES_PATH") else {
            return Ok(false);
        };
        // Other pipes of the step write to the same file.
        let others = fs::read_to_string(path).unwrap_or_default();
        let others = others.lines().filter(|line| !files::is_own_variable(line));
        let mut lines: Vec<_> = others.map(str::to_owned).collect();
        lines.extend(self.outputs.variables());
        files::write(path.as_ref(), &(lines.join("\n") + "\n"))?;
        Ok(true)
    }
}
