//! `cargo bench`: the budgets of one dispatch and of many targets, each measured beside its rival in the same run, as a
//! table of ratios. A report, not a test: a budget that does not hold says NO and fails nothing.
//!
//! Needs `curl`, and for the rows about the container docker with the image `trigger-pipeline:ci`; rows that cannot
//! be measured are skipped with a word. `BENCH_IMAGE=NAME` measures another image, `BENCH_BUILD_IMAGE=1` builds it
//! from the Dockerfile first.
//!
//! Not here: correctness (see `tests/`).

mod container;
mod dispatch;
mod fanout;
mod load_generator;
mod looks;
mod memory;
mod process;
mod race;
mod recorded;
mod stage;
mod table;

use std::env;
use std::process::Command;

use anyhow::{Context as _, Result};

use dispatch::Dispatch;
use table::{Row, Verdict};

/// Of the time that curl takes.
const TIME_BUDGET: f64 = 0.12;
/// Bytes.
const MEMORY_BUDGET: f64 = 8.0 * memory::MEBIBYTE;

const PAIRS: usize = 40;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(memory::PEAK_OF) => return memory::tell_peak_of(&arguments[1..]),
        Some(load_generator::SEND) => {
            return load_generator::send(arguments.get(1).context("no file is given")?);
        }
        // Cargo says so for `cargo bench`, and not for `cargo test --all-targets`.
        _ if arguments.iter().any(|argument| argument == "--bench") => {}
        _ => return Ok(()),
    }
    let dispatch = Dispatch::prepare()?;
    let mut rows = vec![time(&dispatch)?, peak(&dispatch)?];
    // What can be measured is told, whatever else fails.
    let fanout = fanout::measure(&mut rows);
    let container = container::rows(&dispatch).map(|more| rows.extend(more));
    say(&table::render(&rows));
    say(&looks::table()?);
    fanout.and(container)
}

fn time(dispatch: &Dispatch) -> Result<Row> {
    let what = "one dispatch over TLS, time";
    if !has_curl() {
        return Ok(Row::skipped(what, "curl is not installed"));
    }
    let ours = dispatch.ours();
    let curl = dispatch.curl()?;
    let (ours, curl) = race::race(
        PAIRS,
        || dispatch.starting_one_run(|| race::time(ours())),
        || dispatch.starting_one_run(|| race::time(curl())),
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

#[expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
fn say(text: &str) {
    println!("{text}");
}
