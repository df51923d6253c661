//! What is told of it all: log lines, outputs, exit code. Pure: nothing is printed here.

mod summary;

use serde::Serialize;

use crate::event::Event;
use crate::run::{Outcome, Run};
use crate::target::{Mode, Target};
use crate::trigger::{Failure, Triggered};
pub(crate) use summary::summary;

/// Every output with its description, in the order in which it is documented; `action.yml` and the
/// README say the same.
pub(crate) const OUTPUTS: [(&str, &str); 4] = [
    (
        "outcome",
        "Of the trigger: `accepted`, `rejected`, `unknown` or `not-sent`",
    ),
    (
        "run-id",
        "Id of the run; empty where the provider does not tell it",
    ),
    (
        "run-url",
        "Web address of the run; empty where the provider does not tell it",
    ),
    (
        "results",
        "JSON: one entry a target, with provider, repository, pipeline, outcome, error and runs",
    ),
];

/// Takes the secrets out of a text: see `Runner::hide`.
pub(crate) type Hide<'a> = &'a dyn Fn(&str) -> String;

/// A target and what became of it.
pub(crate) struct Report<'a> {
    pub(crate) target: &'a Target,
    pub(crate) triggered: Triggered,
}

/// An entry of the output `results`.
#[derive(Serialize)]
struct Entry {
    provider: &'static str,
    repository: String,
    pipeline: String,
    outcome: Outcome,
    error: Option<String>,
    runs: Vec<Run>,
}

/// The first line of a target's log: what is triggered, where, as whom.
pub(crate) fn announcement(target: &Target, mode: Mode) -> String {
    let doing = match mode {
        Mode::Send => "triggering",
        Mode::DryRun => "dry run of",
    };
    let (pipeline, identity) = (target.pipeline(), target.identity());
    let source = target
        .source()
        .map(|source| format!(" at {source}"))
        .unwrap_or_default();
    let server = target.server.web.as_str().trim_end_matches('/');
    format!("{target}: {doing} {pipeline}{source} on {server} {identity}")
}

/// A line of the log, for those events that have one.
pub(crate) fn line(target: &Target, event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Minted(_) | Event::Trace(_) => return None,
        Event::DefaultReference(name) => {
            format!("{target}: no `ref` is given, so it is the default branch, {name}")
        }
        Event::Waiting { why, pause } => {
            format!(
                "{target}: {}; tried again in {:.0} s",
                why.message(),
                pause.as_secs_f64().max(1.0)
            )
        }
        Event::SecondForm(why) => format!("{target}: {why}"),
        Event::WouldSend { url, body } => format!("{target}: would send POST {url}\n{body}"),
        Event::Accepted { run: Some(run), .. } => {
            let number = run
                .number
                .map(|number| format!(" (number {number})"))
                .unwrap_or_default();
            format!("{target}: accepted, run {}{number}", run.id)
        }
        Event::Accepted { run: None, page } => {
            format!(
                "{target}: accepted; the provider does not tell which runs it started: look at {page}"
            )
        }
    })
}

/// An error's title and text.
pub(crate) fn failure(report: &Report<'_>) -> Option<(String, String)> {
    let failure = report.triggered.failure.as_ref()?;
    let title = match report.triggered.outcome {
        Outcome::Unknown => format!("{}: outcome unknown", report.target),
        Outcome::Rejected | Outcome::NotSent | Outcome::Accepted => {
            format!("{}: not triggered", report.target)
        }
    };
    Some((title, text(failure)))
}

fn text(failure: &Failure) -> String {
    match &failure.remedy {
        Some(remedy) => format!("{}\nhint: {remedy}", failure.what),
        None => failure.what.clone(),
    }
}

/// The outputs that are known once the trigger is accepted; whatever follows, these stay.
pub(crate) fn early_outputs(run: Option<&Run>, hide: Hide<'_>) -> [(&'static str, String); 3] {
    let text = |text: fn(&Run) -> &str| run.map(|run| hide(text(run))).unwrap_or_default();
    [
        ("outcome", Outcome::Accepted.word().to_owned()),
        ("run-id", text(|run| &run.id)),
        ("run-url", text(|run| &run.url)),
    ]
}

/// All outputs, the empty ones too: a file's entries win over commands that were smuggled into the log.
pub(crate) fn outputs(reports: &[Report<'_>], hide: Hide<'_>) -> Vec<(&'static str, String)> {
    let run = reports
        .iter()
        .find_map(|report| report.triggered.runs.first());
    let entries: Vec<_> = reports.iter().map(|report| entry(report, hide)).collect();
    let results = serde_json::to_string(&entries)
        .unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"));
    let [_, (_, run_id), (_, run_url)] = early_outputs(run, hide);
    let values = [worst(reports).word().to_owned(), run_id, run_url, results];
    OUTPUTS.iter().map(|(name, _)| *name).zip(values).collect()
}

fn entry(report: &Report<'_>, hide: Hide<'_>) -> Entry {
    let Report { target, triggered } = report;
    Entry {
        provider: target.provider().word(),
        repository: hide(&target.repository),
        pipeline: hide(&target.pipeline()),
        outcome: triggered.outcome,
        error: triggered
            .failure
            .as_ref()
            .map(|failure| hide(&failure.what)),
        runs: triggered.runs.iter().map(|run| hidden(run, hide)).collect(),
    }
}

/// A provider may say anything, also in a run's id.
fn hidden(run: &Run, hide: Hide<'_>) -> Run {
    Run {
        id: hide(&run.id),
        url: hide(&run.url),
        ..run.clone()
    }
}

/// The worst outcome of several; nothing at all was not sent.
fn worst(reports: &[Report<'_>]) -> Outcome {
    let badness = |outcome: Outcome| match outcome {
        Outcome::Accepted => 0,
        Outcome::NotSent => 1,
        Outcome::Rejected => 2,
        Outcome::Unknown => 3,
    };
    reports
        .iter()
        .map(|report| report.triggered.outcome)
        .max_by_key(|outcome| badness(*outcome))
        .unwrap_or(Outcome::NotSent)
}

/// Whether the step passes.
pub(crate) fn passes(reports: &[Report<'_>]) -> bool {
    !reports.is_empty()
        && reports
            .iter()
            .all(|report| report.triggered.failure.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use saphyr::{LoadableYamlNode as _, Yaml};

    #[test]
    fn action_yml_declares_the_same_outputs() {
        let action = Yaml::load_from_str(include_str!("../action.yml")).unwrap();
        let outputs = action[0].as_mapping_get("outputs").unwrap();
        let declared: Vec<_> = outputs
            .as_mapping()
            .unwrap()
            .iter()
            .map(|(name, output)| {
                let description = output.as_mapping_get("description").unwrap();
                (name.as_str().unwrap(), description.as_str().unwrap())
            })
            .collect();
        assert_eq!(declared, OUTPUTS);
    }
}
