//! Turns facts into log lines, annotations, outputs and the summary, and decides whether the step passes.
//! Doesn't print.

mod annotations;
mod commit_status;
mod help;
mod log;
mod outputs;
mod problem;
mod retries;
mod run_end;
mod summary;
mod verdict;

pub(crate) use annotations::{Annotation, Room, annotations, errors_below, passes};
pub(crate) use commit_status::{
    INTERRUPTED, STARTING, contexts, last_status, pending_description, statuses_refused,
    statuses_unset, would_set_status,
};
pub(crate) use help::{Help, with_link};
pub(crate) use log::{announcement, duration, job_log, line, warning};
pub(crate) use outputs::{early_outputs, first_outputs, outputs, outputs_of_invalid};
pub(crate) use summary::{Note, summary, summary_of_invalid};
pub(crate) use verdict::{Word, counts, target_verdict, verdict, word};

use crate::providers::target::Target;
use crate::text::untrusted::one_line;

/// Replaces secrets in a string: see `Console::hide`.
pub(crate) type Hide<'a> = &'a dyn Fn(&str) -> String;

/// Counts the problems of invalid inputs: `3 problems`.
pub(crate) fn problem_count(count: usize) -> String {
    match count {
        1 => "1 problem".to_owned(),
        _ => format!("{count} problems"),
    }
}

/// Returns the name of a target's pipeline, on one line because it may be untrusted.
fn pipeline(target: &Target) -> String {
    one_line(&target.pipeline())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AttemptReport, Conclusion, End, Event, Failure, JobLog, LastSeen, LeftRunning, Monitored,
        News, NoResult, NotFound, NotRetried, Outcome, Problem, Retries, Run, RunReport, Snapshot,
    };
    use crate::providers::target::Mode;
    use crate::providers::target_report::TargetReport;
    use crate::testing::arbitrary;
    use proptest::prelude::*;
    use std::time::Duration;

    fn failure(what: &str) -> Failure {
        Failure {
            what: what.to_owned(),
            remedy: Some(what.to_owned()),
            causes: vec![what.to_owned()],
        }
    }

    fn monitored(run: &Run, snapshot: Option<&Snapshot>, end: u8, text: &str) -> RunReport {
        let end = match end {
            0 => End::Completed(Conclusion::Failure),
            1 => End::Lost(failure(text)),
            2 => End::Blocked(snapshot.and_then(|snapshot| snapshot.blocked_on.clone())),
            3 => End::TimedOut(LastSeen {
                state: snapshot.map(|snapshot| snapshot.state),
                blocked_on: snapshot.and_then(|snapshot| snapshot.blocked_on.clone()),
            }),
            _ => End::Stopped,
        };
        let jobs = snapshot
            .iter()
            .flat_map(|snapshot| snapshot.jobs.iter().flatten());
        RunReport {
            run: run.clone(),
            end: Some(end),
            conclusion: snapshot.and_then(|snapshot| snapshot.state.conclusion()),
            snapshot: snapshot.cloned(),
            logs: jobs
                .map(|job| JobLog {
                    job: job.clone(),
                    lines: Ok(vec![text.to_owned(), "x".to_owned()]),
                    is_cut: true,
                })
                .collect(),
            dropped_logs: 1,
            displaced_by: Some(run.clone()),
            left_running: Some(LeftRunning::Unreadable(
                text.to_owned(),
                Box::new(LeftRunning::ByPolicy),
            )),
            retries: retries(run, snapshot, text),
        }
    }

    fn retries(run: &Run, snapshot: Option<&Snapshot>, text: &str) -> Retries {
        let earlier = snapshot.iter().map(|snapshot| AttemptReport {
            number: run.attempt,
            page: text.to_owned(),
            snapshot: (*snapshot).clone(),
        });
        Retries {
            earlier: earlier.collect(),
            page: Some(text.to_owned()),
            not_retried: Some(NotRetried::NothingStarted {
                unclear: run.number.map(|_| failure(text)),
                waited: Duration::from_secs(run.attempt),
            }),
        }
    }

    #[test]
    fn a_report_never_panics() {
        let targets = arbitrary::targets();
        let place = any::<prop::sample::Index>();
        let runs = prop::collection::vec(
            (
                arbitrary::run(),
                prop::option::of(arbitrary::snapshot()),
                0..5_u8,
            ),
            0..4,
        );
        let outcome =
            prop::sample::select(vec![Outcome::Accepted, Outcome::Unknown, Outcome::NotSent]);
        proptest!(|(place in place, runs in runs, outcome in outcome, text in arbitrary::text(), seconds in any::<u64>())| {
            let target = place.get(&targets);
            let hide = |text: &str| text.to_owned();
            let help = Help::new(|path| Some(format!("https://x.example/{path}")));
            for (run, snapshot, end) in &runs {
                let monitored = monitored(run, snapshot.as_ref(), *end, &text);
                let ended = News::Ended {
                    end: monitored.end.as_ref().unwrap(),
                    conclusion: monitored.conclusion,
                    snapshot: snapshot.as_ref(),
                };
                let heartbeat = News::Heartbeat {
                    elapsed: Duration::from_secs(seconds),
                    state: None,
                    done: 0,
                    all: usize::MAX,
                };
                let jobs = snapshot.iter().flat_map(|snapshot| snapshot.jobs.iter().flatten());
                let state = snapshot.iter().map(|snapshot| News::State { state: snapshot.state, blocked_on: snapshot.blocked_on.as_ref() });
                for news in jobs.map(News::Job).chain(state).chain([ended, heartbeat]) {
                    line(target, &Event::Run { run, news });
                }
                if let (Some(end), Some(snapshot)) = (&monitored.end, snapshot) {
                    let news = News::Retrying { end, snapshot, number: 1, of: 2 };
                    line(target, &Event::Run { run, news });
                }
                if let Some(why) = &monitored.retries.not_retried {
                    line(target, &Event::Run { run, news: News::NotRetried(why) });
                }
                for log in &monitored.logs {
                    job_log(target, log);
                }
                let why = text.as_str();
                line(target, &Event::Waiting { why, pause: Duration::from_secs(seconds) });
                line(target, &Event::Accepted(run));
                line(target, &Event::Found(run));
                warning(target, &Event::Found(run), &help);
            }
            let monitored = runs.iter().map(|(run, snapshot, end)| monitored(run, snapshot.as_ref(), *end, &text));
            let report = TargetReport {
                target,
                outcome,
                problem: Some(Problem::OutcomeUnknown {
                    failure: failure(&text),
                    search: None,
                    page: text.clone(),
                }),
                monitored: Monitored {
                    runs: monitored.collect(),
                    conclusion: Some(Conclusion::Lost),
                    result: Some(text.clone()),
                    problems: vec![
                        Problem::RunNotFound {
                            why: NotFound::Unlisted(text.clone()),
                            page: text.clone(),
                        },
                        Problem::NoResult(NoResult::Unreadable(failure(&text))),
                    ],
                    left_running: Some(LeftRunning::Ambiguous(vec![vec![text.clone()]])),
                },
            };
            let (_, description, _) = last_status(&report);
            prop_assert!(description.chars().count() <= 130, "{}", description);
            target_verdict(&report);
            word(&report);
            errors_below("", &report, &help);
            let reports = [report];
            annotations(&reports, Room { errors: 1, warnings: 1 }, &help);
            verdict(&reports);
            outputs(&reports, &hide, usize::MAX);
            summary(&reports, Mode::Send, &[Note::Caution(target.to_string(), text)], &help, &hide, usize::MAX);
        });
    }
}
