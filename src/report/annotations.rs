//! Decides whether the step passes, and writes the annotations that explain why not.

use std::collections::HashMap;

use super::help::{self, Help};
use super::problem::{Explained, Link, Text, errors_of};
use super::retries::{earlier_failures, is_flaky};
use super::run_end::{quoted, run_name};
use crate::model::Run;
use crate::providers::target_report::TargetReport;
use crate::text::untrusted::one_line;

/// Maximum number of targets with the same error to name.
const MAX_NAMED: usize = 10;

pub(crate) enum Annotation {
    Error { title: String, text: String },
    Warning { title: String, text: String },
}

/// Number of annotations that the host still shows.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
}

/// Whether the step passes: there is a target, and all of them pass.
pub(crate) fn passes(reports: &[TargetReport<'_>]) -> bool {
    !reports.is_empty() && reports.iter().all(TargetReport::passes)
}

/// Returns an annotation for every error, causes first, for every run that may still be running, and for every flaky one.
/// What several targets share is reported once. If there isn't room for all of them, the last one names the rest.
pub(crate) fn annotations(
    reports: &[TargetReport<'_>],
    room: Room,
    help: &Help,
) -> Vec<Annotation> {
    let errors = all_errors(reports);
    let errors = errors.iter().map(|error| message_of(error, help)).collect();
    let mut warnings = left_running_warnings(reports, help);
    warnings.extend(flaky_warnings(reports, help));
    let errors = fitted(errors, room.errors).into_iter();
    let warnings = fitted(warnings, room.warnings).into_iter();
    errors
        .map(|Message { title, text, .. }| Annotation::Error { title, text })
        .chain(warnings.map(|Message { title, text, .. }| Annotation::Warning { title, text }))
        .collect()
}

struct Message {
    title: String,
    text: String,
    /// The targets' names.
    names: String,
}

/// Returns at most `room` messages. If there are more, the last one names the targets of those that are left out.
fn fitted(mut messages: Vec<Message>, room: usize) -> Vec<Message> {
    let room = room.max(1);
    if messages.len() > room {
        let rest = messages.split_off(room - 1);
        let names = rest.iter().map(|message| message.names.clone()).collect();
        let (more, names) = (rest.len(), listed(names));
        messages.push(Message {
            title: format!("{more} more"),
            text: format!(
                "and {more} more: {names}\nhint: see the job summary, this step's log or the output `results`"
            ),
            names,
        });
    }
    messages
}

/// Whether a target only failed because another one did.
pub(super) fn is_consequence(report: &TargetReport<'_>) -> bool {
    let errors = errors_of(report);
    !errors.is_empty() && errors.iter().all(|error| error.is_consequence)
}

/// An error and the targets that have it, at least one.
pub(super) struct TargetError<'a> {
    pub(super) text: Text,
    /// One for each target.
    pub(super) of: Vec<(&'a str, Explained)>,
}

/// Returns all errors: causes before consequences, otherwise in the order of the targets. A shared error is listed with
/// its first target.
pub(super) fn all_errors<'a>(reports: &'a [TargetReport<'_>]) -> Vec<TargetError<'a>> {
    let mut found: Vec<TargetError<'a>> = Vec::new();
    let mut positions = HashMap::new();
    for report in reports {
        let mut of_target = HashMap::new();
        for error in errors_of(report) {
            let text = error.text.clone();
            // Two runs of one target are two errors.
            let number = of_target.entry(text.clone()).or_insert(0_usize);
            *number += 1;
            let position = *positions
                .entry((error.title, text.clone(), *number))
                .or_insert(found.len());
            let name = report.target.name.as_str();
            match found.get_mut(position) {
                Some(known) => known.of.push((name, error)),
                None => found.push(TargetError {
                    text,
                    of: vec![(name, error)],
                }),
            }
        }
    }
    found.sort_by_key(|error| error.of.iter().all(|(_, error)| error.is_consequence));
    found
}

impl TargetError<'_> {
    /// Returns the targets' names.
    pub(super) fn target_names(&self) -> String {
        let mut names: Vec<_> = self.of.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.dedup();
        listed(names)
    }

    /// Returns the web address of what explains the error.
    pub(super) fn help(&self, help: &Help) -> Option<String> {
        let (_, error) = self.of.first()?;
        error.help(help)
    }

    /// Returns the pages of all targets, with a label that also names the target if there are several.
    pub(super) fn links(&self) -> Vec<Link> {
        let labelled = self.of.iter().take(MAX_NAMED).flat_map(|(name, error)| {
            let links = error.run.iter().chain(&error.pages);
            links.map(move |link| Link {
                label: format!("{name} {}", link.label),
                url: link.url.clone(),
            })
        });
        labelled.collect()
    }
}

fn message_of(error: &TargetError<'_>, help: &Help) -> Message {
    let names = error.target_names();
    let (title, text) = match error.of.as_slice() {
        [(name, one)] => {
            let sentence = format!("{name}: {}", one.sentence());
            let lines = [vec![sentence], one.details(help)].concat();
            (format!("{name}: {}", one.title), lines.join("\n"))
        }
        several => {
            let subject = if several.iter().any(|(_, error)| error.run.is_some()) {
                "the run "
            } else {
                ""
            };
            let sentence = format!("{names}: {subject}{}", error.text.end);
            let hint = error.text.hint.as_ref().map(|hint| format!("hint: {hint}"));
            let pages = error.links().into_iter();
            let pages = pages.map(|page| format!("{}: {}", page.label, page.url));
            let link = error.help(help).map(|link| help::line(&link));
            let lines = [sentence].into_iter().chain(hint).chain(pages).chain(link);
            let lines: Vec<_> = lines.collect();
            let title = several.first().map_or("", |(_, first)| first.title);
            (
                format!("{} targets: {title}", several.len()),
                lines.join("\n"),
            )
        }
    };
    Message { title, text, names }
}

fn listed(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(MAX_NAMED);
    names.truncate(MAX_NAMED);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", names.join(", "))
}

/// Returns all errors of one target, line by line, for its group in the log, without what the group's title says.
pub(crate) fn errors_below(title: &str, report: &TargetReport<'_>, help: &Help) -> Vec<String> {
    let errors = errors_of(report).into_iter();
    let lines = errors.flat_map(|error| {
        let is_said = title.contains(&one_line(&error.text.end.to_string()));
        let sentence = format!("{}: {}", report.target, error.sentence());
        let sentence = Some(sentence).filter(|_| !is_said);
        sentence.into_iter().chain(error.details(help))
    });
    lines
        .filter(|line| title.split(' ').all(|word| word != line))
        .collect()
}

/// Returns warnings only for known runs: the errors of trigger and search mention the others already. Runs that are left
/// running for the same reason share a warning.
fn left_running_warnings(reports: &[TargetReport<'_>], help: &Help) -> Vec<Message> {
    let mut reasons: Vec<(String, Vec<(&str, &Run)>)> = Vec::new();
    for report in reports {
        for run in &report.monitored.runs {
            let Some(why) = run.left_running.as_ref().map(ToString::to_string) else {
                continue;
            };
            let left = (report.target.name.as_str(), &run.run);
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, all)) => all.push(left),
                None => reasons.push((why, vec![left])),
            }
        }
    }
    reasons
        .iter()
        .map(|(why, left)| left_running_warning(why, left, help))
        .collect()
}

/// Returns a warning for each run that passed only because its failed jobs were run again.
fn flaky_warnings<'a>(
    reports: &'a [TargetReport<'_>],
    help: &'a Help,
) -> impl Iterator<Item = Message> + 'a {
    let runs = reports.iter().flat_map(|report| {
        let flaky = report.monitored.runs.iter();
        let flaky = flaky.filter(|run| is_flaky(report, run));
        flaky.map(move |run| (report.target.name.as_str(), run))
    });
    runs.map(move |(name, run)| {
        let (run_name, page) = (run_name(&run.run), &run.run.url);
        let failures = earlier_failures(run, &str::to_owned, &quoted);
        Message {
            title: format!("{name}: flaky"),
            text: help.added_to(format!("{name}: {run_name} is flaky: {failures}. It passed when its failed jobs were run again\n{page}")),
            names: name.to_owned(),
        }
    })
}

fn left_running_warning(why: &str, left: &[(&str, &Run)], help: &Help) -> Message {
    let mut names: Vec<_> = left.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.dedup();
    let names = listed(names);
    let text = match left {
        [(name, run)] => format!("{name}: {run} may still be running: {why}\n{}", run.url),
        several => {
            let shown = several.iter().take(MAX_NAMED);
            let pages = shown.map(|(name, run)| format!("\n{name} {run}: {}", run.url));
            let (count, pages) = (several.len(), pages.collect::<String>());
            format!("{names}: {count} runs may still be running: {why}{pages}")
        }
    };
    Message {
        title: format!("{names}: may still be running"),
        text: help.added_to(text),
        names,
    }
}
