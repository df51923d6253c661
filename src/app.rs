//! Runs a step from start to finish: read, mask, trigger, publish, wait, report.

mod commit_statuses;
mod live_view;
mod progress_log;
mod saved_state;
mod second_chance;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;

use crate::engine::batch;
use crate::engine::shutdown::Shutdown;
use crate::host::Console;
use crate::input::{self, Checked, InputError, RawRequest};
use crate::model::{Caller, Problem};
use crate::providers::target::{Mode, Request, Target};
use crate::providers::target_report::TargetReport;
use crate::report::{self, Annotation, Help, Note, Room};
use commit_statuses::CommitStatuses;
use progress_log::ProgressLog;
pub(crate) use second_chance::run as second_chance;
pub(crate) use verdict::Verdict;

/// Maximum number of annotations for invalid inputs. GitHub shows ten of a kind; the tenth names what isn't shown.
const MAX_INPUT_ANNOTATIONS: usize = 9;
/// Maximum number of invalid inputs in the log, in addition to the annotations.
const MAX_LOGGED_INPUT_ERRORS: usize = 100;

/// Runs the step that the inputs describe, and reports it through the console. `flags` are the inputs that the command
/// line sets, which take precedence over those of the host.
pub(crate) async fn run(
    environment: &BTreeMap<String, String>,
    flags: Checked<BTreeMap<String, String>>,
    console: &Console,
    shutdown: &Shutdown,
) -> Verdict {
    let (flags, flag_errors) = match flags {
        Ok(flags) => (flags, Vec::new()),
        Err(errors) => (BTreeMap::new(), errors),
    };
    let (raw_request, caller) = raw_inputs(flags, environment, console);
    // Detect outputs that can't be written before anything is started.
    console.open(report::first_outputs());

    if !flag_errors.is_empty() {
        return report_input_errors(&flag_errors, &raw_request, &caller, console);
    }
    let (mut request, warnings) = match input::read(&raw_request, &caller, environment) {
        Ok(read) if !console.lost_output() => read,
        Ok(_) => return fail_without_sending(console),
        Err(errors) => return report_input_errors(&errors, &raw_request, &caller, console),
    };
    let is_waited = request.targets.iter().any(|target| target.wait.is_some());
    if is_waited && !console.host().is_public() {
        request.targets.iter_mut().for_each(Target::show_logs);
    }
    for warning in &warnings {
        console.warning(&warning.title, &warning.text);
    }
    let help = help(console);
    let (reports, notes) = run_targets(&request, &caller, &help, console, shutdown).await;
    annotate(&reports, &help, console);
    let hide = |text: &str| console.hide(text);
    let limits = console.host().limits();
    console.outputs(report::outputs(&reports, &hide, limits.results));
    let summary = report::summary(&reports, request.mode, &notes, &help, &hide, limits.summary);
    console.summary(&summary);
    let verdict = report::verdict(&reports);
    if console.lost_output() {
        console.log(&format!(
            "✗ failed because not all outputs could be written; apart from that: {verdict}"
        ));
        return Verdict::Failed;
    }
    console.log(&verdict);
    Verdict::new(&reports, shutdown)
}

/// Finds what the documentation says about errors.
fn help(console: &Console) -> Help {
    Help::new(|path| console.host().file_page(path))
}

/// Triggers the targets and monitors their runs, and shows both in the log and as commit statuses. Also returns what
/// the summary shows besides the results.
async fn run_targets<'a>(
    request: &'a Request,
    caller: &Caller,
    help: &Help,
    console: &Console,
    shutdown: &Shutdown,
) -> (Vec<TargetReport<'a>>, Vec<Note>) {
    let statuses = CommitStatuses::new(request, caller, console);
    let is_sent = request.mode == Mode::Send;
    let Some(sent) = statuses.as_ref().filter(|_| is_sent) else {
        let progress_log = ProgressLog::new(request, help, console, None);
        let reports = batch::run(request, shutdown, &progress_log, None).await;
        statuses.iter().for_each(CommitStatuses::describe);
        return (reports, progress_log.take_notes());
    };
    let progress_log = ProgressLog::new(request, help, console, Some(sent));
    let running = batch::run(request, shutdown, &progress_log, Some(sent.board()));
    let reports = sent.send_during(shutdown, running).await;
    sent.forget_settled(progress_log.saved_state());
    (reports, progress_log.take_notes())
}

/// Reads the inputs and the caller from the host, and masks their secrets.
fn raw_inputs(
    flags: BTreeMap<String, String>,
    environment: &BTreeMap<String, String>,
    console: &Console,
) -> (RawRequest, Caller) {
    let mut given = console.host().inputs(&input::names());
    given.replace(flags);
    let raw_request = RawRequest::new(given);
    let caller = console.host().caller();
    mask(&raw_request, &caller, environment, console);
    (raw_request, caller)
}

/// Masks all secrets before anything else is printed. Warns about missing ones and ones that are too short.
fn mask(
    raw_request: &RawRequest,
    caller: &Caller,
    environment: &BTreeMap<String, String>,
    console: &Console,
) {
    let mut warnings = Vec::new();
    let inputs = raw_request.secrets().into_iter();
    let proxies = input::proxy_secrets(environment).into_iter();
    let proxies = proxies.map(|(name, secret)| (format!("environment variable `{name}`"), secret));
    let of_host = caller.credentials.iter().map(|credential| {
        let subject = format!("environment variable `{}`", credential.variable);
        (subject, credential.secret.clone())
    });
    for (subject, secret) in inputs.chain(proxies).chain(of_host) {
        match secret.expose() {
            "" | "null" => {
                let or_withheld = caller.or_withheld();
                let text =
                    format!("{subject}: a secret is empty or `null`. It isn't set{or_withheld}");
                warnings.push(("Empty secret", text));
            }
            text if !console.mask(&secret) => {
                let what = if text.trim().contains(['\r', '\n']) {
                    "each line of a secret"
                } else {
                    "a secret"
                };
                let text = format!(
                    "{subject}: {what} has fewer than 4 characters and isn't masked, because masking it would garble the log"
                );
                warnings.push(("Secret not masked", text));
            }
            _ => {}
        }
    }
    for (title, text) in warnings {
        console.warning(title, &text);
    }
}

/// Reports invalid inputs in annotations, the log, the outputs and the summary.
fn report_input_errors(
    errors: &[InputError],
    raw_request: &RawRequest,
    caller: &Caller,
    console: &Console,
) -> Verdict {
    let links = help(console).links(errors.iter().map(InputError::sentence));
    let all: Vec<_> = errors.iter().zip(links).collect();
    let (annotated, others) = all.split_at(all.len().min(MAX_INPUT_ANNOTATIONS));
    for (error, link) in annotated {
        let text = report::with_link(error.to_string(), link.as_deref());
        console.error(&error.title(), &text);
    }
    if !others.is_empty() {
        for (error, link) in others.iter().take(MAX_LOGGED_INPUT_ERRORS) {
            let text = report::with_link(error.to_string(), link.as_deref());
            console.log(&format!("error: {text}"));
        }
        let mut inputs = Vec::new();
        for (error, _) in others {
            let input = format!("`{}`", error.input_name());
            if !inputs.contains(&input) {
                inputs.push(input);
            }
        }
        let (count, inputs) = (others.len(), inputs.join(", "));
        console.error(
            "More invalid inputs",
            &format!("and {count} more: {inputs}"),
        );
    }
    let problems = report::problem_count(errors.len());
    let limits = console.host().limits();
    let hide = |text: &str| console.hide(text);
    let targets = input::invalid_targets(raw_request, caller, errors);
    console.outputs(report::outputs_of_invalid(&targets, &hide, limits.results));
    let all = all
        .into_iter()
        .map(|(error, link)| (error.to_string(), link));
    console.summary(&report::summary_of_invalid(all, &hide, limits.summary));
    console.log(&format!("✗ {problems}; nothing was sent"));
    Verdict::InvalidInput
}

/// Sets the outputs of a step that fails without sending anything.
pub(crate) fn fail_without_sending(console: &Console) -> Verdict {
    let max_results = console.host().limits().results;
    let hide = |text: &str| console.hide(text);
    console.outputs(report::outputs(&[], &hide, max_results));
    console.log("✗ nothing was sent");
    Verdict::NotTriggered
}

fn annotate(reports: &[TargetReport<'_>], help: &Help, console: &Console) {
    let limit = console.host().limits().annotations;
    let room = Room {
        errors: limit.saturating_sub(console.errors()),
        warnings: limit.saturating_sub(console.warnings()),
    };
    for annotation in report::annotations(reports, room, help) {
        match annotation {
            Annotation::Error { title, text } => console.error(&title, &text),
            Annotation::Warning { title, text } => console.warning(&title, &text),
        }
    }
    let problems = reports.iter().flat_map(TargetReport::problems);
    for cause in problems.flat_map(Problem::causes) {
        console.debug(format_args!("caused by: {cause}"));
    }
}
