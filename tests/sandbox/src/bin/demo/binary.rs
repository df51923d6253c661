//! Has cargo build the real binary, in the profile of this program, and finds it. Not here: running it (see `step`).

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

const NAME: &str = "trigger-pipeline";

/// Variables in which cargo describes this program. Passed on to another cargo, they would make build scripts that watch
/// them run again, and rebuild everything that depends on them.
const OF_THIS_PROGRAM: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];

/// Cargo's progress and complaints go to standard error, as always.
pub(crate) fn build() -> io::Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--package", NAME, "--bin", NAME])
        .args(["--message-format", "json-render-diagnostics"])
        .args(profile())
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .env_clear()
        .envs(env::vars_os().filter(|(name, _)| is_for_all(name)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut messages = String::new();
    if let Some(mut stdout) = cargo.stdout.take() {
        stdout.read_to_string(&mut messages)?;
    }
    if !cargo.wait()?.success() {
        return Err(io::Error::other("cargo build failed"));
    }
    messages
        .lines()
        .find_map(executable)
        .ok_or_else(|| io::Error::other(format!("cargo did not say where it put {NAME}")))
}

fn profile() -> &'static [&'static str] {
    if cfg!(debug_assertions) {
        &[]
    } else {
        &["--release"]
    }
}

fn is_for_all(variable: &OsString) -> bool {
    let name = OsStr::to_string_lossy(variable);
    !OF_THIS_PROGRAM
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The path in a message about the binary; other messages have none.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    (message["target"]["name"] == NAME)
        .then(|| message["executable"].as_str().map(PathBuf::from))
        .flatten()
}
