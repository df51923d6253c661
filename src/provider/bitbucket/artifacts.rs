//! What a pipeline leaves behind: steps' logs. Bitbucket hands out no artifacts.

use ::http::{HeaderValue, header};

use super::Bitbucket;
use crate::provider::Error;
use crate::provider::http::LogTail;
use crate::provider::types::MAX_LOG_TAIL;
use crate::run::{Job, Run};

impl Bitbucket<'_> {
    pub(in crate::provider) async fn log(&self, run: &Run, job: &Job) -> Result<LogTail, Error> {
        let url = self.repository(["pipelines", &run.id, "steps", &job.id, "log"]);
        let mut headers = self.headers()?;
        let binary = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::ACCEPT, binary);
        self.http
            .tail(&url, &headers, MAX_LOG_TAIL, "the log")
            .await
    }
}
