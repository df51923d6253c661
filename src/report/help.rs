//! Links errors to their entries on the troubleshooting page, in the version that is running.
//!
//! The headings of that page are the messages, with `…` for whatever varies. So an error's entry is found by its message,
//! as a reader would find it, and no error can link to an entry that isn't there. Tests compare the headings with the
//! messages in the code.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::LazyLock;

/// The page's path in the action's repository.
const PATH: &str = "docs/troubleshooting.md";
const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// Headings of the entries.
static HEADINGS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let lines = PAGE.lines();
    lines.filter_map(|line| line.strip_prefix("### ")).collect()
});

/// Finds what the troubleshooting page says about errors.
pub(crate) struct Help {
    /// Web address of the page. `None` if the host doesn't know it.
    page: Option<String>,
}

impl Help {
    /// `file_page` returns the web address of a file in the action's repository, in the version that is running.
    pub(crate) fn new(file_page: impl FnOnce(&str) -> Option<String>) -> Self {
        Self {
            page: file_page(PATH),
        }
    }

    /// Returns the web address of the entry with a heading.
    pub(super) fn address(&self, heading: &str) -> Option<String> {
        let page = self.page.as_ref()?;
        Some(format!("{page}#{}", anchor(heading)))
    }

    /// Returns the web address of the entry that explains a message.
    pub(super) fn link(&self, message: &str) -> Option<String> {
        self.address(heading_of(message)?)
    }

    /// Returns a link for each message that has one. Messages with the same entry share the first one's link, so that a
    /// list of similar errors stays readable.
    pub(crate) fn links(&self, messages: impl IntoIterator<Item = String>) -> Vec<Option<String>> {
        let mut known = HashSet::new();
        let links = messages.into_iter().map(|message| self.link(&message));
        links
            .map(|link| link.filter(|link| known.insert(link.clone())))
            .collect()
    }

    /// Adds the link for the first line of a message, if it has one.
    pub(crate) fn added_to(&self, message: String) -> String {
        let link = self.link(message.lines().next().unwrap_or_default());
        with_link(message, link.as_deref())
    }
}

/// Adds the link to what explains a message.
pub(crate) fn with_link(message: String, link: Option<&str>) -> String {
    match link {
        Some(link) => format!("{message}\n{}", line(link)),
        None => message,
    }
}

/// Returns the line with the link. GitHub's log view makes it clickable.
pub(super) fn line(link: &str) -> String {
    format!("help: {link}")
}

/// Returns the heading that matches a message. Of several, it's the one that matches from further to the left, and of
/// those the longest: the beginning of a message says what failed, and what follows may be why.
pub(super) fn heading_of(message: &str) -> Option<&'static str> {
    let matching = HEADINGS
        .iter()
        .filter_map(|heading| Some((position(heading, message)?, *heading)));
    let first = matching.min_by_key(|(position, heading)| (*position, Reverse(heading.len())));
    first.map(|(_, heading)| heading)
}

/// Returns where a message begins to match a heading, whose parts between `…` must appear in order.
fn position(heading: &str, message: &str) -> Option<usize> {
    let mut parts = heading.split('…').map(str::trim);
    let first = parts.next()?;
    let start = message.find(first)?;
    let rest = &message[start + first.len()..];
    parts.try_fold(rest, |rest, part| Some(rest.split_once(part)?.1))?;
    Some(start)
}

/// Returns GitHub's anchor of a heading: lower case, without punctuation, with dashes for spaces.
fn anchor(heading: &str) -> String {
    let characters = heading.chars().flat_map(char::to_lowercase);
    characters
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => Some(character).filter(|character| character.is_alphanumeric()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    #[test]
    fn every_heading_leads_to_its_own_entry() {
        let mut anchors = HashSet::new();
        for heading in HEADINGS.iter() {
            assert_eq!(heading_of(heading), Some(*heading));
            // GitHub would number equal ones.
            assert!(anchors.insert(anchor(heading)), "{heading}");
        }
        assert!(anchors.len() > 80, "they are found");
    }

    #[test]
    fn a_message_leads_to_the_entry_that_says_most_about_it() {
        for (message, expected) in [
            ("the trigger failed (GitHub answered 422: no)", None),
            (
                "the token lacks \"Actions: read\", so the step couldn't wait for the run; nothing was triggered (GitHub answered 403)",
                Some("…, so the step couldn't wait for …; nothing was triggered"),
            ),
            (
                "the token lacks \"Actions: write\", although it can access the repository (GitHub answered 403)",
                Some("the token lacks …, although it can access the repository"),
            ),
            (
                "the token lacks the scope `api` (GitLab answered 403)",
                Some("the token lacks …"),
            ),
            (
                "too many requests (GitHub answered 429); the provider asks to wait 400 s, longer than the 300 s limit",
                Some("…; the provider asks to wait …, longer than the …"),
            ),
            (
                "GitHub denies access (GitHub answered 403: the workflow is disabled)",
                Some("GitHub denies access"),
            ),
        ] {
            assert_eq!(heading_of(message), expected, "{message}");
        }
    }

    #[test]
    fn anchors_are_those_of_github() {
        for (heading, expected) in [
            (
                "is followed by ` #`, which starts a comment in YAML",
                "is-followed-by---which-starts-a-comment-in-yaml",
            ),
            ("… after … (`timeout`)", "-after--timeout"),
            (
                "SSL_CERT_FILE: must not be empty",
                "ssl_cert_file-must-not-be-empty",
            ),
        ] {
            assert_eq!(anchor(heading), expected);
        }
    }

    #[test]
    fn an_entry_is_linked_once() {
        let messages = [
            "input `token`: is empty. The secret isn't set",
            "input `wait`: must be `true` or `false`",
            "input `trigger-token`: is empty. The secret isn't set",
        ];
        let links = |help: &Help| help.links(messages.map(str::to_owned));
        let help = Help::new(|path| Some(format!("https://x.example/{path}")));
        let link = "https://x.example/docs/troubleshooting.md#is-empty-the-secret-isnt-set";
        assert_eq!(links(&help), [Some(link.to_owned()), None, None]);
        let unknown = Help::new(|_| None);
        assert_eq!(links(&unknown), [None, None, None]);
        assert_eq!(unknown.added_to(messages[0].to_owned()), messages[0]);
    }

    proptest! {
        #[test]
        fn finding_an_entry_never_panics(before in arbitrary::text(), heading in prop::sample::select(HEADINGS.clone()), inside in arbitrary::text()) {
            let message = before + &heading.replace('…', &inside);
            prop_assert!(heading_of(&message).is_some());
        }
    }
}
