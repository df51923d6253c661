//! A run's artifacts: the list, and their stored content. `storage` serves the downloads.

use std::fmt::Write as _;
use std::time::Duration;

use ring::digest;
use serde_json::{Value, json};

use super::error::Failure;
use super::{ApiResult, RepositoryCall, access, account, run, workflow};
use crate::clock::timestamp;
use crate::provider::{is_id, storage};
use crate::response::Response;
use crate::world::{Access, Artifact, Digest, Provider, Run, State, World};

/// GitHub's default retention time.
const RETENTION: Duration = Duration::from_hours(90 * 24);

pub(super) fn list(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    let found = run::find(world, call, id)?;
    let wanted = call.request.query("name");
    let artifacts: Vec<Value> = artifacts_of(found)
        .filter(|(_, artifact)| wanted.as_ref().is_none_or(|name| *name == artifact.name))
        .map(|(id, artifact)| describe(call, found, id, artifact))
        .collect();
    let path = format!("{}/artifacts", run::api_url(call, found));
    Ok(workflow::page("artifacts", &artifacts, call, &path))
}

pub(super) fn get(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    let (run, id, artifact) = find(world, call, id)?;
    Ok(Response::json(200, describe(call, run, id, artifact)))
}

fn find<'world>(
    world: &'world World,
    call: &RepositoryCall<'_>,
    id: &str,
) -> Result<(&'world Run, u64, &'world Artifact), Failure> {
    access::require(world, call, "actions", Access::Read)?;
    let mut all = world
        .runs_of(Provider::GitHub, &call.repository.name)
        .flat_map(|run| artifacts_of(run).map(move |(id, artifact)| (run, id, artifact)));
    let found = all.find(|(_, known, _)| is_id(id, *known));
    found.ok_or_else(Failure::not_found)
}

/// Redirects to the zip, or to the file of an unzipped artifact.
pub(super) fn download(world: &World, call: &RepositoryCall<'_>, id: &str) -> ApiResult {
    let (_, _, artifact) = find(world, call, id)?;
    if artifact.expired {
        return Err(Failure::new(410, "Artifact has expired"));
    }
    let name = format!("artifacts/{id}");
    let link = storage::link(world, call.request, Provider::GitHub, &name);
    Ok(Response::status(302).header("Location", link))
}

/// Returns the stored content of an artifact, and its content type.
pub(in crate::provider) fn stored(world: &World, id: &str) -> Option<(Vec<u8>, &'static str)> {
    let mut all = world
        .runs
        .iter()
        .filter(|run| run.provider == Provider::GitHub)
        .flat_map(artifacts_of);
    let (_, artifact) = all.find(|(known, _)| known.to_string() == id)?;
    let content_type = if artifact.is_raw {
        "application/json"
    } else {
        "application/zip"
    };
    Some((bytes(artifact), content_type))
}

fn bytes(artifact: &Artifact) -> Vec<u8> {
    match artifact.files.first() {
        Some((_, content)) if artifact.is_raw => content.clone(),
        _ => storage::zip(&artifact.files),
    }
}

/// Returns the artifacts of a run with their ids. They appear when the run completes without being cancelled.
fn artifacts_of(run: &Run) -> impl Iterator<Item = (u64, &Artifact)> {
    let scenario = run
        .scenario
        .as_ref()
        .filter(|_| run.state == State::Completed && !run.cancelled);
    let artifacts = scenario.map_or([].as_slice(), |scenario| &scenario.artifacts);
    (run.id * 100..).zip(artifacts)
}

fn describe(call: &RepositoryCall<'_>, run: &Run, id: u64, artifact: &Artifact) -> Value {
    let stored = bytes(artifact);
    let digest = match artifact.digest {
        Digest::Missing => None,
        Digest::Right => Some(sha256(&stored)),
        Digest::Wrong => Some(sha256(b"something else")),
    };
    let url = format!(
        "{}/repos/{}/actions/artifacts/{id}",
        call.base, run.repository
    );
    json!({
        "id": id,
        "node_id": account::node_id("A", id),
        "name": artifact.name,
        "size_in_bytes": stored.len(),
        "url": url,
        "archive_download_url": format!("{url}/zip"),
        "expired": artifact.expired,
        "digest": digest,
        "created_at": timestamp(run.updated_at),
        "updated_at": timestamp(run.updated_at),
        "expires_at": timestamp(run.updated_at + RETENTION),
        "workflow_run": {
            "id": run.id,
            "repository_id": call.repository.id,
            "head_repository_id": call.repository.id,
            "head_branch": run.reference_name(),
            "head_sha": run.commit,
        },
    })
}

fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    let start = "sha256:".to_owned();
    digest.as_ref().iter().fold(start, |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
