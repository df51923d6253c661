//! Decides which of the listed runs an earlier attempt has started.

use std::collections::HashSet;

use crate::model::NotRecalled;
use crate::providers::{Candidate, Claim, EarlierRuns};

/// What earlier attempts have started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EarlierAttempts {
    /// The attempts that have started something, latest first, and what.
    pub(super) attempts: Vec<(u64, Vec<Candidate>)>,
    /// Web addresses of runs that fit, but carry no marker.
    unmarked: Vec<String>,
    /// Whether the runs were listed as far back as necessary.
    is_complete: bool,
}

impl EarlierAttempts {
    /// `markers` are those of the earlier attempts, in order. A candidate is [`Claim::Marked`] if it has the marker of
    /// this attempt, which hasn't triggered anything yet.
    pub(super) fn find(
        markers: &[String],
        EarlierRuns {
            candidates,
            is_complete,
        }: EarlierRuns,
    ) -> Result<Self, NotRecalled> {
        let mut ids = HashSet::new();
        let candidates = candidates.into_iter();
        let candidates = candidates.filter(|run| ids.insert(run.id.clone()));
        let (own, others): (Vec<_>, Vec<_>) =
            candidates.partition(|run| run.claim == Claim::Marked);
        if !own.is_empty() {
            return Err(NotRecalled::SameKey(urls(&own)));
        }
        let mut attempts = Vec::new();
        for (attempt, marker) in (1..).zip(markers) {
            let is_marked = |run: &&Candidate| run.title.contains(marker);
            let runs: Vec<_> = others.iter().filter(is_marked).cloned().collect();
            let workflows: HashSet<_> = runs.iter().map(|run| &run.workflow).collect();
            if workflows.len() < runs.len() {
                return Err(NotRecalled::Several(urls(&runs)));
            }
            if !runs.is_empty() {
                attempts.push((attempt, runs));
            }
        }
        attempts.reverse();
        let fits = |run: &&Candidate| run.claim == Claim::Fits;
        let unmarked: Vec<_> = others.iter().filter(fits).cloned().collect();
        Ok(Self {
            attempts,
            unmarked: urls(&unmarked),
            is_complete,
        })
    }

    /// Fails if an earlier attempt may have started a run that can't be recognised.
    pub(super) fn check_that_nothing_is_hidden(self) -> Result<(), NotRecalled> {
        match (self.unmarked.is_empty(), self.is_complete) {
            (false, _) => Err(NotRecalled::Unmarked(self.unmarked)),
            (true, false) => Err(NotRecalled::TooMany),
            (true, true) => Ok(()),
        }
    }
}

fn urls(runs: &[Candidate]) -> Vec<String> {
    runs.iter().map(|run| run.url.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::find::classify::tests::candidate;

    fn titled(id: &str, workflow: &str, title: &str) -> Candidate {
        Candidate {
            title: title.to_owned(),
            ..candidate(id, workflow, Claim::Other)
        }
    }

    fn find(markers: &[&str], candidates: Vec<Candidate>, is_complete: bool) -> String {
        let markers: Vec<_> = markers.iter().map(|marker| (*marker).to_owned()).collect();
        let listed = EarlierRuns {
            candidates,
            is_complete,
        };
        let found = EarlierAttempts::find(&markers, listed).and_then(|found| {
            let attempts = found.attempts.iter().map(|(attempt, runs)| {
                let ids: Vec<_> = runs.iter().map(|run| run.id.as_str()).collect();
                format!("{attempt}: {}", ids.join(" "))
            });
            let attempts: Vec<_> = attempts.collect();
            if attempts.is_empty() {
                found.check_that_nothing_is_hidden()?;
            }
            Ok(attempts.join(", "))
        });
        match found {
            Ok(attempts) if attempts.is_empty() => "nothing".to_owned(),
            Ok(attempts) => attempts,
            Err(NotRecalled::SameKey(_)) => "same key".to_owned(),
            Err(NotRecalled::Several(_)) => "several".to_owned(),
            Err(NotRecalled::Unmarked(_)) => "unmarked".to_owned(),
            Err(NotRecalled::TooMany) => "too many".to_owned(),
            Err(
                NotRecalled::Unreadable(_)
                | NotRecalled::Unclear { .. }
                | NotRecalled::TooManyStatuses
                | NotRecalled::StatusesUnreadable(_),
            ) => unreachable!("nothing is read"),
        }
    }

    #[test]
    fn each_attempt_is_recognised_by_its_marker() {
        let one = titled("1", "a.yml", "A m1");
        let other = titled("2", "b.yml", "B m1");
        let two = titled("3", "a.yml", "A m2");
        let foreign = titled("4", "a.yml", "A x");
        let fits = candidate("5", "a.yml", Claim::Fits);
        let own = candidate("6", "a.yml", Claim::Marked);
        let both = vec![one.clone(), other];
        assert_eq!(find(&["m1", "m2"], both.clone(), true), "1: 1 2");
        assert_eq!(find(&["m1", "m2"], both, false), "1: 1 2");
        assert_eq!(
            find(&["m1", "m2"], vec![one.clone(), two], true),
            "2: 3, 1: 1"
        );
        assert_eq!(find(&["m1"], vec![foreign], true), "nothing");
        assert_eq!(find(&["m1"], vec![], false), "too many");
        assert_eq!(find(&["m1"], vec![fits.clone()], true), "unmarked");
        assert_eq!(find(&["m1"], vec![fits.clone(), one.clone()], true), "1: 1");
        assert_eq!(find(&["m1"], vec![one.clone(), one.clone()], true), "1: 1");
        let again = titled("7", "a.yml", "A m1");
        assert_eq!(find(&["m1"], vec![one.clone(), again], true), "several");
        assert_eq!(find(&["m1"], vec![one, own.clone()], true), "same key");
        // The first attempt only checks that no run has its marker yet.
        assert_eq!(find(&[], vec![own], false), "same key");
    }
}
