//! What a provider is: the trait, and what it and those who use it speak of.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;
use url::Url;

use crate::model::{Job, ResultArtifact, Run, Secret, Snapshot, WaitOptions};
use crate::providers::error::{Error, Kind};
use crate::providers::http::{Client, Http, LimitMessage, LogTail};
use crate::providers::location::Location;
use crate::providers::variable::Argument;
use crate::values::{Checked, Inputs};

/// Largest result that is read back, in bytes.
pub(crate) const MAX_RESULT: usize = 1024 * 1024;
/// So much of a log's end is read, in bytes: a hundred lines and more.
pub(super) const MAX_LOG_TAIL: usize = 64 * 1024;

/// What to trigger on one provider: the pipeline, its arguments, and the credential.
pub(crate) trait ProviderSpec: Sized {
    /// As written in inputs and outputs.
    const ID: &'static str;
    /// As its owner writes it.
    const NAME: &'static str;
    const POLL_INTERVALS: PollIntervals;
    /// The inputs that mean something here and not everywhere; those that no provider lists are for all.
    const INPUTS: &'static [&'static str];
    /// Those of these that are a part of its credential, as `token` is.
    const CREDENTIALS: &'static [&'static str];
    /// How its tokens begin. None of them is ever sent to another provider.
    const TOKEN_PREFIXES: &'static [&'static str];
    /// Its public server, where none is given.
    const DEFAULT_SERVER: &'static str;
    /// Error messages that mean a rate limit.
    const LIMIT_MESSAGES: &'static [LimitMessage] = &[];
    /// What a repository's name must be, in words.
    const REPOSITORY_FORM: &'static str;

    /// Whether that host is known to be its own, so that a web URL there says which provider it is.
    fn is_public_host(host: &str) -> bool {
        Self::DEFAULT_SERVER.strip_prefix("https://") == Some(host)
    }

    /// What is wrong with a server's web address.
    fn check_server(_web: &Url) -> Result<(), &'static str> {
        Ok(())
    }

    /// Where the API of a server is.
    fn api_address(web: &Url) -> Url;

    /// What is wrong with a repository's name, to follow "it".
    fn check_name(name: &str) -> Result<(), &'static str>;

    /// What the inputs come to, or all that is wrong with them.
    fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Self>;

    /// Where the run leaves its result. `None` also where runs leave none, since that is complained about for `INPUTS`.
    fn result_artifact(_inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        Ok(None)
    }

    /// Whether an entry of `targets` with these inputs of its own has the step's input of that name, too. Where credentials
    /// never go is decided elsewhere.
    fn inherits(_name: &str, _step: &Inputs, _own: &Inputs) -> bool {
        true
    }

    /// Which pipeline of the repository, in a few words.
    fn pipeline(&self) -> String;

    /// The branch, tag or commit that is asked for; `None` where it is left to the provider.
    fn source(&self) -> Option<String>;

    /// As whom, never with what.
    fn identity(&self) -> String;

    /// What tells this credential from others for targets of that repository.
    fn credential_parts(&self, repository: &str) -> CredentialParts<'_>;

    /// Whether a run of one could be taken for one of the other, which is in the same repository.
    fn could_be_confused(&self, other: &Self) -> bool;

    /// What the request says, without the credential and the marker: equal where the same would be sent.
    fn request_parts(&self) -> Vec<String>;

    /// What the runs carry, so that they can be recognised.
    fn marker(&self) -> Option<&str> {
        None
    }

    /// Takes the marker of a trigger that went out earlier.
    fn set_marker(&mut self, _known: &str) {}

    /// What to add to the pipeline so that its runs carry the marker.
    fn how_to_mark(&self) -> Option<&'static str> {
        None
    }

    /// The event that pipelines must listen to, where a trigger is one.
    fn event_type(&self) -> Option<&str> {
        None
    }
}

/// What must be known beside the inputs of a target to read them.
pub(crate) struct InputContext<'a> {
    /// The provider's name.
    pub(crate) provider: &'static str,
    /// `None` where something is wrong with the target's place.
    pub(crate) distance: Option<Distance<'a>>,
    /// Why a secret may be missing, to follow "is not set".
    pub(crate) or_withheld: &'a str,
    /// How the tokens of each provider begin, by its name.
    pub(crate) token_prefixes: &'static [(&'static str, &'static [&'static str])],
}

/// How far a target is from the repository whose job the step is a part of.
pub(crate) enum Distance<'a> {
    /// It is that repository, as far as that is known.
    SameRepository,
    SameServer {
        own: &'a str,
    },
    OtherServer,
}

/// What tells one credential from another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct CredentialParts<'a> {
    /// Where one credential has rate limits for each owner.
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

/// What the targets of one provider share in addition to a client, such as sign-ins. `()` shares nothing.
pub(crate) trait Sessions<'a, Spec: ProviderSpec>: Default {
    /// The part of one target.
    type Session;

    fn session(
        &mut self,
        location: &'a Location,
        spec: &'a Spec,
        wait: Option<&WaitOptions>,
        client: &Rc<Client>,
    ) -> Self::Session;

    /// Revokes what was made for this step. The session can't be used afterwards.
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

/// A target's provider, ready to be sent the trigger.
pub(crate) trait Provider<'a>: Sized {
    type Spec: ProviderSpec;
    type Sessions: Sessions<'a, Self::Spec>;

    /// Signs in, and reads what the trigger needs, such as the default branch. Starts nothing.
    async fn open(
        location: &'a Location,
        spec: &'a Self::Spec,
        http: &'a Http<'a>,
        session: &<Self::Sessions as Sessions<'a, Self::Spec>>::Session,
    ) -> Result<Self, Error>;

    fn trigger(&self, form: RequestForm, secrets: Secrets) -> TriggerRequest;

    /// Does what must be done right before a trigger and starts nothing: a credential may have expired while the
    /// trigger waited for its turn, and the fallback form may need something that the preferred one did not. May be
    /// dropped at any time.
    async fn make_ready(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Sends the trigger, once. `None` where the response does not tell the run.
    async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error>;

    /// Why the fallback form is worth sending after the preferred one was rejected like this, if it is.
    fn fallback(&self, _rejection: &Error) -> Option<&'static str> {
        None
    }

    /// Explains a rejection, with what one or two more reads show.
    async fn explain(&self, rejection: Error) -> Error;

    /// Explains why the runs cannot be read that would be waited for.
    fn explain_unreadable(&self, error: Error) -> Error;

    /// The runs that the trigger may have started: those since then by the server's clock, newest first.
    /// `None`: the newest there are, whoever started them.
    async fn list_runs(&self, since: Option<SystemTime>) -> Result<Vec<Candidate>, Error>;

    /// Reads a run's state, once.
    async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error>;

    /// Asks for a run's end. That it was accepted does not mean that it takes effect.
    async fn cancel(&self, run: &Run) -> Result<(), Error>;

    /// The end of a job's log.
    async fn log(&self, run: &Run, job: &Job) -> Result<LogTail, Error>;

    /// The file that the run left as its result; at most one byte more than [`MAX_RESULT`].
    async fn result(&self, _run: &Run, _artifact: &ResultArtifact) -> Result<Vec<u8>, Error> {
        Err(no_such_result())
    }

    /// Whether everybody can read the repository.
    async fn is_public(&self) -> Result<bool, Error>;

    /// Where a person would look for a run that may have been started.
    fn runs_page(&self) -> String;
}

pub(super) fn no_such_result() -> Error {
    Error::new(Kind::Rejected, "this provider keeps no such results")
}

/// Which of a trigger's two forms. The second one is sent only where the first was rejected for the
/// one reason that the second one mends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RequestForm {
    Preferred,
    Fallback,
}

/// The one request that starts something; its method is POST.
pub(crate) struct TriggerRequest {
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
