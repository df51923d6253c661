//! `cargo xtask`: the steps of a release that take more than a git or docker command. docs/releasing.md says when to
//! run each; .github/workflows/release.yml runs most of them.
//!
//! This file handles arguments, files and git; the rules are pure and live in the modules below. Not here: anything
//! that talks to a registry or to GitHub.

mod action;
mod bill;
mod changelog;
mod native;
mod release;
mod roots;
#[cfg(test)]
mod workflow;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{NaiveDate, Utc};
use clap::{Parser, Subcommand};
use semver::Version;

use crate::action::Image;

/// The steps of a release. Reads and changes the files of this checkout, unless stated otherwise.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    step: ReleaseStep,
}

#[derive(Subcommand)]
enum ReleaseStep {
    /// Sets a new version in Cargo.toml, Cargo.lock and CHANGELOG.md, for the pull request before a release
    Bump {
        version: Version,
        /// The day for the changelog; today in UTC by default
        #[arg(long)]
        date: Option<NaiveDate>,
    },
    /// Checks that this version can be released from here, and prints its properties as outputs of a workflow step
    Check {
        version: Version,
        /// The repository that the image belongs to, as `owner/name`
        #[arg(long)]
        repository: String,
        /// The branch that the workflow runs on, such as `refs/heads/main`
        #[arg(long)]
        git_ref: String,
        /// GitHub's response about the environment `release`, as JSON
        #[arg(long)]
        environment: PathBuf,
    },
    /// Prints the release notes: the changes, and how to verify the image
    Notes {
        version: Version,
        image: Image,
        /// The base image of the build
        #[arg(long)]
        base: Image,
        /// The branch that the workflow runs on, such as `refs/heads/main`
        #[arg(long)]
        git_ref: String,
    },
    /// Replaces the Dockerfile in action.yml with an image
    Pin {
        /// `registry/name@sha256:…`, for all platforms
        image: Image,
        #[arg(long, default_value = "action.yml")]
        file: PathBuf,
    },
    /// Writes a version and the checksums of its binaries into native/release.json
    Native {
        version: Version,
        /// Where the binaries can be downloaded, without a slash at the end
        #[arg(long)]
        url: String,
        /// What sha256sum prints for them
        #[arg(long)]
        sums: PathBuf,
    },
    /// Adds the C library and the base image to a bill of materials
    Bill {
        /// The file that cargo-cyclonedx wrote; changed in place
        file: PathBuf,
        /// Debian packages, one per line: name, version and architecture
        packages: PathBuf,
        /// The base image of the build
        #[arg(long)]
        base: Image,
    },
    /// Fails if a certificate authority that is compiled into the binary has expired
    Roots,
}

fn main() -> ExitCode {
    match run(Arguments::parse().step) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(step: ReleaseStep) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the crate is in a workspace")?;
    let here = |name: &str| root.join(name);
    match step {
        ReleaseStep::Bump { version, date } => {
            let day = date.unwrap_or_else(|| Utc::now().date_naive());
            let changelog = changelog::released(&read(&here("CHANGELOG.md"))?, &version, day)?;
            let manifest = release::with_version(&read(&here("Cargo.toml"))?, &version)?;
            write(&here("CHANGELOG.md"), &changelog)?;
            write(&here("Cargo.toml"), &manifest)?;
            // The lock file also contains the versions of the workspace's own crates.
            stdout_of(
                Command::new("cargo")
                    .args(["update", "--workspace", "--quiet"])
                    .current_dir(root),
            )?;
        }
        ReleaseStep::Check {
            version,
            repository,
            git_ref,
            environment,
        } => {
            let tags = tags(root)?;
            let wrong = release::problems(
                &version,
                release::Source {
                    manifest: &read(&here("Cargo.toml"))?,
                    changelog: &read(&here("CHANGELOG.md"))?,
                    action: &read(&here("action.yml"))?,
                    tags: &tags,
                    git_ref: &git_ref,
                    environment: &read(&environment)?,
                },
            )?;
            ensure!(
                wrong.is_empty(),
                "{version} can't be released from here:\n- {}",
                wrong.join("\n- ")
            );
            let dockerfile = read(&here("Dockerfile"))?;
            say(&release::plan(&version, &repository, &tags, &dockerfile)?);
        }
        ReleaseStep::Notes {
            version,
            image,
            base,
            git_ref,
        } => {
            let changelog = read(&here("CHANGELOG.md"))?;
            let notes = changelog::notes(&changelog, &version, &image, &base, &git_ref)?;
            say(&notes);
        }
        ReleaseStep::Pin { image, file } => {
            let pinned = action::pinned(&read(&file)?, &image)?;
            write(&file, &pinned)?;
        }
        ReleaseStep::Native { version, url, sums } => {
            let file = here("native/release.json");
            let release = native::released(&read(&file)?, &version, &url, &read(&sums)?)?;
            write(&file, &release)?;
        }
        ReleaseStep::Bill {
            file,
            packages,
            base,
        } => {
            let whole = bill::complete(&read(&file)?, &read(&packages)?, &base)?;
            write(&file, &whole)?;
        }
        ReleaseStep::Roots => {
            let wrong = roots::problems(Utc::now())?;
            ensure!(
                wrong.is_empty(),
                "the compiled-in certificates are out of date: run `cargo update webpki-roots webpki-root-certs`, and release the update\n- {}",
                wrong.join("\n- ")
            );
            say(&format!(
                "{} certificate authorities, none expired\n",
                roots::count()
            ));
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))
}

/// Returns all tags of the repository. A shallow clone has none, which would let any version pass, so that is an
/// error.
fn tags(root: &Path) -> Result<Vec<String>> {
    let git = |arguments: &[&str]| stdout_of(Command::new("git").args(arguments).current_dir(root));
    let shallow = git(&["rev-parse", "--is-shallow-repository"])?;
    ensure!(
        shallow.trim() == "false",
        "this clone is shallow, so tags may be missing: run `git fetch --unshallow --tags`"
    );
    Ok(git(&["tag", "--list"])?
        .lines()
        .map(str::to_owned)
        .collect())
}

/// Returns what the command prints. Fails with its error output if it fails.
fn stdout_of(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command
        .output()
        .with_context(|| format!("{} can't be started", name.display()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}: {}", name.display(), output.status, stderr.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Prints no backtrace, because that doesn't help a maintainer.
#[expect(clippy::print_stderr, reason = "errors go to standard error")]
fn print_error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

#[expect(clippy::print_stdout, reason = "the output of this program")]
fn say(text: &str) {
    print!("{text}");
}
