//! Parses JSON. Detects duplicate keys, and tolerates trailing commas and single quotes. Text that begins like JSON is
//! never parsed as YAML, which would silently fold line breaks in strings and interpret escapes differently.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_DEPTH, Node, Style, ValueError, json_string, too_deep};

pub(super) fn parse(text: &str) -> Result<Node, ValueError> {
    node(&strict_json(text)?, 0)
}

/// A JSON object and its keys.
type Object = (Box<RawValue>, HashSet<String>);

/// Removes the white space between the tokens of a JSON object, and keeps everything else as written. Also returns its
/// keys. Returns `None` if the text is another JSON value.
pub(crate) fn compact_object(text: &str) -> Result<Option<Object>, ValueError> {
    let text = strict_json(text)?;
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    let Pairs(pairs) = serde_json::from_str(&text).map_err(|error| invalid_json(&error))?;
    let mut compact = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\r' | '\n') {
            continue;
        } else {
            quoted = character == '"';
        }
        compact.push(character);
    }
    let names = pairs.into_iter().map(|pair| pair.name).collect();
    let raw = RawValue::from_string(compact).map_err(|error| invalid_json(&error))?;
    Ok(Some((raw, names)))
}

/// Returns the text if it's JSON. Otherwise removes commas before a closing bracket and replaces single quotes around
/// strings with double ones. All other syntax errors are reported.
pub(super) fn strict_json(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let Err(error) = serde_json::from_str::<&RawValue>(text) else {
        return Ok(Cow::Borrowed(text));
    };
    let Repaired { json, control } = repair(text);
    match (serde_json::from_str::<&RawValue>(&json), control) {
        (Ok(_), None) => Ok(Cow::Owned(json)),
        (Ok(_), Some(line)) => Err(ValueError::new(format!(
            "isn't valid JSON at line {line}: a string contains a raw line break or other control character"
        ))
        .hint("use `toJSON()` for the value, without quotes around the expression")),
        (Err(_), _) if is_after_string(text, &error) => Err(ValueError::new(format!(
            "isn't valid JSON at line {}, column {}: a string contains an unescaped `\"`",
            error.line(),
            error.column()
        ))
        .hint("use `toJSON()` for the value, without quotes around the expression, or write `\"` in a string as `\\\"`")),
        (Err(_), _) => Err(invalid_json(&error)),
    }
}

/// Whether an error is about text directly after a string, which most likely contains a quote.
fn is_after_string(text: &str, error: &serde_json::Error) -> bool {
    let line = text.split('\n').nth(error.line() - 1).unwrap_or_default();
    let Some(at) = error.column().checked_sub(1) else {
        return false;
    };
    let (before, rest) = line.as_bytes().split_at(at.min(line.len()));
    let is_quote = before.trim_ascii_end().ends_with(b"\"");
    let is_value = before.trim_ascii_end().len() > 1;
    // A `"` here would rather be a key or value without a comma or colon before it.
    let is_text = rest.first().is_some_and(u8::is_ascii_alphanumeric);
    error.is_syntax() && is_quote && is_value && is_text
}

struct Repaired {
    json: String,
    /// The first line with a raw control character in a string, which `json` has escaped.
    control: Option<usize>,
}

fn repair(text: &str) -> Repaired {
    let mut json = String::with_capacity(text.len());
    let mut control = None;
    let mut line = 1;
    // The opening quote, inside a string.
    let mut quote = None;
    // The last character outside strings that isn't white space.
    let mut before = None;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let next = rest.as_str();
        match (quote, character) {
            (None, '"' | '\'') => {
                quote = Some(character);
                json.push('"');
            }
            (None, ',') if is_trailing_comma(before, next) => json.push(' '),
            (Some('"'), '\\') => {
                json.push('\\');
                json.extend(rest.next());
            }
            // As in YAML, two single quotes stand for one.
            (Some('\''), '\'') if next.starts_with('\'') => {
                rest.next();
                json.push('\'');
            }
            (Some(end), _) if character == end => {
                quote = None;
                json.push('"');
            }
            (Some(_), '\0'..=' ') if character != ' ' => {
                control.get_or_insert(line);
                json.push_str(json_string(&character.to_string()).trim_matches('"'));
            }
            (Some('\''), '"' | '\\') => json.extend(['\\', character]),
            (Some(_) | None, _) => json.push(character),
        }
        if quote.is_none() && !character.is_whitespace() {
            before = Some(character);
        }
        line += usize::from(character == '\n');
    }
    Repaired { json, control }
}

/// Whether a comma is between a value and a closing bracket.
fn is_trailing_comma(before: Option<char>, next: &str) -> bool {
    next.trim_start().starts_with(['}', ']'])
        && before.is_some_and(|before| !['{', '[', ',', ':'].contains(&before))
}

fn node(text: &str, depth: usize) -> Result<Node, ValueError> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    let invalid_json = |error| invalid_json(&error);
    match text.trim_start().chars().next() {
        Some('{') => {
            let Pairs(pairs) = serde_json::from_str(text).map_err(invalid_json)?;
            let mut names = HashSet::with_capacity(pairs.len());
            let mut read = Vec::with_capacity(pairs.len());
            for pair in &pairs {
                if !names.insert(pair.name.as_str()) {
                    let name = &pair.name;
                    return Err(ValueError::of_key(name, "is used twice"));
                }
                read.push((pair.name.clone(), node(pair.value.get(), depth + 1)?));
            }
            Ok(Node::Mapping(read))
        }
        Some('[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(invalid_json)?;
            let nodes = items.into_iter().map(|item| node(item.get(), depth + 1));
            Ok(Node::Sequence(nodes.collect::<Result<_, _>>()?))
        }
        Some('"') => Ok(Node::quoted(
            serde_json::from_str(text).map_err(invalid_json)?,
        )),
        _ => {
            let raw: &RawValue = serde_json::from_str(text).map_err(invalid_json)?;
            Ok(Node::scalar(raw.get().to_owned(), Style::Json))
        }
    }
}

/// Explains a syntax error in other words than the library's, which doesn't know where the text is from.
pub(super) fn invalid_json(error: &serde_json::Error) -> ValueError {
    let said = error.to_string();
    let why = if error.is_eof() {
        ": its end is missing"
    } else if said.starts_with("invalid escape") {
        ": a `\\` in a string isn't escaped"
    } else if said.starts_with("trailing characters") {
        ": there is more text after its end"
    } else if said.starts_with("key must be a string") {
        ": a key isn't in double quotes"
    } else if said.starts_with("expected value") {
        ": a value is missing, or it's a string without quotes"
    } else {
        ""
    };
    ValueError::new(format!(
        "isn't valid JSON at line {}, column {}{why}",
        error.line(),
        error.column()
    ))
    .hint("use `toJSON()` for values from elsewhere, and write `\\` in a string as `\\\\`")
}

/// The pairs of a JSON object as written, including duplicates.
pub(super) struct Pairs<'text>(pub(super) Vec<JsonPair<'text>>);

pub(super) struct JsonPair<'text> {
    pub(super) name: String,
    pub(super) value: &'text RawValue,
}

impl<'text> Deserialize<'text> for Pairs<'text> {
    fn deserialize<D: Deserializer<'text>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'text> Visitor<'text> for PairsVisitor {
            type Value = Pairs<'text>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'text>>(
                self,
                mut access: A,
            ) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = access.next_entry::<&RawValue, &RawValue>()? {
                    let name = serde_json::from_str(key.get()).map_err(A::Error::custom)?;
                    pairs.push(JsonPair { name, value });
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn compact(text: &str) -> String {
        let (raw, _) = compact_object(text).unwrap().unwrap();
        raw.get().to_owned()
    }

    fn problem(text: &str) -> String {
        compact_object(text).unwrap_err().what
    }

    #[test]
    fn numbers_and_strings_of_json_are_kept_as_written() {
        let (raw, names) = compact_object(
            "{ \"b\" : 1.0,\n\t\"a\": [1e3, 12345678901234567890], \"s p\": \"x \\\" y\\\\\" }",
        )
        .unwrap()
        .unwrap();
        assert_eq!(
            raw.get(),
            r#"{"b":1.0,"a":[1e3,12345678901234567890],"s p":"x \" y\\"}"#
        );
        assert_eq!(names.len(), 3);
        assert!(compact_object("[1]").unwrap().is_none());
    }

    #[test]
    fn trailing_commas_and_single_quotes_are_forgiven() {
        for (text, expected) in [
            (r#"{"a": 1.10,}"#, r#"{"a":1.10}"#),
            ("{\"a\": [1, 2 , ] ,\n}", r#"{"a":[1,2]}"#),
            (
                r#"{'a': 'it''s "x" \n', "b": "'"}"#,
                r#"{"a":"it's \"x\" \\n","b":"'"}"#,
            ),
            (r#"{"a": "\",]"}"#, r#"{"a":"\",]"}"#),
            (r#"{"a": [{},],}"#, r#"{"a":[{}]}"#),
        ] {
            assert_eq!(compact(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_forgiven() {
        for text in [
            "{,}",
            "{\"a\": [,]}",
            "{\"a\": [1,,]}",
            "{\"a\":,}",
            "{\"a\": NaN}",
            "{\"a\": .5}",
            "{\"a\": 012}",
            "{a: 1}",
            "{\"a\": b}",
            "{\"a\": True}",
            "{\"a\": 1} # comment",
            "{\"a\": 1, # comment\n\"b\": 2}",
            "{\"a\": 1} {}",
            "{\"a\": \"C:\\app\"}",
            "{\"a\": \"\\x41\"}",
            "{'a': 'it\\'s'}",
            "{\"a\": \"x",
            "{\"a\": 'x",
        ] {
            assert!(
                problem(text).starts_with("isn't valid JSON at line "),
                "{text}"
            );
        }
    }

    #[test]
    fn a_raw_control_character_is_reported_with_its_line() {
        for (text, line) in [
            ("{\"a\": \"one\ntwo\", \"b\": 1.10}", 1),
            ("{\n\"a\": 'one\ntwo',}", 2),
            ("{\"a\": \"tab\there\"}", 1),
            ("{\"a\n\": 1}", 1),
        ] {
            let found = compact_object(text).unwrap_err();
            let expected =
                format!("isn't valid JSON at line {line}: a string contains a raw line break");
            assert!(found.what.starts_with(&expected), "{found:?}");
            assert!(found.hint.unwrap().contains("toJSON()"));
        }
    }

    #[test]
    fn a_quote_inside_a_string_is_named() {
        for (text, is_named) in [
            ("{\"message\": \"Revert \"fix\" again\"}", true),
            ("{\"a\": \"\"x\", \"b\": 1}", true),
            ("{\"a\": \"é \"x\"\"}", true),
            ("{\"a\": x}", false),
            ("{\"a\" \"b\"}", false),
            ("{\"a\": 1 x}", false),
            ("{\"a\": \"x", false),
        ] {
            let is_found = problem(text).contains("contains an unescaped `\"`");
            assert_eq!(is_found, is_named, "{text}: {}", problem(text));
        }
    }

    proptest! {
        #[test]
        fn compact_json_is_the_same_json(text in r#"\{"a":[ \n]{0,3}("[^"\\\x00-\x1f]{0,9}"|-?[1-9][0-9]{0,30}(\.[0-9]{1,5})?)[ \t]{0,2}\}"#) {
            let value = serde_json::from_str::<Value>(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&compact(&text)).unwrap(), value);
        }

        /// Strings keep their value, whichever quotes surround them, and whatever commas and quotes they contain.
        #[test]
        fn repairs_change_no_string(text in r#"([,'"\]}\[{\\ ]|\PC){0,12}"#, single in any::<bool>(), comma in any::<bool>()) {
            let written = if single { format!("'{}'", text.replace('\'', "''")) } else { json_string(&text) };
            let comma = if comma { " ," } else { "" };
            let json = format!("{{{written}: [{written}{comma}]{comma}}}");
            let value: Value = serde_json::from_str(&compact(&json)).unwrap();
            prop_assert_eq!(value, json!({ &text: [&text] }));
        }
    }
}
