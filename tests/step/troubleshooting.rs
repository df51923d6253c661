//! The entries of docs/troubleshooting.md, each of which explains a message, and the links to them.

use std::collections::BTreeSet;

use crate::harness::Done;

pub(crate) const PATH: &str = "docs/troubleshooting.md";

const TEXT: &str = include_str!("../../docs/troubleshooting.md");

/// The headings of the entries: messages with `…` for whatever varies.
pub(crate) fn headings() -> impl Iterator<Item = &'static str> {
    TEXT.lines().filter_map(|line| line.strip_prefix("### "))
}

/// The text below a heading.
pub(crate) fn entry(heading: &str) -> &'static str {
    let (_, after) = TEXT
        .split_once(&format!("\n### {heading}\n"))
        .expect("the heading is there");
    let end = after.find("\n#").unwrap_or(after.len());
    after[..end].trim()
}

/// Whether a string matches a heading, whose parts between `…` must appear in order.
pub(crate) fn matches(text: &str, heading: &str) -> bool {
    let mut parts = heading.split('…').map(str::trim);
    let rest = parts.try_fold(text, |rest, part| {
        rest.split_once(part).map(|(_, rest)| rest)
    });
    rest.is_some()
}

/// GitHub's anchor of a heading: lower case, without punctuation, with dashes for spaces.
pub(crate) fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|of| of.is_alphanumeric() || "-_ ".contains(*of))
        .map(|of| if of == ' ' { '-' } else { of })
        .collect()
}

/// Checks that each error that has an entry links to one which explains it, and that no link is dead. Of several errors
/// with the same entry, one links to it.
pub(crate) fn check_links(done: &Done) {
    let messages = done.errors().into_iter().chain(done.warnings());
    let mut linked = BTreeSet::new();
    for message in messages {
        let first_line = message.lines().next().unwrap_or_default();
        let mut explained_by = headings().filter(|heading| matches(first_line, heading));
        let link = message
            .lines()
            .find_map(|line| Some(line.strip_prefix("help: ")?.split_once('#')?.1));
        match link {
            Some(link) => {
                let is_right = explained_by.any(|heading| anchor(heading) == link);
                assert!(is_right, "{link} doesn't explain {message:?}\n{done}");
                linked.insert(link.to_owned());
            }
            None => assert!(
                explained_by.all(|heading| linked.contains(&anchor(heading))),
                "no link explains {message:?}\n{done}"
            ),
        }
    }
    for after in done.summary.split(&format!("{PATH}#")).skip(1) {
        let (link, _) = after.split_once(')').expect("a link has an end");
        let is_alive = headings().any(|heading| anchor(heading) == link);
        assert!(is_alive, "the page has no {link}\n{done}");
    }
}
