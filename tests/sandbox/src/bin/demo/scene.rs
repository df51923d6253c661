//! The scenes of the demo: steps of a workflow, each with its inputs and its expected result.

use sandbox::demo;

/// A step of a workflow, and its expected result.
pub(crate) struct Scene {
    pub(crate) heading: &'static str,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outcome: &'static str,
    /// Empty if nothing is started, or the step doesn't wait for its end.
    pub(crate) conclusion: &'static str,
    /// The attempt of the job that runs the step.
    pub(crate) attempt: u32,
    /// The step whose run it follows.
    pub(crate) follows: Option<usize>,
    /// What its log must contain.
    pub(crate) says: &'static str,
}

impl Scene {
    pub(crate) fn passes(&self) -> bool {
        let is_started = self.outcome == "accepted" && self.conclusion.is_empty();
        self.conclusion == "success" || is_started
    }

    pub(crate) fn sets_statuses(&self) -> bool {
        self.inputs.iter().any(|input| input.name == "status")
    }

    /// Adds the input `follow`, if it follows a run. `run_urls` are those of the steps before.
    pub(crate) fn with_followed(mut self, run_urls: &[String]) -> Self {
        let url = self.follows.and_then(|step| run_urls.get(step - 1));
        let follow = url.map(|url| Input::plain("follow", url));
        self.inputs.extend(follow);
        self
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
pub(crate) fn all(server: &str) -> [Scene; 11] {
    [
        github(),
        gitlab(server),
        bitbucket(server),
        all_providers(server),
        typo(),
        once("A deployment, at most once", 1),
        once("The same job, run again: it deploys nothing twice", 2),
        start(),
        follow(),
        statuses(server),
        retries(),
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
        attempt: 1,
        follows: None,
        says: "",
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
            Input::plain("caller", "caller"),
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

fn once(heading: &'static str, attempt: u32) -> Scene {
    let inputs = vec![
        Input::plain("repository", "octo-org/app"),
        Input::plain("workflow", "titled.yml"),
        Input::plain("marker-input", "trigger_id"),
        Input::plain("on-rerun", "once"),
        Input::secret("token", demo::GITHUB_CLASSIC),
    ];
    Scene {
        attempt,
        ..scene(heading, "success", inputs)
    }
}

fn start() -> Scene {
    Scene {
        heading: "An event whose run is known before the step goes on",
        inputs: vec![
            Input::plain("repository", "octo-org/app"),
            Input::plain("event-type", "release"),
            Input::secret("token", demo::GITHUB_CLASSIC),
            Input::plain("wait", "start"),
        ],
        outcome: "accepted",
        conclusion: "",
        attempt: 1,
        follows: None,
        says: "",
    }
}

fn follow() -> Scene {
    Scene {
        heading: "Another step waits for that run",
        inputs: vec![Input::secret("token", demo::GITHUB_CLASSIC)],
        outcome: "",
        conclusion: "success",
        attempt: 1,
        follows: Some(8),
        says: "",
    }
}

fn statuses(server: &str) -> Scene {
    let targets = format!(
        "- repository: octo-org/app
  workflow: build.yml
- provider: gitlab
  server-url: {server}
  repository: octo-group/tools/deployer
  token: {}
- provider: bitbucket
  server-url: {server}
  repository: octo-workspace/service
  custom-pipeline: nightly
  token: {}
",
        demo::GITLAB_DEVELOPER,
        demo::BITBUCKET_ACCESS
    );
    let secrets = [demo::GITLAB_DEVELOPER, demo::BITBUCKET_ACCESS];
    scene(
        "A line in the pull request for each target, one of which fails",
        "failure",
        vec![
            Input::with_secrets("targets", targets, &secrets),
            Input::plain("ref", "main"),
            Input::secret("token", demo::GITHUB_CLASSIC),
            Input::plain("status", "downstream"),
        ],
    )
}

fn retries() -> Scene {
    let inputs = vec![
        Input::plain("repository", "octo-org/app"),
        Input::plain("workflow", "flaky.yml"),
        Input::plain("retries", "2"),
        Input::secret("token", demo::GITHUB_CLASSIC),
    ];
    Scene {
        says: "is flaky: attempt 1 failed in job test",
        ..scene(
            "A flaky job: it fails, is run again, and passes",
            "success",
            inputs,
        )
    }
}
