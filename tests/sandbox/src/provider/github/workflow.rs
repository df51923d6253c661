//! Lists and reads workflows, and handles `POST …/actions/workflows/{id or file}/dispatches`. Their runs are in `run`.

use serde_json::{Map, Value, json};

use super::error::Failure;
use super::{ApiResult, Call, RepositoryCall, access, account, json_body, run, run_name};
use crate::provider::{Page, query_for_page};
use crate::response::Response;
use crate::world::{
    Access, GitHubRepository, Provider, Run, RunDetails, Workflow, WorkflowInput, WorkflowState,
    World,
};

pub(super) fn list(world: &World, call: &RepositoryCall<'_>) -> ApiResult {
    access::require(world, call, "actions", Access::Read)?;
    let all: Vec<Value> = call
        .repository
        .workflows
        .iter()
        .filter(|workflow| workflow.on_default_branch)
        .map(|workflow| describe(call, workflow))
        .collect();
    let path = format!(
        "{}/repositories/{}/actions/workflows",
        call.base, call.repository.id
    );
    Ok(page("workflows", &all, call, &path))
}

pub(super) fn get(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    access::require(world, call, "actions", Access::Read)?;
    let workflow = find(&call.repository, id)?;
    Ok(Response::json(200, describe(call, workflow)))
}

pub(super) fn dispatch(world: &mut World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    access::require(world, call, "actions", Access::Write)?;
    let body = json_body::parse(call.request, &["ref", "inputs", "return_run_details"])?;
    let rejected = match world.github.run_details {
        RunDetails::Known | RunDetails::IdOnly => None,
        RunDetails::RejectedWith(status) => Some(status),
        RunDetails::Always => Some(422),
    };
    if let Some(status) = rejected
        && body.contains_key("return_run_details")
    {
        let message = "Invalid request.

\"return_run_details\" is not a permitted key.";
        return Err(Failure::new(status, message));
    }
    let reference = json_body::required_string(&body, "ref")?;
    let given = json_body::object(&body, "inputs", 25)?;
    let details = json_body::boolean(&body, "return_run_details")?
        || world.github.run_details == RunDetails::Always;

    let workflow = find(&call.repository, id)?;
    let resolved = call
        .repository
        .git
        .resolve(&reference)
        .ok_or_else(|| Failure::new(422, format!("No ref found for: {reference}")))?;
    let declared = workflow
        .workflow_dispatch
        .as_ref()
        .ok_or_else(|| Failure::new(422, "Workflow does not have 'workflow_dispatch' trigger"))?;
    if workflow.state == WorkflowState::DisabledManually {
        let message = "Cannot trigger a 'workflow_dispatch' on a disabled workflow";
        return Err(Failure::new(422, message));
    }
    let inputs = resolve_inputs(declared, &given)?;

    let mut run = Run::new(
        Provider::GitHub,
        &call.repository.name,
        &workflow.file,
        "workflow_dispatch",
    );
    run.workflow_id = workflow.id;
    run.reference = Some((resolved.kind, resolved.name.to_owned()));
    resolved.commit.clone_into(&mut run.commit);
    run.actor = call.caller.name();
    run.title = run_name::of_workflow_dispatch(workflow, &inputs);
    run.inputs = inputs;
    let run = world.start(run);
    if !details {
        return Ok(Response::status(204));
    }
    let mut details = json!({"workflow_run_id": run.id});
    if world.github.run_details != RunDetails::IdOnly {
        details["run_url"] = json!(run::api_url(call, &run));
        details["html_url"] = json!(run::page_url(call, &run));
    }
    Ok(Response::json(200, details))
}

/// Returns all declared inputs with the given values or their defaults. GitHub passes all of them on as strings.
fn resolve_inputs(
    declared: &[WorkflowInput],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    let unexpected: Vec<&String> = given
        .keys()
        .filter(|name| !declared.iter().any(|input| input.name == **name))
        .collect();
    if !unexpected.is_empty() {
        let names = json!(unexpected);
        return Err(Failure::new(
            422,
            format!("Unexpected inputs provided: {names}"),
        ));
    }
    let mut inputs = Map::new();
    for input in declared {
        let value = match given.get(&input.name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Some(value.to_string()),
            Some(value @ (Value::Null | Value::Array(_) | Value::Object(_))) => {
                let key = format!("inputs/{}", input.name);
                return Err(json_body::wrong_type(&key, value, "a string"));
            }
            None => input.default.clone(),
        };
        match value {
            None if input.required => {
                let message = format!("Required input '{}' not provided", input.name);
                return Err(Failure::new(422, message));
            }
            value => {
                inputs.insert(input.name.clone(), json!(value.unwrap_or_default()));
            }
        }
    }
    Ok(inputs)
}

/// Finds a workflow by id if all of `id` is a number, or else by file name, such as `1-release.yml`.
pub(super) fn find<'repository>(
    repository: &'repository GitHubRepository,
    id: &str,
) -> Result<&'repository Workflow, Failure> {
    let number: Option<u64> = id.parse().ok();
    repository
        .workflows
        .iter()
        .filter(|workflow| workflow.on_default_branch)
        .find(|workflow| match number {
            Some(number) => workflow.id == number,
            None => workflow.file == id,
        })
        .ok_or_else(Failure::not_found)
}

fn describe(call: &RepositoryCall<'_>, workflow: &Workflow) -> Value {
    let state = match workflow.state {
        WorkflowState::Active => "active",
        WorkflowState::DisabledManually => "disabled_manually",
    };
    let name = &call.repository.name;
    json!({
        "id": workflow.id,
        "node_id": account::node_id("W", workflow.id),
        "name": workflow.name,
        "path": format!(".github/workflows/{}", workflow.file),
        "state": state,
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
        "url": format!("{}/repos/{name}/actions/workflows/{}", call.base, workflow.id),
        "html_url": format!(
            "{}/{name}/blob/{}/.github/workflows/{}",
            call.origin, call.repository.git.default_branch, workflow.file
        ),
        "badge_url": format!(
            "{}/{name}/actions/workflows/{}/badge.svg", call.origin, workflow.file
        ),
    })
}

/// Returns a page of serialised entries.
pub(super) fn page(key: &str, all: &[Value], call: &Call<'_>, path: &str) -> Response {
    page_of(key, all, call, path, Value::clone)
}

/// Returns a page of a list, by default 30 entries, with its `Link` header and the number of all entries.
pub(super) fn page_of<T>(
    key: &str,
    all: &[T],
    call: &Call<'_>,
    path: &str,
    describe: impl Fn(&T) -> Value,
) -> Response {
    let page = Page::of(call.request, ("per_page", 30), all, describe);
    let response = Response::json(200, json!({"total_count": all.len(), key: page.entries}));
    with_links(response, call, path, &page)
}

/// Adds the `Link` header of a page, if there are others.
pub(super) fn with_links(response: Response, call: &Call<'_>, path: &str, page: &Page) -> Response {
    let (number, last) = (page.number, page.last);
    let link = |number: usize, relation: &str| {
        let query = query_for_page(call.request, number);
        format!("<{path}?{query}>; rel=\"{relation}\"")
    };
    let mut links = Vec::new();
    if number > 1 {
        links.extend([link(number - 1, "prev"), link(1, "first")]);
    }
    if number < last {
        links.extend([link(number + 1, "next"), link(last, "last")]);
    }
    if links.is_empty() {
        return response;
    }
    response.header("Link", links.join(", "))
}
