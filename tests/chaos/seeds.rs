//! Runs many cases in parallel, because they mostly wait, and reports those that fail.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::case::Case;
use crate::oracle::violations;
use crate::runner::run;
use crate::statistics::Statistics;

/// How many cases run at once.
const PARALLELISM: usize = 128;
/// How many failed cases are reported in full.
const MAX_REPORTED: usize = 3;

/// Returns a summary. If any case failed, returns an error that says how to run each failed case alone.
pub(crate) fn run_all(seeds: impl Iterator<Item = u64> + Send) -> Result<String, String> {
    let seeds = Mutex::new(seeds);
    let failed = Mutex::new(Vec::new());
    let statistics = Mutex::new(Statistics::default());
    let next = || lock(&seeds).next();
    let began = Instant::now();
    thread::scope(|scope| {
        let work = || {
            while let Some(number) = next() {
                if let Err(why) = attempt(number, &statistics) {
                    lock(&failed).push((number, why));
                }
            }
        };
        for _ in 0..PARALLELISM {
            scope.spawn(work);
        }
    });
    let report = format!("{:.0?}: {}", began.elapsed(), lock(&statistics).summary());
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() {
        return Ok(report);
    }
    Err(format!("{report}\n{}", report_failures(&failed)))
}

fn report_failures(failed: &[(u64, String)]) -> String {
    let whole = failed.iter().take(MAX_REPORTED);
    let whole = whole.map(|(number, why)| format!("=== seed {number}\n{why}\n"));
    let commands = failed.iter().map(|(number, why)| {
        let violations = why.split("\n---").next().unwrap_or_default();
        let violations = violations.replace('\n', "; ");
        format!(
            "CHAOS_SEED={number} cargo test --test chaos -- --ignored --nocapture  # {violations}\n"
        )
    });
    let (whole, commands): (String, String) = (whole.collect(), commands.collect());
    format!(
        "{whole}=== {} failed, each alone:\n{commands}",
        failed.len()
    )
}

fn attempt(number: u64, statistics: &Mutex<Statistics>) -> Result<(), String> {
    let case = Case::draw(number);
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let observed = run(&case);
        lock(statistics).add(&case, &observed);
        (violations(&case, &observed), observed)
    }));
    match result {
        Ok((violations, _)) if violations.is_empty() => Ok(()),
        Ok((violations, observed)) => Err(format!(
            "{}\n--- case\n{case:?}\n{}\n--- requests\n{}--- runs\n{}",
            violations.join("\n"),
            observed.done,
            observed.describe_requests(),
            observed.describe_runs()
        )),
        Err(panic) => Err(format!("{}\n--- case\n{case:?}", message(panic.as_ref()))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}

/// A thread that panics while it holds the lock has failed on its own account; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
