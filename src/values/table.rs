//! All inputs, with names, defaults and descriptions. The providers declare which of them they support. Tests compare
//! this table with `action.yml` and the README.

/// Declaration of an input.
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    /// As in `action.yml`. Expressions aren't evaluated.
    pub(crate) default: &'static str,
    /// Used by the tests that compare `action.yml` and the README.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documentation that is compared, not printed")
    )]
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
pub(crate) const INPUTS: [Declared; 30] = [
    input(
        "provider",
        "",
        "`github`, `gitlab` or `bitbucket`. Default: what the repository's URL says, else `github`",
    ),
    input(
        "repository",
        "",
        "`owner/name`, `group/sub/project` or project id, `workspace/repo`; or its web URL, which on a self-managed server needs `server-url` too. Default: for GitHub the workflow's own",
    ),
    input(
        "server-url",
        "",
        "A self-managed server, with its path if it has one. Default: the runner's own server for GitHub, else gitlab.com or bitbucket.org",
    ),
    input(
        "event-type",
        "",
        "GitHub: the event type of a `repository_dispatch`. Exactly one of this and `workflow`",
    ),
    input(
        "client-payload",
        "{}",
        "GitHub: the payload of a `repository_dispatch`, a JSON or YAML mapping",
    ),
    input(
        "workflow",
        "",
        "GitHub: file name or id of the workflow for a `workflow_dispatch`. Exactly one of this and `event-type`",
    ),
    input(
        "ref",
        "",
        "Branch or tag; write `refs/heads/…` or `refs/tags/…` for just a branch or just a tag. Default: the target's default branch",
    ),
    input("commit", "", "Bitbucket: a commit, with or without `ref`"),
    input(
        "custom-pipeline",
        "",
        "Bitbucket: the name of a custom pipeline",
    ),
    input(
        "inputs",
        "",
        "GitHub workflow inputs or GitLab pipeline inputs, a YAML or JSON mapping",
    ),
    input(
        "variables",
        "",
        "GitLab or Bitbucket variables, a YAML or JSON mapping of texts, sent as written",
    ),
    input(
        "secret-variables",
        "",
        "The same as `variables`, masked in the log and sent `secured` to Bitbucket",
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
        "GitLab: pipeline trigger token. It triggers; `token` is then only for reading",
    )
    .secret(Secrecy::Whole),
    input(
        "email",
        "",
        "Bitbucket: the e-mail address of the owner of the API token in `token`",
    ),
    input(
        "client-id",
        "",
        "GitHub App: client id or app id; goes with `private-key`",
    ),
    input(
        "private-key",
        "",
        "GitHub App: private key in PEM, as it is, with `\\n` written out, or in base64",
    )
    .secret(Secrecy::Whole),
    input(
        "github-token",
        "${{ github.token }}",
        "Not to be set: tells the action which token is the workflow's own",
    )
    .secret(Secrecy::Whole),
    input(
        "ca-certificates",
        "",
        "PEM certificates to trust in addition to the public ones, for self-managed servers and proxies",
    ),
    input("wait", "false", "Wait for the run, and end as it ends"),
    input(
        "timeout",
        "6h",
        "With `wait`: how long, counted from the trigger; `90s`, `30m`, `1h30m`, or seconds",
    ),
    input(
        "success-conclusions",
        "success, neutral",
        "With `wait`: conclusions that pass, of `success`, `neutral`, `skipped`, `cancelled`, `failure` and `timed-out`",
    ),
    input(
        "on-blocked",
        "wait",
        "With `wait`: `wait` or `fail` when the run needs a person",
    ),
    input(
        "on-abandoned",
        "cancel",
        "With `wait`: `cancel` or `leave` the run when the step is stopped or its time is over before the run ends",
    ),
    input(
        "logs",
        "",
        "With `wait`: `failed` shows the end of the logs of failed jobs, `none` shows nothing. Default: `failed`, unless the target is private and this workflow's repository is public",
    ),
    input(
        "result-artifact",
        "",
        "With `wait`: a JSON file of the run, read back as output `result`. GitHub: an artifact's name; GitLab: `job:path`",
    ),
    input(
        "targets",
        "",
        "Several targets: a YAML or JSON list of mappings with these inputs as keys, or of repository names. The step's own inputs are their defaults",
    ),
    input(
        "max-parallel",
        "8",
        "With `targets`: how many triggers may be on their way at once, 1 to 1000; waiting is not limited",
    ),
    input(
        "fail-fast",
        "false",
        "With `targets`: after the first failure trigger no more; what has been started is still waited for",
    ),
    input(
        "dry-run",
        "false",
        "Do all but the trigger, and show what would be sent",
    ),
];

/// Returns the input with this name.
pub(crate) fn declared(name: &str) -> Option<&'static Declared> {
    INPUTS.iter().find(|input| input.name == name)
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
            value.expect("it is a text").to_owned()
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
