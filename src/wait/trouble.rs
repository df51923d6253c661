//! What a failed look means: that the run goes on unseen, or that it is lost.

use std::time::Duration;

use ::http::StatusCode;
use tokio::time::Instant;

use super::progress::Progress;
use crate::provider::{Error, Kind};

/// Refusals in a row after which a run is lost.
const MOST_REFUSALS: u32 = 3;
/// So long after its start a run may not be there yet.
const BIRTH: Duration = Duration::from_mins(1);

/// What follows from a failed look.
pub(super) enum Sentence {
    /// Look again, when the account allows it.
    Pending,
    Lost,
}

/// The failed looks in a row.
pub(super) struct Trouble {
    start: Instant,
    /// Whether there was a good look.
    has_seen: bool,
    refusals: u32,
}

impl Trouble {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            has_seen: false,
            refusals: 0,
        }
    }

    /// There was a good look.
    pub(super) fn is_over(&mut self, progress: &Progress<'_>) {
        self.has_seen = true;
        self.refusals = 0;
        progress.recover();
    }

    pub(super) fn weigh(&mut self, error: &Error) -> Sentence {
        match error.kind() {
            Kind::Unreachable | Kind::Unknown | Kind::RateLimited(_) => Sentence::Pending,
            Kind::Rejected => {
                let is_unborn = error.status() == Some(StatusCode::NOT_FOUND)
                    && !self.has_seen
                    && self.start.elapsed() < BIRTH;
                if is_unborn {
                    return Sentence::Pending;
                }
                self.refusals += 1;
                if self.refusals >= MOST_REFUSALS {
                    Sentence::Lost
                } else {
                    Sentence::Pending
                }
            }
        }
    }
}
