//! The budget of waiting: looks and delays in virtual time, by the product's own loop. That runs as one of its tests,
//! since nothing but they can reach it; here the figures are only shown. Not here: the simulation (see
//! `src/engine/wait/simulation.rs`), which also asserts that the budget holds.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

const TEST: &str = "engine::wait::simulation::a_wait_of_ten_minutes_stays_within_its_budget";

/// The table as the test prints it, with what its columns mean.
pub(crate) fn table() -> Result<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--quiet", "--package", "trigger-pipeline"])
        .args([
            "--bin",
            "trigger-pipeline",
            "--",
            "--exact",
            "--nocapture",
            TEST,
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ")).collect();
    ensure!(
        output.status.success() && !rows.is_empty(),
        "{TEST} failed:\n{text}"
    );
    Ok(format!(
        "\nWaiting, in virtual time: looks, those that cost budget, requests that are charged, and how late the end is seen.\n\
         Budget for 10 min: GitHub 15 costly looks and 5 s; GitLab and Bitbucket 70 looks and 15 s.\n\n{}",
        rows.join("\n")
    ))
}
