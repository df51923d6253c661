//! A GitHub pipeline and its arguments: reads the inputs for it, and checks the limits that can be checked before
//! anything is sent.

use std::rc::Rc;

use serde_json::value::RawValue;

use super::payload::{PAYLOAD, check_length, client_payload};
use crate::providers::added::Added;
use crate::providers::common_inputs::{merge_ref, reference, string_pairs};
use crate::providers::provider::InputContext;
use crate::providers::reference::{Reference, is_commit, may_be_same};
use crate::values::{Checked, Errors, InputError, Inputs, invalid};

// GitHub's limits, from its REST documentation.
const MAX_EVENT_TYPE_LENGTH: usize = 100;
const MAX_WORKFLOW_INPUTS: usize = 25;

pub(crate) enum GitHubPipeline {
    RepositoryDispatch {
        event_type: String,
        /// The JSON as it was written, except for whitespace between its tokens.
        client_payload: Rc<RawValue>,
    },
    WorkflowDispatch {
        /// File name or id. A file name may begin with digits.
        workflow: String,
        /// `None` means the default branch.
        reference: Option<Reference>,
        inputs: Vec<(String, String)>,
    },
    /// Nothing is triggered.
    Followed {
        /// Whether any of the runs may be cancelled.
        may_cancel: bool,
    },
}

impl GitHubPipeline {
    pub(super) fn name(&self) -> String {
        match self {
            Self::RepositoryDispatch { event_type, .. } => {
                format!("repository_dispatch {event_type}")
            }
            Self::WorkflowDispatch { workflow, .. } => format!("workflow {workflow}"),
            Self::Followed { .. } => "run".to_owned(),
        }
    }

    pub(super) fn source(&self) -> Option<String> {
        match self {
            Self::RepositoryDispatch { .. } | Self::Followed { .. } => None,
            Self::WorkflowDispatch { reference, .. } => reference.as_ref().map(Reference::full),
        }
    }

    pub(super) fn could_be_confused(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::RepositoryDispatch { event_type: a, .. },
                Self::RepositoryDispatch { event_type: b, .. },
            ) => a == b,
            (
                Self::WorkflowDispatch {
                    workflow: a,
                    reference: a_ref,
                    ..
                },
                Self::WorkflowDispatch {
                    workflow: b,
                    reference: b_ref,
                    ..
                },
            ) => {
                // A file name and an id may refer to the same workflow.
                let is_file = |workflow: &str| workflow.contains('.');
                (a == b || is_file(a) != is_file(b)) && may_be_same(a_ref.as_ref(), b_ref.as_ref())
            }
            _ => false,
        }
    }

    pub(super) fn request_parts(&self) -> Vec<String> {
        match self {
            Self::RepositoryDispatch {
                event_type,
                client_payload,
            } => vec![
                "dispatch".to_owned(),
                event_type.clone(),
                client_payload.get().to_owned(),
            ],
            Self::WorkflowDispatch {
                workflow,
                reference,
                inputs,
            } => {
                let reference = format!("{reference:?}");
                let mut parts = vec!["workflow".to_owned(), workflow.clone(), reference];
                parts.extend(
                    inputs
                        .iter()
                        .flat_map(|(name, value)| [name.clone(), value.clone()]),
                );
                parts
            }
            Self::Followed { .. } => Vec::new(),
        }
    }

    pub(super) fn event_type(&self) -> Option<&str> {
        match self {
            Self::RepositoryDispatch { event_type, .. } => Some(event_type),
            Self::WorkflowDispatch { .. } | Self::Followed { .. } => None,
        }
    }
}

/// Reads the pipeline, and the arguments that the step adds to its own.
pub(super) fn read(
    inputs: &Inputs,
    context: &InputContext<'_>,
) -> Checked<(GitHubPipeline, Added)> {
    match (inputs.get("event-type"), inputs.get("workflow")) {
        (Some(event_type), None) => repository_dispatch(inputs, event_type, context),
        (None, Some(workflow)) => workflow_dispatch(inputs, workflow, context),
        (event_type, workflow) => {
            let mut errors = Errors::default();
            errors.add([match event_type.or(workflow) {
                None => InputError::new("event-type", "is missing").hint(
                    "set `event-type` for a repository_dispatch, or `workflow` for a workflow_dispatch. If you did set `follow`, its value is empty",
                ),
                Some(_) => InputError::new("workflow", "is set, and so is `event-type`")
                    .hint("use one of the two"),
            }]);
            // Check the other inputs as well, so that all problems are reported together.
            event_type.map(|text| errors.take(check_event_type(text)));
            workflow.map(|text| errors.take(check_workflow(text)));
            if inputs.raw(PAYLOAD).is_some() {
                errors.take(client_payload(inputs, context));
            }
            errors.take(dispatchable_ref(inputs));
            errors.take(workflow_inputs(inputs, None));
            errors.finish(|| None)
        }
    }
}

fn repository_dispatch(
    inputs: &Inputs,
    event_type: &str,
    context: &InputContext<'_>,
) -> Checked<(GitHubPipeline, Added)> {
    let mut errors = Errors::default();
    errors.add(reject_if_set(
        inputs,
        "inputs",
        "only works with `workflow`",
        "use `client-payload` with `event-type`",
    ));
    errors.add(reject_if_set(
        inputs,
        "marker-input",
        "only works with `workflow`. A repository_dispatch has the marker in its payload",
        "remove `marker-input`",
    ));
    errors.add(reject_if_set(
        inputs,
        "ref",
        "only works with `workflow`. A repository_dispatch always runs on the default branch",
        "remove `ref`",
    ));
    let event_type = errors.take(check_event_type(event_type));
    let payload = errors.take(client_payload(inputs, context));
    errors.finish(|| {
        let (client_payload, added) = payload?;
        let pipeline = GitHubPipeline::RepositoryDispatch {
            event_type: event_type?,
            client_payload,
        };
        Some((pipeline, added))
    })
}

fn workflow_dispatch(
    inputs: &Inputs,
    workflow: &str,
    context: &InputContext<'_>,
) -> Checked<(GitHubPipeline, Added)> {
    let mut errors = Errors::default();
    errors.add(reject_if_set(
        inputs,
        PAYLOAD,
        "only works with `event-type`",
        "use `inputs` with `workflow`",
    ));
    let workflow = errors.take(check_workflow(workflow));
    let reference = errors.take(dispatchable_ref(inputs));
    let added = errors.take(Added::read_with_marker_input(inputs, context));
    let arguments = errors.take(workflow_inputs(inputs, added.as_ref()));
    errors.finish(|| {
        let pipeline = GitHubPipeline::WorkflowDispatch {
            workflow: workflow?,
            reference: reference?,
            inputs: arguments?,
        };
        Some((pipeline, added?))
    })
}

fn check_event_type(text: &str) -> Checked<String> {
    let length = text.chars().count();
    if length > MAX_EVENT_TYPE_LENGTH {
        return invalid(
            "event-type",
            format!("has {length} characters, but GitHub accepts at most {MAX_EVENT_TYPE_LENGTH}"),
        );
    }
    Ok(text.to_owned())
}

fn check_workflow(text: &str) -> Checked<String> {
    let name = text.strip_prefix(".github/workflows/").unwrap_or(text);
    if name.contains('/') || matches!(name, "." | "..") {
        let what = "must be a file name in .github/workflows, like `build.yml`, or a workflow's id";
        return InputError::new("workflow", what).not(text).fail();
    }
    Ok(name.to_owned())
}

/// Reads `inputs`, and checks the limits for them together with those that the step adds.
fn workflow_inputs(inputs: &Inputs, added: Option<&Added>) -> Checked<Vec<(String, String)>> {
    let pairs = string_pairs(inputs, "inputs")?;
    let none = Added::default();
    let added = added.unwrap_or(&none);
    added.check_names(pairs.iter().map(|(key, _)| *key), is_input_name)?;
    let count = pairs.len() + added.iter().count();
    if count > MAX_WORKFLOW_INPUTS {
        let what = match added.iter().count() {
            0 => format!("has {count} inputs"),
            more => format!("has {} inputs, and the step adds {more}", pairs.len()),
        };
        return invalid(
            "inputs",
            format!("{what}, but GitHub accepts at most {MAX_WORKFLOW_INPUTS}"),
        );
    }
    let added = added
        .iter()
        .map(|added| (added.name.as_str(), added.value.as_str()));
    let together = pairs.iter().copied().chain(added);
    let together = together.flat_map(|(key, value)| [key, value]);
    check_length("inputs", together.map(|text| text.chars().count()).sum())?;
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    Ok(pairs.into_iter().map(owned).collect())
}

/// Whether GitHub accepts this as an input's name.
fn is_input_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.bytes().all(is_allowed)
}

/// Reports an input that doesn't apply to this pipeline.
fn reject_if_set(inputs: &Inputs, name: &str, what: &str, hint: &str) -> Option<InputError> {
    let is_set = inputs.raw(name).is_some();
    is_set.then(|| InputError::new(name, what).hint(hint))
}

/// Reads `ref`. Rejects what can't be dispatched, which a workflow often has at hand.
fn dispatchable_ref(inputs: &Inputs) -> Checked<Option<Reference>> {
    let reference = reference(inputs)?;
    if let Some(Reference::Named(name)) = &reference {
        let number = name
            .strip_suffix("/merge")
            .or_else(|| name.strip_suffix("/head"));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if number.is_some_and(|number| !number.is_empty() && is_number(number)) {
            return merge_ref(name).fail();
        }
        if is_commit(name) {
            let what = "is a commit, but GitHub can only start a workflow on a branch or tag";
            return InputError::new("ref", what)
                .given(name)
                .hint("use a branch, like `${{ github.head_ref || github.ref_name }}`")
                .fail();
        }
    }
    Ok(reference)
}
