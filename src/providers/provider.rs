//! The traits that each provider implements, and the types in their signatures.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;
use url::Url;

use crate::model::{
    FIRST_ATTEMPT, FollowedRun, Job, ResultArtifact, Run, Secret, Snapshot, WaitOptions,
};
use crate::providers::added::Added;
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::{Client, Http, LimitMessage, LogTail};
use crate::providers::location::Location;
use crate::providers::variable::Argument;
use crate::values::{Checked, Inputs};

/// Largest result that is read, in bytes.
pub(crate) const MAX_RESULT: usize = 1024 * 1024;
/// How much of the end of a log is read, in bytes: a hundred lines and more.
pub(super) const MAX_LOG_TAIL: usize = 64 * 1024;

/// What to trigger on one provider: the pipeline, its arguments, and the credential.
pub(crate) trait ProviderSpec: Sized {
    /// Its name in inputs and outputs.
    const ID: &'static str;
    /// Its name in messages, as its vendor spells it.
    const NAME: &'static str;
    const POLL_INTERVALS: PollIntervals;
    /// The inputs that this provider supports and not every other does. Inputs that no provider lists are for all.
    const INPUTS: &'static [&'static str];
    /// Those of [`INPUTS`](Self::INPUTS) that are part of a credential. `token` always is.
    const CREDENTIALS: &'static [&'static str];
    /// Groups of inputs of which one is enough.
    const ALTERNATIVES: &'static [&'static [&'static str]] = &[];
    /// Prefixes of its tokens. A token with one of them is never sent to another provider.
    const TOKEN_PREFIXES: &'static [&'static str];
    /// Its public server, used if no server is given.
    const DEFAULT_SERVER: &'static str;
    /// Error messages that mean a rate limit.
    const LIMIT_MESSAGES: &'static [LimitMessage] = &[];
    /// The form of a repository's name, for error messages.
    const REPOSITORY_FORM: &'static str;
    /// The address of a run's page, for error messages.
    const RUN_ADDRESS_FORM: &'static str;

    /// Whether the host is certainly this provider's, so that a web URL on it identifies the provider.
    fn is_public_host(host: &str) -> bool {
        Self::DEFAULT_SERVER.strip_prefix("https://") == Some(host)
    }

    /// Checks a server's web address.
    fn check_server(_web: &Url) -> Result<(), &'static str> {
        Ok(())
    }

    /// The base address of a server's API.
    fn api_address(web: &Url) -> Url;

    /// Checks a repository's name. The error is a predicate, such as "contains no `/`".
    fn check_name(name: &str) -> Result<(), &'static str>;

    /// Splits the path of a run's page, relative to the server. `None` for any other page.
    fn run_address(path: &str) -> Option<RunAddress>;

    /// Whether a run of this provider can have this id.
    fn is_run_id(id: &str) -> bool {
        is_number(id)
    }

    /// Reads only the credential, for a target that triggers nothing. `may_cancel`: whether any of its runs may be
    /// cancelled.
    fn follow(inputs: &Inputs, context: &InputContext<'_>, may_cancel: bool) -> Checked<Self>;

    /// Reads the inputs, or reports everything that is wrong with them.
    fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Self>;

    /// Reads where the run leaves its result. A provider without results keeps the default: the check against
    /// [`INPUTS`](Self::INPUTS) already reports the input.
    fn result_artifact(_inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        Ok(None)
    }

    /// Whether an entry of `targets` with the inputs `own` inherits the step's input `name`. Whether credentials may be
    /// inherited at all is checked elsewhere.
    fn inherits(_name: &str, _step: &Inputs, _own: &Inputs) -> bool {
        true
    }

    /// Names the pipeline within the repository, in a few words.
    fn pipeline(&self) -> String;

    /// The requested branch, tag or commit; `None` if the provider chooses.
    fn source(&self) -> Option<String>;

    /// Describes the credential without its secret, as a fragment for messages.
    fn identity(&self) -> String;

    /// Identifies the credential, for a target with that repository.
    fn credential_parts(&self, repository: &str) -> CredentialParts<'_>;

    /// Whether a run of this target could be mistaken for one of `other`, a target in the same repository.
    fn could_be_confused(&self, other: &Self) -> bool;

    /// The contents of the request without the credential and the marker. Equal parts mean equal requests.
    fn request_parts(&self) -> Vec<String>;

    /// Checks whether the credential is of a kind that can re-run failed jobs.
    fn check_retries(&self) -> Checked<()> {
        Ok(())
    }

    /// The arguments that the step adds.
    fn added(&self) -> &Added;

    fn added_mut(&mut self) -> &mut Added;

    /// The line to add to the pipeline so that its runs carry the marker.
    fn how_to_mark(&self) -> Option<String> {
        None
    }

    /// The event type that workflows must listen to, if the trigger is an event.
    fn event_type(&self) -> Option<&str> {
        None
    }
}

/// A run as the path of its page names it.
pub(crate) struct RunAddress {
    pub(crate) repository: String,
    /// The run's id, or for Bitbucket its number.
    pub(crate) id: String,
    /// `None` means the current one.
    pub(crate) attempt: Option<u64>,
}

/// Whether it's a number as APIs write it, so that the strings can be compared.
pub(super) fn is_number(text: &str) -> bool {
    text.parse::<u64>()
        .is_ok_and(|number| number.to_string() == text)
}

/// What else a provider needs to read a target's inputs.
pub(crate) struct InputContext<'a> {
    /// The provider's name.
    pub(crate) provider: &'static str,
    /// The web address of the run whose job runs this step.
    pub(crate) calling_run: Option<&'a str>,
    /// Whether the runs must be recognisable by a marker, if a marker can be sent without being asked for.
    pub(crate) needs_marker: bool,
    /// `None` if the target's location isn't valid.
    pub(crate) distance: Option<Distance<'a>>,
    /// Why a secret may be missing, as a fragment that follows "isn't set".
    pub(crate) or_withheld: &'a str,
    /// Each provider's name and token prefixes.
    pub(crate) token_prefixes: &'static [(&'static str, &'static [&'static str])],
}

/// Where a target is, relative to the repository whose job runs this step.
pub(crate) enum Distance<'a> {
    /// The target is that repository, as far as is known.
    SameRepository,
    SameServer {
        own: &'a str,
    },
    OtherServer,
}

/// Identifies a credential on a server: equal parts share their rate limits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct CredentialParts<'a> {
    /// Set if the credential has separate rate limits for each owner.
    pub(crate) owner: Option<String>,
    pub(crate) parts: Vec<&'a [u8]>,
}

impl<'a> CredentialParts<'a> {
    pub(crate) fn new<const N: usize>(parts: [&'a str; N]) -> Self {
        Self {
            owner: None,
            parts: parts.into_iter().map(str::as_bytes).collect(),
        }
    }
}

/// State that the targets of one provider share, such as sign-ins. `()` shares nothing.
pub(crate) trait Sessions<'a, Spec: ProviderSpec>: Default {
    /// The shared state of one target.
    type Session;

    fn session(
        &mut self,
        location: &'a Location,
        spec: &'a Spec,
        wait: Option<&WaitOptions>,
        client: &Rc<Client>,
    ) -> Self::Session;

    /// Revokes the credentials that were created for this step. The session can't be used afterwards.
    async fn end(_session: &Self::Session, _location: &Location, _http: &Http<'_>) {}
}

impl<'a, Spec: ProviderSpec> Sessions<'a, Spec> for () {
    type Session = ();

    fn session(
        &mut self,
        _location: &'a Location,
        _spec: &'a Spec,
        _wait: Option<&WaitOptions>,
        _client: &Rc<Client>,
    ) {
    }
}

/// A target's provider, signed in and ready to trigger.
pub(crate) trait Provider<'a>: Sized {
    type Spec: ProviderSpec;
    type Sessions: Sessions<'a, Self::Spec>;

    /// Signs in. Starts nothing.
    async fn open(
        location: &'a Location,
        spec: &'a Self::Spec,
        http: &'a Http<'a>,
        session: &<Self::Sessions as Sessions<'a, Self::Spec>>::Session,
    ) -> Result<Self, Error>;

    /// Reads what only the trigger needs, such as the default branch. Starts nothing.
    async fn prepare_trigger(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn trigger(&self, form: RequestForm, secrets: Secrets) -> TriggerRequest;

    /// Prepares for a trigger that is sent next. Starts nothing. A credential may have expired while the trigger waited
    /// for its turn, and the fallback form may need something that the preferred one doesn't. Must be cancel-safe.
    async fn make_ready(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Reads what the trigger refers to, for a dry run. Fails only if that certainly doesn't exist, and reports what
    /// couldn't be checked.
    async fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Sends the trigger, once. Returns `None` if the response doesn't name the run.
    async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error>;

    /// Returns why to send the fallback form after this rejection of the preferred one; `None`: don't send it.
    fn fallback(&self, _rejection: &Error) -> Option<&'static str> {
        None
    }

    /// Explains a rejection. May send one or two more reads.
    async fn explain(&self, rejection: Error) -> Error;

    /// Explains why the runs to wait for can't be read.
    fn explain_unreadable(&self, error: Error) -> Error;

    /// Lists the runs that the trigger may have started: those since that time by the server's clock, newest first.
    /// `None` lists the newest runs of anyone.
    async fn list_runs(&self, since: Option<SystemTime>) -> Result<Vec<Candidate>, Error>;

    /// Lists the runs that earlier attempts of the job may have started, as far back as `since`. Their titles contain
    /// their markers.
    async fn list_earlier_runs(&self, since: SystemTime) -> Result<EarlierRuns, Error> {
        let candidates = self.list_runs(Some(since)).await?;
        Ok(EarlierRuns {
            candidates,
            is_complete: false,
        })
    }

    /// Returns the number of a run's latest attempt.
    async fn latest_attempt(&self, _run: &Run) -> Result<u64, Error> {
        Ok(FIRST_ATTEMPT)
    }

    /// Requests a run's status, once.
    async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error>;

    /// Reads a run that was started elsewhere: proves that it can be read, and pins what may change.
    async fn followed(&self, given: &FollowedRun) -> Result<Run, Error>;

    /// Returns the run that most likely took the place of a run that was cancelled before it started, if that is known.
    async fn displaced_by(&self, _run: &Run) -> Result<Option<Run>, Error> {
        Ok(None)
    }

    /// Requests that a run is cancelled. Success means that the request was accepted, not that the run ends. A check that
    /// the run isn't over yet, if one is necessary, may take until `end_of_check`.
    async fn cancel(&self, run: &Run, end_of_check: impl Future<Output = ()>) -> Result<(), Error>;

    /// Requests, once, to re-run the failed jobs of a run that has ended, as `ended` shows. Success means that the request
    /// was accepted.
    async fn rerun_failed_jobs(&self, _run: &Run, _ended: &Snapshot) -> Result<(), Error> {
        Err(Error::new(
            ErrorKind::Rejected,
            "this provider can't re-run failed jobs",
        ))
    }

    /// Whether the run has started again since the end that `ended` shows.
    async fn has_next_attempt(&self, _run: &Run, _ended: &Snapshot) -> Result<bool, Error> {
        Ok(false)
    }

    /// The web page of the run's attempt.
    fn attempt_page(&self, run: &Run) -> String {
        run.url.clone()
    }

    /// Reads the end of a job's log, at most [`MAX_LOG_TAIL`] bytes.
    async fn log(&self, run: &Run, job: &Job) -> Result<LogTail, Error>;

    /// Reads the file that the run left as its result; at most one byte more than [`MAX_RESULT`].
    async fn result(&self, _run: &Run, _artifact: &ResultArtifact) -> Result<Vec<u8>, Error> {
        Err(no_such_result())
    }

    /// Whether everybody can read the repository.
    async fn is_public(&self) -> Result<bool, Error>;

    /// The web page where a person can look for a run that may have been started.
    fn runs_page(&self) -> String;
}

pub(super) fn no_such_result() -> Error {
    Error::new(
        ErrorKind::Rejected,
        "this provider has no API for such results",
    )
}

/// The two forms of a trigger. The fallback is sent only after the preferred form was rejected for the one reason that
/// the fallback fixes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RequestForm {
    Preferred,
    Fallback,
}

/// The one request that starts something. Its method is POST.
pub(crate) struct TriggerRequest {
    pub(crate) url: Url,
    pub(crate) body: Box<RawValue>,
}

/// Whether a request body contains its secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// The body to send.
    Sent,
    /// The body to show, with `***` for each secret.
    Hidden,
}

/// How much a status request reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Depth {
    Run,
    /// The run and its jobs, which takes more requests.
    Jobs,
}

/// How often a provider is polled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PollIntervals {
    /// Between two polls of one run.
    pub(crate) min: Duration,
    pub(crate) max: Duration,
    /// Between any two polls with one credential.
    pub(crate) per_quota: Duration,
    /// Between two polls of a run's jobs while the run itself shows no change.
    pub(crate) jobs: Duration,
}

/// A run that the trigger may have started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    pub(crate) number: Option<u64>,
    pub(crate) url: String,
    /// The run's title, or what else may contain a marker. Empty if it has neither.
    pub(crate) title: String,
    /// The name of its workflow; empty if a repository has only one pipeline.
    pub(crate) workflow: String,
    pub(crate) claim: Claim,
}

/// A list of runs from some time on.
#[derive(Default)]
pub(crate) struct EarlierRuns {
    pub(crate) candidates: Vec<Candidate>,
    /// Whether the list reaches back far enough.
    pub(crate) is_complete: bool,
}

/// How well a candidate matches the trigger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// It carries the marker.
    Marked,
    /// Everything known about it matches, apart from its time, which isn't checked here.
    Fits,
    /// It is of the same kind, but belongs to somebody else.
    Other,
}

impl Secrets {
    pub(super) fn show(self, secret: &Secret) -> &str {
        match self {
            Self::Sent => secret.expose(),
            Self::Hidden => "***",
        }
    }

    pub(super) fn show_argument(self, argument: &Argument) -> &str {
        match argument {
            Argument::Plain(text) => text,
            Argument::Secret(secret) => self.show(secret),
        }
    }
}
