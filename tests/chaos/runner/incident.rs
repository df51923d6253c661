//! Applies an incident.

use std::process::{Child, Command};
use std::time::Duration;

use sandbox::world::State;
use sandbox::{Occasion, Provider, Run, Sandbox};

use crate::calls::signal;
use crate::case::{Case, Incident};

pub(super) fn apply(case: &Case, incident: Incident, sandbox: &Sandbox, child: Option<&Child>) {
    match incident {
        Incident::Signal(name) => signal(child.expect("it has started"), name),
        Incident::Closes => sandbox.close(),
        Incident::Opens => sandbox.open(),
        Incident::Stranger(name, target) => {
            let run = case.targets[target].like();
            sandbox.with_world(|world| world.start_as(name, run));
        }
        Incident::Event(name, target, event) => {
            let mut run = case.targets[target].like();
            event.clone_into(&mut run.event);
            if run.provider == Provider::Bitbucket {
                // A custom pipeline isn't started by a push or a schedule.
                "default".clone_into(&mut run.pipeline);
            }
            sandbox.with_world(|world| world.start_as(name, run));
        }
        // Applied once there is something to re-run (see `run_again`).
        Incident::Rerun(_) => {}
        Incident::Outage(outage) => {
            let occasion = Occasion::For(outage.lasts);
            sandbox.fault(
                outage.route(),
                occasion,
                outage.fault.fault(outage.provider),
            );
        }
        Incident::Freeze(time) => {
            if let Some(child) = child {
                freeze(child, time);
            }
        }
    }
}

/// Re-runs the target's completed GitHub runs. Returns whether there were any.
pub(super) fn run_again(case: &Case, target: usize, sandbox: &Sandbox) -> bool {
    let is_it = |run: &&Run| {
        let is_over = run.state == State::Completed && run.provider == Provider::GitHub;
        is_over && case.owner(run) == Some(target)
    };
    sandbox.with_world(|world| {
        let ids: Vec<_> = world.runs.iter().filter(is_it).map(|run| run.id).collect();
        for id in &ids {
            world.run_again(*id);
        }
        !ids.is_empty()
    })
}

/// A separate process resumes it, so that it doesn't stay frozen if the test is killed.
fn freeze(child: &Child, time: Duration) {
    signal(child, "STOP");
    let seconds = time.as_secs_f32();
    let thaw = format!("sleep {seconds}; kill -s CONT {}", child.id());
    let thawing = Command::new("sh").args(["-c", &thaw]).spawn();
    let mut thawing = thawing.expect("sh is there");
    std::thread::spawn(move || thawing.wait());
}
