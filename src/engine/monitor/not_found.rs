//! Records which runs of an accepted trigger weren't found, and what that means for the conclusion.

use super::Monitor;
use crate::engine::find::{Found, SearchLimits};
use crate::model::{Conclusion, Interruption, LeftRunning, Monitored, NotFound, Problem};
use crate::providers::Candidate;

impl Monitor<'_, '_> {
    pub(super) fn record_not_found(&self, found: &Found, monitored: &mut Monitored) {
        let mut not_found = Vec::new();
        for candidates in &found.ambiguous {
            let workflow = candidates.first().map(|run| run.workflow.clone());
            not_found.push(NotFound::Ambiguous {
                workflow: workflow.unwrap_or_default(),
                runs: urls(candidates),
                is_interrupted: found.interruption.is_some(),
            });
        }
        let conclusion = match found.interruption {
            None => Some(Conclusion::Lost),
            Some(Interruption::TimedOut) => Some(Conclusion::TimedOut),
            Some(Interruption::Stopped) => None,
        };
        if found.ambiguous.is_empty() && !found.runs.is_empty() {
            if let Some(interruption) = found.interruption {
                monitored.conclusion = conclusion;
                monitored.left_running = Some(LeftRunning::MoreRuns);
                not_found.push(NotFound::Incomplete(interruption));
            }
        } else {
            monitored.conclusion = conclusion;
            monitored.left_running = Some(if found.ambiguous.is_empty() {
                not_found.push(nothing_found(found));
                LeftRunning::NotFound
            } else {
                let ambiguous = found.ambiguous.iter();
                LeftRunning::Ambiguous(ambiguous.map(|candidates| urls(candidates)).collect())
            });
        }
        let problems = not_found.into_iter().map(|why| self.not_found(why));
        monitored.problems.extend(problems);
    }

    pub(super) fn not_found(&self, why: NotFound) -> Problem {
        Problem::RunNotFound {
            why,
            page: self.context.provider.runs_page(),
        }
    }
}

fn nothing_found(found: &Found) -> NotFound {
    let unreadable = found.failure.as_ref();
    NotFound::Nothing {
        interruption: found.interruption,
        searched: SearchLimits::ACCEPTED.first_run,
        unreadable: unreadable.map(|error| error.message().to_owned()),
        others: urls(&found.others),
    }
}

pub(super) fn urls(candidates: &[Candidate]) -> Vec<String> {
    let candidates = candidates.iter();
    candidates.map(|candidate| candidate.url.clone()).collect()
}
