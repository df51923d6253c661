//! Many cases at once, since most of their time goes by in waiting; and what is said of those that fail.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::case::Case;
use crate::check::check;
use crate::play::play;
use crate::tally::Tally;

/// How many are played at once.
const AT_ONCE: usize = 128;
/// Of so many that fail all is told.
const MOST_TOLD: usize = 3;

/// Tells what they came to; as an error, if any of them failed, how to play each of those alone.
pub(crate) fn play_all(seeds: impl Iterator<Item = u64> + Send) -> Result<String, String> {
    let seeds = Mutex::new(seeds);
    let failed = Mutex::new(Vec::new());
    let tally = Mutex::new(Tally::default());
    let next = || lock(&seeds).next();
    let began = Instant::now();
    let played: usize = thread::scope(|scope| {
        let work = || {
            let mut played = 0;
            while let Some(number) = next() {
                played += 1;
                if let Err(why) = attempt(number, &tally) {
                    lock(&failed).push((number, why));
                }
            }
            played
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let played = workers
            .into_iter()
            .map(|worker| worker.join().expect("what panics in a case is caught"));
        played.sum()
    });
    let told = format!("{played} cases in {:.0?}", began.elapsed());
    let told = format!("{told}: {}", lock(&tally).tell());
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() {
        return Ok(told);
    }
    Err(format!("{told}\n{}", tell(&failed)))
}

fn tell(failed: &[(u64, String)]) -> String {
    let whole = failed.iter().take(MOST_TOLD);
    let whole = whole.map(|(number, why)| format!("=== seed {number}\n{why}\n"));
    let commands = failed.iter().map(|(number, why)| {
        let complaints = why.lines().take_while(|line| !line.starts_with("---"));
        let complaints: Vec<_> = complaints.collect();
        let complaints = complaints.join("; ");
        format!(
            "CHAOS_SEED={number} cargo test --test chaos -- --ignored --nocapture  # {complaints}\n"
        )
    });
    let (whole, commands): (String, String) = (whole.collect(), commands.collect());
    format!(
        "{whole}=== {} failed, each alone:\n{commands}",
        failed.len()
    )
}

fn attempt(number: u64, tally: &Mutex<Tally>) -> Result<(), String> {
    let case = Case::draw(number);
    let played = panic::catch_unwind(AssertUnwindSafe(|| {
        let seen = play(&case);
        lock(tally).add(&case, &seen);
        (check(&case, &seen), seen)
    }));
    match played {
        Ok((complaints, _)) if complaints.is_empty() => Ok(()),
        Ok((complaints, seen)) => Err(format!(
            "{}\n--- case\n{case:?}\n{}\n--- requests\n{}--- runs\n{}",
            complaints.join("\n"),
            seen.done,
            seen.told_requests(),
            seen.told_runs()
        )),
        Err(panic) => Err(format!("{}\n--- case\n{case:?}", words(panic.as_ref()))),
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}

/// One that panics with it has its own failure, and leaves the others theirs.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
