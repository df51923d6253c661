//! A target and what became of it, for those who report it.

use crate::model::{Monitored, Outcome, Problem, RunReport};
use crate::providers::target::Target;

pub(crate) struct TargetReport<'a> {
    pub(crate) target: &'a Target,
    /// Of the trigger.
    pub(crate) outcome: Outcome,
    /// What is wrong with the trigger.
    pub(crate) problem: Option<Problem>,
    /// Of the runs that it started.
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

    /// What went wrong, besides runs that ended badly.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problem.iter().chain(&self.monitored.problems)
    }

    /// Whether all went as it should.
    pub(crate) fn passes(&self) -> bool {
        let monitored = &self.monitored;
        self.problems().next().is_none() && monitored.counted().all(|run| self.run_passes(run))
    }

    /// Whether a run ended as one that passes.
    pub(crate) fn run_passes(&self, run: &RunReport) -> bool {
        let passing = self.target.wait.as_ref().map(|wait| &wait.success);
        match (passing, run.conclusion) {
            (Some(passing), Some(conclusion)) => passing.contains(&conclusion),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}
