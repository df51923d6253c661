//! Parses YAML 1.2 from the events of a library.

use std::collections::HashSet;

use saphyr::{MarkedYaml, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::{Parser, SpannedEventReceiver as _};

use super::comments::Comments;
use super::nesting::NestingLimits;
use super::{MAX_DEPTH, Node, Scalar, Style, ValueError, key_is_not_a_string, too_deep};

pub(super) fn parse(text: &str) -> Result<Node, ValueError> {
    let Document { root, comments } = Document::of(text)?;
    node(&root, &comments, 0)
}

/// The only document of a YAML text, with the positions of its parts.
pub(super) struct Document<'text> {
    pub(super) root: MarkedYaml<'text>,
    pub(super) comments: Comments<'text>,
}

impl<'text> Document<'text> {
    pub(super) fn of(text: &'text str) -> Result<Self, ValueError> {
        let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
        loader.early_parse(false);
        let mut limits = NestingLimits::default();
        let mut comments = Comments::of(text);
        // Not with the parser's own `load`, which recurses for each level.
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| invalid_yaml(text, &error))?;
            limits.on_event(&event, span.start.line())?;
            comments.on_event(&event, span);
            loader.on_event(event, span);
        }
        if let Some(error) = loader.error() {
            return Err(invalid_yaml(text, error));
        }
        let documents: [_; 1] =
            loader
                .into_documents()
                .try_into()
                .map_err(|documents: Vec<_>| {
                    let count = documents.len();
                    ValueError::new(format!("must be one YAML document, not {count}"))
                })?;
        let [root] = documents;
        Ok(Self { root, comments })
    }
}

/// Explains a syntax error. The library's own words are for those who know its grammar.
fn invalid_yaml(text: &str, error: &saphyr_parser::ScanError) -> ValueError {
    let position = error.marker();
    let (line, column) = (position.line(), position.col() + 1);
    let info = error.info();
    let is_indented_with_tab = text.lines().any(|line| {
        let indent = &line[..line.len() - line.trim_start().len()];
        indent.contains('\t')
    });
    let has = |words: &[&str]| words.iter().any(|word| info.contains(word));
    if has(&["duplicated key"]) {
        return ValueError::new(format!("uses a key twice, again at line {line}"));
    }
    let (why, hint) = if has(&["mapping values are not allowed", "illegal placement of ':'"]) {
        (
            ": a value contains `: ` or the indentation is wrong",
            "quote the value, or use `toJSON()` for it",
        )
    } else if is_indented_with_tab {
        (": a line is indented with a tab", "indent with spaces")
    } else if has(&["unexpected character"]) {
        (
            ": a value begins with a character that is special in YAML",
            "quote the value, or use `toJSON()` for it",
        )
    } else if has(&["quoted scalar, found unexpected end"]) {
        (": a quote isn't closed", "add the closing quote")
    } else if has(&["after double-quoted scalar"]) {
        (
            ": a quoted value is followed by more text",
            "use `toJSON()` for the value, without quotes around the expression",
        )
    } else if has(&["flow sequence", "flow mapping", "flow construct"]) {
        (
            ": a `[` or `{` isn't closed",
            "close it, or quote the value",
        )
    } else if has(&["unknown anchor"]) {
        (
            ": an alias has no anchor",
            "quote the value if it isn't an alias",
        )
    } else {
        ("", "quote the value, or use `toJSON()` for it")
    };
    ValueError::new(format!(
        "isn't valid YAML at line {line}, column {column}{why}"
    ))
    .hint(hint)
}

pub(super) fn node(
    node: &MarkedYaml<'_>,
    comments: &Comments<'_>,
    depth: usize,
) -> Result<Node, ValueError> {
    let line = node.span.start.line();
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    match &node.data {
        YamlData::Representation(text, style, tag) => {
            let is_plain = *style == ScalarStyle::Plain;
            let style = match tag {
                None if is_plain => Style::Plain,
                None => Style::Quoted,
                Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Style::Quoted,
                Some(_) => {
                    return Err(ValueError::new(format!(
                        "has a tag at line {line}, but only `!!str` is supported"
                    )));
                }
            };
            let can_have_comment = is_plain && !text.is_empty();
            Ok(Node::Scalar(Scalar {
                text: text.to_string(),
                style,
                comment: can_have_comment
                    .then(|| comments.at(node.span.start))
                    .flatten(),
            }))
        }
        YamlData::Sequence(nodes) => {
            let nodes = nodes
                .iter()
                .map(|item| self::node(item, comments, depth + 1));
            Ok(Node::Sequence(nodes.collect::<Result<_, _>>()?))
        }
        YamlData::Mapping(pairs) => {
            let mut names = HashSet::with_capacity(pairs.len());
            let mut read = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let name = name(key)?;
                // The library compares keys as written, so it considers `a` and "a" different.
                if !names.insert(name) {
                    let line = key.span.start.line();
                    return Err(ValueError::new(format!(
                        "uses a key twice, again at line {line}"
                    )));
                }
                let mut value = self::node(value, comments, depth + 1)?;
                if let Node::Scalar(scalar) = &mut value
                    && scalar.style == Style::Plain
                    && scalar.text.is_empty()
                {
                    scalar.comment = comments.after_key(key.span.end);
                }
                read.push((name.to_owned(), value));
            }
            Ok(Node::Mapping(read))
        }
        YamlData::Value(_) | YamlData::Tagged(..) | YamlData::Alias(_) | YamlData::BadValue => Err(
            ValueError::new(format!("has a value at line {line} that can't be sent")),
        ),
    }
}

/// Returns a key of a mapping as a string.
pub(super) fn name<'node>(key: &'node MarkedYaml<'_>) -> Result<&'node str, ValueError> {
    let line = key.span.start.line();
    match &key.data {
        YamlData::Representation(text, ScalarStyle::Plain, _) if text == "<<" => {
            Err(ValueError::new(format!(
                "has the merge key `<<` at line {line}, which isn't supported"
            ))
            .hint("write the keys out; aliases of whole values (`*name`) do work"))
        }
        YamlData::Representation(text, ..) => Ok(text),
        YamlData::Value(_)
        | YamlData::Sequence(_)
        | YamlData::Mapping(_)
        | YamlData::Tagged(..)
        | YamlData::Alias(_)
        | YamlData::BadValue => Err(key_is_not_a_string(line)),
    }
}
