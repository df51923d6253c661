//! What any provider does, and what of it is the same for all.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use super::AnyProvider;
use crate::model::{Job, ResultArtifact, Run, Snapshot};
use crate::providers::error::{Error, Kind};
use crate::providers::http::LogTail;
use crate::providers::provider::{
    Candidate, Depth, PollIntervals, Provider as _, RequestForm, Secrets, TriggerRequest,
};
use crate::providers::quota::Quota;

/// What comes right before a trigger takes no longer: it holds one of the few permits for triggers.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// See `Provider`.
impl AnyProvider<'_> {
    pub(crate) fn poll_intervals(&self) -> PollIntervals {
        self.kind().poll_intervals()
    }

    pub(crate) fn trigger(&self, form: RequestForm, secrets: Secrets) -> TriggerRequest {
        of_any!(self, provider => provider.trigger(form, secrets))
    }

    /// Takes at most [`READY_TIMEOUT`].
    pub(crate) async fn make_ready(&self) -> Result<(), Error> {
        let too_long = |_| {
            let seconds = READY_TIMEOUT.as_secs();
            let what = format!("what comes before the trigger took more than {seconds} s");
            Error::new(Kind::Unreachable, what)
        };
        let ready = async { of_any!(self, provider => provider.make_ready().await) };
        timeout(READY_TIMEOUT, ready).await.map_err(too_long)?
    }

    pub(crate) async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error> {
        of_any!(self, provider => provider.send(form).await)
    }

    pub(crate) fn fallback(&self, rejection: &Error) -> Option<&'static str> {
        of_any!(self, provider => provider.fallback(rejection))
    }

    pub(crate) async fn explain(&self, rejection: Error) -> Error {
        of_any!(self, provider => provider.explain(rejection).await)
    }

    fn explain_unreadable(&self, error: Error) -> Error {
        of_any!(self, provider => provider.explain_unreadable(error))
    }

    pub(crate) async fn list_runs(
        &self,
        since: Option<SystemTime>,
    ) -> Result<Vec<Candidate>, Error> {
        of_any!(self, provider => provider.list_runs(since).await)
    }

    /// The runs that are there before anything is triggered, whoever started them. That they can be read proves
    /// that the run will be, so it is read once for each repository, whoever asks.
    pub(crate) async fn seen(
        &self,
        repository: &str,
        quota: &Quota,
    ) -> Result<Rc<HashSet<String>>, Error> {
        let read = async || {
            let runs = self.list_runs(None).await;
            let runs = runs.map_err(|error| match error.kind() {
                Kind::Rejected => self.explain_unreadable(error),
                Kind::Unreachable | Kind::RateLimited(_) | Kind::Unknown => error,
            })?;
            Ok(Rc::new(runs.into_iter().map(|run| run.id).collect()))
        };
        quota.seen.get_or_read(repository, read).await
    }

    pub(crate) async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        of_any!(self, provider => provider.status(run, depth).await)
    }

    pub(crate) async fn cancel(&self, run: &Run) -> Result<(), Error> {
        of_any!(self, provider => provider.cancel(run).await)
    }

    pub(crate) async fn log(&self, run: &Run, job: &Job) -> Result<LogTail, Error> {
        of_any!(self, provider => provider.log(run, job).await)
    }

    /// Some editors and shells put a byte-order mark before JSON, which is no part of it.
    pub(crate) async fn result(
        &self,
        run: &Run,
        artifact: &ResultArtifact,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = of_any!(self, provider => provider.result(run, artifact).await)?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        Ok(bytes)
    }

    /// As far as that can be read.
    pub(crate) async fn is_public(&self) -> bool {
        let is_public = of_any!(self, provider => provider.is_public().await);
        is_public.unwrap_or(false)
    }

    pub(crate) fn runs_page(&self) -> String {
        of_any!(self, provider => provider.runs_page())
    }
}
