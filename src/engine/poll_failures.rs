//! Reads that are refused in a row. Providers answer 401, 403 and 404 for things that exist, for seconds to minutes at
//! a time, so only many refusals over a long time mean that something can't be read any more.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::providers::{Error, Kind};

const MIN_REFUSALS: u32 = 5;
const MIN_REFUSED_FOR: Duration = Duration::from_mins(1);

/// The refusals since the last answer of another kind.
#[derive(Default)]
pub(crate) struct Refusals {
    first: Option<Instant>,
    count: u32,
}

impl Refusals {
    /// Records a read that failed. Says whether that is one refusal too many: at least five in a row, over at least a
    /// minute. Any other failure says nothing about what was asked for, so it starts the row anew.
    pub(crate) fn record(&mut self, error: &Error) -> bool {
        if !is_refusal(error) {
            self.clear();
            return false;
        }
        self.count += 1;
        let first = *self.first.get_or_insert_with(Instant::now);
        self.count >= MIN_REFUSALS && first.elapsed() >= MIN_REFUSED_FOR
    }

    /// Records a read that went well.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Whether the provider itself says that this can't be read. A redirect, a certificate or an odd status is somebody
/// in between, or passes; and where no token was to be had, nothing was asked for.
fn is_refusal(error: &Error) -> bool {
    let refusals = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::GONE,
    ];
    let is_listed = |status| refusals.contains(&status);
    error.kind() == Kind::Rejected
        && !error.is_of_sign_in()
        && error.status().is_some_and(is_listed)
}
