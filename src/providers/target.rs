//! `Request` and `Target`: the validated inputs of a step. Does no I/O.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::model::{
    CallingRun, Conclusion, DEFAULT_SUCCESS, Followed, Logs, Run, Started, WaitOptions,
};
use crate::providers::any::{AnySpec, ProviderKind};
use crate::providers::calling_repository::CallerAccess;
use crate::providers::http::proxies::Proxies;
use crate::providers::location::Location;
use crate::providers::status_note::StatusNote;

/// The validated inputs of one step.
pub(crate) struct Request {
    /// In the order of the inputs, which is also that of the report.
    pub(crate) targets: Vec<Target>,
    pub(crate) mode: Mode,
    /// Maximum number of triggers in flight.
    pub(crate) max_parallel: NonZeroUsize,
    pub(crate) on_failure: OnFailure,
    /// `None`: set no commit statuses.
    pub(crate) statuses: Option<StatusOptions>,
    /// The run whose job runs this step, if it's to be read: it was created before anything that its attempts start.
    pub(crate) calling_run: Option<(CallerAccess, u64)>,
    pub(crate) proxies: Arc<Proxies>,
}

/// Commit statuses that show the targets, one for each.
pub(crate) struct StatusOptions {
    pub(crate) repository: CallerAccess,
    /// The full hash of the commit that gets them.
    pub(crate) commit: String,
    /// Their name, unless they have the default one.
    pub(crate) name: Option<String>,
    /// Whether the targets are a list, so that each status also has its target's name, even if there is only one.
    pub(crate) has_list: bool,
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
    /// How to find out what earlier attempts of the job have started; `None`: trigger in any case.
    pub(crate) recall: Option<Recall>,
}

/// How to find out what earlier attempts of the job have started.
pub(crate) enum Recall {
    /// By the markers of the earlier attempts, from the first on. Empty in the first attempt, and until all targets are
    /// known.
    Markers(Vec<String>),
    /// By the target's commit statuses: its runs can't be recognised.
    Statuses(StatusKey),
}

/// How the commit statuses of a target are recognised by another attempt.
pub(crate) struct StatusKey {
    pub(crate) calling_run: CallingRun,
    /// Tells the target from all others of the calling run.
    pub(crate) key: String,
}

impl StatusKey {
    /// The end of the description of a status that says what was started.
    pub(crate) fn note(&self, started: &Started) -> StatusNote {
        let by_attempt = match started {
            Started::Run { by_attempt, .. } => *by_attempt,
            Started::Nothing | Started::Unclear => None,
        };
        StatusNote {
            run: self.calling_run.id,
            attempt: by_attempt.unwrap_or(self.calling_run.attempt),
            key: self.key.clone(),
            is_unclear: *started == Started::Unclear,
        }
    }
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

    /// Returns the marker that identifies a run, if there is one: that of the attempt that has started it, or else of this
    /// one.
    pub(crate) fn marker_of(&self, run: Option<&Run>) -> Option<&str> {
        if let Some(followed) = &self.follow {
            return followed.trigger_id.as_deref();
        }
        let earlier = run.and_then(|run| run.started_by_attempt);
        match (earlier, &self.recall) {
            (Some(attempt), Some(Recall::Markers(markers))) => {
                let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
                markers.get(index).map(String::as_str)
            }
            _ => self.spec.marker(),
        }
    }

    /// Returns how another attempt recognises its commit statuses, if they are its memory.
    pub(crate) fn status_key(&self) -> Option<&StatusKey> {
        match &self.recall {
            Some(Recall::Statuses(key)) => Some(key),
            Some(Recall::Markers(_)) | None => None,
        }
    }

    /// Whether a run passes that ends like this.
    pub(crate) fn passes(&self, conclusion: Conclusion) -> bool {
        let passing = self.wait.as_ref().map(|wait| wait.success.as_slice());
        passing.unwrap_or(&DEFAULT_SUCCESS).contains(&conclusion)
    }

    /// Whether the target passes if its runs end like this.
    pub(crate) fn passes_with(&self, conclusions: &[Conclusion]) -> bool {
        let has_succeeded = conclusions.contains(&Conclusion::Success);
        let conclusions = conclusions.iter().copied();
        let mut counted = conclusions.filter(|conclusion| conclusion.counts(has_succeeded));
        counted.all(|conclusion| self.passes(conclusion))
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
