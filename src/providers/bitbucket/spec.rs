//! What to trigger on Bitbucket (ref or commit, custom pipeline, variables and credential), and how the step's inputs
//! are read.

use std::time::Duration;

use url::Url;

use crate::model::Secret;
use crate::providers::added::Added;
use crate::providers::common_inputs::{Token, is_variable_name, reference, variables};
use crate::providers::http::request::below;
use crate::providers::location::{check_part, fixed, two_parts};
use crate::providers::provider::{
    CredentialParts, InputContext, PollIntervals, ProviderSpec, RunAddress, is_number,
};
use crate::providers::reference::Reference;
use crate::providers::variable::Variable;
use crate::providers::wire;
use crate::values::{Checked, Errors, InputError, Inputs};

/// App passwords were replaced by API tokens.
const APP_PASSWORD_PREFIX: &str = "ATBB";

pub(crate) struct BitbucketSpec {
    pub(crate) source: BitbucketSource,
    pub(crate) custom_pipeline: Option<String>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) added: Added,
    pub(crate) credential: BitbucketCredential,
}

/// The branch, tag or commit that the pipeline runs on.
#[derive(PartialEq, Eq, Hash, Debug)]
pub(crate) enum BitbucketSource {
    /// A branch or tag, or with `None` the default branch; at this commit, or else at its tip.
    Reference {
        reference: Option<Reference>,
        commit: Option<String>,
    },
    Commit(String),
}

pub(crate) enum BitbucketCredential {
    /// The access token of a repository, project or workspace.
    Access(Secret),
    Api {
        email: String,
        token: Secret,
    },
}

impl ProviderSpec for BitbucketSpec {
    const ID: &'static str = "bitbucket";
    const NAME: &'static str = "Bitbucket";
    const INPUTS: &'static [&'static str] = &[
        "commit",
        "custom-pipeline",
        "variables",
        "secret-variables",
        "email",
    ];
    const CREDENTIALS: &'static [&'static str] = &["email"];
    const TOKEN_PREFIXES: &'static [&'static str] = &["ATCTT3x", "ATATT3x", APP_PASSWORD_PREFIX];
    /// Bitbucket allows 1,000 requests an hour.
    const POLL_INTERVALS: PollIntervals = PollIntervals {
        min: Duration::from_secs(5),
        max: Duration::from_secs(15),
        per_quota: Duration::from_secs(5),
        jobs: Duration::from_secs(10),
    };

    const DEFAULT_SERVER: &'static str = "https://bitbucket.org";
    const REPOSITORY_FORM: &'static str = "`workspace/repository`, or its web URL";
    const RUN_ADDRESS_FORM: &'static str =
        "https://bitbucket.org/octo-workspace/app/pipelines/results/123";

    fn check_server(web: &Url) -> Result<(), &'static str> {
        let is_public = Self::is_public_host(web.host_str().unwrap_or_default());
        if is_public && web.path() != "/" {
            return Err("has a path, but bitbucket.org has none");
        }
        Ok(())
    }

    fn api_address(web: &Url) -> Url {
        match web.host_str() {
            Some(host) if Self::is_public_host(host) => fixed("https://api.bitbucket.org/2.0"),
            _ => below(web, ["2.0"]),
        }
    }

    /// Either part may be a UUID in braces.
    fn check_name(name: &str) -> Result<(), &'static str> {
        two_parts(name)?.into_iter().try_for_each(|part| {
            let braced = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            check_part(braced.unwrap_or(part))
        })
    }

    /// The page has the run's number, or its UUID without braces.
    fn run_address(path: &str) -> Option<RunAddress> {
        let (repository, run) = path.split_once("/pipelines/")?;
        let uuid = format!("{{{run}}}");
        let id = match run.strip_prefix("results/") {
            Some(number) if is_number(number) => number.to_owned(),
            None if wire::is_uuid(&uuid) => uuid,
            Some(_) | None => return None,
        };
        Some(RunAddress {
            repository: repository.to_owned(),
            id,
            attempt: None,
        })
    }

    fn is_run_id(id: &str) -> bool {
        wire::is_uuid(id)
    }

    fn follow(inputs: &Inputs, context: &InputContext<'_>, _may_cancel: bool) -> Checked<Self> {
        Ok(Self {
            source: BitbucketSource::Reference {
                reference: None,
                commit: None,
            },
            custom_pipeline: None,
            variables: Vec::new(),
            added: Added::default(),
            credential: credential(inputs, context)?,
        })
    }

    fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Self> {
        let mut errors = Errors::default();
        let source = errors.take(source(inputs));
        let variables = errors.take(variables(inputs));
        let credential = errors.take(credential(inputs, context));
        let added = errors.take(Added::read(inputs, context, None));
        if let (Some(variables), Some(added)) = (&variables, &added) {
            let names = variables.iter().map(|variable| variable.key.as_str());
            errors.take(added.check_names(names, is_variable_name));
        }
        errors.finish(|| {
            Some(Self {
                source: source?,
                custom_pipeline: inputs.get("custom-pipeline").map(str::to_owned),
                variables: variables?,
                added: added?,
                credential: credential?,
            })
        })
    }

    fn pipeline(&self) -> String {
        match &self.custom_pipeline {
            Some(name) => format!("custom pipeline {name}"),
            None => "pipeline".to_owned(),
        }
    }

    fn source(&self) -> Option<String> {
        let name = |reference: &Option<Reference>| Some(reference.as_ref()?.name().to_owned());
        match &self.source {
            BitbucketSource::Commit(hash) => Some(format!("commit {hash}")),
            BitbucketSource::Reference {
                reference,
                commit: None,
            } => name(reference),
            BitbucketSource::Reference {
                reference,
                commit: Some(hash),
            } => {
                let name = name(reference).map_or(String::new(), |name| format!("{name}, "));
                Some(format!("{name}commit {hash}"))
            }
        }
    }

    fn identity(&self) -> String {
        match &self.credential {
            BitbucketCredential::Access(_) => "with an access token".to_owned(),
            BitbucketCredential::Api { email, .. } => format!("with the API token of {email}"),
        }
    }

    fn credential_parts(&self, _repository: &str) -> CredentialParts<'_> {
        match &self.credential {
            BitbucketCredential::Access(token) => CredentialParts::new([token.expose()]),
            BitbucketCredential::Api { email, token } => {
                CredentialParts::new([email, token.expose()])
            }
        }
    }

    fn could_be_confused(&self, other: &Self) -> bool {
        self.custom_pipeline == other.custom_pipeline
    }

    fn added(&self) -> &Added {
        &self.added
    }

    fn added_mut(&mut self) -> &mut Added {
        &mut self.added
    }

    fn request_parts(&self) -> Vec<String> {
        let source = format!("{:?}", self.source);
        let mut parts = vec![source, self.custom_pipeline.clone().unwrap_or_default()];
        parts.extend(self.variables.iter().flat_map(Variable::parts));
        parts
    }
}

fn source(inputs: &Inputs) -> Checked<BitbucketSource> {
    let mut errors = Errors::default();
    let commit = errors.take(commit(inputs));
    let reference = errors.take(reference(inputs));
    errors.finish(|| {
        Some(match (reference?, commit?) {
            (None, Some(commit)) => BitbucketSource::Commit(commit),
            (reference, commit) => BitbucketSource::Reference { reference, commit },
        })
    })
}

fn commit(inputs: &Inputs) -> Checked<Option<String>> {
    const NAME: &str = "commit";
    let commit = inputs.get(NAME).map(str::to_owned);
    let is_hash = |text: &String| {
        (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match commit {
        Some(text) if !is_hash(&text) => {
            let what = "must be a commit's hash, 7 to 40 hexadecimal digits";
            InputError::new(NAME, what).not(&text).fail()
        }
        commit => Ok(commit),
    }
}

fn credential(inputs: &Inputs, context: &InputContext<'_>) -> Checked<BitbucketCredential> {
    let mut errors = Errors::default();
    let token = errors.take(match context.token(inputs) {
        Ok(Token::Given(token)) if token.expose().starts_with(APP_PASSWORD_PREFIX) => {
            InputError::new(
                "token",
                "is an app password, which Bitbucket no longer accepts",
            )
            .hint("pass an access token, or an API token together with `email`")
            .fail()
        }
        Ok(Token::Given(token)) => Ok(token),
        Ok(Token::Empty) => context.empty("token"),
        Ok(Token::NotGiven { .. }) => InputError::new("token", "is missing")
            .hint("pass a Bitbucket access token, or an API token together with `email`")
            .fail(),
        Err(found) => Err(found),
    });
    let email = errors.take(email(inputs));
    errors.finish(|| {
        let token = token?;
        Some(match email? {
            None => BitbucketCredential::Access(token),
            Some(email) => BitbucketCredential::Api { email, token },
        })
    })
}

fn email(inputs: &Inputs) -> Checked<Option<String>> {
    const NAME: &str = "email";
    let Some(email) = inputs.get(NAME) else {
        return Ok(None);
    };
    if !email.contains('@') || email.contains(':') || email.contains(char::is_whitespace) {
        let what = "must be the email address of the API token's owner";
        return InputError::new(NAME, what).not(email).fail();
    }
    Ok(Some(email.to_owned()))
}
