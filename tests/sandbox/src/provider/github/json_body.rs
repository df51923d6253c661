//! Reads a request body by GitHub's rules: a JSON object with permitted keys and correct types, or GitHub's error
//! messages.

use serde_json::{Map, Value};

use super::error::Failure;
use crate::request::Request;

/// GitHub's maximum length of a payload, or of all inputs, as JSON text.
const MAX_CHARACTERS: usize = 65_535;

pub(super) fn parse(request: &Request, permitted: &[&str]) -> Result<Map<String, Value>, Failure> {
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    let value = request
        .json()
        .ok_or_else(|| Failure::new(400, "Problems parsing JSON"))?;
    let Value::Object(body) = value else {
        return Err(Failure::new(400, "Body should be a JSON object"));
    };
    match body.keys().find(|key| !permitted.contains(&key.as_str())) {
        Some(key) => Err(Failure::invalid(&format!(
            "{key:?} is not a permitted key."
        ))),
        None => Ok(body),
    }
}

pub(super) fn required_string(body: &Map<String, Value>, key: &str) -> Result<String, Failure> {
    let value = body
        .get(key)
        .ok_or_else(|| Failure::invalid(&format!("{key:?} wasn't supplied.")))?;
    let text = value
        .as_str()
        .ok_or_else(|| wrong_type(key, value, "a string"))?;
    Ok(text.to_owned())
}

pub(super) fn object(
    body: &Map<String, Value>,
    key: &str,
    max_keys: usize,
) -> Result<Map<String, Value>, Failure> {
    let Some(value) = body.get(key) else {
        return Ok(Map::new());
    };
    let object = value
        .as_object()
        .ok_or_else(|| wrong_type(key, value, "an object"))?;
    if object.len() > max_keys {
        return Err(Failure::invalid(&format!(
            "No more than {max_keys} properties are allowed; {} were supplied.",
            object.len()
        )));
    }
    if value.to_string().chars().count() > MAX_CHARACTERS {
        return Err(Failure::new(422, format!("{key} is too large.")));
    }
    Ok(object.clone())
}

pub(super) fn boolean(body: &Map<String, Value>, key: &str) -> Result<bool, Failure> {
    let Some(value) = body.get(key) else {
        return Ok(false);
    };
    value
        .as_bool()
        .ok_or_else(|| wrong_type(key, value, "a boolean"))
}

pub(super) fn wrong_type(key: &str, value: &Value, wanted: &str) -> Failure {
    Failure::invalid(&format!("For 'properties/{key}', {value} is not {wanted}."))
}
