//! Triggers a pipeline on GitHub, GitLab or Bitbucket: a remote pipeline as a function call.
//!
//! This file only turns environment and arguments into an exit code. The steps are in [`app`].

mod app;
mod command_line;
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
use std::io::{IsTerminal as _, Write};
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use app::Verdict;
use command_line::{JSON_FLAG, Options, Parsed};
use engine::shutdown::Shutdown;
use host::{Console, Host};

fn main() -> ExitCode {
    panic::set_hook(Box::new(|panicked: &PanicHookInfo<'_>| {
        let place = panicked
            .location()
            .map_or("an unknown place".to_owned(), ToString::to_string);
        let console = console(&environment());
        console.panicked(&place);
        end_after_panic(exit_status(Verdict::Unclear, console.host()))
    }));
    match run() {
        Ok((verdict, console)) => exit_status(verdict, console.host()).into(),
        Err(error) => fail_to_start(&error, &console(&environment())).into(),
    }
}

/// Ends the process where a panic would otherwise unwind or abort, with an exit code that doesn't depend on that.
#[expect(clippy::exit, reason = "nothing but the exit code is left to be done")]
fn end_after_panic(status: u8) -> ! {
    std::process::exit(status.into())
}

/// The name under which the runner starts the program again if the job was cancelled: see `action.yml`. Only the name
/// distinguishes the two processes, because a first process that was killed early leaves no trace.
const SECOND_CHANCE: &str = "trigger-pipeline-post";

const CANT_START: &str = "trigger-pipeline can't start";

fn fail_to_start(error: &anyhow::Error, console: &Console) -> u8 {
    console.error(CANT_START, &format!("{CANT_START}: {error:#}"));
    exit_status(app::fail_without_sending(console), console.host())
}

fn exit_status(verdict: Verdict, host: &dyn Host) -> u8 {
    if host.has_exit_codes() {
        verdict.exit_code()
    } else {
        u8::from(verdict != Verdict::Passed)
    }
}

fn run() -> anyhow::Result<(Verdict, Console)> {
    let environment = environment();
    let mut arguments = std::env::args_os();
    let name = arguments.next().map(PathBuf::from).unwrap_or_default();
    let arguments: Vec<_> = arguments.map(|argument| text(&argument)).collect();
    let is_second_chance = name.file_name().is_some_and(|name| name == SECOND_CHANCE);
    let is_terminal = if arguments.iter().any(|argument| argument == JSON_FLAG) {
        std::io::stderr().is_terminal()
    } else {
        std::io::stdout().is_terminal()
    };
    let host = host::detect(&environment, is_terminal);
    let parsed = match arguments.first() {
        Some(first) if !host.takes_flags() => Parsed::Run {
            options: Options::default(),
            inputs: command_line::refused(first, host.how_to_set_inputs()).fail(),
        },
        Some(_) => command_line::parse(&arguments, &environment),
        // The container's start-up doesn't pay for the flags.
        None => Parsed::Run {
            options: Options::default(),
            inputs: Ok(BTreeMap::new()),
        },
    };
    let (options, flags) = match parsed {
        Parsed::Run { options, inputs } => (options, inputs),
        Parsed::Print(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            return Ok((Verdict::Passed, Console::new(host, std::io::stdout())));
        }
    };
    let console = if options.json {
        let results: Box<dyn Write> = Box::new(std::io::stdout());
        Console::new(host, std::io::stderr()).with_results(options.results_file, Some(results))
    } else {
        Console::new(host, std::io::stdout()).with_results(options.results_file, None)
    };
    let console = console.with_live_lines(options.json);
    // One thread is enough for I/O, and starting more would take longer than a dispatch.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to make the runtime")?;
    let verdict = runtime.block_on(async {
        let shutdown = Shutdown::on_signals().context("failed to listen to signals")?;
        anyhow::Ok(if is_second_chance {
            app::second_chance(&environment, &console, &shutdown).await
        } else {
            app::run(&environment, flags, &console, &shutdown).await
        })
    })?;
    Ok((verdict, console))
}

fn console(environment: &BTreeMap<String, String>) -> Console {
    Console::new(host::detect(environment, false), std::io::stdout())
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
    fn only_a_host_that_distinguishes_them_gets_exit_codes() {
        let verdicts = [Verdict::Passed, Verdict::Failed, Verdict::Unclear];
        for (variable, expected) in [("GITHUB_ACTIONS", [0, 1, 1]), ("CI", [0, 1, 4])] {
            let environment = BTreeMap::from([(variable.to_owned(), "true".to_owned())]);
            let host = host::detect(&environment, false);
            assert_eq!(
                verdicts.map(|verdict| exit_status(verdict, &*host)),
                expected
            );
        }
    }

    #[test]
    fn a_step_that_cannot_start_has_sent_nothing() {
        let console = console(&BTreeMap::new());
        assert_eq!(fail_to_start(&anyhow::anyhow!("no runtime"), &console), 3);
    }
}
