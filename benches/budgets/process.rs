//! Running other programs to their end. Not here: how long that takes (see `race`).

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Runs it to its end; what it says is of interest only where it fails.
pub(crate) fn finish(command: &mut Command) -> Result<()> {
    let done = command.output();
    let program = command.get_program().display();
    let done = done.with_context(|| format!("failed to start {program}"))?;
    ensure!(
        done.status.success(),
        "{program} failed:\n{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}

/// Whether it is there, and ends well. What it says is of no interest.
pub(crate) fn succeeds(mut command: Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
