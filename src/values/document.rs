//! Parses the JSON and YAML of inputs without losing how a value was written.
//!
//! The value types of `serde_json` and YAML libraries don't work here: they turn `1.10` into 1.1, `1e3` into `1e+3`,
//! and `012` into 12. So scalars stay strings, with their style.

mod comments;
mod json;
mod list;
mod nesting;
mod yaml;

use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{InputError, Part};
pub(crate) use json::compact_object;
pub(crate) use list::{Item, Pair, list};

/// Maximum nesting: no pipeline's arguments are deeper, and it bounds the use of the stack.
const MAX_DEPTH: usize = 100;

/// An error in a document. It may quote a key, but never a value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueError {
    what: String,
    hint: Option<String>,
    part: Part,
}

impl ValueError {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: None,
            part: Part::Whole,
        }
    }

    fn of_value(key: &str, what: &str) -> Self {
        Self {
            part: Part::ValueOf(key.to_owned()),
            ..Self::new(what)
        }
    }

    fn of_key(key: &str, what: &str) -> Self {
        Self {
            part: Part::Key(key.to_owned()),
            ..Self::new(what)
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Converts it to an error about an input.
    pub(crate) fn for_input(&self, input: &'static str) -> InputError {
        let error = InputError::new(input, &self.what).about(self.part.clone());
        match &self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// A value in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Scalar(Scalar),
    Sequence(Vec<Self>),
    /// In the order of the document.
    Mapping(Vec<(String, Self)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// As written, without quotes.
    text: String,
    style: Style,
    comment: Option<TrailingComment>,
}

/// How a scalar is written, which determines its possible types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Quoted, or a block scalar: a string.
    Quoted,
    /// A plain YAML scalar: a string, unless it looks like another type.
    Plain,
    /// Unquoted in JSON: a number, `true`, `false` or `null`.
    Json,
}

/// A YAML comment (` # …`) after a plain scalar, which may have been meant as part of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TrailingComment {
    /// The scalar with the rest of its line.
    whole: String,
    /// Whether the scalar ends with its line: no `}` or `,` follows, and no part of it is on another line.
    is_one_line: bool,
}

/// Parses JSON if the text begins like JSON, otherwise YAML 1.2. Syntax errors give the line and column.
pub(crate) fn parse(text: &str) -> Result<Node, ValueError> {
    if begins_as_json(text) {
        json::parse(text)
    } else {
        yaml::parse(text)
    }
}

/// Whether a string is meant as JSON. YAML would accept most invalid JSON as something else.
pub(crate) fn begins_as_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

impl Node {
    fn quoted(text: String) -> Self {
        Self::scalar(text, Style::Quoted)
    }

    fn scalar(text: String, style: Style) -> Self {
        Self::Scalar(Scalar {
            text,
            style,
            comment: None,
        })
    }

    /// Converts it to JSON by YAML 1.2's core schema, except that a number that a JSON parser would change (`1.10`,
    /// `012`, twenty digits) becomes a string. Numbers, booleans and nulls from JSON stay as written.
    pub(crate) fn typed(&self) -> Result<Box<RawValue>, ValueError> {
        let mut json = String::new();
        self.write(None, &mut json)?;
        Ok(RawValue::from_string(json)
            .unwrap_or_else(|error| unreachable!("only JSON is written: {error}")))
    }

    fn write(&self, key: Option<&str>, json: &mut String) -> Result<(), ValueError> {
        match self {
            Self::Scalar(scalar) => scalar.write(key, json)?,
            Self::Sequence(nodes) => {
                json.push('[');
                for (index, node) in nodes.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    node.write(key, json)?;
                }
                json.push(']');
            }
            Self::Mapping(pairs) => {
                json.push('{');
                for (index, (key, node)) in pairs.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    json.push_str(&json_string(key));
                    json.push(':');
                    node.write(Some(key), json)?;
                }
                json.push('}');
            }
        }
        Ok(())
    }

    /// Returns the pairs of a mapping.
    pub(crate) fn pairs(&self) -> Result<&[(String, Self)], ValueError> {
        match self {
            Self::Mapping(pairs) => Ok(pairs),
            _ if self.is_json_in_quotes() => Err(quoted_json()),
            Self::Scalar(_) | Self::Sequence(_) => {
                Err(ValueError::new("must be a mapping, like `name: value`"))
            }
        }
    }

    /// Whether it's a string that looks like JSON, most likely because of quotes around an expression.
    pub(crate) fn is_json_in_quotes(&self) -> bool {
        self.text().is_some_and(begins_as_json)
    }

    /// Returns a mapping without its pairs that are null.
    pub(crate) fn without_nulls(&self) -> Result<Self, ValueError> {
        let pairs = self.pairs()?.iter();
        let set = pairs.filter(|(_, node)| !node.is_null());
        Ok(Self::Mapping(set.cloned().collect()))
    }

    fn is_null(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.comment.is_none() && scalar.is_null(),
            Self::Sequence(_) | Self::Mapping(_) => false,
        }
    }

    /// Returns the pairs of a mapping, with values as strings as written. Omits those that are `null` in JSON, which is
    /// how `toJSON()` writes unset values.
    pub(crate) fn strings(&self) -> Result<Vec<(&str, &str)>, ValueError> {
        let mut strings = Vec::new();
        for (key, node) in self.pairs()? {
            let Self::Scalar(scalar) = node else {
                let what = "is a list or mapping, but only strings can be sent";
                let error = ValueError::of_value(key, what);
                return Err(error.hint("quote the value, or pass it as a JSON string"));
            };
            if !(scalar.style == Style::Json && scalar.is_null()) {
                strings.push((key.as_str(), scalar.as_written(key)?));
            }
        }
        Ok(strings)
    }

    /// Returns the items of a list: `None` for those that aren't scalars. Anything else counts as a list of itself.
    pub(crate) fn items(&self) -> Vec<Option<&str>> {
        match self {
            Self::Sequence(nodes) => nodes.iter().map(Self::text).collect(),
            Self::Scalar(_) | Self::Mapping(_) => vec![self.text()],
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(scalar) => Some(&scalar.text),
            Self::Sequence(_) | Self::Mapping(_) => None,
        }
    }

    /// Returns the strings of all scalars except keys, including trailing comments that may belong to them.
    pub(crate) fn scalars(&self) -> Vec<&str> {
        match self {
            Self::Scalar(scalar) => match &scalar.comment {
                Some(comment) if comment.is_one_line => vec![&comment.whole],
                Some(comment) => vec![&scalar.text, &comment.whole],
                None => vec![&scalar.text],
            },
            Self::Sequence(nodes) => nodes.iter().flat_map(Self::scalars).collect(),
            Self::Mapping(pairs) => pairs.iter().flat_map(|(_, node)| node.scalars()).collect(),
        }
    }
}

impl Scalar {
    /// Returns it as sent where all values are strings.
    fn as_written(&self, key: &str) -> Result<&str, ValueError> {
        match &self.comment {
            None => Ok(&self.text),
            Some(comment) if comment.is_one_line => Ok(&comment.whole),
            Some(_) => Err(unclear_comment(Some(key), "quote the value")),
        }
    }

    fn write(&self, key: Option<&str>, json: &mut String) -> Result<(), ValueError> {
        if self.comment.is_some() {
            return Err(unclear_comment(key, "quote the value or use `toJSON()`"));
        }
        match self.style {
            Style::Json => json.push_str(&self.text),
            Style::Plain if self.is_null() => json.push_str("null"),
            Style::Plain if matches!(self.text.as_str(), "true" | "True" | "TRUE") => {
                json.push_str("true");
            }
            Style::Plain if matches!(self.text.as_str(), "false" | "False" | "FALSE") => {
                json.push_str("false");
            }
            Style::Plain if is_unchanged_by_json(&self.text) => json.push_str(&self.text),
            Style::Plain | Style::Quoted => json.push_str(&json_string(&self.text)),
        }
        Ok(())
    }

    fn is_null(&self) -> bool {
        match self.style {
            Style::Quoted => false,
            Style::Plain => matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Style::Json => self.text == "null",
        }
    }
}

fn unclear_comment(key: Option<&str>, remedy: &str) -> ValueError {
    const WHAT: &str = "is followed by ` #`, which starts a comment in YAML";
    let error = match key {
        Some(key) => ValueError::of_value(key, WHAT),
        None => ValueError::new(format!("has a value that {WHAT}")),
    };
    error.hint(format!("{remedy}, or move the comment to its own line"))
}

/// The error for JSON that was quoted, which makes it a string.
pub(crate) fn quoted_json() -> ValueError {
    ValueError::new("is JSON in quotes, which makes it a string")
        .hint("remove the quotes around the JSON or the expression")
}

/// Returns the text as a JSON string.
pub(crate) fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether every JSON parser reproduces a number as written, so that it has no more digits than a double stores.
fn is_unchanged_by_json(text: &str) -> bool {
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    text.parse::<f64>().is_ok_and(|number| {
        number.is_finite()
            && number.abs() <= MAX_EXACT
            && number.to_string() == text
            && text != "-0"
    })
}

fn too_deep() -> ValueError {
    ValueError::new(format!("is nested more than {MAX_DEPTH} levels deep"))
}

fn key_is_not_a_string(line: usize) -> ValueError {
    ValueError::new(format!("has a key that isn't a string at line {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn strings(text: &str) -> Vec<(String, String)> {
        let node = parse(text).unwrap();
        let strings = node.strings().unwrap().into_iter();
        strings
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn typed(node: &Node) -> String {
        node.typed().unwrap().get().to_owned()
    }

    #[test]
    fn variables_stay_as_written() {
        for (written, text) in [
            ("1.10", "1.10"),
            ("012", "012"),
            ("yes", "yes"),
            ("1e3", "1e3"),
            ("0x10", "0x10"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("null", "null"),
            ("~", "~"),
            ("", ""),
            ("True", "True"),
            ("a=b==c", "a=b==c"),
            ("'it''s'", "it's"),
            ("\"a\\tb\"", "a\tb"),
            ("|\n  two\n  lines", "two\nlines\n"),
            ("2026-11-22", "2026-11-22"),
        ] {
            assert_eq!(
                strings(&format!("NAME: {written}\n")),
                [("NAME".to_owned(), text.to_owned())],
                "{written}"
            );
        }
        for (written, text) in [
            ("1e3", "1e3"),
            ("1.10", "1.10"),
            ("true", "true"),
            (r#""\ud83d\ude00""#, "😀"),
        ] {
            assert_eq!(
                strings(&format!(r#"{{"NAME": {written}}}"#))[0].1,
                text,
                "{written}"
            );
        }
    }

    #[test]
    fn a_hash_is_part_of_a_plain_value_on_one_line() {
        for (written, expected) in [
            ("A: fix #12 now", "fix #12 now"),
            ("A: fix\t# 12  ", "fix\t# 12"),
            ("A: fix #12 now\r\nB: c", "fix #12 now"),
            ("A:  é 😀 #1", "é 😀 #1"),
            ("B: c\rA: fix #12\r", "fix #12"),
            ("A: &x fix #12\nB: *x", "fix #12"),
            ("B: &x fix #12\nA: *x", "fix #12"),
            ("A: !!str fix #12", "fix #12"),
            ("A: ~ #1", "~ #1"),
            ("A:\n  fix #12", "fix #12"),
            ("? A\n: fix #12", "fix #12"),
            ("\"A\": a:b #12", "a:b #12"),
            ("A: x#y", "x#y"),
            ("# one\nA: fix\n# two", "fix"),
            ("A: fix\n  # indented", "fix"),
            ("A: \"fix\" # comment", "fix"),
            ("A: 'fix' # comment", "fix"),
            ("A: \"fix #12\"", "fix #12"),
            ("A: |- # comment\n  fix #12", "fix #12"),
            ("A: >-\n  fix #12\n  now # as well", "fix #12 now # as well"),
            ("A: &x fix\nB: *x # comment", "fix"),
            ("A: # comment\n  fix", "fix"),
            ("A:", ""),
        ] {
            let found = parse(written).map(|node| {
                let strings = node.strings().unwrap().into_iter();
                let mut strings = strings.filter(|(key, _)| *key == "A");
                strings.next().unwrap().1.to_owned()
            });
            assert_eq!(found.as_deref(), Ok(expected), "{written}");
        }
    }

    #[test]
    fn an_ambiguous_comment_is_an_error() {
        for written in [
            "A: one\n  two #12",
            "A: #ff0000",
            "\"A\":  # nothing",
            "B: c\nA: #ff0000\nD: e",
            "# one\n{A: fix #12\n}",
            "# one\n{B: c, A: fix #12\n, D: e}",
            "# one\n{A: #12\n}",
        ] {
            let node = parse(written).unwrap();
            for found in [node.strings().map(drop), node.typed().map(drop)] {
                let message = found.unwrap_err().for_input("inputs").problem();
                assert!(
                    message.starts_with("the value of `A` is followed by ` #`"),
                    "{written}: {message}"
                );
            }
        }
        for (written, key) in [
            ("A: fix #12", "A"),
            ("B:\n  A: fix #12", "A"),
            ("A:\n  - fix\n  - fix #12", "A"),
            ("A:\n- 1 # one", "A"),
        ] {
            let error = parse(written).unwrap().typed().unwrap_err();
            let message = error.for_input("inputs").problem();
            assert!(
                message.starts_with(&format!("the value of `{key}` is followed by ` #`")),
                "{written}"
            );
            assert!(message.contains("toJSON()"));
        }
        for written in [
            "A: 'fix' # comment",
            "A:\n  # comment\n  - b",
            "A: # comment\n  B: c",
            "A: # comment\n- b",
            "# c\n[1, # one\n2]",
        ] {
            parse(written).unwrap().typed().unwrap();
        }
    }

    #[test]
    fn a_json_null_is_left_out() {
        assert_eq!(strings(r#"{"A": null, "B": "null", "C": 0}"#).len(), 2);
        assert_eq!(strings("A: null\nB: ~\nC:").len(), 3);
        for text in [
            r#"{"A": null, "B": [null]}"#,
            "A: ~\nB: [null]",
            "A:\nB: [~]",
        ] {
            let set = parse(text).unwrap().without_nulls().unwrap();
            assert_eq!(typed(&set), r#"{"B":[null]}"#);
        }
    }

    #[test]
    fn a_merge_key_is_an_error() {
        for text in ["a: &a {b: 1}\nc:\n  <<: *a", "<<: {b: 1}"] {
            let message = parse(text).unwrap_err().what;
            assert!(
                message.starts_with("has the merge key `<<` at line "),
                "{message}"
            );
        }
        assert_eq!(strings("\"<<\": b")[0].0, "<<");
        assert_eq!(strings(r#"{"<<": "b"}"#)[0].0, "<<");
    }

    #[test]
    fn typed_values_follow_yaml_1_2_unless_digits_would_be_lost() {
        for (written, value) in [
            ("1", json!(1)),
            ("-7", json!(-7)),
            ("1.5", json!(1.5)),
            ("1.10", json!("1.10")),
            ("1.0", json!("1.0")),
            ("012", json!("012")),
            ("1e3", json!("1e3")),
            ("0x10", json!("0x10")),
            ("+1", json!("+1")),
            (".inf", json!(".inf")),
            ("inf", json!("inf")),
            ("NaN", json!("NaN")),
            ("9007199254740991", json!(9_007_199_254_740_991_i64)),
            ("9007199254740993", json!("9007199254740993")),
            ("true", json!(true)),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("null", json!(null)),
            ("~", json!(null)),
            ("", json!(null)),
            ("'1'", json!("1")),
            ("\"true\"", json!("true")),
            ("!!str 1", json!("1")),
            ("[1, a, {b: 2}]", json!([1, "a", {"b": 2}])),
        ] {
            let node = parse(&format!("name: {written}\n")).unwrap();
            assert_eq!(
                typed(&node),
                json!({ "name": value }).to_string(),
                "{written}"
            );
        }
        let json = r#"{"a":1.10,"b":[3.0,1e3,null,true],"c":"\u00e9"}"#;
        assert_eq!(
            typed(&parse(json).unwrap()),
            r#"{"a":1.10,"b":[3.0,1e3,null,true],"c":"é"}"#
        );
    }

    #[test]
    fn problems_give_the_position_and_never_quote_values() {
        for (text, problem) in [
            (
                "{\"a\": hunter2",
                "isn't valid JSON at line 1, column 7: a value is missing, or it's a string without quotes\nhint: use `toJSON()` for values from elsewhere, and write `\\` in a string as `\\\\`",
            ),
            (
                "a: 1\nb: [hunter2",
                "isn't valid YAML at line 3, column 1: a `[` or `{` isn't closed\nhint: close it, or quote the value",
            ),
            (
                "message: fix: hunter2",
                "isn't valid YAML at line 1, column 13: a value contains `: ` or the indentation is wrong\nhint: quote the value, or use `toJSON()` for it",
            ),
            (
                "a: 1\n\tb: hunter2",
                "isn't valid YAML at line 1, column 4: a line is indented with a tab\nhint: indent with spaces",
            ),
            (
                "a: @hunter2",
                "isn't valid YAML at line 1, column 4: a value begins with a character that is special in YAML\nhint: quote the value, or use `toJSON()` for it",
            ),
            (
                "a: \"say \"hunter2\"\"",
                "isn't valid YAML at line 1, column 10: a quoted value is followed by more text\nhint: use `toJSON()` for the value, without quotes around the expression",
            ),
            (
                "{\"a\": 1} hunter2",
                "isn't valid JSON at line 1, column 10: there is more text after its end\nhint: use `toJSON()` for values from elsewhere, and write `\\` in a string as `\\\\`",
            ),
            (
                "{\"a\": \"C:\\hunter2",
                "isn't valid JSON at line 1, column 11: a `\\` in a string isn't escaped\nhint: use `toJSON()` for values from elsewhere, and write `\\` in a string as `\\\\`",
            ),
            ("a: 1\na: hunter2", "uses a key twice, again at line 2"),
            ("a: 1\n\"a\": hunter2", "uses a key twice, again at line 2"),
            ("{\"a\": 1, \"a\": 2}", "the key `a` is used twice"),
            (
                "a: !secret hunter2",
                "has a tag at line 1, but only `!!str` is supported",
            ),
            ("a: 1\n---\nb: 2", "must be one YAML document, not 2"),
            ("", "must be one YAML document, not 0"),
        ] {
            let found = parse(text).unwrap_err().for_input("inputs").problem();
            assert!(!found.contains("hunter2"));
            assert_eq!(found, problem, "{text}");
        }
        for (text, problem) in [
            ("hunter2", "must be a mapping, like `name: value`"),
            ("'{\"a\": 1}'", "is JSON in quotes, which makes it a string"),
            (
                "\"{\\\"a\\\": 1}\"",
                "is JSON in quotes, which makes it a string",
            ),
            (
                "a: [1]",
                "the value of `a` is a list or mapping, but only strings can be sent",
            ),
        ] {
            let error = parse(text).unwrap().strings().unwrap_err();
            let found = error.for_input("inputs").problem();
            assert!(found.starts_with(problem), "{found}");
        }
        assert_eq!(
            parse(&"[".repeat(5_000)).unwrap_err(),
            parse(&"[".repeat(5_000)).unwrap_err()
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"([\[\]{}:,"'&*!|>?~ \n-]|\PC){0,60}"#) {
            if let Ok(node) = parse(&text) {
                let _ = node.typed();
                let _ = node.strings();
            }
            let _ = compact_object(&text);
        }

        /// The whole line is sent, or nothing is.
        #[test]
        fn no_part_of_a_line_is_lost(value in r"[a-z]([a-z# \t,:é'-]{0,12}[a-z#])?") {
            if let Ok(node) = parse(&format!("NAME: {value}\nB: c"))
                && let Ok(strings) = node.strings()
            {
                prop_assert_eq!(strings[0].1, &value);
            }
        }

        #[test]
        fn quoted_strings_are_unchanged(value in any::<String>()) {
            let text = serde_json::to_string(&json!({ "NAME": value })).unwrap();
            prop_assert_eq!(&strings(&text)[0].1, &value);
        }
    }
}
