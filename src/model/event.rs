//! What happens on the way, as values. Lower rooms send them to a sink that they are given; what is
//! printed of them is decided above.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::model::{BlockedOn, Conclusion, End, Job, JobLog, Run, Secret, Snapshot, State};

/// Something that happened.
pub(crate) enum Event<'what> {
    /// It is this target's turn.
    Beginning,
    /// A secret came to be known that must be masked before anything else happens.
    Minted(&'what Secret),
    /// No ref was given; this is the target's default branch.
    DefaultReference(&'what str),
    /// It is tried again after a while: nothing has been started.
    Waiting { why: &'what str, pause: Duration },
    /// The trigger goes on the wire now.
    Sending,
    /// The first form of the trigger was rejected for a reason that allows a second one.
    Fallback(&'what str),
    /// The trigger was accepted, and the answer tells the run.
    Accepted(&'what Run),
    /// The trigger was accepted, and the answer tells no run: the page to look at.
    AcceptedWithoutRun(&'what str),
    /// What would be sent if this were no dry run. Secrets are hidden in it.
    WouldSend { url: &'what Url, body: &'what str },
    /// Nobody knows whether the trigger was accepted, for this reason; runs are looked for.
    LookingInto(&'what str),
    /// No run has been found for a while. It is looked for all the same; a person would look at this page.
    NothingFoundYet { page: &'what str },
    /// A run was found that the trigger started, for all that is known.
    Found(&'what Run),
    /// A run that is waited for goes on.
    Run { run: &'what Run, news: News<'what> },
    /// For those who debug.
    Trace(fmt::Arguments<'what>),
}

/// What is new of a run that is waited for.
pub(crate) enum News<'what> {
    /// It is elsewhere than before, or is held by something else.
    State {
        state: State,
        blocked_on: Option<&'what BlockedOn>,
    },
    /// A job has begun, ended, or needs a person.
    Job(&'what Job),
    /// It waits for its turn for so long that it may be waiting for us.
    LongTurn,
    /// It cannot be looked at for now.
    Failing(&'what str),
    /// It can be looked at again.
    Readable,
    /// Nothing has changed for a while.
    Heartbeat {
        /// Since the trigger.
        elapsed: Duration,
        /// `None` as long as there was no good look.
        state: Option<State>,
        /// Jobs that have ended, of those that are known.
        done: usize,
        all: usize,
    },
    /// We wait no longer, and ask for its end.
    Cancelling,
    /// It is over, for us at least.
    Ended {
        end: &'what End,
        conclusion: Option<Conclusion>,
        snapshot: Option<&'what Snapshot>,
    },
    /// A job's log, after it failed.
    Log(&'what JobLog),
    /// The logs of failed jobs are left out, since more people would see them here than at the target.
    LogsWithheld,
    /// So many more jobs failed whose logs are not shown.
    MoreLogs(usize),
}

/// Where events go.
pub(crate) type Sink<'a> = &'a dyn Fn(Event<'_>);
