//! What to trigger on GitHub (pipeline, arguments and credential), and how it's read from the inputs.

mod credential;
mod payload;
mod pipeline;

use std::time::Duration;

use http::StatusCode;
use url::Url;

pub(crate) use credential::{App, GitHubCredential, PrivateKey};
pub(crate) use pipeline::GitHubPipeline;

use crate::model::ResultArtifact;
use crate::providers::added::Added;
use crate::providers::http::LimitMessage;
use crate::providers::http::request::below;
use crate::providers::location::{check_part, fixed, two_parts};
use crate::providers::provider::{
    CredentialParts, InputContext, PollIntervals, ProviderSpec, RunAddress, is_number,
};
use crate::values::{Checked, Errors, Inputs};

pub(crate) struct GitHubSpec {
    pub(crate) pipeline: GitHubPipeline,
    pub(crate) added: Added,
    pub(crate) credential: GitHubCredential,
}

impl ProviderSpec for GitHubSpec {
    const ID: &'static str = "github";
    const NAME: &'static str = "GitHub";
    const INPUTS: &'static [&'static str] = &[
        "event-type",
        "client-payload",
        "workflow",
        "inputs",
        "marker-input",
        "client-id",
        "private-key",
        "result-artifact",
        "retries",
    ];
    const CREDENTIALS: &'static [&'static str] = &["client-id", "private-key"];
    const ALTERNATIVES: &'static [&'static [&'static str]] = &[
        &["event-type", "workflow"],
        &["token", "client-id", "private-key"],
    ];
    const TOKEN_PREFIXES: &'static [&'static str] =
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"];
    /// Polling an unchanged run costs no rate limit. Polling its jobs nearly always does, because every step of a job
    /// changes them. But the run itself changes whenever one of its jobs does.
    const POLL_INTERVALS: PollIntervals = PollIntervals {
        min: Duration::from_secs(2),
        max: Duration::from_secs(5),
        per_quota: Duration::from_millis(500),
        jobs: Duration::from_mins(1),
    };

    /// GitHub's former name for secondary rate limits.
    const LIMIT_MESSAGES: &'static [LimitMessage] = &[LimitMessage {
        status: StatusCode::FORBIDDEN,
        text: "abuse detection",
        wait: None,
    }];

    const DEFAULT_SERVER: &'static str = "https://github.com";
    const REPOSITORY_FORM: &'static str = "`owner/name`, or its web URL";
    const RUN_ADDRESS_FORM: &'static str = "https://github.com/octo-org/app/actions/runs/123";

    fn is_public_host(host: &str) -> bool {
        host == "github.com" || host.ends_with(".ghe.com")
    }

    fn check_server(web: &Url) -> Result<(), &'static str> {
        let path = web.path();
        if path != "/" && Self::is_public_host(web.host_str().unwrap_or_default()) {
            return Err("has a path, but github.com and ghe.com have none");
        }
        Ok(())
    }

    fn api_address(web: &Url) -> Url {
        match web.host_str() {
            Some(host) if Self::is_public_host(host) => fixed(&format!("https://api.{host}")),
            _ => below(web, ["api", "v3"]),
        }
    }

    fn check_name(name: &str) -> Result<(), &'static str> {
        two_parts(name)?.into_iter().try_for_each(check_part)
    }

    /// The page may also be that of an attempt or of a job.
    fn run_address(path: &str) -> Option<RunAddress> {
        let (repository, run) = path.split_once("/actions/runs/")?;
        let parts: Vec<_> = run.split('/').collect();
        let (id, attempt) = match parts[..] {
            [id] | [id, "job", _] => (id, None),
            [id, "attempts", attempt] | [id, "attempts", attempt, "job", _] => (id, Some(attempt)),
            _ => return None,
        };
        let is_valid = is_number(id) && attempt.is_none_or(is_number);
        is_valid.then(|| RunAddress {
            repository: repository.to_owned(),
            id: id.to_owned(),
            attempt: attempt.and_then(|attempt| attempt.parse().ok()),
        })
    }

    fn follow(inputs: &Inputs, context: &InputContext<'_>, may_cancel: bool) -> Checked<Self> {
        Ok(Self {
            pipeline: GitHubPipeline::Followed { may_cancel },
            added: Added::default(),
            credential: credential::read(inputs, context)?,
        })
    }

    fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Self> {
        let mut errors = Errors::default();
        let pipeline = errors.take(pipeline::read(inputs, context));
        let credential = errors.take(credential::read(inputs, context));
        errors.finish(|| {
            let (pipeline, added) = pipeline?;
            Some(Self {
                pipeline,
                added,
                credential: credential?,
            })
        })
    }

    fn result_artifact(inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        let name = inputs.get("result-artifact").map(str::to_owned);
        Ok(name.map(ResultArtifact::Named))
    }

    fn inherits(name: &str, _step: &Inputs, own: &Inputs) -> bool {
        match name {
            "event-type" | "client-payload" => own.get("workflow").is_none(),
            "workflow" | "inputs" | "marker-input" | "ref" => own.get("event-type").is_none(),
            "token" => own.get("client-id").or(own.get("private-key")).is_none(),
            _ => true,
        }
    }

    fn pipeline(&self) -> String {
        self.pipeline.name()
    }

    fn source(&self) -> Option<String> {
        self.pipeline.source()
    }

    fn identity(&self) -> String {
        match &self.credential {
            GitHubCredential::Token(_) => "with the token given".to_owned(),
            GitHubCredential::WorkflowToken(_) => "with `GITHUB_TOKEN`".to_owned(),
            GitHubCredential::App(app) => format!("as GitHub App {}", app.client_id),
        }
    }

    /// Includes the owner for an App, because each installation has its own rate limits.
    fn credential_parts(&self, repository: &str) -> CredentialParts<'_> {
        match &self.credential {
            GitHubCredential::Token(token) | GitHubCredential::WorkflowToken(token) => {
                CredentialParts::new([token.expose()])
            }
            GitHubCredential::App(app) => {
                let (PrivateKey::Pkcs1(key) | PrivateKey::Pkcs8(key)) = &app.private_key;
                CredentialParts {
                    owner: repository.split('/').next().map(str::to_lowercase),
                    parts: vec![app.client_id.as_bytes(), key],
                }
            }
        }
    }

    fn could_be_confused(&self, other: &Self) -> bool {
        self.pipeline.could_be_confused(&other.pipeline)
    }

    fn request_parts(&self) -> Vec<String> {
        self.pipeline.request_parts()
    }

    fn added(&self) -> &Added {
        &self.added
    }

    fn added_mut(&mut self) -> &mut Added {
        &mut self.added
    }

    fn how_to_mark(&self) -> Option<String> {
        let name = &self.added.marker.as_ref()?.name;
        let source = match &self.pipeline {
            GitHubPipeline::RepositoryDispatch { .. } => "github.event.client_payload",
            GitHubPipeline::WorkflowDispatch { .. } => "inputs",
            GitHubPipeline::Followed { .. } => return None,
        };
        Some(format!(
            "run-name: ${{{{ github.workflow }}}} ${{{{ {source}.{name} }}}}"
        ))
    }

    fn event_type(&self) -> Option<&str> {
        self.pipeline.event_type()
    }
}
