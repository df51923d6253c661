//! Downloads the logs of jobs, and the file with the result from a job's artifacts.

use ::http::StatusCode;

use super::GitLab;
use crate::model::{Job, Run};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::LogTail;
use crate::providers::provider::{MAX_LOG_TAIL, MAX_RESULT};
use crate::providers::wire;

impl GitLab<'_> {
    pub(super) async fn end_of_log(&self, job: &Job) -> Result<LogTail, Error> {
        let mut url = self.repository(["jobs", &job.id, "trace"]);
        // Older servers ignore `byte_offset` and send the whole log.
        let offset = job
            .log_size
            .map_or(0, |size| size.saturating_sub(MAX_LOG_TAIL as u64));
        if offset > 0 {
            url.set_query(Some(&format!("byte_offset={offset}")));
        }
        let tail = self
            .http
            .download_tail(
                &url,
                &Self::headers(self.reader())?,
                MAX_LOG_TAIL,
                "the log",
            )
            .await?;
        Ok(LogTail {
            is_cut: tail.is_cut || offset > 0,
            ..tail
        })
    }

    /// Downloads a file from the artifacts of the job with that name. If there are several, the last one counts.
    pub(super) async fn artifact(
        &self,
        run: &Run,
        job: &str,
        path: &str,
    ) -> Result<Vec<u8>, Error> {
        let jobs = self.jobs(run).await?.list;
        let Some(found) = jobs
            .iter()
            .rev()
            .find(|found| found.name.as_deref() == Some(job))
        else {
            let names: Vec<_> = jobs.iter().filter_map(|job| job.name.as_deref()).collect();
            return Err(Error::new(
                ErrorKind::Rejected,
                format!(
                    "the pipeline has no job `{job}`. Its jobs are: {}",
                    wire::listed(&names, ", ")
                ),
            )
            .hint("check `result-artifact`, which has the form `job:path`"));
        };
        let id = found.id.to_string();
        let parts = ["jobs", &id, "artifacts"]
            .into_iter()
            .chain(path.split('/'));
        let url = crate::providers::http::request::below(&self.repository([]), parts);
        self.http
            .download(&url, &Self::headers(self.reader())?, MAX_RESULT, "the result")
            .await
            .map_err(|error| match error.response() {
                Some(response) if response.status == StatusCode::NOT_FOUND => error.with_reason(
                    format!("the job `{job}` has no artifact `{path}`"),
                    "add the file to the job's `artifacts: paths:`, and check the spelling of `result-artifact`",
                ),
                _ => error,
            })
    }
}
