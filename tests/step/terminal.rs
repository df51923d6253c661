//! What somebody sees in a terminal: colours, and lines that change while the run goes on.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread;

use nix::pty::{Winsize, openpty};
use sandbox::world::{JobScenario, Scenario};
use sandbox::{Provider, Sandbox, demo};

use crate::calls::{SECOND, with_scenario};

/// Runs the program in a pseudo-terminal, and returns everything that it wrote to it.
fn in_terminal(sandbox: &Sandbox, variables: &[(&str, &str)]) -> String {
    let size = Winsize {
        ws_row: 40,
        ws_col: 120,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = openpty(Some(&size), None).expect("a pseudo-terminal");
    let slave = || Stdio::from(terminal.slave.try_clone().expect("a handle"));
    let url = sandbox.http_url();
    let mut command = Command::new(env!("CARGO_BIN_EXE_trigger-pipeline"));
    command
        .env_clear()
        .envs([
            ("TERM", "xterm-256color"),
            ("GH_TOKEN", demo::GITHUB_CLASSIC),
        ])
        .envs(variables.iter().copied())
        .args(["--server-url", &url, "--repository", "octo-org/app"])
        .args(["--workflow", "build.yml", "--ref", "main", "--wait"])
        .stdin(slave())
        .stdout(slave())
        .stderr(slave());
    let mut child = command.spawn().expect("the binary starts");
    // The terminal ends when nobody has it open any more.
    drop(command);
    drop(terminal.slave);
    let mut master = File::from(terminal.master);
    let reader = thread::spawn(move || {
        let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = master.read(&mut chunk) {
            seen.extend_from_slice(&chunk[..length]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    });
    child.wait().expect("the binary ends");
    reader.join().expect("the reader ends")
}

fn failing() -> Sandbox {
    let scenario = Scenario::new()
        .job(JobScenario::new("build", SECOND * 2))
        .job(JobScenario::new("deploy", SECOND * 3).fails());
    with_scenario(Provider::GitHub, scenario)
}

#[test]
fn a_terminal_shows_running_jobs_and_colours() {
    let seen = in_terminal(&failing(), &[]);
    assert!(
        seen.contains("octo-org/app: running; 1 of 2 jobs done"),
        "{seen}"
    );
    assert!(seen.contains("  build"), "{seen}");
    assert!(
        seen.contains("\u{1b}[1;31m✗\u{1b}[0m octo-org/app build.yml"),
        "{seen}"
    );
    assert!(
        seen.contains("\u{1b}[1;31merror\u{1b}[0m: octo-org/app"),
        "{seen}"
    );
    assert!(!seen.contains("outcome="), "{seen}");
    // The last line is the verdict, not one of those that change.
    let last = seen.trim_end().lines().last().unwrap_or_default();
    assert!(last.contains("build.yml #1 failed"), "{last:?}\n{seen}");
    assert!(!seen.contains(demo::GITHUB_CLASSIC), "{seen}");
}

#[test]
fn colours_can_be_turned_off() {
    let seen = in_terminal(&failing(), &[("NO_COLOR", "1")]);
    assert!(!seen.contains("\u{1b}[1;31m"), "{seen}");
    assert!(seen.contains("error: octo-org/app"), "{seen}");
    // A terminal that can't move its cursor gets plain lines.
    let seen = in_terminal(&failing(), &[("TERM", "dumb")]);
    assert!(!seen.contains('\u{1b}'), "{seen}");
    assert!(seen.contains("octo-org/app: running"), "{seen}");
}
