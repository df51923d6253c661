//! GitHub as a provider: sends `repository_dispatch` and `workflow_dispatch`, and cancels runs. Requests go through
//! octocrab, on the project's own HTTP client.
//! Source: <https://docs.github.com/en/rest>, API version 2022-11-28.

mod api;
mod app;
mod artifacts;
pub(super) mod calling_repository;
mod explain;
mod permissions;
mod runs;
mod session;
pub(crate) mod spec;
mod status;

use std::rc::Rc;
use std::time::SystemTime;

use ::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use crate::model::{
    Event, FIRST_ATTEMPT, FollowedRun, Job, MatchedBy, ResultArtifact, Run, Snapshot,
};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::request::{below, json};
use crate::providers::http::{Http, LogTail, Response};
use crate::providers::location::Location;
use crate::providers::provider::{
    Candidate, Depth, EarlierRuns, Provider, RequestForm, Secrets, TriggerRequest, no_such_result,
};
use crate::providers::quota::Idempotency;
use crate::providers::reading::{
    check_trigger, no_default_branch, unexpected_trigger_response, unexpected_trigger_status,
};
use crate::providers::wire;
use session::{GitHubSession, GitHubSessions, SignedIn};
use spec::GitHubPipeline;
pub(crate) use spec::GitHubSpec;

/// Asks GitHub to return the run's id. GitHub Enterprise Server before 3.21 rejects the key.
const RETURN_RUN_DETAILS: &str = "return_run_details";

pub(crate) struct GitHub<'a> {
    location: &'a Location,
    spec: &'a GitHubSpec,
    http: &'a Http<'a>,
    session: Rc<GitHubSession<'a>>,
    /// The ref to run on, as it was written; empty for targets that have none.
    reference: String,
    /// The file name of a workflow that was given by its title.
    workflow_file: Option<String>,
}

#[derive(Serialize)]
struct RepositoryDispatch<'a> {
    event_type: &'a str,
    client_payload: &'a RawValue,
}

#[derive(Serialize)]
struct WorkflowDispatch<'a> {
    #[serde(rename = "ref")]
    reference: &'a str,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    inputs: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_run_details: Option<bool>,
}

#[derive(Deserialize)]
struct RunDetails {
    workflow_run_id: u64,
    #[serde(default, deserialize_with = "wire::url")]
    html_url: Option<String>,
}

#[derive(Deserialize)]
struct GitHubRepository {
    #[serde(default, deserialize_with = "wire::lenient")]
    private: Option<bool>,
    #[serde(default, deserialize_with = "wire::exact")]
    default_branch: Option<String>,
}

impl<'a> Provider<'a> for GitHub<'a> {
    type Spec = GitHubSpec;
    type Sessions = GitHubSessions<'a>;

    async fn open(
        location: &'a Location,
        spec: &'a GitHubSpec,
        http: &'a Http<'a>,
        session: &Rc<GitHubSession<'a>>,
    ) -> Result<Self, Error> {
        session.open(location, http).await?;
        Ok(GitHub {
            location,
            spec,
            http,
            session: Rc::clone(session),
            reference: String::new(),
            workflow_file: None,
        })
    }

    async fn prepare_trigger(&mut self) -> Result<(), Error> {
        if let GitHubPipeline::WorkflowDispatch { reference, .. } = &self.spec.pipeline {
            self.reference = match reference {
                Some(reference) => reference.full(),
                None => self.default_branch().await?,
            };
            self.workflow_file = self.find_workflow_by_title().await?;
        }
        Ok(())
    }

    fn trigger(&self, form: RequestForm, _secrets: Secrets) -> TriggerRequest {
        match &self.spec.pipeline {
            GitHubPipeline::RepositoryDispatch {
                event_type,
                client_payload,
            } => TriggerRequest {
                url: self.repository_url(["dispatches"]),
                body: json(&RepositoryDispatch {
                    event_type,
                    client_payload: &self.spec.added.append_to(client_payload),
                }),
            },
            GitHubPipeline::WorkflowDispatch { inputs, .. } => TriggerRequest {
                url: self.repository_url(["actions", "workflows", self.workflow(), "dispatches"]),
                body: json(&WorkflowDispatch {
                    reference: &self.reference,
                    inputs: inputs
                        .iter()
                        .map(|(key, value)| (key, value))
                        .chain(
                            self.spec
                                .added
                                .iter()
                                .map(|added| (&added.name, &added.value)),
                        )
                        .map(|(key, value)| (key.clone(), value.as_str().into()))
                        .collect(),
                    return_run_details: (form == RequestForm::Preferred).then_some(true),
                }),
            },
            GitHubPipeline::Followed { .. } => unreachable!("a followed run is never triggered"),
        }
    }

    async fn make_ready(&self) -> Result<(), Error> {
        self.session.renew_if_needed(self.location, self.http).await
    }

    /// Checks that the workflow and the ref exist.
    async fn check(&self) -> Result<(), Error> {
        let GitHubPipeline::WorkflowDispatch { reference, .. } = &self.spec.pipeline else {
            return Ok(());
        };
        explain::check_workflow(self).await?;
        // A default branch has just been read.
        if reference.is_some() {
            explain::check_reference(self).await?;
        }
        Ok(())
    }

    async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error> {
        let trigger = self.trigger(form, Secrets::Sent);
        let response = self.post(Idempotency::Once, &trigger.url, Some(&trigger.body));
        let response = check_trigger(response.await?)?;
        match (&self.spec.pipeline, response.status) {
            (_, StatusCode::NO_CONTENT) => Ok(None),
            (GitHubPipeline::WorkflowDispatch { .. }, StatusCode::OK) => {
                let details: RunDetails = response
                    .json()
                    .map_err(|why| unexpected_trigger_response(&response, &why))?;
                let id = details.workflow_run_id;
                Ok(Some(Run {
                    id: id.to_string(),
                    number: None,
                    url: self.run_page(details.html_url.as_deref(), id),
                    matched_by: MatchedBy::Id,
                    workflow: None,
                    attempt: FIRST_ATTEMPT,
                    started_by_attempt: None,
                }))
            }
            _ => Err(unexpected_trigger_status(&response)),
        }
    }

    /// GitHub Enterprise Server before 3.21 rejects [`RETURN_RUN_DETAILS`] and names it in the error.
    fn fallback(&self, rejection: &Error) -> Option<&'static str> {
        let response = rejection.response()?;
        let names_the_key = response
            .error_message()
            .is_some_and(|message| message.contains(RETURN_RUN_DETAILS));
        let is_invalid = matches!(
            response.status,
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
        );
        (is_invalid
            && names_the_key
            && matches!(self.spec.pipeline, GitHubPipeline::WorkflowDispatch { .. }))
        .then_some("this server doesn't support return_run_details; retried without it")
    }

    async fn explain(&self, rejection: Error) -> Error {
        if rejection.is_of_sign_in() {
            return rejection;
        }
        explain::explain(self, rejection).await
    }

    fn explain_unreadable(&self, error: Error) -> Error {
        self.explain_unreadable_runs(error)
    }

    async fn list_runs(&self, since: Option<SystemTime>) -> Result<Vec<Candidate>, Error> {
        self.candidates(since).await
    }

    async fn list_earlier_runs(&self, since: SystemTime) -> Result<EarlierRuns, Error> {
        self.earlier_runs(since).await
    }

    async fn latest_attempt(&self, run: &Run) -> Result<u64, Error> {
        let latest = GitHub::latest_attempt(self, run).await?;
        Ok(latest.unwrap_or(FIRST_ATTEMPT))
    }

    async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        self.snapshot(run, depth).await
    }

    /// Cancels the run's attempt. GitHub cancels the current attempt, so nothing is sent if the run's is
    /// over: a later attempt is somebody else's re-run. A token that hasn't expired isn't renewed, because time may be
    /// short.
    async fn cancel(&self, run: &Run, end_of_check: impl Future<Output = ()>) -> Result<(), Error> {
        let session = &self.session;
        session.renew_if_expired(self.location, self.http).await?;
        let is_completed = tokio::select! {
            is_completed = self.is_completed(run) => is_completed,
            () = end_of_check => false,
        };
        if is_completed {
            return Ok(());
        }
        let url = self.repository_url(["actions", "runs", &run.id, "cancel"]);
        let cancel = async || {
            self.post(Idempotency::Repeatable, &url, None)
                .await?
                .check_status("the cancel")
        };
        let signed_in = self.signed_in();
        let response = match cancel().await {
            Err(error) if self.renew_if_rejected(&error, &signed_in).await? => cancel().await,
            response => response,
        };
        response.map(drop)
    }

    /// GitHub refuses this while the run is going on, so that no two attempts can come of it.
    async fn rerun_failed_jobs(&self, run: &Run, _ended: &Snapshot) -> Result<(), Error> {
        let url = self.repository_url(["actions", "runs", &run.id, "rerun-failed-jobs"]);
        let response = self.post(Idempotency::Once, &url, None).await?;
        let checked = response.check_status("the request");
        let checked = checked.map_err(|error| error.if_rejected(|error| self.explain_rerun(error)));
        checked.map(drop)
    }

    async fn has_next_attempt(&self, run: &Run, _ended: &Snapshot) -> Result<bool, Error> {
        let latest = self.latest_attempt(run).await?;
        Ok(latest.is_some_and(|latest| latest > run.attempt))
    }

    fn attempt_page(&self, run: &Run) -> String {
        let attempt = run.attempt.to_string();
        self.actions_page(&["runs", &run.id, "attempts", &attempt])
    }

    async fn log(&self, _run: &Run, job: &Job) -> Result<LogTail, Error> {
        self.log_tail(job).await
    }

    async fn result(&self, run: &Run, artifact: &ResultArtifact) -> Result<Vec<u8>, Error> {
        match artifact {
            ResultArtifact::Named(name) => self.artifact(run, name).await,
            ResultArtifact::OfJob { .. } => Err(no_such_result()),
        }
    }

    async fn followed(&self, given: &FollowedRun) -> Result<Run, Error> {
        self.read_followed(given).await
    }

    async fn displaced_by(&self, run: &Run) -> Result<Option<Run>, Error> {
        self.next_in_group(run).await
    }

    async fn is_public(&self) -> Result<bool, Error> {
        let repository: Rc<GitHubRepository> = self
            .read(&self.repository_url([]), "reading the repository")
            .await?;
        Ok(repository.private == Some(false))
    }

    fn runs_page(&self) -> String {
        match &self.spec.pipeline {
            GitHubPipeline::RepositoryDispatch { .. } => {
                format!(
                    "{}?query=event%3Arepository_dispatch",
                    self.actions_page(&[])
                )
            }
            GitHubPipeline::WorkflowDispatch { .. } if self.workflow().contains('.') => {
                self.actions_page(&["workflows", self.workflow()])
            }
            GitHubPipeline::WorkflowDispatch { .. } | GitHubPipeline::Followed { .. } => {
                self.actions_page(&[])
            }
        }
    }
}

impl GitHub<'_> {
    /// The file name or id of the workflow; empty for targets that have none.
    fn workflow(&self) -> &str {
        match (&self.workflow_file, &self.spec.pipeline) {
            (Some(file), _) => file,
            (None, GitHubPipeline::WorkflowDispatch { workflow, .. }) => workflow,
            (None, GitHubPipeline::RepositoryDispatch { .. } | GitHubPipeline::Followed { .. }) => {
                ""
            }
        }
    }

    /// Returns the file name of the one workflow whose title is given as `workflow`. `None` if that's a file name or an
    /// id, and if no workflow has that title or the list can't be read: the response to the trigger then explains it.
    async fn find_workflow_by_title(&self) -> Result<Option<String>, Error> {
        let title = self.workflow();
        let is_file = [".yml", ".yaml"].iter().any(|end| title.ends_with(end));
        if is_file || title.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let Some(known) = explain::list_workflows(self).await else {
            return Ok(None);
        };
        match known.files_of(title).as_slice() {
            [] => Ok(None),
            [file] => {
                let note = format!("`workflow` is the title of {file}");
                self.http.emit(Event::Note(&note));
                Ok(Some((*file).to_owned()))
            }
            files => {
                let message = format!("several workflows have the title `{title}`");
                let hint = format!(
                    "set `workflow` to a file name: {}",
                    wire::listed(files, ", ")
                );
                Err(Error::new(ErrorKind::Rejected, message).hint(hint))
            }
        }
    }

    async fn default_branch(&self) -> Result<String, Error> {
        const WHAT: &str = "reading the default branch";
        let read = async || {
            let response = self
                .get(&self.repository_url([]))
                .await?
                .check_status(WHAT)
                .map_err(|error| error.if_rejected(|error| self.explain_read(error)))?;
            let repository: GitHubRepository =
                response.json().map_err(|why| no_default_branch(&why))?;
            let branch = repository.default_branch;
            branch.ok_or_else(|| no_default_branch("the response doesn't contain it"))
        };
        let repository = &self.location.repository;
        self.http.default_branch(repository, read).await
    }

    /// Returns the run's web page: GitHub's `html_url` if it passes [`wire::page_at`], else a computed URL.
    fn run_page(&self, html_url: Option<&str>, id: u64) -> String {
        let page = wire::page_at(html_url, &self.location.server.web);
        page.unwrap_or_else(|| self.actions_page(&["runs", &id.to_string()]))
    }

    /// Returns the URL of a page under the repository's *Actions* tab.
    fn actions_page(&self, parts: &[&str]) -> String {
        let actions = self.location.repository.split('/').chain(["actions"]);
        let parts = actions.chain(parts.iter().copied());
        below(&self.location.server.web, parts).to_string()
    }

    /// Returns the current sign-in. An App's changes whenever its token is renewed.
    fn signed_in(&self) -> Rc<SignedIn> {
        self.session.signed_in()
    }

    async fn get(&self, url: &Url) -> Result<Response, Error> {
        self.signed_in().api.get(self.http, url).await
    }

    async fn post(
        &self,
        idempotency: Idempotency,
        url: &Url,
        body: Option<&RawValue>,
    ) -> Result<Response, Error> {
        self.signed_in()
            .api
            .post(self.http, idempotency, url, body)
            .await
    }

    async fn read<T: DeserializeOwned + 'static>(
        &self,
        url: &Url,
        what: &str,
    ) -> Result<Rc<T>, Error> {
        self.signed_in().api.get_cached(self.http, url, what).await
    }

    /// Renews an App's token if GitHub rejected it. Returns whether there is a new one to retry with.
    async fn renew_if_rejected(&self, error: &Error, used: &Rc<SignedIn>) -> Result<bool, Error> {
        let session = &self.session;
        session
            .renew_if_rejected(error, used, self.location, self.http)
            .await
    }

    /// Returns an API URL under the target's repository.
    fn repository_url<const N: usize>(&self, parts: [&str; N]) -> Url {
        repository_url(self.location, parts)
    }
}

fn repository_url<const N: usize>(location: &Location, parts: [&str; N]) -> Url {
    let repository = ["repos"].into_iter().chain(location.repository.split('/'));
    below(&location.server.api, repository.chain(parts))
}
