//! The two calls that start a pipeline: with a trigger token, and with an access token. `parameters` reads their
//! parameters.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::error::Failure;
use super::{ApiResult, Call, ProjectCall, access, parameters, pipeline, pipeline_name};
use crate::response::Response;
use crate::world::{
    Conclusion, Configuration, GitLabProject, InputKind, PipelineInput, PipelineVariables,
    Provider, Role, Run, TriggerToken, Variable, VariableKind, World,
};

/// A pipeline to create.
struct NewPipeline {
    source: &'static str,
    reference: String,
    variables: Vec<Variable>,
    trigger_payload: Option<Variable>,
    inputs: Map<String, Value>,
    actor: String,
    role: Role,
}

/// `POST /projects/:id/trigger/pipeline`
pub(super) fn by_trigger(world: &mut World, call: &Call<'_>, id: &str) -> ApiResult {
    // GitLab takes a request with this header for its own webhook, and refuses it to prevent loops.
    if call.request.headers.get("x-gitlab-event").is_some() {
        return Err(Failure::message(403, "403 Forbidden"));
    }
    let body = parameters::parse(call.request, &["token", "ref", "variables", "inputs"])?;
    let [token, reference] = parameters::required_strings(&body, ["token", "ref"])?;
    let variables = parameters::variable_map(&body)?;
    let inputs = parameters::inputs(&body)?;

    // A wrong token, an access token and another project's trigger token all get the same 404.
    let project = access::find(world, id).cloned();
    let known = |trigger: &&TriggerToken| trigger.value == token;
    let found = project.as_ref().and_then(|project| {
        let trigger = project.trigger_tokens.iter().find(known);
        trigger.map(|trigger| (project, trigger))
    });
    let (project, trigger) = found.ok_or_else(|| Failure::message(404, "404 Not Found"))?;
    // Applies even without variables: GitLab stores the request body in the variable TRIGGER_PAYLOAD.
    if project.pipeline_variables == PipelineVariables::Forbidden {
        return Err(variables_forbidden());
    }
    let request = NewPipeline {
        source: "trigger",
        reference,
        variables,
        trigger_payload: Some(trigger_payload(id, body)),
        inputs,
        actor: trigger.owner.clone(),
        role: trigger.role,
    };
    let call = ProjectCall {
        call,
        token: None,
        project: project.clone(),
    };
    start(world, &call, request)
}

/// `POST /projects/:id/pipeline`
pub(super) fn by_token(world: &mut World, call: &ProjectCall<'_>) -> ApiResult {
    let (token, role) = access::require_developer(call)?;
    let body = parameters::parse(call.request, &["ref", "variables", "inputs"])?;
    let [reference] = parameters::required_strings(&body, ["ref"])?;
    let variables = parameters::variable_list(&body)?;
    let inputs = parameters::inputs(&body)?;
    if call.project.pipeline_variables == PipelineVariables::Forbidden && !variables.is_empty() {
        return Err(variables_forbidden());
    }
    let request = NewPipeline {
        source: "api",
        reference,
        variables,
        trigger_payload: None,
        inputs,
        actor: token.owner.clone(),
        role,
    };
    start(world, call, request)
}

/// Returns the variable in which GitLab keeps all of the request but its token.
fn trigger_payload(project: &str, mut body: Map<String, Value>) -> Variable {
    body.remove("token");
    body.insert("id".to_owned(), json!(project));
    Variable {
        key: "TRIGGER_PAYLOAD".to_owned(),
        value: Value::Object(body).to_string(),
        secured: false,
        kind: VariableKind::File,
    }
}

fn variables_forbidden() -> Failure {
    Failure::base(400, "Insufficient permissions to set pipeline variables")
}

fn start(world: &mut World, call: &ProjectCall<'_>, request: NewPipeline) -> ApiResult {
    let project = &call.project;
    let resolved = project
        .git
        .resolve(&request.reference)
        .ok_or_else(|| Failure::base(400, "Reference not found"))?;
    if project.git.is_ambiguous(&request.reference) {
        return Err(Failure::base(400, "Ref is ambiguous"));
    }
    let reference = resolved.name;
    if request.role < Role::Developer {
        let message = "Insufficient permissions to create a new pipeline";
        return Err(Failure::base(400, message));
    }
    if project.protects(reference) && request.role < Role::Maintainer {
        return Err(Failure::base(
            400,
            &format!(
                "You do not have sufficient permission to run a pipeline on '{reference}'. Please select a \
                 different branch or contact your administrator for assistance."
            ),
        ));
    }
    let inputs = resolve_inputs(&project.inputs, &request.inputs)
        .map_err(|message| Failure::base(400, &message))?;

    let mut run = Run::new(
        Provider::GitLab,
        &project.path,
        ".gitlab-ci.yml",
        request.source,
    );
    run.reference = Some((resolved.kind, reference.to_owned()));
    resolved.commit.clone_into(&mut run.commit);
    if let Some(name) = &project.pipeline_name {
        run.title = pipeline_name::expand(name, &inputs, &request.variables);
    }
    run.inputs = inputs;
    run.variables = request.variables;
    run.trigger_payload = request.trigger_payload;
    run.actor = request.actor;
    if is_throttled(world, project) {
        let message = "Too many pipelines created in the last minute. Try again later.";
        return Err(Failure::base(400, message));
    }
    match &project.configuration {
        Configuration::Runs => {
            let run = world.start(run);
            Ok(Response::json(201, pipeline::describe(call, &run)))
        }
        Configuration::NoJobs => Err(Failure::base(
            400,
            "Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from being \
             added to the pipeline.",
        )),
        Configuration::NoStages => Err(Failure::base(400, "No stages / jobs for this pipeline.")),
        Configuration::Invalid(message) if request.source == "trigger" => {
            run.complete(Conclusion::Failure);
            world.start(run);
            Err(Failure::base(422, message))
        }
        Configuration::Invalid(message) => Err(Failure::base(400, message)),
    }
}

fn is_throttled(world: &World, project: &GitLabProject) -> bool {
    let minute_ago = world.now() - Duration::from_mins(1);
    let runs = world.runs_of(Provider::GitLab, &project.path);
    let created = runs
        .filter(|run| run.first_attempt().created_at > minute_ago)
        .count();
    let limit = world.gitlab.max_pipelines_a_minute;
    limit.is_some_and(|limit| created >= limit)
}

/// Returns all declared inputs with the given values or their defaults, or an error message.
fn resolve_inputs(
    declared: &[PipelineInput],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let unknown: Vec<&str> = given
        .keys()
        .filter(|name| !declared.iter().any(|input| input.name == **name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(format!("unknown input arguments: {}", unknown.join(", ")));
    }
    let mut inputs = Map::new();
    for input in declared {
        let name = &input.name;
        let value = given.get(name).or(input.default.as_ref());
        let value =
            value.ok_or_else(|| format!("`{name}` input: required value has not been provided"))?;
        let (fits, kind) = match input.kind {
            InputKind::String => (value.is_string(), "a string"),
            InputKind::Number => (value.is_number(), "a number"),
            InputKind::Boolean => (value.is_boolean(), "a boolean"),
            InputKind::Array => (value.is_array(), "an array"),
        };
        if !fits {
            return Err(format!("`{name}` input: provided value is not {kind}"));
        }
        inputs.insert(name.clone(), value.clone());
    }
    Ok(inputs)
}
