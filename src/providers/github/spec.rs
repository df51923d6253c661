//! What to trigger on GitHub: which pipeline, with which arguments and credential.

use std::rc::Rc;
use std::time::Duration;

use serde_json::value::RawValue;
use url::Url;

use crate::model::{ResultArtifact, Secret};
use crate::providers::http::request::below;
use crate::providers::inputs::InputContext;
use crate::providers::location::{check_part, fixed, two_parts};
use crate::providers::provider::{CredentialParts, PollIntervals, ProviderSpec};
use crate::providers::target::{Reference, may_be_same};
use crate::values::{Checked, Inputs};

/// The line of a workflow that puts the marker into the title of its runs.
const RUN_NAME: &str =
    "run-name: ${{ github.workflow }} ${{ github.event.client_payload.trigger_id }}";

/// The property of a payload that carries the marker.
pub(crate) const MARKER: &str = "trigger_id";

pub(crate) struct GitHubSpec {
    pub(crate) pipeline: GitHubPipeline,
    pub(crate) credential: GitHubCredential,
}

pub(crate) enum GitHubPipeline {
    RepositoryDispatch {
        event_type: String,
        /// The JSON as it was written, but for the space between its tokens.
        client_payload: Rc<RawValue>,
        /// What stands in the payload as `trigger_id`, by which the runs can be recognised; `None` where
        /// they are not waited for.
        marker: Option<String>,
    },
    WorkflowDispatch {
        /// File name or id; a name may begin with digits.
        workflow: String,
        /// `None`: the default branch.
        reference: Option<Reference>,
        inputs: Vec<(String, String)>,
    },
}

pub(crate) enum GitHubCredential {
    Token(Secret),
    /// The job's own token: good for the workflow's own repository alone.
    WorkflowToken(Secret),
    App(App),
}

pub(crate) struct App {
    /// Client id or app id.
    pub(crate) client_id: String,
    /// DER of the RSA key, in either of its two forms.
    pub(crate) private_key: PrivateKey,
}

/// A key's DER, which many targets may share. It has no `Debug`: see [`Secret`].
#[derive(Clone)]
pub(crate) enum PrivateKey {
    Pkcs1(Rc<[u8]>),
    Pkcs8(Rc<[u8]>),
}

impl ProviderSpec for GitHubSpec {
    const ID: &'static str = "github";
    const NAME: &'static str = "GitHub";
    const INPUTS: &'static [&'static str] = &[
        "event-type",
        "client-payload",
        "workflow",
        "inputs",
        "client-id",
        "private-key",
        "result-artifact",
    ];
    const CREDENTIALS: &'static [&'static str] = &["client-id", "private-key"];
    const TOKEN_PREFIXES: &'static [&'static str] =
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"];
    /// Looks at a run that has not changed cost nothing; those at its jobs nearly always do, since each
    /// step of a job changes them. But a run changes with each of its jobs.
    const POLL_INTERVALS: PollIntervals = PollIntervals {
        min: Duration::from_secs(2),
        max: Duration::from_secs(5),
        per_quota: Duration::from_millis(500),
        jobs: Duration::from_mins(1),
    };

    const DEFAULT_SERVER: &'static str = "https://github.com";
    const REPOSITORY_FORM: &'static str = "`owner/name`, or its web URL";

    fn is_public_host(host: &str) -> bool {
        host == "github.com" || host.ends_with(".ghe.com")
    }

    fn check_server(web: &Url) -> Result<(), &'static str> {
        let path = web.path();
        if path.ends_with("/api/v3") {
            return Err("it is the server's web address, without `/api/v3`: give only that");
        }
        if path != "/" && Self::is_public_host(web.host_str().unwrap_or_default()) {
            return Err("a server of github.com or ghe.com has no path: give only scheme and host");
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

    fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Self> {
        super::inputs::read(inputs, context)
    }

    fn result_artifact(inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        let name = inputs.get("result-artifact").map(str::to_owned);
        Ok(name.map(ResultArtifact::Named))
    }

    fn inherits(name: &str, _step: &Inputs, own: &Inputs) -> bool {
        match name {
            "event-type" | "client-payload" => own.get("workflow").is_none(),
            "workflow" | "inputs" | "ref" => own.get("event-type").is_none(),
            "token" => own.get("client-id").or(own.get("private-key")).is_none(),
            // A key without the App that it is of.
            "private-key" => !own.is_empty("client-id"),
            _ => true,
        }
    }

    fn pipeline(&self) -> String {
        match &self.pipeline {
            GitHubPipeline::RepositoryDispatch { event_type, .. } => {
                format!("repository_dispatch {event_type}")
            }
            GitHubPipeline::WorkflowDispatch { workflow, .. } => format!("workflow {workflow}"),
        }
    }

    fn source(&self) -> Option<String> {
        match &self.pipeline {
            GitHubPipeline::RepositoryDispatch { .. } => None,
            GitHubPipeline::WorkflowDispatch { reference, .. } => {
                reference.as_ref().map(Reference::full)
            }
        }
    }

    fn identity(&self) -> String {
        match &self.credential {
            GitHubCredential::Token(_) => "with the token given".to_owned(),
            GitHubCredential::WorkflowToken(_) => "with the workflow's own token".to_owned(),
            GitHubCredential::App(app) => format!("as GitHub App {}", app.client_id),
        }
    }

    /// Of an App, each owner's installation has rate limits of its own.
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
        match (&self.pipeline, &other.pipeline) {
            (
                GitHubPipeline::RepositoryDispatch { event_type: a, .. },
                GitHubPipeline::RepositoryDispatch { event_type: b, .. },
            ) => a == b,
            (
                GitHubPipeline::WorkflowDispatch {
                    workflow: a,
                    reference: on,
                    ..
                },
                GitHubPipeline::WorkflowDispatch {
                    workflow: b,
                    reference: of,
                    ..
                },
            ) => {
                // A file's name and an id may be the same workflow.
                let is_file = |workflow: &str| workflow.contains('.');
                (a == b || is_file(a) != is_file(b)) && may_be_same(on.as_ref(), of.as_ref())
            }
            _ => false,
        }
    }

    fn request_parts(&self) -> Vec<String> {
        match &self.pipeline {
            GitHubPipeline::RepositoryDispatch {
                event_type,
                client_payload,
                marker,
            } => {
                let payload = without_marker(client_payload, marker.as_deref());
                vec![
                    "dispatch".to_owned(),
                    event_type.clone(),
                    payload.to_owned(),
                ]
            }
            GitHubPipeline::WorkflowDispatch {
                workflow,
                reference,
                inputs,
            } => {
                let reference = format!("{reference:?}");
                let mut parts = vec!["workflow".to_owned(), workflow.clone(), reference];
                parts.extend(
                    inputs
                        .iter()
                        .flat_map(|(name, value)| [name.clone(), value.clone()]),
                );
                parts
            }
        }
    }

    fn marker(&self) -> Option<&str> {
        match &self.pipeline {
            GitHubPipeline::RepositoryDispatch { marker, .. } => marker.as_deref(),
            GitHubPipeline::WorkflowDispatch { .. } => None,
        }
    }

    fn set_marker(&mut self, known: &str) {
        if let GitHubPipeline::RepositoryDispatch { marker, .. } = &mut self.pipeline {
            *marker = Some(known.to_owned());
        }
    }

    fn how_to_mark(&self) -> Option<&'static str> {
        self.marker().map(|_| RUN_NAME)
    }

    fn event_type(&self) -> Option<&str> {
        match &self.pipeline {
            GitHubPipeline::RepositoryDispatch { event_type, .. } => Some(event_type),
            GitHubPipeline::WorkflowDispatch { .. } => None,
        }
    }
}

/// The inside of a payload as it was before it got its marker, if it has one.
pub(crate) fn without_marker<'json>(payload: &'json RawValue, marker: Option<&str>) -> &'json str {
    let json = payload.get();
    let inside = match marker {
        Some(marker) => json.strip_suffix(&format!("\"{MARKER}\":\"{marker}\"}}")),
        None => json.strip_suffix('}'),
    };
    inside.unwrap_or(json).trim_end_matches(',')
}
