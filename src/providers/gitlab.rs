//! The GitLab provider. Trigger tokens and access tokens have an endpoint each, with different request bodies.
//! See <https://docs.gitlab.com/api/pipelines/> and <https://docs.gitlab.com/ci/triggers/>.

mod artifacts;
mod explain;
mod runs;
pub(crate) mod spec;
mod status;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::SystemTime;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::Url;

use crate::model::{
    FIRST_ATTEMPT, FollowedRun, Job, MatchedBy, ResultArtifact, Run, Secret, Snapshot,
};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::request::{below, credential_header, json};
use crate::providers::http::{Http, LogTail, Response};
use crate::providers::location::Location;
use crate::providers::provider::{
    Candidate, Depth, EarlierRuns, Provider, RequestForm, Secrets, TriggerRequest, no_such_result,
};
use crate::providers::quota::Idempotency;
use crate::providers::reading::{
    check_trigger, no_default_branch, parse_json, unchecked, unexpected_trigger_response,
    unexpected_trigger_status, unreadable_response,
};
use crate::providers::reference::short_name;
use crate::providers::wire;
use spec::GitLabCredential;
pub(crate) use spec::GitLabSpec;

const PRIVATE_TOKEN: HeaderName = HeaderName::from_static("private-token");

pub(crate) struct GitLab<'a> {
    location: &'a Location,
    spec: &'a GitLabSpec,
    http: &'a Http<'a>,
    /// The ref to trigger, as written in `ref`, or the default branch; empty if nothing is triggered.
    reference: String,
    /// The project's id, once a response contains it. If the project has moved, its old path only works for reads.
    project_id: Cell<Option<u64>>,
    /// Values of the variable that carries the marker, by pipeline id. `None` if a pipeline has no such variable.
    marker_variables: RefCell<HashMap<String, Option<String>>>,
    /// When the pipeline ended before its failed jobs were run again. Until it has started again, it still shows that end.
    retried_end: Cell<Option<DateTime<Utc>>>,
    /// The endpoint that is asked for downstream pipelines.
    downstream_endpoint: Cell<status::DownstreamEndpoint>,
}

/// Body of `POST /projects/:id/trigger/pipeline`.
#[derive(Serialize)]
struct TriggerTokenRequest<'a> {
    token: &'a str,
    #[serde(rename = "ref")]
    reference: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    variables: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'a RawValue>,
}

/// Body of `POST /projects/:id/pipeline`.
#[derive(Serialize)]
struct AccessTokenRequest<'a> {
    #[serde(rename = "ref")]
    reference: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variables: Vec<GitLabVariable<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct GitLabVariable<'a> {
    key: &'a str,
    value: &'a str,
    variable_type: &'static str,
}

#[derive(Deserialize)]
struct GitLabPipeline {
    id: u64,
    #[serde(default, deserialize_with = "wire::lenient")]
    iid: Option<u64>,
    #[serde(default, deserialize_with = "wire::url")]
    web_url: Option<String>,
    #[serde(default, deserialize_with = "wire::lenient")]
    project_id: Option<u64>,
}

#[derive(Deserialize)]
struct GitLabVisibility {
    #[serde(default, deserialize_with = "wire::exact")]
    visibility: Option<String>,
}

#[derive(Deserialize)]
struct ProjectDefaultBranch {
    #[serde(default, deserialize_with = "wire::exact")]
    default_branch: Option<String>,
}

impl<'a> Provider<'a> for GitLab<'a> {
    type Spec = GitLabSpec;
    type Sessions = ();

    async fn open(
        location: &'a Location,
        spec: &'a GitLabSpec,
        http: &'a Http<'a>,
        (): &(),
    ) -> Result<Self, Error> {
        Ok(GitLab {
            location,
            spec,
            http,
            reference: String::new(),
            project_id: Cell::default(),
            marker_variables: RefCell::default(),
            retried_end: Cell::default(),
            downstream_endpoint: Cell::default(),
        })
    }

    async fn prepare_trigger(&mut self) -> Result<(), Error> {
        self.reference = match &self.spec.reference {
            Some(reference) => reference.full(),
            None => self.default_branch().await?,
        };
        Ok(())
    }

    fn trigger(&self, _form: RequestForm, secrets: Secrets) -> TriggerRequest {
        let added = &self.spec.added;
        let inputs = self.spec.inputs.as_deref();
        let inputs = inputs.map(|inputs| added.append_to(inputs));
        let variables = self.spec.variables.iter().map(|variable| {
            (
                variable.key.as_str(),
                secrets.show_argument(&variable.value),
            )
        });
        let added_variables = added.iter().filter(|_| inputs.is_none());
        let variables = variables
            .chain(added_variables.map(|added| (added.name.as_str(), added.value.as_str())));
        match &self.spec.credential {
            GitLabCredential::Trigger { token, .. } => TriggerRequest {
                url: self.repository(["trigger", "pipeline"]),
                body: json(&TriggerTokenRequest {
                    token: secrets.show(token),
                    reference: &self.reference,
                    variables: variables
                        .map(|(key, value)| (key.to_owned(), value.into()))
                        .collect(),
                    inputs: inputs.as_deref(),
                }),
            },
            GitLabCredential::Access(_) => TriggerRequest {
                url: self.repository(["pipeline"]),
                body: json(&AccessTokenRequest {
                    reference: &self.reference,
                    variables: variables
                        .map(|(key, value)| GitLabVariable {
                            key,
                            value,
                            variable_type: "env_var",
                        })
                        .collect(),
                    inputs: inputs.as_deref(),
                }),
            },
        }
    }

    /// Checks that the ref exists. A default branch has just been read.
    async fn check(&self) -> Result<(), Error> {
        if self.spec.reference.is_none() {
            return Ok(());
        }
        let reference = short_name(&self.reference);
        let url = self.repository(["repository", "commits", reference]);
        let read = self.get(&url).await;
        match read.and_then(|response| response.check_status("reading the ref")) {
            Ok(_) => Ok(()),
            Err(error) if explain::is_missing_commit(&error) => {
                Err(explain::no_such_reference(self, error))
            }
            Err(error) if error.kind() == ErrorKind::Rejected && self.reader().is_some() => {
                Err(self.explain_read(error))
            }
            Err(error) => {
                unchecked(self.http, "`ref`", &error);
                Ok(())
            }
        }
    }

    async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error> {
        let trigger = self.trigger(form, Secrets::Sent);
        let credential = match &self.spec.credential {
            GitLabCredential::Trigger { .. } => None,
            GitLabCredential::Access(token) => Some(token),
        };
        let headers = Self::headers(credential)?;
        let body = Some(&*trigger.body);
        let response = self
            .http
            .send(Idempotency::Once, Method::POST, &trigger.url, headers, body)
            .await?;
        let response = check_trigger(response)?;
        if response.status != StatusCode::CREATED {
            return Err(unexpected_trigger_status(&response));
        }
        let pipeline: GitLabPipeline = response
            .json()
            .map_err(|why| unexpected_trigger_response(&response, &why))?;
        self.project_id.set(pipeline.project_id);
        Ok(Some(Run {
            id: pipeline.id.to_string(),
            number: pipeline.iid,
            url: self.run_page(pipeline.web_url.as_deref(), pipeline.id),
            matched_by: MatchedBy::Id,
            workflow: None,
            attempt: FIRST_ATTEMPT,
            started_by_attempt: None,
        }))
    }

    async fn explain(&self, rejection: Error) -> Error {
        explain::explain(self, rejection).await
    }

    fn explain_unreadable(&self, error: Error) -> Error {
        self.explain_unlisted(error)
    }

    async fn list_runs(&self, since: Option<SystemTime>) -> Result<Vec<Candidate>, Error> {
        self.candidates(since).await
    }

    async fn list_earlier_runs(&self, since: SystemTime) -> Result<EarlierRuns, Error> {
        self.earlier_runs(since).await
    }

    async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        self.snapshot(run, depth).await
    }

    async fn followed(&self, given: &FollowedRun) -> Result<Run, Error> {
        const WHAT: &str = "reading the pipeline";
        let url = self.repository(["pipelines", &given.id]);
        let pipeline: GitLabPipeline = self.read(&url, WHAT).await?;
        if pipeline.id.to_string() != given.id {
            let why = "the response is about another pipeline";
            return Err(unreadable_response(WHAT, why));
        }
        self.project_id.set(pipeline.project_id);
        Ok(given.run(pipeline.iid, None))
    }

    async fn cancel(&self, run: &Run, _: impl Future<Output = ()>) -> Result<(), Error> {
        let url = self.repository(["pipelines", &run.id, "cancel"]);
        let response = self.exchange(Method::POST, &url).await?;
        response.check_status("the cancel").map(drop)
    }

    async fn rerun_failed_jobs(&self, run: &Run, ended: &Snapshot) -> Result<(), Error> {
        let url = self.repository(["pipelines", &run.id, "retry"]);
        let headers = Self::headers(self.reader())?;
        self.retried_end.set(ended.times.completed);
        let response = self
            .http
            .send(Idempotency::Once, Method::POST, &url, headers, None)
            .await?;
        let checked = response.check_status("the request");
        let checked = checked.map_err(|error| error.if_rejected(|error| self.explain_rerun(error)));
        checked.map(drop)
    }

    async fn has_next_attempt(&self, run: &Run, ended: &Snapshot) -> Result<bool, Error> {
        self.has_left_end(run, ended).await
    }

    async fn log(&self, _run: &Run, job: &Job) -> Result<LogTail, Error> {
        self.end_of_log(job).await
    }

    async fn result(&self, run: &Run, artifact: &ResultArtifact) -> Result<Vec<u8>, Error> {
        match artifact {
            ResultArtifact::OfJob { job, path } => self.artifact(run, job, path).await,
            ResultArtifact::Named(_) => Err(no_such_result()),
        }
    }

    /// Projects that require signing in (`internal`) don't count as public.
    async fn is_public(&self) -> Result<bool, Error> {
        let project: GitLabVisibility = self
            .read(&self.repository([]), "reading the project")
            .await?;
        Ok(project.visibility.as_deref() == Some("public"))
    }

    fn runs_page(&self) -> String {
        if self.location.repository.contains('/') {
            let parts = self
                .location
                .repository
                .split('/')
                .chain(["-", "pipelines"]);
            below(&self.location.server.web, parts).to_string()
        } else {
            format!(
                "{} (project {})",
                self.location.server.web, self.location.repository
            )
        }
    }
}

impl<'a> GitLab<'a> {
    async fn default_branch(&self) -> Result<String, Error> {
        const WHAT: &str = "reading the default branch";
        let read = async || {
            let explain = |error: Error| {
                if self.reader().is_none() {
                    error.with_reason(
                        "a trigger token can't read the project's default branch",
                        "set `ref`, or also pass an access token that can read the project in `token`",
                    )
                } else {
                    self.explain_read(error)
                }
            };
            let response = self
                .get(&self.repository([]))
                .await?
                .check_status(WHAT)
                .map_err(|error| error.if_rejected(explain))?;
            let project: ProjectDefaultBranch =
                response.json().map_err(|why| no_default_branch(&why))?;
            project
                .default_branch
                .filter(|branch| !branch.is_empty())
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::Rejected,
                        "the project has no default branch that the token can see",
                    )
                    .hint("set `ref`")
                })
        };
        let repository = &self.location.repository;
        self.http.default_branch(repository, read).await
    }

    /// Returns the URL of a pipeline's web page: the `web_url` if [`wire::page_at`] accepts it, or else one built from
    /// the path. With only a project id, the one page to link to is `/projects/:id`, which leads to the project.
    fn run_page(&self, web_url: Option<&str>, id: u64) -> String {
        let server = &self.location.server.web;
        let repository = &self.location.repository;
        wire::page_at(web_url, server).unwrap_or_else(|| {
            if repository.contains('/') {
                let id = id.to_string();
                let parts = repository.split('/').chain(["-", "pipelines", &id]);
                below(server, parts).to_string()
            } else {
                below(server, ["projects", repository]).to_string()
            }
        })
    }

    /// Returns the token for everything but the trigger, if there is one: a trigger token can only trigger.
    fn reader(&self) -> Option<&'a Secret> {
        match &self.spec.credential {
            GitLabCredential::Access(token) => Some(token),
            GitLabCredential::Trigger { reader, .. } => reader.as_ref(),
        }
    }

    async fn get(&self, url: &Url) -> Result<Response, Error> {
        self.exchange(Method::GET, url).await
    }

    async fn read<T: DeserializeOwned>(&self, url: &Url, what: &str) -> Result<T, Error> {
        parse_json(self.get(url).await?.check_status(what)?, what)
    }

    /// Sends a request that has no body and starts nothing.
    async fn exchange(&self, method: Method, url: &Url) -> Result<Response, Error> {
        let headers = Self::headers(self.reader())?;
        self.http
            .send(Idempotency::Repeatable, method, url, headers, None)
            .await
    }

    fn headers(token: Option<&Secret>) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            headers.insert(PRIVATE_TOKEN, credential_header(token.expose())?);
        }
        Ok(headers)
    }

    /// Returns an API URL below the project. A project's path is a single segment there, with each `/` escaped.
    fn repository<const N: usize>(&self, parts: [&str; N]) -> Url {
        let id = self.project_id.get().map(|id| id.to_string());
        let project = id.as_deref().unwrap_or(&self.location.repository);
        let project = ["projects", project];
        below(&self.location.server.api, project.into_iter().chain(parts))
    }
}
