//! What all targets of one host and credential share. Rate limits are the host's and the credential's, not a
//! target's: when one request is told to wait, all wait, and all go on afterwards. So is the pace of looks, and so is
//! what was read of a repository before anything was sent.

mod gate;
mod memo;
mod turnstile;

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use super::error::{Error, Kind};
use gate::Gate;
use memo::Memo;
use turnstile::Turnstile;

/// Whether a request may start something. What limits the one need not limit the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// It starts something: sent again only where it was not received, or refused unread.
    Trigger,
    /// Doing it twice is as good as doing it once.
    Read,
}

/// A host and a credential.
pub(crate) struct Account {
    turnstile: Turnstile,
    gate: Gate,
    /// The runs that were there before the first trigger, by repository.
    pub(super) seen: Memo<Rc<HashSet<String>>>,
    /// The default branches, by repository.
    pub(super) branches: Memo<String>,
}

impl Account {
    /// One whose looks keep so far apart.
    pub(crate) fn new(apart: Duration) -> Self {
        Self {
            turnstile: Turnstile::new(apart),
            gate: Gate::new(),
            seen: Memo::default(),
            branches: Memo::default(),
        }
    }

    /// Returns when no rate limit is known to forbid a request.
    pub(crate) async fn pass(&self) {
        self.gate.pass().await;
    }

    /// Returns when it is one's turn to look.
    pub(crate) async fn turn(&self) {
        loop {
            self.turnstile.pass().await;
            if self.gate.left().is_zero() {
                return;
            }
            self.pass().await;
        }
    }

    /// A request was told that there were too many, and to wait so long, if it was told. All wait from now on;
    /// tells how long.
    pub(crate) fn refused(&self, said: Option<Duration>) -> Duration {
        self.gate.close(said)
    }

    /// A read failed. If that was for a rate limit, all wait from now on.
    pub(crate) fn failed(&self, error: &Error) {
        if let Kind::RateLimited(said) = error.kind() {
            self.refused(said);
        }
    }

    /// A request was answered otherwise.
    pub(crate) fn answered(&self, nature: Nature) {
        self.gate.answered(nature);
    }

    /// How long it still is until a request may be sent.
    pub(crate) fn left(&self) -> Duration {
        self.gate.left()
    }

    /// How long rate limits have lasted since a request of this nature was last answered otherwise, what is still to
    /// come included.
    pub(crate) fn limited(&self, nature: Nature) -> Duration {
        self.gate.closed(nature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn all_wait_where_one_was_told_to() {
        let account = Account::new(SECOND);
        let start = Instant::now();
        account.pass().await;
        assert_eq!(account.refused(Some(30 * SECOND)), 30 * SECOND);
        // Told a little later, and less.
        assert_eq!(account.refused(Some(10 * SECOND)), 30 * SECOND);
        assert_eq!(account.refused(None), 30 * SECOND);
        let others = async || {
            account.pass().await;
            start.elapsed().as_secs()
        };
        assert_eq!(tokio::join!(others(), others()), (30, 30));
        account.turn().await;
        assert_eq!(start.elapsed(), 30 * SECOND);
        account.turn().await;
        assert_eq!(start.elapsed(), 31 * SECOND);
    }
}
