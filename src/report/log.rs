//! Writes the lines of the log.

use std::time::Duration;

use super::help::Help;
use super::pipeline;
use super::problem::nothing_yet;
use super::run_end::{RunEnd, describe_blocked_on, of_workflow, run_name};
use crate::model::{
    Conclusion, Event, Job, JobKind, JobLog, MatchedBy, News, Run, State, Step, Times,
};
use crate::providers::target::{Mode, Target};
use crate::text::untrusted::one_line;

const LONG_TURN: &str = "the run is queued behind another run of its concurrency group. If this workflow is that other run, neither will ever finish\nhint: give the two workflows different `concurrency` groups";
const LOGS_WITHHELD: &str = "the logs of failed jobs aren't shown, because this repository is public and the target is private or can't be read. Set `logs: failed` to show them anyway";

/// Returns the first line of a target's log: what is triggered or read, where, and as whom.
pub(crate) fn announcement(target: &Target, mode: Mode) -> String {
    let server = target.location.server.web.as_str().trim_end_matches('/');
    if let Some(follow) = &target.follow {
        let identity = target.spec.identity();
        let run = match follow.runs.len() {
            0 => return format!("{target}: there is no run to follow"),
            1 => "the run",
            _ => "the runs",
        };
        return format!("{target}: reading {run} to follow on {server} {identity}");
    }
    let doing = match mode {
        Mode::Send => "triggering",
        Mode::DryRun => "dry run of",
    };
    let (pipeline, identity) = (pipeline(target), target.spec.identity());
    let source = target
        .spec
        .source()
        .map(|source| format!(" at {source}"))
        .unwrap_or_default();
    format!("{target}: {doing} {pipeline}{source} on {server} {identity}")
}

/// Returns the log line of an event, if it has one.
pub(crate) fn line(target: &Target, event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Beginning
        | Event::Remember(_)
        | Event::Minted(_)
        | Event::Sending
        | Event::Caution(_)
        | Event::Trace(_) => return None,
        Event::DefaultReference(name) => {
            format!("{target}: `ref` isn't set, so the default branch is used: {name}")
        }
        Event::Waiting { why, pause } => {
            let seconds = pause.as_secs_f64().max(1.0);
            format!("{target}: {why}; retrying in {seconds:.0} s")
        }
        Event::Fallback(why) | Event::Note(why) => format!("{target}: {why}"),
        Event::NothingFoundYet { page } => format!("{target}: {}", nothing_yet(target, page)),
        Event::WouldSend { url, body } => format!("{target}: would send POST {url}\n{body}"),
        Event::Accepted(run) => format!("{target}: accepted, {run}"),
        Event::AcceptedWithoutRun(_) if target.wait.is_none() => {
            let provider = target.provider().name();
            format!(
                "{target}: accepted. {provider} doesn't say which runs it started; they are on this page:"
            )
        }
        Event::AcceptedWithoutRun(_) => match target.spec.marker() {
            Some(marker) => {
                format!("{target}: accepted; looking for the run with {marker} in its title")
            }
            None => format!("{target}: accepted; looking for the run"),
        },
        Event::LookingInto(why) => format!(
            "{target}: {why}. It's unclear whether the trigger was accepted, so it won't be sent again; checking for a new run"
        ),
        Event::Found(run) => {
            let run_name = run_name(run);
            match run.matched_by {
                MatchedBy::Id => format!("{target}: found {run_name} by its id"),
                MatchedBy::Marker => {
                    format!("{target}: found {run_name} by the marker in its title")
                }
                MatchedBy::Timing => {
                    format!("{target}: found {run_name}, identified only by its start time")
                }
                MatchedBy::Url => format!("{target}: found {run_name} by its URL"),
            }
        }
        Event::Recalled {
            run,
            conclusion,
            is_repeated,
        } => recalled(target, run, *conclusion, *is_repeated),
        Event::Following(run) => format!("{target}: following {run}"),
        Event::Run {
            run,
            news:
                News::Retrying {
                    end,
                    snapshot,
                    number,
                    of,
                },
        } => {
            let run = Run {
                number: run.number.or(snapshot.number),
                ..(*run).clone()
            };
            let (run_name, ended) = (run_name(&run), RunEnd::of_attempt(target, end, snapshot));
            format!(
                "{target}: {run_name} {ended}; running its failed jobs again (retry {number} of {of})"
            )
        }
        Event::Run { run, news } => {
            // If the response identified the run, it's the target's only one.
            let run_name = match run.matched_by {
                MatchedBy::Id | MatchedBy::Url => String::new(),
                MatchedBy::Marker | MatchedBy::Timing => format!(" {}:", run_name(run)),
            };
            format!("{target}:{run_name} {}", self::news(target, news)?)
        }
    })
}

/// Returns title and text of an event's warning, if it has one.
pub(crate) fn warning(target: &Target, event: &Event<'_>, help: &Help) -> Option<(String, String)> {
    let (title, text) = match event {
        Event::Found(run) if run.matched_by == MatchedBy::Timing => (
            "identified only by its start time",
            timing_warning(target, run),
        ),
        Event::Caution(what) => ("expiring token", format!("{target}: {what}")),
        Event::Run {
            run,
            news: News::LongTurn,
        } => ("queued", format!("{target}: {LONG_TURN}\n{}", run.url)),
        Event::Beginning
        | Event::Remember(_)
        | Event::Minted(_)
        | Event::DefaultReference(_)
        | Event::Waiting { .. }
        | Event::Sending
        | Event::Fallback(_)
        | Event::Note(_)
        | Event::Accepted(_)
        | Event::AcceptedWithoutRun(_)
        | Event::WouldSend { .. }
        | Event::LookingInto(_)
        | Event::NothingFoundYet { .. }
        | Event::Found(_)
        | Event::Recalled { .. }
        | Event::Following(_)
        | Event::Run { .. }
        | Event::Trace(_) => return None,
    };
    Some((format!("{target}: {title}"), help.added_to(text)))
}

fn recalled(
    target: &Target,
    run: &Run,
    conclusion: Option<Conclusion>,
    is_repeated: bool,
) -> String {
    let attempt = run.started_by_attempt.unwrap_or_default();
    let run_name = run_name(run);
    let state = match conclusion {
        None => "is still going on".to_owned(),
        Some(conclusion) => format!("has ended as {conclusion}"),
    };
    let then = match (is_repeated, conclusion) {
        (true, _) => "triggering again",
        (false, None) => "taking it up instead of triggering again",
        (false, Some(_)) => "not triggering again",
    };
    format!("{target}: attempt {attempt} of this job started {run_name}, which {state}; {then}")
}

fn timing_warning(target: &Target, run: &Run) -> String {
    let of_workflow = of_workflow(run.workflow.as_deref().unwrap_or_default());
    let hint = target.spec.how_to_mark();
    let hint = hint.map_or(String::new(), |line| {
        format!("\nhint: to be sure, add this line to the workflow: {line}")
    });
    format!(
        "{target}: {run} is the only run{of_workflow} that started after the trigger, but it might belong to somebody else, so it won't be cancelled{hint}\n{}",
        run.url
    )
}

fn news(target: &Target, news: &News<'_>) -> Option<String> {
    Some(match news {
        News::State { state, blocked_on } => match blocked_on {
            Some(blocked_on) => format!(
                "{}: waiting for {}",
                state.as_str(),
                describe_blocked_on(blocked_on)
            ),
            None => state.as_str().to_owned(),
        },
        News::Job(job) => self::job(job),
        News::Failing(why) => format!("{why}; still waiting"),
        News::Readable => "can be read again".to_owned(),
        News::Heartbeat {
            elapsed,
            state,
            done,
            all,
        } => {
            let state = state.map_or("not read yet".to_owned(), |state| {
                format!("still {}", state.as_str())
            });
            let jobs = match all {
                0 => String::new(),
                all => format!("; {done} of {all} jobs done"),
            };
            let since = match target.follow {
                Some(_) => "after the step began to follow it",
                None => "after the trigger",
            };
            format!("{state}, {} {since}{jobs}", duration(*elapsed))
        }
        News::RetryUnclear(why) => format!(
            "{why}. It's unclear whether the failed jobs are running again, so the request isn't repeated; checking the run"
        ),
        News::NotRetried(why) => format!("the failed jobs aren't run again: {why}"),
        News::Cancelling => "cancelling the run".to_owned(),
        News::Ended {
            end,
            conclusion,
            snapshot,
        } => RunEnd::new(target, end, *conclusion, *snapshot).to_string(),
        News::LogsWithheld => LOGS_WITHHELD.to_owned(),
        News::MoreLogs(more) => format!("the logs of {more} more failed jobs aren't shown"),
        News::JobsUnreadable => {
            "the run's jobs can't be read, so the ones that failed can't be named".to_owned()
        }
        News::SomeJobs(read) => format!("only {read} of the run's jobs were read"),
        News::JobsDone { .. }
        | News::LongTurn
        | News::Log(_)
        | News::RetriedLog(_)
        | News::Retrying { .. }
        | News::NextAttempt(_) => return None,
    })
}

fn job(job: &Job) -> String {
    let kind = match job.kind {
        JobKind::Job | JobKind::Optional => "job",
        JobKind::Downstream => "downstream pipeline",
    };
    let name = one_line(&job.name);
    let doing = match job.state {
        State::Completed(conclusion) => {
            let after = time_taken(&job.times).map(|time| format!(" after {time}"));
            let allowed = match (job.kind, conclusion) {
                (JobKind::Optional, Conclusion::Failure) => ", which is allowed",
                _ => "",
            };
            let step = job
                .failed_step
                .as_ref()
                .map(|step| format!(" in step {}", quoted(step)));
            format!(
                "{conclusion}{}{}{allowed}",
                after.unwrap_or_default(),
                step.unwrap_or_default()
            )
        }
        State::Blocked => "blocked: waiting for a person".to_owned(),
        State::Queued | State::Running => job.state.as_str().to_owned(),
    };
    format!("{kind} {name}: {doing}")
}

/// Returns the title and the lines of a failed job's log.
pub(crate) fn job_log(target: &Target, log: &JobLog) -> (String, String) {
    let step = log
        .job
        .failed_step
        .as_ref()
        .map(|step| format!(", failed in step {}", quoted(step)))
        .unwrap_or_default();
    let name = one_line(&log.job.name);
    let title = format!("{target}: the end of the log of job {name}{step}");
    let lines = match &log.lines {
        Ok(lines) if lines.is_empty() && log.is_cut => {
            "the last line is too long to show".to_owned()
        }
        Ok(lines) if lines.is_empty() => "the log is empty".to_owned(),
        Ok(lines) => lines.join("\n"),
        Err(why) => format!("the log can't be shown: {why}"),
    };
    (title, lines)
}

fn quoted(step: &Step) -> String {
    format!("\"{}\"", one_line(&step.name))
}

/// Returns the time from start (or creation) to completion, if both are known.
pub(super) fn time_taken(times: &Times) -> Option<String> {
    let start = times.started.or(times.created)?;
    (times.completed? - start).to_std().ok().map(duration)
}

/// Formats a duration like `1h 2m 3s`, in whole seconds.
pub(crate) fn duration(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}
