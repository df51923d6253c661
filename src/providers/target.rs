//! `Request` and `Target`: the validated inputs of a step. Does no I/O.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::model::{Followed, Logs, WaitOptions};
use crate::providers::any::{AnySpec, ProviderKind};
use crate::providers::http::proxies::Proxies;
use crate::providers::location::Location;

/// The validated inputs of one step.
pub(crate) struct Request {
    /// In the order of the inputs, which is also that of the report.
    pub(crate) targets: Vec<Target>,
    pub(crate) mode: Mode,
    /// Maximum number of triggers in flight.
    pub(crate) max_parallel: NonZeroUsize,
    pub(crate) on_failure: OnFailure,
    pub(crate) proxies: Arc<Proxies>,
}

/// What happens to the targets that are not triggered yet when one has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnFailure {
    GoOn,
    /// No more are triggered. The step still waits for the runs that were started.
    SendNoMore,
}

/// Whether triggers are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Send,
    /// Sends reads as usual, but only shows the triggers.
    DryRun,
}

/// A pipeline to trigger, where it is, and how to wait for its run; or only runs to wait for.
pub(crate) struct Target {
    /// Name of the target in messages, different from all others of the step.
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) spec: AnySpec,
    /// `None`: don't wait for the run.
    pub(crate) wait: Option<WaitOptions>,
    /// The runs to wait for instead of triggering anything.
    pub(crate) follow: Option<Followed>,
}

impl Target {
    pub(crate) fn provider(&self) -> ProviderKind {
        self.spec.kind()
    }

    /// Names the pipeline within the repository, in a few words.
    pub(crate) fn pipeline(&self) -> String {
        let followed = self.follow.as_ref();
        let known = followed.and_then(|followed| followed.pipeline.clone());
        known.unwrap_or_else(|| self.spec.pipeline())
    }

    /// The marker that identifies the runs, if there is one.
    pub(crate) fn trigger_id(&self) -> Option<&str> {
        match &self.follow {
            Some(followed) => followed.trigger_id.as_deref(),
            None => self.spec.marker(),
        }
    }

    /// Shows the logs of failed jobs even if the target is private. For steps whose own log isn't public either.
    pub(crate) fn show_logs(&mut self) {
        if let Some(wait) = &mut self.wait
            && wait.logs == Logs::FailedUnlessPrivate
        {
            wait.logs = Logs::Failed;
        }
    }
}

/// The target's name.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}
