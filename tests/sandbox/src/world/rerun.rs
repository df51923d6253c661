//! Re-runs: GitHub's attempts of a run, and GitLab's retries of a pipeline. `progress` advances the current attempt.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Conclusion, Job, JobState, Provider, Run, State};

impl Run {
    /// GitHub's attempt number, counted from 1; on GitLab, the number of retries and 1.
    pub fn attempt(&self) -> usize {
        self.earlier.len() + 1
    }

    /// Returns the run as it was before any re-run.
    pub fn first_attempt(&self) -> &Self {
        self.earlier.first().map_or(self, AsRef::as_ref)
    }

    /// Returns the attempts, oldest first; the current one is the run itself.
    pub fn attempts(&self) -> impl DoubleEndedIterator<Item = &Self> {
        self.earlier.iter().map(AsRef::as_ref).chain([self])
    }

    /// Returns the latest attempt that the API shows already.
    pub(crate) fn shown(&self) -> &Self {
        match self.earlier.last() {
            Some(earlier) if self.clock.now() < self.created_at + self.delays.rerun => earlier,
            _ => self,
        }
    }

    /// Whether the run has ended with something to re-run.
    pub(crate) fn has_failed(&self) -> bool {
        let is_bad = |conclusion: Conclusion| {
            matches!(conclusion, Conclusion::Failure | Conclusion::Cancelled)
        };
        let failed: Vec<&Job> = self
            .jobs
            .iter()
            .filter(|job| matches!(job.state, JobState::Completed(end) if is_bad(end)))
            .collect();
        let no_job_failed = || failed.is_empty() && self.conclusion.is_some_and(is_bad);
        self.state == State::Completed
            && (failed.iter().any(|job| self.would_rerun(job)) || no_job_failed())
    }

    /// Whether a re-run of failed jobs includes this one. GitLab doesn't re-run jobs that start other pipelines.
    fn would_rerun(&self, job: &Job) -> bool {
        match job.state {
            JobState::Completed(Conclusion::Success | Conclusion::Neutral) => false,
            JobState::Completed(Conclusion::Failure | Conclusion::Cancelled) => {
                self.provider != Provider::GitLab || job.scenario.downstream.is_none()
            }
            JobState::Completed(Conclusion::Skipped)
            | JobState::NotStarted
            | JobState::Blocked
            | JobState::Delayed
            | JobState::Running => true,
        }
    }

    /// Runs all jobs again, as the next attempt, which begins at this time. A run that hasn't ended fails then.
    pub(super) fn rerun(&mut self, at: SystemTime) {
        if self.state != State::Completed {
            self.end_early(at, Conclusion::Failure);
        }
        self.start_next_attempt(at, Vec::new());
    }

    /// Runs the failed jobs and those after them again, as the next attempt. The others keep their conclusion.
    pub(crate) fn rerun_failed_jobs(&mut self, by: &str) {
        let kept = self.jobs.iter().filter(|job| !self.would_rerun(job));
        self.start_next_attempt(self.clock.now(), kept.cloned().collect());
        self.rerun_by = Some(by.to_owned());
    }

    fn start_next_attempt(&mut self, at: SystemTime, kept: Vec<Job>) {
        self.earlier.push(Arc::new(self.clone()));
        self.kept = kept;
        self.rerun_by = None;
        self.created_at = at;
        self.updated_at = at;
        self.state = State::Queued;
        self.conclusion = None;
        self.jobs.clear();
        self.position = None;
        self.is_displaced = false;
        self.status_override = None;
        self.cancelled = false;
        self.cancel_requested_at = None;
        self.approved_at.clear();
        if let Some(scenario) = &mut self.scenario {
            scenario.advance_to_rerun();
            self.delays.concluded = scenario.delays.concluded;
        }
        self.refresh(at);
    }

    /// Returns a job that doesn't run again, if it is the one of this name. GitHub gives it a new id, which is `id`.
    pub(super) fn kept_job(&self, name: &str, id: u64) -> Option<Job> {
        let mut job = self.kept.iter().find(|job| job.name == name)?.clone();
        if self.provider == Provider::GitHub {
            job.id = id;
        }
        Some(job)
    }

    /// Whether this attempt has the job from an earlier one.
    pub(crate) fn keeps(&self, job: &Job) -> bool {
        self.kept.iter().any(|kept| kept.name == job.name)
    }
}
