//! Runs a step and reads its outputs, log and files by the runner's rules. Checks for every step that no secret is
//! shown, that only known workflow commands are printed, and that all outputs are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Sandbox, World, action, demo};
use tempfile::TempDir;

use crate::troubleshooting;

/// The outputs of the action.
pub(crate) const OUTPUTS: [&str; 7] = [
    "outcome",
    "run-id",
    "run-url",
    "trigger-id",
    "conclusion",
    "result",
    "results",
];

/// The workflow commands that the action prints.
const COMMANDS: [&str; 6] = ["add-mask", "error", "warning", "debug", "group", "endgroup"];

/// Inputs whose values must never be shown.
const SECRET_INPUTS: [&str; 4] = ["token", "trigger-token", "private-key", "github-token"];

/// The repository of the action, and the version that a workflow uses.
const ACTION: &str = "octo-org/trigger-pipeline";
const VERSION: &str = "v1";

/// The program's name in the second process.
pub(crate) const SECOND_CHANCE: &str = "trigger-pipeline-post";

/// A step in a workflow of `octo-org/caller`, on the sandbox's server.
pub(crate) struct Step {
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
    secrets: BTreeSet<String>,
    directory: TempDir,
    program: PathBuf,
}

/// The results of a finished step.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
    /// Values that the runner masks, in order.
    pub(crate) masks: Vec<String>,
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::start(World::demo()).expect("loopback has free ports")
}

impl Step {
    /// A step with all inputs at their defaults, as the runner sets them.
    pub(crate) fn on(server: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let mut environment = BTreeMap::from(
            [
                ("GITHUB_ACTIONS", "true".to_owned()),
                ("GITHUB_SERVER_URL", server.to_owned()),
                ("GITHUB_API_URL", format!("{server}/api/v3")),
                ("GITHUB_REPOSITORY", "octo-org/caller".to_owned()),
                ("GITHUB_RUN_ID", "17".to_owned()),
                ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
                ("GITHUB_JOB", "release".to_owned()),
                ("GITHUB_ACTION_REPOSITORY", ACTION.to_owned()),
                ("GITHUB_ACTION_REF", VERSION.to_owned()),
                ("GITHUB_OUTPUT", path("output")),
                ("GITHUB_STEP_SUMMARY", path("summary")),
                ("GITHUB_STATE", path("state")),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        environment.extend(action::defaults(demo::GITHUB_WORKFLOW_OF_CALLER));
        // The runner evaluates the default.
        let commit = demo::GITHUB_CALLER_COMMIT.to_owned();
        environment.insert(action::variable("status-commit"), commit);
        Self {
            environment,
            arguments: Vec::new(),
            secrets: BTreeSet::new(),
            directory,
            program: env!("CARGO_BIN_EXE_trigger-pipeline").into(),
        }
    }

    pub(crate) fn github(sandbox: &Sandbox) -> Self {
        Self::on(&sandbox.http_url())
            .input("repository", "octo-org/app")
            .input("token", demo::GITHUB_CLASSIC)
    }

    pub(crate) fn gitlab(sandbox: &Sandbox) -> Self {
        let repository = "octo-group/tools/deployer";
        Self::on_provider(sandbox, "gitlab", repository, demo::GITLAB_DEVELOPER)
    }

    pub(crate) fn bitbucket(sandbox: &Sandbox) -> Self {
        let repository = "octo-workspace/service";
        Self::on_provider(sandbox, "bitbucket", repository, demo::BITBUCKET_ACCESS)
    }

    fn on_provider(sandbox: &Sandbox, provider: &str, repository: &str, token: &str) -> Self {
        Self::on(&sandbox.http_url())
            .input("provider", provider)
            .input("server-url", &sandbox.http_url())
            .input("repository", repository)
            .input("token", token)
    }

    /// Uses the demo world's GitHub App.
    pub(crate) fn signed_in_as_app(self) -> Self {
        self.input("client-id", demo::GITHUB_APP_CLIENT_ID)
            .input("private-key", demo::GITHUB_APP_PRIVATE_KEY)
    }

    /// Sets an input, as `with:` does.
    pub(crate) fn input(self, name: &str, value: &str) -> Self {
        self.environment(&action::variable(name), value)
    }

    /// Sets the command line's arguments.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Declares a string that must not be shown, wherever it occurs in the inputs.
    pub(crate) fn secret(mut self, text: &str) -> Self {
        self.secrets.insert(text.to_owned());
        self
    }

    /// Starts the step as a person would: without the runner's variables, except those of inputs.
    pub(crate) fn by_hand(mut self) -> Self {
        self.environment
            .retain(|name, _| !name.starts_with("GITHUB_"));
        self
    }

    /// Writes a file next to the step's own files, and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a temporary file");
        path.display().to_string()
    }

    /// Creates a folder next to the step's own files, and returns its path.
    pub(crate) fn folder(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        fs::create_dir(&path).expect("a temporary folder");
        path.display().to_string()
    }

    pub(crate) fn debugging(self) -> Self {
        self.environment("RUNNER_DEBUG", "1")
    }

    /// The troubleshooting page of the version that runs, if the runner knows which one that is. Other forges have other
    /// addresses.
    pub(crate) fn page(&self) -> Option<String> {
        let forges = ["GITEA_ACTIONS", "FORGEJO_ACTIONS"];
        if forges
            .iter()
            .any(|name| self.environment.contains_key(*name))
        {
            return None;
        }
        let variable = |name: &str| self.environment.get(&format!("GITHUB_{name}"));
        let (server, action) = (variable("SERVER_URL")?, variable("ACTION_REPOSITORY")?);
        let version = variable("ACTION_REF")?;
        let page = format!("{server}/{action}/blob/{version}/{}", troubleshooting::PATH);
        Some(page)
    }

    pub(crate) fn output_file(&self) -> &str {
        &self.environment["GITHUB_OUTPUT"]
    }

    pub(crate) fn start(&self) -> Child {
        let program = self.program.to_str().expect("paths here are text");
        self.start_through(program)
    }

    /// Starts another program, which starts `$PROGRAM`.
    pub(crate) fn start_through(&self, program: &str) -> Child {
        Command::new(program)
            .env_clear()
            .env("PROGRAM", env!("CARGO_BIN_EXE_trigger-pipeline"))
            .envs(&self.environment)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(File::create(self.directory.path().join("log")).expect("a file"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }

    /// The step's second process, as the runner starts it after the job was cancelled: under the other name, with the
    /// state that the first process saved. It has files of its own.
    pub(crate) fn second_chance(&self) -> Self {
        let saved = self.saved().into_iter();
        let saved = saved.map(|(name, value)| (format!("STATE_{name}"), value));
        let mut step = Self::on("");
        step.environment = self.environment.clone();
        for name in ["output", "summary", "state"] {
            let path = step.directory.path().join(name).display().to_string();
            let variable = match name {
                "summary" => "GITHUB_STEP_SUMMARY".to_owned(),
                name => format!("GITHUB_{}", name.to_uppercase()),
            };
            step.environment.insert(variable, path);
        }
        step.environment.extend(saved);
        step.secrets.clone_from(&self.secrets);
        let program = step.directory.path().join(SECOND_CHANCE);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_trigger-pipeline"), &program)
            .expect("a temporary link");
        step.program = program;
        step
    }

    /// The state that the step has saved so far for its second process.
    pub(crate) fn saved(&self) -> BTreeMap<String, String> {
        let mut saved = read_outputs(&self.read("state"));
        saved.retain(|_, value| !value.is_empty());
        saved
    }

    /// Reads a file that the step has written.
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).expect("the log is text")
    }

    /// Waits until the log contains this.
    pub(crate) fn until_said(&self, text: &str) {
        self.until_said_within(text, Duration::from_secs(20));
    }

    pub(crate) fn until_said_within(&self, text: &str, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        while !self.log().contains(text) {
            assert!(
                Instant::now() < deadline,
                "{text:?} was not said:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn run(&self) -> Done {
        self.finish(self.start())
    }

    /// Waits for the step to end and reads its results.
    pub(crate) fn finish(&self, child: Child) -> Done {
        let finished = child.wait_with_output().expect("the binary ends");
        let log = self.log();
        assert_eq!(
            String::from_utf8_lossy(&finished.stderr),
            "",
            "standard error stays empty"
        );
        let masks = log
            .lines()
            .filter_map(|line| line.strip_prefix("::add-mask::"))
            .flat_map(runner_masks)
            .collect();
        let done = Done {
            code: finished.status.code(),
            outputs: read_outputs(&self.read("output")),
            summary: self.read("summary"),
            log,
            masks,
        };
        self.check(&done, &self.read("output"));
        done
    }

    fn check(&self, done: &Done, output_file: &str) {
        let shown: String = done
            .log
            .lines()
            .filter(|line| !line.starts_with("::add-mask::"))
            .flat_map(|line| [line, "\n"])
            .collect();
        for (what, text) in [
            ("log", shown.as_str()),
            ("outputs", output_file),
            ("summary", &done.summary),
            ("state", &self.read("state")),
        ] {
            for secret in self.all_secrets() {
                assert!(
                    !text.contains(&secret),
                    "the {what} shows the secret {secret:?}:\n{text}"
                );
            }
        }
        for mask in &done.masks {
            assert!(mask.trim().chars().count() >= 4, "a short mask: {mask:?}");
        }
        for line in done.log.lines() {
            assert!(!line.contains("##["), "a command of the old form: {line}");
            assert!(!line.contains('\r'), "a lone carriage return: {line:?}");
            if let Some(rest) = line.trim_start().strip_prefix("::") {
                let name = rest.split([' ', ':']).next().unwrap_or_default();
                assert!(
                    self.environment.contains_key("GITHUB_ACTIONS"),
                    "a command for a person: {line}"
                );
                assert!(COMMANDS.contains(&name), "not a command of ours: {line}");
            }
        }
        if self.page().is_some() {
            troubleshooting::check_links(done);
        }
        // A second process can't set outputs.
        let is_first = !self.program.ends_with(SECOND_CHANCE);
        if self.environment.contains_key("GITHUB_OUTPUT") && done.code.is_some() && is_first {
            let names: Vec<_> = done.outputs.keys().map(String::as_str).collect();
            let mut expected = OUTPUTS;
            expected.sort_unstable();
            assert_eq!(names, expected, "all outputs are written\n{}", done.log);
            serde_json::from_str::<serde_json::Value>(&done.outputs["results"])
                .expect("results is JSON");
        }
    }

    fn all_secrets(&self) -> BTreeSet<String> {
        let inputs = SECRET_INPUTS
            .iter()
            .filter_map(|name| self.environment.get(&action::variable(name)));
        inputs
            .flat_map(|value| {
                [value.trim().to_owned()]
                    .into_iter()
                    .chain(key_lines(value))
            })
            .chain(self.secrets.iter().cloned())
            // The step warns about shorter ones instead of masking them.
            .filter(|secret| secret.len() >= 4)
            .collect()
    }
}

impl Done {
    pub(crate) fn passes(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// Checks that the step failed with exactly these errors; each must contain its string.
    pub(crate) fn fails(self, errors: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{self}");
        let found = self.errors();
        assert_eq!(found.len(), errors.len(), "{self}");
        for (found, expected) in found.iter().zip(errors) {
            assert!(
                found.contains(expected),
                "{expected:?} is not in {found:?}\n{self}"
            );
        }
        self
    }

    /// `title: message` of each error, unescaped.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.commands("error")
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.commands("warning")
    }

    fn commands(&self, name: &str) -> Vec<String> {
        let lines = self
            .log
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("::{name} title=")));
        lines
            .map(|rest| {
                let (title, message) = rest.split_once("::").expect("a command's form");
                let title = title.replace("%3A", ":").replace("%2C", ",");
                unescape(&format!("{title}: {message}"))
            })
            .collect()
    }

    /// The single entry of the output `results`.
    pub(crate) fn result(&self) -> serde_json::Value {
        let mut results = self.results();
        assert_eq!(results.len(), 1, "{self}");
        results.remove(0)
    }

    /// The output `results`: an entry for each target, in order.
    pub(crate) fn results(&self) -> Vec<serde_json::Value> {
        serde_json::from_str(&self.outputs["results"]).expect("results is a JSON list")
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.log.contains(text),
            "{text:?} is not in the log\n{self}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn outcome(&self, outcome: &str) -> &Self {
        assert_eq!(self.outputs["outcome"], outcome, "{self}");
        self
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "code {:?}\n--- log\n{}--- outputs\n{:#?}\n--- summary\n{}",
            self.code, self.log, self.outputs, self.summary
        )
    }
}

/// Unescapes the data of a workflow command, as the runner does.
fn unescape(data: &str) -> String {
    let lines = data.replace("%0D", "\r").replace("%0A", "\n");
    lines.replace("%25", "%")
}

/// Strings that the runner masks for one `add-mask`: the whole value, and each of its lines.
fn runner_masks(data: &str) -> Vec<String> {
    let data = unescape(data);
    let lines = data.split(['\r', '\n']).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(str::to_owned).collect();
    if lines.len() == 1 {
        return lines;
    }
    [vec![data], lines].concat()
}

/// Reads an output file as the runner does: the last entry of a name wins.
pub(crate) fn read_outputs(file: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = file.split('\n');
    while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
        let (name, delimiter) = line.split_once("<<").expect("entries have delimiters");
        let value: Vec<_> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        outputs.insert(name.to_owned(), value.join("\n"));
    }
    outputs
}

/// Lines of a private key that are long enough to reveal it.
fn key_lines(value: &str) -> Vec<String> {
    let lines = value.replace("\\n", "\n");
    let lines = lines.lines().map(str::trim).filter(|line| line.len() > 40);
    lines.map(str::to_owned).collect()
}
