//! Runs other programs to completion. Not here: measuring their time (see `comparison`).

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Lines shown of a failed program's output: a thousand targets print a lot.
const MAX_LINES: usize = 40;

/// Runs the command to completion, and shows its output only if it fails.
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

fn last_lines(output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    let lines: Vec<_> = output.split_inclusive('\n').collect();
    lines[lines.len().saturating_sub(MAX_LINES)..].concat()
}

/// Whether the command exists and succeeds. Drops its output.
pub(crate) fn succeeds(mut command: Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
