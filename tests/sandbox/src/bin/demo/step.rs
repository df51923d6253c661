//! Runs the binary as the runner would, passes on its log line by line, and reads its outputs. `verdict` checks them.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbox::demo;

use crate::scene::Scene;
use sandbox::action;

/// The result of a step.
pub(crate) struct StepResult {
    /// `None` if the process was killed by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    pub(crate) outputs: Vec<(String, String)>,
}

impl StepResult {
    pub(crate) fn exit_code(&self) -> String {
        let none = "none (killed by a signal)".to_owned();
        self.code.map_or(none, |code| code.to_string())
    }

    /// Returns an empty string if the output isn't set.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

/// Returns the path of the summary, which all steps share.
pub(crate) fn summary_file(folder: &Path) -> PathBuf {
    folder.join("summary.md")
}

/// Runs a step of a workflow in `octo-org/caller`, on the sandbox's server. Inherits no variables from this process.
pub(crate) fn run(
    number: usize,
    scene: &Scene,
    binary: &Path,
    folder: &Path,
    server: &str,
    on_line: impl Fn(&str),
) -> io::Result<StepResult> {
    let output_file = folder.join(format!("outputs-of-step-{number}"));
    let inputs = scene
        .inputs
        .iter()
        .map(|input| (action::variable(input.name), &input.value));
    let mut child = Command::new(binary)
        .env_clear()
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_SERVER_URL", server)
        .env("GITHUB_API_URL", format!("{server}/api/v3"))
        .env("GITHUB_REPOSITORY", "octo-org/caller")
        .env("GITHUB_RUN_ID", "1701")
        .env("GITHUB_RUN_ATTEMPT", scene.attempt.to_string())
        .env("GITHUB_JOB", "release")
        .env("GITHUB_OUTPUT", &output_file)
        .env("GITHUB_STEP_SUMMARY", summary_file(folder))
        .envs(action::defaults(demo::GITHUB_WORKFLOW_OF_CALLER))
        // The runner evaluates the default.
        .env(
            action::variable("status-commit"),
            demo::GITHUB_CALLER_COMMIT,
        )
        .envs(inputs)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut log = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            on_line(&line);
            log += &line;
            log.push('\n');
        }
    }
    Ok(StepResult {
        code: child.wait()?.code(),
        log,
        outputs: read_outputs(&fs::read_to_string(output_file)?),
    })
}

/// Parses entries of `name<<delimiter`, the lines of the value, and `delimiter`. The last entry of a name wins.
fn read_outputs(file: &str) -> Vec<(String, String)> {
    let mut outputs: Vec<(String, String)> = Vec::new();
    let mut lines = file.lines();
    while let Some(line) = lines.next() {
        let Some((name, delimiter)) = line.split_once("<<") else {
            continue;
        };
        let value: Vec<_> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        let value = value.join("\n");
        match outputs.iter_mut().find(|(known, _)| known == name) {
            Some((_, earlier)) => *earlier = value,
            None => outputs.push((name.to_owned(), value)),
        }
    }
    outputs
}
