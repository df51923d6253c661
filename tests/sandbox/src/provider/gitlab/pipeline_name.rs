//! A pipeline's name, from `workflow: name:` of its configuration.

use serde_json::{Map, Value};

use crate::world::Variable;

/// Expands the inputs, then the variables, of a name. Those that don't exist are empty.
pub(super) fn expand(
    template: &str,
    inputs: &Map<String, Value>,
    variables: &[Variable],
) -> String {
    let interpolated = replace(template, "$[[", "]]", |name| {
        let name = name.trim().strip_prefix("inputs.").unwrap_or_default();
        inputs.get(name).map_or_else(String::new, text)
    });
    let mut name = String::new();
    let mut rest = interpolated.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        name.push_str(before);
        let (value, following) = variable(after, variables);
        name.push_str(&value);
        rest = following;
    }
    name.push_str(rest);
    name.trim().to_owned()
}

/// Returns the value of what follows a `$`, and the text after it: `NAME`, `{NAME}`, or a second `$` for a dollar.
fn variable<'text>(after: &'text str, variables: &[Variable]) -> (String, &'text str) {
    if let Some(following) = after.strip_prefix('$') {
        return ("$".to_owned(), following);
    }
    let braced = after
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'));
    let (key, following) = braced.unwrap_or_else(|| {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = after.find(|character| !is_part(character));
        after.split_at(end.unwrap_or(after.len()))
    });
    let found = variables.iter().find(|variable| variable.key == key);
    let value = found.map_or_else(String::new, |variable| variable.value.clone());
    (value, following)
}

/// Replaces each text between these delimiters.
fn replace(text: &str, start: &str, end: &str, value: impl Fn(&str) -> String) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(start) {
        let (name, following) = after.split_once(end).unwrap_or((after, ""));
        replaced.push_str(before);
        replaced.push_str(&value(name));
        rest = following;
    }
    replaced + rest
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::VariableKind;

    #[test]
    fn inputs_and_variables_are_expanded() {
        let variables = [("TRIGGER_ID", "abc-1"), ("PRICE", "5$")].map(|(key, value)| Variable {
            key: key.to_owned(),
            value: value.to_owned(),
            secured: false,
            kind: VariableKind::Environment,
        });
        let inputs = json!({"marker": "def-2", "count": 3});
        let inputs = inputs.as_object().unwrap();
        for (template, expected) in [
            ("Deploy", "Deploy"),
            ("Deploy $TRIGGER_ID", "Deploy abc-1"),
            ("${TRIGGER_ID}: deploy", "abc-1: deploy"),
            ("$TRIGGER_ID-$PRICE", "abc-1-5$"),
            ("$$TRIGGER_ID", "$TRIGGER_ID"),
            ("$UNKNOWN", ""),
            ("Deploy ${UNKNOWN}", "Deploy"),
            (
                "Deploy $[[ inputs.marker ]] $[[inputs.count]]",
                "Deploy def-2 3",
            ),
        ] {
            assert_eq!(expand(template, inputs, &variables), expected, "{template}");
        }
    }
}
