//! JSON and YAML texts of inputs: read without losing how a value was written.
//!
//! Neither `serde_json`'s nor a YAML library's own values will do: they turn `1.10` into 1.1, `1e3` into
//! `1e+3`, `012` into 12. So scalars stay texts here, with a note whether they were plain.

mod bounds;
mod list;

use std::collections::HashSet;
use std::fmt;

use saphyr::{MarkedYaml, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::{Parser, SpannedEventReceiver as _};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::complaint::Complaint;
use bounds::Bounds;
pub(super) use list::{Item, Pair, list};

/// Deeper nesting than any pipeline's argument has, and than a stack stands.
const DEEPEST: usize = 100;

/// What is wrong with a text. It never quotes a value, since that may be a secret, but maybe a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    message: String,
    /// The message without the name, where there is one in it.
    nameless: Option<String>,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            nameless: None,
        }
    }

    fn naming(message: String, nameless: impl Into<String>) -> Self {
        Self {
            message,
            nameless: Some(nameless.into()),
        }
    }

    /// As a complaint about the input that has the text.
    pub(super) fn complaint(&self, input: &'static str) -> Complaint {
        match &self.nameless {
            Some(nameless) => Complaint::quoting(input, input, &self.message, nameless),
            None => Complaint::new(input, &self.message),
        }
    }
}

/// A document's value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A scalar as written; `plain` where it was not quoted, so that it may be a number or the like.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Self>),
    /// In the order in which it was written.
    Mapping(Vec<(String, Self)>),
}

/// Reads JSON, else YAML 1.2. Errors tell line and column.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    match from_json(text, 0) {
        Ok(node) => Ok(node),
        // YAML takes most broken JSON for something; what was meant as JSON is told as JSON.
        Err(json) => from_yaml(text).map_err(|yaml| {
            if text.starts_with(['{', '[']) {
                json
            } else {
                yaml
            }
        }),
    }
}

/// A JSON object's text without the space between its tokens, all else as it was written, with the
/// names of its properties. `None` where the text is not a JSON object.
pub(super) fn compact_object(text: &str) -> Option<(Box<RawValue>, HashSet<String>)> {
    let Pairs(pairs) = serde_json::from_str(text).ok()?;
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
    RawValue::from_string(compact).ok().map(|raw| (raw, names))
}

impl Node {
    /// The value by YAML 1.2's core schema, except that a number whose text would not survive a
    /// JSON reader (`1.10`, `012`, twenty digits) stays the text that it is.
    pub(super) fn typed(&self) -> Value {
        match self {
            Self::Scalar { text, plain: false } => Value::from(text.as_str()),
            Self::Scalar { text, plain: true } => match text.as_str() {
                text if is_null(text) => Value::Null,
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                text => surviving_number(text).map_or_else(|| Value::from(text), Value::Number),
            },
            Self::Sequence(nodes) => nodes.iter().map(Self::typed).collect(),
            Self::Mapping(pairs) => {
                let typed: Map<_, _> = pairs
                    .iter()
                    .map(|(key, node)| (key.clone(), node.typed()))
                    .collect();
                Value::Object(typed)
            }
        }
    }

    /// A mapping's pairs.
    pub(super) fn pairs(&self) -> Result<&[(String, Self)], Problem> {
        match self {
            Self::Mapping(pairs) => Ok(pairs),
            Self::Scalar { .. } | Self::Sequence(_) => {
                Err(Problem::new("it must be a mapping, like `name: value`"))
            }
        }
    }

    /// A mapping's pairs, each value the text that was written.
    pub(super) fn texts(&self) -> Result<Vec<(&str, &str)>, Problem> {
        self.pairs()?
            .iter()
            .map(|(key, node)| match node {
                Self::Scalar { text, .. } => Ok((key.as_str(), text.as_str())),
                Self::Sequence(_) | Self::Mapping(_) => Err(Problem::naming(
                    format!(
                        "the value of `{key}` is nested, but only texts can be sent: quote it, or write it as JSON in a text"
                    ),
                    "a value in it is nested, but only texts can be sent: quote it, or write it as JSON in a text",
                )),
            })
            .collect()
    }

    /// A list's items, `None` for those that are no texts; a mapping is one of those itself.
    pub(super) fn items(&self) -> Vec<Option<&str>> {
        match self {
            Self::Sequence(nodes) => nodes.iter().map(Self::text).collect(),
            Self::Scalar { .. } | Self::Mapping(_) => vec![self.text()],
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar { text, .. } => Some(text),
            Self::Sequence(_) | Self::Mapping(_) => None,
        }
    }

    /// The texts of all scalars in it, names apart.
    pub(super) fn scalars(&self) -> Vec<&str> {
        match self {
            Self::Scalar { text, .. } => vec![text],
            Self::Sequence(nodes) => nodes.iter().flat_map(Self::scalars).collect(),
            Self::Mapping(pairs) => pairs.iter().flat_map(|(_, node)| node.scalars()).collect(),
        }
    }
}

/// Whether a plain scalar stands for nothing.
fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A number that every JSON reader gives back as it was written: no more digits than a double keeps.
fn surviving_number(text: &str) -> Option<Number> {
    const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;
    let number: f64 = text.parse().ok()?;
    if !number.is_finite()
        || number.abs() > LARGEST_EXACT
        || number.to_string() != text
        || text == "-0"
    {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn from_json(text: &str, depth: usize) -> Result<Node, Problem> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    match text.trim_start().chars().next() {
        Some('{') => {
            let Pairs(pairs) = serde_json::from_str(text).map_err(no_json)?;
            let mut names = HashSet::with_capacity(pairs.len());
            let mut read = Vec::with_capacity(pairs.len());
            for pair in &pairs {
                if !names.insert(pair.name.as_str()) {
                    return Err(Problem::naming(
                        format!("the name `{}` stands there twice", pair.name),
                        "a name stands there twice",
                    ));
                }
                read.push((pair.name.clone(), from_json(pair.value.get(), depth + 1)?));
            }
            Ok(Node::Mapping(read))
        }
        Some('[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(no_json)?;
            let nodes = items
                .into_iter()
                .map(|item| from_json(item.get(), depth + 1));
            Ok(Node::Sequence(nodes.collect::<Result<_, _>>()?))
        }
        Some('"') => {
            let text = serde_json::from_str(text).map_err(no_json)?;
            Ok(Node::Scalar { text, plain: false })
        }
        _ => {
            let raw: &RawValue = serde_json::from_str(text).map_err(no_json)?;
            Ok(Node::Scalar {
                text: raw.get().to_owned(),
                plain: true,
            })
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
fn no_json(error: serde_json::Error) -> Problem {
    Problem::new(format!(
        "it is not valid JSON at line {} column {}",
        error.line(),
        error.column()
    ))
}

fn from_yaml(text: &str) -> Result<Node, Problem> {
    from_node(&yaml_document(text)?, 0)
}

/// The one document of a YAML text, with the places of its parts.
fn yaml_document(text: &str) -> Result<MarkedYaml<'_>, Problem> {
    let problem = |error: &saphyr_parser::ScanError| {
        let place = error.marker();
        Problem::new(format!(
            "it is not valid YAML at line {} column {}: {}",
            place.line(),
            place.col() + 1,
            error.info()
        ))
    };
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    loader.early_parse(false);
    let mut bounds = Bounds::default();
    // Not by the parser's own `load`, which calls itself for each level.
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| problem(&error))?;
        bounds.see(&event, span.start.line())?;
        loader.on_event(event, span);
    }
    if let Some(error) = loader.error() {
        return Err(problem(error));
    }
    let documents: [_; 1] = loader
        .into_documents()
        .try_into()
        .map_err(|documents: Vec<_>| {
            let count = documents.len();
            Problem::new(format!("it must be one YAML document, not {count}"))
        })?;
    let [document] = documents;
    Ok(document)
}

fn from_node(node: &MarkedYaml<'_>, depth: usize) -> Result<Node, Problem> {
    let line = node.span.start.line();
    if depth > DEEPEST {
        return Err(too_deep());
    }
    match &node.data {
        YamlData::Representation(text, style, tag) => {
            let plain = match tag {
                None => *style == ScalarStyle::Plain,
                Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => false,
                Some(_) => {
                    return Err(Problem::new(format!(
                        "it has a tag at line {line}, but only `!!str` is understood"
                    )));
                }
            };
            Ok(Node::Scalar {
                text: text.to_string(),
                plain,
            })
        }
        YamlData::Sequence(nodes) => {
            let nodes = nodes.iter().map(|node| from_node(node, depth + 1));
            Ok(Node::Sequence(nodes.collect::<Result<_, _>>()?))
        }
        YamlData::Mapping(pairs) => {
            let mut names = HashSet::with_capacity(pairs.len());
            let mut read = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let name = name(key)?;
                // The library compares keys as written, for which `a` and "a" are two.
                if !names.insert(name) {
                    let line = key.span.start.line();
                    return Err(Problem::naming(
                        format!("the name `{name}` stands there twice, again at line {line}"),
                        format!("a name stands there twice, again at line {line}"),
                    ));
                }
                read.push((name.to_owned(), from_node(value, depth + 1)?));
            }
            Ok(Node::Mapping(read))
        }
        YamlData::Value(_) | YamlData::Tagged(..) | YamlData::Alias(_) | YamlData::BadValue => {
            Err(Problem::new(format!(
                "it has something at line {line} that cannot be sent"
            )))
        }
    }
}

/// The name in a mapping of YAML.
fn name<'node>(key: &'node MarkedYaml<'_>) -> Result<&'node str, Problem> {
    let YamlData::Representation(text, ..) = &key.data else {
        return Err(no_name(key.span.start.line()));
    };
    Ok(text)
}

fn no_name(line: usize) -> Problem {
    Problem::new(format!("it has a name at line {line} that is not a text"))
}

fn too_deep() -> Problem {
    Problem::new(format!("it is nested more than {DEEPEST} deep"))
}

/// A JSON object's pairs as they stand in its text, duplicates included.
struct Pairs<'text>(Vec<JsonPair<'text>>);

struct JsonPair<'text> {
    name: String,
    /// The name as it stands there.
    key: &'text RawValue,
    value: &'text RawValue,
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
                    pairs.push(JsonPair { name, key, value });
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
    use serde_json::json;

    fn texts(text: &str) -> Vec<(String, String)> {
        let node = parse(text).unwrap();
        let texts = node.texts().unwrap().into_iter();
        texts
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
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
                texts(&format!("NAME: {written}\n")),
                [("NAME".to_owned(), text.to_owned())],
                "{written}"
            );
        }
        for (written, text) in [
            ("1e3", "1e3"),
            ("1.10", "1.10"),
            ("true", "true"),
            ("null", "null"),
            (r#""\ud83d\ude00""#, "😀"),
        ] {
            assert_eq!(
                texts(&format!(r#"{{"NAME": {written}}}"#))[0].1,
                text,
                "{written}"
            );
        }
    }

    #[test]
    fn typed_values_follow_yaml_1_2_where_nothing_is_lost() {
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
            assert_eq!(node.typed(), json!({ "name": value }), "{written}");
        }
        assert_eq!(
            parse(r#"{"a": 1.10, "b": 2}"#).unwrap().typed(),
            json!({"a": "1.10", "b": 2})
        );
    }

    #[test]
    fn json_keeps_its_text() {
        let (raw, names) = compact_object(
            "{ \"b\" : 1.0,\n\t\"a\": [1e3, 12345678901234567890], \"s p\": \"x \\\" y\\\\\" }",
        )
        .unwrap();
        assert_eq!(
            raw.get(),
            r#"{"b":1.0,"a":[1e3,12345678901234567890],"s p":"x \" y\\"}"#
        );
        assert_eq!(names.len(), 3);
        assert!(compact_object("[1]").is_none());
        assert!(compact_object("{'a': 1}").is_none());
        assert!(compact_object("1").is_none());
    }

    #[test]
    fn problems_name_the_place_and_never_the_text() {
        for (text, problem) in [
            ("{\"a\": hunter2", "it is not valid JSON at line 1 column 7"),
            (
                "a: 1\nb: [hunter2",
                "it is not valid YAML at line 3 column 1: while parsing a flow sequence, expected ',' or ']'",
            ),
            (
                "a: 1\na: hunter2",
                "it is not valid YAML at line 2 column 1: duplicated key in mapping",
            ),
            (
                "a: 1\n\"a\": hunter2",
                "the name `a` stands there twice, again at line 2",
            ),
            ("{\"a\": 1, \"a\": 2}", "the name `a` stands there twice"),
            (
                "a: !secret hunter2",
                "it has a tag at line 1, but only `!!str` is understood",
            ),
            ("a: 1\n---\nb: 2", "it must be one YAML document, not 2"),
            ("", "it must be one YAML document, not 0"),
        ] {
            let found = parse(text).unwrap_err().message;
            assert!(!found.contains("hunter2"));
            assert_eq!(found, problem, "{text}");
        }
        assert!(
            parse("hunter2")
                .unwrap()
                .texts()
                .unwrap_err()
                .message
                .contains("mapping")
        );
        assert!(
            parse("a: [1]")
                .unwrap()
                .texts()
                .unwrap_err()
                .message
                .contains("`a` is nested")
        );
        assert_eq!(
            parse(&"[".repeat(5_000)).unwrap_err(),
            parse(&"[".repeat(5_000)).unwrap_err()
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"([\[\]{}:,"'&*!|>?~ \n-]|\PC){0,60}"#) {
            if let Ok(node) = parse(&text) {
                node.typed();
                let _ = node.texts();
            }
            compact_object(&text);
        }

        #[test]
        fn compact_json_is_the_same_json(text in r#"\{"a":[ \n]{0,3}("[^"\\\n]{0,9}"|-?[1-9][0-9]{0,30}(\.[0-9]{1,5})?)[ \t]{0,2}\}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let (raw, names) = compact_object(&text).expect("valid JSON");
                prop_assert_eq!(names.len(), 1);
                prop_assert_eq!(serde_json::from_str::<Value>(raw.get()).unwrap(), value);
            }
        }

        #[test]
        fn quoted_texts_survive(value in any::<String>()) {
            let text = serde_json::to_string(&json!({ "NAME": value })).unwrap();
            prop_assert_eq!(&texts(&text)[0].1, &value);
        }
    }
}
