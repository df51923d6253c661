//! What to trigger on GitLab: which pipeline, with which arguments and credential.

use std::rc::Rc;
use std::time::Duration;

use serde_json::value::RawValue;
use url::Url;

use super::inputs::is_trigger_token;
use crate::model::{ResultArtifact, Secret};
use crate::providers::http::request::below;
use crate::providers::inputs::InputContext;
use crate::providers::location::{check_part, parts};
use crate::providers::provider::{CredentialParts, PollIntervals, ProviderSpec};
use crate::providers::target::{Reference, Variable, may_be_same};
use crate::values::{Checked, Inputs};

pub(crate) struct GitLabSpec {
    /// `None`: the default branch.
    pub(crate) reference: Option<Reference>,
    pub(crate) variables: Vec<Variable>,
    /// A JSON object; `None`: there are none.
    pub(crate) inputs: Option<Rc<RawValue>>,
    pub(crate) credential: GitLabCredential,
}

pub(crate) enum GitLabCredential {
    Access(Secret),
    /// A trigger token reads nothing, so another one may do that.
    Trigger {
        token: Secret,
        reader: Option<Secret>,
    },
}

impl ProviderSpec for GitLabSpec {
    const ID: &'static str = "gitlab";
    const NAME: &'static str = "GitLab";
    const INPUTS: &'static [&'static str] = &[
        "inputs",
        "variables",
        "secret-variables",
        "trigger-token",
        "result-artifact",
    ];
    const CREDENTIALS: &'static [&'static str] = &["trigger-token"];
    const TOKEN_PREFIXES: &'static [&'static str] =
        &["glpat-", "glptt-", "gldt-", "glcbt-", "glrt-", "gloas-"];
    /// A pipeline shows nothing of its jobs.
    const POLL_INTERVALS: PollIntervals = PollIntervals {
        min: Duration::from_secs(2),
        max: Duration::from_secs(15),
        per_quota: Duration::from_millis(500),
        jobs: Duration::from_secs(4),
    };

    const DEFAULT_SERVER: &'static str = "https://gitlab.com";
    const REPOSITORY_FORM: &'static str =
        "`group/project`, with all groups between, the project's id, or its web URL";

    fn api_address(web: &Url) -> Url {
        below(web, ["api", "v4"])
    }

    fn check_name(name: &str) -> Result<(), &'static str> {
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(());
        }
        parts(name)?.into_iter().try_for_each(check_part)
    }

    fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Self> {
        super::inputs::read(inputs, context)
    }

    fn result_artifact(inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        super::inputs::result_artifact(inputs)
    }

    /// Beside a trigger token, a token is there to read, which another trigger token does not.
    fn inherits(name: &str, step: &Inputs, own: &Inputs) -> bool {
        name != "token"
            || own.get("trigger-token").is_none()
            || !step.get(name).is_some_and(is_trigger_token)
    }

    fn pipeline(&self) -> String {
        "pipeline".to_owned()
    }

    fn source(&self) -> Option<String> {
        self.reference.as_ref().map(Reference::full)
    }

    fn identity(&self) -> String {
        match self.credential {
            GitLabCredential::Access(_) => "with an access token".to_owned(),
            GitLabCredential::Trigger { .. } => "with a pipeline trigger token".to_owned(),
        }
    }

    fn credential_parts(&self, _repository: &str) -> CredentialParts<'_> {
        match &self.credential {
            GitLabCredential::Access(token) => CredentialParts::new([token.expose()]),
            GitLabCredential::Trigger { token, reader } => {
                let reader = reader.as_ref().map_or("", |reader| reader.expose());
                CredentialParts::new([token.expose(), reader])
            }
        }
    }

    fn could_be_confused(&self, other: &Self) -> bool {
        may_be_same(self.reference.as_ref(), other.reference.as_ref())
    }

    fn request_parts(&self) -> Vec<String> {
        let inputs = self.inputs.as_deref().map(RawValue::get);
        let reference = format!("{:?}", self.reference);
        let mut parts = vec![reference, inputs.unwrap_or_default().to_owned()];
        parts.extend(self.variables.iter().flat_map(Variable::parts));
        parts
    }
}
