//! Runs a case: starts the sandbox and the step, applies the incidents, and records what can be observed afterwards.

mod calling_job;
mod incident;

use std::process::Child;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use sandbox::{Occasion, RecordedRequest, Run, Sandbox, World};
use serde_json::{Map, Value, json};

use crate::case::{Case, Incident, InputStyle, Outage, Target};
use crate::harness::{Done, Step};
pub(crate) use calling_job::{ObservedAttempt, ObservedJob, run_attempts};
use incident::{apply, run_again};

/// How often the runner checks whether the step has ended.
const TICK: Duration = Duration::from_millis(10);

/// Observations after the step has ended.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) done: Done,
    /// The output `results`.
    pub(crate) results: Vec<Value>,
    /// All runs, whoever started them.
    pub(crate) runs: Vec<Run>,
    pub(crate) requests: Vec<RecordedRequest>,
    /// How long the step went on after each signal.
    pub(crate) after_signals: Vec<Duration>,
    pub(crate) took: Duration,
    pub(crate) ended_at: SystemTime,
    /// Each with the time at which it began.
    pub(crate) outages: Vec<(SystemTime, Outage)>,
}

/// What happened while the step ran.
#[derive(Default)]
struct History {
    signals: Vec<Instant>,
    outages: Vec<(SystemTime, Outage)>,
    /// Targets whose runs are re-run as soon as they are over.
    reruns: Vec<usize>,
}

pub(crate) fn run(case: &Case) -> Observed {
    let sandbox = start_sandbox(case, case.setting.world());
    let inputs = |target: &Target| target.inputs(&sandbox);
    let step = step(case, &sandbox, inputs);
    let mut history = History::default();
    let began = Instant::now();
    let child = start_and_watch(case, &case.incidents, &sandbox, &step, &mut history);
    let (ended, ended_at) = (Instant::now(), SystemTime::now());
    let (runs, requests) = (sandbox.runs(), sandbox.requests());
    let done = step.finish(child);
    Observed {
        results: results(&done),
        runs,
        requests,
        after_signals: history.signals.iter().map(|at| ended - *at).collect(),
        took: ended - began,
        ended_at,
        outages: history.outages,
        done,
    }
}

/// With the faults of single requests.
fn start_sandbox(case: &Case, world: World) -> Sandbox {
    let sandbox = Sandbox::start(world).expect("loopback has free ports");
    for (kind, nth, fault) in &case.request_faults {
        let fault = fault.fault(kind.provider);
        sandbox.fault(kind.route(), Occasion::Nth(*nth), fault);
    }
    sandbox
}

/// The output `results`; empty if it was never written.
fn results(done: &Done) -> Vec<Value> {
    let results = done.outputs.get("results");
    results
        .and_then(|results| serde_json::from_str(results).ok())
        .unwrap_or_default()
}

/// Returns when the step has ended.
fn start_and_watch(
    case: &Case,
    incidents: &[(Duration, Incident)],
    sandbox: &Sandbox,
    step: &Step,
    history: &mut History,
) -> Child {
    let (before, later) = incidents
        .iter()
        .copied()
        .partition::<Vec<_>, _>(|(at, incident)| at.is_zero() && !incident.is_signal());
    for (_, incident) in before {
        history.note(incident);
        apply(case, incident, sandbox, None);
    }
    let mut child = step.start();
    while step.log().is_empty() && !has_ended(&mut child) {
        thread::sleep(TICK);
    }
    watch(case, sandbox, &mut child, &later, history);
    child
}

/// Applies the incidents until the step has ended. Kills a step that takes too long.
fn watch(
    case: &Case,
    sandbox: &Sandbox,
    child: &mut Child,
    incidents: &[(Duration, Incident)],
    history: &mut History,
) {
    let began = Instant::now();
    let mut incidents = incidents.iter().peekable();
    // Checked before each signal, so that none reaches another process that has been given the same id.
    while !has_ended(child) {
        if let Some((_, incident)) = incidents.next_if(|(at, _)| began.elapsed() >= *at) {
            history.note(*incident);
            apply(case, *incident, sandbox, Some(child));
        } else if began.elapsed() > 2 * case.max_duration() {
            child.kill().expect("it is ours");
        } else {
            let reruns = &mut history.reruns;
            reruns.retain(|target| !run_again(case, *target, sandbox));
            thread::sleep(TICK);
        }
    }
}

impl History {
    fn note(&mut self, incident: Incident) {
        match incident {
            Incident::Signal(_) => self.signals.push(Instant::now()),
            Incident::Outage(outage) => self.outages.push((SystemTime::now(), outage)),
            Incident::Rerun(target) => self.reruns.push(target),
            Incident::Closes
            | Incident::Opens
            | Incident::Stranger(..)
            | Incident::Event(..)
            | Incident::Freeze(_) => {}
        }
    }
}

fn has_ended(child: &mut Child) -> bool {
    child.try_wait().expect("it is ours").is_some()
}

fn step(case: &Case, sandbox: &Sandbox, inputs_of: impl Fn(&Target) -> Map<String, Value>) -> Step {
    let step = Step::on(&sandbox.http_url());
    // One certificate is read faster than a system's many.
    let file = step.file("ca.pem", sandbox.ca_pem());
    let mut step = step
        .environment("SSL_CERT_FILE", &file)
        .input("dry-run", &case.dry_run.to_string());
    for target in &case.targets {
        step = target.secrets().into_iter().fold(step, Step::secret);
    }
    match case.input_style {
        InputStyle::Single => inputs(step, inputs_of(&case.targets[0])),
        InputStyle::List => {
            let entries: Vec<_> = case.targets.iter().map(inputs_of).collect();
            step.input("targets", &json!(entries).to_string())
                .input("max-parallel", &case.max_parallel.to_string())
                .input("fail-fast", &case.fail_fast.to_string())
        }
    }
}

fn inputs(step: Step, inputs: Map<String, Value>) -> Step {
    inputs.into_iter().fold(step, |step, (name, value)| {
        let text = value.as_str().map(str::to_owned);
        step.input(&name, &text.unwrap_or_else(|| value.to_string()))
    })
}

impl Observed {
    /// Everything that helps to understand a failure.
    pub(crate) fn describe(&self) -> String {
        let (requests, runs) = (describe_requests(&self.requests), describe_runs(&self.runs));
        format!("{}\n--- requests\n{requests}--- runs\n{runs}", self.done)
    }
}

/// One line per request.
fn describe_requests(requests: &[RecordedRequest]) -> String {
    let began = requests.first().map(|request| request.arrived_at);
    let describe = |request: &RecordedRequest| {
        let at = request.arrived_at.duration_since(began?).ok()?;
        let (method, path) = (&request.method, &request.path);
        Some(format!("{at:.2?} {method} {path} {:?}\n", request.response))
    };
    requests.iter().filter_map(describe).collect()
}

/// One line per run.
fn describe_runs(runs: &[Run]) -> String {
    let describe = |run: &Run| {
        let whose = if run.by_stranger { "strange" } else { "ours" };
        let (id, pipeline, state) = (run.id, &run.pipeline, run.state);
        format!(
            "{} {pipeline} {id} {whose} {state:?} {:?}\n",
            run.provider, run.conclusion
        )
    };
    runs.iter().map(describe).collect()
}
