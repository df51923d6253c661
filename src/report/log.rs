//! Writes the lines of the log.

use std::time::Duration;

use super::pipeline;
use super::problem::nothing_yet;
use crate::model::{
    BlockedOn, Conclusion, End, Event, Job, JobKind, JobLog, MatchedBy, News, Run, Snapshot, State,
    Times,
};
use crate::providers::target::{Mode, Target};
use crate::text::untrusted::one_line;

/// Returns the first line of a target's log: what is triggered, where, and as whom.
pub(crate) fn announcement(target: &Target, mode: Mode) -> String {
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
    let server = target.location.server.web.as_str().trim_end_matches('/');
    format!("{target}: {doing} {pipeline}{source} on {server} {identity}")
}

/// Returns the log line of an event, if it has one.
pub(crate) fn line(target: &Target, event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Beginning
        | Event::Minted(_)
        | Event::Sending
        | Event::Caution(_)
        | Event::Trace(_) => return None,
        Event::DefaultReference(name) => {
            format!("{target}: no `ref` is given, so it is the default branch, {name}")
        }
        Event::Waiting { why, pause } => {
            let seconds = pause.as_secs_f64().max(1.0);
            format!("{target}: {why}; tried again in {seconds:.0} s")
        }
        Event::Fallback(why) | Event::Note(why) => format!("{target}: {why}"),
        Event::NothingFoundYet { page } => format!("{target}: {}", nothing_yet(target, page)),
        Event::WouldSend { url, body } => format!("{target}: would send POST {url}\n{body}"),
        Event::Accepted(run) => {
            let number = run
                .number
                .map(|number| format!(" (number {number})"))
                .unwrap_or_default();
            format!("{target}: accepted, run {}{number}", run.id)
        }
        Event::AcceptedWithoutRun(page) if target.wait.is_none() => {
            format!(
                "{target}: accepted; the provider does not tell which runs it started: look at {page}"
            )
        }
        Event::AcceptedWithoutRun(_) => match target.spec.marker() {
            Some(marker) => {
                format!("{target}: accepted; looking for runs with {marker} in their title")
            }
            None => format!("{target}: accepted; looking for the run"),
        },
        Event::LookingInto(why) => format!(
            "{target}: {why}; nobody knows whether the trigger was accepted: looking for a run, and not sending it again"
        ),
        Event::Found(run) => {
            let how = match run.matched_by {
                MatchedBy::Id => "by its id",
                MatchedBy::Marker => "by the marker in its title",
                MatchedBy::Timing => "by its time alone",
            };
            format!("{target}: found {run} {how}")
        }
        Event::Run { run, news } => {
            // If the response identified the run, it's the target's only one.
            let run = match run.matched_by {
                MatchedBy::Id => String::new(),
                MatchedBy::Marker | MatchedBy::Timing => format!(" {run}:"),
            };
            format!("{target}:{run} {}", self::news(target, news)?)
        }
    })
}

/// Returns title and text of an event's warning, if it has one.
pub(crate) fn warning(target: &Target, event: &Event<'_>) -> Option<(String, String)> {
    match event {
        Event::Found(run) if run.matched_by == MatchedBy::Timing => {
            Some((format!("{target}: recognised by its time alone"), timing_warning(run, target.spec.how_to_mark())))
        }
        Event::Caution(what) => Some((format!("{target}: {what}"), (*what).to_owned())),
        Event::Run {
            news: News::LongTurn,
            ..
        } => Some((
            format!("{target}: waiting for its turn"),
            "the run waits for another one of its concurrency group; if this workflow itself holds that group, both wait for ever. Give the two different groups under `concurrency:`".to_owned(),
        )),
        Event::Beginning
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
        | Event::Run { .. }
        | Event::Trace(_) => None,
    }
}

fn timing_warning(run: &Run, how_to_mark: Option<&str>) -> String {
    let remedy = how_to_mark
        .map(|line| format!("; add this line to its workflow to be sure: {line}"))
        .unwrap_or_default();
    format!(
        "{run} is the only one that appeared since the trigger, yet it may be somebody else's: it will not be cancelled{remedy}\n{}",
        run.url
    )
}

fn news(target: &Target, news: &News<'_>) -> Option<String> {
    Some(match news {
        News::State { state, blocked_on } => match blocked_on {
            Some(blocked_on) => format!(
                "{}, waits for {}",
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
            let state = state.map_or("not seen yet", State::as_str);
            let jobs = match all {
                0 => String::new(),
                all => format!(", {done} of {all} jobs done"),
            };
            format!("{state} {} after the trigger{jobs}", duration(*elapsed))
        }
        News::Cancelling => "cancelling it".to_owned(),
        News::Ended {
            end,
            conclusion,
            snapshot,
        } => ended(target, end, *conclusion, *snapshot),
        News::LogsWithheld => "the logs of failed jobs are not shown: the target is private, or can't be read, and this repository is public. Set `logs: failed` to show them all the same".to_owned(),
        News::MoreLogs(more) => format!("the logs of {more} more failed jobs are not shown"),
        News::LongTurn | News::Log(_) => return None,
    })
}

fn describe_blocked_on(blocked_on: &BlockedOn) -> String {
    match blocked_on {
        BlockedOn::Person(what) | BlockedOn::Passing(what) => one_line(what),
        BlockedOn::Turn { position: None } => "its turn".to_owned(),
        BlockedOn::Turn {
            position: Some(position),
        } => format!("its turn, {position} before it"),
    }
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
                .map(|step| format!(", in the step {}", one_line(&step.name)));
            format!(
                "{conclusion}{}{}{allowed}",
                after.unwrap_or_default(),
                step.unwrap_or_default()
            )
        }
        State::Blocked => "blocked, waits for a person".to_owned(),
        State::Queued | State::Running => job.state.as_str().to_owned(),
    };
    format!("{kind} {name}: {doing}")
}

/// Describes how a run, or the wait for it, ended.
pub(super) fn ended(
    target: &Target,
    end: &End,
    conclusion: Option<Conclusion>,
    snapshot: Option<&Snapshot>,
) -> String {
    match (end, conclusion) {
        (End::Completed(conclusion), _) => {
            let said = snapshot
                .map(|snapshot| provider_says(target, snapshot))
                .unwrap_or_default();
            let after = snapshot
                .and_then(|snapshot| time_taken(&snapshot.times))
                .map(|time| format!(" after {time}"))
                .unwrap_or_default();
            format!("ended as {conclusion}{said}{after}")
        }
        (End::TimedOut, _) => {
            let timeout = target.wait.as_ref().map(|wait| duration(wait.timeout));
            format!("did not end within {}", timeout.unwrap_or_default())
        }
        (End::Lost(failure), _) => format!("cannot be read any more: {}", failure.what),
        (End::Blocked(blocked_on), _) => {
            let blocked_on = blocked_on
                .as_ref()
                .map_or("a person".to_owned(), describe_blocked_on);
            format!("waits for {blocked_on}, and `on-blocked` is `fail`")
        }
        (End::Stopped, Some(conclusion)) => {
            format!("ended as {conclusion} after the step was stopped")
        }
        (End::Stopped, None) => "did not end before the step was stopped".to_owned(),
    }
}

/// Returns the provider's own term for a conclusion, if it differs from [`Conclusion`]'s.
fn provider_says(target: &Target, snapshot: &Snapshot) -> String {
    let word = snapshot
        .provider_status
        .conclusion
        .as_ref()
        .unwrap_or(&snapshot.provider_status.state);
    let conclusion = snapshot.state.conclusion().map(Conclusion::as_str);
    let word = Some(word.as_str()).filter(|word| conclusion != Some(word));
    let reason = snapshot.provider_status.reason.as_deref();
    let said: Vec<_> = word.into_iter().chain(reason).map(one_line).collect();
    if said.is_empty() {
        return String::new();
    }
    format!(" ({}: {})", target.provider().name(), said.join(": "))
}

/// Returns the title and the lines of a failed job's log.
pub(crate) fn job_log(target: &Target, log: &JobLog) -> (String, String) {
    let step = log
        .job
        .failed_step
        .as_ref()
        .map(|step| format!(", failed in the step {}", one_line(&step.name)))
        .unwrap_or_default();
    let name = one_line(&log.job.name);
    let title = format!("{target}: the end of the log of job {name}{step}");
    let lines = match &log.lines {
        Ok(lines) if lines.is_empty() && log.is_cut => {
            "its last line is too long to be shown".to_owned()
        }
        Ok(lines) if lines.is_empty() => "it is empty".to_owned(),
        Ok(lines) => lines.join("\n"),
        Err(why) => format!("it cannot be shown: {why}"),
    };
    (title, lines)
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
