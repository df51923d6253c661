//! The end of a commit status's description, from which another attempt of the calling job recognises it.

use crate::text::untrusted::{CUT, cut};

/// Longest description that GitHub accepts, in characters.
pub(crate) const MAX_DESCRIPTION: usize = 140;
/// Number of hexadecimal digits of a key. 1,000 targets of one run have the same one by chance in 1 of 500 million runs.
pub(crate) const KEY_LENGTH: usize = 12;

const START: &str = " (run ";
const ATTEMPT: &str = "attempt ";
const UNCLEAR: &str = "unclear";

/// The end of a description: for which target of which attempt it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusNote {
    /// The id of the calling run.
    pub(crate) run: u64,
    /// The attempt of the calling run that the status is about.
    pub(crate) attempt: u64,
    /// Tells the target from all others of the calling run.
    pub(crate) key: String,
    /// Whether that attempt may have started something that the status doesn't link to.
    pub(crate) is_unclear: bool,
}

impl StatusNote {
    /// Appends the note to a description, which is truncated if both are too long together.
    pub(crate) fn added_to(&self, text: &str) -> String {
        let Self {
            run, attempt, key, ..
        } = self;
        let unclear = if self.is_unclear {
            format!(", {UNCLEAR}")
        } else {
            String::new()
        };
        let note = format!("{START}{run}, {ATTEMPT}{attempt}, {key}{unclear})");
        format!("{}{note}", shortened(text, note.chars().count()))
    }

    /// Reads the note at the end of a description. `None` if there is no whole one.
    pub(crate) fn read(description: &str) -> Option<Self> {
        let (_, note) = description.rsplit_once(START)?;
        let parts: Vec<_> = note.strip_suffix(')')?.split(", ").collect();
        let (run, attempt, key, is_unclear) = match parts[..] {
            [run, attempt, key] => (run, attempt, key, false),
            [run, attempt, key, UNCLEAR] => (run, attempt, key, true),
            _ => return None,
        };
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_key = key.len() == KEY_LENGTH && key.bytes().all(is_digit);
        is_key.then_some(())?;
        Some(Self {
            run: number(run)?,
            attempt: number(attempt.strip_prefix(ATTEMPT)?)?,
            key: key.to_owned(),
            is_unclear,
        })
    }
}

/// Truncates a description so that this many more characters fit.
pub(crate) fn shortened(text: &str, reserved: usize) -> String {
    cut(text, MAX_DESCRIPTION - CUT.chars().count() - reserved)
}

/// Reads a number in the one form in which it's written.
fn number(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    fn note(attempt: u64, is_unclear: bool) -> StatusNote {
        StatusNote {
            run: 17,
            attempt,
            key: "0123456789ab".to_owned(),
            is_unclear,
        }
    }

    #[test]
    fn a_note_is_written_at_the_end() {
        assert_eq!(
            note(1, false).added_to("passed after 3m"),
            "passed after 3m (run 17, attempt 1, 0123456789ab)"
        );
        assert_eq!(
            note(2, true).added_to("starting"),
            "starting (run 17, attempt 2, 0123456789ab, unclear)"
        );
    }

    #[test]
    fn anything_else_is_no_note() {
        let whole = "x (run 17, attempt 2, 0123456789ab, unclear)";
        assert_eq!(StatusNote::read(whole), Some(note(2, true)));
        for other in [
            "",
            "passed",
            "x (run 17, attempt 2, 0123456789ab, unclear) ",
            "x (run 17, attempt 2, 0123456789ab, uncl",
            "x (run 17, attempt 2, 0123456789ab, odd)",
            "x (run 17, attempt 2, 0123456789AB)",
            "x (run 17, attempt 2, 0123456789a)",
            "x (run 017, attempt 2, 0123456789ab)",
            "x (run 17, attempt +2, 0123456789ab)",
            "x (run 17, 2, 0123456789ab)",
            "x(run 17, attempt 2, 0123456789ab)",
            "x (run 17, attempt 2)",
        ] {
            assert_eq!(StatusNote::read(other), None, "{other}");
        }
    }

    proptest! {
        /// Whatever the text is, the note is whole, and the last one in it is read.
        #[test]
        fn a_note_is_read_as_it_was_written(
            text in prop_oneof![
                arbitrary::text(),
                arbitrary::matching(".{100,300}"),
                Just(note(9, true).added_to("x")),
            ],
            run in any::<u64>(),
            attempt in any::<u64>(),
            key in arbitrary::matching("[0-9a-f]{12}"),
            is_unclear in any::<bool>(),
        ) {
            let note = StatusNote { run, attempt, key, is_unclear };
            let description = note.added_to(&text);
            prop_assert!(description.chars().count() <= MAX_DESCRIPTION);
            prop_assert_eq!(StatusNote::read(&description), Some(note));
        }

        #[test]
        fn any_text_can_be_read(text in arbitrary::text()) {
            let _ = StatusNote::read(&text);
            let _ = StatusNote::read(&format!("x (run {text})"));
        }
    }
}
