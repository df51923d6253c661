//! Runs other programs to their end. Not here: how long that takes (see `comparison`).

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Lines of output shown of a program that fails: a thousand targets print a lot.
const MAX_LINES: usize = 40;

/// Runs it to its end, and shows its output only if it fails.
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

/// Whether it exists and succeeds; its output is dropped.
pub(crate) fn succeeds(mut command: Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
