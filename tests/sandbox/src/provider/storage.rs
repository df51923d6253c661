//! The storage hosts to which providers redirect downloads. Links have another host name and expire after a minute;
//! requests with a credential are refused. The providers decide who gets a link.

use std::io::{Cursor, Write as _};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::clock;
use crate::request::Request;
use crate::response::Response;
use crate::world::{Provider, Run, World};

const LINK_LIFETIME: Duration = Duration::from_mins(1);
/// The storage host for requests to any named host except `localhost`.
const STORAGE_HOST: &str = "storage.test";

/// A stored file: `padding` bytes of filler lines, then its end.
pub(super) struct StoredFile {
    pub(super) padding: u64,
    pub(super) end: Vec<u8>,
}

/// Creates a zip from paths and contents.
pub(super) fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        let written = zip
            .start_file(path.as_str(), SimpleFileOptions::default())
            .and_then(|()| Ok(zip.write_all(content)?));
        written.unwrap_or_else(|error| unreachable!("writing to memory cannot fail: {error}"));
    }
    let finished = zip.finish();
    finished
        .unwrap_or_else(|error| unreachable!("writing to memory cannot fail: {error}"))
        .into_inner()
}

/// Returns a link to the stored file, on another host than the request's.
pub(super) fn link(world: &World, request: &Request, provider: Provider, name: &str) -> String {
    let origin = request.origin();
    let (scheme, host) = origin.split_once("://").unwrap_or_default();
    let host_name = request.host_name();
    let port = &host[host_name.len().min(host.len())..];
    let is_address = host_name.starts_with('[') || host_name.parse::<Ipv4Addr>().is_ok();
    // Loopback has only two names, so they stand in for each other.
    let other = match host_name.as_str() {
        "localhost" => "127.0.0.1",
        _ if is_address => "localhost",
        _ => STORAGE_HOST,
    };
    let end = clock::seconds(world.now() + LINK_LIFETIME);
    format!("{scheme}://{other}{port}/storage/{provider}/{name}?until={end}")
}

pub(super) fn respond(world: &World, request: &Request) -> Response {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let not_found = || Response::body(404, "text/plain", "not found in the sandbox\n");
    let ["storage", provider, kind, id] = segments.as_slice() else {
        return not_found();
    };
    let now = clock::seconds(world.now());
    let until = request.query("until").and_then(|until| until.parse().ok());
    if until.is_none_or(|until: u64| until < now) {
        return Response::body(
            403,
            "application/xml",
            "<Error><Code>Expired</Code></Error>",
        );
    }
    // GitHub's storage doesn't support ranges that count from the end.
    let allows_suffixes = *provider != "github";
    if (*provider, *kind) == ("github", "artifacts") {
        return super::github::stored(world, id).map_or_else(not_found, |(bytes, content_type)| {
            Response::body(200, content_type, bytes)
        });
    }
    let file = match (*provider, *kind) {
        ("github", "logs") => log(world, Provider::GitHub, id, true),
        ("bitbucket", "logs") => log(world, Provider::Bitbucket, id, false),
        _ => None,
    };
    file.map_or_else(not_found, |file| download(file, request, allows_suffixes))
}

/// Returns the log of a job by its id, with a time before each line if `with_times`.
pub(super) fn log(
    world: &World,
    provider: Provider,
    id: &str,
    with_times: bool,
) -> Option<StoredFile> {
    let of_provider = |run: &&Run| run.provider == provider;
    let mut jobs = world
        .runs
        .iter()
        .filter(of_provider)
        .flat_map(Run::attempts)
        .flat_map(|run| &run.jobs);
    let job = jobs.find(|job| job.id.to_string() == id)?;
    let log = &job.scenario.log;
    let end = if with_times {
        let time = clock::timestamp_of_log(job.started_at.unwrap_or(SystemTime::UNIX_EPOCH));
        let lines = log.text.split_inclusive('\n');
        let timed: Vec<_> = lines.map(|line| format!("{time} {line}")).collect();
        timed.concat()
    } else {
        log.text.clone()
    };
    Some(StoredFile {
        padding: log.padding,
        end: end.into_bytes(),
    })
}

/// Returns the whole file, or the range of the `Range` header.
pub(super) fn download(file: StoredFile, request: &Request, allows_suffixes: bool) -> Response {
    let length = file.padding + file.end.len() as u64;
    let requested = request.headers.get("range");
    let requested = requested.and_then(|range| range.strip_prefix("bytes="));
    let range = requested.and_then(|requested| requested.split_once('-'));
    let range = match range {
        Some(("", last)) if allows_suffixes => {
            let last: u64 = last.parse().unwrap_or(0);
            Some(length.saturating_sub(last)..length)
        }
        Some((first, "")) if !first.is_empty() => first.parse().ok().map(|first| first..length),
        _ => None,
    };
    match range {
        None => from_offset(file, 200, 0),
        Some(Range { start, .. }) if start >= length => {
            Response::status(416).header("Content-Range", format!("bytes */{length}"))
        }
        Some(Range { start, .. }) => from_offset(file, 206, start).header(
            "Content-Range",
            format!("bytes {start}-{}/{length}", length - 1),
        ),
    }
}

/// Returns the file from byte `start` on.
pub(super) fn from_offset(mut file: StoredFile, status: u16, start: u64) -> Response {
    let padding = file.padding.saturating_sub(start);
    let skipped = start
        .saturating_sub(file.padding)
        .min(file.end.len() as u64);
    file.end.drain(..usize::try_from(skipped).unwrap_or(0));
    Response {
        padding,
        ..Response::body(status, "application/octet-stream", file.end)
    }
}
