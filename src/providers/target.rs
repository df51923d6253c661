//! What a step is to do: validated requests and targets, without I/O.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::model::{Logs, WaitOptions};
use crate::providers::any::{AnySpec, ProviderKind};
use crate::providers::http::proxies::Proxies;
use crate::providers::location::Location;

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
    pub(crate) location: Location,
    pub(crate) spec: AnySpec,
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
            self.location.repository
        )
    }
}
