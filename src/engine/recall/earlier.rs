//! Decides which of the listed runs an earlier attempt has started.

use std::collections::HashSet;

use crate::model::NotRecalled;
use crate::providers::{Candidate, Claim, EarlierRuns};

/// What earlier attempts have started.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Earlier {
    Nothing,
    /// The latest attempt that started something, and what.
    Runs {
        attempt: u64,
        runs: Vec<Candidate>,
    },
}

impl Earlier {
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
        let urls = |runs: &[Candidate]| runs.iter().map(|run| run.url.clone()).collect();
        let (own, others): (Vec<_>, Vec<_>) =
            candidates.partition(|run| run.claim == Claim::Marked);
        if !own.is_empty() {
            return Err(NotRecalled::SameKey(urls(&own)));
        }
        for (attempt, marker) in (1..).zip(markers).collect::<Vec<_>>().into_iter().rev() {
            let is_marked = |run: &&Candidate| run.title.contains(marker);
            let runs: Vec<_> = others.iter().filter(is_marked).cloned().collect();
            let workflows: HashSet<_> = runs.iter().map(|run| &run.workflow).collect();
            if workflows.len() < runs.len() {
                return Err(NotRecalled::Several(urls(&runs)));
            }
            if !runs.is_empty() {
                return Ok(Self::Runs { attempt, runs });
            }
        }
        if markers.is_empty() {
            return Ok(Self::Nothing);
        }
        let unmarked: Vec<_> = others
            .into_iter()
            .filter(|run| run.claim == Claim::Fits)
            .collect();
        match (unmarked.is_empty(), is_complete) {
            (false, _) => Err(NotRecalled::Unmarked(urls(&unmarked))),
            (true, false) => Err(NotRecalled::TooMany),
            (true, true) => Ok(Self::Nothing),
        }
    }
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
        match Earlier::find(&markers, listed) {
            Ok(Earlier::Nothing) => "nothing".to_owned(),
            Ok(Earlier::Runs { attempt, runs }) => {
                let ids: Vec<_> = runs.into_iter().map(|run| run.id).collect();
                format!("{attempt}: {}", ids.join(" "))
            }
            Err(NotRecalled::SameKey(_)) => "same key".to_owned(),
            Err(NotRecalled::Several(_)) => "several".to_owned(),
            Err(NotRecalled::Unmarked(_)) => "unmarked".to_owned(),
            Err(NotRecalled::TooMany) => "too many".to_owned(),
            Err(NotRecalled::Unreadable(_)) => unreachable!("nothing is read"),
        }
    }

    #[test]
    fn the_latest_attempt_that_started_something_counts() {
        let one = titled("1", "a.yml", "A m1");
        let other = titled("2", "b.yml", "B m1");
        let two = titled("3", "a.yml", "A m2");
        let foreign = titled("4", "a.yml", "A x");
        let fits = candidate("5", "a.yml", Claim::Fits);
        let own = candidate("6", "a.yml", Claim::Marked);
        let both = vec![one.clone(), other];
        assert_eq!(find(&["m1", "m2"], both.clone(), true), "1: 1 2");
        assert_eq!(find(&["m1", "m2"], both, false), "1: 1 2");
        assert_eq!(find(&["m1", "m2"], vec![one.clone(), two], true), "2: 3");
        assert_eq!(find(&["m1"], vec![foreign], true), "nothing");
        assert_eq!(find(&["m1"], vec![], false), "too many");
        assert_eq!(find(&["m1"], vec![fits.clone()], true), "unmarked");
        assert_eq!(find(&["m1"], vec![fits.clone(), one.clone()], true), "1: 1");
        assert_eq!(find(&["m1"], vec![one.clone(), one.clone()], true), "1: 1");
        let again = titled("7", "a.yml", "A m1");
        assert_eq!(find(&["m1"], vec![one.clone(), again], true), "several");
        assert_eq!(find(&["m1"], vec![one, own.clone()], true), "same key");
        // The first attempt only checks that nobody has its marker.
        assert_eq!(find(&[], vec![fits], false), "nothing");
        assert_eq!(find(&[], vec![own], false), "same key");
    }
}
