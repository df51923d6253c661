//! The three providers behind one face. This room only delegates: what a provider is like is in its own.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use super::connections::Connection;
use super::error::{Error, Kind};
use super::http::{Http, LogTail};
use super::provider::{Candidate, Depth, PollIntervals, RequestForm, Secrets, TriggerRequest};
use super::quota::Quota;
use super::{bitbucket, github, gitlab};
use crate::model::{Job, ResultArtifact, Run, Snapshot};
use crate::providers::target::{ProviderKind, Spec, Target};

/// What comes right before a trigger takes no longer: it holds one of the few permits for triggers.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// A target's provider, ready to be sent the trigger.
pub(crate) enum AnyProvider<'a> {
    GitHub(github::GitHub<'a>),
    GitLab(gitlab::GitLab<'a>),
    Bitbucket(bitbucket::Bitbucket<'a>),
}

impl<'a> AnyProvider<'a> {
    /// Makes ready all that the trigger needs and that starts nothing: signs in, and reads the default
    /// branch where no ref is given. Safe to do again.
    pub(crate) async fn open(
        target: &'a Target,
        http: &'a Http<'a>,
        connection: &Connection<'a>,
    ) -> Result<Self, Error> {
        Ok(match &target.spec {
            Spec::GitHub(spec) => {
                let session = connection.session.clone();
                let session = session.unwrap_or_else(|| unreachable!("GitHub's have one"));
                Self::GitHub(github::GitHub::open(target, spec, http, session).await?)
            }
            Spec::GitLab(spec) => Self::GitLab(gitlab::GitLab::open(target, spec, http).await?),
            Spec::Bitbucket(spec) => {
                Self::Bitbucket(bitbucket::Bitbucket::open(target, spec, http).await?)
            }
        })
    }

    pub(crate) fn trigger(&self, form: RequestForm, secrets: Secrets) -> TriggerRequest {
        match self {
            Self::GitHub(github) => github.trigger(form),
            Self::GitLab(gitlab) => gitlab.trigger(secrets),
            Self::Bitbucket(bitbucket) => bitbucket.trigger(form, secrets),
        }
    }

    /// Does what must be done right before a trigger and starts nothing: a credential may have expired while the
    /// trigger waited for its turn, and a second form may need something that the first did not. Takes at most
    /// [`READY_TIMEOUT`], and may be dropped at any time.
    pub(crate) async fn make_ready(&self) -> Result<(), Error> {
        let ready = async {
            match self {
                Self::GitHub(github) => github.renew_in_time().await,
                Self::GitLab(_) => Ok(()),
                Self::Bitbucket(bitbucket) => bitbucket.read_tag().await,
            }
        };
        let too_long = |_| {
            let seconds = READY_TIMEOUT.as_secs();
            let what = format!("what comes before the trigger took more than {seconds} s");
            Error::new(Kind::Unreachable, what)
        };
        timeout(READY_TIMEOUT, ready).await.map_err(too_long)?
    }

    /// Sends the trigger, once. `None` where the answer does not tell the run.
    pub(crate) async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error> {
        match self {
            Self::GitHub(github) => github.send(form).await,
            Self::GitLab(gitlab) => gitlab.send().await.map(Some),
            Self::Bitbucket(bitbucket) => bitbucket.send(form).await.map(Some),
        }
    }

    /// Why the second form is worth sending after the first one was rejected like this, if it is.
    pub(crate) fn fallback(&self, rejection: &Error) -> Option<&'static str> {
        match self {
            Self::GitHub(github) => github.fallback(rejection),
            Self::GitLab(_) => None,
            Self::Bitbucket(bitbucket) => bitbucket.fallback(rejection),
        }
    }

    /// Tells a rejection better, with what one or two more reads show.
    pub(crate) async fn explain(&self, rejection: Error) -> Error {
        match self {
            Self::GitHub(github) => github.explain(rejection).await,
            Self::GitLab(gitlab) => gitlab.explain(rejection).await,
            Self::Bitbucket(bitbucket) => bitbucket.explain(rejection).await,
        }
    }

    /// The runs that the trigger may have started: those since then by the server's clock, newest first.
    /// `None`: the newest there are, whoever started them.
    pub(crate) async fn list_runs(
        &self,
        since: Option<SystemTime>,
    ) -> Result<Vec<Candidate>, Error> {
        match self {
            Self::GitHub(github) => github.list_runs(since).await,
            Self::GitLab(gitlab) => gitlab.list_runs(since).await,
            Self::Bitbucket(bitbucket) => bitbucket.list_runs(since).await,
        }
    }

    /// Tells better why the runs cannot be read that would be waited for.
    fn explain_unreadable(&self, error: Error) -> Error {
        match self {
            Self::GitHub(github) => github.explain_unreadable(error),
            Self::GitLab(gitlab) => gitlab.explain_unreadable(error),
            Self::Bitbucket(bitbucket) => bitbucket.explain_unreadable(error),
        }
    }

    /// Looks at a run, once.
    pub(crate) async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        match self {
            Self::GitHub(github) => github.status(run, depth).await,
            Self::GitLab(gitlab) => gitlab.status(run, depth).await,
            Self::Bitbucket(bitbucket) => bitbucket.status(run, depth).await,
        }
    }

    pub(crate) fn poll_intervals(&self) -> PollIntervals {
        PollIntervals::of(match self {
            Self::GitHub(_) => ProviderKind::GitHub,
            Self::GitLab(_) => ProviderKind::GitLab,
            Self::Bitbucket(_) => ProviderKind::Bitbucket,
        })
    }

    /// The runs that are there before anything is triggered, whoever started them. That they can be read proves
    /// that the run will be, so it is read once for each repository, whoever asks.
    pub(crate) async fn seen(
        &self,
        repository: &str,
        quota: &Quota,
    ) -> Result<Rc<HashSet<String>>, Error> {
        let read = async || {
            let runs = self.list_runs(None).await;
            let runs = runs.map_err(|error| match error.kind() {
                Kind::Rejected => self.explain_unreadable(error),
                Kind::Unreachable | Kind::RateLimited(_) | Kind::Unknown => error,
            })?;
            Ok(Rc::new(runs.into_iter().map(|run| run.id).collect()))
        };
        quota.seen.get_or_read(repository, read).await
    }

    /// Whether everybody can read the repository, as far as that can be read.
    pub(crate) async fn is_public(&self) -> bool {
        let read = match self {
            Self::GitHub(github) => github.is_public().await,
            Self::GitLab(gitlab) => gitlab.is_public().await,
            Self::Bitbucket(bitbucket) => bitbucket.is_public().await,
        };
        read.unwrap_or(false)
    }

    /// Asks for a run's end. That it was accepted does not mean that it takes effect.
    pub(crate) async fn cancel(&self, run: &Run) -> Result<(), Error> {
        match self {
            Self::GitHub(github) => github.cancel(run).await,
            Self::GitLab(gitlab) => gitlab.cancel(run).await,
            Self::Bitbucket(bitbucket) => bitbucket.cancel(run).await,
        }
    }

    /// The end of a job's log.
    pub(crate) async fn log(&self, run: &Run, job: &Job) -> Result<LogTail, Error> {
        match self {
            Self::GitHub(github) => github.log(job).await,
            Self::GitLab(gitlab) => gitlab.log(job).await,
            Self::Bitbucket(bitbucket) => bitbucket.log(run, job).await,
        }
    }

    /// The file that the run left as its result; at most one byte more than [`MAX_RESULT`].
    pub(crate) async fn result(
        &self,
        run: &Run,
        artifact: &ResultArtifact,
    ) -> Result<Vec<u8>, Error> {
        match (self, artifact) {
            (Self::GitHub(github), ResultArtifact::Named(name)) => {
                github.result(run, name).await.map(without_mark)
            }
            (Self::GitLab(gitlab), ResultArtifact::OfJob { job, path }) => {
                gitlab.result(run, job, path).await.map(without_mark)
            }
            (Self::GitHub(_) | Self::GitLab(_) | Self::Bitbucket(_), _) => Err(Error::new(
                Kind::Rejected,
                "this provider keeps no such results",
            )),
        }
    }

    /// Where a person would look for a run that may have been started.
    pub(crate) fn runs_page(&self) -> String {
        match self {
            Self::GitHub(github) => github.runs_page(),
            Self::GitLab(gitlab) => gitlab.runs_page(),
            Self::Bitbucket(bitbucket) => bitbucket.runs_page(),
        }
    }
}

/// Some editors and shells put a byte-order mark before JSON, which is no part of it.
fn without_mark(mut text: Vec<u8>) -> Vec<u8> {
    if text.starts_with(b"\xef\xbb\xbf") {
        text.drain(..3);
    }
    text
}
