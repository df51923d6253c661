//! Formats workflow commands. Doesn't print them.

/// Formats a command with its data and properties, escaped as the runner expects.
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

/// Escapes `%` first, because the other escapes contain one.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_escaped() {
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

    /// The runner's own rule for reading a command's data and properties.
    fn unescape(text: &str) -> String {
        text.replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%")
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
    }
}
