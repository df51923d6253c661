//! What a run has uploaded: the list, and the zip of each. Not here: the storage they are kept in.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use ring::digest;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::error::Failure;
use super::{Call, access, run, workflow};
use crate::answer::Answer;
use crate::clock::timestamp;
use crate::provider::storage;
use crate::world::{Access, Artifact, Digest, GithubRepository, Provider, Run, State, World};

pub(super) fn list(
    world: &World,
    call: &Call<'_>,
    repository: &GithubRepository,
    id: &str,
) -> Result<Answer, Failure> {
    let found = run::find(world, call, repository, id)?;
    let wanted = call.request.query("name");
    let artifacts: Vec<Value> = of(found)
        .filter(|(_, artifact)| wanted.as_ref().is_none_or(|name| *name == artifact.name))
        .map(|(id, artifact)| describe(call, found, id, artifact))
        .collect();
    let path = format!("{}/artifacts", run::api_url(call, found));
    Ok(workflow::page("artifacts", &artifacts, call, &path))
}

pub(super) fn download(
    world: &World,
    call: &Call<'_>,
    repository: &GithubRepository,
    id: &str,
) -> Result<Answer, Failure> {
    access::require(world, &call.caller, repository, "actions", Access::Read)?;
    let mut runs = world.runs_of(Provider::Github, &repository.name);
    let found = runs.find_map(|run| of(run).find(|(known, _)| known.to_string() == id));
    let (_, artifact) = found.ok_or_else(Failure::not_found)?;
    if artifact.expired {
        return Err(Failure::new(410, "Artifact has expired"));
    }
    let name = format!("artifacts/{id}");
    let link = storage::link(world, call.request, Provider::Github, &name);
    Ok(Answer::status(302).header("Location", link))
}

/// The zip of the artifact of that id.
pub(in crate::provider) fn zip(world: &World, id: &str) -> Option<Vec<u8>> {
    let mut all = world
        .runs
        .iter()
        .filter(|run| run.provider == Provider::Github)
        .flat_map(of);
    let (_, artifact) = all.find(|(known, _)| known.to_string() == id)?;
    Some(pack(artifact))
}

/// With their ids; they are there when the run is over.
fn of(run: &Run) -> impl Iterator<Item = (u64, &Artifact)> {
    let life = run
        .life
        .as_ref()
        .filter(|_| run.state == State::Completed && !run.cancelled);
    let artifacts = life.map_or([].as_slice(), |life| &life.artifacts);
    (run.id * 100..).zip(artifacts)
}

fn describe(call: &Call<'_>, run: &Run, id: u64, artifact: &Artifact) -> Value {
    let zip = pack(artifact);
    let digest = match artifact.digest {
        Digest::Untold => None,
        Digest::Right => Some(sha256(&zip)),
        Digest::Wrong => Some(sha256(b"something else")),
    };
    json!({
        "id": id,
        "name": artifact.name,
        "size_in_bytes": zip.len(),
        "archive_download_url": format!(
            "{}/repos/{}/actions/artifacts/{id}/zip", call.base, run.repository
        ),
        "expired": artifact.expired,
        "digest": digest,
        "created_at": timestamp(run.updated_at),
        "workflow_run": {"id": run.id},
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

fn pack(artifact: &Artifact) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in &artifact.files {
        let written = zip
            .start_file(path.as_str(), SimpleFileOptions::default())
            .and_then(|()| Ok(zip.write_all(content)?));
        written.unwrap_or_else(|error| unreachable!("memory takes everything: {error}"));
    }
    let packed = zip.finish();
    packed
        .unwrap_or_else(|error| unreachable!("memory takes everything: {error}"))
        .into_inner()
}
