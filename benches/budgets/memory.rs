//! Peak memory of a process, as the kernel counts it.
//!
//! The kernel's figure for a child is at least what its parent held when it started the child, and this process holds
//! a whole sandbox. Therefore a second process of this program, which holds nothing, starts the command and prints
//! the figure.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

/// With this argument, this program is that second process.
pub(crate) const PEAK_OF: &str = "--peak-memory-of";

pub(crate) const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Returns bytes. Passes only the variables that the command sets. Fails if the command fails.
pub(crate) fn peak_of(command: &Command) -> Result<f64> {
    let output = Command::new(env::current_exe()?)
        .arg(PEAK_OF)
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "failed to measure memory: {text}");
    let kibibytes: u32 = text
        .trim()
        .parse()
        .with_context(|| format!("not a number of KiB: {text:?}"))?;
    Ok(f64::from(kibibytes) * 1024.0)
}

/// Runs the command and prints its peak in KiB.
pub(crate) fn print_peak_of(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("no program is given")?;
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("failed to start {program}"))?;
    ensure!(status.success(), "{program} ended with {status}");
    let kibibytes = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    crate::print(&kibibytes.to_string());
    Ok(())
}

pub(crate) fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / MEBIBYTE)
}
