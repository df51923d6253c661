//! How a step ended, for its exit code.

use crate::engine::shutdown::{Shutdown, Signal};
use crate::model::{Conclusion, Outcome};
use crate::providers::target_report::TargetReport;
use crate::report;

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Passed,
    /// A run ended badly, or an output couldn't be written.
    Failed,
    /// An input is wrong. Nothing was sent.
    InvalidInput,
    /// A trigger was rejected or not sent.
    NotTriggered,
    /// It's unknown whether a trigger was accepted.
    Unclear,
    /// A run wasn't seen to end.
    EndNotSeen,
    Stopped(Signal),
}

impl Verdict {
    pub(super) fn new(reports: &[TargetReport<'_>], shutdown: &Shutdown) -> Self {
        if report::passes(reports) {
            return Self::Passed;
        }
        if let Some(signal) = shutdown.signal() {
            return Self::Stopped(signal);
        }
        let failed = reports.iter().filter(|report| !report.passes());
        let verdicts =
            failed.map(
                |report| match (report.trigger_outcome(), report.monitored.conclusion) {
                    (Some(Outcome::Unknown), _) => Self::Unclear,
                    (Some(Outcome::Rejected | Outcome::NotSent), _) => Self::NotTriggered,
                    (
                        Some(Outcome::Accepted) | None,
                        Some(Conclusion::TimedOut | Conclusion::Lost),
                    ) => Self::EndNotSeen,
                    (Some(Outcome::Accepted) | None, _) => Self::Failed,
                },
            );
        let verdicts: Vec<_> = verdicts.collect();
        // The first is the one that somebody has to look into first.
        let order = [Self::Unclear, Self::NotTriggered, Self::EndNotSeen];
        let worst = order.into_iter().find(|verdict| verdicts.contains(verdict));
        worst.unwrap_or(Self::Failed)
    }

    /// Returns the exit code for a host that distinguishes them.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::InvalidInput => 2,
            Self::NotTriggered => 3,
            Self::Unclear => 4,
            Self::EndNotSeen => 5,
            // As shells report it.
            Self::Stopped(Signal::Interrupt) => 130,
            Self::Stopped(Signal::Terminate) => 143,
        }
    }
}
