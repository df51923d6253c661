//! Shared by tests that wait for runs: steps that wait, for each provider, and the worlds they run in.

use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::world::Scenario;
use sandbox::{Provider, Route, Run, Sandbox, World};

use crate::harness::Step;

pub(crate) const PROVIDERS: [Provider; 3] =
    [Provider::GitHub, Provider::GitLab, Provider::Bitbucket];

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A step that starts exactly one run if nothing goes wrong.
pub(crate) fn trigger(provider: Provider, sandbox: &Sandbox) -> Step {
    match provider {
        Provider::GitHub => Step::github(sandbox)
            .input("workflow", "build.yml")
            .input("ref", "main"),
        Provider::GitLab => Step::gitlab(sandbox).input("ref", "main"),
        Provider::Bitbucket => Step::bitbucket(sandbox).input("ref", "main"),
    }
}

/// Like [`trigger`], but waits for the run.
pub(crate) fn call(provider: Provider, sandbox: &Sandbox) -> Step {
    trigger(provider, sandbox).input("wait", "true")
}

/// A step that sends a `repository_dispatch` and waits for the runs it starts.
pub(crate) fn dispatch(sandbox: &Sandbox, event_type: &str) -> Step {
    Step::github(sandbox)
        .input("event-type", event_type)
        .input("wait", "true")
}

/// The demo world, in which each run of that provider follows this scenario.
pub(crate) fn with_scenario(provider: Provider, scenario: Scenario) -> Sandbox {
    start(World::demo().scenario(provider, scenario))
}

pub(crate) fn start(world: World) -> Sandbox {
    Sandbox::start(world).expect("loopback has free ports")
}

/// Matches status requests for the run of a [`call`], but no searches for it.
pub(crate) fn status_requests(provider: Provider) -> Route {
    Route::any().method("GET").path(match provider {
        Provider::GitHub => "/actions/runs/",
        Provider::GitLab => "/pipelines/7",
        Provider::Bitbucket => "/pipelines/%7B",
    })
}

/// The runs that a trigger started, without those of strangers.
pub(crate) fn own_runs(sandbox: &Sandbox) -> Vec<Run> {
    let mut runs = sandbox.runs();
    runs.retain(|run| !run.by_stranger);
    runs
}

/// Waits until the condition holds.
pub(crate) fn until(sandbox: &Sandbox, what: &str, holds: impl Fn(&Sandbox) -> bool) {
    let deadline = Instant::now() + 20 * SECOND;
    while !holds(sandbox) {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status()
        .expect("kill is there");
    assert!(sent.success());
}

/// Runs cases in parallel, because they mostly wait.
pub(crate) fn in_parallel<T: Send>(cases: Vec<T>, test: impl Fn(T) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || test(case));
        }
    });
}
