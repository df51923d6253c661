//! Finds a trigger's runs by marker or by timing. Not needed if the response to the trigger named the run.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::engine::context::TargetContext;
use crate::engine::poll_failures::Refusals;
use crate::model::{Interruption, MatchedBy, Run};
use crate::providers::{Candidate, Claim, Error, Kind, Quota};

/// A run may appear to have been created this long before the trigger was sent: providers round times, and their
/// machines' clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(3);
/// One trigger may start several runs. All have appeared once successful lists show no new one for this long.
const SETTLE_TIME: Duration = Duration::from_secs(10);
/// Time without any run after which this is reported, and the search slows down.
const NOT_FOUND_NOTICE: Duration = Duration::from_mins(1);
/// Interval between two lists from then on.
const SLOW_INTERVAL: Duration = Duration::from_secs(15);

/// The search for one trigger's runs.
pub(crate) struct Search<'a, 'target> {
    pub(crate) context: TargetContext<'a, 'target>,
    /// IDs of the runs that existed before the trigger, whatever the clocks say.
    pub(crate) seen: &'a HashSet<String>,
    /// When the trigger was sent.
    pub(crate) sent: Instant,
    /// All candidates listed so far, by ID. They are kept because a later list may be out of date.
    pub(crate) known: RefCell<BTreeMap<String, Candidate>>,
    /// IDs of the runs that have been reported as found.
    pub(crate) reported: RefCell<HashSet<String>>,
}

/// How long to search, and whether timing counts.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Time for a first run to appear. Providers are sometimes minutes late.
    pub(crate) first: Duration,
    /// Time to wait for siblings that may have started the candidates.
    siblings: Duration,
    timing: Timing,
    on_limit: OnLimit,
}

/// What to do about a rate limit that outlasts the search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnLimit {
    /// Continue afterwards: the time of the rate limit doesn't count.
    WaitOut,
    GiveUp,
}

impl Limits {
    /// For an accepted trigger.
    pub(crate) const ACCEPTED: Self = Self {
        first: Duration::from_mins(5),
        siblings: Duration::from_mins(2),
        timing: Timing::Counts,
        on_limit: OnLimit::WaitOut,
    };
    /// For a trigger with an unknown outcome.
    pub(crate) const UNKNOWN: Self = Self {
        first: Duration::from_secs(30),
        siblings: Duration::from_secs(30),
        timing: Timing::ProvesNothing,
        on_limit: OnLimit::GiveUp,
    };
    /// For a cancelled job's second chance, which has time for a run that appears late.
    pub(crate) const SECOND_CHANCE: Self = Self {
        first: Duration::from_mins(3),
        siblings: Duration::from_secs(30),
        timing: Timing::ProvesNothing,
        on_limit: OnLimit::WaitOut,
    };
}

/// What it means if exactly one run of a workflow fits, without a marker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timing {
    /// It is assumed to be the trigger's.
    Counts,
    /// It may be the trigger's: the trigger may not have been accepted, or another run may be about to appear.
    ProvesNothing,
}

/// Whether a list waits for its turn among all polls with the same credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pacing {
    Paced,
    /// There is no time to wait: a run that is found now can still be cancelled.
    Immediate,
}

/// Result of a search.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) runs: Vec<Run>,
    /// Runs that could be the trigger's, grouped by workflow. None of them certainly is.
    pub(crate) unsure: Vec<Vec<Candidate>>,
    /// Runs of the same kind since the trigger that most likely aren't the trigger's.
    pub(crate) others: Vec<Candidate>,
    /// Why the runs couldn't be listed up to the end of the search, if they couldn't: there may be more.
    pub(crate) failure: Option<Error>,
    /// Why the search ended early, if it did.
    pub(crate) interruption: Option<Interruption>,
}

/// Progress of a search.
pub(crate) enum Sighting<'a> {
    /// A run of the trigger. Certain matches are reported after every successful list, all matches at the end.
    Run(&'a Run),
    /// There is no run yet, though one is overdue.
    NothingYet,
}

/// Parameters of [`collect`].
struct SearchPolicy<'a> {
    limits: Limits,
    quota: &'a Quota,
    /// Interval between two lists.
    interval: Duration,
    /// Whether another target may have started the candidates.
    is_uncertain: &'a dyn Fn() -> bool,
    say: &'a dyn Fn(Sighting<'_>),
}

/// Searches for the runs of a trigger until all have appeared, or the time is up.
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
    // When the result last changed, and when the last successful list was requested.
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
        // If this list met a rate limit, that is waited out first, and doesn't count.
        let may_end = limits.on_limit == OnLimit::GiveUp || quota.remaining_wait().is_zero();
        if left.is_zero() && may_end {
            return found;
        }
        let interval = if is_late {
            SLOW_INTERVAL
        } else {
            policy.interval
        };
        // The last list is requested exactly when the time is up.
        let next = left.min(interval);
        sleep(if next.is_zero() { interval } else { next }).await;
    }
}

impl SearchPolicy<'_> {
    /// Returns how long to go on searching. `elapsed` is the time so far, `quiet` how long successful lists have shown
    /// nothing new.
    fn left(&self, found: &Found, elapsed: Duration, quiet: Duration) -> Duration {
        let first = self.limits.first.saturating_sub(elapsed);
        if found.is_nothing() {
            first
        } else if (self.is_uncertain)() {
            // Once the siblings' runs are known, the remaining ones may be this target's.
            self.limits.siblings.saturating_sub(elapsed)
        } else {
            SETTLE_TIME.saturating_sub(quiet).min(first)
        }
    }
}

/// Lists the runs once, out of turn. If this fails, the candidates from earlier lists still count.
pub(crate) async fn once(search: &Search<'_, '_>) -> Result<(), Error> {
    list(search, Pacing::Immediate).await
}

/// Lists the runs, and adds them to the known candidates.
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
        // The server's clock is known from its first response on. A list by the local clock may include older runs.
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
    /// Classifies the known candidates when the search is cut short. Timing then proves nothing, because another run
    /// may be about to appear.
    pub(crate) fn known_now(&self) -> Found {
        self.classify(Timing::ProvesNothing)
    }

    /// Classifies the known candidates, without those that certainly belong to another target.
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

/// Decides which candidates are the trigger's. Workflows are classified separately, because one trigger may start runs
/// of several.
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
                // This workflow marks its runs, so unmarked ones are somebody else's.
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
    /// Whether there is neither a run nor an ambiguous candidate.
    pub(crate) fn is_nothing(&self) -> bool {
        self.runs.is_empty() && self.unsure.is_empty()
    }

    /// Whether both lead to the same conclusion. A growing number of ambiguous runs in a workflow makes no difference.
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

    /// Searches in virtual time. `list` returns the number of marked runs at a given second. Returns the result, the
    /// seconds taken, the seconds of the lists, and the sightings with their seconds.
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

        // A second run restarts the settle time.
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
            // The second run appears while lists fail.
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
