//! Shared by all measurements: a sandbox, and the binary as the runner would start it. Not here: what is triggered
//! (see `dispatch` and `fanout`), and measuring.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use sandbox::world::State;
use sandbox::{RecordedRequest, Sandbox, World, action};
use tempfile::TempDir;

/// The system's CA bundle, where common distributions have it.
const SYSTEM_BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// The runner's files.
const OUTPUT: &str = "output";
const SUMMARY: &str = "summary";

pub(crate) struct Fixture {
    sandbox: Sandbox,
    folder: TempDir,
    program: PathBuf,
    /// The sandbox's CA, which the binary trusts besides its compiled-in roots.
    authority: PathBuf,
    /// The system's certificates and the sandbox's CA, which rivals trust.
    bundle: PathBuf,
}

impl Fixture {
    /// `program` is the one to measure.
    pub(crate) fn prepare(world: World, program: &Path) -> Result<Self> {
        let sandbox = Sandbox::start(world).context("failed to start the sandbox")?;
        let folder = TempDir::new()?;
        let authority = folder.path().join("authority.pem");
        fs::write(&authority, sandbox.ca_pem())?;
        let bundle = folder.path().join("bundle.pem");
        let system = SYSTEM_BUNDLES
            .iter()
            .find_map(|path| fs::read_to_string(path).ok());
        let system = system.context("this system has no bundle of certificates")?;
        fs::write(&bundle, system + sandbox.ca_pem())?;
        Ok(Self {
            sandbox,
            folder,
            program: program.to_owned(),
            authority,
            bundle,
        })
    }

    /// A folder for files, removed at the end of the benchmark.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn bundle(&self) -> &Path {
        &self.bundle
    }

    pub(crate) fn authority(&self) -> &str {
        self.sandbox.ca_pem()
    }

    /// The sandbox's address.
    pub(crate) fn server(&self) -> String {
        self.sandbox.https_url()
    }

    /// The variables that the runner sets for a step with these inputs, except those of its files.
    pub(crate) fn environment(&self, inputs: &[(&str, &str)]) -> Vec<(String, String)> {
        let server = self.server();
        let runner = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_API_URL", format!("{server}/api/v3")),
            ("GITHUB_SERVER_URL", server),
            ("GITHUB_REPOSITORY", "octo-org/caller".to_owned()),
        ];
        let runner = runner.map(|(name, value)| (name.to_owned(), value));
        let inputs = inputs
            .iter()
            .map(|(name, value)| (action::variable(name), (*value).to_owned()));
        let mut environment = action::defaults("ghs_sandboxWorkflow00000000000000000000");
        environment.extend(runner);
        environment.extend(inputs);
        environment
    }

    /// The binary, as the runner would start it for a step with these inputs.
    pub(crate) fn ours(&self, inputs: &[(&str, &str)]) -> impl Fn() -> Command + use<> {
        let mut environment = self.environment(inputs);
        let files = [
            ("SSL_CERT_FILE", self.authority.clone()),
            ("GITHUB_OUTPUT", self.folder.path().join(OUTPUT)),
            ("GITHUB_STEP_SUMMARY", self.folder.path().join(SUMMARY)),
        ];
        environment.extend(files.map(|(name, path)| (name.to_owned(), path.display().to_string())));
        let program = self.program.clone();
        move || {
            let mut command = Command::new(&program);
            command.env_clear().envs(environment.clone());
            command
        }
    }

    /// Does the work, checks that it started this many runs with one request each, and also returns the requests.
    pub(crate) fn starting<T>(
        &self,
        expected: usize,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Vec<RecordedRequest>)> {
        let before = self.sandbox.request_count();
        self.clear()?;
        let done = work()?;
        let runs = self.sandbox.with_world(|world| world.runs.len());
        let requests = self.sandbox.requests_after(before);
        if (runs, requests.len()) != (expected, expected) {
            let sent = requests.len();
            bail!(
                "{expected} triggers should be as many runs by as many requests: {runs} runs, {sent} requests"
            );
        }
        Ok((done, requests))
    }

    /// Does the work, and checks that it started this many runs and that all of them have completed.
    pub(crate) fn finishing<T>(
        &self,
        expected: usize,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.clear()?;
        let done = work()?;
        let runs = self.sandbox.runs();
        let is_over = |run: &&sandbox::Run| run.state == State::Completed;
        let over = runs.iter().filter(is_over).count();
        ensure!(
            (runs.len(), over) == (expected, expected),
            "{expected} waited triggers should be as many runs that are over: {} runs, {over} over",
            runs.len()
        );
        Ok(done)
    }

    /// Gives each round the same world and empty files, so that no round slows down the next.
    fn clear(&self) -> Result<()> {
        self.sandbox.with_world(|world| world.runs.clear());
        for file in [OUTPUT, SUMMARY] {
            fs::write(self.folder.path().join(file), "")?;
        }
        Ok(())
    }
}
