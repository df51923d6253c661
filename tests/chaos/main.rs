//! Never twice, never lost: the real binary, again and again, in worlds where anything goes wrong at any time. What
//! happens in a case is drawn from its seed; what must hold after every one of them is in `check`.

#[expect(dead_code, reason = "most of it is for the tests of single steps")]
#[path = "../step/calls.rs"]
mod calls;
mod case;
mod check;
mod doctored;
#[expect(dead_code, reason = "most of it is for the tests of single steps")]
#[path = "../step/harness.rs"]
mod harness;
mod play;
mod seeds;
mod tally;

use std::env;

/// As many as take about a minute.
const BRIEF: u64 = 200;

/// The same seeds every time.
#[test]
fn never_twice_never_lost() {
    println!("{}", told(seeds::play_all(0..BRIEF)));
}

/// `CHAOS_SEEDS=5000` plays so many, `CHAOS_SEED=17` only that one, and both so many from that one on.
#[test]
#[ignore = "takes as long as it is asked to; run by `cargo test --test chaos -- --ignored`"]
fn never_twice_never_lost_for_long() {
    let number = |name: &str| {
        env::var(name)
            .ok()
            .map(|text| text.parse().expect("a number"))
    };
    let (first, count) = (number("CHAOS_SEED"), number("CHAOS_SEEDS"));
    let count = count.unwrap_or(if first.is_some() { 1 } else { 2_000 });
    let first = first.unwrap_or(BRIEF);
    let played = seeds::play_all(first..first + count);
    println!("{}", told(played));
}

fn told(played: Result<String, String>) -> String {
    played.unwrap_or_else(|why| panic!("{why}"))
}
