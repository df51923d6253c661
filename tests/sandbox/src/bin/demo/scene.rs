//! The scenes of the demo: steps of a workflow, each with its inputs and its expected result.

use sandbox::demo;

/// A step of a workflow, and its expected result.
pub(crate) struct Scene {
    pub(crate) heading: &'static str,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outcome: &'static str,
    /// Empty if nothing is started.
    pub(crate) conclusion: &'static str,
}

impl Scene {
    pub(crate) fn passes(&self) -> bool {
        self.conclusion == "success"
    }
}

/// A line or block of a step's `with:`.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// The value with secrets masked.
    pub(crate) shown: String,
}

impl Input {
    fn plain(name: &'static str, value: &str) -> Self {
        Self {
            name,
            value: value.to_owned(),
            shown: value.to_owned(),
        }
    }

    fn secret(name: &'static str, value: &str) -> Self {
        Self {
            name,
            value: value.to_owned(),
            shown: "***".to_owned(),
        }
    }

    /// A multi-line value that contains tokens.
    fn with_secrets(name: &'static str, value: String, secrets: &[&str]) -> Self {
        let shown = secrets
            .iter()
            .fold(value.clone(), |shown, secret| shown.replace(secret, "***"));
        Self { name, value, shown }
    }

    /// A mapping with one secret value.
    fn secret_mapping(name: &'static str, key: &str, value: &str) -> Self {
        Self {
            name,
            value: format!("{key}: {value}\n"),
            shown: format!("{key}: ***\n"),
        }
    }
}

/// Returns the scenes in order; `server` is the URL of the sandbox.
pub(crate) fn all(server: &str) -> [Scene; 5] {
    [
        github(),
        gitlab(server),
        bitbucket(server),
        all_providers(server),
        typo(),
    ]
}

/// A step that waits for its run. An empty conclusion means that the trigger is rejected.
fn scene(heading: &'static str, conclusion: &'static str, mut inputs: Vec<Input>) -> Scene {
    inputs.push(Input::plain("wait", "true"));
    Scene {
        heading,
        inputs,
        outcome: if conclusion.is_empty() {
            "rejected"
        } else {
            "accepted"
        },
        conclusion,
    }
}

fn github() -> Scene {
    scene(
        "GitHub: a workflow with inputs, and its result",
        "success",
        vec![
            Input::plain("repository", "octo-org/app"),
            Input::plain("workflow", "build.yml"),
            Input::plain("ref", "release"),
            Input::plain("inputs", "environment: production\nversion: 1.10\n"),
            Input::plain("result-artifact", "result"),
            Input::secret("token", demo::GITHUB_CLASSIC),
        ],
    )
}

fn gitlab(server: &str) -> Scene {
    scene(
        "GitLab: a pipeline with inputs, started with an access token",
        "success",
        vec![
            Input::plain("provider", "gitlab"),
            Input::plain("server-url", server),
            Input::plain("repository", "octo-group/tools/deployer"),
            Input::plain("inputs", "environment: production\nreplicas: 3\n"),
            Input::secret("token", demo::GITLAB_DEVELOPER),
        ],
    )
}

fn bitbucket(server: &str) -> Scene {
    scene(
        "Bitbucket: a custom pipeline with a secret variable, which fails",
        "failure",
        vec![
            Input::plain("provider", "bitbucket"),
            Input::plain("server-url", server),
            Input::plain("repository", "octo-workspace/service"),
            Input::plain("custom-pipeline", "nightly"),
            Input::plain("ref", "develop"),
            Input::plain("variables", "REGION: eu-west-1\n"),
            Input::secret_mapping("secret-variables", "DEPLOY_KEY", "sandbox-deploy-key"),
            Input::secret("token", demo::BITBUCKET_ACCESS),
        ],
    )
}

fn all_providers(server: &str) -> Scene {
    let targets = format!(
        "- repository: octo-org/app
  event-type: release
  client-payload:
    version: 1.10
- repository: octo-org/private
  workflow: deploy.yml
- provider: gitlab
  server-url: {server}
  repository: octo-group/tools/deployer
  token: {}
- provider: bitbucket
  server-url: {server}
  repository: octo-workspace/service
  ref: develop
  token: {}
",
        demo::GITLAB_DEVELOPER,
        demo::BITBUCKET_ACCESS
    );
    let secrets = [demo::GITLAB_DEVELOPER, demo::BITBUCKET_ACCESS];
    scene(
        "All three at once: four targets, side by side",
        "success",
        vec![
            Input::with_secrets("targets", targets, &secrets),
            Input::secret("token", demo::GITHUB_CLASSIC),
        ],
    )
}

fn typo() -> Scene {
    scene(
        "A mistake: the workflow's name has a typo",
        "",
        vec![
            Input::plain("repository", "octo-org/app"),
            Input::plain("workflow", "biuld.yml"),
            Input::secret("token", demo::GITHUB_CLASSIC),
        ],
    )
}
