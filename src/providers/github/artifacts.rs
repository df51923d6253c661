//! Downloads what a workflow run leaves behind: jobs' logs, and the artifact with the result.

use std::io::{Cursor, Read as _};
use std::path::Path;
use std::rc::Rc;

use ::http::StatusCode;
use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use zip::ZipArchive;

use super::GitHub;
use crate::model::{Job, Run};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::LogTail;
use crate::providers::pages::List;
use crate::providers::provider::{MAX_LOG_TAIL, MAX_RESULT, Provider as _};
use crate::providers::wire;

/// In bytes: the result plus the overhead of a zip file.
const MAX_ARCHIVE: usize = MAX_RESULT + 64 * 1024;
/// Characters of a file name shown in a message.
const MAX_FILE_NAME: usize = 255;
/// Files listed in a message when an archive doesn't hold exactly one.
const MAX_LISTED_FILES: usize = 10;

#[derive(Deserialize)]
struct Artifacts {
    artifacts: List<Artifact>,
}

#[derive(Deserialize)]
struct Artifact {
    id: u64,
    #[serde(deserialize_with = "wire::word")]
    name: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    expired: bool,
    /// `sha256:` and the digest of the uploaded content.
    #[serde(default, deserialize_with = "wire::exact")]
    digest: Option<String>,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_at: Option<DateTime<Utc>>,
}

impl GitHub<'_> {
    pub(super) async fn log_tail(&self, job: &Job) -> Result<LogTail, Error> {
        self.make_ready().await?;
        let url = self.repository_url(["actions", "jobs", &job.id, "logs"]);
        let headers = self.signed_in().api.download_headers();
        let tail = self
            .http
            .download_tail(&url, &headers, MAX_LOG_TAIL, "the log")
            .await?;
        Ok(LogTail {
            bytes: strip_timestamps(&tail.bytes),
            ..tail
        })
    }

    /// Returns the content of the run's newest artifact of that name or, if it's a zip file, of the JSON file in it.
    pub(super) async fn artifact(&self, run: &Run, name: &str) -> Result<Vec<u8>, Error> {
        self.make_ready().await?;
        let mut url = self.repository_url(["actions", "runs", &run.id, "artifacts"]);
        url.query_pairs_mut()
            .append_pair("name", name)
            .append_pair("per_page", "100");
        let found: Rc<Artifacts> = self.read(&url, "listing the run's artifacts").await?;
        let artifact = found.newest(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Rejected,
                format!("the run has no artifact `{name}`"),
            )
            .hint("upload it in that run with actions/upload-artifact, and check the spelling of `result-artifact`")
            .missing()
        })?;
        let expired = || {
            Error::new(
                ErrorKind::Rejected,
                format!("the artifact `{name}` has expired or was deleted"),
            )
        };
        if artifact.expired {
            return Err(expired());
        }
        let id = artifact.id.to_string();
        let url = self.repository_url(["actions", "artifacts", &id, "zip"]);
        let headers = self.signed_in().api.download_headers();
        let content = self
            .http
            .download(&url, &headers, MAX_ARCHIVE, "the artifact")
            .await
            .map_err(|error| match error.response() {
                Some(response) if response.status == StatusCode::GONE => expired(),
                _ => error,
            })?;
        verify_digest(&content, artifact.digest.as_deref())?;
        if !is_zip(&content) {
            return Ok(content);
        }
        single_json_file(&content).map_err(|why| {
            Error::new(ErrorKind::Rejected, format!("the artifact `{name}` {why}"))
                .hint("upload a single JSON file of at most 1 MiB")
        })
    }
}

impl Artifacts {
    fn newest(&self, name: &str) -> Option<&Artifact> {
        let matching = self
            .artifacts
            .entries
            .iter()
            .filter(|artifact| artifact.name == name);
        matching.max_by_key(|artifact| (artifact.created_at, artifact.id))
    }
}

/// Removes the timestamp from the start of each log line: at a tenth of a microsecond it's only noise.
fn strip_timestamps(log: &[u8]) -> Vec<u8> {
    let mut lines = log.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let time = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
        let is_time = std::str::from_utf8(&line[..time])
            .is_ok_and(|time| DateTime::parse_from_rfc3339(time).is_ok());
        if is_time { &line[time + 1..] } else { line }
    });
    lines.by_ref().collect::<Vec<_>>().concat()
}

/// With `archive: false`, `actions/upload-artifact` uploads the file itself, not a zip file.
fn is_zip(bytes: &[u8]) -> bool {
    // The signature of the first file, or of the central directory if there are no files.
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

fn verify_digest(content: &[u8], expected: Option<&str>) -> Result<(), Error> {
    let Some(expected) = expected.and_then(|expected| expected.strip_prefix("sha256:")) else {
        return Ok(());
    };
    let found = digest(&SHA256, content);
    let found: Vec<_> = found
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let found = found.concat();
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unknown,
        "the downloaded artifact is corrupt: its SHA-256 doesn't match the one GitHub reports",
    ))
}

/// Extracts the only file whose name ends in `.json`, or the only file. Errors are fragments that follow the artifact's
/// name.
fn single_json_file(zip: &[u8]) -> Result<Vec<u8>, String> {
    let mut archive = ZipArchive::new(Cursor::new(zip))
        .map_err(|error| format!("isn't a valid zip file: {error}"))?;
    let files: Vec<String> = archive
        .file_names()
        // A name that can't be decoded can't be the one that's wanted.
        .filter_map(Result::ok)
        .filter(|name| !name.ends_with('/'))
        .map(std::borrow::Cow::into_owned)
        .collect();
    let is_json = |name: &&String| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
    };
    let mut json = files.iter().filter(is_json);
    let name = match (json.next(), json.next(), files.as_slice()) {
        (Some(name), None, _) | (None, None, [name]) => name,
        (None, None, []) => return Err("is empty".to_owned()),
        _ => {
            let named = files.iter().take(MAX_LISTED_FILES);
            let named: Vec<String> = named
                .map(|name| name.chars().take(MAX_FILE_NAME).collect())
                .collect();
            return Err(format!("contains several files: {}", named.join(", ")));
        }
    };
    let file = archive
        .by_name(name)
        .map_err(|error| format!("can't be unpacked: {error}"))?;
    let mut text = Vec::new();
    // The size that a zip file declares may be wrong.
    file.take(MAX_RESULT as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("can't be unpacked: {error}"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;
    use std::io::Write as _;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn timestamps_are_stripped_from_log_lines() {
        let log = b"2026-11-23T03:00:00.1234567Z ##[group]Run\n2026-11-23T03:00:00.1234567Z \nplain line\n \n";
        assert_eq!(strip_timestamps(log), b"##[group]Run\n\nplain line\n \n");
    }

    #[test]
    fn a_digest_must_match_if_there_is_one() {
        let right = "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
        assert!(verify_digest(b"", Some(right)).is_ok());
        assert!(verify_digest(b"x", Some(right)).is_err());
        assert!(verify_digest(b"x", None).is_ok());
    }

    #[test]
    fn unpacking_a_zip_never_panics() {
        let large = vec![b' '; 5_000];
        let zips = vec![
            zipped(&[("result.json", b"{}")]),
            zipped(&[("a/b.json", &large), ("c.txt", b"x"), ("d/", b"")]),
            zipped(&[]),
        ];
        assert_eq!(single_json_file(&zips[0]).unwrap(), b"{}");
        assert_eq!(single_json_file(&zips[1]).unwrap(), large);
        let place = any::<prop::sample::Index>;
        let wrong = prop_oneof![any::<u8>(), Just(0), Just(1), Just(0xff)];
        let changes = prop::collection::vec((place(), wrong), 0..5);
        proptest!(|(zip in prop::sample::select(zips), changes in changes, cut in place(), is_cut in any::<u8>())| {
            let mut zip = zip.clone();
            for (place, byte) in changes {
                // The central directory is at the end.
                let start = if byte % 2 == 0 { zip.len().saturating_sub(200) } else { 0 };
                let at = start + place.index(zip.len() - start);
                zip[at] = byte;
            }
            if is_cut < 20 {
                zip.truncate(cut.index(zip.len()));
            }
            let _ = single_json_file(&zip);
            let _ = verify_digest(&zip, Some("sha256:e3b0"));
        });
    }

    proptest! {
        #[test]
        fn reading_logs_and_artifacts_never_panics(
            log in prop::collection::vec(prop_oneof![arbitrary::time(), arbitrary::text(), Just("\n".to_owned()), Just(" ".to_owned())], 0..9),
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            strip_timestamps(log.concat().as_bytes());
            strip_timestamps(&bytes);
            let _ = single_json_file(&bytes);
        }
    }
}
