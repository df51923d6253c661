//! The story of the step: read, mask, trigger, publish, wait, report.

mod progress_log;
mod saved_state;
mod second_chance;

use std::collections::BTreeMap;
use std::io::Write;

use crate::engine::batch::{self, TargetReport};
use crate::engine::shutdown::Shutdown;
use crate::host::github_actions::Runner;
use crate::input::{self, InputError, RawRequest};
use crate::providers::target::Target;
use crate::report::{self, Annotation};
use progress_log::ProgressLog;
pub(crate) use second_chance::run as second_chance;

/// Whether the step passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Passed,
    Failed,
}

/// Does all that the environment asks for, unless there are arguments, and tells it through the runner.
pub(crate) async fn run<W: Write>(
    environment: &BTreeMap<String, String>,
    arguments: &[String],
    runner: &Runner<W>,
    shutdown: &Shutdown,
) -> Verdict {
    let raw_request = RawRequest::from_environment(environment);
    mask(&raw_request, environment, runner);
    // Found out now, or else only when something has been started.
    runner.open(report::first_outputs());

    if let Some(complaint) = input::refuse_arguments(arguments) {
        return complain(&[complaint], runner);
    }
    let (mut request, warnings) = match input::read(&raw_request, environment) {
        Ok(read) if !runner.lost_output() => read,
        Ok(_) => return nothing_was_sent(runner),
        Err(complaints) => return complain(&complaints, runner),
    };
    let is_waited = request.targets.iter().any(|target| target.wait.is_some());
    if is_waited && !runner.is_public() {
        request.targets.iter_mut().for_each(Target::show_logs);
    }
    for warning in &warnings {
        runner.warning(&format!("input {}", warning.input), &warning.text);
    }
    let progress_log = ProgressLog::new(&request, runner);
    let reports = batch::run(&request, shutdown, &progress_log).await;
    annotate(&reports, runner);
    let hide = |text: &str| runner.hide(text);
    runner.outputs(report::outputs(&reports, &hide));
    runner.summary(&report::summary(&reports, request.mode, &hide));
    if report::passes(&reports) && !runner.lost_output() {
        Verdict::Passed
    } else {
        Verdict::Failed
    }
}

/// Before anything else is printed.
fn mask<W: Write>(
    raw_request: &RawRequest,
    environment: &BTreeMap<String, String>,
    runner: &Runner<W>,
) {
    let mut warnings = Vec::new();
    let inputs = raw_request.secrets().into_iter();
    let inputs = inputs.map(|(name, secret)| (format!("input {name}"), secret));
    let proxies = input::proxy_secrets(environment).into_iter();
    let proxies = proxies.map(|(name, secret)| (format!("environment variable {name}"), secret));
    for (title, secret) in inputs.chain(proxies) {
        let warn = |text: &str| warnings.push((title, text.to_owned()));
        match secret.expose() {
            "" | "null" => {
                warn("a secret in it is empty or `null`: is it set? Forks and Dependabot get none");
            }
            text if !runner.mask(&secret) => {
                let each = if text.trim().contains(['\r', '\n']) {
                    " in each of its lines"
                } else {
                    ""
                };
                warn(&format!(
                    "a secret in it has fewer than 4 characters{each} and is not masked: that would garble the log"
                ));
            }
            _ => {}
        }
    }
    for (title, text) in warnings {
        runner.warning(&title, &text);
    }
}

fn complain<W: Write>(complaints: &[InputError], runner: &Runner<W>) -> Verdict {
    for complaint in complaints {
        runner.error(&complaint.title(), &complaint.message);
    }
    nothing_was_sent(runner)
}

/// The end of a step that sends nothing.
pub(crate) fn nothing_was_sent<W: Write>(runner: &Runner<W>) -> Verdict {
    runner.say("nothing was sent");
    runner.outputs(report::outputs(&[], &|text| runner.hide(text)));
    Verdict::Failed
}

fn annotate<W: Write>(reports: &[TargetReport<'_>], runner: &Runner<W>) {
    for annotation in report::annotations(reports) {
        match annotation {
            Annotation::Error { title, text } => runner.error(&title, &text),
            Annotation::Warning { title, text } => runner.warning(&title, &text),
        }
    }
    let failures = reports
        .iter()
        .filter_map(|report| report.triggered.failure.as_ref());
    for cause in failures.flat_map(|failure| &failure.causes) {
        runner.debug(format_args!("caused by: {cause}"));
    }
}
