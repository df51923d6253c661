//! Finds a trigger's runs by marker or by timing. Not needed if the response to the trigger named the run.

pub(super) mod classify;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::engine::context::TargetContext;
use crate::engine::poll_failures::Refusals;
use crate::model::Run;
use crate::providers::{Candidate, Error, ErrorKind, Quota};
pub(crate) use classify::Found;
use classify::{Timing, classify};

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
    pub(crate) sent_at: Instant,
    /// All candidates listed so far, by ID. They are kept because a later list may be out of date.
    pub(crate) known: RefCell<BTreeMap<String, Candidate>>,
    /// IDs of the runs that have been reported as found.
    pub(crate) reported: RefCell<HashSet<String>>,
}

/// How long to search, and whether timing counts.
#[derive(Clone, Copy)]
pub(crate) struct SearchLimits {
    /// Time for a first run to appear. Providers are sometimes minutes late.
    pub(crate) first_run: Duration,
    /// Time to wait for siblings that may have started the candidates.
    siblings: Duration,
    timing: Timing,
    on_rate_limit: OnRateLimit,
}

/// What to do about a rate limit that outlasts the search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnRateLimit {
    /// Continue afterwards: the time of the rate limit doesn't count.
    WaitOut,
    GiveUp,
}

impl SearchLimits {
    /// For an accepted trigger.
    pub(crate) const ACCEPTED: Self = Self {
        first_run: Duration::from_mins(5),
        siblings: Duration::from_mins(2),
        timing: Timing::Counts,
        on_rate_limit: OnRateLimit::WaitOut,
    };
    /// For a trigger with an unknown outcome.
    pub(crate) const UNKNOWN: Self = Self {
        first_run: Duration::from_secs(30),
        siblings: Duration::from_secs(30),
        timing: Timing::ProvesNothing,
        on_rate_limit: OnRateLimit::GiveUp,
    };
    /// For a cancelled job's second chance, which has time for a run that appears late.
    pub(crate) const SECOND_CHANCE: Self = Self {
        first_run: Duration::from_mins(3),
        siblings: Duration::from_secs(30),
        timing: Timing::ProvesNothing,
        on_rate_limit: OnRateLimit::WaitOut,
    };
}

/// Whether a list waits for its turn among all polls with the same credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pacing {
    Paced,
    /// There is no time to wait: a run that is found now can still be cancelled.
    Immediate,
}

/// Progress of a search.
pub(crate) enum Sighting<'a> {
    /// A run of the trigger. Certain matches are reported after every successful list, all matches at the end.
    Run(&'a Run),
    /// There is no run yet, though one is overdue.
    NothingYet,
}

/// Parameters of [`search_until_settled`].
struct SearchPolicy<'a> {
    limits: SearchLimits,
    quota: &'a Quota,
    /// Interval between two lists.
    interval: Duration,
    /// Whether another target may have started the candidates.
    may_be_confused: &'a dyn Fn() -> bool,
    on_sighting: &'a dyn Fn(Sighting<'_>),
}

/// Searches for the runs of a trigger until all have appeared, or the time is up.
pub(crate) async fn find(
    search: &Search<'_, '_>,
    limits: SearchLimits,
    on_sighting: &dyn Fn(Sighting<'_>),
) -> Found {
    let policy = SearchPolicy {
        limits,
        quota: search.context.quota(),
        interval: search.context.provider.poll_intervals().min,
        may_be_confused: &|| search.context.siblings.may_be_confused(),
        on_sighting,
    };
    let list = async || list(search, Pacing::Paced).await;
    let found = search_until_settled(list, || search.classify(limits.timing), &policy).await;
    found
        .runs
        .iter()
        .for_each(|run| on_sighting(Sighting::Run(run)));
    found
}

async fn search_until_settled(
    list: impl AsyncFn() -> Result<(), Error>,
    classify: impl Fn() -> Found,
    policy: &SearchPolicy<'_>,
) -> Found {
    let SearchPolicy { limits, quota, .. } = policy;
    let mut start = Instant::now();
    let mut found = Found::default();
    // When the result last changed, and when the last successful list was requested.
    let (mut changed_at, mut read_at) = (start, start);
    let mut refusals = Refusals::default();
    let mut has_notified = false;
    loop {
        let rate_limit = quota.remaining_wait();
        if limits.on_rate_limit == OnRateLimit::WaitOut {
            quota.wait().await;
            start += rate_limit;
        } else if rate_limit > limits.first_run.saturating_sub(start.elapsed()) {
            let error = || Error::new(ErrorKind::RateLimited(None), "too many requests");
            found.failure.get_or_insert_with(error);
            return found;
        }
        let requested = Instant::now();
        match list().await {
            Ok(()) => {
                refusals.clear();
                let latest = classify();
                if !latest.is_equivalent_to(&found) {
                    changed_at = Instant::now();
                }
                read_at = requested;
                let sure = latest.runs.iter().filter(|run| run.matched_by.is_certain());
                sure.for_each(|run| (policy.on_sighting)(Sighting::Run(run)));
                found = latest;
            }
            Err(error) => {
                let must_give_up = refusals.record(&error);
                found.failure = Some(error);
                if must_give_up {
                    return found;
                }
            }
        }
        let elapsed = start.elapsed();
        let is_late = found.is_nothing() && elapsed >= NOT_FOUND_NOTICE;
        if is_late && !has_notified && found.failure.is_none() {
            has_notified = true;
            (policy.on_sighting)(Sighting::NothingYet);
        }
        let time_left = policy.time_left(
            &found,
            elapsed,
            read_at.saturating_duration_since(changed_at),
        );
        // If this list met a rate limit, that is waited out first, and doesn't count.
        let may_end =
            limits.on_rate_limit == OnRateLimit::GiveUp || quota.remaining_wait().is_zero();
        if time_left.is_zero() && may_end {
            return found;
        }
        let interval = if is_late {
            SLOW_INTERVAL
        } else {
            policy.interval
        };
        // The last list is requested exactly when the time is up.
        let next = time_left.min(interval);
        sleep(if next.is_zero() { interval } else { next }).await;
    }
}

impl SearchPolicy<'_> {
    /// Returns how long to go on searching. `elapsed` is the time so far, `unchanged_for` how long
    /// successful lists have shown nothing new.
    fn time_left(&self, found: &Found, elapsed: Duration, unchanged_for: Duration) -> Duration {
        let first = self.limits.first_run.saturating_sub(elapsed);
        if found.is_nothing() {
            first
        } else if (self.may_be_confused)() {
            // Once the siblings' runs are known, the remaining ones may be this target's.
            self.limits.siblings.saturating_sub(elapsed)
        } else {
            SETTLE_TIME.saturating_sub(unchanged_for).min(first)
        }
    }
}

/// Lists the runs once, out of turn. If this fails, the candidates from earlier lists still count.
pub(crate) async fn list_now(search: &Search<'_, '_>) -> Result<(), Error> {
    list(search, Pacing::Immediate).await
}

/// Lists the runs, and adds them to the known candidates.
async fn list(search: &Search<'_, '_>, pacing: Pacing) -> Result<(), Error> {
    let since = || search.context.http.at_server(search.sent_at) - CLOCK_SKEW;
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
    pub(crate) fn found_so_far(&self) -> Found {
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

#[cfg(test)]
mod tests {
    use super::classify::tests::candidate;
    use super::*;
    use crate::providers::{Claim, ErrorKind};

    /// Searches in virtual time. `marked_at` returns the number of marked runs at a given second. Returns the result,
    /// the seconds taken, the seconds of the lists, and the sightings with their seconds.
    async fn simulate(
        limits: SearchLimits,
        marked_at: impl Fn(u64) -> Result<u32, ErrorKind>,
    ) -> (Found, u64, Vec<u64>, Vec<(u64, String)>) {
        let start = Instant::now();
        let quota = Quota::new(Duration::ZERO);
        let listed_at = RefCell::new(Vec::new());
        let sightings = RefCell::new(Vec::new());
        let known = RefCell::new(0);
        let on_sighting = |sighting: Sighting<'_>| {
            let sighted = match sighting {
                Sighting::Run(run) => run.id.clone(),
                Sighting::NothingYet => "nothing yet".to_owned(),
            };
            let has_notified = sightings
                .borrow()
                .iter()
                .any(|(_, known)| *known == sighted);
            if !has_notified {
                sightings
                    .borrow_mut()
                    .push((start.elapsed().as_secs(), sighted));
            }
        };
        let policy = SearchPolicy {
            limits,
            quota: &quota,
            interval: Duration::from_secs(2),
            may_be_confused: &|| false,
            on_sighting: &on_sighting,
        };
        let list = async || {
            let second = start.elapsed().as_secs();
            listed_at.borrow_mut().push(second);
            sleep(Duration::from_millis(100)).await;
            let error = |kind| Error::new(kind, "failed");
            known.replace(marked_at(second).map_err(error)?);
            Ok(())
        };
        let classify_known = || {
            let runs = 0..*known.borrow();
            let name = |id: u32| format!("{id}.yml");
            classify(
                runs.map(|id| candidate(&id.to_string(), &name(id), Claim::Marked)),
                limits.timing,
            )
        };
        let found = search_until_settled(list, classify_known, &policy).await;
        let took = start.elapsed().as_secs();
        (found, took, listed_at.into_inner(), sightings.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_ends_once_successful_lists_show_nothing_new() {
        let (found, took, ..) =
            simulate(SearchLimits::ACCEPTED, |second| Ok(u32::from(second >= 3))).await;
        assert_eq!(found.runs.len(), 1);
        assert!((14..=16).contains(&took), "{took}");

        // A second run restarts the settle time.
        let appears = |second| match second {
            0..3 => 0,
            3..12 => 1,
            _ => 2,
        };
        let (found, took, ..) =
            simulate(SearchLimits::ACCEPTED, |second| Ok(appears(second))).await;
        assert_eq!(found.runs.len(), 2);
        assert!((22..=25).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn failed_lists_do_not_end_a_search() {
        for kind in [
            ErrorKind::Unknown,
            ErrorKind::Unreachable,
            ErrorKind::Rejected,
        ] {
            // The second run appears while lists fail.
            let (found, took, ..) = simulate(SearchLimits::ACCEPTED, |second| match second {
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
    async fn a_late_run_is_found_by_a_slower_search() {
        let (found, took, lists, sightings) = simulate(SearchLimits::ACCEPTED, |second| {
            Ok(u32::from(second >= 200))
        })
        .await;
        assert_eq!(found.runs.len(), 1);
        assert!((210..=230).contains(&took), "{took}");
        assert!((60..=62).contains(&sightings[0].0), "{sightings:?}");
        assert_eq!(sightings[0].1, "nothing yet");
        assert_eq!(sightings.len(), 2);
        let slow = lists.iter().filter(|second| (62..200).contains(*second));
        assert!(slow.count() <= 10, "{lists:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_without_runs_ends_at_its_limit() {
        let (found, took, ..) = simulate(SearchLimits::ACCEPTED, |_| Ok(0)).await;
        assert!(found.is_nothing() && found.failure.is_none());
        assert_eq!(took, 300);
        let (found, took, ..) = simulate(SearchLimits::ACCEPTED, |_| Err(ErrorKind::Unknown)).await;
        assert!(found.is_nothing() && found.failure.is_some());
        assert!((300..=302).contains(&took), "{took}");
        let (found, took, ..) = simulate(SearchLimits::UNKNOWN, |_| Ok(0)).await;
        assert!(found.is_nothing());
        assert_eq!(took, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_that_keeps_failing_returns_the_failure() {
        let (found, took, ..) = simulate(SearchLimits::ACCEPTED, |second| match second {
            0..3 => Ok(1),
            _ => Err(ErrorKind::Unknown),
        })
        .await;
        assert_eq!(found.runs.len(), 1);
        assert!(found.failure.is_some());
        assert!((300..=302).contains(&took), "{took}");
    }
}
