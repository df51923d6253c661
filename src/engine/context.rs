//! What everything that is done for one target has at hand.

use crate::engine::request_limits::RequestLimits;
use crate::engine::retry::RetryPolicy;
use crate::engine::shutdown::Shutdown;
use crate::engine::siblings::Siblings;
use crate::model::Event;
use crate::providers::http::Http;
use crate::providers::target::Target;
use crate::providers::{AnyProvider, Quota};

/// A target whose provider is ready, and what it shares with the others.
#[derive(Clone, Copy)]
pub(crate) struct TargetContext<'a, 'target> {
    pub(crate) target: &'target Target,
    pub(crate) provider: &'a AnyProvider<'target>,
    pub(crate) http: &'a Http<'target>,
    pub(crate) siblings: &'a Siblings<'target>,
    pub(crate) limits: &'a RequestLimits,
    pub(crate) shutdown: &'a Shutdown,
}

impl<'a> TargetContext<'a, '_> {
    pub(crate) fn emit(&self, event: Event<'_>) {
        self.http.emit(event);
    }

    /// What is shared with all targets of the same credential.
    pub(crate) fn quota(&self) -> &'a Quota {
        self.http.quota()
    }

    /// For what is read beside the main story: nobody needs to know that it is tried again.
    pub(crate) fn quiet_retry(&self) -> RetryPolicy<'a> {
        RetryPolicy {
            emit: &|_| {},
            ..RetryPolicy::for_reads(self.http, self.shutdown)
        }
    }
}
