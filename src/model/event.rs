//! Progress events. Lower modules send them to a sink; the modules above decide what to print.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::model::{
    BlockedOn, Conclusion, End, Job, JobLog, NotRetried, Run, Secret, Snapshot, Started, State,
};

pub(crate) enum Event<'what> {
    /// The target is being triggered.
    Beginning,
    /// The target's commit status is its memory, and has to say this before the step goes on.
    Remember(&'what Started),
    /// A new secret was obtained. It must be masked before anything else is printed.
    Minted(&'what Secret),
    /// No ref was given, so the target's default branch, with this name, is used.
    DefaultReference(&'what str),
    /// A request is retried after a pause. Nothing has been started.
    Waiting { why: &'what str, pause: Duration },
    /// The trigger is about to be sent.
    Sending,
    /// The trigger was rejected for a reason that allows sending its fallback form.
    Fallback(&'what str),
    /// Something that was found out before the trigger, as a fragment.
    Note(&'what str),
    /// The same, if somebody should act on it soon.
    Caution(&'what str),
    /// The trigger was accepted, and the response identifies the run.
    Accepted(&'what Run),
    /// The trigger was accepted, but the response doesn't identify a run. Contains the page that lists the runs.
    AcceptedWithoutRun(&'what str),
    /// The request that a dry run doesn't send. Secrets in it are hidden.
    WouldSend { url: &'what Url, body: &'what str },
    /// It's unknown whether the trigger was accepted, for this reason. A search for its run begins.
    LookingInto(&'what str),
    /// No run has been found for a while. The search goes on; `page` lists the runs.
    NothingFoundYet { page: &'what str },
    /// A run was found that the trigger most likely started.
    Found(&'what Run),
    /// An earlier attempt of the job has started this run. It is taken up, or repeated because it has failed.
    Recalled {
        run: &'what Run,
        conclusion: Option<Conclusion>,
        is_repeated: bool,
    },
    /// The step begins to wait for a run that was started elsewhere.
    Following(&'what Run),
    /// News of a run that the step waits for.
    Run { run: &'what Run, news: News<'what> },
    /// A debug message.
    Trace(fmt::Arguments<'what>),
}

/// News of a run that the step waits for.
pub(crate) enum News<'what> {
    /// Its state, or what it's blocked on, has changed.
    State {
        state: State,
        blocked_on: Option<&'what BlockedOn>,
    },
    /// A job has started, ended, or needs a person.
    Job(&'what Job),
    /// This many of its known jobs have ended.
    JobsDone { done: usize, all: usize },
    /// It has been queued in its concurrency group for so long that it may be waiting for the calling workflow.
    LongTurn,
    /// A poll failed, for this reason.
    Failing(&'what str),
    /// Polls succeed again.
    Readable,
    /// Nothing has changed for a while.
    Heartbeat {
        /// Since the trigger.
        elapsed: Duration,
        /// `None` until a poll succeeds.
        state: Option<State>,
        /// Number of known jobs that have ended.
        done: usize,
        /// Number of known jobs.
        all: usize,
    },
    /// It failed, and its failed jobs are run again.
    Retrying {
        end: &'what End,
        snapshot: &'what Snapshot,
        /// Counted from 1.
        number: u32,
        /// How many retries there may be.
        of: u32,
    },
    /// The request to re-run its failed jobs is about to be sent. If it succeeds, the run continues as this attempt.
    NextAttempt(&'what Run),
    /// It's unclear for this reason whether the provider accepted that request.
    RetryUnclear(&'what str),
    /// Its failed jobs aren't run again, for this reason.
    NotRetried(&'what NotRetried),
    /// The step stops waiting and cancels the run.
    Cancelling,
    /// The wait is over.
    Ended {
        end: &'what End,
        conclusion: Option<Conclusion>,
        snapshot: Option<&'what Snapshot>,
    },
    /// The log of a failed job.
    Log(&'what JobLog),
    /// The same, of an attempt that is retried. It isn't kept.
    RetriedLog(&'what JobLog),
    /// The logs of failed jobs are omitted, because more people could read them here than at the target.
    LogsWithheld,
    /// Number of further failed jobs whose logs aren't shown.
    MoreLogs(usize),
    /// The jobs of a run that has ended can't be read.
    JobsUnreadable,
    /// Only this number of the run's jobs were read.
    SomeJobs(usize),
}

/// Receives events.
pub(crate) type Sink<'a> = &'a dyn Fn(Event<'_>);
