//! Hides secrets in JSON, and keeps it valid JSON.

use crate::report::Hide;

/// Replacement for a value that contains a secret.
const HIDDEN: &str = "\"***\"";

/// Returns JSON with secrets replaced, and everything else as it was written. In strings and keys, only the secret is
/// replaced. A number, boolean or `null` with a secret in it becomes the string `"***"`, and so does the whole document
/// if a secret spans several values.
pub(super) fn hide_in_json(json: &str, hide: Hide<'_>) -> String {
    let mut hidden = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find(|character| character == '"' || is_bare(character)) {
        let (between, from) = rest.split_at(start);
        let (token, after) = from.split_at(length(from));
        hidden.push_str(between);
        hidden.push_str(&hide_token(token, hide));
        rest = after;
    }
    hidden.push_str(rest);
    if hide(&hidden) == hidden {
        hidden
    } else {
        HIDDEN.to_owned()
    }
}

/// Whether the character can be part of a number, `true`, `false` or `null`.
fn is_bare(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.')
}

/// Returns the length in bytes of the string, number or keyword at the start.
fn length(json: &str) -> usize {
    if !json.starts_with('"') {
        return json.find(|other| !is_bare(other)).unwrap_or(json.len());
    }
    let mut is_escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(json.len(), |end| end + 2)
}

fn hide_token(token: &str, hide: Hide<'_>) -> String {
    // Escapes may conceal a secret.
    if let Ok(text) = serde_json::from_str::<String>(token) {
        let hidden = hide(&text);
        if hidden != text {
            return serde_json::Value::from(hidden).to_string();
        }
    }
    if hide(token) == token {
        token.to_owned()
    } else {
        HIDDEN.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn hidden(secret: &str, json: &str) -> String {
        hide_in_json(json, &|text| text.replace(secret, "***"))
    }

    #[test]
    fn a_value_with_a_secret_becomes_a_string() {
        for (secret, json, expected) in [
            ("8080", " [8080 ,8081]\n", " [\"***\" ,8081]\n"),
            ("8080", "{\"a8080\":-8080.0}", "{\"a***\":\"***\"}"),
            ("true", "[true, \"true\", 1.10]", "[\"***\", \"***\", 1.10]"),
            ("a\"b\\", r#"["x a\"b\\", "\\"]"#, r#"["x ***", "\\"]"#),
            ("word", r#""\u0077ord \ud800\udc00""#, "\"*** \u{10000}\""),
            ("\\ud8", r#"["\ud800", 1]"#, r#"["***", 1]"#),
            ("1, 2", "[1, 2]", "\"***\""),
            (
                "none",
                r#"{"ä":[1e3,"\u00e4\/"]}"#,
                r#"{"ä":[1e3,"\u00e4\/"]}"#,
            ),
        ] {
            assert_eq!(hidden(secret, json), expected);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<u16>().prop_map(Value::from),
            "[a-c\"\\\\1-3 \u{e4}]{0,6}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-c1-3]{0,4}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_result_is_json_without_the_secret(value in value(), secret in "[a-c1-3\"\\\\,:tru\\[{]{2,4}") {
            for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let hidden = hidden(&secret, &json);
                prop_assert!(serde_json::from_str::<Value>(&hidden).is_ok(), "{}", hidden);
                prop_assert!(!hidden.contains(&secret), "{}", hidden);
            }
        }

        #[test]
        fn no_text_panics(text in crate::testing::arbitrary::text()) {
            hidden("a", &text);
        }
    }
}
