//! Triggers a pipeline on GitHub, GitLab or Bitbucket: a remote pipeline as a function call.
//!
//! This file only turns environment and arguments into an exit code. The steps are in [`app`].

mod app;
mod engine;
mod host;
mod input;
mod model;
mod providers;
mod report;
#[cfg(test)]
mod testing;
mod text;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use app::Verdict;
use engine::shutdown::Shutdown;
use host::Console;

fn main() -> ExitCode {
    panic::set_hook(Box::new(|panicked: &PanicHookInfo<'_>| {
        let place = panicked
            .location()
            .map_or("an unknown place".to_owned(), ToString::to_string);
        console(&environment()).panicked(&place);
    }));
    guarded(run)
}

/// The name under which the runner starts the program again if the job was cancelled: see `action.yml`. Only the name
/// distinguishes the two processes, because a first process that was killed early leaves no trace.
const SECOND_CHANCE: &str = "trigger-pipeline-post";

const CANT_START: &str = "trigger-pipeline can't start";

/// Returns the step's exit code, even if it panics or can't start.
fn guarded(step: fn() -> anyhow::Result<Verdict>) -> ExitCode {
    match panic::catch_unwind(step) {
        Ok(Ok(Verdict::Passed)) => ExitCode::SUCCESS,
        Ok(Ok(Verdict::Failed)) | Err(_) => ExitCode::FAILURE,
        Ok(Err(error)) => {
            let console = console(&environment());
            console.error(CANT_START, &format!("{CANT_START}: {error:#}"));
            app::fail_without_sending(&console);
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<Verdict> {
    let environment = environment();
    let mut arguments = std::env::args_os();
    let name = arguments.next().map(PathBuf::from).unwrap_or_default();
    let arguments: Vec<_> = arguments.map(|argument| text(&argument)).collect();
    let console = console(&environment);
    // One thread is enough for I/O, and starting more would take longer than a dispatch.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to make the runtime")?;
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().context("failed to listen to signals")?;
        Ok(
            if name.file_name().is_some_and(|name| name == SECOND_CHANCE) {
                app::second_chance(&environment, &console, &shutdown).await
            } else {
                app::run(&environment, &arguments, &console, &shutdown).await
            },
        )
    })
}

fn console(environment: &BTreeMap<String, String>) -> Console {
    Console::new(host::detect(environment), std::io::stdout())
}

/// Returns the environment as strings. Invalid UTF-8 is replaced: no valid input contains it.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| (text(&name), text(&value)))
        .collect()
}

fn text(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_like_any_other() {
        assert_eq!(guarded(|| panic!("a bug")), ExitCode::FAILURE);
        assert_eq!(
            guarded(|| Err(anyhow::anyhow!("no runtime"))),
            ExitCode::FAILURE
        );
        assert_eq!(guarded(|| Ok(Verdict::Failed)), ExitCode::FAILURE);
        assert_eq!(guarded(|| Ok(Verdict::Passed)), ExitCode::SUCCESS);
    }
}
