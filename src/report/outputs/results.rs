//! Writes the output `results`: JSON with one entry per target, shortened to the host's limit.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;

use super::Hide;
use crate::model::{Conclusion, LeftRunning, MatchedBy, Outcome, Retries, RunReport, Snapshot};
use crate::providers::target_report::TargetReport;
use crate::report::problem;
use crate::report::run_end::FailedJobs;
use crate::text::untrusted::cut;

/// Maximum length of an error or reason in a short entry, in characters, so that about a thousand entries fit.
const MAX_REASON: usize = 100;
/// Maximum length of an id in a short entry, in characters. No provider has longer ids.
const MAX_ID: usize = 60;

#[derive(Serialize)]
struct Full {
    provider: &'static str,
    repository: String,
    pipeline: String,
    outcome: Option<Outcome>,
    trigger_id: Option<String>,
    conclusion: Option<Conclusion>,
    error: Option<String>,
    left_running: Option<String>,
    left_running_reason: Option<&'static str>,
    runs: Vec<FullRun>,
}

/// A run in an entry. Everything from the provider is untrusted.
#[derive(Serialize)]
struct FullRun {
    id: String,
    number: Option<Value>,
    url: String,
    matched_by: MatchedBy,
    state: Option<&'static str>,
    conclusion: Option<Conclusion>,
    provider_state: Option<String>,
    provider_conclusion: Option<String>,
    provider_reason: Option<String>,
    attempt: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_by_attempt: Option<u64>,
    attempts: Vec<FullAttempt>,
    created_at: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
    left_running: Option<String>,
    left_running_reason: Option<&'static str>,
}

/// An attempt of a run that was retried.
#[derive(Serialize)]
struct FullAttempt {
    attempt: Value,
    url: String,
    conclusion: Option<Conclusion>,
    failed_jobs: Vec<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
}

/// An entry with what is needed to follow its runs, and without other details of them.
#[derive(Serialize)]
struct Short {
    provider: &'static str,
    repository: String,
    outcome: Option<Outcome>,
    conclusion: Option<Conclusion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_running: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_running_reason: Option<&'static str>,
    runs: Vec<ShortRun>,
}

#[derive(Serialize)]
struct ShortRun {
    id: String,
    url: String,
    matched_by: MatchedBy,
    conclusion: Option<Conclusion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_running: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_running_reason: Option<&'static str>,
}

/// Returns full entries, or short ones if the full ones would exceed `max_units` UTF-16 code units.
pub(super) fn results(reports: &[TargetReport<'_>], hide: Hide<'_>, max_units: usize) -> String {
    let all = list(reports.iter().map(|report| json(&full(report, hide))));
    if units(&all) <= max_units {
        return all;
    }
    // Of several thousand targets, not all fit.
    let mut available = max_units - "[]".len();
    list(
        reports
            .iter()
            .map(|report| json(&short(report, hide)))
            .map_while(|entry| {
                available = available.checked_sub(units(&entry) + ",".len())?;
                Some(entry)
            }),
    )
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(","))
}

fn json(entry: &impl Serialize) -> String {
    serde_json::to_string(entry).unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
}

fn units(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    }
}

fn error(report: &TargetReport<'_>, hide: Hide<'_>) -> Option<String> {
    problem::error(report).map(|error| hide(&error))
}

fn full(report: &TargetReport<'_>, hide: Hide<'_>) -> Full {
    let TargetReport {
        target, monitored, ..
    } = report;
    Full {
        provider: target.provider().as_str(),
        repository: hide(&target.location.repository),
        pipeline: hide(&target.pipeline()),
        outcome: report.trigger_outcome(),
        trigger_id: report.marker().map(str::to_owned),
        conclusion: monitored.conclusion,
        error: error(report, hide),
        left_running: monitored
            .left_running
            .as_ref()
            .map(|left| hide(&left.to_string())),
        left_running_reason: monitored.left_running.as_ref().map(LeftRunning::reason),
        runs: monitored
            .runs
            .iter()
            .map(|run| full_run(run, hide))
            .collect(),
    }
}

fn full_run(monitored: &RunReport, hide: Hide<'_>) -> FullRun {
    let RunReport { run, snapshot, .. } = monitored;
    let snapshot = snapshot.as_ref();
    let times = snapshot.map(|snapshot| snapshot.times).unwrap_or_default();
    let status = snapshot.map(|snapshot| &snapshot.provider_status);
    FullRun {
        id: hide(&run.id),
        number: run.number.map(|number| hide_number(number, hide)),
        url: hide(&run.url),
        matched_by: run.matched_by,
        state: snapshot.map(|snapshot| snapshot.state.as_str()),
        conclusion: monitored.conclusion,
        provider_state: status.map(|status| hide(&status.state)),
        provider_conclusion: status.and_then(|status| status.conclusion.as_deref().map(hide)),
        provider_reason: status.and_then(|status| status.reason.as_deref().map(hide)),
        attempt: snapshot
            .and_then(|snapshot| snapshot.attempt)
            .map(|attempt| hide_number(attempt, hide)),
        started_by_attempt: run.started_by_attempt,
        attempts: attempts(monitored, hide),
        created_at: time(times.created),
        started_at: time(times.started),
        completed_at: time(times.completed),
        left_running: monitored
            .left_running
            .as_ref()
            .map(|left| hide(&left.to_string())),
        left_running_reason: monitored.left_running.as_ref().map(LeftRunning::reason),
    }
}

/// Returns all attempts of a run, the last one included. Empty for a run that wasn't retries.
fn attempts(monitored: &RunReport, hide: Hide<'_>) -> Vec<FullAttempt> {
    let Retries { earlier, page, .. } = &monitored.retries;
    let attempt = |number, page: &str, conclusion, snapshot: Option<&Snapshot>| {
        let times = snapshot.map(|snapshot| snapshot.times).unwrap_or_default();
        FullAttempt {
            attempt: hide_number(number, hide),
            url: hide(page),
            conclusion,
            failed_jobs: FailedJobs::of(snapshot).job_names().map(hide).collect(),
            started_at: time(times.started),
            completed_at: time(times.completed),
        }
    };
    let earlier = earlier.iter().map(|report| {
        let snapshot = &report.snapshot;
        let conclusion = snapshot.state.conclusion();
        attempt(report.number, &report.page, conclusion, Some(snapshot))
    });
    let last = page.iter().map(|page| {
        let RunReport { run, snapshot, .. } = monitored;
        attempt(run.attempt, page, monitored.conclusion, snapshot.as_ref())
    });
    earlier.chain(last).collect()
}

fn time(time: Option<DateTime<Utc>>) -> Option<String> {
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn short(report: &TargetReport<'_>, hide: Hide<'_>) -> Short {
    let reason = |text: String| cut(&text, MAX_REASON);
    let left_running =
        |left: &Option<LeftRunning>| left.as_ref().map(|left| reason(hide(&left.to_string())));
    let TargetReport {
        target, monitored, ..
    } = report;
    Short {
        provider: target.provider().as_str(),
        repository: hide(&target.location.repository),
        outcome: report.trigger_outcome(),
        conclusion: monitored.conclusion,
        error: error(report, hide).map(reason),
        left_running: left_running(&monitored.left_running),
        left_running_reason: monitored.left_running.as_ref().map(LeftRunning::reason),
        runs: monitored
            .runs
            .iter()
            .map(|run| ShortRun {
                id: cut(&hide(&run.run.id), MAX_ID),
                url: hide(&run.run.url),
                matched_by: run.run.matched_by,
                conclusion: run.conclusion,
                left_running: left_running(&run.left_running),
                left_running_reason: run.left_running.as_ref().map(LeftRunning::reason),
            })
            .collect(),
    }
}

/// Returns the number, or the string `"***"` if it contains a secret.
fn hide_number(number: u64, hide: Hide<'_>) -> Value {
    let written = number.to_string();
    let hidden = hide(&written);
    if hidden == written {
        number.into()
    } else {
        "***".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_secret_becomes_a_string() {
        let hide = |text: &str| text.replace("8080", "***");
        assert_eq!(hide_number(8080, &hide), Value::from("***"));
        assert_eq!(hide_number(18_080, &hide), Value::from("***"));
        assert_eq!(hide_number(808, &hide), Value::from(808));
    }
}
