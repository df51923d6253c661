//! `cargo bench`: the budgets of one dispatch and of many targets, each measured beside a rival in the same run, as a
//! table of ratios. This is a report, not a test: a budget that is exceeded shows NO and fails nothing.
//!
//! Needs `curl`, and for the rows about the container Docker with the image `trigger-pipeline:ci`. Rows that can't be
//! measured say why they were skipped. `BENCH_IMAGE=NAME` measures another image, `BENCH_BUILD_IMAGE=1` first builds
//! it from the Dockerfile. All rows are about the image's program, which is static and starts faster; without an image
//! they are about the program that Cargo has built.
//!
//! `cargo test --bench budgets` is a smoke test of some seconds: it runs every measurement once, with few targets and
//! without optimisation, and fails if one doesn't work. Its figures mean nothing, so it shows none.
//!
//! Not here: correctness (see `tests/`).

mod comparison;
mod container;
mod dispatch;
mod fanout;
mod fixture;
mod image;
mod load_generator;
mod memory;
mod polls;
mod process;
mod request;
mod table;

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use dispatch::Dispatch;
use image::Image;
use table::{Row, Verdict};

/// Relative to curl.
const TIME_BUDGET: f64 = 0.12;
/// Bytes.
const MEMORY_BUDGET: f64 = 8.0 * memory::MEBIBYTE;

const PAIRS: usize = 40;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(memory::PEAK_OF) => return memory::print_peak_of(&arguments[1..]),
        Some(load_generator::SEND) => {
            return load_generator::send(arguments.get(1).context("no file is given")?);
        }
        _ => {}
    }
    // Cargo passes this for `cargo bench`, but not for `cargo test`.
    let effort = if arguments.iter().any(|argument| argument == "--bench") {
        Effort::Full
    } else {
        Effort::Quick
    };
    let image = Image::find()?;
    let folder = tempfile::tempdir()?;
    let (program, measured) = match &image {
        Ok(image) => (
            image.program(folder.path())?,
            format!("the program in the image {}", image.name),
        ),
        Err(_) => (
            PathBuf::from(env!("CARGO_BIN_EXE_trigger-pipeline")),
            "a program that isn't static, because there is no image".to_owned(),
        ),
    };
    let dispatch = Dispatch::prepare(&program)?;
    let mut rows = vec![time(effort, &dispatch)?, peak(&dispatch)?];
    // Rows that could be measured are shown even if something else fails.
    let fanout = fanout::measure(effort, &program, &mut rows);
    let container = container::rows(effort, &dispatch, &image).map(|more| rows.extend(more));
    print(&match effort {
        Effort::Full => table::render(&rows),
        Effort::Quick => table::render_quick(&rows),
    });
    let polls = polls::table()?;
    if effort == Effort::Full {
        print(&format!("This action is {measured}.\n"));
        print(&polls);
    }
    fanout.and(container)
}

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// Often enough for meaningful figures.
    Full,
    /// Once, as a smoke test.
    Quick,
}

impl Effort {
    fn targets(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => 12,
        }
    }
}

fn time(effort: Effort, dispatch: &Dispatch) -> Result<Row> {
    let what = "one dispatch over TLS, time";
    if !has_curl() {
        return Ok(Row::skipped(what, "curl is not installed"));
    }
    let ours = dispatch.ours();
    let curl = dispatch.curl()?;
    let (ours, curl) = comparison::compare(
        effort,
        PAIRS,
        || dispatch.starting_one_run(|| comparison::time(ours())),
        || dispatch.starting_one_run(|| comparison::time(curl())),
    )?;
    let ratio = ours.median() / curl.median();
    Ok(Row::Measured {
        what,
        ours: ours.to_string(),
        rival: format!("curl {curl}"),
        ratio: Some(ratio),
        budget: format!("{TIME_BUDGET} x curl"),
        verdict: Verdict::of(ratio, TIME_BUDGET),
    })
}

fn peak(dispatch: &Dispatch) -> Result<Row> {
    let peak = |command: Command| dispatch.starting_one_run(|| memory::peak_of(&command));
    let ours = peak(dispatch.ours()())?;
    let curl = has_curl().then(|| peak(dispatch.curl()?())).transpose()?;
    Ok(Row::Measured {
        what: "one dispatch over TLS, peak memory",
        ours: memory::mebibytes(ours),
        rival: curl.map_or("curl is not installed".to_owned(), |curl| {
            format!("curl {}", memory::mebibytes(curl))
        }),
        ratio: curl.map(|curl| ours / curl),
        budget: memory::mebibytes(MEMORY_BUDGET),
        verdict: Verdict::of(ours, MEMORY_BUDGET),
    })
}

fn has_curl() -> bool {
    let mut curl = Command::new("curl");
    curl.arg("--version");
    process::succeeds(curl)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn print(text: &str) {
    println!("{text}");
}
