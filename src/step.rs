//! The story of the step: read, mask, trigger, publish, wait, report.

use std::collections::BTreeMap;
use std::io::Write;

use crate::event::{Event, News};
use crate::fleet::{self, Report};
use crate::input::{self, Complaint, Home, Inputs};
use crate::report::{self, Annotation};
use crate::run::Run;
use crate::runner::Runner;
use crate::stop::Stop;
use crate::target::{Mode, Request, Target};

/// Whether the step passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Passed,
    Failed,
}

/// Does all that the environment asks for, and tells it through the runner.
pub(crate) async fn run<W: Write>(
    environment: &BTreeMap<String, String>,
    runner: &Runner<W>,
    stop: &Stop,
) -> Verdict {
    let inputs = Inputs::from_environment(environment);
    mask(&inputs, environment, runner);

    let request = match read(&inputs, environment) {
        Ok(request) => request,
        Err(complaints) => return complain(&complaints, runner),
    };
    let reports = fleet::run(&request, stop, &|target, event| {
        tell(target, request.mode, &event, runner);
    })
    .await;
    for report in &reports {
        annotate(report, runner);
    }
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
fn mask<W: Write>(inputs: &Inputs, environment: &BTreeMap<String, String>, runner: &Runner<W>) {
    let mut warnings = Vec::new();
    let proxies = input::proxy_passwords(environment)
        .into_iter()
        .map(|secret| ("HTTPS_PROXY", secret));
    for (name, secret) in inputs.secrets().into_iter().chain(proxies) {
        let mut warn = |text| warnings.push((name, text));
        match secret.expose() {
            "" | "null" => {
                warn("a secret in it is empty or `null`: is it set? Forks and Dependabot get none");
            }
            _ if !runner.mask(&secret) => warn(
                "a secret in it has fewer than 4 characters and is not masked: that would garble the log",
            ),
            _ => {}
        }
    }
    for (name, text) in warnings {
        runner.warning(&format!("input {name}"), text);
    }
}

fn read(
    inputs: &Inputs,
    environment: &BTreeMap<String, String>,
) -> Result<Request, Vec<Complaint>> {
    let home = Home::from_environment(environment)?;
    input::read(inputs, &home)
}

fn complain<W: Write>(complaints: &[Complaint], runner: &Runner<W>) -> Verdict {
    for complaint in complaints {
        runner.error(&format!("input {}", complaint.input), &complaint.message);
    }
    runner.say("nothing was sent");
    runner.outputs(report::outputs(&[], &|text| runner.hide(text)));
    Verdict::Failed
}

fn tell<W: Write>(target: &Target, mode: Mode, event: &Event<'_>, runner: &Runner<W>) {
    match event {
        Event::Beginning => runner.say(&report::announcement(target, mode)),
        Event::Minted(secret) => {
            runner.mask(secret);
        }
        Event::Trace(text) => runner.debug(text),
        // First of all, so that they survive whatever follows.
        Event::Accepted { run, .. } => publish(target, *run, runner),
        Event::Found(run) => publish(target, Some(run), runner),
        Event::Run {
            news: News::Log(log),
            ..
        } => {
            let (title, lines) = report::log(target, log);
            runner.group(&title, &lines);
        }
        Event::DefaultReference(_)
        | Event::Waiting { .. }
        | Event::SecondForm(_)
        | Event::LookingInto
        | Event::Run { .. }
        | Event::WouldSend { .. } => {}
    }
    if let Some(line) = report::line(target, event) {
        runner.say(&line);
    }
    if let Event::Accepted { run: Some(run), .. } | Event::Found(run) = event {
        // On a line of its own the runner's page makes it a link.
        runner.say(&run.url);
    }
    if let Some((title, text)) = report::warning(target, event) {
        runner.warning(&title, &text);
    }
}

fn publish<W: Write>(target: &Target, run: Option<&Run>, runner: &Runner<W>) {
    let outputs = report::early_outputs(run, target.marker(), &|text| runner.hide(text));
    runner.early_outputs(outputs);
}

fn annotate<W: Write>(report: &Report<'_>, runner: &Runner<W>) {
    for annotation in report::annotations(report) {
        match annotation {
            Annotation::Error { title, text } => runner.error(&title, &text),
            Annotation::Warning { title, text } => runner.warning(&title, &text),
        }
    }
    for cause in report
        .triggered
        .failure
        .iter()
        .flat_map(|failure| &failure.causes)
    {
        runner.debug(&format!("caused by: {cause}"));
    }
}
