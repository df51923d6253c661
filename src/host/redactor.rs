//! Removes secrets from strings, on every host. There may be thousands of secrets, and a string may be long and crafted
//! to make the search slow, so a matcher scans it once, byte by byte, however many secrets it has.

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::automaton::StateID;
use aho_corasick::nfa::noncontiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use crate::text::untrusted::{self, CUT};

/// Replacement for a secret.
const HIDDEN: &str = "***";

/// Minimum length of a hidden secret or part of one, in bytes: hiding less would garble the text.
const MIN_LENGTH: usize = 4;

#[derive(Default)]
pub(super) struct Redactor {
    known: HashSet<Rc<str>>,
    /// Known secrets that aren't in a matcher yet.
    pending: Vec<Rc<str>>,
    /// Each has at least twice as many secrets as the next. A matcher can't be extended, and secrets arrive one by one
    /// between calls to `hide`, so this limits how often each secret is built into a new matcher.
    matchers: Vec<Matcher>,
}

impl Redactor {
    /// Adds a secret in every form in which it may appear.
    pub(super) fn add(&mut self, secret: &str) {
        self.insert(secret);
        for form in forms(secret) {
            self.insert(&form);
        }
    }

    fn insert(&mut self, secret: &str) {
        if secret.len() >= MIN_LENGTH && !self.known.contains(secret) {
            let secret: Rc<str> = secret.into();
            self.pending.push(Rc::clone(&secret));
            self.known.insert(secret);
        }
    }

    /// Returns the text with secrets replaced. Overlapping secrets are replaced together, so that no part of either
    /// remains. The beginning of a secret is also replaced where it's followed by [`CUT`].
    pub(super) fn hide(&mut self, text: &str) -> String {
        self.build();
        let matchers = self.matchers.iter();
        let mut found: Vec<_> = matchers.flat_map(|matcher| matcher.find(text)).collect();
        found.sort_unstable_by_key(|secret| secret.start);
        let mut hidden = String::with_capacity(text.len());
        let mut done = 0;
        for secret in found {
            if secret.start >= done {
                hidden.push_str(&text[done..secret.start]);
                hidden.push_str(HIDDEN);
            }
            done = done.max(secret.end);
        }
        hidden.push_str(&text[done..]);
        hidden
    }

    fn build(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut secrets = std::mem::take(&mut self.pending);
        while let Some(smaller) = self
            .matchers
            .pop_if(|last| last.secrets.len() < 2 * secrets.len())
        {
            secrets.extend(smaller.secrets);
        }
        self.matchers.push(Matcher::new(secrets));
    }
}

/// Returns other forms in which a secret may appear: escaped in JSON (without quotes, because it may be part of a
/// larger string), and tidied by `untrusted.rs`.
fn forms(secret: &str) -> [String; 4] {
    let json = serde_json::Value::from(secret).to_string();
    [
        json[1..json.len() - 1].to_owned(),
        secret.replace("\r\n", "\n"),
        untrusted::one_line(secret),
        untrusted::without_escapes(secret.as_bytes()),
    ]
}

/// Finds a fixed set of secrets.
struct Matcher {
    secrets: Vec<Rc<str>>,
    automaton: NFA,
    /// Indexed by the automaton's states.
    reached: Vec<Reached>,
    /// Indexed by bytes: whether a secret begins with it.
    begins: [bool; 256],
}

/// What has just been read when a state is reached. Lengths are in bytes.
#[derive(Clone, Copy, Default)]
struct Reached {
    /// Length of the longest beginning of a secret that ends here.
    prefix_length: usize,
    /// Length of the longest secret that ends here, or 0.
    match_length: usize,
}

impl Matcher {
    fn new(secrets: Vec<Rc<str>>) -> Self {
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(secrets.iter().map(|secret| secret.as_bytes()))
            .unwrap_or_else(|error| unreachable!("secrets fit into memory: {error}"));
        let mut begins = [false; 256];
        for first in secrets.iter().filter_map(|secret| secret.bytes().next()) {
            begins[usize::from(first)] = true;
        }
        let mut matcher = Self {
            secrets,
            automaton,
            reached: Vec::new(),
            begins,
        };
        matcher.reached = matcher.reached();
        matcher
    }

    /// Visits every state: each one except the first is reached by the beginning of some secret.
    fn reached(&self) -> Vec<Reached> {
        let mut reached = Vec::new();
        for secret in &self.secrets {
            let mut state = self.start();
            for (at, byte) in secret.bytes().enumerate() {
                state = self.next(state, byte);
                let index = state.as_usize();
                if reached.len() <= index {
                    reached.resize(index + 1, Reached::default());
                }
                // The first pattern of a state is the longest.
                let match_length = self.automaton.is_match(state).then(|| {
                    let longest = self.automaton.match_pattern(state, 0);
                    self.automaton.pattern_len(longest)
                });
                reached[index] = Reached {
                    prefix_length: at + 1,
                    match_length: match_length.unwrap_or(0),
                };
            }
        }
        reached
    }

    fn start(&self) -> StateID {
        let start = self.automaton.start_state(Anchored::No);
        start.unwrap_or_else(|error| unreachable!("it can begin anywhere: {error}"))
    }

    fn next(&self, state: StateID, byte: u8) -> StateID {
        self.automaton.next_state(Anchored::No, state, byte)
    }

    /// Returns the ranges of secrets, in order. Overlapping ranges are merged.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut add = |mut start: usize, end: usize| {
            while let Some(before) = found.pop_if(|before| before.end > start) {
                start = start.min(before.start);
            }
            found.push(start..end);
        };
        let text = text.as_bytes();
        let start = self.start();
        let (mut state, mut reached) = (start, Reached::default());
        for (at, byte) in text.iter().enumerate() {
            // This is true of nearly every byte.
            if state == start && !self.begins[usize::from(*byte)] {
                continue;
            }
            if reached.prefix_length >= MIN_LENGTH && text[at..].starts_with(CUT.as_bytes()) {
                add(at - reached.prefix_length, at);
            }
            state = self.next(state, *byte);
            reached = self
                .reached
                .get(state.as_usize())
                .copied()
                .unwrap_or_default();
            if reached.match_length > 0 {
                add(at + 1 - reached.match_length, at + 1);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::untrusted::cut;
    use proptest::prelude::*;

    fn redactor<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Redactor {
        let mut redactor = Redactor::default();
        for secret in secrets {
            redactor.add(secret);
        }
        redactor
    }

    #[test]
    fn overlapping_secrets_are_hidden_completely() {
        let mut redactor = redactor(["word", "password1", "1234", "häuser"]);
        for (text, hidden) in [
            ("", ""),
            ("wor", "wor"),
            ("a word.", "a ***."),
            ("password1, passwords", "***, pass***s"),
            ("password1234", "***"),
            ("wordword", "******"),
            ("ähäuserä", "ä***ä"),
            ("häuse", "häuse"),
        ] {
            assert_eq!(redactor.hide(text), hidden, "{text}");
        }
    }

    #[test]
    fn the_beginning_of_a_truncated_secret_is_hidden() {
        let mut redactor = redactor(["password1", "häuser"]);
        for (text, hidden) in [
            ("a passwor[…]", "a ***[…]"),
            ("a passwor", "a passwor"),
            ("passwords begin with passw…", "passwords begin with passw…"),
            ("pas[…]", "pas[…]"),
            ("passpass[…], password[…]", "pass***[…], ***[…]"),
            ("häus[…]häus", "***[…]häus"),
        ] {
            assert_eq!(redactor.hide(text), hidden, "{text}");
        }
    }

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let mut redactor = redactor(["say \"yes\"\r\nand\tmore  or less"]);
        for form in [
            "say \"yes\"\r\nand\tmore  or less",
            "say \"yes\"\nand\tmore  or less",
            "say \\\"yes\\\"\\r\\nand\\tmore  or less",
            "say \"yes\" and more or less",
            "say \"yes\"\nand    more  or less",
        ] {
            assert_eq!(redactor.hide(form), "***");
        }
    }

    /// Simulates a thousand targets that sign in one after another, with a log line for each.
    #[test]
    fn secrets_added_one_by_one_are_rebuilt_only_a_few_times() {
        let mut redactor = Redactor::default();
        let mut built = 0;
        for index in 0..1_000 {
            redactor.add(&format!("ghp_{index:036}"));
            redactor.hide("a string");
            built += redactor.matchers.last().unwrap().secrets.len();
            assert!(redactor.matchers.len() <= 10);
        }
        assert!(built < 20_000, "{built}");
        let text = format!("ghp_{:036} ghp_{:036} ghp_{:036}", 0, 999, 1_000);
        assert_eq!(redactor.hide(&text), format!("*** *** ghp_{:036}", 1_000));
    }

    /// The keys share a long prefix, and the text repeats that prefix. Rescanning the text for each byte of a secret
    /// would take hours.
    #[test]
    fn repeated_beginnings_of_secrets_do_not_slow_the_scan() {
        let dashes = "-".repeat(1_000);
        let keys = (0..100).map(|key| format!("{dashes}BEGIN {key}\n{}", "A".repeat(1_000)));
        let keys: Vec<_> = keys.collect();
        let mut redactor = redactor(keys.iter().map(String::as_str));
        let text = "-".repeat(1_048_576);
        assert_eq!(redactor.hide(&text), text);
        let all = (0..500).map(|index| format!("{}{CUT}\n", &keys[index % 100][..1_900]));
        let hidden = redactor.hide(&all.collect::<String>());
        assert_eq!(hidden, format!("***{CUT}\n").repeat(500));
    }

    /// Finds the bytes to hide by brute force.
    fn covered(secrets: &[String], text: &str) -> Vec<bool> {
        let mut covered = vec![false; text.len()];
        for secret in secrets {
            for at in 0..text.len() {
                if text.as_bytes()[at..].starts_with(secret.as_bytes()) {
                    covered[at..at + secret.len()].fill(true);
                }
            }
        }
        covered
    }

    proptest! {
        #[test]
        fn exactly_the_secrets_are_hidden(
            secrets in prop::collection::vec("[abä]{4,7}", 0..6),
            text in "[abäc]{0,40}",
            // Number of secrets that are added before the first call to `hide`.
            before in 0..6_usize,
        ) {
            let mut redactor = Redactor::default();
            for (index, secret) in secrets.iter().enumerate() {
                redactor.add(secret);
                if index >= before {
                    redactor.hide("");
                }
            }
            let hidden = redactor.hide(&text);
            let covered = covered(&secrets, &text);
            let seen: String = text
                .char_indices()
                .filter(|(at, _)| !covered[*at])
                .map(|(_, character)| character)
                .collect();
            prop_assert_eq!(hidden.replace('*', ""), seen);
            prop_assert_eq!(hidden.contains(HIDDEN), covered.contains(&true));
        }

        #[test]
        fn a_truncated_text_shows_no_part_of_a_secret(
            secret in "[ab]{4,9}",
            before in "[abc ]{0,9}",
            max in 0..30_usize,
        ) {
            let hidden = redactor([secret.as_str()]).hide(&cut(&format!("{before}{secret}"), max));
            for end in MIN_LENGTH..=secret.len() {
                let part = format!("{}{CUT}", &secret[..end]);
                prop_assert!(!hidden.contains(&part), "{}", hidden);
            }
        }
    }
}
