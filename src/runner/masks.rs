//! Taking secrets out of texts. There may be a thousand of them, and a text may be long: a text is gone
//! through once, however many secrets there are.

use std::collections::{BTreeSet, HashMap, HashSet};

/// So many bytes of a secret tell quickly whether it may stand somewhere.
const START: usize = 4;

/// What stands in a secret's place.
const HIDDEN: &str = "***";

/// The secrets that are known.
pub(super) struct Masks {
    secrets: HashSet<String>,
    /// The bytes with which any begins, and those that come next: most texts have few such pairs.
    first: [bool; 256],
    second: [bool; 256],
    /// How long those are that begin alike.
    lengths: HashMap<[u8; START], BTreeSet<usize>>,
}

impl Default for Masks {
    fn default() -> Self {
        Self {
            secrets: HashSet::new(),
            first: [false; 256],
            second: [false; 256],
            lengths: HashMap::new(),
        }
    }
}

impl Masks {
    /// Says `false` where the secret is known already, or has fewer than 4 bytes.
    pub(super) fn add(&mut self, secret: &str) -> bool {
        let Some(start) = secret.as_bytes().first_chunk() else {
            return false;
        };
        let is_new = self.secrets.insert(secret.to_owned());
        if is_new {
            self.first[usize::from(start[0])] = true;
            self.second[usize::from(start[1])] = true;
            self.lengths.entry(*start).or_default().insert(secret.len());
        }
        is_new
    }

    /// The text without the secrets in it. Secrets that overlap go together, so that neither leaves a rest.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut hidden = String::with_capacity(text.len());
        // Up to where the text has been dealt with: by `hidden`, and by a secret that is still open.
        let (mut done, mut secret_ends) = (0, 0);
        for (at, pair) in text.as_bytes().windows(2).enumerate() {
            if !self.first[usize::from(pair[0])] || !self.second[usize::from(pair[1])] {
                continue;
            }
            let Some(length) = self.longest_at(text, at) else {
                continue;
            };
            if at >= secret_ends {
                hidden.push_str(&text[done..at]);
                hidden.push_str(HIDDEN);
            }
            secret_ends = secret_ends.max(at + length);
            done = secret_ends;
        }
        hidden.push_str(&text[done..]);
        hidden
    }

    /// How long the longest secret is that begins there.
    fn longest_at(&self, text: &str, at: usize) -> Option<usize> {
        let start = text.as_bytes()[at..].first_chunk()?;
        let mut longest_first = self.lengths.get(start)?.iter().rev().copied();
        longest_first.find(|length| {
            let part = text.get(at..at + length);
            part.is_some_and(|part| self.secrets.contains(part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masks<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Masks {
        let mut masks = Masks::default();
        for secret in secrets {
            masks.add(secret);
        }
        masks
    }

    #[test]
    fn no_secret_leaves_a_rest() {
        let masks = masks(["word", "password1", "1234", "häuser"]);
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
            assert_eq!(masks.hide(text), hidden, "{text}");
        }
    }

    #[test]
    fn each_is_new_once() {
        let mut masks = Masks::default();
        assert!(masks.add("secret"));
        assert!(!masks.add("secret"));
        assert!(!masks.add("abc"));
    }

    #[test]
    fn one_of_a_thousand_is_hidden_and_what_looks_like_it_is_not() {
        let secrets: Vec<_> = (0..1_000).map(|index| format!("ghp_{index:036}")).collect();
        let masks = masks(secrets.iter().map(String::as_str));
        let text = format!(
            "{} {} ghp_{}\n",
            "x".repeat(950),
            secrets[7],
            "y".repeat(36)
        );
        let text = text.repeat(300);
        let hidden = masks.hide(&text);
        assert_eq!(hidden.matches(HIDDEN).count(), 300);
    }

    proptest! {
        #[test]
        fn nothing_is_left_and_nothing_else_is_gone(
            secrets in prop::collection::vec("[abä]{4,7}", 0..6),
            text in "[abäc]{0,40}",
        ) {
            let masks = masks(secrets.iter().map(String::as_str));
            let hidden = masks.hide(&text);
            for secret in &secrets {
                prop_assert!(!hidden.contains(secret.as_str()));
            }
            let is_clean = secrets.iter().all(|secret| !text.contains(secret.as_str()));
            prop_assert_eq!(hidden == text, is_clean);
        }
    }
}
