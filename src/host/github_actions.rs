//! GitHub Actions: the runner's variables, workflow commands, files and limits. Nothing outside this module knows them.

mod command;
mod file;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::variables::{self, OwnVariables};
use super::{Environment, Host, Limits, Severity, Unwritable};
use crate::model::{Caller, CallingRun, FIRST_ATTEMPT, GivenInputs};
use command::command;

/// Prefix of the variables in which the runner passes the saved state.
const STATE_PREFIX: &str = "STATE_";
/// Prefix of the names under which the step saves its state.
const SAVED_PREFIX: &str = "target_";

/// The variable of an input that every action step has and nobody sets.
const ACTION_INPUT: &str = "INPUT_GITHUB-TOKEN";

/// Keys of `with:` that are the runner's own, and reach a container action as inputs.
const RUNNER_KEYS: [&str; 2] = ["args", "entrypoint"];

/// Variables that the runners of other forges set in addition to GitHub's. Forgejo also sets Gitea's.
const FORGES: [(&str, &str); 2] = [("FORGEJO_ACTIONS", "Forgejo"), ("GITEA_ACTIONS", "Gitea")];

pub(super) struct GitHubActions {
    environment: Environment,
}

impl GitHubActions {
    /// Returns `None` unless the variables come from GitHub's runner, or from another forge's runner that imitates it.
    pub(super) fn detect(environment: &Environment) -> Option<Self> {
        let is_here = environment.get("GITHUB_ACTIONS") == Some("true");
        is_here.then(|| Self {
            environment: environment.clone(),
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.environment.get(name)
    }

    /// Whether the step is an action, for which the runner sets every declared input, rather than a script.
    fn is_action(&self) -> bool {
        self.environment.has(ACTION_INPUT)
    }

    fn calling_run(&self) -> Option<CallingRun> {
        let id = self.environment.number("GITHUB_RUN_ID")?;
        let attempt = self
            .environment
            .number("GITHUB_RUN_ATTEMPT")
            .unwrap_or(FIRST_ATTEMPT);
        let server = self.get("GITHUB_SERVER_URL")?.trim_end_matches('/');
        let repository = self.get("GITHUB_REPOSITORY")?;
        let mut url = format!("{server}/{repository}/actions/runs/{id}");
        if attempt > FIRST_ATTEMPT {
            url = format!("{url}/attempts/{attempt}");
        }
        Some(CallingRun {
            id,
            attempt,
            job: self.get("GITHUB_JOB").unwrap_or_default().to_owned(),
            url,
        })
    }

    /// Returns the name of the other forge that the runner belongs to.
    fn forge(&self) -> Option<&'static str> {
        let is_set = |(variable, _): &(&str, _)| self.get(variable).is_some_and(|is| is != "false");
        FORGES.into_iter().find(is_set).map(|(_, name)| name)
    }

    fn path(&self, variable: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from)
    }

    /// Appends to the file named by a variable. Returns `false` if the variable isn't set.
    fn append(
        &self,
        variable: &str,
        text: impl FnOnce(&Path) -> String,
    ) -> Result<bool, Unwritable> {
        let Some(path) = self.path(variable) else {
            return Ok(false);
        };
        match append(&path, &text(&path)) {
            Ok(()) => Ok(true),
            Err(error) => Err(file::unwritable(variable, &path, &error)),
        }
    }
}

impl Host for GitHubActions {
    fn inputs(&self, declared: &[&str]) -> GivenInputs {
        let mut given = variables::read(&self.environment, OwnVariables::None, declared);
        given
            .values
            .retain(|name, _| !RUNNER_KEYS.contains(&name.as_str()));
        given
    }

    fn takes_flags(&self) -> bool {
        !self.is_action()
    }

    fn has_exit_codes(&self) -> bool {
        false
    }

    fn how_to_set_inputs(&self) -> &'static str {
        "set inputs instead, and in a workflow remove `args` under `with:`"
    }

    fn caller(&self) -> Caller {
        let run = self.calling_run();
        Caller {
            provider: Some("github"),
            server_url: self.environment.variable("GITHUB_SERVER_URL"),
            api_url: self.environment.variable("GITHUB_API_URL"),
            repository: self.environment.text("GITHUB_REPOSITORY"),
            forge: self.forge(),
            why_withheld: Some("it was withheld because a fork or Dependabot started the workflow"),
            page: run.as_ref().map(|run| run.url.clone()),
            run,
            // The inputs say whose token is used. It never changes because of a variable.
            credentials: if self.is_action() {
                Vec::new()
            } else {
                variables::credentials(&self.environment)
            },
            ..Caller::default()
        }
    }

    /// Reads the event that started the workflow.
    fn is_public(&self) -> bool {
        #[derive(Deserialize)]
        struct EventPayload {
            repository: EventRepository,
        }
        #[derive(Deserialize)]
        struct EventRepository {
            private: bool,
        }
        let path = self.path("GITHUB_EVENT_PATH");
        let file = path.and_then(|path| File::open(path).ok());
        let event = file.and_then(|file| serde_json::from_reader(BufReader::new(file)).ok());
        event.is_some_and(|EventPayload { repository }| !repository.private)
    }

    /// The runner doesn't say which server the action was downloaded from. It may be github.com although this is another
    /// server, but a repository of that name there may also be somebody else's.
    fn file_page(&self, path: &str) -> Option<String> {
        if self.forge().is_some() {
            return None;
        }
        let repository = self.get("GITHUB_ACTION_REPOSITORY")?;
        let version = self.get("GITHUB_ACTION_REF")?;
        let mut page = Url::parse(self.get("GITHUB_SERVER_URL")?).ok()?;
        page.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(repository.split('/'))
            .push("blob")
            .extend(version.split('/'))
            .extend(path.split('/'));
        Some(page.into())
    }

    fn limits(&self) -> Limits {
        Limits {
            // GitHub truncates messages above 4,096 characters.
            annotation: 4_000,
            // GitHub shows no more of a kind for each step.
            annotations: 10,
            // All outputs of a job together are limited to 1 MB in UTF-16, and the job has other steps.
            results: 400_000,
            // The runner drops a summary above 1 MiB entirely.
            summary: 1_000_000,
        }
    }

    fn annotation(&self, severity: Severity, title: &str, message: &str) -> String {
        command(severity.as_str(), &[("title", title)], message)
    }

    fn group(&self, title: &str) -> (String, Option<String>) {
        (
            command("group", &[], title),
            Some(command("endgroup", &[], "")),
        )
    }

    fn is_debug(&self) -> bool {
        self.get("RUNNER_DEBUG") == Some("1")
    }

    fn debug(&self, message: &str) -> String {
        command("debug", &[], message)
    }

    fn mask(&self, line: &str) -> Option<String> {
        Some(command("add-mask", &[], line))
    }

    fn set_outputs(&self, outputs: &[(&str, String)]) -> Result<bool, Unwritable> {
        self.append("GITHUB_OUTPUT", |_| {
            let entries = outputs.iter();
            let entries = entries.map(|(name, value)| file::entry(name, value));
            entries.collect()
        })
    }

    fn append_summary(&self, markdown: &str) -> Result<(), Unwritable> {
        let appended = self.append("GITHUB_STEP_SUMMARY", |path| {
            let taken = fs::metadata(path)
                .map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
            file::fit(markdown, taken)
        });
        appended.map(drop)
    }

    fn save_state(&self, number: usize, text: &str) -> Result<(), Unwritable> {
        let saved = self.append("GITHUB_STATE", |_| {
            file::entry(&format!("{SAVED_PREFIX}{number}"), text)
        });
        saved.map(drop)
    }

    fn saved_state(&self) -> BTreeMap<usize, String> {
        let saved = self.environment.iter().filter_map(|(name, text)| {
            let number = name.strip_prefix(STATE_PREFIX)?;
            let number = number.strip_prefix(SAVED_PREFIX)?.parse().ok()?;
            (!text.is_empty()).then(|| (number, text.clone()))
        });
        saved.collect()
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Console;
    use crate::model::Secret;
    use crate::testing::{Printed, arbitrary};
    use proptest::prelude::*;

    fn host(variables: &[(&str, &str)]) -> GitHubActions {
        let variables = [&[("GITHUB_ACTIONS", "true")], variables].concat();
        let variables = variables.into_iter();
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        GitHubActions::detect(&Environment::new(&environment.collect())).unwrap()
    }

    fn console() -> (Console, Printed) {
        let printed = Printed::default();
        (Console::new(Box::new(host(&[])), printed.clone()), printed)
    }

    #[test]
    fn inputs_are_the_keys_under_with() {
        let host = host(&[
            ("INPUT_EVENT-TYPE", "deploy"),
            ("INPUT_REF", ""),
            ("INPUT_ARGS", "--dry-run"),
            ("RUNNER_OS", "Linux"),
        ]);
        let inputs = [("event-type", "deploy"), ("ref", "")];
        let inputs = inputs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(host.inputs(&[]), GivenInputs::from(BTreeMap::from(inputs)));
    }

    #[test]
    fn the_calling_run_has_a_page_for_each_attempt() {
        let run = |id, attempt| {
            let host = host(&[
                ("GITHUB_SERVER_URL", "https://github.com"),
                ("GITHUB_REPOSITORY", "octo-org/caller"),
                ("GITHUB_RUN_ID", id),
                ("GITHUB_RUN_ATTEMPT", attempt),
                ("GITHUB_JOB", "release"),
            ]);
            host.caller().run
        };
        let page = "https://github.com/octo-org/caller/actions/runs/17";
        for (attempt, number, url) in [
            ("", 1, page.to_owned()),
            ("1", 1, page.to_owned()),
            ("2", 2, format!("{page}/attempts/2")),
        ] {
            let expected = CallingRun {
                id: 17,
                attempt: number,
                job: "release".to_owned(),
                url,
            };
            assert_eq!(run("17", attempt), Some(expected));
        }
        for unknown in ["", "seventeen", "-1"] {
            assert_eq!(run(unknown, "1"), None);
        }
    }

    #[test]
    fn a_file_of_the_action_has_a_page_if_the_version_is_known() {
        let known = [
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_ACTION_REPOSITORY", "octo-org/trigger-pipeline"),
            ("GITHUB_ACTION_REF", "v1"),
        ];
        let page = |variables: &[(&str, &str)]| host(variables).file_page("docs/a.md");
        let expected = "https://github.com/octo-org/trigger-pipeline/blob/v1/docs/a.md";
        assert_eq!(page(&known).as_deref(), Some(expected));
        let enterprise = [
            ("GITHUB_SERVER_URL", "https://git.example.com/github/"),
            known[1],
            ("GITHUB_ACTION_REF", "feature/a b#c"),
        ];
        let expected = "https://git.example.com/github/octo-org/trigger-pipeline/blob/feature/a%20b%23c/docs/a.md";
        assert_eq!(page(&enterprise).as_deref(), Some(expected));
        // A local action has neither repository nor version, and another forge has other addresses.
        for (name, value) in [
            ("GITHUB_ACTION_REPOSITORY", ""),
            ("GITHUB_ACTION_REF", ""),
            ("GITHUB_SERVER_URL", "nonsense"),
            ("GITEA_ACTIONS", "true"),
        ] {
            assert_eq!(
                page(&[&known[..], &[(name, value)]].concat()),
                None,
                "{name}"
            );
        }
    }

    #[test]
    fn saved_state_is_read_by_its_number() {
        let host = host(&[
            ("STATE_target_2", "a"),
            ("STATE_target_10", ""),
            ("STATE_other", "b"),
        ]);
        assert_eq!(host.saved_state(), BTreeMap::from([(2, "a".to_owned())]));
    }

    #[test]
    fn a_panic_is_one_line() {
        let (console, printed) = console();
        console.panicked("src/run.rs:7:1");
        let printed = printed.text();
        assert!(printed.starts_with("::error title=trigger-pipeline panicked::trigger-pipeline panicked at src/run.rs:7:1. This is a bug;"));
        assert_eq!(printed.lines().count(), 1);
    }

    #[test]
    fn the_runner_masks_each_line_once() {
        let (console, printed) = console();
        for secret in ["word", "password\"1\"", "a\nlong-line\nb", "word"] {
            console.mask(&Secret::new(secret));
        }
        assert_eq!(
            printed.text(),
            "::add-mask::word\n::add-mask::password\"1\"\n::add-mask::long-line\n"
        );
    }

    #[test]
    fn an_annotation_is_cut_before_github_cuts_it() {
        let (console, printed) = console();
        console.error("long", &"é".repeat(5_000));
        assert!(printed.text().chars().count() < 4_096);
    }

    proptest! {
        #[test]
        fn a_summary_never_panics(text in arbitrary::text(), taken in prop_oneof![any::<usize>(), 0..file::MAX_SUMMARY + 9]) {
            file::fit(&text, taken);
            file::entry("result", &text);
        }
    }
}
