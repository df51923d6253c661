//! The image, which contains the program as it is released. Not here: its budgets (see `container`).

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::process::{finish, succeeds};

const IMAGE: &str = "trigger-pipeline:ci";

/// The path of the program in the image.
const PROGRAM: &str = "trigger-pipeline";

pub(crate) struct Image {
    pub(crate) name: String,
}

impl Image {
    /// Returns the reason if there is no image to measure.
    pub(crate) fn find() -> Result<Result<Self, String>> {
        let name = env::var_os("BENCH_IMAGE")
            .map_or(IMAGE.to_owned(), |name| name.to_string_lossy().into_owned());
        if !succeeds(docker(&["version"])) {
            return Ok(Err("no docker engine answers".to_owned()));
        }
        if env::var_os("BENCH_BUILD_IMAGE").is_some_and(|value| !value.is_empty()) {
            let folder = env!("CARGO_MANIFEST_DIR");
            finish(&mut docker(&["build", "--tag", &name, folder]))?;
        }
        if !succeeds(docker(&["image", "inspect", &name])) {
            return Ok(Err(format!(
                "no image {name}; BENCH_BUILD_IMAGE=1 builds it"
            )));
        }
        Ok(Ok(Self { name }))
    }

    /// Copies the program out of the image.
    pub(crate) fn program(&self, folder: &Path) -> Result<PathBuf> {
        let created = docker(&["create", &self.name]).output()?;
        ensure!(created.status.success(), "docker create failed");
        let container = String::from_utf8(created.stdout).context("not an id of a container")?;
        let container = container.trim();
        let program = folder.join(PROGRAM);
        let copied = finish(docker(&["cp", &format!("{container}:/{PROGRAM}")]).arg(&program));
        finish(&mut docker(&["rm", container]))?;
        copied.map(|()| program)
    }
}

pub(crate) fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}
