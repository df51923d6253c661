//! Reads parameters from a form or from JSON by GitLab's rules, with its error messages. Stricter than GitLab in one
//! respect: unknown parameters are rejected, not ignored.

use serde_json::{Map, Value, json};

use super::error::Failure;
use crate::form;
use crate::request::Request;
use crate::world::{Variable, VariableKind};

/// Parses either kind of body to `{"token": …, "variables": {…}}`: `variables[K]=v` in a form is a map entry.
pub(super) fn parse(request: &Request, known: &[&str]) -> Result<Map<String, Value>, Failure> {
    let parameters = match request.content_type().as_str() {
        "application/json" => match request.json() {
            Some(Value::Object(parameters)) => parameters,
            None if request.body.is_empty() => Map::new(),
            _ => return Err(Failure::error(400, "Problems parsing JSON")),
        },
        form::URL_ENCODED | form::MULTIPART => from_form(request)?,
        _ if request.body.is_empty() => Map::new(),
        other => {
            let message = format!("The provided content-type '{other}' is not supported.");
            return Err(Failure::error(415, &message));
        }
    };
    match parameters
        .keys()
        .find(|name| !known.contains(&name.as_str()))
    {
        Some(name) => Err(Failure::error(
            400,
            &format!("{name} is no parameter here (GitLab itself would ignore it)"),
        )),
        None => Ok(parameters),
    }
}

fn from_form(request: &Request) -> Result<Map<String, Value>, Failure> {
    let fields = form::fields(&request.headers, &request.body)
        .ok_or_else(|| Failure::error(400, "The form is broken off"))?;
    let mut parameters = Map::new();
    for (name, value) in fields {
        match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            Some((map, key)) => {
                let map = parameters.entry(map).or_insert_with(|| json!({}));
                let map = map
                    .as_object_mut()
                    .ok_or_else(|| Failure::error(400, &format!("{name} is invalid")))?;
                map.insert(key.to_owned(), json!(value));
            }
            None => {
                parameters.insert(name, json!(value));
            }
        }
    }
    Ok(parameters)
}

/// Returns the required strings in order, or one error that names all missing ones.
pub(super) fn required_strings<const COUNT: usize>(
    parameters: &Map<String, Value>,
    names: [&str; COUNT],
) -> Result<[String; COUNT], Failure> {
    let missing: Vec<String> = names
        .iter()
        .filter(|name| !parameters.contains_key(**name))
        .map(|name| format!("{name} is missing"))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::error(400, &missing.join(", ")));
    }
    let mut values = names.map(str::to_owned);
    for text in &mut values {
        let value = parameters.get(text.as_str()).and_then(Value::as_str);
        match value {
            None => return Err(Failure::error(400, &format!("{text} is invalid"))),
            Some("") => return Err(Failure::error(400, &format!("{text} is empty"))),
            Some(value) => value.clone_into(text),
        }
    }
    Ok(values)
}

/// Reads variables from a map of strings, as in the trigger call.
pub(super) fn variable_map(parameters: &Map<String, Value>) -> Result<Vec<Variable>, Failure> {
    let Some(variables) = parameters.get("variables") else {
        return Ok(Vec::new());
    };
    let map = variables
        .as_object()
        .ok_or_else(|| Failure::error(400, "variables is invalid"))?;
    map.iter()
        .map(|(key, value)| {
            let value = value.as_str().ok_or_else(|| {
                Failure::message(400, "variables needs to be a map of key-valued strings")
            })?;
            variable(key, value, VariableKind::Environment)
        })
        .collect()
}

/// Reads variables from a list of `{key, value, variable_type}`, as in the pipeline call.
pub(super) fn variable_list(parameters: &Map<String, Value>) -> Result<Vec<Variable>, Failure> {
    let Some(variables) = parameters.get("variables") else {
        return Ok(Vec::new());
    };
    let list = variables
        .as_array()
        .ok_or_else(|| Failure::error(400, "variables is invalid"))?;
    let mut variables: Vec<Variable> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let variable = list_entry(index, entry)?;
        if variables.iter().any(|earlier| earlier.key == variable.key) {
            let message = format!("Duplicate variable name: {}", variable.key);
            return Err(Failure::base(400, &message));
        }
        variables.push(variable);
    }
    Ok(variables)
}

fn list_entry(index: usize, entry: &Value) -> Result<Variable, Failure> {
    let invalid = |member: &str, message: &str| {
        Failure::error(400, &format!("variables[{index}]{member} {message}"))
    };
    let entry = entry.as_object().ok_or_else(|| invalid("", "is invalid"))?;
    let known = ["key", "value", "variable_type"];
    if let Some(name) = entry.keys().find(|name| !known.contains(&name.as_str())) {
        let member = format!("[{name}]");
        return Err(invalid(
            &member,
            "is no parameter here (GitLab itself would ignore it)",
        ));
    }
    let text = |name: &str| {
        let member = format!("[{name}]");
        let value = entry
            .get(name)
            .ok_or_else(|| invalid(&member, "is missing"))?;
        value.as_str().ok_or_else(|| invalid(&member, "is invalid"))
    };
    let kind = match entry.get("variable_type").map(Value::as_str) {
        None | Some(Some("env_var")) => VariableKind::Environment,
        Some(Some("file")) => VariableKind::File,
        Some(_) => return Err(invalid("[variable_type]", "does not have a valid value")),
    };
    variable(text("key")?, text("value")?, kind)
}

fn variable(key: &str, value: &str, kind: VariableKind) -> Result<Variable, Failure> {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if key.is_empty() || !key.chars().all(is_allowed) {
        return Err(Failure::base(
            400,
            "Variables key can contain only letters, digits and '_'.",
        ));
    }
    Ok(Variable {
        key: key.to_owned(),
        value: value.to_owned(),
        secured: false,
        kind,
    })
}

/// Reads inputs from a map of typed values.
pub(super) fn inputs(parameters: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let Some(inputs) = parameters.get("inputs") else {
        return Ok(Map::new());
    };
    let inputs = inputs.as_object();
    inputs
        .cloned()
        .ok_or_else(|| Failure::error(400, "inputs is invalid"))
}
