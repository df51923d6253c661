//! Counts consecutive refused reads. Providers answer 401, 403 and 404 for things that exist, for seconds to minutes at
//! a time, so only many refusals over a long time mean that something can't be read any more.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::providers::{Error, ErrorKind};

const MIN_REFUSALS: u32 = 5;
const MIN_REFUSED_FOR: Duration = Duration::from_mins(1);

/// Refusals since the last response of another kind.
#[derive(Default)]
pub(crate) struct Refusals {
    first: Option<Instant>,
    count: u32,
}

impl Refusals {
    /// Records a failed read. Returns whether to give up: after at least five consecutive refusals over at least one
    /// minute. Any other failure resets the count, because it says nothing about the resource.
    pub(crate) fn record(&mut self, error: &Error) -> bool {
        if !is_refusal(error) {
            self.clear();
            return false;
        }
        self.count += 1;
        let first = *self.first.get_or_insert_with(Instant::now);
        self.count >= MIN_REFUSALS && first.elapsed() >= MIN_REFUSED_FOR
    }

    /// Records a successful read.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Whether the provider itself refused the read. Redirects, certificate errors and other statuses come from something
/// in between, or are temporary. After a failed sign-in, the read wasn't even sent.
fn is_refusal(error: &Error) -> bool {
    let refusals = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::GONE,
    ];
    let is_listed = |status| refusals.contains(&status);
    error.kind() == ErrorKind::Rejected
        && !error.is_of_sign_in()
        && error.status().is_some_and(is_listed)
}
