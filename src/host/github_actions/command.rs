//! The text form of workflow commands, and what keeps other people's text from becoming one.
//! Pure: nothing is printed here.

use crate::text::untrusted::visible;

/// A command with its data and properties, escaped as the runner unescapes them.
pub(super) fn command(name: &str, properties: &[(&str, &str)], data: &str) -> String {
    let mut line = format!("::{name}");
    for (index, (key, value)) in properties.iter().enumerate() {
        line.push(if index == 0 { ' ' } else { ',' });
        line.push_str(key);
        line.push('=');
        line.push_str(&escape_property(value));
    }
    line.push_str("::");
    line.push_str(&escape_data(data));
    line
}

/// `%` goes first: the other escapes bring their own.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text of any origin as lines that are safe to print.
///
/// The runner takes `::` for a command after leading blanks, and the older `##[` anywhere in a line;
/// a lone CR ends a line for it. So the text is split at CR and LF, a line that could be a command and
/// every line after the first get a visible prefix, and `##[` is broken up.
pub(super) fn neutral_lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    text.split(['\r', '\n'])
        .enumerate()
        .map(|(index, line)| {
            let line = neutral(line);
            if index > 0 || line.trim_start().starts_with("::") {
                format!("| {line}")
            } else {
                line
            }
        })
        .collect()
}

/// One line or one command's data: what is not seen is shown, the older command form is broken up.
pub(super) fn neutral(line: &str) -> String {
    visible(line).replace("##[", "##\\[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_command_is_escaped() {
        assert_eq!(
            command(
                "error",
                &[("title", "a:b,c%\n")],
                "50% of\r\nit: all, really"
            ),
            "::error title=a%3Ab%2Cc%25%0A::50%25 of%0D%0Ait: all, really"
        );
        assert_eq!(command("add-mask", &[], "x"), "::add-mask::x");
    }

    #[test]
    fn text_cannot_become_a_command() {
        assert_eq!(neutral_lines("  ::error::x"), ["|   ::error::x"]);
        assert_eq!(
            neutral_lines("a\r::set-output name=x::y"),
            ["a", "| ::set-output name=x::y"]
        );
        assert_eq!(neutral_lines("a ##[add-mask]b"), ["a ##\\[add-mask]b"]);
        assert_eq!(neutral_lines("\u{1b}[31mred"), ["\\u{1b}[31mred"]);
        assert_eq!(neutral_lines("###[\u{202e}##["), ["###\\[\\u{202e}##\\["]);
        assert_eq!(neutral_lines("a\r\nb"), ["a", "| b"]);
    }

    /// The runner's own rule for reading a command's data and properties.
    fn unescape(text: &str) -> String {
        text.replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%")
    }

    /// What the runner would take a printed line for.
    fn is_command(line: &str) -> bool {
        line.trim_start().starts_with("::") || line.contains("##[")
    }

    proptest! {
        #[test]
        fn escaped_text_reads_back(title in any::<String>(), data in any::<String>()) {
            let line = command("error", &[("title", &title)], &data);
            prop_assert!(!line.contains(['\r', '\n']));
            let (properties, read) = line
                .strip_prefix("::error title=")
                .and_then(|rest| rest.split_once("::"))
                .expect("the command's own form");
            prop_assert!(!properties.contains([':', ',']));
            prop_assert_eq!(unescape(properties), title);
            prop_assert_eq!(unescape(read), data);
        }

        #[test]
        fn no_text_is_a_command(text in r"(::|##|\[|\]|[ \t\r\n]|add-mask|error|\PC|\pC){0,40}") {
            for line in neutral_lines(&text) {
                prop_assert!(!is_command(&line), "{line:?}");
                prop_assert!(!line.contains(['\r', '\n']));
            }
        }
    }
}
