//! Which run is ours: by marker, by timing. Where the answer named the run, there is nothing to find.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::engine::context::TargetContext;
use crate::engine::poll_failures::Refusals;
use crate::model::{Interruption, MatchedBy, Run};
use crate::providers::{Candidate, Claim, Error, Kind, Quota};

/// A run may seem to have come to be so long before the trigger went out: providers round times, and
/// their machines' clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(3);
/// One trigger may start several runs. They are all there when good answers show no new one for so long.
const SETTLE_TIME: Duration = Duration::from_secs(10);
/// Nothing has been found for so long: worth saying, and reason to look less often.
const NOT_FOUND_NOTICE: Duration = Duration::from_mins(1);
/// Between two lists from then on.
const SLOW_INTERVAL: Duration = Duration::from_secs(15);

/// Where and since when runs are looked for.
pub(crate) struct Search<'a, 'target> {
    pub(crate) context: TargetContext<'a, 'target>,
    /// Runs that were there before the trigger, whatever the clocks say.
    pub(crate) seen: &'a HashSet<String>,
    /// When the trigger went out.
    pub(crate) sent: Instant,
    /// All that was seen so far, by id: lists are not always up to date, and what was there once, is.
    pub(crate) known: RefCell<BTreeMap<String, Candidate>>,
    /// The runs that have been reported as found, by id.
    pub(crate) reported: RefCell<HashSet<String>>,
}

/// How long runs are looked for, and which count.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Until there is a first one. Providers are sometimes minutes late.
    pub(crate) first: Duration,
    /// As long as another target may have started what could be ours.
    siblings: Duration,
    timing: Timing,
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
        first: Duration::from_mins(5),
        siblings: Duration::from_mins(2),
        timing: Timing::Counts,
        on_limit: OnLimit::WaitOut,
    };
    /// After one whose outcome is unknown.
    pub(crate) const UNKNOWN: Self = Self {
        first: Duration::from_secs(30),
        siblings: Duration::from_secs(30),
        timing: Timing::ProvesNothing,
        on_limit: OnLimit::GiveUp,
    };
    /// After a job was cancelled, when there is time for a run that appears late.
    pub(crate) const SECOND_CHANCE: Self = Self {
        first: Duration::from_mins(3),
        siblings: Duration::from_secs(30),
        timing: Timing::ProvesNothing,
        on_limit: OnLimit::WaitOut,
    };
}

/// What the only run of a workflow is that fits and has no marker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timing {
    /// It is taken for ours.
    Counts,
    /// It may be: that the trigger was accepted isn't known, or another run may be about to appear.
    ProvesNothing,
}

/// Whether a look waits for its turn among all looks with its credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pacing {
    Paced,
    /// There is no time for that: what is found now can still be cancelled.
    Immediate,
}

/// What a search came to.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) runs: Vec<Run>,
    /// Of each workflow with runs any of which could be ours: those runs.
    pub(crate) unsure: Vec<Vec<Candidate>>,
    /// Runs of the same kind since the trigger that are not ours for all that is known.
    pub(crate) others: Vec<Candidate>,
    /// Why the runs could not be read to the end of the search, if they could not: there may be more.
    pub(crate) failure: Option<Error>,
    /// Why there was no time to look for all of them.
    pub(crate) interruption: Option<Interruption>,
}

/// What a search says on its way.
pub(crate) enum Sighting<'a> {
    /// A run that is ours, as far as that can be known. Certain ones are said as soon as they are seen, and again.
    Run(&'a Run),
    /// There is none yet, though there should be.
    NothingYet,
}

/// What a search goes by.
struct SearchPolicy<'a> {
    limits: Limits,
    quota: &'a Quota,
    /// Between two lists.
    interval: Duration,
    /// Whether another target may have started what could be ours.
    is_uncertain: &'a dyn Fn() -> bool,
    say: &'a dyn Fn(Sighting<'_>),
}

/// Looks for the runs of a trigger until they are all there, or it is time.
pub(crate) async fn find(
    search: &Search<'_, '_>,
    limits: Limits,
    say: &dyn Fn(Sighting<'_>),
) -> Found {
    let policy = SearchPolicy {
        limits,
        quota: search.context.quota(),
        interval: search.context.provider.poll_intervals().min,
        is_uncertain: &|| search.context.siblings.may_be_confused(),
        say,
    };
    let list = async || list(search, Pacing::Paced).await;
    let found = collect(list, || search.classify(limits.timing), &policy).await;
    found.runs.iter().for_each(|run| say(Sighting::Run(run)));
    found
}

async fn collect(
    list: impl AsyncFn() -> Result<(), Error>,
    classify: impl Fn() -> Found,
    policy: &SearchPolicy<'_>,
) -> Found {
    let SearchPolicy { limits, quota, .. } = policy;
    let mut start = Instant::now();
    let mut found = Found::default();
    // When what follows from the lists changed last, and when the last list that could be read was asked for.
    let (mut changed, mut read) = (start, start);
    let mut refusals = Refusals::default();
    let mut has_said = false;
    loop {
        let limited = quota.remaining_wait();
        if limits.on_limit == OnLimit::WaitOut {
            quota.wait().await;
            start += limited;
        } else if limited > limits.first.saturating_sub(start.elapsed()) {
            let error = || Error::new(Kind::RateLimited(None), "too many requests");
            found.failure.get_or_insert_with(error);
            return found;
        }
        let asked = Instant::now();
        match list().await {
            Ok(()) => {
                refusals.clear();
                let now = classify();
                if !now.is_like(&found) {
                    changed = Instant::now();
                }
                read = asked;
                let sure = now.runs.iter().filter(|run| run.matched_by.is_sure());
                sure.for_each(|run| (policy.say)(Sighting::Run(run)));
                found = now;
            }
            Err(error) => {
                let is_hopeless = refusals.record(&error);
                found.failure = Some(error);
                if is_hopeless {
                    return found;
                }
            }
        }
        let elapsed = start.elapsed();
        let is_late = found.is_nothing() && elapsed >= NOT_FOUND_NOTICE;
        if is_late && !has_said && found.failure.is_none() {
            has_said = true;
            (policy.say)(Sighting::NothingYet);
        }
        let left = policy.left(&found, elapsed, read.saturating_duration_since(changed));
        // A rate limit that this look has met is waited out first, and does not count.
        let may_end = limits.on_limit == OnLimit::GiveUp || quota.remaining_wait().is_zero();
        if left.is_zero() && may_end {
            return found;
        }
        let interval = if is_late {
            SLOW_INTERVAL
        } else {
            policy.interval
        };
        // The last list is asked for just when the time is over.
        let next = left.min(interval);
        sleep(if next.is_zero() { interval } else { next }).await;
    }
}

impl SearchPolicy<'_> {
    /// How long to go on looking after so long a search, the last part of which good answers showed nothing new.
    fn left(&self, found: &Found, elapsed: Duration, quiet: Duration) -> Duration {
        let first = self.limits.first.saturating_sub(elapsed);
        if found.is_nothing() {
            first
        } else if (self.is_uncertain)() {
            // What others have started may become known, and then what is ours.
            self.limits.siblings.saturating_sub(elapsed)
        } else {
            SETTLE_TIME.saturating_sub(quiet).min(first)
        }
    }
}

/// Looks once more, out of turn. What was seen before still counts if this fails.
pub(crate) async fn once(search: &Search<'_, '_>) -> Result<(), Error> {
    list(search, Pacing::Immediate).await
}

/// Keeps what there is.
async fn list(search: &Search<'_, '_>, pacing: Pacing) -> Result<(), Error> {
    let since = || search.context.http.at_server(search.sent) - CLOCK_SKEW;
    let candidates = loop {
        if pacing == Pacing::Paced {
            search.context.quota().wait_for_turn().await;
        }
        let knew_clock = search.context.http.knows_clock();
        let slot = search.context.limits.polls.acquire().await;
        let candidates = search.context.provider.list_runs(Some(since())).await?;
        drop(slot);
        // The first answer of a server tells its clock: older runs may be among these by ours.
        if knew_clock || !search.context.http.knows_clock() {
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
    /// What is known when there is no more time. Timing proves nothing then: another run may be about to appear.
    pub(crate) fn known_now(&self) -> Found {
        self.classify(Timing::ProvesNothing)
    }

    /// Which of those known are ours, those set aside that are known to be another target's.
    fn classify(&self, timing: Timing) -> Found {
        let known = self.known.borrow();
        let candidates = known.values().cloned();
        let candidates =
            candidates.filter(|candidate| !self.context.siblings.belongs_to_another(&candidate.id));
        if self.context.siblings.may_be_confused() {
            classify(candidates, Timing::ProvesNothing)
        } else {
            classify(candidates, timing)
        }
    }
}

/// Which of these are ours. Each workflow is judged by itself: one trigger may start runs of several.
fn classify(candidates: impl IntoIterator<Item = Candidate>, timing: Timing) -> Found {
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
            (true, 1) if timing == Timing::Counts => {
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
        let found = classify(candidates.clone(), Timing::Counts);
        assert_eq!(
            ours(&found),
            [("1", MatchedBy::Marker), ("3", MatchedBy::Timing)]
        );
        let unsure: Vec<_> = found.unsure.iter().map(Vec::len).collect();
        assert_eq!(unsure, [2]);
        let others: Vec<_> = found.others.iter().map(|run| run.id.as_str()).collect();
        assert_eq!(others, ["6", "2"]);

        let hurried = classify(candidates, Timing::ProvesNothing);
        assert_eq!(ours(&hurried), [("1", MatchedBy::Marker)]);
        let unsure: Vec<_> = hurried.unsure.iter().map(Vec::len).collect();
        assert_eq!(unsure, [1, 2]);
    }

    #[test]
    fn what_only_strangers_add_is_no_news() {
        let several = |count: u32| {
            let runs = 0..count;
            let candidates = runs.map(|id| candidate(&id.to_string(), "a.yml", Claim::Fits));
            classify(candidates, Timing::Counts)
        };
        assert!(several(3).is_like(&several(2)));
        assert!(!several(2).is_like(&several(1)));
        assert!(!several(1).is_like(&several(0)));
        assert!(several(0).is_nothing());
    }

    /// Searches in virtual time, where a list asked for at each second shows so many marked runs. Tells what came of
    /// it, after how many seconds, at which seconds lists were read, and what was said when.
    async fn searched(
        limits: Limits,
        list: impl Fn(u64) -> Result<u32, Kind>,
    ) -> (Found, u64, Vec<u64>, Vec<(u64, String)>) {
        let start = Instant::now();
        let quota = Quota::new(Duration::ZERO);
        let lists = RefCell::new(Vec::new());
        let said = RefCell::new(Vec::new());
        let known = RefCell::new(0);
        let say = |sighting: Sighting<'_>| {
            let sighted = match sighting {
                Sighting::Run(run) => run.id.clone(),
                Sighting::NothingYet => "nothing yet".to_owned(),
            };
            let has_said = said.borrow().iter().any(|(_, known)| *known == sighted);
            if !has_said {
                said.borrow_mut().push((start.elapsed().as_secs(), sighted));
            }
        };
        let policy = SearchPolicy {
            limits,
            quota: &quota,
            interval: Duration::from_secs(2),
            is_uncertain: &|| false,
            say: &say,
        };
        let reading = async || {
            let second = start.elapsed().as_secs();
            lists.borrow_mut().push(second);
            sleep(Duration::from_millis(100)).await;
            let error = |kind| Error::new(kind, "failed");
            known.replace(list(second).map_err(error)?);
            Ok(())
        };
        let classifying = || {
            let runs = 0..*known.borrow();
            let name = |id: u32| format!("{id}.yml");
            classify(
                runs.map(|id| candidate(&id.to_string(), &name(id), Claim::Marked)),
                limits.timing,
            )
        };
        let found = collect(reading, classifying, &policy).await;
        let took = start.elapsed().as_secs();
        (found, took, lists.into_inner(), said.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_ends_when_good_answers_show_nothing_new() {
        let (found, took, ..) =
            searched(Limits::ACCEPTED, |second| Ok(u32::from(second >= 3))).await;
        assert_eq!(found.runs.len(), 1);
        assert!((14..=16).contains(&took), "{took}");

        // A second one makes it wait again.
        let appears = |second| match second {
            0..3 => 0,
            3..12 => 1,
            _ => 2,
        };
        let (found, took, ..) = searched(Limits::ACCEPTED, |second| Ok(appears(second))).await;
        assert_eq!(found.runs.len(), 2);
        assert!((22..=25).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_fail_count_for_nothing() {
        for kind in [Kind::Unknown, Kind::Unreachable, Kind::Rejected] {
            // The second run appears while nothing can be read.
            let (found, took, ..) = searched(Limits::ACCEPTED, |second| match second {
                0..3 => Ok(1),
                3..20 => Err(kind),
                _ => Ok(2),
            })
            .await;
            assert_eq!(found.runs.len(), 2, "{kind:?}");
            assert!(found.failure.is_none());
            assert!((30..=33).contains(&took), "{kind:?} {took}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_run_is_found_and_looked_for_less_often_meanwhile() {
        let (found, took, lists, said) =
            searched(Limits::ACCEPTED, |second| Ok(u32::from(second >= 200))).await;
        assert_eq!(found.runs.len(), 1);
        assert!((210..=230).contains(&took), "{took}");
        assert!((60..=62).contains(&said[0].0), "{said:?}");
        assert_eq!(said[0].1, "nothing yet");
        assert_eq!(said.len(), 2);
        let slow = lists.iter().filter(|second| (62..200).contains(*second));
        assert!(slow.count() <= 10, "{lists:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_never_appears_is_looked_for_for_five_minutes() {
        let (found, took, ..) = searched(Limits::ACCEPTED, |_| Ok(0)).await;
        assert!(found.is_nothing() && found.failure.is_none());
        assert_eq!(took, 300);
        let (found, took, ..) = searched(Limits::ACCEPTED, |_| Err(Kind::Unknown)).await;
        assert!(found.is_nothing() && found.failure.is_some());
        assert!((300..=302).contains(&took), "{took}");
        let (found, took, ..) = searched(Limits::UNKNOWN, |_| Ok(0)).await;
        assert!(found.is_nothing());
        assert_eq!(took, 30);
    }

    /// That there may be more is said.
    #[tokio::test(start_paused = true)]
    async fn a_search_that_cannot_go_on_says_why() {
        let (found, took, ..) = searched(Limits::ACCEPTED, |second| match second {
            0..3 => Ok(1),
            _ => Err(Kind::Unknown),
        })
        .await;
        assert_eq!(found.runs.len(), 1);
        assert!(found.failure.is_some());
        assert!((300..=302).contains(&took), "{took}");
    }
}
