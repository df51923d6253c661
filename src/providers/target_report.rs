//! A target with its outcome and its runs, and the rule for whether it passes.

use crate::model::{Monitored, Outcome, Problem, RunReport, Started};
use crate::providers::target::Target;

pub(crate) struct TargetReport<'a> {
    pub(crate) target: &'a Target,
    /// For a target that triggers nothing: `Accepted` if there are runs to wait for, otherwise `NotSent`.
    pub(crate) outcome: Outcome,
    /// Why the trigger failed.
    pub(crate) problem: Option<Problem>,
    /// The runs that the trigger started.
    pub(crate) monitored: Monitored,
}

impl<'a> TargetReport<'a> {
    pub(crate) fn new(
        (target, (outcome, problem, monitored)): (
            &'a Target,
            (Outcome, Option<Problem>, Monitored),
        ),
    ) -> Self {
        Self {
            target,
            outcome,
            problem,
            monitored,
        }
    }

    /// Returns the outcome of the target's trigger. `None` for a target that triggers nothing.
    pub(crate) fn trigger_outcome(&self) -> Option<Outcome> {
        let triggers = self.target.follow.is_none();
        triggers.then_some(self.outcome)
    }

    /// Everything that went wrong, except runs with a bad conclusion.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problem.iter().chain(&self.monitored.problems)
    }

    /// Returns the marker that identifies the target's runs.
    pub(crate) fn marker(&self) -> Option<&str> {
        let first = self.monitored.runs.first().map(|run| &run.run);
        self.target.marker_of(first)
    }

    /// What this attempt of the job has started, or has taken up.
    pub(crate) fn started(&self) -> Started {
        let mut runs = self.monitored.runs.iter().map(|run| &run.run);
        match self.outcome {
            Outcome::NotSent | Outcome::Rejected => Started::Nothing,
            Outcome::Accepted | Outcome::Unknown => {
                let certain = runs.find(|run| run.matched_by.is_certain());
                certain.map_or(Started::Unclear, Started::run)
            }
        }
    }

    /// Whether there are no problems and every counted run passes.
    pub(crate) fn passes(&self) -> bool {
        let monitored = &self.monitored;
        self.problems().next().is_none() && monitored.counted().all(|run| self.run_passes(run))
    }

    /// Whether nothing was done for the target, for a reason that lies elsewhere.
    pub(crate) fn was_left_out(&self) -> bool {
        matches!(self.problem, Some(Problem::NotSent(_)))
    }

    /// Whether a run has one of the `success-conclusions`. Any run passes if the step didn't wait for its end.
    pub(crate) fn run_passes(&self, run: &RunReport) -> bool {
        if self.target.wait.is_none() || run.end.is_none() {
            return true;
        }
        let conclusion = run.conclusion;
        conclusion.is_some_and(|conclusion| self.target.passes(conclusion))
    }
}
