//! The three providers behind one face. This room only delegates: what a provider is like is in its own.

mod account;
mod bitbucket;
mod error;
mod github;
mod gitlab;
pub(crate) mod http;
mod sharing;
mod wire;

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ::http::HeaderValue;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::timeout;
use url::Url;

pub(crate) use account::{Account, Nature};
pub(crate) use error::{Error, Kind};
use http::{Answer, Body, Http, Tail};
pub(crate) use sharing::{Share, share};

use crate::run::{Job, Look, Run, State};
use crate::secret::Secret;
use crate::target::{Argument, Call, Provider, ResultArtifact, Target};

/// Largest result that is read back, in bytes.
pub(crate) const LARGEST_RESULT: usize = 1024 * 1024;
/// So much of a log's end is read, in bytes: a hundred lines and more.
const LOG_TAIL: usize = 64 * 1024;

/// What comes right before a trigger takes no longer: it holds one of the few permits for triggers.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// A target's provider, ready to be sent the trigger.
pub(crate) enum Connection<'a> {
    GitHub(github::GitHub<'a>),
    GitLab(gitlab::GitLab<'a>),
    Bitbucket(bitbucket::Bitbucket<'a>),
}

/// Which of a trigger's two forms. The second one is sent only where the first was rejected for the
/// one reason that the second one mends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    First,
    Second,
}

/// The one request that starts something; its method is POST.
pub(crate) struct Trigger {
    pub(crate) url: Url,
    pub(crate) body: Box<RawValue>,
}

/// Whether secrets stand in a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// For the wire.
    Sent,
    /// For people.
    Hidden,
}

/// How much one look shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Depth {
    Run,
    /// Its jobs too, which takes more requests.
    Jobs,
}

/// How often a provider may be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Between two looks at one run.
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
    /// Between any two looks with one credential.
    pub(crate) apart: Duration,
    /// Between two looks at a run's jobs while the run itself shows no change.
    pub(crate) jobs: Duration,
}

/// A run that the trigger may have started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    pub(crate) number: Option<u64>,
    pub(crate) url: String,
    /// Empty where runs have none.
    pub(crate) title: String,
    /// What it is a run of; empty where a repository has one pipeline alone.
    pub(crate) workflow: String,
    pub(crate) claim: Claim,
}

/// What speaks for a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// It bears the marker.
    Marked,
    /// All that can be told of it is as it would be, its time aside.
    Fits,
    /// It is of the same kind, and not ours.
    Other,
}

impl Pace {
    pub(crate) fn of(provider: Provider) -> Self {
        match provider {
            Provider::GitHub => Self::GITHUB,
            Provider::GitLab => Self::GITLAB,
            Provider::Bitbucket => Self::BITBUCKET,
        }
    }

    /// Looks at a run that has not changed cost nothing; those at its jobs nearly always do, since each
    /// step of a job changes them. But a run changes with each of its jobs.
    pub(crate) const GITHUB: Self = Self {
        shortest: Duration::from_secs(2),
        longest: Duration::from_secs(5),
        apart: Duration::from_millis(500),
        jobs: Duration::from_mins(1),
    };
    /// A pipeline shows nothing of its jobs.
    pub(crate) const GITLAB: Self = Self {
        shortest: Duration::from_secs(2),
        longest: Duration::from_secs(15),
        apart: Duration::from_millis(500),
        jobs: Duration::from_secs(4),
    };
    /// A thousand requests an hour are all there is.
    pub(crate) const BITBUCKET: Self = Self {
        shortest: Duration::from_secs(5),
        longest: Duration::from_secs(15),
        apart: Duration::from_secs(5),
        jobs: Duration::from_secs(10),
    };
}

impl Secrets {
    fn show(self, secret: &Secret) -> &str {
        match self {
            Self::Sent => secret.expose(),
            Self::Hidden => "***",
        }
    }

    fn show_argument(self, argument: &Argument) -> &str {
        match argument {
            Argument::Plain(text) => text,
            Argument::Secret(secret) => self.show(secret),
        }
    }
}

impl<'a> Connection<'a> {
    /// Makes ready all that the trigger needs and that starts nothing: signs in, and reads the default
    /// branch where no ref is given. Safe to do again.
    pub(crate) async fn open(
        target: &'a Target,
        http: &'a Http<'a>,
        share: &Share<'a>,
    ) -> Result<Self, Error> {
        Ok(match &target.call {
            Call::GitHub(call) => {
                let session = share.session.clone();
                let session = session.unwrap_or_else(|| unreachable!("GitHub's have one"));
                Self::GitHub(github::GitHub::open(target, call, http, session).await?)
            }
            Call::GitLab(call) => Self::GitLab(gitlab::GitLab::open(target, call, http).await?),
            Call::Bitbucket(call) => {
                Self::Bitbucket(bitbucket::Bitbucket::open(target, call, http).await?)
            }
        })
    }

    pub(crate) fn trigger(&self, form: Form, secrets: Secrets) -> Trigger {
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
    pub(crate) async fn send(&self, form: Form) -> Result<Option<Run>, Error> {
        match self {
            Self::GitHub(github) => github.send(form).await,
            Self::GitLab(gitlab) => gitlab.send().await.map(Some),
            Self::Bitbucket(bitbucket) => bitbucket.send(form).await.map(Some),
        }
    }

    /// Why the second form is worth sending after the first one was rejected like this, if it is.
    pub(crate) fn second_form(&self, rejection: &Error) -> Option<&'static str> {
        match self {
            Self::GitHub(github) => github.second_form(rejection),
            Self::GitLab(_) => None,
            Self::Bitbucket(bitbucket) => bitbucket.second_form(rejection),
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
    pub(crate) async fn recent(&self, since: Option<SystemTime>) -> Result<Vec<Candidate>, Error> {
        match self {
            Self::GitHub(github) => github.recent(since).await,
            Self::GitLab(gitlab) => gitlab.recent(since).await,
            Self::Bitbucket(bitbucket) => bitbucket.recent(since).await,
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
    pub(crate) async fn look(&self, run: &Run, depth: Depth) -> Result<Look, Error> {
        match self {
            Self::GitHub(github) => github.look(run, depth).await,
            Self::GitLab(gitlab) => gitlab.look(run, depth).await,
            Self::Bitbucket(bitbucket) => bitbucket.look(run, depth).await,
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace::of(match self {
            Self::GitHub(_) => Provider::GitHub,
            Self::GitLab(_) => Provider::GitLab,
            Self::Bitbucket(_) => Provider::Bitbucket,
        })
    }

    /// The runs that are there before anything is triggered, whoever started them. That they can be read proves
    /// that the run will be, so it is read once for each repository, whoever asks.
    pub(crate) async fn seen(
        &self,
        repository: &str,
        account: &Account,
    ) -> Result<Rc<HashSet<String>>, Error> {
        let read = async || {
            let runs = self.recent(None).await;
            let runs = runs.map_err(|error| match error.kind() {
                Kind::Rejected => self.explain_unreadable(error),
                Kind::Unreachable | Kind::RateLimited(_) | Kind::Unknown => error,
            })?;
            Ok(Rc::new(runs.into_iter().map(|run| run.id).collect()))
        };
        account.seen.get(repository, read).await
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
    pub(crate) async fn log(&self, run: &Run, job: &Job) -> Result<Tail, Error> {
        match self {
            Self::GitHub(github) => github.log(job).await,
            Self::GitLab(gitlab) => gitlab.log(job).await,
            Self::Bitbucket(bitbucket) => bitbucket.log(run, job).await,
        }
    }

    /// The file that the run left as its result; at most one byte more than [`LARGEST_RESULT`].
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

/// What an answer's status means, where the provider has no word of its own for it.
fn judge(answer: Answer, what: &str) -> Result<Answer, Error> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let told = answer.tell();
    if let Some(limit) = answer.rate_limit() {
        let error = Error::new(
            Kind::RateLimited(limit.wait),
            format!("too many requests: {told} for {what}"),
        );
        return Err(error.with_answer(answer));
    }
    let status = answer.status;
    let kind = if status.is_client_error() && status != ::http::StatusCode::REQUEST_TIMEOUT {
        Kind::Rejected
    } else {
        Kind::Unknown
    };
    Err(Error::new(kind, format!("{told} for {what}")).with_answer(answer))
}

/// A success that cannot be understood: something may have been started.
fn unclear(answer: &Answer, why: &str) -> Error {
    Error::new(
        Kind::Unknown,
        format!("{} for the trigger, but {why}", answer.status.as_u16()),
    )
}

/// What was read, if it can be understood; later it may.
fn parse<T: DeserializeOwned>(answer: Answer, what: &str) -> Result<T, Error> {
    answer.json().map_err(|why| {
        let error = unreadable(what, &why);
        match answer.body {
            Body::TooLarge(_) => error.with_answer(answer),
            Body::Complete(_) | Body::Unreadable(_) => error,
        }
    })
}

fn unreadable(what: &str, why: &str) -> Error {
    Error::new(Kind::Unknown, format!("{what} cannot be read: {why}"))
}

/// What is read beside a look that was good and showed this state: without it that is as good. But a rate
/// limit must be slept out, since asking on would prolong it, unless an end was seen: that must be told.
fn beside<T>(read: Result<T, Error>, state: State) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error)
            if matches!(error.kind(), Kind::RateLimited(_)) && state.conclusion().is_none() =>
        {
            Err(error)
        }
        Err(_) => Ok(None),
    }
}

/// The default branch was asked for, and the answer cannot be understood.
fn no_default_branch(why: &str) -> Error {
    Error::new(
        Kind::Unknown,
        format!("the default branch cannot be read: {why}"),
    )
    .hint("set `ref`")
}

/// A credential as a header's value, which the libraries then keep out of what they print.
fn credential_header(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|error| {
        Error::new(Kind::Rejected, "the token is no header's value").because(&error)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A value that can always be written as JSON.
fn json(value: &impl serde::Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
}

/// An address below another one; the parts are escaped, so that none can become two.
fn below<'part>(base: &Url, parts: impl IntoIterator<Item = &'part str>) -> Url {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().extend(parts),
        Err(()) => unreachable!("server addresses have a host"),
    };
    url
}
