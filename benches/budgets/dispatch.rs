//! The dispatch that is measured, a `repository_dispatch`: its world, and the commands that send it. Not here:
//! measuring.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sandbox::world::{GitHubRepository, GitHubToken, Workflow};
use sandbox::{RecordedRequest, World};

use crate::fixture::Fixture;
use crate::process;
use crate::request::{explicit_headers, facts};

const REPOSITORY: &str = "octo-org/app";
const EVENT_TYPE: &str = "deploy";
const PAYLOAD: &str = r#"{"environment": "production", "version": "1.10"}"#;
const TOKEN: &str = "ghp_sandboxBenchmarks000000000000000000000";

const INPUTS: [(&str, &str); 4] = [
    ("token", TOKEN),
    ("repository", REPOSITORY),
    ("event-type", EVENT_TYPE),
    ("client-payload", PAYLOAD),
];

pub(crate) struct Dispatch {
    fixture: Fixture,
}

impl Dispatch {
    pub(crate) fn prepare(program: &Path) -> Result<Self> {
        let fixture = Fixture::prepare(world(), program)?;
        Ok(Self { fixture })
    }

    /// A folder for files, removed at the end of the benchmark.
    pub(crate) fn folder(&self) -> &Path {
        self.fixture.folder()
    }

    pub(crate) fn authority(&self) -> &str {
        self.fixture.authority()
    }

    /// The variables that the runner sets for the step, except those of its files.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        self.fixture.environment(&INPUTS)
    }

    /// The binary, as the runner would start it.
    pub(crate) fn ours(&self) -> impl Fn() -> Command + use<> {
        self.fixture.ours(&INPUTS)
    }

    /// curl, sending exactly the same request and trusting the same certificates.
    pub(crate) fn curl(&self) -> Result<impl Fn() -> Command + use<>> {
        let ours = self.request_of(self.ours()())?;
        // Ignore the user's .curlrc.
        let mut arguments = ["--disable", "--silent", "--show-error", "--fail"]
            .map(str::to_owned)
            .to_vec();
        let mut option = |name: &str, value: &str| {
            arguments.extend([name.to_owned(), value.to_owned()]);
        };
        option("--output", "/dev/null");
        option("--cacert", &self.fixture.bundle().display().to_string());
        option("--request", &ours.method);
        for (name, value) in explicit_headers(&ours) {
            option("--header", &format!("{name}: {value}"));
        }
        option("--data-raw", std::str::from_utf8(&ours.body)?);
        option("--url", &(self.fixture.server() + &ours.path));
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

    /// Does the work, and checks that it started one run with one request.
    pub(crate) fn starting_one_run<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (done, _) = self.fixture.starting(1, work)?;
        Ok(done)
    }

    fn request_of(&self, mut command: Command) -> Result<RecordedRequest> {
        let ((), mut requests) = self.fixture.starting(1, || process::finish(&mut command))?;
        requests.pop().context("the sandbox remembers no request")
    }
}

/// The minimum for one dispatch to start one run.
fn world() -> World {
    let workflow = Workflow::new(1, "deploy.yml", "Deploy").on_repository_dispatch(&[EVENT_TYPE]);
    World::new()
        .github_repository(GitHubRepository::new(1, REPOSITORY).workflow(workflow))
        .github_token(GitHubToken::classic(TOKEN, "octocat", &["repo"]).for_repository(REPOSITORY))
}
