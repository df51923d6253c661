//! The budgets of the image: run time of a container, and size. Not here: the contents of the image (see
//! `.ci/image`).

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::Effort;
use crate::comparison;
use crate::dispatch::Dispatch;
use crate::image::{Image, docker};
use crate::process::{finish, succeeds};
use crate::table::{Row, Verdict};
use sandbox::action;

/// Relative to the container of a program that returns at once.
const TIME_BUDGET: f64 = 1.05;
const UNPACKED_BUDGET: u32 = 7_000_000;
const GZIPPED_BUDGET: u32 = 3_200_000;

const PAIRS: usize = 30;

const TIME: &str = "docker run, one dispatch, time";
const UNPACKED: &str = "image, unpacked";
const GZIPPED: &str = "image, gzipped";

const IDLE_IMAGE: &str = "trigger-pipeline-idle:bench";

pub(crate) fn rows(
    effort: Effort,
    dispatch: &Dispatch,
    image: &Result<Image, String>,
) -> Result<Vec<Row>> {
    let image = match image {
        Ok(image) => &image.name,
        Err(why) => {
            let skipped = [TIME, UNPACKED, GZIPPED].map(|what| Row::skipped(what, why));
            return Ok(skipped.into());
        }
    };
    Ok(vec![
        time(effort, dispatch, image)?,
        size(UNPACKED, unpacked(image)?, UNPACKED_BUDGET),
        size(GZIPPED, gzipped(image)?, GZIPPED_BUDGET),
    ])
}

fn time(effort: Effort, dispatch: &Dispatch, image: &str) -> Result<Row> {
    let idle = IdleImage::build(&dispatch.folder().join("idle"))?;
    let mut arguments = vec!["run".to_owned(), "--rm".to_owned()];
    arguments.push("--network=host".to_owned());
    let mut environment = dispatch.environment();
    environment.extend([
        (
            action::variable("ca-certificates"),
            dispatch.authority().to_owned(),
        ),
        ("GITHUB_OUTPUT".to_owned(), "/output".to_owned()),
        ("GITHUB_STEP_SUMMARY".to_owned(), "/summary".to_owned()),
    ]);
    for (name, value) in environment {
        arguments.extend(["--env".to_owned(), format!("{name}={value}")]);
    }
    let run = |image: &str| {
        let mut command = docker(&[]);
        command.args(&arguments).arg(image);
        command
    };
    let (ours, rival) = comparison::compare(
        effort,
        PAIRS,
        || dispatch.starting_one_run(|| comparison::time(run(image))),
        || comparison::time(run(idle.0)),
    )?;
    let ratio = ours.median() / rival.median();
    Ok(Row::Measured {
        what: TIME,
        ours: ours.to_string(),
        rival: format!("idle {rival}"),
        ratio: Some(ratio),
        budget: format!("{TIME_BUDGET} x idle"),
        verdict: Verdict::of(ratio, TIME_BUDGET),
    })
}

fn size(what: &'static str, bytes: u32, budget: u32) -> Row {
    let megabytes = |bytes: u32| format!("{:.2} MB", f64::from(bytes) / 1e6);
    Row::Measured {
        what,
        ours: megabytes(bytes),
        rival: String::new(),
        ratio: None,
        budget: megabytes(budget),
        verdict: Verdict::of(f64::from(bytes), f64::from(budget)),
    }
}

/// Bytes.
fn unpacked(image: &str) -> Result<u32> {
    let output = docker(&["image", "inspect", "--format", "{{.Size}}", image]).output()?;
    let text = String::from_utf8(output.stdout)?;
    text.trim()
        .parse()
        .with_context(|| format!("not a size: {text:?}"))
}

/// Bytes.
fn gzipped(image: &str) -> Result<u32> {
    let mut save = docker(&["save", image]).stdout(Stdio::piped()).spawn()?;
    let archive = save.stdout.take().context("docker save has no output")?;
    let mut gzip = Command::new("gzip")
        .stdin(archive)
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start gzip")?;
    let mut packed = gzip.stdout.take().context("gzip has no output")?;
    let bytes = io::copy(&mut packed, &mut io::sink())?;
    ensure!(save.wait()?.success(), "docker save failed");
    ensure!(gzip.wait()?.success(), "gzip failed");
    Ok(u32::try_from(bytes)?)
}

/// The name of an image with one static program that returns immediately. Removed when dropped.
struct IdleImage(&'static str);

impl IdleImage {
    fn build(folder: &Path) -> Result<Self> {
        fs::create_dir(folder)?;
        fs::write(folder.join("idle.rs"), "fn main() {}\n")?;
        fs::write(
            folder.join("Dockerfile"),
            "FROM scratch\nCOPY idle /idle\nENTRYPOINT [\"/idle\"]\n",
        )?;
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc
            .args(["-O", "-C", "strip=symbols"])
            .args(["-C", "target-feature=+crt-static"])
            .args(["--edition", "2024", "-o", "idle", "idle.rs"]);
        finish(rustc.current_dir(folder))?;
        finish(docker(&["build", "--tag", IDLE_IMAGE]).arg(folder))?;
        Ok(Self(IDLE_IMAGE))
    }
}

impl Drop for IdleImage {
    fn drop(&mut self) {
        succeeds(docker(&["image", "rm", self.0]));
    }
}
