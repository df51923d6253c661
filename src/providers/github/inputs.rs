//! Which pipeline of GitHub's is triggered with what: its inputs, and the limits that can be checked before anything is
//! sent.

mod credential;
mod payload;

use self::payload::{PAYLOAD, client_payload};
use super::spec::{GitHubPipeline, GitHubSpec};
use crate::providers::inputs::{InputContext, reference, texts};
use crate::values::{Checked, Errors, InputError, Inputs, complain};

// GitHub's limits, from its REST documentation.
const MAX_EVENT_TYPE: usize = 100;
const MAX_WORKFLOW_INPUTS: usize = 25;
const MAX_ARGUMENT: usize = 65_535;

pub(super) fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<GitHubSpec> {
    let mut errors = Errors::default();
    let pipeline = errors.take(pipeline(inputs));
    let credential = errors.take(credential::read(inputs, context));
    errors.finish(|| {
        Some(GitHubSpec {
            pipeline: pipeline?,
            credential: credential?,
        })
    })
}

fn pipeline(inputs: &Inputs) -> Checked<GitHubPipeline> {
    match (inputs.get("event-type"), inputs.get("workflow")) {
        (Some(event_type), None) => repository_dispatch(inputs, event_type),
        (None, Some(workflow)) => workflow_dispatch(inputs, workflow),
        (event_type, workflow) => {
            let mut errors = Errors::default();
            errors.add([match event_type.or(workflow) {
                None => InputError::new(
                    "event-type",
                    "say what to trigger: `event-type` for a repository_dispatch, or `workflow` for a workflow_dispatch",
                ),
                Some(_) => InputError::new(
                    "workflow",
                    "there is an `event-type` too: give one of the two",
                ),
            }]);
            // What of the rest is wrong with either of them.
            event_type.map(|text| errors.take(event_type_within_limit(text)));
            workflow.map(|text| errors.take(workflow_name(text)));
            if inputs.written(PAYLOAD).is_some() {
                errors.take(client_payload(inputs));
            }
            errors.take(reference(inputs));
            errors.take(workflow_inputs(inputs));
            errors.finish(|| None)
        }
    }
}

fn repository_dispatch(inputs: &Inputs, event_type: &str) -> Checked<GitHubPipeline> {
    let mut errors = Errors::default();
    errors.add(refuse(
        inputs,
        "inputs",
        "it goes with `workflow`; with `event-type` use `client-payload`",
    ));
    errors.add(refuse(
        inputs,
        "ref",
        "a repository_dispatch always runs on the default branch: remove it",
    ));
    let event_type = errors.take(event_type_within_limit(event_type));
    let payload = errors.take(client_payload(inputs));
    errors.finish(|| {
        let (client_payload, marker) = payload?;
        Some(GitHubPipeline::RepositoryDispatch {
            event_type: event_type?,
            client_payload,
            marker,
        })
    })
}

fn workflow_dispatch(inputs: &Inputs, workflow: &str) -> Checked<GitHubPipeline> {
    let mut errors = Errors::default();
    errors.add(refuse(
        inputs,
        PAYLOAD,
        "it goes with `event-type`; with `workflow` use `inputs`",
    ));
    let workflow = errors.take(workflow_name(workflow));
    let reference = errors.take(reference(inputs));
    let arguments = errors.take(workflow_inputs(inputs));
    errors.finish(|| {
        Some(GitHubPipeline::WorkflowDispatch {
            workflow: workflow?,
            reference: reference?,
            inputs: arguments?,
        })
    })
}

fn event_type_within_limit(text: &str) -> Checked<String> {
    let length = text.chars().count();
    if length > MAX_EVENT_TYPE {
        return complain(
            "event-type",
            format!("it has {length} characters; GitHub takes at most {MAX_EVENT_TYPE}"),
        );
    }
    Ok(text.to_owned())
}

fn workflow_name(text: &str) -> Checked<String> {
    let name = text.strip_prefix(".github/workflows/").unwrap_or(text);
    if name.contains('/') || matches!(name, "." | "..") {
        return complain(
            "workflow",
            "it must be a file's name in .github/workflows, like `build.yml`, or an id",
        );
    }
    Ok(name.to_owned())
}

fn workflow_inputs(inputs: &Inputs) -> Checked<Vec<(String, String)>> {
    let pairs = texts(inputs, "inputs")?;
    if pairs.len() > MAX_WORKFLOW_INPUTS {
        return complain(
            "inputs",
            format!(
                "they are {}; GitHub takes at most {MAX_WORKFLOW_INPUTS}",
                pairs.len()
            ),
        );
    }
    let together = pairs.iter().flat_map(|(key, value)| [*key, value]);
    within_limit("inputs", together.map(|text| text.chars().count()).sum())?;
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    Ok(pairs.into_iter().map(owned).collect())
}

fn within_limit(name: &str, length: usize) -> Checked<()> {
    if length > MAX_ARGUMENT {
        return complain(
            name,
            format!("it has {length} characters; GitHub takes at most {MAX_ARGUMENT}"),
        );
    }
    Ok(())
}

/// Complains about an input that is set where it means nothing.
fn refuse(inputs: &Inputs, name: &str, why: &str) -> Option<InputError> {
    inputs
        .written(name)
        .is_some()
        .then(|| InputError::new(name, why))
}
