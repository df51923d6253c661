//! Which pipeline is triggered, with what: the inputs that differ from provider to provider, and the
//! providers' limits that can be checked before anything is sent.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::complaint::{Complaint, Part, both, complain, none_of};
use super::document::{self, Node, Problem};
use super::place::Place;
use super::raw::Inputs;
use super::written::{Payload, Written};
use super::{Home, boolean, credential};
use crate::secret::Secret;
use crate::target::{
    Argument, BRANCHES, BitbucketCall, BitbucketSource, Call, GitHubCall, GitHubPipeline,
    GitLabCall, Provider, Reference, TAGS, Variable,
};

// GitHub's limits, from its REST documentation.
const EVENT_TYPE_CHARACTERS: usize = 100;
const PAYLOAD_PROPERTIES: usize = 10;
const WORKFLOW_INPUTS: usize = 25;
const ARGUMENT_CHARACTERS: usize = 65_535;

const PAYLOAD: &str = "client-payload";
/// The payload's key for the marker.
const MARKER: &str = "trigger_id";

pub(super) fn read(inputs: &Inputs, home: &Home, place: &Place) -> Part<Call> {
    match place.provider {
        Provider::GitHub => {
            let (pipeline, credential) = both(
                github_pipeline(inputs),
                credential::github(inputs, home, place),
            )?;
            Ok(Call::GitHub(GitHubCall {
                pipeline,
                credential,
            }))
        }
        Provider::GitLab => {
            let arguments = both(variables(inputs), pipeline_inputs(inputs));
            let ((variables, pipeline_inputs), (reference, credential)) = both(
                arguments,
                both(reference(inputs), credential::gitlab(inputs)),
            )?;
            Ok(Call::GitLab(GitLabCall {
                reference,
                variables,
                inputs: pipeline_inputs,
                credential,
            }))
        }
        Provider::Bitbucket => {
            let ((source, variables), credential) = both(
                both(bitbucket_source(inputs), variables(inputs)),
                credential::bitbucket(inputs),
            )?;
            let custom_pipeline = inputs.get("custom-pipeline").map(str::to_owned);
            Ok(Call::Bitbucket(BitbucketCall {
                source,
                custom_pipeline,
                variables,
                credential,
            }))
        }
    }
}

fn github_pipeline(inputs: &Inputs) -> Part<GitHubPipeline> {
    match (inputs.get("event-type"), inputs.get("workflow")) {
        (None, None) => complain(
            "event-type",
            "say what to trigger: `event-type` for a repository_dispatch, or `workflow` for a workflow_dispatch",
        ),
        (Some(_), Some(_)) => complain(
            "workflow",
            "there is an `event-type` too: give one of the two",
        ),
        (Some(event_type), None) => {
            let refused = refuse(
                inputs,
                &["inputs"],
                "it goes with `workflow`; with `event-type` use `client-payload`",
            );
            let fixed = refuse(
                inputs,
                &["ref"],
                "a repository_dispatch always runs on the default branch: remove it",
            );
            let event_type = event_type_within_limit(event_type);
            let ((), ((), (event_type, (client_payload, marker)))) = both(
                refused,
                both(fixed, both(event_type, client_payload(inputs))),
            )?;
            Ok(GitHubPipeline::RepositoryDispatch {
                event_type,
                client_payload,
                marker,
            })
        }
        (None, Some(workflow)) => {
            let refused = refuse(
                inputs,
                &["client-payload"],
                "it goes with `event-type`; with `workflow` use `inputs`",
            );
            let arguments = both(reference(inputs), workflow_inputs(inputs));
            let ((), (workflow, (reference, inputs))) =
                both(refused, both(workflow_name(workflow), arguments))?;
            Ok(GitHubPipeline::WorkflowDispatch {
                workflow,
                reference,
                inputs,
            })
        }
    }
}

fn event_type_within_limit(text: &str) -> Part<String> {
    let length = text.chars().count();
    if length > EVENT_TYPE_CHARACTERS {
        return complain(
            "event-type",
            format!("it has {length} characters; GitHub takes at most {EVENT_TYPE_CHARACTERS}"),
        );
    }
    Ok(text.to_owned())
}

/// The payload, and the marker in it where the run is waited for.
fn client_payload(inputs: &Inputs) -> Part<(Rc<RawValue>, Option<String>)> {
    if inputs.is_empty(PAYLOAD) {
        return complain(
            PAYLOAD,
            "it is empty: check the expression in it. For an empty payload write `{}`, or leave it out",
        );
    }
    // What is wrong with `wait` itself is told where it is read.
    let waits = boolean(inputs, "wait").unwrap_or(false);
    let none = Rc::new(Written::text("{}"));
    let written = inputs.written(PAYLOAD).unwrap_or(&none);
    let read = written.payload.get_or_init(|| payload(written));
    let Payload {
        json,
        characters,
        names,
    } = read.as_ref().map_err(Clone::clone)?;
    let properties = names.len();
    if properties > PAYLOAD_PROPERTIES {
        return complain(
            PAYLOAD,
            format!(
                "it has {properties} properties at the top; GitHub takes at most {PAYLOAD_PROPERTIES}: put some of them into one of the others"
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
    if properties == PAYLOAD_PROPERTIES {
        return complain(
            PAYLOAD,
            format!(
                "with `wait: true` it also gets `{MARKER}`, and GitHub takes at most {PAYLOAD_PROPERTIES} properties at the top: put two of yours into one"
            ),
        );
    }
    let marker = Uuid::new_v4().to_string();
    let payload = with_property(json, MARKER, &marker);
    within_limit(PAYLOAD, payload.get().chars().count())?;
    Ok((payload.into(), Some(marker)))
}

/// The object that a payload is, JSON as it was written or YAML.
fn payload(written: &Written) -> Part<Payload> {
    let complaint = |problem: &Problem| vec![problem.complaint(PAYLOAD)];
    let no_object = || {
        complain(
            PAYLOAD,
            "it must be an object: a JSON or YAML mapping, like `version: v1.2.3`",
        )
    };
    if let Some(text) = written.source()
        && document::begins_as_json(text)
    {
        let object = document::compact_object(text).map_err(|problem| complaint(&problem))?;
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

/// The inside of a payload as it was before it got its marker, if it has one.
pub(super) fn without_marker<'json>(payload: &'json RawValue, marker: Option<&str>) -> &'json str {
    let json = payload.get();
    let inside = match marker {
        Some(marker) => json.strip_suffix(&format!("\"{MARKER}\":\"{marker}\"}}")),
        None => json.strip_suffix('}'),
    };
    inside.unwrap_or(json).trim_end_matches(',')
}

fn workflow_name(text: &str) -> Part<String> {
    let name = text.strip_prefix(".github/workflows/").unwrap_or(text);
    if name.contains('/') || matches!(name, "." | "..") {
        return complain(
            "workflow",
            "it must be a file's name in .github/workflows, like `build.yml`, or an id",
        );
    }
    Ok(name.to_owned())
}

fn workflow_inputs(inputs: &Inputs) -> Part<Vec<(String, String)>> {
    let pairs = texts(inputs, "inputs")?;
    if pairs.len() > WORKFLOW_INPUTS {
        return complain(
            "inputs",
            format!(
                "they are {}; GitHub takes at most {WORKFLOW_INPUTS}",
                pairs.len()
            ),
        );
    }
    let together = pairs.iter().flat_map(|(key, value)| [*key, value]);
    within_limit("inputs", together.map(|text| text.chars().count()).sum())?;
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    Ok(pairs.into_iter().map(owned).collect())
}

fn within_limit(name: &str, length: usize) -> Part<()> {
    if length > ARGUMENT_CHARACTERS {
        return complain(
            name,
            format!("it has {length} characters; GitHub takes at most {ARGUMENT_CHARACTERS}"),
        );
    }
    Ok(())
}

fn bitbucket_source(inputs: &Inputs) -> Part<BitbucketSource> {
    let commit = inputs.get("commit").map(str::to_owned);
    let is_hash = |text: &String| {
        (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if commit.as_ref().is_some_and(|commit| !is_hash(commit)) {
        return complain(
            "commit",
            "it must be a commit's hash, 7 to 40 hexadecimal digits",
        );
    }
    Ok(match (reference(inputs)?, commit) {
        (None, Some(commit)) => BitbucketSource::Commit(commit),
        (reference, commit) => BitbucketSource::Reference { reference, commit },
    })
}

fn reference(inputs: &Inputs) -> Part<Option<Reference>> {
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

fn variables(inputs: &Inputs) -> Part<Vec<Variable>> {
    let (plain, secret) = both(
        texts(inputs, "variables"),
        texts(inputs, "secret-variables"),
    )?;
    let names: HashSet<_> = plain.iter().map(|(key, _)| *key).collect();
    if let Some((key, _)) = secret.iter().find(|(key, _)| names.contains(key)) {
        let rest = "is in `variables` too: remove one of the two";
        return Err(vec![Complaint::quoting(
            "secret-variables",
            "secret-variables",
            format!("`{key}` {rest}"),
            format!("a name in it {rest}"),
        )]);
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
) -> Part<Vec<(&'inputs str, &'inputs str)>> {
    let texts = inputs.document(name)?.map(Node::texts).transpose();
    texts
        .map(Option::unwrap_or_default)
        .map_err(|problem| vec![problem.complaint(name)])
}

/// GitLab's inputs, as an object. What is null has its default; GitLab knows no input that could be null.
fn pipeline_inputs(inputs: &Inputs) -> Part<Option<Rc<RawValue>>> {
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

/// Complains about inputs that are set where they mean nothing.
fn refuse(inputs: &Inputs, names: &[&str], why: &str) -> Part<()> {
    let found = names
        .iter()
        .filter(|name| inputs.written(name).is_some())
        .map(|name| Complaint::new(*name, why))
        .collect();
    none_of(found)
}
