//! `cargo demo`: builds the real binary and runs it as the runner would, against a sandbox in this process. Runs it once
//! for each provider, once with several targets, and once with a mistake. Shows the output and the started runs.

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

use sandbox::{Sandbox, World};

use scene::Scene;

fn main() -> ExitCode {
    match run() {
        Ok(differences) if differences.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("The demo couldn't run: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs all scenes, and returns the differences from the expected results.
fn run() -> io::Result<Vec<String>> {
    let binary = binary::build()?;
    let began = Instant::now();
    let sandbox = Sandbox::start(World::demo_with_scenarios())?;
    let folder = folder()?;

    say(&show::introduction(&sandbox.http_url()));
    let scenes = scene::all(&sandbox.http_url());
    let mut differences = Vec::new();
    for (index, scene) in scenes.iter().enumerate() {
        differences.extend(play(index + 1, scene, &binary, &folder, &sandbox)?);
    }
    let runs = sandbox.runs();
    differences.extend(verdict::of_world(&runs, &sandbox.trigger_requests()));

    say(&show::runs(&runs));
    let summary = step::summary_file(&folder);
    say(&show::summary(&summary, &fs::read_to_string(&summary)?));
    say(&show::verdict(&differences, began.elapsed()));
    Ok(differences)
}

fn play(
    number: usize,
    scene: &Scene,
    binary: &Path,
    folder: &Path,
    sandbox: &Sandbox,
) -> io::Result<Vec<String>> {
    say(&show::opening(number, scene));
    let server = sandbox.http_url();
    let done = step::run(number, scene, binary, folder, &server, |line| {
        say(&show::logged(line));
    })?;
    say(&show::done(&done));
    Ok(verdict::of_step(number, scene, &done))
}

/// Creates a folder that isn't deleted, so that you can read its files.
fn folder() -> io::Result<PathBuf> {
    let folder = env::temp_dir().join(format!("trigger-pipeline-demo-{}", process::id()));
    fs::create_dir(&folder)?;
    Ok(folder)
}

#[expect(clippy::print_stdout, reason = "the output of this program")]
fn say(text: &str) {
    println!("{text}");
}
