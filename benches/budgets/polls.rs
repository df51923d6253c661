//! The budget of waiting: polls and delays in virtual time, measured on the product's own poll loop. Only a unit test
//! can reach that loop, so this runs the test and shows the table that it prints. Not here: the simulation (see
//! `src/engine/wait/simulation.rs`), which also asserts that the budget is kept.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// Filter for the tests that print the table, wherever the module is.
const TESTS: &str = "wait::simulation::";

/// Returns the table as the test prints it, with an explanation of its columns.
pub(crate) fn table() -> Result<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Cargo's variables about this program would make build scripts run again, and half of the crates recompile.
    let own = |name: &str| {
        ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"]
            .iter()
            .any(|own| name.starts_with(own))
    };
    let environment = env::vars_os().filter(|(name, _)| !own(&name.to_string_lossy()));
    let output = Command::new(cargo)
        .env_clear()
        .envs(environment)
        .args(["test", "--quiet", "--package", "trigger-pipeline"])
        .args(["--bin", "trigger-pipeline", "--", "--nocapture", TESTS])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Cargo prints a dot for each finished test, also in front of a row.
    let lines = text.lines().map(|line| line.trim_start_matches('.'));
    let rows: Vec<_> = lines.filter(|line| line.starts_with("| ")).collect();
    ensure!(
        output.status.success() && !rows.is_empty(),
        "{TESTS} printed no table:\n{text}"
    );
    Ok(format!(
        "\nWaiting, simulated in virtual time. Costly polls count against the rate limit, and charged are all requests that do.\n\
         The delay is how late the end of the run is noticed.\n\
         Budget for 10 min: GitHub 15 costly polls and 5 s; GitLab and Bitbucket 70 polls and 15 s.\n\n{}",
        rows.join("\n")
    ))
}
