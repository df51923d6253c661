//! Runs many cases in parallel, because they mostly wait, and reports those that fail.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::case::{CallingJob, Case};
use crate::oracle::{self, violations};
use crate::runner::{run, run_attempts};
use crate::statistics::Statistics;

/// How many cases run at once.
const PARALLELISM: usize = 128;
/// How many failed cases are reported in full.
const MAX_REPORTED: usize = 3;

/// What is drawn from a seed.
pub(crate) trait Subject: Debug {
    /// The test that runs any seeds.
    const TEST: &str;

    fn draw(seed: u64) -> Self;

    /// Runs it. Returns what is wrong, and a description of what happened.
    fn check(&self, statistics: &Mutex<Statistics>) -> (Vec<String>, String);
}

impl Subject for Case {
    const TEST: &str = "never_twice_never_lost_for_long";

    fn draw(seed: u64) -> Self {
        Self::draw(seed)
    }

    fn check(&self, statistics: &Mutex<Statistics>) -> (Vec<String>, String) {
        let observed = run(self);
        lock(statistics).add(self, &observed);
        (violations(self, &observed), observed.describe())
    }
}

impl Subject for CallingJob {
    const TEST: &str = "never_twice_over_attempts_for_long";

    fn draw(seed: u64) -> Self {
        Self::draw(seed)
    }

    fn check(&self, statistics: &Mutex<Statistics>) -> (Vec<String>, String) {
        let observed = run_attempts(self);
        lock(statistics).add_attempts(self, &observed);
        let violations = oracle::attempts::violations(self, &observed);
        (violations, observed.describe())
    }
}

/// Returns a summary. If any case failed, returns an error that says how to run each failed case alone.
pub(crate) fn run_all<S: Subject>(
    seeds: impl Iterator<Item = u64> + Send,
) -> Result<String, String> {
    let seeds = Mutex::new(seeds);
    let failed = Mutex::new(Vec::new());
    let statistics = Mutex::new(Statistics::default());
    let next = || lock(&seeds).next();
    let began = Instant::now();
    thread::scope(|scope| {
        let work = || {
            while let Some(number) = next() {
                if let Err(why) = attempt::<S>(number, &statistics) {
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
    Err(format!("{report}\n{}", report_failures(S::TEST, &failed)))
}

fn report_failures(test: &str, failed: &[(u64, String)]) -> String {
    let whole = failed.iter().take(MAX_REPORTED);
    let whole = whole.map(|(number, why)| format!("=== seed {number}\n{why}\n"));
    let commands = failed.iter().map(|(number, why)| {
        let violations = why.split("\n---").next().unwrap_or_default();
        let violations = violations.replace('\n', "; ");
        format!(
            "CHAOS_SEED={number} cargo test --test chaos -- --ignored --nocapture {test}  # {violations}\n"
        )
    });
    let (whole, commands): (String, String) = (whole.collect(), commands.collect());
    format!(
        "{whole}=== {} failed, each alone:\n{commands}",
        failed.len()
    )
}

fn attempt<S: Subject>(number: u64, statistics: &Mutex<Statistics>) -> Result<(), String> {
    let subject = S::draw(number);
    let result = panic::catch_unwind(AssertUnwindSafe(|| subject.check(statistics)));
    match result {
        Ok((violations, _)) if violations.is_empty() => Ok(()),
        Ok((violations, observed)) => {
            let violations = violations.join("\n");
            Err(format!("{violations}\n--- case\n{subject:?}\n{observed}"))
        }
        Err(panic) => {
            let message = message(panic.as_ref());
            Err(format!("{message}\n--- case\n{subject:?}"))
        }
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
