//! Which run is ours: by marker, by timing. Where the answer named the run, there is nothing to find.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::kin::Kin;
use crate::provider::http::Http;
use crate::provider::{Candidate, Claim, Connection, Error, Kind, Nature};
use crate::run::{MatchedBy, Run};

/// A run may seem to have come to be so long before the trigger went out: providers round times, and
/// their machines' clocks differ.
const SLACK: Duration = Duration::from_secs(3);
/// One trigger may start several runs; after so long without a new one they are all there.
const QUIET: Duration = Duration::from_secs(10);
/// Refusals in a row after which nothing more can be read.
const MOST_REFUSALS: u32 = 3;

/// Where and since when runs are looked for.
pub(crate) struct Search<'a, 'target> {
    pub(crate) connection: &'a Connection<'target>,
    pub(crate) http: &'a Http<'target>,
    /// Runs that were there before the trigger, whatever the clocks say.
    pub(crate) seen: &'a HashSet<String>,
    /// When the trigger went out, by our clock.
    pub(crate) sent: SystemTime,
    pub(crate) kin: &'a Kin<'target>,
    /// Bounds how many look at once.
    pub(crate) looks: &'a Semaphore,
    /// All that was seen so far, by id: lists are not always up to date, and what was there once, is.
    pub(crate) known: RefCell<BTreeMap<String, Candidate>>,
}

/// How long runs are looked for.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Until there is a first one.
    pub(crate) first: Duration,
    /// Until there are all of them.
    pub(crate) all: Duration,
    /// When a rate limit keeps us from looking.
    on_limit: OnLimit,
}

/// What becomes of a search that a rate limit outlasts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnLimit {
    /// It goes on afterwards: that time does not count.
    WaitOut,
    GiveUp,
}

impl Limits {
    /// After a trigger that was accepted.
    pub(crate) const ACCEPTED: Self = Self {
        first: Duration::from_mins(1),
        all: Duration::from_mins(2),
        on_limit: OnLimit::WaitOut,
    };
    /// After one of which nobody knows whether it was.
    pub(crate) const UNKNOWN: Self = Self {
        first: Duration::from_secs(30),
        all: Duration::from_secs(30),
        on_limit: OnLimit::GiveUp,
    };
}

/// What the only run that fits is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    IsOurs,
    IsUnsure,
}

/// Whether a look waits for its turn among all looks with its credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Awaited,
    /// There is no time for that: what is found now can still be cancelled.
    Skipped,
}

/// What ended a search early.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Stopped,
    TimedOut,
}

/// What a search came to.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) runs: Vec<Run>,
    /// Of each workflow with runs any of which could be ours: those runs.
    pub(crate) unsure: Vec<Vec<Candidate>>,
    /// Runs of the same kind since the trigger that are not ours for all that is known.
    pub(crate) others: Vec<Candidate>,
    /// Why the runs could not be read, if they could not.
    pub(crate) failure: Option<Error>,
    /// Why there was no time to look for all of them.
    pub(crate) cut: Option<Cut>,
}

/// Looks for the runs of a trigger until they are all there, or it is time. Those that are ours for sure
/// are told as soon as they are seen, and again; the others when it is clear that nothing else could be it.
pub(crate) async fn find(search: &Search<'_, '_>, limits: Limits, saw: &dyn Fn(&Run)) -> Found {
    let found = collect(search, limits, saw).await;
    found.runs.iter().for_each(saw);
    found
}

async fn collect(search: &Search<'_, '_>, limits: Limits, saw: &dyn Fn(&Run)) -> Found {
    let account = search.http.account();
    let mut start = Instant::now();
    let mut found = Found::default();
    let mut changed = start;
    let mut refusals = 0;
    loop {
        let limited = account.left();
        if limits.on_limit == OnLimit::WaitOut {
            account.pass().await;
            start += limited;
            changed += limited;
        } else if limited > limits.all.saturating_sub(start.elapsed()) {
            let error = || Error::new(Kind::RateLimited(None), "too many requests");
            found.failure.get_or_insert_with(error);
            return found;
        }
        match look(search, Turn::Awaited).await {
            Ok(()) => {
                refusals = 0;
                account.answered(Nature::Read);
                let now = search.judge(Alone::IsOurs);
                if !now.is_like(&found) {
                    changed = Instant::now();
                }
                let sure = now.runs.iter().filter(|run| run.matched_by.is_sure());
                sure.for_each(saw);
                found = now;
            }
            Err(error) => {
                match error.kind() {
                    Kind::Rejected => refusals += 1,
                    Kind::RateLimited(said) => {
                        account.refused(said);
                    }
                    Kind::Unreachable | Kind::Unknown => {}
                }
                found.failure = Some(error);
                if refusals == MOST_REFUSALS {
                    return found;
                }
            }
        }
        let limit = if found.is_nothing() {
            limits.first
        } else if search.kin.is_uncertain() {
            // What others have started may become known, and then what is ours.
            limits.all
        } else {
            limits.all.min(changed - start + QUIET)
        };
        let left = limit.saturating_sub(start.elapsed());
        // A rate limit that this look has met is waited out first, and does not count.
        let is_over = limits.on_limit == OnLimit::GiveUp || account.left().is_zero();
        if left.is_zero() && is_over {
            return found;
        }
        sleep(search.connection.pace().shortest.min(left)).await;
    }
}

/// Looks once more, out of turn.
pub(crate) async fn once(search: &Search<'_, '_>) {
    // What was seen before still counts if this fails.
    let _ = look(search, Turn::Skipped).await;
}

/// Keeps what there is.
async fn look(search: &Search<'_, '_>, turn: Turn) -> Result<(), Error> {
    let since = || search.http.at_server(search.sent) - SLACK;
    let candidates = loop {
        if turn == Turn::Awaited {
            search.http.account().turn().await;
        }
        let asked = since();
        let slot = search.looks.acquire().await;
        let candidates = search.connection.recent(Some(asked)).await?;
        drop(slot);
        // The first answer of a server tells its clock: older runs may be among these by ours.
        if since() == asked {
            break candidates;
        }
    };
    let new = candidates.into_iter();
    let new = new.filter(|candidate| !search.seen.contains(&candidate.id));
    let mut known = search.known.borrow_mut();
    known.extend(new.map(|candidate| (candidate.id.clone(), candidate)));
    Ok(())
}

impl Search<'_, '_> {
    /// What is known when there is no more time. Nothing is told by its time: another run may be about to appear.
    pub(crate) fn in_a_hurry(&self) -> Found {
        self.judge(Alone::IsUnsure)
    }

    /// Which of those known are ours, those set aside that are known to be another target's.
    fn judge(&self, alone: Alone) -> Found {
        let known = self.known.borrow();
        let candidates = known.values().cloned();
        let candidates = candidates.filter(|candidate| !self.kin.has_another(&candidate.id));
        if self.kin.is_uncertain() {
            judge(candidates, Alone::IsUnsure)
        } else {
            judge(candidates, alone)
        }
    }
}

/// Which of these are ours. Each workflow is judged by itself: one trigger may start runs of several.
fn judge(candidates: impl IntoIterator<Item = Candidate>, alone: Alone) -> Found {
    let mut found = Found::default();
    let mut workflows: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        match candidate.claim {
            Claim::Other => found.others.push(candidate),
            Claim::Marked | Claim::Fits => workflows
                .entry(candidate.workflow.clone())
                .or_default()
                .push(candidate),
        }
    }
    for claimants in workflows.into_values() {
        let (marked, fitting): (Vec<_>, Vec<_>) = claimants
            .into_iter()
            .partition(|candidate| candidate.claim == Claim::Marked);
        match (marked.is_empty(), fitting.len()) {
            (false, _) => {
                let ours = marked.into_iter();
                found
                    .runs
                    .extend(ours.map(|run| run.matched(MatchedBy::Marker)));
                // With a marker in its title ours is known, so these are somebody else's.
                found.others.extend(fitting);
            }
            (true, 1) if alone == Alone::IsOurs => {
                let ours = fitting.into_iter();
                found
                    .runs
                    .extend(ours.map(|run| run.matched(MatchedBy::Timing)));
            }
            (true, _) => found.unsure.push(fitting),
        }
    }
    found
}

impl Candidate {
    fn matched(self, matched_by: MatchedBy) -> Run {
        Run {
            id: self.id,
            number: self.number,
            url: self.url,
            matched_by,
        }
    }
}

impl Found {
    /// Neither a run nor several that could be one.
    pub(crate) fn is_nothing(&self) -> bool {
        self.runs.is_empty() && self.unsure.is_empty()
    }

    /// Whether the same follows from both. That there are more and more runs of which one may be ours
    /// changes nothing.
    fn is_like(&self, other: &Self) -> bool {
        let workflows = |found: &Self| -> Vec<String> {
            let firsts = found.unsure.iter().filter_map(|several| several.first());
            firsts.map(|candidate| candidate.workflow.clone()).collect()
        };
        self.runs == other.runs && workflows(self) == workflows(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, workflow: &str, claim: Claim) -> Candidate {
        Candidate {
            id: id.to_owned(),
            number: None,
            url: String::new(),
            title: String::new(),
            workflow: workflow.to_owned(),
            claim,
        }
    }

    fn ours(found: &Found) -> Vec<(&str, MatchedBy)> {
        found
            .runs
            .iter()
            .map(|run| (run.id.as_str(), run.matched_by))
            .collect()
    }

    #[test]
    fn each_workflow_is_judged_by_itself() {
        let candidates = [
            candidate("1", "a.yml", Claim::Marked),
            candidate("2", "a.yml", Claim::Fits),
            candidate("3", "b.yml", Claim::Fits),
            candidate("4", "c.yml", Claim::Fits),
            candidate("5", "c.yml", Claim::Fits),
            candidate("6", "d.yml", Claim::Other),
        ];
        let found = judge(candidates.clone(), Alone::IsOurs);
        assert_eq!(
            ours(&found),
            [("1", MatchedBy::Marker), ("3", MatchedBy::Timing)]
        );
        let unsure: Vec<_> = found.unsure.iter().map(Vec::len).collect();
        assert_eq!(unsure, [2]);
        let others: Vec<_> = found.others.iter().map(|run| run.id.as_str()).collect();
        assert_eq!(others, ["6", "2"]);

        let hurried = judge(candidates, Alone::IsUnsure);
        assert_eq!(ours(&hurried), [("1", MatchedBy::Marker)]);
        let unsure: Vec<_> = hurried.unsure.iter().map(Vec::len).collect();
        assert_eq!(unsure, [1, 2]);
    }

    #[test]
    fn what_only_strangers_add_is_no_news() {
        let several = |count: u32| {
            let runs = 0..count;
            let candidates = runs.map(|id| candidate(&id.to_string(), "a.yml", Claim::Fits));
            judge(candidates, Alone::IsOurs)
        };
        assert!(several(3).is_like(&several(2)));
        assert!(!several(2).is_like(&several(1)));
        assert!(!several(1).is_like(&several(0)));
        assert!(several(0).is_nothing());
    }
}
