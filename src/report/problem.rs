//! Writes the sentences for problems, and for runs that may still be running.

use std::fmt;

use crate::model::{
    Cancel, CancelEnd, Interruption, LeftRunning, NoResult, NotFound, NotSent, Problem,
    UnknownSearch,
};
use crate::providers::target::Target;

/// Maximum number of runs named in one sentence.
const MAX_NAMED: usize = 10;

/// The text of a problem.
pub(super) struct Explained {
    /// A summary in two or three words.
    pub(super) title: &'static str,
    /// The cause, in one line.
    pub(super) what: String,
    /// How to fix it.
    pub(super) remedy: Option<String>,
}

impl Explained {
    pub(super) fn text(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}\nhint: {remedy}", self.what),
            None => self.what.clone(),
        }
    }
}

/// Describes a problem of a target.
pub(super) fn explain(target: &Target, problem: &Problem) -> Explained {
    let (title, what, remedy) = match problem {
        Problem::NotTriggered(failure) => (
            "not triggered",
            failure.what.clone(),
            failure.remedy.clone(),
        ),
        Problem::NotSent(why) => ("not triggered", not_sent(*why).to_owned(), None),
        Problem::OutcomeUnknown {
            failure,
            search,
            page,
        } => {
            let search = search.as_ref().map(unknown_search);
            let search = search
                .map(|result| format!("; {result}"))
                .unwrap_or_default();
            let what = format!(
                "{}; the pipeline may have been started, or not{search}",
                failure.what
            );
            let remedy = format!(
                "it was not sent again, since that could start it twice: look whether it runs at {page}, and start the step again only if it does not"
            );
            ("outcome unknown", what, Some(remedy))
        }
        Problem::RunNotFound { why, page } => {
            let (what, remedy) = not_found(target, why, page);
            ("run not found", what, Some(remedy))
        }
        Problem::NoResult(NoResult::Unreadable(failure)) => {
            let what = format!("the result cannot be read back: {}", failure.what);
            ("no result", what, failure.remedy.clone())
        }
        Problem::NoResult(NoResult::Several(several)) => {
            let what = format!(
                "{several} of the runs left a result, and which of them is meant cannot be told"
            );
            let remedy = "let one workflow alone upload it under that name";
            ("no result", what, Some(remedy.to_owned()))
        }
    };
    Explained {
        title,
        what,
        remedy,
    }
}

fn not_sent(why: NotSent) -> &'static str {
    match why {
        NotSent::Stopped => "stopped before the trigger was sent; nothing was started",
        NotSent::FailFast => "not sent, since another target failed and `fail-fast` is on",
        NotSent::OtherNotReady => {
            "not sent, since another target cannot be triggered: nothing was started"
        }
    }
}

fn unknown_search(result: &UnknownSearch) -> String {
    match result {
        UnknownSearch::Candidates(runs) if runs.len() == 1 => {
            format!("this run may be its own: {}", named(runs))
        }
        UnknownSearch::Candidates(runs) => {
            format!("one of these runs may be its own: {}", named(runs))
        }
        UnknownSearch::Unreadable(why) => format!("its runs could not be read: {why}"),
        UnknownSearch::Interrupted => {
            "no run of it was found before the step had to end".to_owned()
        }
        UnknownSearch::Nothing(searched) => {
            format!("no run of it appeared within {} s", searched.as_secs())
        }
    }
}

/// Returns the most likely reason why runs weren't found, and what to do.
fn not_found(target: &Target, why: &NotFound, page: &str) -> (String, String) {
    let check = format!("check {page}");
    match why {
        NotFound::Ambiguous {
            workflow,
            runs,
            is_interrupted,
        } => {
            let what = match runs.as_slice() {
                [one] if *is_interrupted => format!(
                    "the step had to end before it could tell whether this run of {workflow} is its own: {one}"
                ),
                [one] => format!(
                    "this run of {workflow} was started by this step, but perhaps for another target: {one}"
                ),
                several => format!(
                    "several runs of {workflow} started after the trigger, and the step can't tell which one is its own: {}",
                    named(several)
                ),
            };
            (what, how_to_mark(target, page))
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
            let check = format!("{check} to see whether it is running");
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
                return (what, how_to_mark(target, page));
            }
            let what = format!("no run was found {within}");
            match (interruption, target.spec.event_type()) {
                (None, Some(event_type)) => (
                    format!("{what}. {}", most_likely(event_type)),
                    format!(
                        "check the spelling of `event-type`, that a workflow on the default branch has `on: repository_dispatch: types: [{event_type}]`, and that it is enabled; the runs are at {page}"
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
    format!("no run has appeared yet{why}; still looking. The runs are at {page}")
}

fn most_likely(event_type: &str) -> String {
    format!("Most likely no workflow on the default branch listens to `{event_type}`")
}

fn how_to_mark(target: &Target, page: &str) -> String {
    match target.spec.how_to_mark() {
        Some(line) => format!(
            "add this line to the called workflow, so that its run can be identified: {line}"
        ),
        None => format!(
            "this server doesn't report which run it starts. Don't start other runs of that workflow at the same time, and check {page}"
        ),
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
                "it was recognised by its time alone and may be somebody else's, so it was not cancelled",
            ),
            Self::Cancel { cancel, end } => write!(formatter, "{cancel} {end}"),
            Self::Unreadable(why, left) => {
                write!(formatter, "it can't be read any more ({why}); {left}")
            }
            Self::OutcomeUnknown => formatter.write_str("nobody knows whether it was started"),
            Self::MoreRuns => formatter.write_str("the trigger may have started more runs"),
            Self::Ambiguous(workflows) => {
                let all: Vec<_> = workflows.iter().map(|runs| named(runs)).collect();
                write!(
                    formatter,
                    "what could be ours was not cancelled: {}",
                    all.join(", ")
                )
            }
            Self::NotFound => {
                formatter.write_str("no run of it was found, and one may yet start")
            }
        }
    }
}

impl fmt::Display for Cancel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered => formatter.write_str("the cancel was not answered"),
            Self::Accepted => {
                formatter.write_str("the cancel was accepted, but had not taken effect")
            }
            Self::Refused(why) => write!(
                formatter,
                "the cancel was refused ({why}), and no other was accepted"
            ),
            Self::Failed(why) => write!(
                formatter,
                "the cancel failed ({why}), and no other was accepted"
            ),
        }
    }
}

impl fmt::Display for CancelEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondSignal => formatter.write_str("when a second signal came"),
            Self::Shutdown => formatter.write_str("when the step had to end"),
            Self::After(time) => write!(formatter, "after {} s", time.as_secs()),
        }
    }
}
