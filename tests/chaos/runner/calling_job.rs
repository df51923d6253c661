//! Runs all attempts of a calling job, one after the other, in the same world.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use sandbox::world::CommitStatus;
use sandbox::{RecordedRequest, Run, Sandbox};
use serde_json::Value;

use super::{
    History, describe_requests, describe_runs, results, start_and_watch, start_sandbox, step,
};
use crate::case::{Attempt, CallingJob};
use crate::harness::Done;

/// Observations after the last attempt has ended.
#[derive(Clone, Debug)]
pub(crate) struct ObservedJob {
    pub(crate) attempts: Vec<ObservedAttempt>,
    /// All runs, whoever started them.
    pub(crate) runs: Vec<Run>,
    pub(crate) requests: Vec<RecordedRequest>,
    pub(crate) statuses: Vec<CommitStatus>,
}

#[derive(Clone, Debug)]
pub(crate) struct ObservedAttempt {
    pub(crate) started_at: SystemTime,
    pub(crate) ended_at: SystemTime,
    /// How long the step went on after each signal.
    pub(crate) after_signals: Vec<Duration>,
    /// Its code is `None` if it was killed.
    pub(crate) done: Done,
    /// The output `results`, as far as it got.
    pub(crate) results: Vec<Value>,
}

pub(crate) fn run_attempts(job: &CallingJob) -> ObservedJob {
    let sandbox = start_sandbox(&job.case, job.world());
    let mut history = History::default();
    let attempts = job.attempts.iter().enumerate();
    let attempts = attempts.map(|(index, attempt)| {
        if index > 0 {
            thread::sleep(attempt.pause);
            // Its end may have come before that of an outage.
            sandbox.open();
        }
        if job.is_calm(index) {
            sandbox.clear_faults();
        }
        run_attempt(job, index, attempt, &sandbox, &mut history)
    });
    ObservedJob {
        attempts: attempts.collect(),
        runs: sandbox.runs(),
        requests: sandbox.requests(),
        statuses: sandbox.statuses(),
    }
}

fn run_attempt(
    job: &CallingJob,
    index: usize,
    attempt: &Attempt,
    sandbox: &Sandbox,
    history: &mut History,
) -> ObservedAttempt {
    let inputs = |target: &_| job.inputs(target, index, sandbox);
    let step = step(&job.case, sandbox, inputs)
        .secret(job.gitlab_token)
        .input("on-rerun", "once")
        .input("status", &job.has_statuses.to_string())
        .environment("GITHUB_RUN_ATTEMPT", &(index + 1).to_string());
    history.signals.clear();
    let started_at = SystemTime::now();
    let child = start_and_watch(&job.case, &attempt.incidents, sandbox, &step, history);
    let (ended, ended_at) = (Instant::now(), SystemTime::now());
    let done = step.finish(child);
    ObservedAttempt {
        started_at,
        ended_at,
        after_signals: history.signals.iter().map(|at| ended - *at).collect(),
        results: results(&done),
        done,
    }
}

impl ObservedJob {
    /// Everything that helps to understand a failure.
    pub(crate) fn describe(&self) -> String {
        let began = self.attempts.first().map(|attempt| attempt.started_at);
        let attempts = self.attempts.iter().enumerate();
        let attempts = attempts.map(|(index, attempt)| {
            let since = |time: SystemTime| {
                let began = began.unwrap_or(time);
                time.duration_since(began).unwrap_or_default()
            };
            let (from, to) = (since(attempt.started_at), since(attempt.ended_at));
            let number = index + 1;
            format!(
                "--- attempt {number}, {from:.2?} to {to:.2?}\n{}\n",
                attempt.done
            )
        });
        let attempts: String = attempts.collect();
        let (requests, runs) = (describe_requests(&self.requests), describe_runs(&self.runs));
        let statuses = self.statuses.iter().map(|status| {
            let description = status.description.as_deref().unwrap_or_default();
            let page = status.target_url.as_deref().unwrap_or_default();
            format!("{}: {description} {page}\n", status.context)
        });
        let statuses: String = statuses.collect();
        format!("{attempts}--- requests\n{requests}--- runs\n{runs}--- statuses\n{statuses}")
    }
}
