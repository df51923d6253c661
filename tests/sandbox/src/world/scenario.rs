//! The scripted life of a run: its jobs, their durations and gates, and its reaction to a cancel. All durations are in
//! the world's time. `progress` computes a run's state from its scenario.

use std::sync::Arc;
use std::time::Duration;

use super::Conclusion;

/// Jobs that run one after another, and the run around them. Without jobs, the run completes as soon as it starts.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    pub(crate) queued: Duration,
    /// Number of runs before it in its concurrency group, and the duration of each.
    pub(crate) queue_ahead: (u32, Duration),
    /// Shared by all runs with this scenario.
    pub(crate) jobs: Vec<Arc<JobScenario>>,
    /// Overrides the conclusion of its jobs.
    pub(crate) conclusion: Option<Conclusion>,
    /// Overrides of the status in the API, each from this time after its creation.
    pub(crate) statuses: Vec<(Duration, String)>,
    /// Overrides the final status in the API.
    pub(crate) final_status: Option<String>,
    pub(crate) on_cancel: OnCancel,
    pub(crate) artifacts: Vec<Artifact>,
    pub(crate) delays: Delays,
    /// The attempts after this one.
    pub(crate) reruns: Vec<Self>,
}

/// Delays with which the API shows a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// From its creation until lists contain the run. It can already be read by its id.
    pub listed: Duration,
    /// From its creation until the run and its parts can be read by its id; before that, reads answer 404. It can
    /// already be cancelled.
    pub readable: Duration,
    /// GitHub: from its end until it has a conclusion. Meanwhile it is `completed` with a null `conclusion`.
    pub concluded: Duration,
    /// From a re-run until reads and lists show its attempt; until then they show the earlier one.
    pub rerun: Duration,
}

/// The reaction of a run to a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// Accepted; takes effect after this time.
    Ends(Duration),
    /// Refused with this status.
    Refuses(u16),
    /// Refused with this status the first few times; later cancels take effect at once.
    RefusesAtFirst { status: u16, times: u32 },
    /// Accepted without any effect.
    Ignores,
}

impl Default for OnCancel {
    fn default() -> Self {
        Self::Ends(Duration::ZERO)
    }
}

/// The scripted life of a job; on Bitbucket, of a step.
#[derive(Clone, Debug)]
pub struct JobScenario {
    pub(crate) name: String,
    pub(crate) duration: Duration,
    pub(crate) gate: Gate,
    pub(crate) conclusion: Conclusion,
    /// GitLab's `allow_failure`.
    pub(crate) may_fail: bool,
    /// Whether the jobs after it are skipped if it fails.
    pub(crate) is_needed: bool,
    /// GitHub: its steps. A job that fails does so in the last one.
    pub(crate) steps: Vec<String>,
    pub(crate) log: Log,
    /// GitLab: paths and contents of its artifacts.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// GitLab: the project whose pipeline it starts.
    pub(crate) downstream: Option<String>,
}

/// A condition for the start of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// A person's approval: a reviewer of a GitHub environment, a GitLab manual job, a Bitbucket manual step.
    Person {
        environment: String,
        reviewers: Vec<String>,
        /// Bitbucket: HALTED instead of PAUSED.
        halts: bool,
    },
    /// A delay: GitHub's wait timer, GitLab's delayed job.
    Timer(Duration),
}

/// The complete log of a job.
#[derive(Clone, Debug)]
pub struct Log {
    pub(crate) text: String,
    /// Number of bytes of filler lines before the text; they are never in memory as a whole.
    pub(crate) padding: u64,
}

/// An artifact of a GitHub run.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub(crate) name: String,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Whether its only file is stored unzipped, as with `archive: false` of actions/upload-artifact.
    pub(crate) is_raw: bool,
    pub(crate) expired: bool,
    pub(crate) digest: Digest,
}

/// The digest that the API shows for an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    Right,
    Wrong,
    Missing,
}

impl Scenario {
    pub fn new() -> Self {
        Self::default()
    }

    /// One job of this duration, which passes.
    pub fn passing(duration: Duration) -> Self {
        Self::new().job(JobScenario::new("build", duration))
    }

    /// One job of this duration, which fails.
    pub fn failing(duration: Duration) -> Self {
        Self::new().job(JobScenario::new("build", duration).fails())
    }

    /// Runs until it is cancelled.
    pub fn endless() -> Self {
        Self::passing(Duration::from_hours(10_000))
    }

    #[must_use]
    pub fn job(mut self, job: JobScenario) -> Self {
        self.jobs.push(Arc::new(job));
        self
    }

    /// Queues the run for this time before its first job.
    #[must_use]
    pub fn queued(self, queued: Duration) -> Self {
        Self { queued, ..self }
    }

    /// Puts the run behind `others` runs of its concurrency group, which take this long each.
    #[must_use]
    pub fn after_others(self, others: u32, each: Duration) -> Self {
        let queue_ahead = (others, each);
        Self {
            queue_ahead,
            ..self
        }
    }

    #[must_use]
    pub fn concludes(self, conclusion: Conclusion) -> Self {
        let conclusion = Some(conclusion);
        Self { conclusion, ..self }
    }

    /// Overrides the status in the API, from this time after its creation until its end.
    #[must_use]
    pub fn shows_status(mut self, after: Duration, status: &str) -> Self {
        self.statuses.push((after, status.to_owned()));
        self
    }

    /// Overrides the final status in the API: GitHub's conclusion, GitLab's status, Bitbucket's result.
    #[must_use]
    pub fn shows_final_status(self, status: &str) -> Self {
        let final_status = Some(status.to_owned());
        Self {
            final_status,
            ..self
        }
    }

    #[must_use]
    pub fn on_cancel(self, on_cancel: OnCancel) -> Self {
        Self { on_cancel, ..self }
    }

    #[must_use]
    pub fn artifact(mut self, artifact: Artifact) -> Self {
        self.artifacts.push(artifact);
        self
    }

    /// Sets the scenario of the next attempt of the run: the second one, then the third one, and so on. Further attempts
    /// are like the last one. If only failed jobs run again, those that passed keep their conclusion, recognised by
    /// their name: here, `test` fails at first and then passes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sandbox::world::{JobScenario, Scenario};
    /// let (build, test) = (JobScenario::new("build", Duration::ZERO), JobScenario::new("test", Duration::ZERO));
    /// let passes = Scenario::new().job(build.clone()).job(test.clone());
    /// let flaky = Scenario::new().job(build).job(test.fails()).on_rerun(passes);
    /// # let _ = flaky;
    /// ```
    #[must_use]
    pub fn on_rerun(mut self, scenario: Self) -> Self {
        self.reruns.push(scenario);
        self
    }

    /// Turns the scenario into the one of the next attempt.
    pub(super) fn advance_to_rerun(&mut self) {
        let mut reruns = std::mem::take(&mut self.reruns).into_iter();
        if let Some(next) = reruns.next() {
            *self = next;
            self.reruns.extend(reruns);
        }
    }

    #[must_use]
    pub fn delays(self, delays: Delays) -> Self {
        Self { delays, ..self }
    }

    /// Hides the run from lists for this time after its creation. It can already be read by its id.
    #[must_use]
    pub fn listed_after(mut self, delay: Duration) -> Self {
        self.delays.listed = delay;
        self
    }

    /// Answers 404 to reads of the run and its parts for this time after its creation. It can already be cancelled.
    #[must_use]
    pub fn readable_after(mut self, delay: Duration) -> Self {
        self.delays.readable = delay;
        self
    }

    /// GitHub: keeps the `conclusion` of the `completed` run null for this time after its end.
    #[must_use]
    pub fn concluded_after(mut self, delay: Duration) -> Self {
        self.delays.concluded = delay;
        self
    }

    /// Shows the run as it was for this time after each re-run, which is accepted at once.
    #[must_use]
    pub fn rerun_shown_after(mut self, delay: Duration) -> Self {
        self.delays.rerun = delay;
        self
    }
}

impl JobScenario {
    /// A job that passes, with a short log.
    pub fn new(name: &str, duration: Duration) -> Self {
        Self {
            name: name.to_owned(),
            duration,
            gate: Gate::Open,
            conclusion: Conclusion::Success,
            may_fail: false,
            is_needed: true,
            steps: vec!["Set up job".to_owned(), "Run".to_owned()],
            log: Log::text("done\n"),
            files: Vec::new(),
            downstream: None,
        }
    }

    #[must_use]
    pub fn fails(self) -> Self {
        self.concludes(Conclusion::Failure)
    }

    /// Makes the job fail in this step.
    #[must_use]
    pub fn fails_in(self, step: &str) -> Self {
        let steps = vec!["Set up job".to_owned(), step.to_owned()];
        Self { steps, ..self }.fails()
    }

    #[must_use]
    pub fn concludes(self, conclusion: Conclusion) -> Self {
        Self { conclusion, ..self }
    }

    /// The run doesn't fail if this job does.
    #[must_use]
    pub fn may_fail(self) -> Self {
        Self {
            may_fail: true,
            ..self
        }
    }

    /// The jobs after it start even if it fails.
    #[must_use]
    pub fn is_not_needed(self) -> Self {
        Self {
            is_needed: false,
            ..self
        }
    }

    #[must_use]
    pub fn log(self, log: Log) -> Self {
        Self { log, ..self }
    }

    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Waits for approval before the job starts. Only GitHub has an environment and reviewers.
    #[must_use]
    pub fn needs_approval(self, environment: &str, reviewers: &[&str]) -> Self {
        let gate = Gate::Person {
            environment: environment.to_owned(),
            reviewers: super::github::owned(reviewers),
            halts: false,
        };
        Self { gate, ..self }
    }

    /// Waits for a person on GitLab and Bitbucket, which have no reviewers.
    #[must_use]
    pub fn manual(self) -> Self {
        self.needs_approval("", &[])
    }

    /// Bitbucket: makes the job a manual step that halts the pipeline.
    #[must_use]
    pub fn halts(self) -> Self {
        let gate = Gate::Person {
            environment: String::new(),
            reviewers: Vec::new(),
            halts: true,
        };
        Self { gate, ..self }
    }

    #[must_use]
    pub fn after_timer(self, timer: Duration) -> Self {
        let gate = Gate::Timer(timer);
        Self { gate, ..self }
    }

    /// GitLab: starts a pipeline of `project`, and completes with it.
    #[must_use]
    pub fn starts(self, project: &str) -> Self {
        let downstream = Some(project.to_owned());
        Self { downstream, ..self }
    }
}

impl Log {
    pub fn text(text: &str) -> Self {
        let text = text.to_owned();
        Self { text, padding: 0 }
    }

    /// Adds this many bytes of filler lines before the text.
    #[must_use]
    pub fn after(self, padding: u64) -> Self {
        Self { padding, ..self }
    }
}

impl Artifact {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            files: Vec::new(),
            is_raw: false,
            expired: false,
            digest: Digest::Right,
        }
    }

    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// An unzipped artifact, named after its only file.
    pub fn raw(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self {
            is_raw: true,
            ..Self::new(name).file(name, content)
        }
    }

    #[must_use]
    pub fn expired(self) -> Self {
        Self {
            expired: true,
            ..self
        }
    }

    #[must_use]
    pub fn digest(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }
}
