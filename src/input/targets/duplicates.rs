//! Targets that would send the same request: maybe meant, maybe a line that was copied.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::mem::discriminant;

use serde_json::value::RawValue;

use super::super::pipeline::without_marker;
use super::Warning;
use super::entry::Position;
use crate::providers::target::{
    Argument, BitbucketSource, GitHubPipeline, Reference, Spec, Target, Variable,
};

/// One warning for all that are the same.
pub(super) fn warnings<'a>(
    targets: impl Iterator<Item = (&'a Target, &'a Position)>,
) -> Vec<Warning> {
    let mut groups: Vec<Vec<&Position>> = Vec::new();
    let mut known: HashMap<u64, usize> = HashMap::new();
    for (target, position) in targets {
        match known.entry(fingerprint(target)) {
            Entry::Occupied(group) => groups[*group.get()].push(position),
            Entry::Vacant(new) => {
                new.insert(groups.len());
                groups.push(vec![position]);
            }
        }
    }
    groups.iter().filter_map(|group| warning(group)).collect()
}

fn warning(group: &[&Position]) -> Option<Warning> {
    let [first, second, more @ ..] = group else {
        return None;
    };
    let (others, times) = match more.len() {
        0 => (String::new(), "twice".to_owned()),
        more => (
            format!(", and {more} more are too"),
            format!("{} times", more + 2),
        ),
    };
    Some(Warning {
        input: second.name(),
        text: format!(
            "line {}: it is the same as `{}`{others}: that pipeline will be triggered {times}",
            second.line,
            first.name()
        ),
    })
}

/// Of what is sent, and where: not of the credential, nor of what happens afterwards. That two of them are
/// equal by chance will not be seen in anybody's life.
fn fingerprint(target: &Target) -> u64 {
    let mut state = DefaultHasher::new();
    target.server.web.hash(&mut state);
    target.provider().as_str().hash(&mut state);
    // No provider tells upper from lower case there.
    target.repository.to_lowercase().hash(&mut state);
    match &target.spec {
        Spec::GitHub(spec) => hash_github(&spec.pipeline, &mut state),
        Spec::GitLab(spec) => {
            hash_reference(spec.reference.as_ref(), &mut state);
            hash_variables(&spec.variables, &mut state);
            let inputs = spec.inputs.as_deref();
            inputs.map(RawValue::get).hash(&mut state);
        }
        Spec::Bitbucket(spec) => {
            hash_source(&spec.source, &mut state);
            spec.custom_pipeline.hash(&mut state);
            hash_variables(&spec.variables, &mut state);
        }
    }
    state.finish()
}

fn hash_github(pipeline: &GitHubPipeline, state: &mut impl Hasher) {
    discriminant(pipeline).hash(state);
    match pipeline {
        GitHubPipeline::RepositoryDispatch {
            event_type,
            client_payload,
            marker,
        } => {
            event_type.hash(state);
            // Each has a marker of its own.
            without_marker(client_payload, marker.as_deref()).hash(state);
        }
        GitHubPipeline::WorkflowDispatch {
            workflow,
            reference,
            inputs,
        } => {
            workflow.hash(state);
            hash_reference(reference.as_ref(), state);
            inputs.hash(state);
        }
    }
}

fn hash_source(source: &BitbucketSource, state: &mut impl Hasher) {
    let (reference, commit) = match source {
        BitbucketSource::Commit(commit) => (None, Some(commit)),
        BitbucketSource::Reference { reference, commit } => (reference.as_ref(), commit.as_ref()),
    };
    hash_reference(reference, state);
    commit.hash(state);
}

fn hash_reference(reference: Option<&Reference>, state: &mut impl Hasher) {
    let kind = reference.map(discriminant);
    (kind, reference.map(Reference::name)).hash(state);
}

fn hash_variables(variables: &[Variable], state: &mut impl Hasher) {
    variables.len().hash(state);
    for Variable { key, value } in variables {
        let (is_secret, value) = match value {
            Argument::Plain(text) => (false, text.as_str()),
            Argument::Secret(secret) => (true, secret.expose()),
        };
        (key, is_secret, value).hash(state);
    }
}
