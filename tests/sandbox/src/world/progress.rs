//! Where a run is in its life at some moment. Told anew from the script each time, so that nothing has to tick.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::life::{Gate, JobLife, OnCancel};
use super::{Conclusion, Life, Run, State};

/// A job of a run, as it is by now.
#[derive(Clone, Debug)]
pub struct Job {
    /// Unique among the jobs of a provider.
    pub id: u64,
    pub name: String,
    pub state: JobState,
    pub started_at: Option<SystemTime>,
    pub completed_at: Option<SystemTime>,
    pub(crate) life: Arc<JobLife>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Those before it are not over.
    NotYet,
    /// A person must let it.
    Blocked,
    /// A time must pass.
    Timed,
    Running,
    Completed(Conclusion),
}

/// The moment on the script up to which all is told.
struct Teller {
    /// When what is told next happens.
    at: SystemTime,
    now: SystemTime,
    /// The last thing that happened by now.
    latest: SystemTime,
}

impl Teller {
    /// Something takes so long; says whether it is over.
    fn pass(&mut self, takes: Duration) -> bool {
        self.at += takes;
        let is_over = self.at <= self.now;
        if is_over {
            self.latest = self.at;
        }
        is_over
    }

    /// Something happened then, or not yet.
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
    /// Brings it to where it is by now.
    pub(super) fn refresh(&mut self, now: SystemTime) {
        // Taken out, since a copy for each request would be what takes the time where there are many runs.
        let Some(life) = self.life.take() else {
            return;
        };
        let cancelled_at = self.cancel_takes_effect(&life);
        self.tell(&life, cancelled_at.map_or(now, |end| end.min(now)));
        if let Some(end) = cancelled_at.filter(|end| *end <= now)
            && self.state != State::Completed
        {
            self.break_off(end);
        }
        self.life = Some(life);
    }

    /// Whether time alone may change it.
    pub(super) fn goes_on(&self) -> bool {
        self.life.is_some() && self.state != State::Completed
    }

    fn cancel_takes_effect(&self, life: &Life) -> Option<SystemTime> {
        match life.on_cancel {
            OnCancel::Ends(after) => Some(self.cancel_asked_at? + after),
            OnCancel::RefusesAtFirst { .. } => self.cancel_asked_at,
            OnCancel::Refuses(_) | OnCancel::Ignores => None,
        }
    }

    fn tell(&mut self, life: &Life, now: SystemTime) {
        let mut teller = Teller {
            at: self.created_at,
            now,
            latest: self.created_at,
        };
        self.conclusion = None;
        self.position = None;
        self.jobs.clear();
        self.state = self.tell_state(life, &mut teller);
        self.updated_at = teller.latest;
        let since = now.duration_since(self.created_at).unwrap_or_default();
        let word = life.words.iter().rev().find(|(after, _)| *after <= since);
        self.word = if self.state == State::Completed {
            life.last_word.clone()
        } else {
            word.map(|(_, word)| word.clone())
        };
    }

    fn tell_state(&mut self, life: &Life, teller: &mut Teller) -> State {
        let (others, each) = life.turn;
        for position in (1..=others).rev() {
            if !teller.pass(each) {
                self.position = Some(position);
                return State::Pending;
            }
        }
        if !teller.pass(life.queued) {
            return State::Queued;
        }
        let mut state = State::Completed;
        let (mut failed, mut skips) = (false, false);
        for (index, script) in life.jobs.iter().enumerate() {
            let mut job = Job {
                id: self.id * 1_000 + index as u64 + 1,
                name: script.name.clone(),
                state: JobState::NotYet,
                started_at: None,
                completed_at: None,
                life: Arc::clone(script),
            };
            if state == State::Completed && skips {
                job.state = JobState::Completed(Conclusion::Skipped);
                job.completed_at = Some(teller.at);
            } else if state == State::Completed {
                state = self.tell_job(&mut job, teller);
                let is_bad = matches!(
                    job.state,
                    JobState::Completed(Conclusion::Failure | Conclusion::Cancelled)
                );
                failed |= is_bad && !script.may_fail;
                skips = is_bad && !script.may_fail && script.is_needed;
            }
            self.jobs.push(job);
        }
        if state == State::Completed {
            let own = if failed {
                Conclusion::Failure
            } else {
                Conclusion::Success
            };
            self.conclusion = Some(life.conclusion.unwrap_or(own));
        }
        state
    }

    /// Where the run is because of this job; `Completed` where it goes on to the next one.
    fn tell_job(&mut self, job: &mut Job, teller: &mut Teller) -> State {
        match &job.life.gate {
            Gate::Open => {}
            Gate::Person { .. } => {
                let gates = self.jobs.iter().map(|job| &job.life.gate);
                let before = gates.filter(|gate| matches!(gate, Gate::Person { .. }));
                let approved = self.approved_at.get(before.count()).copied();
                if !teller.wait_for(approved) {
                    job.state = JobState::Blocked;
                    return State::Blocked;
                }
            }
            Gate::Timer(timer) => {
                if !teller.pass(*timer) {
                    job.state = JobState::Timed;
                    return State::Timed;
                }
            }
        }
        job.started_at = Some(teller.at);
        if !teller.pass(job.life.takes) {
            job.state = JobState::Running;
            return State::Running;
        }
        job.state = JobState::Completed(job.life.conclusion);
        job.completed_at = Some(teller.at);
        State::Completed
    }

    fn break_off(&mut self, end: SystemTime) {
        for job in &mut self.jobs {
            if !matches!(job.state, JobState::Completed(_)) {
                job.state = JobState::Completed(Conclusion::Cancelled);
                job.completed_at = Some(end);
            }
        }
        self.state = State::Completed;
        self.conclusion = Some(Conclusion::Cancelled);
        self.cancelled = true;
        self.word = None;
        self.updated_at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Provider;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn run(life: Life) -> Run {
        let mut run = Run::new(Provider::GitHub, "octo-org/app", "build.yml", "manual");
        run.id = 7;
        run.life = Some(life);
        run
    }

    fn at(run: &mut Run, seconds: u32) -> (State, Vec<JobState>) {
        run.refresh(run.created_at + SECOND * seconds);
        (run.state, run.jobs.iter().map(|job| job.state).collect())
    }

    #[test]
    fn jobs_come_one_after_another() {
        let life = Life::new()
            .after_others(2, SECOND * 10)
            .queued(SECOND * 5)
            .job(JobLife::new("build", SECOND * 20))
            .job(JobLife::new("test", SECOND * 20).fails().may_fail())
            .job(JobLife::new("lint", SECOND * 20).fails())
            .job(JobLife::new("deploy", SECOND * 20));
        let mut run = run(life);
        let done = JobState::Completed;
        let (success, failure) = (done(Conclusion::Success), done(Conclusion::Failure));
        assert_eq!(at(&mut run, 5).0, State::Pending);
        assert_eq!(run.position, Some(2));
        assert_eq!(at(&mut run, 22).0, State::Queued);
        let (running, not_yet) = (JobState::Running, JobState::NotYet);
        let expected = vec![success, running, not_yet, not_yet];
        assert_eq!(at(&mut run, 50), (State::Running, expected));
        let expected = vec![success, failure, failure, done(Conclusion::Skipped)];
        assert_eq!(at(&mut run, 85), (State::Completed, expected));
        assert_eq!(run.conclusion, Some(Conclusion::Failure));
        assert_eq!(run.updated_at, run.created_at + SECOND * 85);
    }

    #[test]
    fn a_gate_opens_when_a_person_lets_it() {
        let job = JobLife::new("deploy", SECOND * 10);
        let mut run = run(Life::new().job(job.needs_approval("production", &["octocat"])));
        let blocked = (State::Blocked, vec![JobState::Blocked]);
        assert_eq!(at(&mut run, 1_000), blocked);
        run.approved_at.push(run.created_at + SECOND * 1_000);
        assert_eq!(at(&mut run, 1_005).0, State::Running);
        assert_eq!(at(&mut run, 1_010).0, State::Completed);
    }

    #[test]
    fn a_cancel_takes_effect_in_its_own_time() {
        let mut run = run(Life::endless().on_cancel(OnCancel::Ends(SECOND * 5)));
        run.cancel_asked_at = Some(run.created_at + SECOND * 10);
        assert_eq!(at(&mut run, 14).0, State::Running);
        assert_eq!(at(&mut run, 15).0, State::Completed);
        assert!(run.cancelled);
        let cancelled = JobState::Completed(Conclusion::Cancelled);
        assert_eq!(at(&mut run, 99), (State::Completed, vec![cancelled]));
        assert_eq!(run.updated_at, run.created_at + SECOND * 15);
    }
}
