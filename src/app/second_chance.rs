//! Runs the second process of a step whose job was cancelled, after the job's other steps.

use std::collections::BTreeMap;

use super::commit_statuses::CommitStatuses;
use super::saved_state::SavedTarget;
use super::{Verdict, help, raw_inputs, saved_state};
use crate::engine::monitor::{Finished, SearchEnd};
use crate::engine::second_chance;
use crate::engine::shutdown::Shutdown;
use crate::engine::unfinished::Unfinished;
use crate::host::Console;
use crate::input;
use crate::model::{Caller, End, Event, Monitored, Outcome, RunReport};
use crate::providers::Error;
use crate::providers::target::{Request, Target};
use crate::providers::target_report::TargetReport;
use crate::report;

/// Ends the runs that the step's first process may have left running. Fails if any may still be running afterwards.
pub(crate) async fn run(
    environment: &BTreeMap<String, String>,
    console: &Console,
    shutdown: &Shutdown,
) -> Verdict {
    let (raw_request, caller) = raw_inputs(BTreeMap::new(), environment, console);
    let saved = saved_state::load(console);
    if saved.is_empty() {
        console.log("nothing to do: no run of this step is known to be still running");
        return Verdict::Passed;
    }
    let mut request = match input::read(&raw_request, &caller, environment) {
        Ok((request, _)) => request,
        Err(errors) => {
            let help = help(console);
            for error in &errors {
                console.error(&error.title(), &help.added_to(error.to_string()));
            }
            return Verdict::Failed;
        }
    };
    let (matching, mismatched): (Vec<_>, Vec<_>) = saved.into_iter().partition(|(index, saved)| {
        let target = request.targets.get(*index);
        target.is_some_and(|target| target.to_string() == saved.target)
    });
    for (_, saved) in &mismatched {
        let text = "the inputs have changed, so these runs can't be cancelled";
        let runs = saved.unfinished.iter().flat_map(|left| &left.runs);
        warn(console, &saved.target, text, runs.map(|run| &run.url));
    }
    let unfinished =
        |(index, saved): &(usize, SavedTarget)| Some((*index, saved.unfinished.clone()?));
    let unfinished: Vec<_> = matching.iter().filter_map(unfinished).collect();
    for (index, left) in &unfinished {
        if let Some(marker) = &left.marker {
            request.targets[*index].spec.set_marker(marker);
        }
    }
    let finished = finish(&request, &unfinished, console, shutdown).await;
    set_statuses(&request, &caller, &matching, &finished, console, shutdown).await;
    let all_over = unfinished
        .iter()
        .zip(&finished)
        .map(|((index, left), (_, finished))| {
            report_finished(console, &request, *index, left, finished)
        });
    // All of them are reported.
    let all_over: Vec<_> = all_over.collect();
    if mismatched.is_empty() && all_over.iter().all(|is_over| *is_over) {
        Verdict::Passed
    } else {
        Verdict::Failed
    }
}

/// Ends the runs of unfinished targets. Returns the results, with the targets' indexes.
async fn finish(
    request: &Request,
    unfinished: &[(usize, Unfinished)],
    console: &Console,
    shutdown: &Shutdown,
) -> Vec<(usize, Result<Finished, Error>)> {
    if unfinished.is_empty() {
        return Vec::new();
    }
    console.log("the job was cancelled; checking for runs of this step that may still be running");
    let log = |index: usize, event: &Event<'_>| log(console, &request.targets[index], event);
    let finished = second_chance::run(request, unfinished, shutdown, &log).await;
    let indexes = unfinished.iter().map(|(index, _)| *index);
    indexes.zip(finished).collect()
}

/// Sets the commit statuses that the first process may not have set.
async fn set_statuses(
    request: &Request,
    caller: &Caller,
    saved: &[(usize, SavedTarget)],
    finished: &[(usize, Result<Finished, Error>)],
    console: &Console,
    shutdown: &Shutdown,
) {
    if saved.iter().all(|(_, saved)| saved.status.is_none()) {
        return;
    }
    let Some(statuses) = CommitStatuses::new(request, caller, console) else {
        return;
    };
    console.log("setting the commit statuses that may still be pending");
    for (index, saved) in saved {
        let Some(status) = &saved.status else {
            continue;
        };
        let mut finished = finished.iter();
        let finished = finished
            .find(|(of, _)| of == index)
            .map(|(_, finished)| finished);
        let known = finished.and_then(|finished| finished.as_ref().ok());
        // Without a run there is no more to say than the first process did.
        let known = known.filter(|finished| !finished.runs.is_empty());
        let report = known.map(|finished| report_of(&request.targets[*index], finished));
        statuses.show_last(*index, status, report.as_ref());
    }
    statuses.send_during(shutdown, async {}).await;
}

/// Describes a target, at least one run of which is known, as the first process would have done.
fn report_of<'a>(target: &'a Target, finished: &Finished) -> TargetReport<'a> {
    let runs = finished.runs.iter().map(|(run, cancelled)| RunReport {
        end: Some(End::Stopped),
        conclusion: cancelled
            .snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.state.conclusion()),
        snapshot: cancelled.snapshot.clone(),
        ..RunReport::unwatched(run.clone())
    });
    let mut monitored = Monitored {
        runs: runs.collect(),
        ..Monitored::default()
    };
    if finished.is_complete() {
        monitored.conclude();
    }
    TargetReport::new((target, (Outcome::Accepted, None, monitored)))
}

fn log(console: &Console, target: &Target, event: &Event<'_>) {
    if let Event::Minted(secret) = event {
        console.mask(secret);
    }
    if let Event::Trace(text) = event {
        console.debug(*text);
    }
    if let Some(line) = report::line(target, event) {
        console.log(&line);
    }
}

/// Reports a target's result. Returns whether everything that it started has ended.
fn report_finished(
    console: &Console,
    request: &Request,
    index: usize,
    left: &Unfinished,
    finished: &Result<Finished, Error>,
) -> bool {
    let target = request.targets[index].to_string();
    let finished = match finished {
        Ok(finished) => finished,
        Err(error) => {
            let text = format!(
                "the runs that it started can't be checked: {}",
                error.message()
            );
            warn(
                console,
                &target,
                &text,
                left.runs.iter().map(|run| &run.url),
            );
            return false;
        }
    };
    let mut is_over = finished.is_complete();
    for (run, cancelled) in &finished.runs {
        let conclusion = cancelled.snapshot.as_ref();
        let conclusion = conclusion.and_then(|snapshot| snapshot.state.conclusion());
        match (&cancelled.left_running, conclusion) {
            (Some(why), _) => {
                is_over = false;
                let text = format!("{run} may still be running: {why}");
                warn(console, &target, &text, [&run.url]);
            }
            (None, Some(conclusion)) => {
                console.log(&format!("{target}: {run} is over: {conclusion}"));
            }
            (None, None) => {}
        }
    }
    if !finished.is_complete() {
        let run = if finished.runs.is_empty() {
            "a run"
        } else {
            "more runs"
        };
        let text = match (&finished.search, finished.ambiguous.as_slice()) {
            (_, [_, ..]) => {
                "the trigger may have started one of these runs, but none of them was cancelled:"
                    .to_owned()
            }
            (Some(SearchEnd::Failed(why)), []) => format!(
                "it's still unclear whether the trigger started {run}: the list of runs can't be read: {why}"
            ),
            (Some(SearchEnd::Interrupted), []) => {
                format!("it's still unclear whether the trigger started {run}")
            }
            (Some(SearchEnd::Settled) | None, []) => {
                "no run was found, so most likely the trigger didn't start one".to_owned()
            }
        };
        warn(
            console,
            &target,
            &text,
            finished.ambiguous.iter().map(|run| &run.url),
        );
    }
    is_over
}

fn warn<'a>(
    console: &Console,
    target: &str,
    text: &str,
    urls: impl IntoIterator<Item = &'a String>,
) {
    let urls: Vec<_> = urls.into_iter().map(String::as_str).collect();
    let text = [&[text], urls.as_slice()].concat().join("\n");
    let text = help(console).added_to(format!("{target}: {text}"));
    console.warning(target, &text);
}
