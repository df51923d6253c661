//! Never twice, never lost: runs the real binary many times while anything may go wrong at any moment. `case` draws
//! everything that happens in a case from its seed; `oracle` checks what must hold afterwards.

#[expect(dead_code, reason = "most of it is for the tests of single steps")]
#[path = "../step/calls.rs"]
mod calls;
mod case;
#[expect(dead_code, reason = "most of it is for the tests of single steps")]
#[path = "../step/harness.rs"]
mod harness;
mod oracle;
mod oracle_tests;
mod runner;
mod seeds;
mod statistics;
#[expect(dead_code, reason = "most of it is for the tests of single steps")]
#[path = "../step/troubleshooting.rs"]
mod troubleshooting;

use std::env;
use std::ops::Range;

use case::{CallingJob, Case};
use seeds::run_all;

/// Takes about a minute.
const DEFAULT_SEEDS: u64 = 200;
/// Takes about half a minute.
const DEFAULT_JOBS: u64 = 40;

/// The same seeds every time.
#[test]
fn never_twice_never_lost() {
    println!("{}", summary(run_all::<Case>(0..DEFAULT_SEEDS)));
}

/// `CHAOS_SEEDS=5000` runs that many cases, `CHAOS_SEED=17` only that one, and both together that many from there on.
#[test]
#[ignore = "takes as long as it is asked to; run by `cargo test --test chaos -- --ignored`"]
fn never_twice_never_lost_for_long() {
    println!("{}", summary(run_all::<Case>(chosen(DEFAULT_SEEDS))));
}

/// The same for a calling job with `on-rerun: once` that is run again.
#[test]
fn never_twice_over_attempts() {
    println!("{}", summary(run_all::<CallingJob>(0..DEFAULT_JOBS)));
}

/// With the same variables as [`never_twice_never_lost_for_long`].
#[test]
#[ignore = "takes as long as it is asked to; run by `cargo test --test chaos -- --ignored`"]
fn never_twice_over_attempts_for_long() {
    println!("{}", summary(run_all::<CallingJob>(chosen(DEFAULT_JOBS))));
}

/// The seeds that the environment asks for, or else those from `first` on.
fn chosen(first: u64) -> Range<u64> {
    let number = |name: &str| {
        env::var(name)
            .ok()
            .map(|text| text.parse().expect("a number"))
    };
    let (chosen, count) = (number("CHAOS_SEED"), number("CHAOS_SEEDS"));
    let count = count.unwrap_or(if chosen.is_some() { 1 } else { 2_000 });
    let first = chosen.unwrap_or(first);
    first..first + count
}

fn summary(result: Result<String, String>) -> String {
    result.unwrap_or_else(|why| panic!("{why}"))
}
