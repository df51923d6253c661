//! Reads the `target` of a new pipeline, and checks it against the repository. Stricter than Bitbucket in one respect:
//! unknown members are rejected, not ignored.

use serde_json::{Map, Value};

use super::error::Failure;
use crate::world::{BitbucketRepository, RefKind};

/// A valid target.
pub(super) struct Target {
    pub(super) reference: Option<(RefKind, String)>,
    pub(super) commit: String,
    /// Whether the request named the commit, not only the branch or tag.
    pub(super) names_commit: bool,
    /// The custom pipeline; `None` for the default pipeline of the branch, tag or commit.
    pub(super) custom: Option<String>,
}

pub(super) fn read(value: &Value, repository: &BitbucketRepository) -> Result<Target, Failure> {
    let kind = value.get("type").and_then(Value::as_str);
    match kind {
        Some("pipeline_ref_target") => of_reference(value, repository),
        Some("pipeline_commit_target") => of_commit(value, repository),
        Some(other) => Err(invalid(&format!("Unknown target type {other}."))),
        None => Err(invalid("The target has no type.")),
    }
}

fn of_reference(value: &Value, repository: &BitbucketRepository) -> Result<Target, Failure> {
    let known = ["type", "ref_type", "ref_name", "commit", "selector"];
    let target = members(value, "target", &known)?;
    let name = required_string(target, "ref_name")?;
    let kind = match required_string(target, "ref_type")? {
        "branch" => RefKind::Branch,
        "tag" => RefKind::Tag,
        other => return Err(invalid(&format!("Unknown ref_type {other}."))),
    };
    let head = repository.git.commit_of(kind, name).ok_or_else(|| {
        let detail = format!("Could not find last reference for {} {name}", kind.as_str());
        Failure::detailed(404, "Not found", &detail, "reference-not-found")
    })?;
    let commit = match target.get("commit") {
        Some(commit) => hash(commit, repository)?,
        None => head.to_owned(),
    };
    let custom = selector(target, repository)?;
    if custom.is_none() && !repository.has_pipeline_for(name) {
        let detail = format!("No pipeline is defined for {} {name}.", kind.as_str());
        return Err(Failure::bad_request(&detail, "no-pipeline-defined"));
    }
    Ok(Target {
        reference: Some((kind, name.to_owned())),
        commit,
        names_commit: target.contains_key("commit"),
        custom,
    })
}

fn of_commit(value: &Value, repository: &BitbucketRepository) -> Result<Target, Failure> {
    let target = members(value, "target", &["type", "commit", "selector"])?;
    let commit = target
        .get("commit")
        .ok_or_else(|| invalid("The target has no commit."))?;
    let commit = hash(commit, repository)?;
    if !target.contains_key("selector") {
        return Err(invalid("The target has no selector."));
    }
    Ok(Target {
        reference: None,
        commit,
        names_commit: true,
        custom: selector(target, repository)?,
    })
}

/// Returns the custom pipeline, or `None` for the default pipeline or without a selector.
fn selector(
    target: &Map<String, Value>,
    repository: &BitbucketRepository,
) -> Result<Option<String>, Failure> {
    let Some(selector) = target.get("selector") else {
        return Ok(None);
    };
    let selector = members(selector, "selector", &["type", "pattern"])?;
    match required_string(selector, "type")? {
        "default" => Ok(None),
        "custom" => {
            let pattern = required_string(selector, "pattern")?;
            if repository
                .custom_pipelines
                .iter()
                .any(|name| name == pattern)
            {
                return Ok(Some(pattern.to_owned()));
            }
            let detail = "Requested selector is not found in bitbucket-pipelines.yml.";
            Err(Failure::bad_request(detail, "selector-not-found"))
        }
        other => Err(invalid(&format!("Unknown selector type {other}."))),
    }
}

fn hash(commit: &Value, repository: &BitbucketRepository) -> Result<String, Failure> {
    let commit = members(commit, "commit", &["type", "hash"])?;
    if required_string(commit, "type")? != "commit" {
        return Err(invalid("The commit's type is not commit."));
    }
    let hash = required_string(commit, "hash")?;
    if repository.git.knows_commit(hash) {
        return Ok(hash.to_owned());
    }
    let detail = format!("Could not find commit {hash}");
    Err(Failure::detailed(
        404,
        "Not found",
        &detail,
        "commit-not-found",
    ))
}

/// Returns an object, if it has only known members.
pub(super) fn members<'value>(
    value: &'value Value,
    name: &str,
    known: &[&str],
) -> Result<&'value Map<String, Value>, Failure> {
    let object = value
        .as_object()
        .ok_or_else(|| invalid(&format!("The {name} is not an object.")))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(&format!(
            "Unknown member {key} of the {name} (Bitbucket itself would ignore it)."
        ))),
        None => Ok(object),
    }
}

/// Returns a required, non-empty string member.
pub(super) fn required_string<'value>(
    object: &'value Map<String, Value>,
    name: &str,
) -> Result<&'value str, Failure> {
    let value = object.get(name).and_then(Value::as_str).unwrap_or_default();
    if value.is_empty() {
        return Err(invalid(&format!(
            "{name} is missing, empty or not a string."
        )));
    }
    Ok(value)
}

pub(super) fn invalid(detail: &str) -> Failure {
    Failure::bad_request(detail, "invalid-request")
}
