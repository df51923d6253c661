//! Runs the second process of a step whose job was cancelled, after the job's other steps.

use std::collections::BTreeMap;

use super::{Verdict, help, raw_inputs, saved_state};
use crate::engine::monitor::{Finished, SearchEnd};
use crate::engine::second_chance;
use crate::engine::shutdown::Shutdown;
use crate::engine::unfinished::Unfinished;
use crate::host::Console;
use crate::input;
use crate::model::Event;
use crate::providers::Error;
use crate::providers::target::{Request, Target};
use crate::report;

/// Ends the runs that the step's first process may have left running. Fails if any may still be running afterwards.
pub(crate) async fn run(
    environment: &BTreeMap<String, String>,
    console: &Console,
    shutdown: &Shutdown,
) -> Verdict {
    let (raw_request, caller) = raw_inputs(environment, console);
    let unfinished = saved_state::load(console);
    if unfinished.is_empty() {
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
    let (matching, mismatched): (Vec<_>, Vec<_>) =
        unfinished.into_iter().partition(|(index, left)| {
            let target = request.targets.get(*index);
            target.is_some_and(|target| target.to_string() == left.target)
        });
    for (_, left) in &mismatched {
        let text = "the inputs have changed, so these runs can't be cancelled";
        warn(
            console,
            &left.target,
            text,
            left.runs.iter().map(|run| &run.url),
        );
    }
    for (index, left) in &matching {
        if let Some(marker) = &left.marker {
            request.targets[*index].spec.set_marker(marker);
        }
    }
    console.log("the job was cancelled; checking for runs of this step that may still be running");
    let log = |index: usize, event: &Event<'_>| log(console, &request.targets[index], event);
    let finished = second_chance::run(&request, &matching, shutdown, &log).await;
    let mut verdict = if mismatched.is_empty() {
        Verdict::Passed
    } else {
        Verdict::Failed
    };
    for ((index, left), finished) in matching.iter().zip(&finished) {
        if !report_finished(console, &request, *index, left, finished) {
            verdict = Verdict::Failed;
        }
    }
    verdict
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
