//! What a run will do: what its jobs do, how long that takes, what it waits for, and how it
//! reacts to a cancel. All times are the world's. Not here: where a run is in its scenario (see `progress`).

use std::sync::Arc;
use std::time::Duration;

use super::Conclusion;

/// Jobs one after another, with what comes before and after them. Empty: over as soon as it has begun.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    pub(crate) queued: Duration,
    /// How many are before it in its concurrency group, and how long each takes.
    pub(crate) turn: (u32, Duration),
    /// Shared by all runs with this scenario.
    pub(crate) jobs: Vec<Arc<JobScenario>>,
    /// Whatever its jobs come to.
    pub(crate) conclusion: Option<Conclusion>,
    /// What the API shows from then on instead of the provider's word for its state.
    pub(crate) words: Vec<(Duration, String)>,
    /// What the API shows of its end instead of the provider's word.
    pub(crate) last_word: Option<String>,
    pub(crate) on_cancel: OnCancel,
    pub(crate) artifacts: Vec<Artifact>,
    pub(crate) delays: Delays,
}

/// How late the API shows what has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// After its creation, until lists contain the run. It can be read by its id meanwhile.
    pub listed: Duration,
    /// After its creation, until reading the run by its id, or anything of it, doesn't answer 404 any more. It can be
    /// cancelled meanwhile.
    pub readable: Duration,
    /// GitHub: after its end, while the run is `completed` and its `conclusion` null.
    pub concluded: Duration,
}

/// How a run reacts to a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// It is accepted, and takes effect this much later.
    Ends(Duration),
    /// With this status.
    Refuses(u16),
    /// The first few times, with this status; later ones take effect at once.
    RefusesAtFirst { status: u16, times: u32 },
    /// It is accepted, and nothing happens.
    Ignores,
}

impl Default for OnCancel {
    fn default() -> Self {
        Self::Ends(Duration::ZERO)
    }
}

/// What a job does: on Bitbucket, a step.
#[derive(Clone, Debug)]
pub struct JobScenario {
    pub(crate) name: String,
    pub(crate) takes: Duration,
    pub(crate) gate: Gate,
    pub(crate) conclusion: Conclusion,
    /// GitLab's `allow_failure`.
    pub(crate) may_fail: bool,
    /// Whether those after it begin only when it has passed.
    pub(crate) is_needed: bool,
    /// GitHub's steps within it; the last one is where it fails, if it does.
    pub(crate) steps: Vec<String>,
    pub(crate) log: Log,
    /// GitLab's artifacts: paths and contents.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// The project whose pipeline it starts, on GitLab.
    pub(crate) downstream: Option<String>,
}

/// What must happen before a job begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// A person must let it: GitHub's reviewers of an environment, GitLab's manual job, Bitbucket's manual step.
    Person {
        environment: String,
        reviewers: Vec<String>,
        /// Bitbucket's HALTED instead of PAUSED.
        halts: bool,
    },
    /// A time must pass: GitHub's wait timer, GitLab's delayed job.
    Timer(Duration),
}

/// What a job has printed when it is over.
#[derive(Clone, Debug)]
pub struct Log {
    pub(crate) text: String,
    /// So many bytes come before it, never in memory as a whole.
    pub(crate) padding: u64,
}

/// GitHub's.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub(crate) name: String,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Whether it is its only file itself, as `archive: false` of actions/upload-artifact keeps it.
    pub(crate) is_raw: bool,
    pub(crate) expired: bool,
    pub(crate) digest: Digest,
}

/// The digest that is shown for an artifact's zip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    Right,
    Wrong,
    Untold,
}

impl Scenario {
    pub fn new() -> Self {
        Self::default()
    }

    /// One job of that length, which passes.
    pub fn passing(takes: Duration) -> Self {
        Self::new().job(JobScenario::new("build", takes))
    }

    /// One job of that length, which fails.
    pub fn failing(takes: Duration) -> Self {
        Self::new().job(JobScenario::new("build", takes).fails())
    }

    /// Goes on forever, unless it is cancelled.
    pub fn endless() -> Self {
        Self::passing(Duration::from_hours(10_000))
    }

    #[must_use]
    pub fn job(mut self, job: JobScenario) -> Self {
        self.jobs.push(Arc::new(job));
        self
    }

    /// So long before its first job begins.
    #[must_use]
    pub fn queued(self, queued: Duration) -> Self {
        Self { queued, ..self }
    }

    /// This many runs of its concurrency group are before it, and each takes this long.
    #[must_use]
    pub fn after_others(self, others: u32, each: Duration) -> Self {
        let turn = (others, each);
        Self { turn, ..self }
    }

    #[must_use]
    pub fn concludes(self, conclusion: Conclusion) -> Self {
        let conclusion = Some(conclusion);
        Self { conclusion, ..self }
    }

    /// From this long after its creation until its end, the API shows this instead of the provider's word for its state.
    #[must_use]
    pub fn says(mut self, after: Duration, word: &str) -> Self {
        self.words.push((after, word.to_owned()));
        self
    }

    /// The API shows this instead of the provider's word for its end: GitHub's conclusion, GitLab's status, Bitbucket's
    /// result.
    #[must_use]
    pub fn ends_saying(self, word: &str) -> Self {
        let last_word = Some(word.to_owned());
        Self { last_word, ..self }
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

    #[must_use]
    pub fn delays(self, delays: Delays) -> Self {
        Self { delays, ..self }
    }

    /// Lists don't contain the run until this long after its creation. It can be read by its id meanwhile.
    #[must_use]
    pub fn listed_after(mut self, delay: Duration) -> Self {
        self.delays.listed = delay;
        self
    }

    /// Reading the run by its id, or anything of it, answers 404 until this long after its creation. It can be
    /// cancelled meanwhile.
    #[must_use]
    pub fn readable_after(mut self, delay: Duration) -> Self {
        self.delays.readable = delay;
        self
    }

    /// GitHub: for this long after its end the run is `completed` and its `conclusion` null.
    #[must_use]
    pub fn concluded_after(mut self, delay: Duration) -> Self {
        self.delays.concluded = delay;
        self
    }
}

impl JobScenario {
    /// One that passes, with a short log.
    pub fn new(name: &str, takes: Duration) -> Self {
        Self {
            name: name.to_owned(),
            takes,
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

    /// In this step of it.
    #[must_use]
    pub fn fails_in(self, step: &str) -> Self {
        let steps = vec!["Set up job".to_owned(), step.to_owned()];
        Self { steps, ..self }.fails()
    }

    #[must_use]
    pub fn concludes(self, conclusion: Conclusion) -> Self {
        Self { conclusion, ..self }
    }

    /// If it fails, its run doesn't.
    #[must_use]
    pub fn may_fail(self) -> Self {
        Self {
            may_fail: true,
            ..self
        }
    }

    /// Those after it begin whatever it comes to.
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

    /// Begins when a person has let it. The environment and its reviewers are GitHub's.
    #[must_use]
    pub fn needs_approval(self, environment: &str, reviewers: &[&str]) -> Self {
        let gate = Gate::Person {
            environment: environment.to_owned(),
            reviewers: super::github::owned(reviewers),
            halts: false,
        };
        Self { gate, ..self }
    }

    /// The same for GitLab and Bitbucket, which have no reviewers.
    #[must_use]
    pub fn manual(self) -> Self {
        self.needs_approval("", &[])
    }

    /// Bitbucket: a manual step that halts the pipeline.
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

    /// GitLab: it starts a pipeline of that project, and is over when that is.
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

    /// With this many bytes of other lines before its end.
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

    /// Named after its file, which is no zip.
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
