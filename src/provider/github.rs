//! GitHub: `repository_dispatch` and `workflow_dispatch`, through octocrab over our own client.
//! Facts: <https://docs.github.com/en/rest>, API version 2022-11-28.

mod api;
mod app;
mod explain;
mod files;
mod look;
mod search;

use std::cell::RefCell;
use std::rc::Rc;

use ::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::http::Http;
use super::{Error, Form, Kind, Trigger, below, json, judge, no_default_branch, unclear};
use crate::event::Event;
use crate::run::{MatchedBy, Run};
use crate::target::{App, GitHubCall, GitHubCredential, GitHubPipeline, Target};
use api::Api;
use app::Installed;

/// The key that older GitHub Enterprise Servers do not know.
const RUN_DETAILS: &str = "return_run_details";

pub(crate) struct GitHub<'a> {
    target: &'a Target,
    call: &'a GitHubCall,
    http: &'a Http<'a>,
    /// With the credential as it is now: an App's is replaced before it expires.
    api: RefCell<Rc<Api<'a>>>,
    /// Of an App's credential: until when it is good, and the name under which the App acts.
    installed: RefCell<Option<Installed>>,
    /// The ref that is triggered; empty for a `repository_dispatch`, which knows none.
    reference: String,
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
    html_url: String,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: String,
}

impl<'a> GitHub<'a> {
    pub(super) async fn open(
        target: &'a Target,
        call: &'a GitHubCall,
        http: &'a Http<'a>,
    ) -> Result<Self, Error> {
        let (api, installed) = match &call.credential {
            GitHubCredential::Token(token) | GitHubCredential::WorkflowToken(token) => {
                (Api::new(&target.server.api, token, http)?, None)
            }
            GitHubCredential::App(app) => {
                let (api, installed) = sign_in(target, call, app, http).await?;
                (api, Some(installed))
            }
        };
        let mut github = GitHub {
            target,
            call,
            http,
            api: RefCell::new(Rc::new(api)),
            installed: RefCell::new(installed),
            reference: String::new(),
        };
        if let GitHubPipeline::WorkflowDispatch { reference, .. } = &call.pipeline {
            github.reference = match reference {
                Some(reference) => reference.name().to_owned(),
                None => github.default_branch().await?,
            };
        }
        Ok(github)
    }

    async fn default_branch(&self) -> Result<String, Error> {
        const WHAT: &str = "the repository, whose default branch is needed since there is no `ref`";
        let answer = match judge(self.api().get(&self.repository([])).await?, WHAT) {
            Ok(answer) => answer,
            Err(error) if error.kind() == Kind::Rejected => return Err(self.explain_read(error)),
            Err(error) => return Err(error),
        };
        let repository: Repository = answer.json().map_err(|why| no_default_branch(&why))?;
        self.http
            .tell(Event::DefaultReference(&repository.default_branch));
        Ok(repository.default_branch)
    }

    pub(super) fn trigger(&self, form: Form) -> Trigger {
        match &self.call.pipeline {
            GitHubPipeline::RepositoryDispatch {
                event_type,
                client_payload,
                ..
            } => Trigger {
                url: self.repository(["dispatches"]),
                body: json(&RepositoryDispatch {
                    event_type,
                    client_payload,
                }),
            },
            GitHubPipeline::WorkflowDispatch {
                workflow, inputs, ..
            } => Trigger {
                url: self.repository(["actions", "workflows", workflow, "dispatches"]),
                body: json(&WorkflowDispatch {
                    reference: &self.reference,
                    inputs: inputs
                        .iter()
                        .map(|(key, value)| (key.clone(), value.as_str().into()))
                        .collect(),
                    return_run_details: (form == Form::First).then_some(true),
                }),
            },
        }
    }

    pub(super) async fn send(&self, form: Form) -> Result<Option<Run>, Error> {
        let trigger = self.trigger(form);
        let answer = judge(
            self.api().post(&trigger.url, &trigger.body).await?,
            "the dispatch",
        )?;
        match (&self.call.pipeline, answer.status) {
            (_, StatusCode::NO_CONTENT) => Ok(None),
            (GitHubPipeline::WorkflowDispatch { .. }, StatusCode::OK) => {
                let details: RunDetails = answer.json().map_err(|why| unclear(&answer, &why))?;
                Ok(Some(Run {
                    id: details.workflow_run_id.to_string(),
                    number: None,
                    url: details.html_url,
                    matched_by: MatchedBy::Id,
                }))
            }
            _ => Err(unclear(
                &answer,
                "that is no answer of GitHub's to a dispatch",
            )),
        }
    }

    /// GitHub Enterprise Server before 3.21 names the key that it does not know.
    pub(super) fn second_form(&self, rejection: &Error) -> Option<&'static str> {
        let answer = rejection.answer()?;
        let names_it = answer.said().is_some_and(|said| said.contains(RUN_DETAILS));
        let status = matches!(
            answer.status,
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
        );
        (status
            && names_it
            && matches!(self.call.pipeline, GitHubPipeline::WorkflowDispatch { .. }))
        .then_some("this server does not tell which run it starts: sent without return_run_details")
    }

    pub(super) async fn cancel(&self, run: &Run) -> Result<(), Error> {
        self.renew_in_time().await?;
        let url = self.repository(["actions", "runs", &run.id, "cancel"]);
        let answer = self
            .api()
            .post(&url, &json(&serde_json::Map::new()))
            .await?;
        judge(answer, "the cancel").map(drop)
    }

    pub(super) async fn explain(&self, rejection: Error) -> Error {
        explain::explain(self, rejection).await
    }

    pub(super) fn runs_page(&self) -> String {
        let page = |parts: &[&str]| {
            let parts = self
                .target
                .repository
                .split('/')
                .chain(["actions"])
                .chain(parts.iter().copied());
            below(&self.target.server.web, parts).to_string()
        };
        match &self.call.pipeline {
            GitHubPipeline::RepositoryDispatch { .. } => {
                format!("{}?query=event%3Arepository_dispatch", page(&[]))
            }
            GitHubPipeline::WorkflowDispatch { workflow, .. } if workflow.contains('.') => {
                page(&["workflows", workflow])
            }
            GitHubPipeline::WorkflowDispatch { .. } => page(&[]),
        }
    }

    fn api(&self) -> Rc<Api<'a>> {
        Rc::clone(&self.api.borrow())
    }

    /// Signs in anew where an App's token is about to expire.
    async fn renew_in_time(&self) -> Result<(), Error> {
        let expires_soon = self
            .installed
            .borrow()
            .as_ref()
            .is_some_and(Installed::expires_soon);
        if expires_soon {
            self.renew().await?;
        }
        Ok(())
    }

    /// Signs in anew where an App's token was refused before its time. Says whether it did.
    async fn renew_after(&self, error: &Error) -> Result<bool, Error> {
        let is_refused = error
            .answer()
            .is_some_and(|answer| answer.status == StatusCode::UNAUTHORIZED);
        if !is_refused || self.installed.borrow().is_none() {
            return Ok(false);
        }
        self.renew().await.map(|()| true)
    }

    async fn renew(&self) -> Result<(), Error> {
        let GitHubCredential::App(app) = &self.call.credential else {
            return Ok(());
        };
        let (api, installed) = sign_in(self.target, self.call, app, self.http).await?;
        self.http
            .tell(Event::Trace("the App's token is renewed".to_owned()));
        *self.api.borrow_mut() = Rc::new(api);
        *self.installed.borrow_mut() = Some(installed);
        Ok(())
    }

    /// An address below the target repository's own.
    fn repository<const N: usize>(&self, parts: [&str; N]) -> Url {
        repository(self.target, parts)
    }
}

/// Makes an App's token, and a client with it.
async fn sign_in<'a>(
    target: &Target,
    call: &GitHubCall,
    app: &App,
    http: &'a Http<'a>,
) -> Result<(Api<'a>, Installed), Error> {
    let (token, installed) = app::installation_token(target, call, app, http).await?;
    http.tell(Event::Minted(&token));
    Ok((Api::new(&target.server.api, &token, http)?, installed))
}

fn repository<const N: usize>(target: &Target, parts: [&str; N]) -> Url {
    let repository = ["repos"].into_iter().chain(target.repository.split('/'));
    below(&target.server.api, repository.chain(parts))
}
