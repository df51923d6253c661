//! `POST /repositories/{workspace}/{repo}/pipelines`. Its `target` is read in `target`.

use serde_json::Value;

use super::error::Failure;
use super::{ApiResult, Call, access, pipeline, target};
use crate::response::Response;
use crate::world::{Provider, RefKind, Run, Variable, VariableKind, World};

pub(super) fn create(world: &mut World, call: &Call<'_>) -> ApiResult {
    access::require(call, access::START)?;
    if call.request.content_type() != "application/json" {
        return Err(Failure::message(415, "Unsupported Media Type"));
    }
    let body = call
        .request
        .json()
        .ok_or_else(|| target::invalid("The body is not JSON."))?;
    let body = target::members(&body, "body", &["target", "variables"])?;
    let wanted = body
        .get("target")
        .ok_or_else(|| target::invalid("The body has no target."))?;
    let wanted = target::read(wanted, &call.repository)?;
    let is_bare_tag = matches!(wanted.reference, Some((RefKind::Tag, _))) && !wanted.names_commit;
    if is_bare_tag && world.bitbucket.fails_for_tags_without_commit {
        return Err(Failure::message(500, "Something went wrong"));
    }
    let variables = body.get("variables").map_or(Ok(Vec::new()), variables)?;

    let pipeline = wanted.custom.as_deref().unwrap_or("default");
    let mut run = Run::new(
        Provider::Bitbucket,
        &call.repository.name,
        pipeline,
        "manual",
    );
    run.reference = wanted.reference;
    run.commit = wanted.commit;
    run.variables = variables;
    run.actor.clone_from(&call.token.owner);
    let run = world.start(run);
    let location = pipeline::api_url(call, &run);
    let body = pipeline::describe(call, &run);
    Ok(Response::json(201, body).header("Location", location))
}

fn variables(value: &Value) -> Result<Vec<Variable>, Failure> {
    let list = value
        .as_array()
        .ok_or_else(|| target::invalid("The variables are not a list."))?;
    list.iter().map(variable).collect()
}

fn variable(value: &Value) -> Result<Variable, Failure> {
    let variable = target::members(value, "variable", &["key", "value", "secured"])?;
    let key = target::required_string(variable, "key")?;
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if !key.chars().all(is_allowed) || key.starts_with(|first: char| first.is_ascii_digit()) {
        let detail =
            "A variable's key can contain only letters, digits and '_', and begins with no digit.";
        return Err(target::invalid(detail));
    }
    let text = variable
        .get("value")
        .and_then(Value::as_str)
        .ok_or_else(|| target::invalid("A variable's value is missing or not a string."))?;
    let secured = match variable.get("secured") {
        None => false,
        Some(secured) => secured
            .as_bool()
            .ok_or_else(|| target::invalid("A variable's secured is not a boolean."))?,
    };
    Ok(Variable {
        key: key.to_owned(),
        value: text.to_owned(),
        secured,
        kind: VariableKind::Environment,
    })
}
