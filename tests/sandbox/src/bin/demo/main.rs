//! `cargo demo`: builds the real binary and runs it as the runner would, against a sandbox in this process. Runs it
//! once for each provider, once with several targets, once with a mistake, for a job that is run again, for a run that
//! another step follows, with commit statuses, and for a flaky job. Shows the output and the started runs.

mod binary;
mod scene;
mod show;
mod step;
mod verdict;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Instant;

use sandbox::world::Access;
use sandbox::{Sandbox, World, demo};

use scene::Scene;
use step::StepResult;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        None => {}
        Some("--help" | "-h") => {
            print(show::HELP);
            return ExitCode::SUCCESS;
        }
        Some(argument) => {
            print(&show::unknown_argument(argument));
            return ExitCode::FAILURE;
        }
    }
    match run() {
        Ok(differences) if differences.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            print(&format!("The demo couldn't run: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs all scenes, and returns the differences from the expected results.
fn run() -> io::Result<Vec<String>> {
    let binary = binary::build()?;
    let started = Instant::now();
    let sandbox = Sandbox::start(world())?;
    let folder = folder()?;

    print(&show::introduction(&sandbox.http_url()));
    let scenes = scene::all(&sandbox.http_url());
    let (mut differences, mut run_urls) = (Vec::new(), Vec::new());
    for (number, scene) in (1..).zip(scenes) {
        let scene = scene.with_followed(&run_urls);
        let result = run_scene(number, &scene, &binary, &folder, &sandbox)?;
        differences.extend(verdict::of_step(number, &scene, &result));
        run_urls.push(result.output("run-url").to_owned());
    }
    let runs = sandbox.runs();
    differences.extend(verdict::of_world(&runs, &sandbox.requests()));
    differences.extend(verdict::of_statuses(&sandbox.shown_statuses()));

    print(&show::runs(&runs));
    let summary = step::summary_file(&folder);
    print(&show::summary(&summary, &fs::read_to_string(&summary)?));
    print(&show::verdict(&differences, &runs, started.elapsed()));
    Ok(differences)
}

fn run_scene(
    number: usize,
    scene: &Scene,
    binary: &Path,
    folder: &Path,
    sandbox: &Sandbox,
) -> io::Result<StepResult> {
    print(&show::heading(number, scene));
    let server = sandbox.http_url();
    let result = step::run(number, scene, binary, folder, &server, |line| {
        if let Some(line) = show::log_line(line) {
            print(&line);
        }
    })?;
    print(&show::result(&result));
    if scene.sets_statuses() {
        print(&show::statuses(&sandbox.shown_statuses()));
    }
    Ok(result)
}

/// The workflow that runs the steps has `permissions: statuses: write`.
fn world() -> World {
    let token = demo::GITHUB_WORKFLOW_OF_CALLER;
    World::demo_with_scenarios().grant(token, "statuses", Access::Write)
}

/// Creates a folder that isn't deleted, so that you can read its files.
fn folder() -> io::Result<PathBuf> {
    let folder = env::temp_dir().join(format!("trigger-pipeline-demo-{}", process::id()));
    fs::create_dir(&folder)?;
    Ok(folder)
}

#[expect(clippy::print_stdout, reason = "the output of this program")]
fn print(text: &str) {
    println!("{text}");
}
