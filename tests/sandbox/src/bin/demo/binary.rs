//! Builds the real binary with cargo, in the profile of this program, and returns its path.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

const NAME: &str = "trigger-pipeline";

/// Prefixes of variables in which cargo describes this program. If another cargo inherited them, it would re-run build
/// scripts that watch them, and rebuild everything that depends on those.
const PACKAGE_VARIABLES: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];

/// Builds the binary, and returns its path. Cargo's output goes to standard error as usual.
pub(crate) fn build() -> io::Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--package", NAME, "--bin", NAME])
        .args(["--message-format", "json-render-diagnostics"])
        .args(profile())
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .env_clear()
        .envs(env::vars_os().filter(|(name, _)| is_inherited(name)))
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
        .ok_or_else(|| io::Error::other(format!("cargo did not report the path of {NAME}")))
}

fn profile() -> &'static [&'static str] {
    if cfg!(debug_assertions) {
        &[]
    } else {
        &["--release"]
    }
}

fn is_inherited(variable: &OsString) -> bool {
    let name = OsStr::to_string_lossy(variable);
    !PACKAGE_VARIABLES
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// Returns the path from cargo's message about the binary.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    (message["target"]["name"] == NAME)
        .then(|| message["executable"].as_str().map(PathBuf::from))
        .flatten()
}
