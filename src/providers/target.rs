//! What is asked for: validated nouns, no input or output. Behind this door no string is a flag.

use std::fmt;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::value::RawValue;
use url::Url;

use crate::model::{Logs, Secret, WaitOptions};
use crate::providers::http::proxies::Proxies;

/// The line of a workflow that puts the marker into the title of its runs.
pub(crate) const RUN_NAME: &str =
    "run-name: ${{ github.workflow }} ${{ github.event.client_payload.trigger_id }}";

/// Everything that one step is to do.
pub(crate) struct Request {
    /// In the order in which they are reported.
    pub(crate) targets: Vec<Target>,
    pub(crate) mode: Mode,
    /// Most triggers on the wire at once.
    pub(crate) max_parallel: NonZeroUsize,
    pub(crate) on_failure: OnFailure,
    pub(crate) proxies: Arc<Proxies>,
}

/// What becomes of the targets that are still to be triggered when one has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnFailure {
    GoOn,
    /// No more are triggered; what was started is waited for.
    SendNoMore,
}

/// Whether triggers go out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Send,
    /// All but the triggers: reads are made, and what would be sent is shown.
    DryRun,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ProviderKind {
    GitHub,
    GitLab,
    Bitbucket,
}

impl ProviderKind {
    pub(crate) const ALL: [Self; 3] = [Self::GitHub, Self::GitLab, Self::Bitbucket];

    /// As written in inputs and outputs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Bitbucket => "bitbucket",
        }
    }

    /// As its owner writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Bitbucket => "Bitbucket",
        }
    }
}

/// What to trigger.
pub(crate) struct Target {
    pub(crate) server: Server,
    /// `owner/name`, `group/sub/project` or project id, `workspace/repo`.
    pub(crate) repository: String,
    pub(crate) spec: Spec,
    /// PEM, trusted in addition to the system's certificates.
    pub(crate) certificates: Option<Rc<str>>,
    /// `None`: the step ends with the trigger.
    pub(crate) wait: Option<WaitOptions>,
}

impl Target {
    pub(crate) fn provider(&self) -> ProviderKind {
        match self.spec {
            Spec::GitHub(_) => ProviderKind::GitHub,
            Spec::GitLab(_) => ProviderKind::GitLab,
            Spec::Bitbucket(_) => ProviderKind::Bitbucket,
        }
    }

    /// The marker in the payload, if it has one.
    pub(crate) fn marker(&self) -> Option<&str> {
        match &self.spec {
            Spec::GitHub(GitHubSpec {
                pipeline: GitHubPipeline::RepositoryDispatch { marker, .. },
                ..
            }) => marker.as_deref(),
            Spec::GitHub(_) | Spec::GitLab(_) | Spec::Bitbucket(_) => None,
        }
    }

    /// Takes the marker of a trigger that went out earlier.
    pub(crate) fn set_marker(&mut self, known: &str) {
        if let Spec::GitHub(GitHubSpec {
            pipeline: GitHubPipeline::RepositoryDispatch { marker, .. },
            ..
        }) = &mut self.spec
        {
            *marker = Some(known.to_owned());
        }
    }

    /// Shows the logs of failed jobs also if the target is private: no more people see them here than there.
    pub(crate) fn show_logs(&mut self) {
        if let Some(wait) = &mut self.wait
            && wait.logs == Logs::FailedUnlessPrivate
        {
            wait.logs = Logs::Failed;
        }
    }

    /// Of a `repository_dispatch`.
    pub(crate) fn event_type(&self) -> Option<&str> {
        match &self.spec {
            Spec::GitHub(GitHubSpec {
                pipeline: GitHubPipeline::RepositoryDispatch { event_type, .. },
                ..
            }) => Some(event_type),
            Spec::GitHub(_) | Spec::GitLab(_) | Spec::Bitbucket(_) => None,
        }
    }

    /// Which pipeline of the repository, in a few words.
    pub(crate) fn pipeline(&self) -> String {
        match &self.spec {
            Spec::GitHub(spec) => match &spec.pipeline {
                GitHubPipeline::RepositoryDispatch { event_type, .. } => {
                    format!("repository_dispatch {event_type}")
                }
                GitHubPipeline::WorkflowDispatch { workflow, .. } => format!("workflow {workflow}"),
            },
            Spec::GitLab(_) => "pipeline".to_owned(),
            Spec::Bitbucket(spec) => match &spec.custom_pipeline {
                Some(name) => format!("custom pipeline {name}"),
                None => "pipeline".to_owned(),
            },
        }
    }

    /// The branch, tag or commit that is asked for; `None` where it is left to the provider.
    pub(crate) fn source(&self) -> Option<String> {
        let name = |reference: &Option<Reference>| Some(reference.as_ref()?.name().to_owned());
        let full = |reference: &Option<Reference>| Some(reference.as_ref()?.full());
        match &self.spec {
            Spec::GitHub(spec) => match &spec.pipeline {
                GitHubPipeline::RepositoryDispatch { .. } => None,
                GitHubPipeline::WorkflowDispatch { reference, .. } => full(reference),
            },
            Spec::GitLab(spec) => full(&spec.reference),
            Spec::Bitbucket(spec) => match &spec.source {
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
            },
        }
    }

    /// As whom, never with what.
    pub(crate) fn identity(&self) -> String {
        match &self.spec {
            Spec::GitHub(spec) => match &spec.credential {
                GitHubCredential::Token(_) => "with the token given".to_owned(),
                GitHubCredential::WorkflowToken(_) => "with the workflow's own token".to_owned(),
                GitHubCredential::App(app) => format!("as GitHub App {}", app.client_id),
            },
            Spec::GitLab(spec) => match spec.credential {
                GitLabCredential::Access(_) => "with an access token".to_owned(),
                GitLabCredential::Trigger { .. } => "with a pipeline trigger token".to_owned(),
            },
            Spec::Bitbucket(spec) => match &spec.credential {
                BitbucketCredential::Access(_) => "with an access token".to_owned(),
                BitbucketCredential::Api { email, .. } => format!("with the API token of {email}"),
            },
        }
    }
}

/// `github octo-org/app`: how messages name a target.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}",
            self.provider().as_str(),
            self.repository
        )
    }
}

/// A provider's server. Neither address ends in a slash where it has a path.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Where people look.
    pub(crate) web: Url,
    /// Where requests go.
    pub(crate) api: Url,
}

/// Which pipeline, its arguments and the credential for it.
pub(crate) enum Spec {
    GitHub(GitHubSpec),
    GitLab(GitLabSpec),
    Bitbucket(BitbucketSpec),
}

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

pub(crate) struct BitbucketSpec {
    pub(crate) source: BitbucketSource,
    pub(crate) custom_pipeline: Option<String>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) credential: BitbucketCredential,
}

/// What of the repository the pipeline runs on.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum BitbucketSource {
    /// A branch or tag, if named at its tip or at the commit given; `None`: the default branch.
    Reference {
        reference: Option<Reference>,
        commit: Option<String>,
    },
    Commit(String),
}

pub(crate) enum BitbucketCredential {
    /// Of a repository, project or workspace.
    Access(Secret),
    Api {
        email: String,
        token: Secret,
    },
}

/// How the full refs of branches begin.
pub(crate) const BRANCHES: &str = "refs/heads/";
/// How the full refs of tags begin.
pub(crate) const TAGS: &str = "refs/tags/";

/// A branch or tag.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reference {
    Branch(String),
    Tag(String),
    /// A bare name: which of the two, the provider knows.
    Named(String),
}

impl Reference {
    /// Without `refs/heads/` or `refs/tags/`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::Named(name) => name,
        }
    }

    /// As it was written. GitHub and GitLab resolve a full ref to just that branch or tag.
    pub(crate) fn full(&self) -> String {
        match self {
            Self::Branch(name) => format!("{BRANCHES}{name}"),
            Self::Tag(name) => format!("{TAGS}{name}"),
            Self::Named(name) => name.clone(),
        }
    }
}

/// A ref's name without `refs/heads/` or `refs/tags/`, as GitHub and GitLab show it for a run.
pub(crate) fn short_name(reference: &str) -> &str {
    let short = reference.strip_prefix(BRANCHES);
    short
        .or_else(|| reference.strip_prefix(TAGS))
        .unwrap_or(reference)
}

#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Variable {
    pub(crate) key: String,
    pub(crate) value: Argument,
}

/// A variable's value.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Argument {
    Plain(String),
    /// Masked in our log, and sent `secured` where the provider knows that.
    Secret(Secret),
}
