//! `POST /repos/{owner}/{repo}/dispatches`: starts every workflow on the default branch that listens to the event type,
//! without returning the runs. `workflow` dispatches a single workflow.

use serde_json::Value;

use super::error::Failure;
use super::{ApiResult, RepositoryCall, access, json_body, run_name};
use crate::response::Response;
use crate::world::{Access, Provider, RefKind, Run, WorkflowState, World};

pub(super) fn create(world: &mut World, call: &RepositoryCall<'_>) -> ApiResult {
    access::require(world, call, "contents", Access::Write)?;
    let body = json_body::parse(call.request, &["event_type", "client_payload"])?;
    let event_type = json_body::required_string(&body, "event_type")?;
    match event_type.chars().count() {
        0 => {
            return Err(Failure::invalid(
                "At least 1 character is required; only 0 were supplied.",
            ));
        }
        1..=100 => {}
        length => {
            return Err(Failure::invalid(&format!(
                "Only 100 characters are allowed; {length} were supplied."
            )));
        }
    }
    let payload = Value::Object(json_body::object(&body, "client_payload", 10)?);

    for workflow in &call.repository.workflows {
        let starts = workflow.on_default_branch
            && workflow.state == WorkflowState::Active
            && workflow.listens_to(&event_type);
        if !starts {
            continue;
        }
        let branch = call.repository.git.default_branch.as_str();
        let mut run = Run::new(
            Provider::GitHub,
            &call.repository.name,
            &workflow.file,
            "repository_dispatch",
        );
        run.workflow_id = workflow.id;
        run.reference = Some((RefKind::Branch, branch.to_owned()));
        let commit = call.repository.git.commit_of(RefKind::Branch, branch);
        commit.unwrap_or_default().clone_into(&mut run.commit);
        run.client_payload = Some(payload.clone());
        run.actor = call.caller.name();
        run.title = run_name::of_dispatch(workflow, &event_type, &payload);
        world.start(run);
    }
    Ok(Response::status(204))
}
