//! What a step is asked to trigger. Each target has an argument of its own, which shows which target started a run.

use sandbox::world::{RefKind, Variable, VariableKind};
use sandbox::{Provider, Run, Sandbox, demo};
use serde_json::{Map, Value, json};

use super::{Rng, WaitTime};

#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The argument that identifies the target.
    pub(crate) label: String,
    pub(crate) pipeline: Pipeline,
    pub(crate) wait: Option<Wait>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pipeline {
    /// `build.yml`.
    Workflow { credential: Credential },
    /// `titled.yml`, which shows its marker in its title. Only for attempts of a calling job.
    TitledWorkflow { credential: Credential },
    /// A `repository_dispatch` of this type.
    Event {
        event_type: &'static str,
        credential: Credential,
    },
    GitLab {
        /// Whether there is a trigger token in addition to the token for reading.
        trigger: bool,
        /// Whether the argument is an input rather than a variable.
        inputs: bool,
    },
    Bitbucket {
        custom: Option<&'static str>,
        /// A tag is first tried as a branch.
        reference: &'static str,
    },
}

/// Only for GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Token(&'static str),
    App,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// In seconds.
    pub(crate) timeout: usize,
    /// Whether `on-abandoned` is `cancel` rather than `leave`.
    pub(crate) cancels_abandoned: bool,
    /// Whether `on-blocked` is `fail` rather than `wait`.
    pub(crate) fails_if_blocked: bool,
}

/// The variable that shows the marker of a GitLab pipeline.
pub(super) const MARKER_VARIABLE: &str = "TRIGGER_ID";
/// The marker of runs that somebody else starts.
const STRANGERS_MARKER: &str = "00000000-0000-4000-8000-000000009999";

/// Usually all for one provider, so that targets share repositories, workflows and credentials.
pub(super) fn draw(rng: &mut Rng, wait_time: WaitTime, count: usize) -> Vec<Target> {
    let providers = [Provider::GitHub, Provider::GitLab, Provider::Bitbucket];
    let only = rng.chance(40).then(|| rng.pick(&providers));
    let wait = rng.chance(50).then(|| Wait::draw(rng, wait_time));
    let all_wait = rng.chance(60);
    (0..count)
        .map(|index| {
            let provider = only.unwrap_or_else(|| rng.pick(&providers));
            Target {
                label: format!("target-{index:02}"),
                pipeline: Pipeline::draw(rng, provider),
                wait: wait
                    .or_else(|| (all_wait || rng.chance(50)).then(|| Wait::draw(rng, wait_time))),
            }
        })
        .collect()
}

impl Wait {
    pub(super) fn draw(rng: &mut Rng, wait_time: WaitTime) -> Self {
        Self {
            timeout: match wait_time {
                WaitTime::Short => rng.between(2, 8),
                WaitTime::Medium => rng.between(13, 22),
                WaitTime::Long => rng.between(28, 36),
                WaitTime::VeryLong => rng.between(95, 120),
            },
            cancels_abandoned: rng.chance(75),
            fails_if_blocked: rng.pick(&[false, true]),
        }
    }
}

impl Pipeline {
    fn draw(rng: &mut Rng, provider: Provider) -> Self {
        match provider {
            Provider::GitHub if rng.chance(45) => Self::Workflow {
                credential: Credential::draw(rng),
            },
            // The first starts two unmarked runs, the others one and two marked ones.
            Provider::GitHub => Self::Event {
                event_type: rng.pick(&["deploy", "deploy-marked", "release"]),
                credential: Credential::draw(rng),
            },
            Provider::GitLab => Self::GitLab {
                trigger: rng.chance(30),
                inputs: rng.chance(50),
            },
            Provider::Bitbucket => Self::Bitbucket {
                custom: rng.chance(50).then(|| rng.pick(&["deploy", "nightly"])),
                reference: rng.pick(&["main", "develop", "v2.0.0"]),
            },
        }
    }

    /// Whether its runs have a marker.
    pub(crate) fn is_marked(self) -> bool {
        match self {
            Self::Event { event_type, .. } => event_type != "deploy",
            Self::TitledWorkflow { .. } => true,
            Self::Workflow { .. } | Self::GitLab { .. } | Self::Bitbucket { .. } => false,
        }
    }

    pub(crate) fn provider(self) -> Provider {
        match self {
            Self::Workflow { .. } | Self::TitledWorkflow { .. } | Self::Event { .. } => {
                Provider::GitHub
            }
            Self::GitLab { .. } => Provider::GitLab,
            Self::Bitbucket { .. } => Provider::Bitbucket,
        }
    }

    pub(crate) fn repository(self) -> &'static str {
        match self {
            Self::Workflow { .. } | Self::TitledWorkflow { .. } | Self::Event { .. } => {
                "octo-org/app"
            }
            Self::GitLab { .. } => "octo-group/tools/deployer",
            Self::Bitbucket { .. } => "octo-workspace/service",
        }
    }

    pub(super) fn credential(self) -> Credential {
        match self {
            Self::Workflow { credential }
            | Self::TitledWorkflow { credential }
            | Self::Event { credential, .. } => credential,
            Self::GitLab { .. } => Credential::Token(demo::GITLAB_DEVELOPER),
            Self::Bitbucket { .. } => Credential::Token(demo::BITBUCKET_ACCESS),
        }
    }
}

impl Credential {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        if rng.chance(25) {
            return Self::App;
        }
        Self::Token(rng.pick(&[demo::GITHUB_CLASSIC, demo::GITHUB_FINE_GRAINED]))
    }
}

impl Target {
    pub(crate) fn provider(&self) -> Provider {
        self.pipeline.provider()
    }

    /// Whether a request or an argument belongs to this target.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        text.contains(&self.label)
    }

    pub(super) fn has_marked(&self, run: &Run) -> bool {
        let payload = run.client_payload.iter();
        let mut arguments = run.inputs.values().chain(payload);
        let variables = || run.variables.iter().any(|known| self.is_in(&known.value));
        arguments.any(|argument| self.is_in(&argument.to_string())) || variables()
    }

    /// A similar run that somebody else may start.
    pub(crate) fn like(&self) -> Run {
        let (pipeline, event, title, workflow) = match self.pipeline {
            Pipeline::Workflow { .. } => ("build.yml", "workflow_dispatch", "Build", 101),
            Pipeline::TitledWorkflow { .. } => (
                "titled.yml",
                "workflow_dispatch",
                "Titled 00000000-0000-4000-8000-000000009999",
                109,
            ),
            Pipeline::Event { event_type, .. } => {
                let (file, title, workflow) = match event_type {
                    "deploy" => ("build.yml", "deploy", 101),
                    "release" => ("ship.yml", "Ship theirs", 108),
                    _ => ("marked.yml", "Marked theirs", 106),
                };
                (file, "repository_dispatch", title, workflow)
            }
            Pipeline::GitLab { trigger, .. } => {
                let source = if trigger { "trigger" } else { "api" };
                let title = "Deploy 00000000-0000-4000-8000-000000009999";
                (".gitlab-ci.yml", source, title, 0)
            }
            Pipeline::Bitbucket { custom, .. } => (custom.unwrap_or("default"), "manual", "", 0),
        };
        let mut run = Run::new(self.provider(), self.pipeline.repository(), pipeline, event);
        run.reference = Some(match self.pipeline {
            Pipeline::Bitbucket {
                reference: "v2.0.0",
                ..
            } => (RefKind::Tag, "v2.0.0".to_owned()),
            Pipeline::Bitbucket { reference, .. } => (RefKind::Branch, reference.to_owned()),
            Pipeline::Workflow { .. }
            | Pipeline::TitledWorkflow { .. }
            | Pipeline::Event { .. }
            | Pipeline::GitLab { .. } => (RefKind::Branch, "main".to_owned()),
        });
        if run.provider == Provider::GitLab {
            // Another step may use the same variable for its marker.
            run.variables.push(Variable {
                key: MARKER_VARIABLE.to_owned(),
                value: STRANGERS_MARKER.to_owned(),
                secured: false,
                kind: VariableKind::Environment,
            });
        }
        title.clone_into(&mut run.title);
        run.workflow_id = workflow;
        run
    }

    /// The user that its runs belong to, by the name that the provider gives.
    pub(super) fn owner(&self) -> &'static str {
        match (self.provider(), self.pipeline.credential()) {
            (Provider::GitHub, Credential::App) => "octo-deployer[bot]",
            (Provider::GitHub, Credential::Token(_)) => "octocat",
            (Provider::GitLab, _) => "octavia",
            (Provider::Bitbucket, _) => "service-access-token",
        }
    }

    /// Strings that must never be shown.
    pub(crate) fn secrets(&self) -> Vec<&'static str> {
        let lines = demo::GITHUB_APP_PRIVATE_KEY.lines();
        let mut secrets: Vec<_> = lines.filter(|line| line.len() > 40).collect();
        secrets.push(demo::GITLAB_TRIGGER);
        if let Credential::Token(token) = self.pipeline.credential() {
            secrets.push(token);
        }
        secrets
    }

    /// Its inputs, as an entry of `targets`.
    pub(crate) fn inputs(&self, sandbox: &Sandbox) -> Map<String, Value> {
        let mut inputs = Map::new();
        let mut set = |name: &str, value: Value| inputs.insert(name.to_owned(), value);
        set("provider", json!(self.provider().to_string()));
        set("repository", json!(self.pipeline.repository()));
        match self.pipeline.credential() {
            Credential::Token(token) => set("token", json!(token)),
            Credential::App => {
                set("client-id", json!(demo::GITHUB_APP_CLIENT_ID));
                set("private-key", json!(demo::GITHUB_APP_PRIVATE_KEY))
            }
        };
        if self.provider() != Provider::GitHub {
            set("server-url", json!(sandbox.http_url()));
        }
        match self.pipeline {
            Pipeline::Workflow { .. } => {
                set("workflow", json!("build.yml"));
                set("ref", json!("main"));
                set("inputs", json!({"version": self.label}));
            }
            Pipeline::TitledWorkflow { .. } => {
                set("workflow", json!("titled.yml"));
                set("ref", json!("main"));
                set("inputs", json!({"version": self.label}));
                set("marker-input", json!("trigger_id"));
            }
            Pipeline::Event { event_type, .. } => {
                set("event-type", json!(event_type));
                set("client-payload", json!({"target": self.label}));
            }
            Pipeline::GitLab { trigger, inputs } => {
                set("ref", json!("main"));
                if trigger {
                    set("trigger-token", json!(demo::GITLAB_TRIGGER));
                }
                if inputs {
                    set("inputs", json!({"environment": self.label}));
                } else {
                    set("variables", json!({"TARGET": self.label}));
                }
            }
            Pipeline::Bitbucket { custom, reference } => {
                set("ref", json!(reference));
                set("variables", json!({"TARGET": self.label}));
                if let Some(custom) = custom {
                    set("custom-pipeline", json!(custom));
                }
            }
        }
        set("wait", json!(self.wait.is_some().to_string()));
        if let Some(wait) = self.wait {
            set("timeout", json!(format!("{}s", wait.timeout)));
            let on_abandoned = if wait.cancels_abandoned {
                "cancel"
            } else {
                "leave"
            };
            let on_blocked = if wait.fails_if_blocked {
                "fail"
            } else {
                "wait"
            };
            set("on-abandoned", json!(on_abandoned));
            set("on-blocked", json!(on_blocked));
        }
        inputs
    }
}
