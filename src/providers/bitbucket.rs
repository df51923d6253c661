//! The Bitbucket Cloud provider: pipelines on branches, tags and commits.
//! See <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/>.

mod artifacts;
mod explain;
mod runs;
pub(crate) mod spec;
mod status;

use std::cell::{Cell, RefCell};
use std::time::SystemTime;

use ::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::{Event, FIRST_ATTEMPT, FollowedRun, Job, MatchedBy, Run, Secret, Snapshot};
use crate::providers::error::{Error, ErrorKind};
use crate::providers::http::request::{below, credential_header, json};
use crate::providers::http::{Http, LogTail, Response};
use crate::providers::location::Location;
use crate::providers::provider::{
    Candidate, Depth, Provider, RequestForm, Secrets, TriggerRequest,
};
use crate::providers::quota::Idempotency;
use crate::providers::reading::{
    check_trigger, no_default_branch, parse_json, unchecked, unexpected_trigger_response,
    unexpected_trigger_status, unreadable_response,
};
use crate::providers::reference::Reference;
use crate::providers::variable::Argument;
use crate::providers::wire;
pub(crate) use spec::BitbucketSpec;
use spec::{BitbucketCredential, BitbucketSource};

const NO_SUCH_REFERENCE: &str = "Could not find last reference for";

pub(crate) struct Bitbucket<'a> {
    location: &'a Location,
    spec: &'a BitbucketSpec,
    http: &'a Http<'a>,
    /// `None` if only a commit is given, or nothing is triggered.
    reference: Option<Reference>,
    /// Whether Bitbucket has rejected a bare name because no branch has it.
    branch_not_found: Cell<bool>,
    tag: RefCell<TagCommit>,
}

/// The commit of the tag to trigger, as far as it is known.
#[derive(Default)]
enum TagCommit {
    #[default]
    Unread,
    /// The token can't read it, or the tag doesn't exist. The response to the trigger shows which.
    Unreadable,
    Known(String),
}

/// Body of `POST /repositories/{workspace}/{repo}/pipelines`.
#[derive(Serialize)]
struct CreatePipeline<'a> {
    target: PipelineTarget<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variables: Vec<BitbucketVariable<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum PipelineTarget<'a> {
    #[serde(rename = "pipeline_ref_target")]
    Reference {
        ref_type: &'static str,
        ref_name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        commit: Option<Commit<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        selector: Option<Selector<'a>>,
    },
    #[serde(rename = "pipeline_commit_target")]
    Commit {
        commit: Commit<'a>,
        selector: Selector<'a>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "commit")]
struct Commit<'a> {
    hash: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Selector<'a> {
    Default,
    Custom { pattern: &'a str },
}

#[derive(Serialize)]
struct BitbucketVariable<'a> {
    key: &'a str,
    value: &'a str,
    secured: bool,
}

#[derive(Deserialize)]
struct BitbucketPipeline {
    #[serde(deserialize_with = "wire::uuid")]
    uuid: String,
    build_number: u64,
}

#[derive(Deserialize)]
struct BitbucketVisibility {
    #[serde(default, deserialize_with = "wire::lenient")]
    is_private: Option<bool>,
}

#[derive(Deserialize)]
struct RepositoryMainBranch {
    #[serde(default, deserialize_with = "wire::lenient")]
    mainbranch: Option<Branch>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default, deserialize_with = "wire::exact")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Tag {
    target: TagTarget,
}

#[derive(Deserialize)]
struct TagTarget {
    #[serde(deserialize_with = "wire::word")]
    hash: String,
}

impl<'a> Provider<'a> for Bitbucket<'a> {
    type Spec = BitbucketSpec;
    type Sessions = ();

    async fn open(
        location: &'a Location,
        spec: &'a BitbucketSpec,
        http: &'a Http<'a>,
        (): &(),
    ) -> Result<Self, Error> {
        let bitbucket = Bitbucket {
            location,
            spec,
            http,
            reference: None,
            branch_not_found: Cell::default(),
            tag: RefCell::default(),
        };
        if let BitbucketCredential::Api { email, token } = &spec.credential {
            http.emit(Event::Minted(&basic_credentials(email, token)));
        }
        Ok(bitbucket)
    }

    async fn prepare_trigger(&mut self) -> Result<(), Error> {
        self.reference = match &self.spec.source {
            BitbucketSource::Commit(_) => None,
            BitbucketSource::Reference {
                reference: Some(reference),
                ..
            } => Some(reference.clone()),
            BitbucketSource::Reference {
                reference: None, ..
            } => Some(Reference::Branch(self.default_branch().await?)),
        };
        self.read_tag().await
    }

    fn trigger(&self, form: RequestForm, secrets: Secrets) -> TriggerRequest {
        let tag = self.tag.borrow();
        let custom = self
            .spec
            .custom_pipeline
            .as_deref()
            .map(|pattern| Selector::Custom { pattern });
        let target = match (&self.spec.source, &self.reference) {
            (BitbucketSource::Commit(hash), _) => PipelineTarget::Commit {
                commit: Commit { hash },
                selector: custom.unwrap_or(Selector::Default),
            },
            (BitbucketSource::Reference { commit, .. }, reference) => PipelineTarget::Reference {
                ref_type: match (reference, form) {
                    (Some(Reference::Tag(_)), _)
                    | (Some(Reference::Named(_)), RequestForm::Fallback) => "tag",
                    _ => "branch",
                },
                ref_name: self.reference_name(),
                commit: match (commit, &*tag) {
                    (Some(hash), _) | (None, TagCommit::Known(hash)) => Some(Commit { hash }),
                    (None, TagCommit::Unread | TagCommit::Unreadable) => None,
                },
                selector: custom,
            },
        };
        let variables = self
            .spec
            .variables
            .iter()
            .map(|variable| BitbucketVariable {
                key: &variable.key,
                value: secrets.show_argument(&variable.value),
                secured: matches!(variable.value, Argument::Secret(_)),
            });
        let added = self.spec.added.iter().map(|added| BitbucketVariable {
            key: &added.name,
            value: &added.value,
            secured: false,
        });
        TriggerRequest {
            url: self.repository(["pipelines"]),
            body: json(&CreatePipeline {
                target,
                variables: variables.chain(added).collect(),
            }),
        }
    }

    async fn make_ready(&self) -> Result<(), Error> {
        self.read_tag().await
    }

    /// Checks that the ref exists. A main branch has just been read.
    async fn check(&self) -> Result<(), Error> {
        let kinds: &[&str] = match &self.spec.source {
            BitbucketSource::Reference {
                reference: Some(Reference::Branch(_)),
                ..
            } => &["branches"],
            BitbucketSource::Reference {
                reference: Some(Reference::Tag(_)),
                ..
            } => &["tags"],
            BitbucketSource::Reference {
                reference: Some(Reference::Named(_)),
                ..
            } => &["branches", "tags"],
            BitbucketSource::Reference {
                reference: None, ..
            }
            | BitbucketSource::Commit(_) => return Ok(()),
        };
        for (index, kind) in kinds.iter().enumerate() {
            let refs = self.repository(["refs", kind]);
            let url = below(&refs, self.reference_name().split('/'));
            let read = self.get(&url).await;
            match read.and_then(|response| response.check_status("reading the ref")) {
                Ok(_) => return Ok(()),
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                    if index + 1 == kinds.len() {
                        return Err(explain::missing_reference(self, error).await);
                    }
                }
                Err(error) => {
                    unchecked(self.http, "`ref`", &error);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn send(&self, form: RequestForm) -> Result<Option<Run>, Error> {
        let trigger = self.trigger(form, Secrets::Sent);
        let headers = self.headers()?;
        let body = Some(&*trigger.body);
        let response = self
            .http
            .send(Idempotency::Once, Method::POST, &trigger.url, headers, body)
            .await?;
        let response = check_trigger(response)?;
        if response.status != StatusCode::CREATED {
            return Err(unexpected_trigger_status(&response));
        }
        let pipeline: BitbucketPipeline = response
            .json()
            .map_err(|why| unexpected_trigger_response(&response, &why))?;
        Ok(Some(Run {
            url: self.run_page(pipeline.build_number),
            id: pipeline.uuid,
            number: Some(pipeline.build_number),
            matched_by: MatchedBy::Id,
            workflow: None,
            attempt: FIRST_ATTEMPT,
            started_by_attempt: None,
        }))
    }

    /// A bare name is sent as a branch first. If no branch has that name, it may be a tag.
    fn fallback(&self, rejection: &Error) -> Option<&'static str> {
        let response = rejection.response()?;
        let is_unknown_branch = response.status == StatusCode::NOT_FOUND
            && response
                .error_message()
                .is_some_and(|message| message.contains(&format!("{NO_SUCH_REFERENCE} branch")));
        let may_be_tag = is_unknown_branch && matches!(self.reference, Some(Reference::Named(_)));
        self.branch_not_found.set(may_be_tag);
        may_be_tag.then_some("no branch has that name; trying a tag")
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

    async fn status(&self, run: &Run, depth: Depth) -> Result<Snapshot, Error> {
        self.snapshot(run, depth).await
    }

    async fn followed(&self, given: &FollowedRun) -> Result<Run, Error> {
        const WHAT: &str = "reading the pipeline";
        let url = self.repository(["pipelines", &given.id]);
        let pipeline: BitbucketPipeline = self.read(&url, WHAT).await?;
        if ![&pipeline.uuid, &pipeline.build_number.to_string()].contains(&&given.id) {
            let why = "the response is about another pipeline";
            return Err(unreadable_response(WHAT, why));
        }
        Ok(Run {
            id: pipeline.uuid,
            url: self.run_page(pipeline.build_number),
            ..given.run(Some(pipeline.build_number), None)
        })
    }

    async fn cancel(&self, run: &Run, _: impl Future<Output = ()>) -> Result<(), Error> {
        let url = self.repository(["pipelines", &run.id, "stopPipeline"]);
        let response = self.exchange(Method::POST, &url).await?;
        response.check_status("the cancel").map(drop)
    }

    async fn log(&self, run: &Run, job: &Job) -> Result<LogTail, Error> {
        self.end_of_log(run, job).await
    }

    async fn is_public(&self) -> Result<bool, Error> {
        let repository: BitbucketVisibility = self
            .read(&self.repository([]), "reading the repository")
            .await?;
        Ok(repository.is_private == Some(false))
    }

    fn runs_page(&self) -> String {
        below(
            &self.location.server.web,
            self.location.repository.split('/').chain(["pipelines"]),
        )
        .to_string()
    }
}

impl Bitbucket<'_> {
    async fn default_branch(&self) -> Result<String, Error> {
        const WHAT: &str = "reading the main branch";
        let read = async || {
            let response = self
                .get(&self.repository([]))
                .await?
                .check_status(WHAT)
                .map_err(|error| error.if_rejected(|error| self.explain_read(error)))?;
            let repository: RepositoryMainBranch =
                response.json().map_err(|why| no_default_branch(&why))?;
            let branch = repository.mainbranch.and_then(|branch| branch.name);
            branch.ok_or_else(|| {
                Error::new(ErrorKind::Rejected, "the repository has no main branch")
                    .hint("set `ref`")
            })
        };
        let repository = &self.location.repository;
        self.http.default_branch(repository, read).await
    }

    fn run_page(&self, number: u64) -> String {
        let number = number.to_string();
        let page = self
            .location
            .repository
            .split('/')
            .chain(["pipelines", "results", &number]);
        below(&self.location.server.web, page).to_string()
    }

    /// Whether the ref is sent as a tag.
    fn is_tag(&self) -> bool {
        match &self.reference {
            Some(Reference::Tag(_)) => true,
            Some(Reference::Named(_)) => self.branch_not_found.get(),
            Some(Reference::Branch(_)) | None => false,
        }
    }

    /// Reads the commit of the tag to trigger, once, unless a commit is given: Bitbucket has been seen to answer 500
    /// for a tag without a commit.
    pub(super) async fn read_tag(&self) -> Result<(), Error> {
        const WHAT: &str = "reading the tag";
        let needs_commit = matches!(
            self.spec.source,
            BitbucketSource::Reference { commit: None, .. }
        );
        let is_unread = matches!(*self.tag.borrow(), TagCommit::Unread);
        if !(self.is_tag() && needs_commit && is_unread) {
            return Ok(());
        }
        let url = self.repository(["refs", "tags", self.reference_name()]);
        let read = match self
            .get(&url)
            .await
            .and_then(|response| response.check_status(WHAT))
        {
            Ok(response) => parse_json(response, WHAT),
            Err(error) if error.kind() == ErrorKind::Rejected => Err(error),
            Err(error) => return Err(error),
        };
        let tag = match read {
            Ok(Tag { target }) => TagCommit::Known(target.hash),
            Err(error) => {
                self.http.emit(Event::Trace(format_args!(
                    "the tag's commit can't be read, so the trigger is sent without it: {}",
                    error.message()
                )));
                TagCommit::Unreadable
            }
        };
        self.tag.replace(tag);
        Ok(())
    }

    fn reference_name(&self) -> &str {
        self.reference.as_ref().map_or("", Reference::name)
    }

    async fn get(&self, url: &Url) -> Result<Response, Error> {
        self.exchange(Method::GET, url).await
    }

    async fn read<T: DeserializeOwned>(&self, url: &Url, what: &str) -> Result<T, Error> {
        parse_json(self.get(url).await?.check_status(what)?, what)
    }

    /// Sends a request that has no body and starts nothing.
    async fn exchange(&self, method: Method, url: &Url) -> Result<Response, Error> {
        let headers = self.headers()?;
        self.http
            .send(Idempotency::Repeatable, method, url, headers, None)
            .await
    }

    fn headers(&self) -> Result<HeaderMap, Error> {
        let authorization = match &self.spec.credential {
            BitbucketCredential::Access(token) => format!("Bearer {}", token.expose()),
            BitbucketCredential::Api { email, token } => {
                format!("Basic {}", basic_credentials(email, token).expose())
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::AUTHORIZATION, credential_header(&authorization)?);
        Ok(headers)
    }

    /// Returns an API URL below the repository.
    fn repository<const N: usize>(&self, parts: [&str; N]) -> Url {
        let repository = ["repositories"]
            .into_iter()
            .chain(self.location.repository.split('/'));
        below(&self.location.server.api, repository.chain(parts))
    }
}

/// Returns the value for Basic authentication: a different string from the API token, and just as secret.
fn basic_credentials(email: &str, token: &Secret) -> Secret {
    Secret::new(STANDARD.encode(format!("{email}:{}", token.expose())))
}
