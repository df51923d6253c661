//! The output `results`: JSON with one entry a target, shortened where the runner would take it no more.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;

use super::Hide;
use crate::engine::batch::TargetReport;
use crate::engine::monitor::RunReport;
use crate::model::{Conclusion, MatchedBy, Outcome};
use crate::text::untrusted::cut;

/// Most UTF-16 units of it. All outputs of a job together may be 1 MB in UTF-16, and a job has other steps.
const MAX_UNITS: usize = 400_000;

/// How much is told. Each tells less than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Detail {
    All,
    /// Of targets that passed, only what was started and how that ended.
    OfFailures,
    /// Of all of them; errors cut to so many characters.
    ShortErrors(usize),
    /// What was started and how that ended.
    Runs,
    /// Ids, and what they came to.
    Ids,
}

/// A reason why a run may go on is never cut shorter, in characters.
const MIN_REASON: usize = 40;
/// No provider's ids are longer, in characters.
const MAX_ID: usize = 60;

const DETAILS: [Detail; 6] = [
    Detail::All,
    Detail::OfFailures,
    Detail::ShortErrors(300),
    Detail::ShortErrors(60),
    Detail::Runs,
    Detail::Ids,
];

#[derive(Serialize)]
#[serde(untagged)]
enum ResultEntry {
    Full(Full),
    Short(Short),
}

#[derive(Serialize)]
struct Full {
    provider: &'static str,
    repository: String,
    pipeline: String,
    outcome: Outcome,
    trigger_id: Option<String>,
    conclusion: Option<Conclusion>,
    error: Option<String>,
    left_running: Option<String>,
    runs: Vec<FullRun>,
}

/// A run in an entry. All of it comes from the provider, and a provider may say anything.
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
    attempt: Option<Value>,
    created_at: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
    left_running: Option<String>,
}

/// The same with fewer keys.
#[derive(Serialize)]
struct Short {
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    outcome: Outcome,
    conclusion: Option<Conclusion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_running: Option<String>,
    runs: Vec<ShortRun>,
}

#[derive(Serialize)]
struct ShortRun {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_by: Option<MatchedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conclusion: Option<Conclusion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_running: Option<String>,
}

/// As much as there is room for.
pub(super) fn results(reports: &[TargetReport<'_>], hide: Hide<'_>) -> String {
    let has_room = |told: &String| told.encode_utf16().count() <= MAX_UNITS;
    let tell = |reports: &[TargetReport<'_>], detail| {
        let entries = reports.iter().map(|report| entry(report, detail, hide));
        serde_json::to_string(&entries.collect::<Vec<_>>())
            .unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
    };
    let told = DETAILS.into_iter().map(|detail| tell(reports, detail));
    told.into_iter().find(has_room).unwrap_or_else(|| {
        // Some thousands of targets: the first ones, then.
        let halves = std::iter::successors(Some(reports.len()), |count| Some(count / 2));
        let mut told = halves.map(|count| tell(&reports[..count], Detail::Ids));
        told.find(has_room).unwrap_or_default()
    })
}

fn entry(report: &TargetReport<'_>, detail: Detail, hide: Hide<'_>) -> ResultEntry {
    match detail {
        Detail::All => ResultEntry::Full(full(report, hide)),
        Detail::OfFailures if !report.passes() => ResultEntry::Full(full(report, hide)),
        Detail::OfFailures | Detail::ShortErrors(_) | Detail::Runs | Detail::Ids => {
            ResultEntry::Short(short(report, detail, hide))
        }
    }
}

/// What went wrong, in one line.
fn error(report: &TargetReport<'_>, hide: Hide<'_>) -> Option<String> {
    let failures = report
        .triggered
        .failure
        .iter()
        .chain(&report.monitored.unfound)
        .chain(&report.monitored.resultless);
    let errors: Vec<_> = failures.map(|failure| hide(&failure.what)).collect();
    (!errors.is_empty()).then(|| errors.join("; "))
}

fn full(report: &TargetReport<'_>, hide: Hide<'_>) -> Full {
    let TargetReport {
        target,
        triggered,
        monitored,
    } = report;
    Full {
        provider: target.provider().as_str(),
        repository: hide(&target.repository),
        pipeline: hide(&target.pipeline()),
        outcome: triggered.outcome,
        trigger_id: target.marker().map(str::to_owned),
        conclusion: monitored.conclusion,
        error: error(report, hide),
        left_running: monitored.left_running.as_deref().map(hide),
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
    let time = |time: Option<DateTime<Utc>>| {
        time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
    };
    let times = snapshot.map(|snapshot| snapshot.times).unwrap_or_default();
    FullRun {
        id: hide(&run.id),
        number: run.number.map(|number| hide_number(number, hide)),
        url: hide(&run.url),
        matched_by: run.matched_by,
        state: snapshot.map(|snapshot| snapshot.state.as_str()),
        conclusion: monitored.conclusion,
        provider_state: snapshot.map(|snapshot| hide(&snapshot.provider_status.state)),
        provider_conclusion: snapshot
            .and_then(|snapshot| snapshot.provider_status.conclusion.as_deref().map(hide)),
        attempt: snapshot
            .and_then(|snapshot| snapshot.attempt)
            .map(|attempt| hide_number(attempt, hide)),
        created_at: time(times.created),
        started_at: time(times.started),
        completed_at: time(times.completed),
        left_running: monitored.left_running.as_deref().map(hide),
    }
}

fn short(report: &TargetReport<'_>, detail: Detail, hide: Hide<'_>) -> Short {
    let target = report.target;
    let with_names = (detail < Detail::Ids).then_some(());
    let most = match detail {
        Detail::All | Detail::OfFailures => usize::MAX,
        Detail::ShortErrors(most) => most,
        Detail::Runs | Detail::Ids => 0,
    };
    let short = |text: String| (most > 0).then(|| cut(&text, most));
    // That something may go on must not be left out.
    let short_left = |text: String| Some(cut(&text, most.max(MIN_REASON)));
    let left = report.monitored.left_running.as_deref().map(hide);
    Short {
        provider: with_names.map(|()| target.provider().as_str()),
        repository: with_names.map(|()| hide(&target.repository)),
        outcome: report.triggered.outcome,
        conclusion: report.monitored.conclusion,
        error: error(report, hide).and_then(short),
        left_running: left.and_then(short_left),
        runs: report
            .monitored
            .runs
            .iter()
            .map(|run| ShortRun {
                id: cut(&hide(&run.run.id), MAX_ID),
                url: with_names.map(|()| hide(&run.run.url)),
                matched_by: with_names.map(|()| run.run.matched_by),
                conclusion: run.conclusion,
                left_running: run.left_running.as_deref().map(hide).and_then(short_left),
            })
            .collect(),
    }
}

/// A number, or the string `"***"` where it shows a secret.
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
    fn a_number_that_shows_a_secret_is_a_string() {
        let hide = |text: &str| text.replace("8080", "***");
        assert_eq!(hide_number(8080, &hide), Value::from("***"));
        assert_eq!(hide_number(18_080, &hide), Value::from("***"));
        assert_eq!(hide_number(808, &hide), Value::from(808));
    }
}
