//! The state of a run at a given time, computed from its scenario on demand, so that no timers are needed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::scenario::{Gate, JobScenario, OnCancel};
use super::{Conclusion, Run, Scenario, State};

/// A job of a run, in its current state.
#[derive(Clone, Debug)]
pub struct Job {
    /// Unique within the provider.
    pub id: u64,
    pub name: String,
    pub state: JobState,
    pub started_at: Option<SystemTime>,
    pub completed_at: Option<SystemTime>,
    pub(crate) scenario: Arc<JobScenario>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// The jobs before it haven't completed.
    NotStarted,
    /// Needs a person to approve it.
    Blocked,
    /// Waiting for a timer.
    Delayed,
    Running,
    Completed(Conclusion),
}

/// The progress of a scenario.
struct Timeline {
    /// Start of the next step.
    at: SystemTime,
    now: SystemTime,
    /// Time of the last event up to `now`.
    latest: SystemTime,
}

impl Timeline {
    /// Adds a step of this duration; returns whether it is over.
    fn pass(&mut self, duration: Duration) -> bool {
        self.at += duration;
        let is_over = self.at <= self.now;
        if is_over {
            self.latest = self.at;
        }
        is_over
    }

    /// Adds an event at this time; returns whether it has happened.
    fn wait_for(&mut self, moment: Option<SystemTime>) -> bool {
        let Some(moment) = moment.filter(|moment| *moment <= self.now) else {
            return false;
        };
        self.at = self.at.max(moment);
        self.latest = self.latest.max(self.at);
        true
    }
}

impl Run {
    /// Updates the run to its state at `now`.
    pub(super) fn refresh(&mut self, now: SystemTime) {
        // Taken out instead of cloned: with many runs, clones per request would dominate the time.
        let Some(scenario) = self.scenario.take() else {
            return;
        };
        let cancelled_at = self.cancel_takes_effect(&scenario);
        self.apply(&scenario, cancelled_at.map_or(now, |end| end.min(now)));
        if let Some(end) = cancelled_at.filter(|end| *end <= now)
            && self.state != State::Completed
        {
            self.end_early(end, Conclusion::Cancelled);
            self.cancelled = true;
        }
        self.scenario = Some(scenario);
    }

    /// Whether the run may change as time passes.
    pub(super) fn is_active(&self) -> bool {
        self.scenario.is_some() && self.state != State::Completed
    }

    fn cancel_takes_effect(&self, scenario: &Scenario) -> Option<SystemTime> {
        match scenario.on_cancel {
            OnCancel::Ends(after) => Some(self.cancel_requested_at? + after),
            OnCancel::RefusesAtFirst { .. } => self.cancel_requested_at,
            OnCancel::Refuses(_) | OnCancel::Ignores => None,
        }
    }

    fn apply(&mut self, scenario: &Scenario, now: SystemTime) {
        let mut timeline = Timeline {
            at: self.created_at,
            now,
            latest: self.created_at,
        };
        self.conclusion = None;
        self.position = None;
        self.jobs.clear();
        self.state = self.apply_jobs(scenario, &mut timeline);
        self.updated_at = timeline.latest;
        let since = now.duration_since(self.created_at).unwrap_or_default();
        let status = scenario
            .statuses
            .iter()
            .rev()
            .find(|(after, _)| *after <= since);
        self.status_override = if self.state == State::Completed {
            scenario.final_status.clone()
        } else {
            status.map(|(_, status)| status.clone())
        };
    }

    fn apply_jobs(&mut self, scenario: &Scenario, timeline: &mut Timeline) -> State {
        let ids = self.first_job_id()..;
        if let Some(state) = self.wait_in_queue(scenario, timeline) {
            let kept = scenario.jobs.iter().zip(ids);
            let kept = kept.filter_map(|(job, id)| self.kept_job(&job.name, id));
            self.jobs = kept.collect();
            return state;
        }
        let mut state = State::Completed;
        let (mut failed, mut skip_rest) = (false, false);
        for (job_scenario, id) in scenario.jobs.iter().zip(ids) {
            let kept = self.kept_job(&job_scenario.name, id);
            let is_kept = kept.is_some();
            let mut job = kept.unwrap_or_else(|| Job {
                id,
                name: job_scenario.name.clone(),
                state: JobState::NotStarted,
                started_at: None,
                completed_at: None,
                scenario: Arc::clone(job_scenario),
            });
            if is_kept || state == State::Completed && !skip_rest {
                if !is_kept {
                    state = self.apply_job(&mut job, timeline);
                }
                let is_bad = matches!(
                    job.state,
                    JobState::Completed(Conclusion::Failure | Conclusion::Cancelled)
                );
                failed |= is_bad && !job.scenario.may_fail;
                skip_rest |= is_bad && !job.scenario.may_fail && job.scenario.is_needed;
            } else if state == State::Completed {
                job.state = JobState::Completed(Conclusion::Skipped);
                job.completed_at = Some(timeline.at);
            }
            self.jobs.push(job);
        }
        if state == State::Completed {
            let own = if failed {
                Conclusion::Failure
            } else {
                Conclusion::Success
            };
            self.conclusion = Some(scenario.conclusion.unwrap_or(own));
        }
        state
    }

    /// Returns the id of the first job of this attempt: those of all attempts differ.
    fn first_job_id(&self) -> u64 {
        let earlier: usize = self.earlier.iter().map(|run| run.jobs.len()).sum();
        self.id * 1_000 + earlier as u64 + 1
    }

    /// Returns the state of the run before its first job, or `None` if that can start.
    fn wait_in_queue(&mut self, scenario: &Scenario, timeline: &mut Timeline) -> Option<State> {
        let (others, each) = scenario.queue_ahead;
        for position in (1..=others).rev() {
            if !timeline.pass(each) {
                self.position = Some(position);
                return Some(State::Pending);
            }
        }
        (!timeline.pass(scenario.queued)).then_some(State::Queued)
    }

    /// Returns the state of the run during this job; `Completed` if the job is over.
    fn apply_job(&mut self, job: &mut Job, timeline: &mut Timeline) -> State {
        match &job.scenario.gate {
            Gate::Open => {}
            Gate::Person { .. } => {
                let jobs = self.jobs.iter().filter(|job| !self.keeps(job));
                let gates = jobs.map(|job| &job.scenario.gate);
                let before = gates.filter(|gate| matches!(gate, Gate::Person { .. }));
                let approved = self.approved_at.get(before.count()).copied();
                if !timeline.wait_for(approved) {
                    job.state = JobState::Blocked;
                    return State::Blocked;
                }
            }
            Gate::Timer(timer) => {
                if !timeline.pass(*timer) {
                    job.state = JobState::Delayed;
                    return State::Delayed;
                }
            }
        }
        job.started_at = Some(timeline.at);
        if !timeline.pass(job.scenario.duration) {
            job.state = JobState::Running;
            return State::Running;
        }
        job.state = JobState::Completed(job.scenario.conclusion);
        job.completed_at = Some(timeline.at);
        State::Completed
    }

    /// Ends the run, and its jobs that haven't ended.
    pub(super) fn end_early(&mut self, end: SystemTime, conclusion: Conclusion) {
        for job in &mut self.jobs {
            if !matches!(job.state, JobState::Completed(_)) {
                job.state = JobState::Completed(conclusion);
                job.completed_at = Some(end);
            }
        }
        self.state = State::Completed;
        self.conclusion = Some(conclusion);
        self.status_override = None;
        self.updated_at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Provider;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn run(scenario: Scenario) -> Run {
        let mut run = Run::new(Provider::GitHub, "octo-org/app", "build.yml", "manual");
        run.id = 7;
        run.scenario = Some(scenario);
        run
    }

    fn at(run: &mut Run, seconds: u32) -> (State, Vec<JobState>) {
        run.refresh(run.created_at + SECOND * seconds);
        (run.state, run.jobs.iter().map(|job| job.state).collect())
    }

    #[test]
    fn jobs_run_one_after_another() {
        let scenario = Scenario::new()
            .after_others(2, SECOND * 10)
            .queued(SECOND * 5)
            .job(JobScenario::new("build", SECOND * 20))
            .job(JobScenario::new("test", SECOND * 20).fails().may_fail())
            .job(JobScenario::new("lint", SECOND * 20).fails())
            .job(JobScenario::new("deploy", SECOND * 20));
        let mut run = run(scenario);
        let done = JobState::Completed;
        let (success, failure) = (done(Conclusion::Success), done(Conclusion::Failure));
        assert_eq!(at(&mut run, 5).0, State::Pending);
        assert_eq!(run.position, Some(2));
        assert_eq!(at(&mut run, 22).0, State::Queued);
        let (running, not_started) = (JobState::Running, JobState::NotStarted);
        let expected = vec![success, running, not_started, not_started];
        assert_eq!(at(&mut run, 50), (State::Running, expected));
        let expected = vec![success, failure, failure, done(Conclusion::Skipped)];
        assert_eq!(at(&mut run, 85), (State::Completed, expected));
        assert_eq!(run.conclusion, Some(Conclusion::Failure));
        assert_eq!(run.updated_at, run.created_at + SECOND * 85);
    }

    #[test]
    fn a_gate_opens_when_a_person_approves_it() {
        let job = JobScenario::new("deploy", SECOND * 10);
        let mut run = run(Scenario::new().job(job.needs_approval("production", &["octocat"])));
        let blocked = (State::Blocked, vec![JobState::Blocked]);
        assert_eq!(at(&mut run, 1_000), blocked);
        run.approved_at.push(run.created_at + SECOND * 1_000);
        assert_eq!(at(&mut run, 1_005).0, State::Running);
        assert_eq!(at(&mut run, 1_010).0, State::Completed);
    }

    #[test]
    fn a_job_that_runs_again_needs_a_new_approval() {
        let gated = |name: &str| JobScenario::new(name, Duration::ZERO).manual();
        let scenario = Scenario::new().job(gated("stage"));
        let passes = scenario.clone().job(gated("deploy"));
        let mut run = run(scenario.job(gated("deploy").fails()).on_rerun(passes));
        let approve = |run: &mut Run| run.approved_at.push(run.created_at + SECOND);
        approve(&mut run);
        approve(&mut run);
        assert_eq!(at(&mut run, 1).0, State::Completed);
        run.rerun_failed_jobs("octocat");
        let success = JobState::Completed(Conclusion::Success);
        assert_eq!(
            at(&mut run, 1),
            (State::Blocked, vec![success, JobState::Blocked])
        );
        approve(&mut run);
        assert_eq!(at(&mut run, 1), (State::Completed, vec![success; 2]));
    }

    #[test]
    fn a_queued_re_run_shows_the_jobs_that_it_keeps() {
        let job = |name: &str| JobScenario::new(name, Duration::ZERO);
        let passes = Scenario::new().job(job("build")).job(job("test"));
        let fails = Scenario::new().job(job("build")).job(job("test").fails());
        let mut run = run(fails.on_rerun(passes.queued(SECOND * 5)));
        at(&mut run, 0);
        run.rerun_failed_jobs("octocat");
        let success = JobState::Completed(Conclusion::Success);
        assert_eq!(at(&mut run, 1), (State::Queued, vec![success]));
        assert_eq!(at(&mut run, 5), (State::Completed, vec![success; 2]));
    }

    #[test]
    fn a_cancel_takes_effect_after_its_delay() {
        let mut run = run(Scenario::endless().on_cancel(OnCancel::Ends(SECOND * 5)));
        run.cancel_requested_at = Some(run.created_at + SECOND * 10);
        assert_eq!(at(&mut run, 14).0, State::Running);
        assert_eq!(at(&mut run, 15).0, State::Completed);
        assert!(run.cancelled);
        let cancelled = JobState::Completed(Conclusion::Cancelled);
        assert_eq!(at(&mut run, 99), (State::Completed, vec![cancelled]));
        assert_eq!(run.updated_at, run.created_at + SECOND * 15);
    }
}
