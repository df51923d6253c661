//! Tests of the poll loop in virtual time, with scripted polls: what it reports, when it polls, and how it ends.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};

use super::{WaitResult, Watch, wait};
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::model::{
    BlockedOn, Conclusion, End, Job, JobKind, News, OnBlocked, ProviderStatus, Snapshot, State,
    Times,
};
use crate::providers::any::ProviderKind;
use crate::providers::{Depth, Error, ErrorKind, Idempotency, Quota};
use crate::testing::arbitrary;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn snapshot(state: State) -> Snapshot {
    Snapshot {
        state,
        provider_status: ProviderStatus {
            state: state.as_str().to_owned(),
            ..ProviderStatus::default()
        },
        lacks_conclusion: false,
        number: None,
        attempt: None,
        times: Times::default(),
        changed: None,
        blocked_on: None,
        jobs: None,
        jobs_cut_at: None,
    }
}

/// The server's clock when a wait begins.
fn noon() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

pub(super) fn job(id: &str, state: State) -> Job {
    Job {
        id: id.to_owned(),
        name: id.to_owned(),
        kind: JobKind::Job,
        state,
        times: Times::default(),
        url: None,
        failed_step: None,
        log_size: None,
    }
}

fn failure(kind: ErrorKind) -> Error {
    Error::new(kind, "failed")
}

fn refusal(status: u16) -> Error {
    failure(ErrorKind::Rejected).with_response(arbitrary::empty_response(status))
}

const DONE: State = State::Completed(Conclusion::Success);

/// Returns a short label for a piece of news.
fn label(news: &News<'_>) -> String {
    match news {
        News::State { state, .. } => state.as_str().to_owned(),
        News::Job(job) => format!("job {} {}", job.name, job.state.as_str()),
        News::LongTurn => "long turn".to_owned(),
        News::Failing(_) => "failing".to_owned(),
        News::Readable => "readable".to_owned(),
        News::Heartbeat { done, all, .. } => format!("heartbeat {done}/{all}"),
        News::JobsUnreadable => "jobs unreadable".to_owned(),
        News::SomeJobs(read) => format!("only {read} jobs"),
        News::JobsDone { .. }
        | News::Cancelling
        | News::Retrying { .. }
        | News::NextAttempt(_)
        | News::RetryUnclear(_)
        | News::NotRetried(_)
        | News::RetriedLog(_)
        | News::Ended { .. }
        | News::Log(_)
        | News::LogsWithheld
        | News::MoreLogs(_) => {
            unreachable!("not the loop's, or recorded apart")
        }
    }
}

struct Recording {
    result: WaitResult,
    /// Second and label of each piece of news.
    news: Vec<(u64, String)>,
    /// The numbers of ended and of all jobs, whenever they were news.
    job_counts: Vec<(usize, usize)>,
    /// Second and depth of each poll.
    polls: Vec<(u64, Depth)>,
}

impl Recording {
    fn labels(&self) -> Vec<&str> {
        self.news.iter().map(|(_, label)| label.as_str()).collect()
    }

    fn seconds(&self, word: &str) -> Vec<u64> {
        let news = self.news.iter().filter(|(_, label)| label == word);
        news.map(|(second, _)| *second).collect()
    }
}

/// Waits for a run. `script` returns the response to a poll, given the run's age in seconds and the depth.
async fn simulate(
    on_blocked: OnBlocked,
    deadline: Duration,
    shutdown: &Shutdown,
    script: impl Fn(u64, Depth) -> Result<Snapshot, Error>,
) -> Recording {
    let start = Instant::now();
    let recorded = RefCell::new(Vec::new());
    let job_counts = RefCell::new(Vec::new());
    let polls = RefCell::new(Vec::new());
    let quota = Quota::new(ProviderKind::GitLab.poll_intervals().per_quota);
    let watch = Watch {
        accepted_at: start,
        deadline: start + deadline,
        server_deadline: noon() + deadline,
        on_blocked,
        intervals: ProviderKind::GitLab.poll_intervals(),
        quota: &quota,
    };
    let poll = async |depth| {
        sleep(Duration::from_millis(100)).await;
        let age = start.elapsed().as_secs();
        polls.borrow_mut().push((age, depth));
        let answer = script(age, depth);
        // Like the HTTP client.
        if let Err(ErrorKind::RateLimited(retry_after)) = answer.as_ref().map_err(Error::kind) {
            quota.record_rate_limit(Idempotency::Repeatable, retry_after);
        }
        answer
    };
    let emit = |news: News<'_>| {
        if let News::JobsDone { done, all } = news {
            return job_counts.borrow_mut().push((done, all));
        }
        let second = start.elapsed().as_secs();
        recorded.borrow_mut().push((second, label(&news)));
    };
    let result = wait(poll, &watch, shutdown, &emit).await;
    Recording {
        result,
        news: recorded.into_inner(),
        job_counts: job_counts.into_inner(),
        polls: polls.into_inner(),
    }
}

async fn simulate_default(script: impl Fn(u64, Depth) -> Result<Snapshot, Error>) -> Recording {
    let (_handle, shutdown) = Shutdown::manual();
    simulate(OnBlocked::Wait, Duration::from_hours(6), &shutdown, script).await
}

fn running_until(end: u64) -> impl Fn(u64, Depth) -> Result<Snapshot, Error> {
    move |age, _| Ok(snapshot(if age < end { State::Running } else { DONE }))
}

#[tokio::test(start_paused = true)]
async fn a_completed_run_ends_the_wait() {
    let recording = simulate_default(running_until(100)).await;
    assert!(matches!(
        recording.result.end,
        End::Completed(Conclusion::Success)
    ));
    assert_eq!(
        recording.result.snapshot.map(|snapshot| snapshot.state),
        Some(DONE)
    );
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_emitted_once_a_minute() {
    let recording = simulate_default(|age, depth| {
        let jobs = [job("a", DONE), job("b", State::Running)].to_vec();
        let state = if age < 200 { State::Running } else { DONE };
        let jobs = (depth == Depth::Jobs).then_some(jobs);
        Ok(Snapshot {
            jobs,
            ..snapshot(state)
        })
    })
    .await;
    assert_eq!(recording.seconds("heartbeat 1/2"), [60, 120, 180]);
    assert_eq!(recording.job_counts, [(1, 2)]);
    // Everything else is reported once.
    let labels = recording.labels();
    for word in ["running", "job a completed", "job b running"] {
        assert_eq!(
            labels.iter().filter(|label| **label == word).count(),
            1,
            "{word}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_read_as_soon_as_the_run_changes() {
    let recording = simulate_default(|age, depth| {
        let state = match age {
            0..50 => State::Queued,
            50..100 => State::Running,
            _ => DONE,
        };
        let jobs = (depth == Depth::Jobs).then(Vec::new);
        Ok(Snapshot {
            jobs,
            ..snapshot(state)
        })
    })
    .await;
    let first_seen = |from: u64| {
        let mut polls = recording.polls.iter().skip_while(|(age, _)| *age < from);
        polls
            .by_ref()
            .take(2)
            .any(|(_, depth)| *depth == Depth::Jobs)
    };
    assert!(first_seen(0) && first_seen(50) && first_seen(100));
    let is_shallow = |(_, depth): &(u64, Depth)| *depth == Depth::Run;
    assert!(recording.polls.iter().any(is_shallow));
}

#[tokio::test(start_paused = true)]
async fn failed_polls_are_reported_once_a_minute_and_do_not_end_the_wait() {
    for kind in [ErrorKind::Unknown, ErrorKind::Unreachable] {
        let recording = simulate_default(|age, _| match age {
            // Long enough for a third report however the polls fall, and too short for a fourth.
            30..205 => Err(failure(kind)),
            _ => running_until(230)(age, Depth::Run),
        })
        .await;
        assert!(matches!(recording.result.end, End::Completed(_)));
        let failing = recording.seconds("failing");
        assert_eq!(failing.len(), 3, "{failing:?}");
        assert!((30..35).contains(&failing[0]) && failing[1] - failing[0] >= 60);
        assert_eq!(recording.seconds("readable").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_lost_only_after_a_minute_of_refusals() {
    for status in [401, 403, 404, 410] {
        for seen_first in [0, 20] {
            let recording = simulate_default(|age, _| {
                if age < seen_first {
                    Ok(snapshot(State::Running))
                } else {
                    Err(refusal(status))
                }
            })
            .await;
            assert!(matches!(recording.result.end, End::Lost(_)));
            let refused = recording.polls.iter().filter(|(age, _)| *age >= seen_first);
            assert!(refused.count() >= 5, "{:?}", recording.polls);
            let last = recording.polls.last().unwrap().0;
            assert!((seen_first + 60..seen_first + 80).contains(&last), "{last}");
        }

        // Refused for nearly a minute, then readable again.
        let recording = simulate_default(|age, _| match age {
            20..78 => Err(refusal(status)),
            _ => running_until(100)(age, Depth::Run),
        })
        .await;
        assert!(matches!(recording.result.end, End::Completed(_)));
        assert_eq!(recording.seconds("readable").len(), 1);
    }
}

/// Untrusted certificates, redirects, and statuses that providers don't use to refuse a read.
#[tokio::test(start_paused = true)]
async fn a_run_is_not_lost_by_other_rejections() {
    for rejected in [
        || failure(ErrorKind::Rejected),
        || refusal(422),
        || refusal(302),
    ] {
        let recording = simulate_default(|age, _| match age {
            20..600 => Err(rejected()),
            _ => running_until(620)(age, Depth::Run),
        })
        .await;
        assert!(matches!(recording.result.end, End::Completed(_)));
    }
}

/// Any other failure in between resets the count.
#[tokio::test(start_paused = true)]
async fn a_run_is_lost_only_after_consecutive_refusals() {
    let count = Cell::new(0);
    let recording = simulate_default(|age, _| {
        count.set(count.get() + 1);
        match count.get() % 4 {
            _ if age >= 600 => Ok(snapshot(DONE)),
            0 => Err(failure(ErrorKind::Unknown)),
            _ => Err(refusal(404)),
        }
    })
    .await;
    assert!(matches!(recording.result.end, End::Completed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_missing_conclusion_is_waited_for_and_then_counts_as_failure() {
    let unconcluded = || Snapshot {
        lacks_conclusion: true,
        ..snapshot(State::Running)
    };
    let recording = simulate_default(|age, _| match age {
        0..20 => Ok(snapshot(State::Running)),
        20..45 => Ok(unconcluded()),
        _ => Ok(snapshot(DONE)),
    })
    .await;
    assert!(matches!(
        recording.result.end,
        End::Completed(Conclusion::Success)
    ));

    let recording = simulate_default(|_, _| Ok(unconcluded())).await;
    assert!(matches!(
        recording.result.end,
        End::Completed(Conclusion::Failure)
    ));
    let last = recording.polls.last().unwrap().0;
    assert!((30..40).contains(&last), "{last}");
    let state = recording.result.snapshot.map(|snapshot| snapshot.state);
    assert_eq!(state, Some(State::Completed(Conclusion::Failure)));
}

#[tokio::test(start_paused = true)]
async fn rate_limits_are_waited_out() {
    let recording = simulate_default(|age, _| match age {
        10..100 => Err(failure(ErrorKind::RateLimited(Some(Duration::from_mins(
            3,
        ))))),
        _ => running_until(300)(age, Depth::Run),
    })
    .await;
    let limited = recording
        .polls
        .iter()
        .position(|(age, _)| *age >= 10)
        .unwrap();
    let (before, after) = (recording.polls[limited].0, recording.polls[limited + 1].0);
    assert!((180..185).contains(&(after - before)), "{before} {after}");

    // Without a wait from the provider: a minute first, then longer.
    let recording = simulate_default(|age, _| match age {
        10..150 => Err(failure(ErrorKind::RateLimited(None))),
        _ => running_until(300)(age, Depth::Run),
    })
    .await;
    let limited = recording
        .polls
        .iter()
        .position(|(age, _)| *age >= 10)
        .unwrap();
    let times: Vec<_> = recording.polls[limited..]
        .iter()
        .map(|(age, _)| *age)
        .collect();
    assert!((60..65).contains(&(times[1] - times[0])), "{times:?}");
    assert!((120..130).contains(&(times[2] - times[1])), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_wait() {
    let (_handle, shutdown) = Shutdown::manual();
    let minute = Duration::from_mins(1);
    let start = Instant::now();
    let recording = simulate(OnBlocked::Wait, minute, &shutdown, |_, _| {
        Ok(snapshot(State::Running))
    })
    .await;
    assert!(matches!(recording.result.end, End::TimedOut(_)));
    // The last poll takes time too.
    let took = start.elapsed();
    assert!(took < minute + SECOND, "{took:?}");
}

/// The poll before the deadline may have been long ago, or may have failed.
#[tokio::test(start_paused = true)]
async fn a_run_that_ended_before_the_deadline_keeps_its_conclusion() {
    let ended_at = |second: u64| Snapshot {
        times: Times {
            completed: Some(noon() + Duration::from_secs(second)),
            ..Times::default()
        },
        ..snapshot(DONE)
    };
    let (_handle, shutdown) = Shutdown::manual();
    let cases: [(u64, Option<Conclusion>); 3] = [
        (59, Some(Conclusion::Success)),
        (62, Some(Conclusion::Success)),
        (64, None),
    ];
    for (second, expected) in cases {
        let recording = simulate(
            OnBlocked::Wait,
            Duration::from_mins(1),
            &shutdown,
            |age, _| {
                if age < 60 {
                    Err(failure(ErrorKind::Unknown))
                } else {
                    Ok(ended_at(second))
                }
            },
        )
        .await;
        let end = match recording.result.end {
            End::Completed(conclusion) => Some(conclusion),
            End::TimedOut(_) | End::Lost(_) | End::Blocked(_) | End::Stopped => None,
        };
        assert_eq!(end, expected, "{second}");
        assert_eq!(
            recording.result.snapshot.map(|snapshot| snapshot.state),
            Some(DONE)
        );
    }
    let hanging = async |_| -> Result<Snapshot, Error> {
        sleep(Duration::from_hours(1)).await;
        Ok(snapshot(DONE))
    };
    let start = Instant::now();
    let quota = Quota::new(ProviderKind::GitLab.poll_intervals().per_quota);
    let watch = Watch {
        accepted_at: start,
        deadline: start + Duration::from_mins(1),
        server_deadline: noon() + Duration::from_mins(1),
        on_blocked: OnBlocked::Wait,
        intervals: ProviderKind::GitLab.poll_intervals(),
        quota: &quota,
    };
    let waited = wait(hanging, &watch, &shutdown, &|_| {}).await;
    assert!(matches!(waited.end, End::TimedOut(_)));
    assert_eq!(start.elapsed(), Duration::from_secs(70));
}

/// After a rejection or a rate limit, another poll would not help.
#[tokio::test(start_paused = true)]
async fn the_poll_after_the_deadline_is_repeated_after_temporary_failures() {
    let (_handle, shutdown) = Shutdown::manual();
    let late_polls = async |failure: fn() -> Error| {
        let minute = Duration::from_mins(1);
        let recording = simulate(OnBlocked::Wait, minute, &shutdown, |age, _| match age {
            0..60 => Ok(snapshot(State::Running)),
            60..65 => Err(failure()),
            _ => Ok(snapshot(DONE)),
        })
        .await;
        let polls = recording.polls.iter();
        let failed = polls.filter(|(second, _)| (60..65).contains(second));
        (
            failed.count(),
            matches!(recording.result.end, End::Completed(_)),
        )
    };
    let temporary = [
        || failure(ErrorKind::Unknown),
        || failure(ErrorKind::Unreachable),
    ];
    for failure in temporary {
        assert_eq!(late_polls(failure).await, (5, true));
    }
    let final_failures = [|| refusal(404), || failure(ErrorKind::RateLimited(None))];
    for failure in final_failures {
        assert_eq!(late_polls(failure).await, (1, false));
    }
}

/// The jobs can't be read, and the deadline passes during the attempts.
#[tokio::test(start_paused = true)]
async fn an_end_seen_before_the_deadline_counts_without_jobs() {
    let (_handle, shutdown) = Shutdown::manual();
    let deadline = 14 * SECOND;
    let recording = simulate(OnBlocked::Wait, deadline, &shutdown, running_until(10)).await;
    assert!(matches!(recording.result.end, End::Completed(_)));
    assert_eq!(
        recording.result.snapshot.map(|snapshot| snapshot.state),
        Some(DONE)
    );
    // The poll that saw the end, and the attempts to read the jobs.
    let at_the_end = recording.polls.iter().filter(|(age, _)| *age >= 10);
    assert_eq!(at_the_end.count(), 5, "{:?}", recording.polls);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_wait_at_once() {
    let (handle, shutdown) = Shutdown::manual();
    let start = Instant::now();
    let waiting = simulate(
        OnBlocked::Wait,
        Duration::from_hours(6),
        &shutdown,
        |_, _| Ok(snapshot(State::Running)),
    );
    let stopping = async {
        sleep(33 * SECOND).await;
        handle.request(ShutdownMode::Graceful);
    };
    let (recording, ()) = tokio::join!(waiting, stopping);
    assert!(matches!(recording.result.end, End::Stopped));
    assert_eq!(start.elapsed(), 33 * SECOND);
    assert!(recording.result.snapshot.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_blocked_run_is_waited_for_unless_on_blocked_is_fail() {
    let blocked = |age, _| {
        let blocked_on = Some(BlockedOn::Person("approval".to_owned()));
        Ok(match age {
            10..100 => Snapshot {
                blocked_on,
                ..snapshot(State::Blocked)
            },
            100.. => snapshot(DONE),
            _ => snapshot(State::Running),
        })
    };
    let recording = simulate_default(blocked).await;
    assert!(matches!(recording.result.end, End::Completed(_)));
    assert_eq!(recording.labels()[..2], ["running", "blocked"]);

    let (_handle, shutdown) = Shutdown::manual();
    let recording = simulate(OnBlocked::Fail, Duration::from_hours(6), &shutdown, blocked).await;
    assert!(matches!(
        recording.result.end,
        End::Blocked(Some(BlockedOn::Person(_)))
    ));
    assert!(recording.polls.last().unwrap().0 < 15);
}

#[tokio::test(start_paused = true)]
async fn a_long_queue_wait_is_warned_about_once() {
    let recording = simulate_default(|age, _| {
        let blocked_on = Some(BlockedOn::Turn { position: Some(1) });
        Ok(if age < 300 {
            Snapshot {
                blocked_on,
                ..snapshot(State::Queued)
            }
        } else {
            snapshot(DONE)
        })
    })
    .await;
    let warned = recording.seconds("long turn");
    assert_eq!(warned.len(), 1);
    assert!((60..75).contains(&warned[0]), "{warned:?}");
}
