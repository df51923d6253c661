//! Running other programs to their end. Not here: how long that takes (see `race`).

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// So many lines are shown of a program that fails: a thousand targets have a lot to say.
const MOST_LINES: usize = 40;

/// Runs it to its end; what it says is of interest only where it fails.
pub(crate) fn finish(command: &mut Command) -> Result<()> {
    let done = command.output();
    let program = command.get_program().display();
    let done = done.with_context(|| format!("failed to start {program}"))?;
    ensure!(
        done.status.success(),
        "{program} failed:\n{}{}",
        last_lines(&done.stdout),
        last_lines(&done.stderr)
    );
    Ok(())
}

fn last_lines(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<_> = said.split_inclusive('\n').collect();
    lines[lines.len().saturating_sub(MOST_LINES)..].concat()
}

/// Whether it is there, and ends well. What it says is of no interest.
pub(crate) fn succeeds(mut command: Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
