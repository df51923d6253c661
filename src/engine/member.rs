//! One target among those of a step: its HTTP client, its sign-in and the targets that it could be confused with.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::engine::retry::{RetryPolicy, backoff, retry};
use crate::engine::shutdown::{Shutdown, ShutdownMode};
use crate::engine::siblings::Siblings;
use crate::model::Sink;
use crate::providers::http::Http;
use crate::providers::target::Target;
use crate::providers::{AnyProvider, Connection, Error};

const SIGN_OUT_TIMEOUT: Duration = Duration::from_secs(1);

/// A target whose provider isn't opened yet.
pub(crate) struct Member<'a> {
    pub(crate) target: &'a Target,
    pub(crate) siblings: &'a Siblings<'a>,
    pub(crate) emit: Sink<'a>,
    /// An error if the HTTP client couldn't be created.
    connection: Result<(&'a Connection<'a>, Http<'a>), &'a Error>,
}

impl<'a> Member<'a> {
    pub(crate) fn new(
        target: &'a Target,
        connection: &'a Result<Connection<'a>, Error>,
        siblings: &'a Siblings<'a>,
        emit: Sink<'a>,
    ) -> Self {
        let api = &target.location.server.api;
        let connection = connection.as_ref();
        Self {
            target,
            siblings,
            emit,
            connection: connection.map(|connection| (connection, connection.http(api, emit))),
        }
    }

    /// Opens the provider and does what `with` does, both with retries. Starts nothing.
    pub(crate) async fn open<T>(
        &'a self,
        shutdown: &Shutdown,
        with: impl AsyncFn(AnyProvider<'a>, &'a Http<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (connection, http) = self.connection.as_ref().map_err(|error| (*error).clone())?;
        let policy = RetryPolicy::for_reads(http, shutdown);
        retry(policy, backoff(policy.idempotency), async || {
            let session = &connection.session;
            let mut provider = AnyProvider::open(&self.target.location, http, session).await?;
            if self.target.follow.is_none() {
                provider.prepare_trigger().await?;
            }
            with(provider, http).await
        })
        .await
    }
}

/// Revokes the tokens that were created for this step, once no member needs them: members share sign-ins. A token that
/// can't be revoked within a second simply expires.
pub(crate) async fn sign_out(members: &[Member<'_>], shutdown: &Shutdown) {
    let signing_out = members.iter().map(async |member| {
        if let Ok((connection, http)) = &member.connection {
            connection.session.end(&member.target.location, http).await;
        }
    });
    tokio::select! {
        biased;
        () = shutdown.requested(ShutdownMode::Immediate) => {}
        _ = timeout(SIGN_OUT_TIMEOUT, join_all(signing_out)) => {}
    }
}
