//! Which pipeline is triggered, with what: the inputs that differ from provider to provider, and the
//! providers' limits that can be checked before anything is sent.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::location::Location;
use super::{HostRepository, credential};
use crate::model::Secret;
use crate::providers::any::{ProviderKind, Spec};
use crate::providers::bitbucket::spec::{BitbucketSource, Spec as BitbucketSpec};
use crate::providers::github::spec::{GitHubPipeline, MARKER, Spec as GitHubSpec};
use crate::providers::gitlab::spec::Spec as GitLabSpec;
use crate::providers::target::{Argument, BRANCHES, Reference, TAGS, Variable};
use crate::values::{
    Checked, Errors, InputError, Inputs, Node, Problem, RawInput, begins_as_json, compact_object,
    complain,
};

// GitHub's limits, from its REST documentation.
const MAX_EVENT_TYPE: usize = 100;
const MAX_PAYLOAD_PROPERTIES: usize = 10;
const MAX_WORKFLOW_INPUTS: usize = 25;
const MAX_ARGUMENT: usize = 65_535;

const PAYLOAD: &str = "client-payload";
/// Without a place, whether the credential fits it is not checked.
pub(super) fn read(
    inputs: &Inputs,
    host_repository: &HostRepository,
    provider: ProviderKind,
    place: Option<&Location>,
) -> Checked<Spec> {
    let mut errors = Errors::default();
    match provider {
        ProviderKind::GitHub => {
            let pipeline = errors.take(github_pipeline(inputs));
            let credential = errors.take(credential::github(inputs, host_repository, place));
            errors.finish(|| {
                Some(Spec::GitHub(GitHubSpec {
                    pipeline: pipeline?,
                    credential: credential?,
                }))
            })
        }
        ProviderKind::GitLab => {
            let variables = errors.take(variables(inputs));
            let pipeline_inputs = errors.take(pipeline_inputs(inputs));
            let reference = errors.take(reference(inputs));
            let credential = errors.take(credential::gitlab(inputs, host_repository));
            errors.finish(|| {
                Some(Spec::GitLab(GitLabSpec {
                    reference: reference?,
                    variables: variables?,
                    inputs: pipeline_inputs?,
                    credential: credential?,
                }))
            })
        }
        ProviderKind::Bitbucket => {
            let source = errors.take(bitbucket_source(inputs));
            let variables = errors.take(variables(inputs));
            let credential = errors.take(credential::bitbucket(inputs, host_repository));
            errors.finish(|| {
                Some(Spec::Bitbucket(BitbucketSpec {
                    source: source?,
                    custom_pipeline: inputs.get("custom-pipeline").map(str::to_owned),
                    variables: variables?,
                    credential: credential?,
                }))
            })
        }
    }
}

fn github_pipeline(inputs: &Inputs) -> Checked<GitHubPipeline> {
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

/// The payload, and the marker in it where the run is waited for.
fn client_payload(inputs: &Inputs) -> Checked<(Rc<RawValue>, Option<String>)> {
    if inputs.is_empty(PAYLOAD) {
        return complain(
            PAYLOAD,
            "it is empty: check its expression. To send an empty payload, write `{}` or leave `client-payload` out",
        );
    }
    // What is wrong with `wait` itself is told where it is read.
    let waits = inputs.boolean("wait").unwrap_or(false);
    let none = Rc::new(RawInput::text("{}"));
    let written = inputs.written(PAYLOAD).unwrap_or(&none);
    let payload = written.parsed(payload)?;
    let Payload {
        json,
        characters,
        names,
    } = &*payload;
    let properties = names.len();
    if properties > MAX_PAYLOAD_PROPERTIES {
        return complain(
            PAYLOAD,
            format!(
                "it has {properties} properties at the top; GitHub takes at most {MAX_PAYLOAD_PROPERTIES}: put some of them into one of the others"
            ),
        );
    }
    if !waits {
        within_limit(PAYLOAD, *characters)?;
        return Ok((Rc::clone(json), None));
    }
    if names.contains(MARKER) {
        return complain(
            PAYLOAD,
            format!(
                "it has `{MARKER}`, which `wait: true` sets itself to recognise the run: rename yours"
            ),
        );
    }
    if properties == MAX_PAYLOAD_PROPERTIES {
        return complain(
            PAYLOAD,
            format!(
                "with `wait: true` it also gets `{MARKER}`, and GitHub takes at most {MAX_PAYLOAD_PROPERTIES} properties at the top: put two of yours into one"
            ),
        );
    }
    let marker = Uuid::new_v4().to_string();
    let payload = with_property(json, MARKER, &marker);
    within_limit(PAYLOAD, payload.get().chars().count())?;
    Ok((payload.into(), Some(marker)))
}

/// An object of JSON, without the space between its tokens.
struct Payload {
    json: Rc<RawValue>,
    /// How long it is.
    characters: usize,
    /// Of its properties at the top.
    names: HashSet<String>,
}

impl Payload {
    fn new(json: Box<RawValue>, names: HashSet<String>) -> Rc<Self> {
        Rc::new(Self {
            characters: json.get().chars().count(),
            json: json.into(),
            names,
        })
    }
}

/// The object that a payload is, JSON as it was written or YAML.
fn payload(written: &RawInput) -> Checked<Rc<Payload>> {
    let complaint = |problem: &Problem| vec![problem.complaint(PAYLOAD)];
    let no_object = || {
        complain(
            PAYLOAD,
            "it must be an object: a JSON or YAML mapping, like `version: v1.2.3`",
        )
    };
    if let Some(text) = written.source()
        && begins_as_json(text)
    {
        let object = compact_object(text).map_err(|problem| complaint(&problem))?;
        return object.map_or_else(no_object, |(json, names)| Ok(Payload::new(json, names)));
    }
    let node = written.document().map_err(complaint)?;
    let Node::Mapping(pairs) = node else {
        return no_object();
    };
    let json = node.typed().map_err(|problem| complaint(&problem))?;
    let names = pairs.iter().map(|(name, _)| name.clone()).collect();
    Ok(Payload::new(json, names))
}

/// The object with one more text in it; what it has stays as it was written.
fn with_property(object: &RawValue, key: &str, text: &str) -> Box<RawValue> {
    let inside = object
        .get()
        .strip_suffix('}')
        .unwrap_or_else(|| unreachable!("a compact object ends with its brace"));
    let comma = if inside == "{" { "" } else { "," };
    let text = serde_json::Value::from(text);
    RawValue::from_string(format!("{inside}{comma}\"{key}\":{text}}}"))
        .unwrap_or_else(|error| unreachable!("an object with one more text is JSON: {error}"))
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

fn bitbucket_source(inputs: &Inputs) -> Checked<BitbucketSource> {
    let mut errors = Errors::default();
    let commit = errors.take(commit(inputs));
    let reference = errors.take(reference(inputs));
    errors.finish(|| {
        Some(match (reference?, commit?) {
            (None, Some(commit)) => BitbucketSource::Commit(commit),
            (reference, commit) => BitbucketSource::Reference { reference, commit },
        })
    })
}

fn commit(inputs: &Inputs) -> Checked<Option<String>> {
    const NAME: &str = "commit";
    let commit = inputs.get(NAME).map(str::to_owned);
    let is_hash = |text: &String| {
        (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if commit.as_ref().is_some_and(|commit| !is_hash(commit)) {
        return complain(
            NAME,
            "it must be a commit's hash, 7 to 40 hexadecimal digits",
        );
    }
    Ok(commit)
}

fn reference(inputs: &Inputs) -> Checked<Option<Reference>> {
    let Some(text) = inputs.get("ref") else {
        return Ok(None);
    };
    let (make, name): (fn(String) -> Reference, _) = if let Some(name) = text.strip_prefix(BRANCHES)
    {
        (Reference::Branch, name)
    } else if let Some(name) = text.strip_prefix(TAGS) {
        (Reference::Tag, name)
    } else {
        (Reference::Named, text)
    };
    // The rules of git itself for names, as far as they keep one out of trouble.
    if name.is_empty()
        || name.starts_with("refs/")
        || name.contains(|of: char| of.is_whitespace() || of.is_control())
    {
        return complain(
            "ref",
            "it must be a branch or tag, like `main` or `refs/tags/v1.0.0`",
        );
    }
    Ok(Some(make(name.to_owned())))
}

fn variables(inputs: &Inputs) -> Checked<Vec<Variable>> {
    let mut errors = Errors::default();
    let plain = errors.take(texts(inputs, "variables"));
    let secret = errors.take(texts(inputs, "secret-variables"));
    let (plain, secret) = errors.finish(|| plain.zip(secret))?;
    let names: HashSet<_> = plain.iter().map(|(key, _)| *key).collect();
    if let Some((key, _)) = secret.iter().find(|(key, _)| names.contains(key)) {
        return complain(
            "secret-variables",
            format!("`{key}` is in `variables` too: remove one of the two"),
        );
    }
    let variable = |key: &str, value| Variable {
        key: key.to_owned(),
        value,
    };
    let plain = plain
        .into_iter()
        .map(|(key, value)| variable(key, Argument::Plain(value.to_owned())));
    let secret = secret
        .into_iter()
        .map(|(key, value)| variable(key, Argument::Secret(Secret::new(value))));
    Ok(plain.chain(secret).collect())
}

fn texts<'inputs>(
    inputs: &'inputs Inputs,
    name: &'static str,
) -> Checked<Vec<(&'inputs str, &'inputs str)>> {
    let texts = inputs.document(name)?.map(Node::texts).transpose();
    texts
        .map(Option::unwrap_or_default)
        .map_err(|problem| vec![problem.complaint(name)])
}

/// GitLab's inputs, as an object. What is null has its default; GitLab knows no input that could be null.
fn pipeline_inputs(inputs: &Inputs) -> Checked<Option<Rc<RawValue>>> {
    const NAME: &str = "inputs";
    let Some(document) = inputs.document(NAME)? else {
        return Ok(None);
    };
    let typed = document.without_nulls().and_then(|set| {
        let is_empty = set.pairs()?.is_empty();
        Ok((!is_empty).then_some(set.typed()?.into()))
    });
    typed.map_err(|problem| vec![problem.complaint(NAME)])
}

/// Complains about an input that is set where it means nothing.
fn refuse(inputs: &Inputs, name: &str, why: &str) -> Option<InputError> {
    inputs
        .written(name)
        .is_some()
        .then(|| InputError::new(name, why))
}
