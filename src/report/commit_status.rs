//! The names and descriptions of commit statuses. They consist of the step's own words and numbers: a status may be more public than the
//! target, so it doesn't have the names of jobs or anything that a provider says.

use std::collections::HashSet;

use super::log::time_taken;
use super::problem::errors_of;
use super::verdict::{Word, counts, run_word, word};
use super::{Hide, duration};
use crate::model::{Conclusion, End, Failure, Job, JobKind, RunReport, State, StatusState, Times};
use crate::providers::target::{Request, StatusOptions};
use crate::providers::target_report::TargetReport;
use crate::text::untrusted::one_line;

/// The default name of a step's statuses.
const DEFAULT_NAME: &str = env!("CARGO_PKG_NAME");
/// Longest context that GitHub accepts, in characters.
const MAX_CONTEXT: usize = 255;
/// Space for a number that makes a context unique.
const NUMBER_LENGTH: usize = 8;
/// Maximum number of targets that a warning names.
const MAX_NAMED: usize = 10;

/// The description of a target that isn't triggered yet.
pub(crate) const STARTING: &str = "starting";
/// The description of a target whose step ended before its last status was set.
pub(crate) const INTERRUPTED: &str = Word::Stopped.predicate();

const UNSET_HINT: &str =
    "the status may be out of date. If a pull request requires it, run the job again";

/// Returns the contexts of the targets' statuses, by target index. No two are the same, even if case is ignored.
pub(crate) fn contexts(request: &Request, options: &StatusOptions, hide: Hide<'_>) -> Vec<String> {
    let mut taken = HashSet::new();
    let targets = request.targets.iter().enumerate();
    let contexts = targets.map(|(index, target)| {
        let context = match &options.name {
            Some(name) if !options.has_list => name.clone(),
            Some(name) => format!("{name} / {target}"),
            None => format!("{DEFAULT_NAME} / {target}"),
        };
        let mut context = one_line(&hide(&context));
        let start: String = context.chars().take(MAX_CONTEXT - NUMBER_LENGTH).collect();
        let mut number = index + 1;
        while context.chars().count() > MAX_CONTEXT || !taken.insert(context.to_lowercase()) {
            context = format!("{start} [{number}]");
            number += request.targets.len();
        }
        context
    });
    contexts.collect()
}

/// Describes a triggered target whose runs are going on. `state` is that of the runs, if it was read.
pub(crate) fn pending_description(state: Option<State>, done: usize, all: usize) -> String {
    let state = match state {
        None => "triggered",
        Some(State::Queued) => "queued",
        Some(State::Blocked) => "waiting for a person",
        Some(State::Running | State::Completed(_)) => "running",
    };
    match all {
        0 => state.to_owned(),
        all => format!("{state}; {done} of {all} jobs done"),
    }
}

/// Returns the last status of a target: its state, its description and its page, if there is one.
pub(crate) fn last_status(report: &TargetReport<'_>) -> (StatusState, String, Option<String>) {
    let runs = report.monitored.runs.as_slice();
    let word = word(report);
    let mut state = state(word);
    let is_stopped = |run: &RunReport| matches!(run.end, Some(End::Stopped));
    if state == StatusState::Failure && runs.iter().any(is_stopped) {
        state = StatusState::Error;
    }
    let description = match runs {
        _ if word == Word::Failed && has_only_good_runs(report) => {
            state = StatusState::Error;
            "passed, but the step failed: see the log of its job".to_owned()
        }
        [] => word.predicate().to_owned(),
        [run] => describe_run(report, run, word),
        several => {
            let words = several.iter().map(|run| run_word(report, run));
            format!("{} runs: {}", several.len(), counts(words))
        }
    };
    (state, description, page(report))
}

fn state(word: Word) -> StatusState {
    match word {
        Word::Passed | Word::Triggered | Word::Checked => StatusState::Success,
        Word::Failed | Word::Skipped | Word::Cancelled | Word::Blocked => StatusState::Failure,
        Word::NotTriggered
        | Word::NotFollowed
        | Word::Stopped
        | Word::TimedOut
        | Word::Lost
        | Word::Rejected
        | Word::Unknown => StatusState::Error,
    }
}

/// Whether a target fails although all its runs passed, for example because it has no result.
fn has_only_good_runs(report: &TargetReport<'_>) -> bool {
    let mut counted = report.monitored.counted().peekable();
    counted.peek().is_some() && counted.all(|run| report.run_passes(run))
}

fn describe_run(report: &TargetReport<'_>, run: &RunReport, word: Word) -> String {
    let snapshot = run.snapshot.as_ref();
    let times = snapshot.map_or(Times::default(), |snapshot| snapshot.times);
    let timeout = report
        .target
        .wait
        .as_ref()
        .map(|wait| duration(wait.timeout));
    let after = match word {
        Word::TimedOut => timeout,
        Word::Passed | Word::Failed | Word::Cancelled => time_taken(&times),
        Word::Triggered
        | Word::Checked
        | Word::NotTriggered
        | Word::NotFollowed
        | Word::Skipped
        | Word::Stopped
        | Word::Blocked
        | Word::Lost
        | Word::Rejected
        | Word::Unknown => None,
    };
    let after = after.map_or(String::new(), |time| format!(" after {time}"));
    let jobs = snapshot.and_then(|snapshot| snapshot.jobs.as_deref());
    let jobs = jobs.unwrap_or_default();
    let has_failed = |job: &&Job| {
        job.kind != JobKind::Optional && job.state.conclusion() == Some(Conclusion::Failure)
    };
    let jobs = match jobs.iter().filter(has_failed).count() {
        0 => String::new(),
        failed => format!("; {failed} of {} jobs failed", jobs.len()),
    };
    format!("{}{after}{jobs}", word.predicate())
}

/// Returns the page to see first: of a run that didn't pass, of a run, or of the runs among which it may be.
fn page(report: &TargetReport<'_>) -> Option<String> {
    let runs = &report.monitored.runs;
    let bad = runs.iter().find(|run| !report.run_passes(run));
    let run = bad.or(runs.first()).map(|run| run.run.url.clone());
    run.or_else(|| {
        let errors = errors_of(report);
        let mut pages = errors.iter().flat_map(|error| &error.pages);
        pages.next().map(|page| page.url.clone())
    })
}

/// Returns the log line for a status that a dry run doesn't set.
pub(crate) fn would_set_status(target: &str, context: &str, commit: &str) -> String {
    format!("{target}: would set the commit status \"{context}\" of {commit}")
}

/// Returns title and text of a warning that no statuses can be set.
pub(crate) fn statuses_refused(failure: &Failure) -> (String, String) {
    let hint = failure.remedy.as_ref();
    let hint = hint.map_or(String::new(), |hint| format!("\nhint: {hint}"));
    (
        "No commit statuses".to_owned(),
        format!(
            "input `status`: the commit statuses can't be set: {}{hint}",
            failure.what
        ),
    )
}

/// Returns title and text of a warning that the last statuses of these targets can't be set.
pub(crate) fn statuses_unset(targets: &[&str], failure: Option<&Failure>) -> (String, String) {
    let named: Vec<_> = targets.iter().take(MAX_NAMED).copied().collect();
    let more = match targets.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let why = failure.map_or("there was no answer in time", |failure| &failure.what);
    let hint = failure.and_then(|failure| failure.remedy.as_deref());
    let hint = hint.unwrap_or(UNSET_HINT);
    let named = named.join(", ");
    (
        "Commit statuses not set".to_owned(),
        format!("{named}{more}: the commit status can't be set: {why}\nhint: {hint}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::providers::calling_repository::CallerAccess;
    use crate::providers::location::{Location, Server, fixed};
    use crate::providers::target::{Mode, OnFailure};
    use crate::testing::arbitrary;
    use proptest::prelude::*;
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    fn request(names: &[String], name: Option<&str>, has_list: bool) -> Request {
        let server = fixed("https://github.example");
        let targets = names.iter().map(|name| {
            let mut target =
                arbitrary::target(&[("repository", "a/b"), ("token", "x"), ("event-type", "c")]);
            target.name.clone_from(name);
            target
        });
        Request {
            targets: targets.collect(),
            mode: Mode::Send,
            max_parallel: NonZeroUsize::MIN,
            on_failure: OnFailure::GoOn,
            statuses: Some(StatusOptions {
                repository: CallerAccess {
                    location: Location {
                        server: Server {
                            web: server.clone(),
                            api: server,
                        },
                        repository: "octo-org/caller".to_owned(),
                        certificates: None,
                    },
                    token: Secret::new("x"),
                },
                commit: "0123abc".to_owned(),
                name: name.map(str::to_owned),
                has_list,
            }),
            calling_run: None,
            proxies: Arc::default(),
        }
    }

    fn contexts_of(names: &[String], name: Option<&str>, has_list: bool) -> Vec<String> {
        let request = request(names, name, has_list);
        let options = request.statuses.as_ref().unwrap();
        contexts(&request, options, &|text| text.replace("hunter2", "***"))
    }

    #[test]
    fn contexts_consist_of_the_name_and_the_target() {
        let app = ["octo-org/app".to_owned()];
        let of = |name, has_list| contexts_of(&app, name, has_list);
        assert_eq!(of(None, false), ["trigger-pipeline / octo-org/app"]);
        assert_eq!(of(None, true), ["trigger-pipeline / octo-org/app"]);
        assert_eq!(of(Some("deploy"), false), ["deploy"]);
        // A list may have more entries the next time.
        assert_eq!(of(Some("deploy"), true), ["deploy / octo-org/app"]);
        let names = ["a/b", "A/b", "a/b [2]", "hunter2", "***"].map(str::to_owned);
        assert_eq!(
            contexts_of(&names, Some("x"), true),
            [
                "x / a/b",
                "x / A/b [2]",
                "x / a/b [2] [3]",
                "x / ***",
                "x / *** [5]"
            ]
        );
    }

    proptest! {
        #[test]
        fn contexts_are_unique_short_and_on_one_line(names in prop::collection::vec(prop_oneof![
            arbitrary::text(), arbitrary::matching("[aA]( \\[[1-3]\\])?"), arbitrary::matching("a{250,260}"),
        ], 1..6)) {
            let contexts = contexts_of(&names, None, true);
            let unique: HashSet<_> = contexts.iter().map(|context| context.to_lowercase()).collect();
            prop_assert_eq!(unique.len(), names.len());
            for context in contexts {
                prop_assert!(context.chars().count() <= MAX_CONTEXT);
                prop_assert!(!context.contains(['\n', '\r']));
            }
        }
    }
}
