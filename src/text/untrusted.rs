//! Text from outside: how it is cut, put on one line, and made visible. Secrets in it are hidden by `host/redactor.rs`.

/// What stands at the end of a text that was cut, directly after what is left of it. No text of ours has it elsewhere.
///
/// The cut may have gone through a secret, whose beginning would then be seen. So whoever hides secrets takes what
/// stands before this mark for cut: see `host/redactor.rs`. That makes it safe to cut before secrets are hidden, as it
/// must be done where an answer is parsed.
pub(crate) const CUT: &str = "[…]";

/// At most so many characters of a text, and the mark if there were more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}{CUT}", &text[..end]),
        None => text.to_owned(),
    }
}

/// A name, which may have line breaks in it, on one line. A secret in it is known in this form too.
pub(crate) fn one_line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a terminal would show of a text: without the escape sequences in it, and with tabs written out, since they
/// would be taken for a part of those. A secret in it is known in this form too.
pub(crate) fn without_escapes(text: &[u8]) -> String {
    let parts: Vec<_> = text.split(|byte| *byte == b'\t').collect();
    let text = strip_ansi_escapes::strip(parts.join(&b"    "[..]));
    String::from_utf8_lossy(&text).into_owned()
}

/// The text with an escape in the place of each character that is not seen, or that moves others: control characters,
/// line separators and marks of direction. Tabs and line breaks stay.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unseen(character) {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    visible
}

fn is_unseen(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_says_so() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äöü[…]");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn what_is_not_seen_is_shown() {
        let unseen =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{85}\u{0}\u{1b}";
        assert_eq!(
            visible(unseen),
            "\\u{61c}\\u{200e}\\u{200f}\\u{202a}\\u{202e}\\u{2066}\\u{2069}\\u{2028}\\u{85}\\u{0}\\u{1b}"
        );
        // Emoji of several characters stay whole.
        let seen = "\ta\nb\r العربية 👩\u{200d}💻 ";
        assert_eq!(visible(seen), seen);
    }
}
