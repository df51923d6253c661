//! What it means that runs of an accepted trigger were not found, and what to do about it.

use super::{Monitor, Monitored};
use crate::engine::find::{Found, Interruption, Limits};
use crate::model::{Conclusion, Failure};
use crate::providers::Candidate;

/// Most candidates that are named.
const MAX_NAMED: usize = 10;

impl Monitor<'_, '_> {
    /// Records what could not be found.
    pub(super) fn judge(&self, found: &Found, monitored: &mut Monitored) {
        for several in &found.unsure {
            let workflow = several.first().map_or("", |run| run.workflow.as_str());
            let what = match several.as_slice() {
                [one] if found.interruption.is_some() => format!(
                    "the step had to end before it could tell whether this run of {workflow} is its own: {}",
                    one.url
                ),
                [one] => format!(
                    "this run of {workflow} was started by this step, but perhaps for another target: {}",
                    one.url
                ),
                _ => format!(
                    "several runs of {workflow} started after the trigger, and the step can't tell which one is its own: {}",
                    named(several)
                ),
            };
            monitored.unfound.push(Failure {
                what,
                remedy: Some(self.how_to_mark()),
                causes: Vec::new(),
            });
        }
        if found.unsure.is_empty() && !found.runs.is_empty() {
            if found.interruption == Some(Interruption::Stopped) {
                monitored.left_running = Some("the trigger may have started more runs".to_owned());
                monitored.unfound.push(Failure {
                    what: "the step was stopped before it could tell whether the trigger started more runs".to_owned(),
                    remedy: Some(format!("check {}", self.context.provider.runs_page())),
                    causes: Vec::new(),
                });
            }
            return;
        }
        monitored.conclusion = match found.interruption {
            None => Some(Conclusion::Lost),
            Some(Interruption::TimedOut) => Some(Conclusion::TimedOut),
            Some(Interruption::Stopped) => None,
        };
        if !found.unsure.is_empty() {
            let all: Vec<_> = found.unsure.iter().map(|several| named(several)).collect();
            monitored.left_running = Some(format!(
                "what could be ours was not cancelled: {}",
                all.join(", ")
            ));
            return;
        }
        monitored.left_running = Some("no run of it was found, and one may yet start".to_owned());
        let (what, remedy) = self.nothing(found);
        monitored.unfound.push(Failure {
            what,
            remedy: Some(remedy),
            causes: Vec::new(),
        });
    }

    /// Why no run was found, most likely, and what to do.
    fn nothing(&self, found: &Found) -> (String, String) {
        let within = match (found.interruption, &self.context.target.wait) {
            (Some(Interruption::Stopped), _) => "before the step was stopped".to_owned(),
            (Some(Interruption::TimedOut), Some(wait)) => {
                let timeout = humantime::format_duration(wait.timeout);
                format!("within `timeout` ({timeout})")
            }
            (Some(Interruption::TimedOut), None) | (None, _) => {
                let minutes = Limits::ACCEPTED.first.as_secs() / 60;
                format!("within {minutes} minutes")
            }
        };
        let page = self.context.provider.runs_page();
        let check = format!("check {page} to see whether it is running");
        if let Some(error) = &found.failure {
            let what = format!(
                "no run was found {within}: the list of runs can't be read: {}",
                error.message()
            );
            return (what, check);
        }
        if !found.others.is_empty() {
            let what = format!(
                "no run with the marker in its title was found {within}; one of these may be it: {}",
                named(&found.others)
            );
            return (what, self.how_to_mark());
        }
        let what = format!("no run was found {within}");
        match (found.interruption, self.context.target.spec.event_type()) {
            (None, Some(event_type)) => (
                format!("{what}. {}", most_likely(event_type)),
                format!(
                    "check the spelling of `event-type`, that a workflow on the default branch has `on: repository_dispatch: types: [{event_type}]`, and that it is enabled; the runs are at {page}"
                ),
            ),
            _ => (what, check),
        }
    }

    /// What is said early when nothing has been found yet.
    pub(super) fn why_nothing_yet(&self) -> String {
        let why = self.context.target.spec.event_type().map(most_likely);
        let why = why.map(|why| format!(". {why}")).unwrap_or_default();
        format!(
            "no run has appeared yet{why}; still looking. The runs are at {}",
            self.context.provider.runs_page()
        )
    }

    fn how_to_mark(&self) -> String {
        match self.context.target.spec.how_to_mark() {
            Some(line) => format!(
                "add this line to the called workflow, so that its run can be identified: {line}"
            ),
            None => format!(
                "this server doesn't report which run it starts. Don't start other runs of that workflow at the same time, and check {}",
                self.context.provider.runs_page()
            ),
        }
    }
}

fn most_likely(event_type: &str) -> String {
    format!("Most likely no workflow on the default branch listens to `{event_type}`")
}

/// Their addresses, as many as can be read.
pub(super) fn named(candidates: &[Candidate]) -> String {
    let urls = candidates.iter().map(|candidate| candidate.url.as_str());
    let mut named: Vec<_> = urls.take(MAX_NAMED).collect();
    if candidates.len() > MAX_NAMED {
        named.push("and more");
    }
    named.join(", ")
}
