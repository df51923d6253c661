//! Truncates untrusted text, puts it on one line, and escapes invisible characters. `host/redactor.rs` hides secrets.

/// Marks the end of a truncated text, directly after its last character. The project uses it for nothing else.
///
/// Truncation may split a secret and leave its beginning. `host/redactor.rs` therefore also hides the beginning of a
/// secret before this mark. That makes it safe to truncate before secrets are hidden, which is necessary when parsing
/// responses.
pub(crate) const CUT: &str = "[…]";

/// Truncates a string to `max` characters, and marks the cut if there were more.
pub(crate) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}{CUT}", &text[..end]),
        None => text.to_owned(),
    }
}

/// Puts a name on one line, with single spaces. The redactor knows each secret in this form too.
pub(crate) fn one_line(name: &str) -> String {
    if name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return name.to_owned();
    }
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Removes escape sequences, and replaces tabs with spaces, because `strip_ansi_escapes` would drop them. The redactor
/// knows each secret in this form too.
pub(crate) fn without_escapes(text: &[u8]) -> String {
    let parts: Vec<_> = text.split(|byte| *byte == b'\t').collect();
    let text = strip_ansi_escapes::strip(parts.join(&b"    "[..]));
    String::from_utf8_lossy(&text).into_owned()
}

/// Escapes characters that are invisible or change the direction of text: control characters, line and paragraph
/// separators, and direction marks. Keeps tabs and line breaks.
pub(crate) fn visible(text: &str) -> String {
    // Most text is plain ASCII.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    visible
}

fn is_invisible(character: char) -> bool {
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
    fn a_truncated_text_is_marked() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äöü[…]");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn invisible_characters_are_escaped() {
        let invisible =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{85}\u{0}\u{1b}";
        assert_eq!(
            visible(invisible),
            "\\u{61c}\\u{200e}\\u{200f}\\u{202a}\\u{202e}\\u{2066}\\u{2069}\\u{2028}\\u{85}\\u{0}\\u{1b}"
        );
        // Emoji made of several characters are kept.
        let unchanged = "\ta\nb\r العربية 👩\u{200d}💻 ";
        assert_eq!(visible(unchanged), unchanged);
    }
}
