//! Reads failed jobs' logs and the result after a run has ended.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Monitor;
use crate::engine::retry::retry;
use crate::engine::shutdown::ShutdownMode;
use crate::model::{
    Conclusion, Job, JobKind, JobLog, Logs, Monitored, News, NoResult, Problem, ResultArtifact,
    Run, RunReport, Snapshot, WaitOptions,
};
use crate::providers::http::LogTail;
use crate::providers::{Error, ErrorKind, MAX_RESULT};
use crate::text::untrusted::{cut, without_escapes};

/// Jobs per run whose logs are shown.
const MAX_LOGS: usize = 10;
/// Lines shown per log.
const MAX_LINES: usize = 100;
/// Characters shown per line.
const MAX_LINE: usize = 500;
/// Timeout for one log, retries included.
const LOG_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout for one result, retries and rate limits included: the caller is waiting for it.
const RESULT_TIMEOUT: Duration = Duration::from_mins(5);
/// Attempts per log or result, and the pause between them.
const MAX_ATTEMPTS: u32 = 3;
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Time after the run's end in which logs and artifacts may still appear.
const LATE_UPLOAD_TIMEOUT: Duration = Duration::from_secs(10);

impl Monitor<'_, '_> {
    /// Reads the logs of the run's failed jobs.
    pub(super) async fn read_failed_logs(
        &self,
        run: &Run,
        snapshot: Option<&Snapshot>,
        wait: &WaitOptions,
        emit: &dyn Fn(News<'_>),
    ) -> Vec<JobLog> {
        let Some(snapshot) = snapshot.filter(|_| wait.logs != Logs::None) else {
            return Vec::new();
        };
        if snapshot.state.conclusion() == Some(Conclusion::Success) {
            return Vec::new();
        }
        let failed = |job: &&Job| {
            job.kind == JobKind::Job && job.state.conclusion() == Some(Conclusion::Failure)
        };
        let mut logs = Vec::new();
        let mut jobs = snapshot.jobs.iter().flatten().filter(failed).peekable();
        if jobs.peek().is_some() && wait.logs == Logs::FailedUnlessPrivate {
            let is_public = tokio::select! {
                is_public = self.context.provider.is_public() => is_public,
                () = self.context.shutdown.requested(ShutdownMode::Graceful) => return logs,
            };
            if !is_public {
                emit(News::LogsWithheld);
                return logs;
            }
        }
        // One slot for all logs of the run: with a slot per log, every run would hold some while it waits for the next.
        let _slot = tokio::select! {
            slot = self.context.limits.logs.acquire() => slot,
            () = self.context.shutdown.requested(ShutdownMode::Graceful) => return logs,
        };
        let upload_deadline = Instant::now() + LATE_UPLOAD_TIMEOUT;
        for job in jobs.by_ref().take(MAX_LOGS) {
            let log = tokio::select! {
                biased;
                // Logs that were read before the shutdown are shown.
                () = self.context.shutdown.requested(ShutdownMode::Graceful) => return logs,
                log = self.read_log(run, job, upload_deadline) => log,
            };
            emit(News::Log(&log));
            logs.push(log);
        }
        let omitted = jobs.count();
        if omitted > 0 {
            emit(News::MoreLogs(omitted));
        }
        logs
    }

    async fn read_log(&self, run: &Run, job: &Job, upload_deadline: Instant) -> JobLog {
        let read = timeout(
            LOG_TIMEOUT,
            self.read_with_retries(upload_deadline, async || {
                self.context.provider.log(run, job).await
            }),
        );
        let (lines, is_cut) = match read.await {
            Ok(Ok(tail)) => {
                let (lines, is_cut) = lines(&tail);
                (Ok(lines), is_cut)
            }
            Ok(Err(error)) => (Err(error.message().to_owned()), false),
            Err(_) => (
                Err(format!("not read within {} s", LOG_TIMEOUT.as_secs())),
                false,
            ),
        };
        JobLog {
            job: job.clone(),
            lines,
            is_cut,
        }
    }

    /// Reads the result. A missing one is only a problem if the target passed.
    pub(super) async fn read_result(&self, artifact: &ResultArtifact, monitored: &mut Monitored) {
        let mut results = Vec::new();
        let mut missing = None;
        let passed = monitored
            .conclusion
            .is_some_and(|conclusion| self.context.target.passes(conclusion));
        let mut upload_deadline = Instant::now();
        if passed {
            upload_deadline += LATE_UPLOAD_TIMEOUT;
        }
        for run in monitored.counted().filter(|run| has_ended(run)) {
            let read = tokio::select! {
                biased;
                () = self.context.shutdown.requested(ShutdownMode::Graceful) => Err(Error::new(
                    ErrorKind::Rejected,
                    "the step was stopped before that",
                )),
                read = self.read_artifact(&run.run, artifact, upload_deadline) => read,
            };
            match read.and_then(validate_result) {
                Ok(result) => results.push(result),
                Err(error) => missing = missing.or(Some(error)),
            }
        }
        match (results.len(), missing) {
            (1, _) => monitored.result = results.pop(),
            (0, Some(error)) if passed => {
                let why = NoResult::Unreadable(error.failure());
                monitored.problems.push(Problem::NoResult(why));
            }
            (0, _) => {}
            (several, _) => {
                let why = NoResult::Several(several);
                monitored.problems.push(Problem::NoResult(why));
            }
        }
    }

    async fn read_artifact(
        &self,
        run: &Run,
        artifact: &ResultArtifact,
        upload_deadline: Instant,
    ) -> Result<Vec<u8>, Error> {
        let _slot = self.context.limits.results.acquire().await;
        let read = timeout(
            RESULT_TIMEOUT,
            self.read_with_retries(upload_deadline, async || {
                self.context.provider.result(run, artifact).await
            }),
        );
        read.await.unwrap_or_else(|_| {
            let seconds = RESULT_TIMEOUT.as_secs();
            let why = format!("not read within {seconds} s");
            Err(Error::new(ErrorKind::Unknown, why))
        })
    }

    /// Reads, with retries after failures that may be temporary. A missing file may appear until `upload_deadline`.
    async fn read_with_retries<T>(
        &self,
        upload_deadline: Instant,
        read: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut attempts = 1;
        let pause_after = |error: &Error| {
            let may_pass = error.kind() != ErrorKind::Rejected && attempts < MAX_ATTEMPTS;
            let may_appear = error.is_missing() && Instant::now() < upload_deadline;
            attempts += 1;
            (may_pass || may_appear).then_some(RETRY_INTERVAL)
        };
        retry(self.context.quiet_retry(), pause_after, read).await
    }
}

/// Whether the run has been seen to end, so that its result can be read.
fn has_ended(run: &RunReport) -> bool {
    let snapshot = run.snapshot.as_ref();
    snapshot.is_some_and(|snapshot| snapshot.state.conclusion().is_some())
}

/// Returns the result as a string, if it is valid JSON within the size limit.
fn validate_result(bytes: Vec<u8>) -> Result<String, Error> {
    let invalid = |what: String| Err(Error::new(ErrorKind::Rejected, what));
    if bytes.len() > MAX_RESULT {
        return invalid(format!("larger than the limit of {MAX_RESULT} bytes"));
    }
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        let (line, column) = (error.line(), error.column());
        return invalid(format!("not valid JSON (line {line}, column {column})"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(_) => invalid("not valid UTF-8".to_owned()),
    }
}

/// Returns the last lines of a log as a terminal would show them, and whether earlier ones are left out.
fn lines(tail: &LogTail) -> (Vec<String>, bool) {
    let lines: Vec<_> = tail.bytes.split(|byte| *byte == b'\n').collect();
    let lines = lines.into_iter().map(visible_part).collect::<Vec<_>>();
    let text = without_escapes(&lines.join(&b'\n'));
    let mut lines: Vec<_> = text.trim_end().lines().collect();
    // A cut log begins in the middle of a line, perhaps of a secret.
    if tail.is_cut && !lines.is_empty() {
        lines.remove(0);
    }
    let excess = lines.len().saturating_sub(MAX_LINES);
    let last = lines.split_off(excess).into_iter();
    let last = last.map(|line| cut(line, MAX_LINE));
    (last.collect(), tail.is_cut || excess > 0)
}

/// Returns the visible part of a line: everything after its last carriage return.
fn visible_part(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.rsplit(|byte| *byte == b'\r').next().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Vec<String> {
        lines(&LogTail {
            bytes: text.as_bytes().to_vec(),
            is_cut: false,
        })
        .0
    }

    #[test]
    fn a_log_reads_as_in_a_terminal() {
        assert_eq!(
            shown(
                "section_start:1:build\r\u{1b}[0K\u{1b}[36;1mBuilding\u{1b}[0m\r\n 10%\r 90%\rdone\n\n"
            ),
            ["Building", "done"]
        );
        assert_eq!(shown("\ttab\n::error::x"), ["    tab", "::error::x"]);
        assert!(shown("").is_empty());
    }

    #[test]
    fn the_last_hundred_lines_are_shown_and_long_ones_are_cut() {
        let many: Vec<_> = (0..250).map(|line| format!("line {line}\n")).collect();
        let tail = LogTail {
            bytes: many.concat().into_bytes(),
            is_cut: true,
        };
        let (shown_lines, is_cut) = lines(&tail);
        assert_eq!((shown_lines.len(), is_cut), (100, true));
        assert_eq!(shown_lines[99], "line 249");
        let long = &shown(&"ä".repeat(10_000))[0];
        assert_eq!(long.chars().count(), MAX_LINE + 3);
    }

    #[test]
    fn a_result_must_be_json_within_the_size_limit() {
        assert_eq!(
            validate_result(b" {\"a\": 1.0}\n".to_vec()).ok().unwrap(),
            "{\"a\": 1.0}"
        );
        for invalid in [&b"{"[..], b"", b"\xff", b"\"\xff\"", b"{} {}"] {
            assert!(validate_result(invalid.to_vec()).is_err(), "{invalid:?}");
        }
        let mut large = vec![b' '; MAX_RESULT];
        large.extend(b"1");
        assert!(validate_result(large).is_err());
    }

    proptest! {
        #[test]
        fn shown_log_lines_are_single_lines_of_bounded_length(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), is_cut in any::<bool>()) {
            let (shown, _) = lines(&LogTail { bytes, is_cut });
            prop_assert!(shown.len() <= MAX_LINES);
            for line in shown {
                let is_broken = line.contains(['\n', '\u{1b}']);
                prop_assert!(!is_broken, "{}", line);
                prop_assert!(line.chars().count() <= MAX_LINE + 3);
            }
        }
    }

    proptest! {

        #[test]
        fn a_log_never_panics(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..9),
                    crate::testing::arbitrary::text().prop_map(String::into_bytes),
                    prop::sample::select(vec!["\n", "\r", "\t", "\u{1b}[", "\u{1b}]0;", "\u{1b}P", "31m", "\u{9b}", "\u{7}"])
                        .prop_map(|text| text.as_bytes().to_vec()),
                ],
                0..30,
            ),
            is_cut in any::<bool>(),
        ) {
            lines(&LogTail { bytes: parts.concat(), is_cut });
        }
    }
}
