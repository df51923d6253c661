//! Stops untrusted text from being read as a command by a CI system. The rules are the same on every host, because even
//! a terminal may be a script inside a job whose log is parsed. Doesn't print.

use crate::text::untrusted::visible;

/// Makes untrusted text safe to print.
///
/// GitHub's runner reads `::` as a command after leading spaces, and the older `##[` anywhere in a line; a lone CR ends
/// a line. So the text is split at CR and LF, a line that could be a command and every line after the first get a
/// visible prefix, and `##[` is broken up.
pub(super) fn text(text: &str) -> String {
    if !text.contains(['\r', '\n']) && !text.trim_start().starts_with("::") {
        return neutral(text);
    }
    let text = text.replace("\r\n", "\n");
    let lines = text.split(['\r', '\n']).enumerate();
    let safe = lines.map(|(index, line)| {
        let line = neutral(line);
        if index > 0 || line.trim_start().starts_with("::") {
            format!("| {line}")
        } else {
            line
        }
    });
    safe.collect::<Vec<_>>().join("\n")
}

/// Neutralises one line or the data of a command: escapes invisible characters, and breaks up the older command syntax.
pub(super) fn neutral(line: &str) -> String {
    let line = visible(line);
    if !line.contains("##") {
        return line;
    }
    line.replace("##[", "##\\[").replace("##vso[", "##\\vso[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn untrusted_text_is_not_a_command() {
        for (foreign, safe) in [
            ("  ::error::x", "|   ::error::x"),
            ("a\r::set-output name=x::y", "a\n| ::set-output name=x::y"),
            ("a ##[add-mask]b", "a ##\\[add-mask]b"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("###[\u{202e}##[", "###\\[\\u{202e}##\\["),
            ("a\r\nb", "a\n| b"),
        ] {
            assert_eq!(text(foreign), safe);
        }
    }

    /// Whether GitHub's runner would read a printed line as a command.
    fn is_command(line: &str) -> bool {
        line.trim_start().starts_with("::") || line.contains("##[")
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_command(foreign in r"(::|##|\[|\]|[ \t\r\n]|add-mask|error|\PC|\pC){0,40}") {
            for line in text(&foreign).split('\n') {
                prop_assert!(!is_command(line), "{line:?}");
                prop_assert!(!line.contains('\r'));
            }
        }
    }
}
