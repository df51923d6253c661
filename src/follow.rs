//! What comes after the trigger: find the runs, wait for them, read back what they leave behind, and
//! leave nothing running that should not be.

mod bounds;
mod followed;
mod harvest;

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until, timeout};

pub(crate) use bounds::Bounds;
pub(crate) use followed::{Followed, FollowedRun};

use crate::abandon::abandon;
use crate::event::{Event, News, Sink};
use crate::find::{self, Cut, Found, Limits, Search, find};
use crate::kin::Kin;
use crate::provider::Connection;
use crate::provider::http::Http;
use crate::run::{Conclusion, End, Failure, Outcome, Run};
use crate::stop::{Stop, Urgency};
use crate::target::{Call, RUN_NAME, Target, Wait};
use crate::trigger::Triggered;
use crate::wait::{Watch, wait};

/// For one last look for a run when the step has to end.
const LAST_LOOK: Duration = Duration::from_millis(1_500);
/// Most candidates that are named.
const MOST_NAMED: usize = 10;

/// Everything that is at hand once the trigger went out.
pub(crate) struct Following<'a, 'target> {
    pub(crate) target: &'a Target,
    pub(crate) connection: &'a Connection<'target>,
    pub(crate) http: &'a Http<'target>,
    /// Runs that were there before the trigger.
    pub(crate) seen: &'a HashSet<String>,
    /// When the trigger went out, by our clock.
    pub(crate) sent: SystemTime,
    /// When it was first tried: the time of the wait counts from there.
    pub(crate) began: Instant,
    pub(crate) kin: &'a Kin<'target>,
    /// How much all of them may do at once.
    pub(crate) bounds: &'a Bounds,
    pub(crate) stop: &'a Stop,
    pub(crate) tell: Sink<'a>,
}

/// Follows what a trigger started, if that is asked for or has to be found out. An unknown outcome may
/// turn out to be an accepted one.
pub(crate) async fn follow(following: &Following<'_, '_>, triggered: &mut Triggered) -> Followed {
    let wait = following.target.wait.as_ref();
    let mut followed = Followed::default();
    match triggered.outcome {
        Outcome::Unknown => Box::pin(following.look_into(triggered)).await,
        Outcome::Accepted if triggered.runs.is_empty() && wait.is_some() => {
            let found = Box::pin(following.find(Limits::ACCEPTED)).await;
            following.judge(&found, &mut followed);
            triggered.runs = found.runs;
        }
        Outcome::Accepted | Outcome::Rejected | Outcome::NotSent => {}
    }
    let runs = std::mem::take(&mut triggered.runs);
    let Some(wait) = wait else {
        return Followed::unwatched(runs);
    };
    if triggered.outcome == Outcome::Unknown {
        followed.left_running = Some("nobody knows whether it was started".to_owned());
    }
    let runs = runs.into_iter().map(|run| following.watch(run, wait));
    followed.runs = join_all(runs).await;
    followed.conclude();
    if let Some(artifact) = &wait.result {
        Box::pin(following.read_back(artifact, &mut followed)).await;
    }
    followed
}

impl Following<'_, '_> {
    /// Looks whether a trigger that nobody knows of has started something.
    async fn look_into(&self, triggered: &mut Triggered) {
        // In a hurry only a marker can tell.
        if self.stop.is_asked() && self.target.marker().is_none() {
            return;
        }
        let why = triggered.unclear.as_deref().unwrap_or_default();
        (self.tell)(Event::LookingInto(why));
        let mut found = self.find(Limits::UNKNOWN).await;
        if found.unsure.is_empty() && !found.runs.is_empty() {
            triggered.outcome = Outcome::Accepted;
            triggered.failure = None;
            triggered.runs = std::mem::take(&mut found.runs);
            return;
        }
        let seconds = Limits::UNKNOWN.all.as_secs();
        let looked = match (&found.failure, found.unsure.first()) {
            (_, Some(several)) => {
                format!("any of these runs could be it: {}", named(several))
            }
            (Some(error), None) => format!("its runs could not be read: {}", error.message()),
            (None, None) if found.cut.is_some() => {
                "its run was not found before the step had to end".to_owned()
            }
            (None, None) => format!("no run of it was seen within {seconds} s"),
        };
        if let Some(failure) = &mut triggered.failure {
            failure.what = format!("{}; {looked}", failure.what);
        }
    }

    async fn find(&self, limits: Limits) -> Found {
        let search = Search {
            connection: self.connection,
            http: self.http,
            seen: self.seen,
            sent: self.sent,
            kin: self.kin,
            looks: &self.bounds.looks,
            known: RefCell::default(),
        };
        let told = RefCell::new(HashSet::new());
        let saw = |run: &Run| {
            self.kin.claim(run);
            if told.borrow_mut().insert(run.id.clone()) {
                (self.tell)(Event::Found(run));
            }
        };
        let cut = tokio::select! {
            found = find(&search, limits, &saw) => {
                if found.unsure.is_empty() && !found.runs.is_empty() {
                    self.kin.settle();
                }
                return found;
            }
            () = self.stop.asked(Urgency::Soon) => Cut::Stopped,
            () = self.deadline() => Cut::TimedOut,
        };
        tokio::select! {
            _ = timeout(LAST_LOOK, find::once(&search)) => {}
            () = self.stop.asked(Urgency::Now) => {}
        }
        let mut found = search.in_a_hurry();
        found.runs.iter().for_each(saw);
        found.cut = Some(cut);
        found
    }

    /// Returns when the time of the wait is over, if it is waited.
    async fn deadline(&self) {
        match &self.target.wait {
            Some(wait) => sleep_until(self.began + wait.timeout).await,
            None => std::future::pending().await,
        }
    }

    /// What it means that runs of an accepted trigger were not found.
    fn judge(&self, found: &Found, followed: &mut Followed) {
        for several in &found.unsure {
            let what = match several.as_slice() {
                [one] if found.cut.is_some() => format!(
                    "{} could be ours, and the step had to end before that was clear",
                    one.url
                ),
                [one] => format!(
                    "{} could be ours, or of another target of this step",
                    one.url
                ),
                _ => format!(
                    "{} has several runs any of which could be ours: {}",
                    several.first().map_or("", |run| run.workflow.as_str()),
                    named(several)
                ),
            };
            followed.unfound.push(Failure {
                what,
                remedy: Some(self.how_to_mark()),
                causes: Vec::new(),
            });
        }
        if found.unsure.is_empty() && !found.runs.is_empty() {
            return;
        }
        followed.conclusion = match found.cut {
            None => Some(Conclusion::Lost),
            Some(Cut::TimedOut) => Some(Conclusion::TimedOut),
            Some(Cut::Stopped) => None,
        };
        if !found.unsure.is_empty() {
            let all: Vec<_> = found.unsure.iter().map(|several| named(several)).collect();
            followed.left_running = Some(format!(
                "what could be ours was not cancelled: {}",
                all.join(", ")
            ));
            return;
        }
        let seconds = Limits::ACCEPTED.first.as_secs();
        followed.left_running = Some("no run of it was found, and one may yet start".to_owned());
        let (what, remedy) = match (&found.failure, &self.target.call) {
            _ if found.cut.is_some() => (
                "no run of it was found before the step had to end".to_owned(),
                format!("look whether it runs at {}", self.connection.runs_page()),
            ),
            (Some(error), _) => (
                format!("its runs could not be read: {}", error.message()),
                format!("look whether it runs at {}", self.connection.runs_page()),
            ),
            (None, _) if !found.others.is_empty() => (
                format!(
                    "no run bears the marker within {seconds} s; these are there, and could be it: {}",
                    named(&found.others)
                ),
                self.how_to_mark(),
            ),
            (None, Call::GitHub(_)) if self.target.marker().is_some() => (
                format!("no run was seen within {seconds} s: no workflow of the default branch listens to that event type"),
                "add `on: repository_dispatch: types:` with it to a workflow on the default branch, and check `event-type` and that the workflow is enabled".to_owned(),
            ),
            (None, _) => (
                format!("no run was seen within {seconds} s"),
                format!("look whether it runs at {}", self.connection.runs_page()),
            ),
        };
        followed.unfound.push(Failure {
            what,
            remedy: Some(remedy),
            causes: Vec::new(),
        });
    }

    fn how_to_mark(&self) -> String {
        if self.target.marker().is_some() {
            format!(
                "add this line to the workflow, so that its run can be told from others: {RUN_NAME}"
            )
        } else {
            format!(
                "this server does not tell which run it starts: start no others of that workflow at the same time, and look at {}",
                self.connection.runs_page()
            )
        }
    }

    /// Waits for one run, and sees to it that it does not go on without us.
    async fn watch(&self, run: Run, wait_for: &Wait) -> FollowedRun {
        let tell = |news: News<'_>| (self.tell)(Event::Run { run: &run, news });
        let watch = Watch {
            since: self.began,
            deadline: self.began + wait_for.timeout,
            on_blocked: wait_for.on_blocked,
            pace: self.connection.pace(),
            account: self.http.account(),
        };
        let look = async |depth| {
            let _slot = self.bounds.looks.acquire().await;
            Box::pin(self.connection.look(&run, depth)).await
        };
        let waited = wait(look, &watch, self.stop, &tell).await;
        let mut look = waited.look;
        let mut left_running = None;
        let conclusion = match &waited.end {
            End::Completed(conclusion) => Some(*conclusion),
            End::Lost(failure) => {
                left_running = Some(format!("it cannot be read any more: {}", failure.what));
                Some(Conclusion::Lost)
            }
            End::TimedOut | End::Blocked(_) | End::Stopped => {
                let policy = wait_for.on_abandoned;
                let slots = &self.bounds.cancels;
                let abandoning = abandon(self.connection, &run, policy, slots, self.stop, &tell);
                let abandoned = Box::pin(abandoning).await;
                left_running = abandoned.left_running;
                look = abandoned.look.or(look);
                match waited.end {
                    End::TimedOut => Some(Conclusion::TimedOut),
                    End::Blocked(_) => Some(Conclusion::Failure),
                    End::Stopped | End::Completed(_) | End::Lost(_) => {
                        look.as_ref().and_then(|look| look.state.conclusion())
                    }
                }
            }
        };
        tell(News::Ended {
            end: &waited.end,
            conclusion,
            look: look.as_ref(),
        });
        let logs = Box::pin(self.logs(&run, look.as_ref(), wait_for, &tell)).await;
        let number = look.as_ref().and_then(|look| look.number).or(run.number);
        FollowedRun {
            run: Run { number, ..run },
            end: Some(waited.end),
            conclusion,
            look,
            logs,
            logs_let_go: 0,
            left_running,
        }
    }
}

fn named(candidates: &[crate::provider::Candidate]) -> String {
    let urls = candidates.iter().map(|candidate| candidate.url.as_str());
    let mut named: Vec<_> = urls.take(MOST_NAMED).collect();
    if candidates.len() > MOST_NAMED {
        named.push("and more");
    }
    named.join(", ")
}
