//! All inputs, with names, defaults and descriptions. The providers declare which of them they support. Tests compare
//! this table with `action.yml` and the README.

/// Declaration of an input.
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    /// As in `action.yml`. Expressions aren't evaluated.
    pub(crate) default: &'static str,
    pub(crate) description: &'static str,
    pub(crate) secrecy: Secrecy,
}

/// Which part of an input is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    Nothing,
    Whole,
    /// The values of a mapping.
    Values,
}

const fn input(name: &'static str, default: &'static str, description: &'static str) -> Declared {
    Declared {
        name,
        default,
        description,
        secrecy: Secrecy::Nothing,
    }
}

impl Declared {
    const fn secret(self, secrecy: Secrecy) -> Self {
        Self { secrecy, ..self }
    }
}

/// Every input, in the order of the documentation.
pub(crate) static INPUTS: [Declared; 38] = [
    input(
        "provider",
        "",
        "`github`, `gitlab` or `bitbucket`. Default: taken from the URL in `repository`, otherwise `github`",
    ),
    input(
        "repository",
        "",
        "Where to start the pipeline: `owner/name`, `group/project` or project id, `workspace/repository`, or its web URL. Default on GitHub: the workflow's own repository",
    ),
    input(
        "server-url",
        "",
        "Web address of a self-managed server, with its path if it has one. Default: for GitHub the workflow's own server, otherwise gitlab.com or bitbucket.org",
    ),
    input(
        "event-type",
        "",
        "GitHub: event type of a `repository_dispatch`. Set either this or `workflow`",
    ),
    input(
        "client-payload",
        "{}",
        "GitHub: payload of the `repository_dispatch`, as a YAML or JSON mapping",
    ),
    input(
        "workflow",
        "",
        "GitHub: file name or id of the workflow to start with a `workflow_dispatch`. Set either this or `event-type`",
    ),
    input(
        "ref",
        "",
        "Branch or tag; write `refs/heads/…` or `refs/tags/…` to rule out the other. Default: the target's default branch",
    ),
    input("commit", "", "Bitbucket: commit to run on, with or without `ref`"),
    input(
        "custom-pipeline",
        "",
        "Bitbucket: name of the custom pipeline to run",
    ),
    input(
        "inputs",
        "",
        "Inputs of the GitHub workflow or GitLab pipeline, as a YAML or JSON mapping",
    ),
    input(
        "marker-input",
        "",
        "`workflow` and GitLab: name of the input or variable that receives a unique `trigger-id`, to put into the run's name",
    ),
    input(
        "caller",
        "",
        "Name of the payload property, input or variable that receives the web address of the calling run",
    ),
    input(
        "on-rerun",
        "repeat",
        "When the job is run again: `repeat` triggers again, `once` takes up what an earlier attempt started unless it failed",
    ),
    input(
        "call-key",
        "${{ github.job }}/${{ github.action }}/${{ strategy.job-index }}",
        "With `on-rerun: once`: what tells this step from the others of the workflow run. Set it in a reusable workflow that is called more than once",
    ),
    input(
        "variables",
        "",
        "GitLab and Bitbucket: pipeline variables, as a YAML or JSON mapping of strings",
    ),
    input(
        "secret-variables",
        "",
        "Like `variables`, but masked in the log and sent to Bitbucket as secured variables",
    )
    .secret(Secrecy::Values),
    input(
        "token",
        "${{ github.token }}",
        "GitHub token; GitLab access token; Bitbucket access token, or API token together with `email`",
    )
    .secret(Secrecy::Whole),
    input(
        "trigger-token",
        "",
        "GitLab: pipeline trigger token. `token` is then only used to read and to cancel",
    )
    .secret(Secrecy::Whole),
    input(
        "email",
        "",
        "Bitbucket: e-mail address of the account that owns the API token in `token`",
    ),
    input(
        "client-id",
        "",
        "GitHub App: client id or app id. Goes with `private-key`",
    ),
    input(
        "private-key",
        "",
        "GitHub App: private key in PEM format, with real line breaks, with `\\n`, or encoded in base64",
    )
    .secret(Secrecy::Whole),
    input(
        "github-token",
        "${{ github.token }}",
        "Internal, don't set it: lets the action recognise the workflow's `GITHUB_TOKEN`",
    )
    .secret(Secrecy::Whole),
    input(
        "ca-certificates",
        "",
        "PEM certificates to trust in addition to the public ones, for servers and proxies with a private CA",
    ),
    input(
        "wait",
        "false",
        "Wait for the run, and pass or fail with it. `start`: only until the run is known",
    ),
    input(
        "follow",
        "",
        "Trigger nothing, and wait for runs that exist already: the address of a run's page, or the output `run-url` or `results` of an earlier step or job",
    ),
    input(
        "timeout",
        "6h",
        "With `wait`: how long to wait after the trigger, as `90s`, `30m`, `1h30m` or a number of seconds",
    ),
    input(
        "success-conclusions",
        "success, neutral",
        "With `wait`: conclusions that pass, out of `success`, `neutral`, `skipped`, `cancelled`, `failure` and `timed-out`",
    ),
    input(
        "on-blocked",
        "wait",
        "With `wait`: `wait` or `fail` when the run needs a person, for example an approval",
    ),
    input(
        "on-abandoned",
        "cancel",
        "With `wait`: `cancel` or `leave` the run when the step is cancelled or `timeout` passes",
    ),
    input(
        "logs",
        "",
        "With `wait`: `failed` shows the end of failed jobs' logs, `none` shows no logs. Default: `failed`, unless the target is private and this workflow's repository is public",
    ),
    input(
        "result-artifact",
        "",
        "With `wait`: JSON file of the run to read into the output `result`. GitHub: name of the artifact; GitLab: `job:path`",
    ),
    input(
        "retries",
        "0",
        "With `wait`: how often to re-run the failed jobs of a run that fails, 0 to 10. GitHub and GitLab",
    ),
    input(
        "status",
        "false",
        "Set a commit status for each target: `true`, or a name for them. The job needs the permission `statuses: write`",
    ),
    input(
        "status-commit",
        "${{ github.event.pull_request.head.sha || github.sha }}",
        "With `status`: full hash of the commit, in this workflow's repository, that gets the statuses",
    ),
    input(
        "targets",
        "",
        "Several targets, as a YAML or JSON list. Each entry is a repository, or a mapping with these inputs as keys; anything it leaves out is taken from the step",
    ),
    input(
        "max-parallel",
        "8",
        "With `targets`: how many triggers may be in progress at once, 1 to 1000. Waiting is not limited",
    ),
    input(
        "fail-fast",
        "false",
        "With `targets`: trigger nothing more after the first failure. The step still waits for runs that have started",
    ),
    input(
        "dry-run",
        "false",
        "Check everything and show the request, but don't send it",
    ),
];

/// Returns the input with this name.
pub(crate) fn declared(name: &str) -> Option<&'static Declared> {
    Some(&INPUTS[position(name)?])
}

/// Returns the position in [`INPUTS`] of the input with this name.
pub(super) fn position(name: &str) -> Option<usize> {
    let is_it = |input: &Declared| input.name.len() == name.len() && input.name == name;
    INPUTS.iter().position(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use saphyr::{LoadableYamlNode as _, Yaml};

    #[test]
    fn action_yml_declares_the_same_inputs() {
        let action = Yaml::load_from_str(include_str!("../../action.yml")).unwrap();
        let inputs = action[0].as_mapping_get("inputs").unwrap();
        let text = |input: &Yaml<'_>, key| {
            let value = input.as_mapping_get(key).and_then(Yaml::as_str);
            value.expect("is a string").to_owned()
        };
        let declared: Vec<_> = inputs
            .as_mapping()
            .unwrap()
            .iter()
            .map(|(name, input)| {
                let name = name.as_str().unwrap().to_owned();
                (name, text(input, "default"), text(input, "description"))
            })
            .collect();
        let expected: Vec<_> = INPUTS
            .iter()
            .map(|input| {
                (
                    input.name.to_owned(),
                    input.default.to_owned(),
                    input.description.to_owned(),
                )
            })
            .collect();
        assert_eq!(declared, expected);
    }
}
