//! What the three providers and those who use them speak of.

use std::time::Duration;

use serde_json::value::RawValue;
use url::Url;

use crate::model::Secret;
use crate::providers::target::{Argument, ProviderKind};

/// Largest result that is read back, in bytes.
pub(crate) const MAX_RESULT: usize = 1024 * 1024;
/// So much of a log's end is read, in bytes: a hundred lines and more.
pub(super) const MAX_LOG_TAIL: usize = 64 * 1024;

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

impl PollIntervals {
    pub(crate) fn of(provider: ProviderKind) -> Self {
        match provider {
            ProviderKind::GitHub => Self::GITHUB,
            ProviderKind::GitLab => Self::GITLAB,
            ProviderKind::Bitbucket => Self::BITBUCKET,
        }
    }

    /// Looks at a run that has not changed cost nothing; those at its jobs nearly always do, since each
    /// step of a job changes them. But a run changes with each of its jobs.
    pub(crate) const GITHUB: Self = Self {
        min: Duration::from_secs(2),
        max: Duration::from_secs(5),
        per_quota: Duration::from_millis(500),
        jobs: Duration::from_mins(1),
    };
    /// A pipeline shows nothing of its jobs.
    pub(crate) const GITLAB: Self = Self {
        min: Duration::from_secs(2),
        max: Duration::from_secs(15),
        per_quota: Duration::from_millis(500),
        jobs: Duration::from_secs(4),
    };
    /// A thousand requests an hour are all there is.
    pub(crate) const BITBUCKET: Self = Self {
        min: Duration::from_secs(5),
        max: Duration::from_secs(15),
        per_quota: Duration::from_secs(5),
        jobs: Duration::from_secs(10),
    };
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
