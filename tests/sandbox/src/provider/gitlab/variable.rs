//! The variables of a pipeline, which only its owner and maintainers may read.

use serde_json::{Value, json};

use super::{ApiResult, ProjectCall, access, pipeline};
use crate::response::Response;
use crate::world::{Variable, VariableKind, World};

/// `GET …/pipelines/:pipeline_id/variables`: those of the request, all on one page.
pub(super) fn list(world: &World, call: &ProjectCall<'_>, id: &str) -> ApiResult {
    let run = pipeline::find(world, call, id)?;
    access::require_reading_variables(call, run)?;
    let variables = run.variables.iter().chain(&run.trigger_payload);
    let variables: Vec<Value> = variables.map(describe).collect();
    Ok(Response::json(200, json!(variables)))
}

fn describe(variable: &Variable) -> Value {
    let kind = match variable.kind {
        VariableKind::Environment => "env_var",
        VariableKind::File => "file",
    };
    json!({
        "variable_type": kind,
        "key": variable.key,
        "value": variable.value,
        "raw": false,
    })
}
