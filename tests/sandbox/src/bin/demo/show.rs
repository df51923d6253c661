//! The demo's output as strings. Prints nothing itself.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use sandbox::world::{CommitStatus, Conclusion, StatusState};
use sandbox::{Run, action};

use crate::scene::Scene;
use crate::step::StepResult;

pub(crate) const HELP: &str = "\
Shows what the action does, without an account at any provider.

Usage: cargo demo

Builds the real binary and runs it eleven times, as the runner of GitHub Actions would: once for each
provider, once for all of them together, once with a mistake, twice for a job that is run again and
deploys once, twice to start a run and wait for it elsewhere, once with a commit status for each
target, and once for a flaky job. A sandbox on this machine stands in for GitHub, GitLab and Bitbucket.
You see the inputs, the log and the outputs of each step, the runs that were started, and the job
summary. After building, it takes about a minute.

The exit code is 0 if everything worked as expected, and 1 otherwise.

Options:
  -h, --help  Print this text";

pub(crate) fn unknown_argument(argument: &str) -> String {
    format!(
        "`{argument}` isn't an argument of the demo, which takes none. Run `cargo demo --help` for more."
    )
}

pub(crate) fn introduction(server: &str) -> String {
    format!(
        "\nEleven steps of a workflow, run with the real binary. A sandbox at {server}\n\
         stands in for GitHub, GitLab and Bitbucket; its tokens are fake. The logs look as in\n\
         GitHub Actions: ▼ begins a group, and Error or Warning an annotation."
    )
}

/// Returns the heading and the inputs, as in a workflow file.
pub(crate) fn heading(number: usize, scene: &Scene) -> String {
    let heading = format!("{number}. {}", scene.heading);
    let mut text = format!("\n\n{heading}\n{}\n\n  with:\n", "=".repeat(heading.len()));
    for input in &scene.inputs {
        if input.shown.contains('\n') {
            let _ = write!(
                text,
                "    {}: |\n{}",
                input.name,
                indented(&input.shown, "      ")
            );
        } else {
            let _ = writeln!(text, "    {}: {}", input.name, input.shown);
        }
    }
    text.trim_end().to_owned() + "\n\n  log:"
}

/// A line of the log as the runner shows it, indented; `None` if the runner doesn't show it.
pub(crate) fn log_line(line: &str) -> Option<String> {
    let shown = action::shown(line)?;
    Some(indented(&shown, "    ").trim_end().to_owned())
}

/// Returns the outputs and the exit code.
pub(crate) fn result(result: &StepResult) -> String {
    let rows: Vec<_> = result
        .outputs
        .iter()
        .map(|(name, value)| [name.as_str(), value.as_str()])
        .collect();
    format!(
        "\n  outputs:\n{}\n  exit code: {}",
        indented(&table(&rows), "    "),
        result.exit_code()
    )
}

/// Returns a table of commit statuses, as a pull request would list them.
pub(crate) fn statuses(shown: &[CommitStatus]) -> String {
    let rows: Vec<_> = shown
        .iter()
        .map(|status| {
            let description = status.description.as_deref().unwrap_or_default();
            let url = status.target_url.as_deref().unwrap_or_default();
            [sign(status.state), &status.context, description, url]
        })
        .collect();
    format!(
        "\n  the pull request's checks:\n{}",
        indented(&table(&rows), "    ").trim_end()
    )
}

fn sign(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "●",
        StatusState::Success => "✓",
        StatusState::Failure | StatusState::Error => "✗",
    }
}

/// Returns a table of all runs.
pub(crate) fn runs(runs: &[Run]) -> String {
    let cells: Vec<_> = runs.iter().map(cells).collect();
    let mut rows = vec![["PROVIDER", "REPOSITORY", "PIPELINE", "REF", "ARGUMENTS"]];
    rows.extend(
        cells
            .iter()
            .map(|cells| cells.each_ref().map(String::as_str)),
    );
    format!(
        "\n\nRuns started in the sandbox\n===========================\n\n{}",
        indented(&table(&rows), "  ")
    )
}

fn cells(run: &Run) -> [String; 5] {
    let inputs = run.inputs.iter().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    let variables = run.variables.iter().map(|variable| {
        if variable.secured {
            format!("{}=*** (secured)", variable.key)
        } else {
            format!("{}={}", variable.key, variable.value)
        }
    });
    [
        run.provider.to_string(),
        run.repository.clone(),
        run.pipeline.clone(),
        run.reference_name().unwrap_or(&run.commit).to_owned(),
        inputs.chain(variables).collect::<Vec<_>>().join(", "),
    ]
}

/// Returns the job summary as raw Markdown.
pub(crate) fn summary(path: &Path, text: &str) -> String {
    format!(
        "\nJob summary ({})\n\n{}",
        path.display(),
        indented(text, "  ")
    )
}

pub(crate) fn verdict(differences: &[String], runs: &[Run], elapsed: Duration) -> String {
    if differences.is_empty() {
        let seconds = elapsed.as_secs_f64();
        let failed = runs
            .iter()
            .filter(|run| run.conclusion == Some(Conclusion::Failure));
        return format!(
            "Everything worked as expected ({seconds:.1} s): {} runs, {} of which failed as intended, and one\n\
             error that says how to fix it.",
            runs.len(),
            failed.count()
        );
    }
    let list = indented(&differences.join("\n"), "  - ");
    format!("Not as expected:\n{}", list.trim_end())
}

/// Columns as wide as their widest cell.
fn table<const COLUMNS: usize>(rows: &[[&str; COLUMNS]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let line = |row: &[&str; COLUMNS]| {
        let cells = row.iter().zip(widths);
        let padded: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn indented(text: &str, indent: &str) -> String {
    text.lines()
        .map(|line| format!("{indent}{line}").trim_end().to_owned() + "\n")
        .collect()
}
