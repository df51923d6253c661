//! Writes the sentences for everything that can go wrong with a target, and for runs that may still be running.

use std::fmt;

use super::help::{self, Help, heading_of};
use super::run_end::{FailedJobs, RunEnd, of_workflow, run_name};
use crate::model::{
    BlockedOn, Cancel, CancelEnd, Conclusion, End, Interruption, LastSeen, LeftRunning, NoResult,
    NotFound, NotRecalled, NotRetried, NotSent, Outcome, Problem, RunReport, UnknownSearch,
};
use crate::providers::target::Target;
use crate::providers::target_report::TargetReport;

/// Maximum number of runs named in one sentence.
const MAX_NAMED: usize = 10;

const LOST_HINT: &str = "check whether the run still exists, and whether the token is still valid";
const UNKNOWN_HINT: &str = "check whether it is running before you start it again. The trigger isn't repeated automatically, because that could start the pipeline twice";
const DISPLACED_HINT: &str =
    "trigger it again if the other run doesn't include what this one was started for";
const BLOCKED_HINT: &str = "next time, approve or start it on the run's page before `timeout` passes, or set `on-blocked: fail` to fail as soon as the run waits for a person";
const ON_BLOCKED_HINT: &str =
    "start the pipeline again when somebody can approve it, or remove `on-blocked: fail` to wait";
const QUEUED_HINT: &str = "check what the run is waiting for on its page";
const NOT_RECALLED_HINT: &str = "check whether it is running. To start it in any case, run the whole workflow anew instead of re-running it, or set `on-rerun: repeat`";
const UNMARKED_HINT: &str =
    "let the called pipeline show the marker in its title, and check whether one of these is it";
const CALL_KEY_HINT: &str =
    "set a different `call-key` for each step that starts the same pipeline in one workflow run";
const SEVERAL_RESULTS_HINT: &str = "let only one workflow upload an artifact with that name";

// Headings of errors that another one begins or ends.
const LOST_HEADING: &str = "can't be read any more: …";
const UNKNOWN_HEADING: &str = "The pipeline may or may not have been started";

/// An error of a target.
pub(super) struct Explained {
    /// A summary in two or three words.
    pub(super) title: &'static str,
    /// The run that it is about.
    pub(super) run: Option<Link>,
    pub(super) text: Text,
    /// Pages to look at.
    pub(super) pages: Vec<Link>,
    /// The heading that explains it on the troubleshooting page. If `None`, it's looked up.
    heading: Option<&'static str>,
    /// Whether it only follows from another target's error.
    pub(super) is_consequence: bool,
}

/// The part of an error that several targets may share.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Text {
    pub(super) end: RunEnd,
    /// How to fix it.
    pub(super) hint: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) label: String,
    pub(super) url: String,
}

impl Explained {
    /// Returns the error in one line, without the target and the hint.
    pub(super) fn sentence(&self) -> String {
        match &self.run {
            Some(run) => format!("{} {}", run.label, self.text.end),
            None => self.text.end.to_string(),
        }
    }

    /// Returns the hint, the pages and the link to what explains the error, a line each.
    pub(super) fn details(&self, help: &Help) -> Vec<String> {
        let hint = self.text.hint.as_ref().map(|hint| format!("hint: {hint}"));
        let links = self.run.iter().chain(&self.pages);
        hint.into_iter()
            .chain(links.map(|link| link.url.clone()))
            .chain(self.help(help).map(|link| help::line(&link)))
            .collect()
    }

    /// Returns the web address of what explains the error.
    pub(super) fn help(&self, help: &Help) -> Option<String> {
        let end = &self.text.end;
        let heading = self.heading.or_else(|| heading_of(&end.what));
        help.address(heading.or_else(|| heading_of(&end.status))?)
    }
}

/// Returns everything that went wrong with a target: first its problems, then its failed runs.
pub(super) fn errors_of(report: &TargetReport<'_>) -> Vec<Explained> {
    let problems = report.problems();
    let problems = problems.map(|problem| explain(report.target, problem));
    let failed = report.monitored.counted();
    let failed = failed.filter(|run| !report.run_passes(run));
    let failed = failed.map(|run| explain_run(report, run));
    problems.chain(failed).collect()
}

/// Returns everything that went wrong with a target in one line. `None` if it passes.
pub(super) fn error(report: &TargetReport<'_>) -> Option<String> {
    let errors = errors_of(report);
    let sentences: Vec<_> = errors.iter().map(Explained::sentence).collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

fn explain_run(report: &TargetReport<'_>, run: &RunReport) -> Explained {
    let label = if report.monitored.runs.len() > 1 {
        run_name(&run.run)
    } else {
        run.run.to_string()
    };
    let displaced_by = run.displaced_by.iter().map(|other| Link {
        label: other.to_string(),
        url: other.url.clone(),
    });
    Explained {
        title: run.conclusion.map_or("stopped", Conclusion::as_str),
        run: Some(Link {
            label,
            url: run.run.url.clone(),
        }),
        text: Text {
            end: RunEnd::of(report.target, run),
            hint: hint(run),
        },
        pages: displaced_by.collect(),
        heading: match &run.end {
            Some(End::Lost(_)) => Some(LOST_HEADING),
            _ => None,
        },
        is_consequence: false,
    }
}

fn hint(run: &RunReport) -> Option<String> {
    match run.end.as_ref()? {
        End::Lost(failure) => Some(failure.remedy.clone().unwrap_or(LOST_HINT.to_owned())),
        End::TimedOut(LastSeen { blocked_on, .. }) => {
            let hint = match blocked_on {
                Some(BlockedOn::Person(_)) => BLOCKED_HINT,
                Some(BlockedOn::Turn { .. } | BlockedOn::Passing(_)) => QUEUED_HINT,
                None => "increase `timeout` if it needs more time",
            };
            Some(hint.to_owned())
        }
        End::Completed(_) => match &run.retries.not_retried {
            Some(NotRetried::Failed(failure)) => failure.remedy.clone(),
            _ => run.displaced_by.as_ref().map(|_| DISPLACED_HINT.to_owned()),
        },
        End::Blocked(_) => Some(ON_BLOCKED_HINT.to_owned()),
        End::Stopped => None,
    }
}

/// Describes a problem of a target.
fn explain(target: &Target, problem: &Problem) -> Explained {
    let (mut page, mut heading) = (None, None);
    let (title, what, hint) = match problem {
        Problem::NotTriggered(failure) => {
            (missed(target), failure.what.clone(), failure.remedy.clone())
        }
        Problem::NotSent(why) => {
            let missed = missed(target);
            (
                missed,
                not_sent(*why).replacen(NOT_TRIGGERED, missed, 1),
                None,
            )
        }
        Problem::NotRecalled { why, page: runs } => {
            let (what, hint) = not_recalled(why);
            page = Some(runs);
            ("not triggered", what, Some(hint.to_owned()))
        }
        Problem::NothingToFollow(outcome) => {
            let (what, hint) = nothing_to_follow(*outcome);
            ("nothing to follow", what, Some(hint.to_owned()))
        }
        Problem::OutcomeUnknown {
            failure,
            search,
            page: runs,
        } => {
            let search = search.as_ref().map(unknown_search);
            let search = search.map_or(String::new(), |result| format!(". {result}"));
            let what = format!(
                "{}. The pipeline may or may not have been started{search}",
                failure.what
            );
            page = Some(runs);
            heading = Some(UNKNOWN_HEADING);
            ("outcome unknown", what, Some(UNKNOWN_HINT.to_owned()))
        }
        Problem::RunNotFound { why, page: runs } => {
            let (what, hint) = not_found(target, why);
            page = Some(runs);
            ("run not found", what, Some(hint))
        }
        Problem::NoResult(NoResult::Unreadable(failure)) => {
            let what = format!("the result can't be read: {}", failure.what);
            heading = heading_of(&failure.what);
            ("no result", what, failure.remedy.clone())
        }
        Problem::NoResult(NoResult::Several(several)) => {
            let what = format!("{several} runs left a result, and only one can be read");
            ("no result", what, Some(SEVERAL_RESULTS_HINT.to_owned()))
        }
    };
    Explained {
        title,
        run: None,
        text: Text {
            end: RunEnd {
                what,
                failed_jobs: FailedJobs::default(),
                status: String::new(),
            },
            hint,
        },
        pages: page
            .map(|url| Link {
                label: "list of runs".to_owned(),
                url: url.clone(),
            })
            .into_iter()
            .collect(),
        heading,
        is_consequence: matches!(
            problem,
            Problem::NotSent(NotSent::OtherNotReady | NotSent::FailFast)
        ),
    }
}

const NOT_TRIGGERED: &str = "not triggered";

/// Returns what didn't happen to a target.
fn missed(target: &Target) -> &'static str {
    match target.follow {
        Some(_) => "not followed",
        None => NOT_TRIGGERED,
    }
}

/// Begins with [`NOT_TRIGGERED`].
fn not_sent(why: NotSent) -> &'static str {
    match why {
        NotSent::Stopped => {
            "not triggered because the step was stopped before that; nothing was started"
        }
        NotSent::FailFast => "not triggered because another target failed and `fail-fast` is on",
        NotSent::OtherNotReady => {
            "not triggered because another target has an error (see its message); nothing was started"
        }
    }
}

/// Returns why it's unknown what earlier attempts of the job have started, and what to do.
fn not_recalled(why: &NotRecalled) -> (String, &str) {
    let begin = "not triggered, because an earlier attempt of this job may have done so";
    match why {
        NotRecalled::Several(runs) => (
            format!("{begin}: several runs have its marker: {}", named(runs)),
            CALL_KEY_HINT,
        ),
        NotRecalled::Unmarked(runs) => (
            format!(
                "{begin}: these runs have no marker in their titles: {}",
                named(runs)
            ),
            UNMARKED_HINT,
        ),
        NotRecalled::SameKey(runs) => (
            format!(
                "not triggered, because another step of this workflow run has started the same with the same `call-key`: {}",
                named(runs)
            ),
            CALL_KEY_HINT,
        ),
        NotRecalled::TooMany => (
            format!("{begin}: there are more runs than can be listed"),
            NOT_RECALLED_HINT,
        ),
        NotRecalled::Unreadable(failure) => {
            (format!("{begin}: {}", failure.what), NOT_RECALLED_HINT)
        }
        NotRecalled::Unclear { attempt, run } => {
            let run = run.as_ref();
            let run = run.map_or(String::new(), |run| format!(". Perhaps it started {run}"));
            let what = format!(
                "{begin}: attempt {attempt} was about to trigger, and its commit status doesn't say what happened then{run}"
            );
            (what, NOT_RECALLED_HINT)
        }
        NotRecalled::TooManyStatuses => (
            format!("{begin}: the commit has more statuses than can be listed"),
            NOT_RECALLED_HINT,
        ),
        NotRecalled::StatusesUnreadable(failure) => (
            format!(
                "{begin}: the commit statuses can't be read: {}",
                failure.what
            ),
            failure.remedy.as_deref().unwrap_or(NOT_RECALLED_HINT),
        ),
    }
}

/// Returns why there is no run to follow, and what to do.
fn nothing_to_follow(outcome: Option<Outcome>) -> (String, &'static str) {
    match outcome {
        Some(Outcome::Accepted) => (
            "there is no run to follow: the trigger was accepted, but the step that sent it doesn't know the run"
                .to_owned(),
            "set `wait: start` on that step",
        ),
        Some(outcome) => (
            format!(
                "there is no run to follow: the trigger's `outcome` was `{}`",
                outcome.as_str()
            ),
            "see the errors of the step that sent the trigger",
        ),
        None => (
            "there is no run to follow".to_owned(),
            "see the errors of the step that `follow` is from",
        ),
    }
}

fn unknown_search(result: &UnknownSearch) -> String {
    match result {
        UnknownSearch::Candidates(runs) if runs.len() == 1 => {
            format!("This run might be the one: {}", named(runs))
        }
        UnknownSearch::Candidates(runs) => {
            format!("One of these runs might be the one: {}", named(runs))
        }
        UnknownSearch::Unreadable(why) => format!("The list of runs can't be read: {why}"),
        UnknownSearch::Interrupted => "No new run was found before the step was stopped".to_owned(),
        UnknownSearch::Nothing(searched) => {
            format!("No new run appeared within {} s", searched.as_secs())
        }
    }
}

/// Returns the most likely reason why runs weren't found, and what to do.
fn not_found(target: &Target, why: &NotFound) -> (String, String) {
    let check = "check whether it is running".to_owned();
    match why {
        NotFound::Ambiguous {
            workflow,
            runs,
            is_interrupted,
        } => {
            let of_workflow = of_workflow(workflow);
            let what = match runs.as_slice() {
                [one] if *is_interrupted => format!(
                    "the step was stopped before it could tell whether this run{of_workflow} is its own: {one}"
                ),
                [one] => format!(
                    "this run{of_workflow} was started by this step, but perhaps for another target: {one}"
                ),
                several => format!(
                    "several runs{of_workflow} started after the trigger, and the step can't tell which one is its own: {}",
                    named(several)
                ),
            };
            (what, how_to_mark(target))
        }
        NotFound::Incomplete(interruption) => {
            let (when, remedy) = match interruption {
                Interruption::Stopped => ("the step was stopped", check),
                Interruption::TimedOut => (
                    "`timeout` passed",
                    format!(
                        "increase `timeout`, because the search for runs takes at least ten seconds, and {check}"
                    ),
                ),
            };
            let what = format!("{when} before it was clear whether the trigger started more runs");
            (what, remedy)
        }
        NotFound::Unlisted(why) => (
            format!("there may be more runs of this trigger, but they can't be listed: {why}"),
            check,
        ),
        NotFound::Nothing {
            interruption,
            searched,
            unreadable,
            others,
        } => {
            let within = match (interruption, &target.wait) {
                (Some(Interruption::Stopped), _) => "before the step was stopped".to_owned(),
                (Some(Interruption::TimedOut), Some(wait)) => {
                    let timeout = humantime::format_duration(wait.timeout);
                    format!("within `timeout` ({timeout})")
                }
                (Some(Interruption::TimedOut), None) | (None, _) => {
                    format!("within {} minutes", searched.as_secs() / 60)
                }
            };
            if let Some(why) = unreadable {
                let what =
                    format!("no run was found {within}: the list of runs can't be read: {why}");
                return (what, check);
            }
            if !others.is_empty() {
                let what = format!(
                    "no run with the marker in its title was found {within}; one of these may be it: {}",
                    named(others)
                );
                return (what, how_to_mark(target));
            }
            let what = format!("no run was found {within}");
            match (interruption, target.spec.event_type()) {
                (None, Some(event_type)) => (
                    format!("{what}. {}", most_likely(event_type)),
                    format!(
                        "check the spelling of `event-type`, that a workflow on the default branch has `on: repository_dispatch: types: [{event_type}]`, and that it is enabled"
                    ),
                ),
                _ => (what, check),
            }
        }
    }
}

/// Returns the message for a search that goes on but hasn't found a run for a while.
pub(super) fn nothing_yet(target: &Target, page: &str) -> String {
    let why = target.spec.event_type().map(most_likely);
    let why = why.map(|why| format!(". {why}")).unwrap_or_default();
    format!("no run has appeared yet{why}; still looking. The list of runs is at {page}")
}

fn most_likely(event_type: &str) -> String {
    format!("Most likely no workflow on the default branch listens to `{event_type}`")
}

fn how_to_mark(target: &Target) -> String {
    match target.spec.how_to_mark() {
        Some(line) => format!(
            "add this line to the called workflow, so that its run can be identified: {line}"
        ),
        None => "don't start other runs of that workflow at the same time: this server doesn't report which run it starts".to_owned(),
    }
}

/// Lists the runs' addresses, up to a limit.
fn named(runs: &[String]) -> String {
    let mut named: Vec<_> = runs.iter().take(MAX_NAMED).map(String::as_str).collect();
    if runs.len() > MAX_NAMED {
        named.push("and more");
    }
    named.join(", ")
}

impl fmt::Display for LeftRunning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPolicy => formatter.write_str("`on-abandoned` is `leave`"),
            Self::MatchedByTime => formatter.write_str(
                "it was identified only by its start time and might belong to somebody else, so it wasn't cancelled",
            ),
            Self::Followed => formatter.write_str(
                "it was only given by its URL and might belong to somebody else, so it wasn't cancelled",
            ),
            Self::Cancel { cancel, end } => write!(formatter, "{cancel} {end}"),
            Self::Unreadable(why, left) => {
                write!(formatter, "it can't be read any more ({why}); {left}")
            }
            Self::OutcomeUnknown => {
                formatter.write_str("it's unclear whether the trigger started a run")
            }
            Self::MoreRuns => formatter.write_str("the trigger may have started more runs"),
            Self::Ambiguous(workflows) => {
                let all: Vec<_> = workflows.iter().map(|runs| named(runs)).collect();
                write!(
                    formatter,
                    "these runs might belong to this step, but weren't cancelled: {}",
                    all.join(", ")
                )
            }
            Self::NotFound => formatter.write_str("no run was found, but one may still start"),
        }
    }
}

impl fmt::Display for Cancel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered => formatter.write_str("the cancel request wasn't answered"),
            Self::Accepted => {
                formatter.write_str("the cancel request was accepted, but didn't take effect")
            }
            Self::Refused(why) | Self::Failed(why) => {
                write!(formatter, "{why}, and no cancel was accepted")
            }
        }
    }
}

impl fmt::Display for CancelEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondSignal => formatter.write_str("before the second signal"),
            Self::Shutdown => formatter.write_str("before the step had to end"),
            Self::After(time) => write!(formatter, "within {} s", time.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headings_are_on_the_page() {
        for heading in [LOST_HEADING, UNKNOWN_HEADING] {
            assert_eq!(heading_of(heading), Some(heading));
        }
    }
}
