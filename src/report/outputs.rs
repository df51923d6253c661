//! Computes the step's outputs.

mod invalid;
mod json;
mod results;

use super::Hide;
use crate::model::{Conclusion, InvalidTarget, Outcome, Run};
use crate::providers::target::Target;
use crate::providers::target_report::TargetReport;

/// Name and description of every output, in the order of the documentation. Tests compare them with `action.yml` and
/// the README.
pub(crate) const OUTPUTS: [(&str, &str); 7] = [
    (
        "outcome",
        "What happened to the trigger: `accepted`, `rejected`, `unknown` or `not-sent` (with several targets, the worst). Empty if the step only follows runs",
    ),
    (
        "run-id",
        "Id of the run, or of the first one if there are several. Empty if it isn't known",
    ),
    (
        "run-url",
        "Web address of the run, or of the first one if there are several. Empty if it isn't known",
    ),
    (
        "trigger-id",
        "Marker that identifies the runs of a `repository_dispatch`. Empty if there is none",
    ),
    (
        "conclusion",
        "With `wait`: `success`, `neutral`, `skipped`, `cancelled`, `failure`, `timed-out` or `lost`; the worst of several. Empty if the step didn't see the end",
    ),
    (
        "result",
        "With `result-artifact`: the JSON that was read from the run",
    ),
    (
        "results",
        "JSON list with one entry per target: provider, repository, pipeline, outcome, trigger_id, conclusion, error, left_running, left_running_reason and runs. Entries are shortened if the list would be too long",
    ),
];

/// Returns the outputs that stand if the step is killed before it can set them. The outcome is unknown, because
/// something may have been sent.
pub(crate) fn first_outputs() -> impl Iterator<Item = (&'static str, String)> {
    OUTPUTS.iter().map(|(name, _)| {
        let value = match *name {
            "outcome" => Outcome::Unknown.as_str(),
            "results" => "[]",
            _ => "",
        };
        (*name, value.to_owned())
    })
}

/// Returns the outputs that are set as soon as the trigger is accepted, or the run that is followed is known.
pub(crate) fn early_outputs(
    target: &Target,
    run: Option<&Run>,
    hide: Hide<'_>,
) -> [(&'static str, String); 4] {
    let outcome = match target.follow {
        Some(_) => "",
        None => Outcome::Accepted.as_str(),
    };
    let [id, url] = run_outputs(run, hide);
    let marker = target.marker_of(run).unwrap_or_default().to_owned();
    [
        ("outcome", outcome.to_owned()),
        ("run-id", id),
        ("run-url", url),
        ("trigger-id", marker),
    ]
}

/// Returns id and web address of a run.
fn run_outputs(run: Option<&Run>, hide: Hide<'_>) -> [String; 2] {
    let text = |text: fn(&Run) -> &str| run.map(|run| hide(text(run))).unwrap_or_default();
    [text(|run| &run.id), text(|run| &run.url)]
}

/// Returns all outputs. `results` has at most `max_results` UTF-16 code units. Empty outputs are set too, because the
/// output file takes precedence over commands injected into the log.
pub(crate) fn outputs(
    reports: &[TargetReport<'_>],
    hide: Hide<'_>,
    max_results: usize,
) -> Vec<(&'static str, String)> {
    let run = reports
        .iter()
        .find_map(|report| report.monitored.runs.first())
        .map(|monitored| &monitored.run);
    let marker = reports.iter().find_map(TargetReport::marker);
    let [run_id, run_url] = run_outputs(run, hide);
    let result = reports
        .iter()
        .find_map(|report| report.monitored.result.as_deref());
    let values = [
        worst_outcome(reports)
            .map_or("", Outcome::as_str)
            .to_owned(),
        run_id,
        run_url,
        marker.unwrap_or_default().to_owned(),
        worst_conclusion(reports)
            .map_or("", Conclusion::as_str)
            .to_owned(),
        result
            .map(|result| json::hide_in_json(result, hide))
            .unwrap_or_default(),
        results::results(reports, hide, max_results),
    ];
    OUTPUTS.iter().map(|(name, _)| *name).zip(values).collect()
}

/// Returns all outputs of a step whose inputs are invalid.
pub(crate) fn outputs_of_invalid(
    targets: &[InvalidTarget],
    hide: Hide<'_>,
    max_results: usize,
) -> Vec<(&'static str, String)> {
    let mut outputs = outputs(&[], hide, max_results);
    for (name, value) in &mut outputs {
        if *name == "results" {
            *value = invalid::results(targets, hide, max_results);
        }
    }
    outputs
}

/// Returns the worst outcome. `None` if all targets only follow runs. Without targets, it's `NotSent`.
fn worst_outcome(reports: &[TargetReport<'_>]) -> Option<Outcome> {
    if reports.is_empty() {
        return Some(Outcome::NotSent);
    }
    let badness = |outcome: Outcome| match outcome {
        Outcome::Accepted => 0,
        Outcome::NotSent => 1,
        Outcome::Rejected => 2,
        Outcome::Unknown => 3,
    };
    reports
        .iter()
        .filter_map(TargetReport::trigger_outcome)
        .max_by_key(|outcome| badness(*outcome))
}

/// Returns the worst conclusion, or `None` if any target has none.
fn worst_conclusion(reports: &[TargetReport<'_>]) -> Option<Conclusion> {
    let all = reports.iter().map(|report| report.monitored.conclusion);
    all.collect::<Option<Vec<_>>>()?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use saphyr::{LoadableYamlNode as _, Yaml};

    #[test]
    fn action_yml_declares_the_same_outputs() {
        let action = Yaml::load_from_str(include_str!("../../action.yml")).unwrap();
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
