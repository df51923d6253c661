//! GitLab CI: its variables, collapsible sections, and the files that a job's `artifacts:` collect.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::files::{self, Outputs};
use super::variables::{self, OwnVariables};
use super::{Environment, Host, Severity, Unwritable, terminal};
use crate::model::{Caller, GivenInputs, HostCredential, Secret, ServerScope};

/// Collected by `artifacts: reports: dotenv`.
const VARIABLES_FILE: &str = "trigger-pipeline.env";
/// Collected by `artifacts: reports: annotations`, which shows its links on the job's page.
const LINKS_FILE: &str = "trigger-pipeline.annotations.json";
const RESULTS_FILE: &str = "trigger-pipeline.results.json";
/// Time before the end of the job in which the step can still cancel its runs and report.
const TIME_TO_END: Duration = Duration::from_mins(1);

const CERTIFICATES: &str = "ca-certificates";

pub(super) struct GitLabCi {
    environment: Environment,
    outputs: Outputs,
    /// Number of sections so far: their names must differ.
    sections: Cell<usize>,
}

impl GitLabCi {
    pub(super) fn detect(environment: &Environment) -> Option<Self> {
        (environment.get("GITLAB_CI") == Some("true")).then(|| Self {
            environment: environment.clone(),
            outputs: Outputs::default(),
            sections: Cell::default(),
        })
    }

    /// Returns the path of a file in the job's project folder, where `artifacts:` looks for it.
    fn file(&self, name: &str) -> PathBuf {
        let folder = self.environment.get("CI_PROJECT_DIR").unwrap_or_default();
        PathBuf::from(folder).join(name)
    }
}

impl Host for GitLabCi {
    /// The runner's own CA is trusted without being asked for, because the job's server has a certificate from it.
    fn inputs(&self, declared: &[&str]) -> GivenInputs {
        let mut given = variables::read(&self.environment, OwnVariables::None, declared);
        let own = self.environment.get("CI_SERVER_TLS_CA_FILE");
        if let Some(certificates) = own.and_then(|path| fs::read_to_string(path).ok()) {
            let value = given.values.entry(CERTIFICATES.to_owned()).or_default();
            if value.trim().is_empty() {
                *value = certificates;
            }
        }
        given
    }

    fn how_to_set_inputs(&self) -> &'static str {
        "set inputs as variables, such as `INPUT_EVENT_TYPE` for `event-type`, or as flags: see `--help`"
    }

    fn caller(&self) -> Caller {
        let timeout = self.environment.number("CI_JOB_TIMEOUT");
        let mut credentials = variables::credentials(&self.environment);
        credentials.extend(
            self.environment
                .get("CI_JOB_TOKEN")
                .map(|token| HostCredential {
                    variable: "CI_JOB_TOKEN",
                    provider: "gitlab",
                    input: "trigger-token",
                    secret: Secret::new(token),
                    scope: ServerScope::Host,
                }),
        );
        Caller {
            provider: Some("gitlab"),
            server_url: self.environment.variable("CI_SERVER_URL"),
            api_url: self.environment.variable("CI_API_V4_URL"),
            repository: self.environment.text("CI_PROJECT_PATH"),
            why_withheld: Some("it's protected, and this branch or tag isn't"),
            page: self.environment.text("CI_PIPELINE_URL"),
            max_timeout: timeout
                .map(|seconds| Duration::from_secs(seconds).saturating_sub(TIME_TO_END)),
            credentials,
            ..Caller::default()
        }
    }

    fn is_public(&self) -> bool {
        self.environment.get("CI_PROJECT_VISIBILITY") == Some("public")
    }

    fn annotation(&self, severity: Severity, _title: &str, message: &str) -> String {
        terminal::coloured(severity, message)
    }

    fn line(&self, line: String) -> String {
        terminal::with_coloured_mark(line)
    }

    fn group(&self, title: &str) -> (String, Option<String>) {
        let number = self.sections.get() + 1;
        self.sections.set(number);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let name = format!("trigger_pipeline_{number}");
        (
            format!("\u{1b}[0Ksection_start:{now}:{name}[collapsed=true]\r\u{1b}[0K{title}"),
            Some(format!("\u{1b}[0Ksection_end:{now}:{name}\r\u{1b}[0K")),
        )
    }

    fn results_file(&self) -> Option<PathBuf> {
        Some(self.file(RESULTS_FILE))
    }

    fn set_outputs(&self, outputs: &[(&str, String)]) -> Result<bool, Unwritable> {
        self.outputs.set(outputs);
        let variables = self.outputs.variables().join("\n") + "\n";
        files::write(&self.file(VARIABLES_FILE), &variables)?;
        let links = links(&self.outputs.get("results"), &self.outputs.get("run-url"));
        files::write(&self.file(LINKS_FILE), &links)?;
        Ok(true)
    }
}

#[derive(Serialize)]
struct ExternalLink<'a> {
    external_link: LabelledLink<'a>,
}

#[derive(Serialize)]
struct LabelledLink<'a> {
    label: String,
    url: &'a str,
}

/// Returns the report of links to the runs. Until `results` is complete, only the first run's address is known.
fn links(results: &str, run_url: &str) -> String {
    #[derive(Deserialize)]
    struct ReportedTarget {
        repository: Option<String>,
        #[serde(default)]
        runs: Vec<ReportedRun>,
    }
    #[derive(Deserialize)]
    struct ReportedRun {
        number: Option<u64>,
        id: String,
        url: String,
    }
    let targets: Vec<ReportedTarget> = serde_json::from_str(results).unwrap_or_default();
    let link = |label, url| ExternalLink {
        external_link: LabelledLink { label, url },
    };
    let runs = targets.iter().flat_map(|target| {
        let repository = target.repository.as_deref().unwrap_or_default();
        target.runs.iter().map(move |run| {
            let number = run
                .number
                .map_or_else(|| run.id.clone(), |number| number.to_string());
            link(format!("{repository} #{number}"), run.url.as_str())
        })
    });
    let mut runs: Vec<_> = runs.collect();
    if runs.is_empty() && !run_url.is_empty() {
        runs.push(link("Triggered run".to_owned(), run_url));
    }
    let report = BTreeMap::from([("Triggered runs", runs)]);
    serde_json::to_string(&report).unwrap_or_default()
}
