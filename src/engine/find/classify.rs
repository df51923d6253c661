//! Decides which candidates are the trigger's.

use std::collections::BTreeMap;

use crate::model::{FIRST_ATTEMPT, Interruption, MatchedBy, Run};
use crate::providers::{Candidate, Claim, Error};

/// What it means if exactly one run of a workflow fits, without a marker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Timing {
    /// It is assumed to be the trigger's.
    Counts,
    /// It may be the trigger's: the trigger may not have been accepted, or another run may be about to appear.
    ProvesNothing,
}

/// Result of a search.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) runs: Vec<Run>,
    /// Runs that could be the trigger's, grouped by workflow. None of them certainly is.
    pub(crate) ambiguous: Vec<Vec<Candidate>>,
    /// Runs of the same kind since the trigger that most likely aren't the trigger's.
    pub(crate) others: Vec<Candidate>,
    /// Why the runs couldn't be listed up to the end of the search, if they couldn't: there may be more.
    pub(crate) failure: Option<Error>,
    /// Why the search ended early, if it did.
    pub(crate) interruption: Option<Interruption>,
}

/// Decides which candidates are the trigger's. Workflows are classified separately, because one trigger may start runs
/// of several.
pub(super) fn classify(candidates: impl IntoIterator<Item = Candidate>, timing: Timing) -> Found {
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
                let matches = marked.into_iter();
                found
                    .runs
                    .extend(matches.map(|run| run.into_run(MatchedBy::Marker)));
                // This workflow marks its runs, so unmarked ones are somebody else's.
                found.others.extend(fitting);
            }
            (true, 1) if timing == Timing::Counts => {
                let matches = fitting.into_iter();
                found
                    .runs
                    .extend(matches.map(|run| run.into_run(MatchedBy::Timing)));
            }
            (true, _) => found.ambiguous.push(fitting),
        }
    }
    found
}

impl Candidate {
    pub(in crate::engine) fn into_run(self, matched_by: MatchedBy) -> Run {
        Run {
            id: self.id,
            number: self.number,
            url: self.url,
            matched_by,
            workflow: Some(self.workflow).filter(|workflow| !workflow.is_empty()),
            attempt: FIRST_ATTEMPT,
            started_by_attempt: None,
        }
    }
}

impl Found {
    /// Whether there is neither a run nor an ambiguous candidate.
    pub(crate) fn is_nothing(&self) -> bool {
        self.runs.is_empty() && self.ambiguous.is_empty()
    }

    /// Whether both lead to the same conclusion. A growing number of ambiguous runs in a workflow makes no difference.
    pub(super) fn is_equivalent_to(&self, other: &Self) -> bool {
        let workflows = |found: &Self| -> Vec<String> {
            let firsts = found.ambiguous.iter().filter_map(|several| several.first());
            firsts.map(|candidate| candidate.workflow.clone()).collect()
        };
        self.runs == other.runs && workflows(self) == workflows(other)
    }
}

#[cfg(test)]
pub(in crate::engine) mod tests {
    use super::*;

    pub(in crate::engine) fn candidate(id: &str, workflow: &str, claim: Claim) -> Candidate {
        Candidate {
            id: id.to_owned(),
            number: None,
            url: String::new(),
            title: String::new(),
            workflow: workflow.to_owned(),
            claim,
        }
    }

    fn matches(found: &Found) -> Vec<(&str, MatchedBy)> {
        found
            .runs
            .iter()
            .map(|run| (run.id.as_str(), run.matched_by))
            .collect()
    }

    #[test]
    fn workflows_are_classified_separately() {
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
            matches(&found),
            [("1", MatchedBy::Marker), ("3", MatchedBy::Timing)]
        );
        let ambiguous: Vec<_> = found.ambiguous.iter().map(Vec::len).collect();
        assert_eq!(ambiguous, [2]);
        let others: Vec<_> = found.others.iter().map(|run| run.id.as_str()).collect();
        assert_eq!(others, ["6", "2"]);

        let interrupted = classify(candidates, Timing::ProvesNothing);
        assert_eq!(matches(&interrupted), [("1", MatchedBy::Marker)]);
        let ambiguous: Vec<_> = interrupted.ambiguous.iter().map(Vec::len).collect();
        assert_eq!(ambiguous, [1, 2]);
    }

    #[test]
    fn more_ambiguous_runs_change_nothing() {
        let several = |count: u32| {
            let runs = 0..count;
            let candidates = runs.map(|id| candidate(&id.to_string(), "a.yml", Claim::Fits));
            classify(candidates, Timing::Counts)
        };
        assert!(several(3).is_equivalent_to(&several(2)));
        assert!(!several(2).is_equivalent_to(&several(1)));
        assert!(!several(1).is_equivalent_to(&several(0)));
        assert!(several(0).is_nothing());
    }
}
