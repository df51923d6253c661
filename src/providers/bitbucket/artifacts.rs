//! Downloads the logs of steps. Bitbucket has no API for artifacts.

use ::http::{HeaderValue, header};

use super::Bitbucket;
use crate::model::{Job, Run};
use crate::providers::error::Error;
use crate::providers::http::LogTail;
use crate::providers::provider::MAX_LOG_TAIL;

impl Bitbucket<'_> {
    pub(super) async fn end_of_log(&self, run: &Run, job: &Job) -> Result<LogTail, Error> {
        let url = self.repository(["pipelines", &run.id, "steps", &job.id, "log"]);
        let mut headers = self.headers()?;
        let binary = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::ACCEPT, binary);
        self.http
            .download_tail(&url, &headers, MAX_LOG_TAIL, "the log")
            .await
    }
}
