//! The story of the step: read, mask, trigger, publish, report.

use std::collections::BTreeMap;
use std::io::Write;

use crate::event::Event;
use crate::input::{self, Complaint, Home, Inputs};
use crate::report::{self, Report};
use crate::runner::Runner;
use crate::stop::Stop;
use crate::target::{Request, Target};
use crate::trigger::trigger;

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
    let mut reports = Vec::new();
    for target in &request.targets {
        runner.say(&report::announcement(target, request.mode));
        let triggered = trigger(target, request.mode, stop, &|event| {
            tell(target, &event, runner);
        })
        .await;
        reports.push(Report { target, triggered });
    }
    for report in &reports {
        tell_failure(report, runner);
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

fn tell<W: Write>(target: &Target, event: &Event<'_>, runner: &Runner<W>) {
    match event {
        Event::Minted(secret) => {
            runner.mask(secret);
        }
        Event::Trace(text) => runner.debug(text),
        // First of all, so that they survive whatever follows.
        Event::Accepted { run, .. } => {
            runner.early_outputs(report::early_outputs(*run, &|text| runner.hide(text)));
        }
        Event::DefaultReference(_)
        | Event::Waiting { .. }
        | Event::SecondForm(_)
        | Event::WouldSend { .. } => {}
    }
    if let Some(line) = report::line(target, event) {
        runner.say(&line);
    }
    if let Event::Accepted { run: Some(run), .. } = event {
        // On a line of its own the runner's page makes it a link.
        runner.say(&run.url);
    }
}

fn tell_failure<W: Write>(report: &Report<'_>, runner: &Runner<W>) {
    if let Some((title, text)) = report::failure(report) {
        runner.error(&title, &text);
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
