//! What to trigger on GitLab (ref, variables, inputs and credential), and how the step's inputs are read.

use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use serde_json::value::RawValue;
use url::Url;

use crate::model::{ResultArtifact, Secret};
use crate::providers::added::Added;
use crate::providers::common_inputs::{Token, is_variable_name, reference, variables};
use crate::providers::http::LimitMessage;
use crate::providers::http::request::below;
use crate::providers::location::{check_part, parts};
use crate::providers::provider::{
    CredentialParts, InputContext, PollIntervals, ProviderSpec, RunAddress, is_number,
};
use crate::providers::reference::{Reference, may_be_same};
use crate::providers::variable::Variable;
use crate::values::{Checked, Errors, InputError, Inputs};

pub(crate) struct GitLabSpec {
    /// `None` means the default branch.
    pub(crate) reference: Option<Reference>,
    pub(crate) variables: Vec<Variable>,
    /// A JSON object; `None` if there are no inputs.
    pub(crate) inputs: Option<Rc<RawValue>>,
    /// Pipeline inputs if there are any others, variables otherwise.
    pub(crate) added: Added,
    pub(crate) credential: GitLabCredential,
}

pub(crate) enum GitLabCredential {
    Access(Secret),
    /// A trigger token can only trigger, so `reader` may hold an access token for reading and cancelling.
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
        "marker-input",
        "variables",
        "secret-variables",
        "trigger-token",
        "result-artifact",
        "retries",
    ];
    const CREDENTIALS: &'static [&'static str] = &["trigger-token"];
    const ALTERNATIVES: &'static [&'static [&'static str]] = &[&["token", "trigger-token"]];
    const TOKEN_PREFIXES: &'static [&'static str] =
        &["glpat-", "glptt-", "gldt-", "glcbt-", "glrt-", "gloas-"];
    /// A pipeline's own response doesn't show the progress of its jobs, so jobs are polled often.
    const POLL_INTERVALS: PollIntervals = PollIntervals {
        min: Duration::from_secs(2),
        max: Duration::from_secs(15),
        per_quota: Duration::from_millis(500),
        jobs: Duration::from_secs(4),
    };

    /// Sent without a header: <https://docs.gitlab.com/administration/settings/rate_limit_on_pipelines_creation/>.
    const LIMIT_MESSAGES: &'static [LimitMessage] = &[LimitMessage {
        status: StatusCode::BAD_REQUEST,
        text: "too many pipelines created in the last minute",
        wait: Some(Duration::from_mins(1)),
    }];

    const DEFAULT_SERVER: &'static str = "https://gitlab.com";
    const REPOSITORY_FORM: &'static str =
        "`group/project`, with all groups between, the project's id, or its web URL";
    const RUN_ADDRESS_FORM: &'static str = "https://gitlab.com/octo-group/app/-/pipelines/123";

    fn check_server(web: &Url) -> Result<(), &'static str> {
        let is_public = Self::is_public_host(web.host_str().unwrap_or_default());
        if is_public && web.path() != "/" {
            return Err("has a path, but gitlab.com has none");
        }
        Ok(())
    }

    fn api_address(web: &Url) -> Url {
        below(web, ["api", "v4"])
    }

    fn check_name(name: &str) -> Result<(), &'static str> {
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(());
        }
        parts(name)?.into_iter().try_for_each(|part| match part {
            // Separates the project from the page in addresses: `group/project/-/pipelines`.
            "-" => Err("contains `/-/`, which only addresses of pages do"),
            part => check_part(part),
        })
    }

    fn run_address(path: &str) -> Option<RunAddress> {
        let (repository, id) = path.split_once("/-/pipelines/")?;
        is_number(id).then(|| RunAddress {
            repository: repository.to_owned(),
            id: id.to_owned(),
            attempt: None,
        })
    }

    fn follow(inputs: &Inputs, context: &InputContext<'_>, _may_cancel: bool) -> Checked<Self> {
        Ok(Self {
            reference: None,
            variables: Vec::new(),
            inputs: None,
            added: Added::default(),
            credential: credential(inputs, context)?,
        })
    }

    fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Self> {
        let mut errors = Errors::default();
        let variables = errors.take(variables(inputs));
        let pipeline_inputs = errors.take(pipeline_inputs(inputs));
        let reference = errors.take(reference(inputs));
        let credential = errors.take(credential(inputs, context));
        let added = errors.take(Added::read_with_marker_input(inputs, context));
        if let (Some(variables), Some(pipeline_inputs), Some(added)) =
            (&variables, &pipeline_inputs, &added)
        {
            let names = match pipeline_inputs {
                Some(inputs) => inputs.names.iter().map(String::as_str).collect(),
                None => variables
                    .iter()
                    .map(|variable| variable.key.as_str())
                    .collect::<Vec<_>>(),
            };
            errors.take(added.check_names(names, is_variable_name));
        }
        errors.finish(|| {
            Some(Self {
                reference: reference?,
                variables: variables?,
                inputs: pipeline_inputs?.map(|inputs| inputs.json),
                added: added?,
                credential: credential?,
            })
        })
    }

    /// Reads `job:path`: a job, and the path of a file in its artifacts.
    fn result_artifact(inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        const NAME: &str = "result-artifact";
        let Some(text) = inputs.get(NAME) else {
            return Ok(None);
        };
        // Split at the last colon: job names may contain colons, such as `test:unit`; paths hardly ever do.
        match text.rsplit_once(':') {
            Some((job, path)) if !job.trim().is_empty() && !path.trim().is_empty() => {
                Ok(Some(ResultArtifact::OfJob {
                    job: job.trim().to_owned(),
                    path: path.trim().trim_start_matches('/').to_owned(),
                }))
            }
            _ => InputError::new(
                NAME,
                "must be a job and a path in its artifacts, like `build:out/result.json`",
            )
            .not(text)
            .fail(),
        }
    }

    /// An entry with a `trigger-token` doesn't inherit a trigger token as `token`: there `token` is for
    /// reading and cancelling, and trigger tokens can do neither.
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

    fn check_retries(&self) -> Checked<()> {
        match self.credential {
            GitLabCredential::Access(_)
            | GitLabCredential::Trigger {
                reader: Some(_), ..
            } => Ok(()),
            GitLabCredential::Trigger { reader: None, .. } => InputError::new(
                "retries",
                "needs an access token, because a trigger token can't re-run jobs",
            )
            .hint(
                "also pass an access token in `token`, with the role Developer and the scope `api`",
            )
            .fail(),
        }
    }

    fn could_be_confused(&self, other: &Self) -> bool {
        may_be_same(self.reference.as_ref(), other.reference.as_ref())
    }

    fn added(&self) -> &Added {
        &self.added
    }

    fn added_mut(&mut self) -> &mut Added {
        &mut self.added
    }

    fn how_to_mark(&self) -> Option<String> {
        let name = &self.added.marker.as_ref()?.name;
        Some(match self.inputs {
            Some(_) => format!("workflow: {{ name: '$[[ inputs.{name} ]]' }}"),
            None => format!("workflow: {{ name: '${name}' }}"),
        })
    }

    fn request_parts(&self) -> Vec<String> {
        let inputs = self.inputs.as_deref().map(RawValue::get);
        let reference = format!("{:?}", self.reference);
        let mut parts = vec![reference, inputs.unwrap_or_default().to_owned()];
        parts.extend(self.variables.iter().flat_map(Variable::parts));
        parts
    }
}

/// A pipeline's inputs.
struct PipelineInputs {
    json: Rc<RawValue>,
    names: Vec<String>,
}

/// Reads an object. Null values are left out, so that these inputs keep their defaults: in GitLab no input can be null.
fn pipeline_inputs(inputs: &Inputs) -> Checked<Option<PipelineInputs>> {
    const NAME: &str = "inputs";
    let Some(document) = inputs.document(NAME)? else {
        return Ok(None);
    };
    let typed = document.without_nulls().and_then(|set| {
        let names: Vec<_> = set.pairs()?.iter().map(|(name, _)| name.clone()).collect();
        let json = set.typed()?.into();
        Ok((!names.is_empty()).then_some(PipelineInputs { json, names }))
    });
    typed.map_err(|problem| vec![problem.for_input(NAME)])
}

fn credential(inputs: &Inputs, context: &InputContext<'_>) -> Checked<GitLabCredential> {
    let mut errors = Errors::default();
    let token = errors.take(context.token(inputs));
    let trigger = errors.take(trigger_token(inputs, context));
    let token = token.and_then(|token| errors.take(usable(token)));
    let credential = token.zip(trigger).and_then(|(token, trigger)| {
        errors.take(match (trigger, token) {
            (Some(_), Token::Given(token)) if is_trigger_token(token.expose()) => {
                InputError::new("token", "is a trigger token, but `trigger-token` is set too")
                    .hint("remove one of the two, or pass an access token in `token`")
                    .fail()
            }
            (Some(trigger), Token::Given(reader)) => Ok(GitLabCredential::Trigger {
                token: trigger,
                reader: Some(reader),
            }),
            (Some(trigger), Token::NotGiven { .. } | Token::Empty) => {
                Ok(GitLabCredential::Trigger {
                    token: trigger,
                    reader: None,
                })
            }
            (None, Token::Given(token)) if is_trigger_token(token.expose()) => {
                Ok(GitLabCredential::Trigger {
                    token,
                    reader: None,
                })
            }
            (None, Token::Given(token)) => Ok(GitLabCredential::Access(token)),
            (None, Token::Empty) => context.empty("token"),
            (None, Token::NotGiven { .. }) => InputError::new("token", "is missing")
                .hint(format!(
                    "pass a GitLab access token in `token`, or a trigger token in `trigger-token`. If you already do, its secret isn't set{}",
                    context.or_withheld
                ))
                .fail(),
        })
    });
    errors.finish(|| credential)
}

fn trigger_token(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Option<Secret>> {
    const NAME: &str = "trigger-token";
    let Some(text) = inputs.get(NAME) else {
        return Ok(None);
    };
    if text.starts_with("glpat-") {
        return InputError::new(NAME, "looks like an access token")
            .hint("pass it in `token`")
            .fail();
    }
    context.check_token(text, NAME).map(Some)
}

/// Rejects tokens of GitLab that can't start a pipeline from here.
fn usable(token: Token) -> Checked<Token> {
    const USELESS: [(&str, &str); 4] = [
        (
            "glcbt-",
            "a CI/CD job token, which only works inside its own job",
        ),
        ("gldt-", "a deploy token, which can't start pipelines"),
        (
            "glrt-",
            "the token of a runner, which can't start pipelines",
        ),
        ("gloas-", "the secret of an OAuth application, not a token"),
    ];
    let useless = match &token {
        Token::Given(token) => {
            let mut all = USELESS.iter();
            all.find(|(prefix, _)| token.expose().starts_with(prefix))
        }
        Token::NotGiven { .. } | Token::Empty => None,
    };
    match useless {
        Some((prefix, what)) => InputError::new("token", format!("is {what} (`{prefix}`)"))
            .hint("create a project access token with the scope `api`")
            .fail(),
        None => Ok(token),
    }
}

/// Trigger tokens can start pipelines of one project, and nothing else.
fn is_trigger_token(token: &str) -> bool {
    token.starts_with("glptt-")
}
