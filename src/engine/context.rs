//! The context that is passed to all work for one target.

use crate::engine::request_limits::RequestLimits;
use crate::engine::retry::RetryPolicy;
use crate::engine::shutdown::Shutdown;
use crate::engine::siblings::Siblings;
use crate::engine::status_memory::StatusMemory;
use crate::model::Event;
use crate::providers::http::Http;
use crate::providers::target::Target;
use crate::providers::{AnyProvider, Quota};

/// A target with its opened provider, and the state it shares with other targets.
#[derive(Clone, Copy)]
pub(crate) struct TargetContext<'a, 'target> {
    pub(crate) target: &'target Target,
    pub(crate) provider: &'a AnyProvider<'target>,
    pub(crate) http: &'a Http<'target>,
    pub(crate) siblings: &'a Siblings<'target>,
    pub(crate) limits: &'a RequestLimits,
    pub(crate) shutdown: &'a Shutdown,
    /// Set if the target's commit statuses are its memory.
    pub(crate) memory: Option<StatusMemory<'a>>,
}

impl<'a> TargetContext<'a, '_> {
    pub(crate) fn emit(&self, event: Event<'_>) {
        self.http.emit(event);
    }

    /// Returns the quota shared by all targets of the same server and credential.
    pub(crate) fn quota(&self) -> &'a Quota {
        self.http.quota()
    }

    /// Returns a policy for optional reads, whose retries aren't worth logging.
    pub(crate) fn quiet_retry(&self) -> RetryPolicy<'a> {
        RetryPolicy {
            emit: &|_| {},
            ..RetryPolicy::for_reads(self.http, self.shutdown)
        }
    }
}
