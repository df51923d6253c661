//! What is asked for: validated nouns, no input or output. Behind this door no string is a flag.

use std::fmt;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

use url::Url;

use crate::model::{Logs, Secret, WaitOptions};
use crate::providers::any::{AnySpec, ProviderKind};
use crate::providers::http::proxies::Proxies;

/// Everything that one step is to do.
pub(crate) struct Request {
    /// In the order in which they are reported.
    pub(crate) targets: Vec<Target>,
    pub(crate) mode: Mode,
    /// Most triggers on the wire at once.
    pub(crate) max_parallel: NonZeroUsize,
    pub(crate) on_failure: OnFailure,
    pub(crate) proxies: Arc<Proxies>,
}

/// What becomes of the targets that are still to be triggered when one has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnFailure {
    GoOn,
    /// No more are triggered; what was started is waited for.
    SendNoMore,
}

/// Whether triggers go out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Send,
    /// All but the triggers: reads are made, and what would be sent is shown.
    DryRun,
}

/// What to trigger.
pub(crate) struct Target {
    pub(crate) server: Server,
    /// `owner/name`, `group/sub/project` or project id, `workspace/repo`.
    pub(crate) repository: String,
    pub(crate) spec: AnySpec,
    /// PEM, trusted in addition to the system's certificates.
    pub(crate) certificates: Option<Rc<str>>,
    /// `None`: the step ends with the trigger.
    pub(crate) wait: Option<WaitOptions>,
}

impl Target {
    pub(crate) fn provider(&self) -> ProviderKind {
        self.spec.kind()
    }

    /// Shows the logs of failed jobs also if the target is private: no more people see them here than there.
    pub(crate) fn show_logs(&mut self) {
        if let Some(wait) = &mut self.wait
            && wait.logs == Logs::FailedUnlessPrivate
        {
            wait.logs = Logs::Failed;
        }
    }
}

/// `github octo-org/app`: how messages name a target.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}",
            self.provider().as_str(),
            self.repository
        )
    }
}

/// A provider's server. Neither address ends in a slash where it has a path.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Where people look.
    pub(crate) web: Url,
    /// Where requests go.
    pub(crate) api: Url,
}

/// How the full refs of branches begin.
pub(crate) const BRANCHES: &str = "refs/heads/";
/// How the full refs of tags begin.
pub(crate) const TAGS: &str = "refs/tags/";

/// A branch or tag.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reference {
    Branch(String),
    Tag(String),
    /// A bare name: which of the two, the provider knows.
    Named(String),
}

impl Reference {
    /// Without `refs/heads/` or `refs/tags/`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::Named(name) => name,
        }
    }

    /// As it was written. GitHub and GitLab resolve a full ref to just that branch or tag.
    pub(crate) fn full(&self) -> String {
        match self {
            Self::Branch(name) => format!("{BRANCHES}{name}"),
            Self::Tag(name) => format!("{TAGS}{name}"),
            Self::Named(name) => name.clone(),
        }
    }
}

/// A ref's name without `refs/heads/` or `refs/tags/`, as GitHub and GitLab show it for a run.
pub(crate) fn short_name(reference: &str) -> &str {
    let short = reference.strip_prefix(BRANCHES);
    short
        .or_else(|| reference.strip_prefix(TAGS))
        .unwrap_or(reference)
}

/// Whether two refs may be the same. None is the default branch, whichever that is. A run shows only the short name of its
/// ref, so a branch and a tag of the same name look alike.
pub(super) fn may_be_same(one: Option<&Reference>, other: Option<&Reference>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.name() == other.name(),
        (None, _) | (_, None) => true,
    }
}

pub(crate) struct Variable {
    pub(crate) key: String,
    pub(crate) value: Argument,
}

impl Variable {
    /// Its name, whether it is a secret, and its value.
    pub(super) fn parts(&self) -> [String; 3] {
        let (kind, value) = match &self.value {
            Argument::Plain(text) => ("plain", text.as_str()),
            Argument::Secret(secret) => ("secret", secret.expose()),
        };
        [&self.key, kind, value].map(str::to_owned)
    }
}

/// A variable's value.
pub(crate) enum Argument {
    Plain(String),
    /// Masked in our log, and sent `secured` where the provider knows that.
    Secret(Secret),
}
