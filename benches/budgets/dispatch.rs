//! The one request that is measured, a `repository_dispatch`: the sandbox that takes it, and the commands that send
//! it. Not here: measuring.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use sandbox::world::{GithubRepository, GithubToken, Workflow};
use sandbox::{RecordedRequest, Sandbox, World};
use tempfile::TempDir;

use crate::process;
use sandbox::action;

/// The certificates that this system trusts, where the common distributions have them.
const SYSTEM_BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

const REPOSITORY: &str = "octo-org/app";
const EVENT_TYPE: &str = "deploy";
const PAYLOAD: &str = r#"{"environment": "production", "version": "1.10"}"#;
const TOKEN: &str = "ghp_sandboxBenchmarks000000000000000000000";

/// What curl sets by itself, from the address and the body.
const OWN_HEADERS: [&str; 2] = ["host", "content-length"];

pub(crate) struct Dispatch {
    sandbox: Sandbox,
    folder: TempDir,
    /// The system's certificates, and the sandbox's authority.
    bundle: PathBuf,
}

impl Dispatch {
    pub(crate) fn prepare() -> Result<Self> {
        let sandbox = Sandbox::start(world()).context("failed to start the sandbox")?;
        let folder = TempDir::new()?;
        let bundle = folder.path().join("bundle.pem");
        let system = SYSTEM_BUNDLES
            .iter()
            .find_map(|path| fs::read_to_string(path).ok());
        let system = system.context("this system has no bundle of certificates")?;
        fs::write(&bundle, system + sandbox.ca_pem())?;
        Ok(Self {
            sandbox,
            folder,
            bundle,
        })
    }

    /// A folder for files that go when the benchmark ends.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn authority(&self) -> &str {
        self.sandbox.ca_pem()
    }

    /// What the runner sets for the step, but for its files.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let server = self.sandbox.https_url();
        let runner = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_API_URL", format!("{server}/api/v3")),
            ("GITHUB_SERVER_URL", server),
            ("GITHUB_REPOSITORY", "octo-org/caller".to_owned()),
        ];
        let inputs = [
            ("token", TOKEN),
            ("repository", REPOSITORY),
            ("event-type", EVENT_TYPE),
            ("client-payload", PAYLOAD),
        ];
        let runner = runner.map(|(name, value)| (name.to_owned(), value));
        let inputs = inputs.map(|(name, value)| (action::variable(name), value.to_owned()));
        let mut environment = action::defaults("ghs_sandboxWorkflow00000000000000000000");
        environment.extend(runner);
        environment.extend(inputs);
        environment
    }

    /// The binary, as the runner would start it.
    pub(crate) fn ours(&self) -> impl Fn() -> Command {
        let mut environment = self.environment();
        let files = [
            ("SSL_CERT_FILE", self.bundle.clone()),
            ("GITHUB_OUTPUT", self.folder.path().join("output")),
            ("GITHUB_STEP_SUMMARY", self.folder.path().join("summary")),
        ];
        environment.extend(files.map(|(name, path)| (name.to_owned(), path.display().to_string())));
        move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_trigger-pipeline"));
            command.env_clear().envs(environment.clone());
            command
        }
    }

    /// curl, sending the very request that ours sends, trusting the same certificates.
    pub(crate) fn curl(&self) -> Result<impl Fn() -> Command> {
        let ours = self.request_of(self.ours()())?;
        // Its own settings file is left out.
        let mut arguments = ["--disable", "--silent", "--show-error", "--fail"]
            .map(str::to_owned)
            .to_vec();
        let mut option = |name: &str, value: &str| {
            arguments.extend([name.to_owned(), value.to_owned()]);
        };
        option("--output", "/dev/null");
        option("--cacert", &self.bundle.display().to_string());
        option("--request", &ours.method);
        for (name, value) in headers(&ours) {
            if !OWN_HEADERS.contains(&name.as_str()) {
                option("--header", &format!("{name}: {value}"));
            }
        }
        option("--data-raw", std::str::from_utf8(&ours.body)?);
        option("--url", &(self.sandbox.https_url() + &ours.path));
        let curl = move || {
            let mut command = Command::new("curl");
            let path = env::var_os("PATH").unwrap_or_default();
            command.args(&arguments).env_clear().env("PATH", path);
            command
        };

        let theirs = self.request_of(curl())?;
        ensure!(
            facts(&ours) == facts(&theirs),
            "curl does not send the same:\n{:#?}\n{:#?}",
            facts(&ours),
            facts(&theirs)
        );
        Ok(curl)
    }

    /// Does the work, and proves that it started one run, by one request.
    pub(crate) fn starting_one_run<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let count = || (self.sandbox.runs().len(), self.sandbox.requests().len());
        let (runs, requests) = count();
        let done = work()?;
        let (runs_now, requests_now) = count();
        if (runs_now, requests_now) != (runs + 1, requests + 1) {
            let started = runs_now - runs;
            let sent = requests_now - requests;
            bail!("one dispatch should be one run by one request: {started} runs, {sent} requests");
        }
        Ok(done)
    }

    fn request_of(&self, mut command: Command) -> Result<RecordedRequest> {
        self.starting_one_run(|| process::finish(&mut command))?;
        self.sandbox
            .requests()
            .pop()
            .context("the sandbox remembers no request")
    }
}

/// Just enough for one dispatch to start one run.
fn world() -> World {
    let workflow = Workflow::new(1, "deploy.yml", "Deploy").on_repository_dispatch(&[EVENT_TYPE]);
    World::new()
        .github_repository(GithubRepository::new(1, REPOSITORY).workflow(workflow))
        .github_token(GithubToken::classic(TOKEN, "octocat", &["repo"]).for_repository(REPOSITORY))
}

/// In an order that does not depend on who sent them.
fn headers(request: &RecordedRequest) -> Vec<(String, String)> {
    let headers = request.headers.0.iter();
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .collect();
    headers.sort();
    headers
}

/// What two requests must have in common to be the same.
type Facts = (bool, String, String, String, Vec<(String, String)>, String);

fn facts(request: &RecordedRequest) -> Facts {
    (
        request.tls,
        request.method.clone(),
        request.path.clone(),
        request.query.clone(),
        headers(request),
        String::from_utf8_lossy(&request.body).into_owned(),
    )
}
