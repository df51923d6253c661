//! Reads `follow`: the address of a run's page, or the output `results` of an earlier step.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::HostRepository;
use super::destination::{self, Destination};
use crate::model::{FIRST_ATTEMPT, Followed, FollowedRun, MatchedBy, Outcome};
use crate::providers::any::ProviderKind;
use crate::text::untrusted::cut;
use crate::values::{Checked, Errors, InputError, Inputs, RawInput};

pub(super) const FOLLOW: &str = "follow";
const PROVIDER: &str = "provider";
const REPOSITORY: &str = "repository";

/// Inputs about what to trigger. With `follow`, nothing is.
pub(super) const TRIGGER_INPUTS: [&str; 14] = [
    "event-type",
    "client-payload",
    "workflow",
    "ref",
    "commit",
    "custom-pipeline",
    "inputs",
    "marker-input",
    "caller",
    "on-rerun",
    "retries",
    "variables",
    "secret-variables",
    "trigger-token",
];

/// Maximum length of a pipeline's name, in characters.
const MAX_NAME: usize = 255;

/// One target that `follow` names.
pub(super) enum Named {
    /// The address of a run's page.
    Page(String),
    /// An entry of `results`, which may have been written by somebody else.
    Entry(ResultsEntry),
}

/// An entry of `results`, full or shortened.
#[derive(Deserialize)]
pub(super) struct ResultsEntry {
    provider: Option<String>,
    repository: Option<String>,
    pipeline: Option<String>,
    outcome: Option<String>,
    trigger_id: Option<String>,
    runs: Vec<ResultsRun>,
}

#[derive(Deserialize)]
struct ResultsRun {
    id: String,
    /// A string if a part of it is a secret.
    number: Option<Value>,
    url: String,
    matched_by: MatchedBy,
    attempt: Option<Value>,
}

/// Reads what `follow` names. `None` if it isn't set.
pub(super) fn read(inputs: &Inputs) -> Checked<Option<Vec<Named>>> {
    let Some(raw) = inputs.raw(FOLLOW) else {
        return Ok(None);
    };
    let page = raw.as_text().filter(|text| !text.starts_with('['));
    if let Some(page) = page {
        return Ok(Some(vec![named_page(page)?]));
    }
    let entries = entries(raw).ok_or_else(|| {
        let what = "is neither the address of a run nor the output `results` of an earlier step";
        vec![InputError::new(FOLLOW, what).hint("pass `run-url` or `results` as they are")]
    })?;
    if entries.is_empty() {
        return InputError::new(FOLLOW, "is an empty list: there is nothing to follow").fail();
    }
    let provider = destination::provider(inputs)?.map(ProviderKind::as_str);
    let is_wanted =
        |entry: &ResultsEntry| provider.is_none() || entry.provider.as_deref() == provider;
    let wanted = entries.into_iter().filter(is_wanted);
    Ok(Some(wanted.map(Named::Entry).collect()))
}

fn named_page(text: &str) -> Checked<Named> {
    if text.contains(|of: char| of.is_control() || of.is_whitespace()) {
        return InputError::new(FOLLOW, "contains a space, line break or control character").fail();
    }
    let address = text.split(['?', '#']).next().unwrap_or_default();
    Ok(Named::Page(match address.rsplit_once('/') {
        Some((before, last)) => format!("{before}/{}", without_braces(last)),
        None => address.to_owned(),
    }))
}

/// Removes the braces around a UUID of Bitbucket, which the address of a server or repository never has.
fn without_braces(part: &str) -> &str {
    let braces = [("{", "}"), ("%7B", "%7D"), ("%7b", "%7d")];
    let mut inner = braces.iter().filter_map(|(start, end)| {
        let rest = part.strip_prefix(start)?;
        rest.strip_suffix(end)
    });
    inner.next().unwrap_or(part)
}

fn entries(raw: &RawInput) -> Option<Vec<ResultsEntry>> {
    let json = raw.document().ok()?.typed().ok()?;
    serde_json::from_str(json.get()).ok()
}

/// Rejects inputs that make no sense beside `follow`.
pub(super) fn conflicts(own: &Inputs) -> Vec<InputError> {
    let set = own.set().map(|input| input.name);
    let triggering = set.filter(|name| TRIGGER_INPUTS.contains(name));
    let mut errors: Vec<_> = triggering
        .map(|name| {
            InputError::new(name, "doesn't work with `follow`, which triggers nothing")
                .hint(format!("remove `{name}` or `follow`"))
        })
        .collect();
    if own.raw(REPOSITORY).is_some() {
        let what = "doesn't work with `follow`, which says itself where the run is";
        errors.push(InputError::new(REPOSITORY, what).hint("remove `repository` or `follow`"));
    }
    if own.get("wait") == Some("start") {
        let what = "can't be `start` with `follow`, which waits until the run has ended";
        errors.push(InputError::new("wait", what).hint("remove `wait`"));
    }
    errors
}

/// Turns errors about `repository` into errors about `follow`, from which its value was taken.
pub(super) fn about_follow(error: InputError) -> InputError {
    error.moved(REPOSITORY, FOLLOW)
}

impl Named {
    /// The provider of an entry of `results`.
    pub(super) fn provider(&self) -> Option<ProviderKind> {
        match self {
            Self::Page(_) => None,
            Self::Entry(entry) => ProviderKind::by_id(entry.provider.as_deref()?),
        }
    }

    /// Returns an entry's own inputs with those that say where this target is.
    pub(super) fn place(&self, own: &Inputs) -> Inputs {
        let mut inputs = own.clone();
        let mut set = |name: &str, text: &str| inputs.insert(name, RawInput::text(text).into());
        match self {
            Self::Page(address) => set(REPOSITORY, address),
            Self::Entry(entry) => {
                set(PROVIDER, entry.provider.as_deref().unwrap_or_default());
                let repository = entry.repository.as_deref().unwrap_or_default();
                // The address of a run says which server it is on; a name is enough if there is no run.
                let run = entry.runs.first().map(|run| run.url.as_str());
                set(REPOSITORY, run.unwrap_or(repository));
            }
        }
        inputs
    }

    /// Reads where the target is, and its runs.
    pub(super) fn read(
        &self,
        inputs: &Inputs,
        host_repository: &HostRepository,
    ) -> Checked<(Destination, Followed)> {
        match self {
            Self::Page(_) => read_page(inputs, host_repository),
            Self::Entry(entry) => entry.read(inputs, host_repository),
        }
    }
}

fn read_page(
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Checked<(Destination, Followed)> {
    let (destination, page) = destination::read_run_address(inputs, host_repository)?;
    let address = inputs.get(REPOSITORY).unwrap_or_default();
    let Some(url) = destination.server.page(address) else {
        return InputError::new(FOLLOW, "contains a character that no run's address has").fail();
    };
    let run = FollowedRun {
        id: page.id,
        number: None,
        url,
        matched_by: MatchedBy::Url,
        attempt: page.attempt,
    };
    let followed = Followed {
        runs: vec![run],
        pipeline: None,
        trigger_id: None,
        outcome: None,
    };
    Ok((destination, followed))
}

impl ResultsEntry {
    fn read(
        &self,
        inputs: &Inputs,
        host_repository: &HostRepository,
    ) -> Checked<(Destination, Followed)> {
        let provider = self.provider.as_deref();
        let provider = provider.and_then(ProviderKind::by_id);
        let repository = self.repository.as_deref().filter(|name| !name.is_empty());
        let Some(repository) = provider.and(repository) else {
            let what =
                "has an entry without a provider or repository: nothing was triggered for it";
            return InputError::new(FOLLOW, what)
                .hint("see the errors of the step that `follow` is from")
                .fail();
        };
        let destination = destination::read_named(repository, inputs, host_repository)?;
        let mut errors = Errors::default();
        let runs = self
            .runs
            .iter()
            .filter_map(|run| errors.take(run.read(&destination)));
        let runs = runs.collect();
        errors.finish(|| {
            let followed = Followed {
                runs,
                pipeline: self.pipeline.as_deref().map(|name| cut(name, MAX_NAME)),
                trigger_id: self.trigger_id.clone().filter(|id| is_uuid(id)),
                outcome: self.outcome.as_deref().and_then(outcome),
            };
            Some((destination, followed))
        })
    }
}

impl ResultsRun {
    fn read(&self, destination: &Destination) -> Checked<FollowedRun> {
        let provider = destination.provider;
        if !provider.is_run_id(&self.id) {
            let what = format!("has a run whose id can't be one of {}", provider.name());
            return InputError::new(FOLLOW, what).hint(AS_IT_IS).fail();
        }
        let Some(url) = destination.server.page(&self.url) else {
            let what = "has a run whose address isn't on the server of its target";
            return InputError::new(FOLLOW, what).hint(AS_IT_IS).fail();
        };
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_u64);
        let attempt = match self.matched_by {
            MatchedBy::Url => number(&self.attempt),
            // Later attempts are somebody else's re-runs.
            MatchedBy::Id | MatchedBy::Marker | MatchedBy::Timing => {
                Some(number(&self.attempt).unwrap_or(FIRST_ATTEMPT))
            }
        };
        Ok(FollowedRun {
            id: self.id.clone(),
            number: number(&self.number),
            url,
            matched_by: self.matched_by,
            attempt,
        })
    }
}

const AS_IT_IS: &str = "pass the output `results` as it is";

fn outcome(word: &str) -> Option<Outcome> {
    let all = [
        Outcome::Accepted,
        Outcome::Rejected,
        Outcome::Unknown,
        Outcome::NotSent,
    ];
    all.into_iter().find(|outcome| outcome.as_str() == word)
}

fn is_uuid(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|uuid| uuid.hyphenated().to_string() == text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::json;

    use crate::input::{self, RawRequest};
    use crate::model::Caller;
    use crate::providers::any::ProviderKind;
    use crate::providers::target::Target;
    use crate::testing::arbitrary;
    use crate::values::Checked;

    const UUID: &str = "3b9fd2b1-4a10-4c1c-8b3a-000000000000";

    /// Reads a step on github.com with this `follow`.
    fn read(follow: &str) -> Checked<Vec<Target>> {
        let given = [("follow", follow), ("token", "some-token")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let raw_request = RawRequest::new(BTreeMap::from(given).into());
        let read = input::read(&raw_request, &Caller::default(), &BTreeMap::new());
        read.map(|(request, _)| request.targets)
    }

    /// Describes the one run of the one target.
    fn followed(follow: &str) -> Option<String> {
        let targets = read(follow).ok()?;
        let [target] = targets.as_slice() else {
            panic!("one target: {follow}");
        };
        let runs = &target.follow.as_ref()?.runs;
        let [run] = runs.as_slice() else {
            panic!("one run: {follow}");
        };
        let attempt = run.attempt.map(|attempt| format!(" attempt {attempt}"));
        Some(format!(
            "{} {} {}{} {}",
            target.provider().as_str(),
            target.location.repository,
            run.id,
            attempt.unwrap_or_default(),
            run.url
        ))
    }

    #[test]
    fn the_page_of_a_run_names_its_repository_and_id() {
        let github = "https://github.com/octo-org/app/actions/runs/12";
        let gitlab = "https://gitlab.com/octo-group/tools/app/-/pipelines/12";
        let bitbucket = "https://bitbucket.org/octo-workspace/app/pipelines";
        for (follow, expected) in [
            (
                github.to_owned(),
                format!("github octo-org/app 12 {github}"),
            ),
            (
                format!("{github}/"),
                format!("github octo-org/app 12 {github}/"),
            ),
            (
                format!("{github}?pr=1#a/b"),
                format!("github octo-org/app 12 {github}"),
            ),
            (
                format!("{github}/attempts/3"),
                format!("github octo-org/app 12 attempt 3 {github}/attempts/3"),
            ),
            (
                format!("{github}/job/4"),
                format!("github octo-org/app 12 {github}/job/4"),
            ),
            (
                "https://github.com/octo-org/actions/actions/runs/12".to_owned(),
                "github octo-org/actions 12 https://github.com/octo-org/actions/actions/runs/12"
                    .to_owned(),
            ),
            (
                gitlab.to_owned(),
                format!("gitlab octo-group/tools/app 12 {gitlab}"),
            ),
            (
                format!("{bitbucket}/results/12"),
                format!("bitbucket octo-workspace/app 12 {bitbucket}/results/12"),
            ),
            (
                format!("{bitbucket}/%7B{UUID}%7D"),
                format!("bitbucket octo-workspace/app {{{UUID}}} {bitbucket}/{UUID}"),
            ),
        ] {
            assert_eq!(followed(&follow), Some(expected), "{follow}");
        }
        for other in [
            "https://github.com/octo-org/app/actions/runs",
            "https://github.com/octo-org/app/actions/runs/99999999999999999999",
            "https://github.com/octo-org/app/actions/runs/12/attempts/x",
            "https://github.com/octo-org/app/actions/runs/../12",
            "https://github.com/octo-org/app/actions/runs/012",
            "https://github.com/octo-org/app/actions/runs/+12",
            "https://github.com/octo-org/app/actions/runs/-1",
            "https://github.com/octo-org/a/b/actions/runs/12",
            "https://github.com/octo-org/actions/runs/12",
            "https://gitlab.com/octo-group/app/-/jobs/12",
            "https://gitlab.com/octo-group/app/pipelines/12",
            "https://bitbucket.org/octo-workspace/app/pipelines/results/{x}",
            "https://bitbucket.org/octo-workspace/app/pipelines/12",
            "https://git.example.com/octo-org/app/actions/runs/12",
            "octo-org/app/actions/runs/12",
        ] {
            assert_eq!(followed(other), None, "{other}");
        }
    }

    #[test]
    fn results_keep_how_a_run_was_found() {
        let results = |matched_by: &str, attempt: Option<u64>| {
            let url = "https://github.com/octo-org/app/actions/runs/12";
            let run = json!({ "id": "12", "url": url, "matched_by": matched_by, "attempt": attempt, "number": "***" });
            let entry = json!({ "provider": "github", "repository": "octo-org/app", "runs": [run],
                "trigger_id": UUID, "outcome": "accepted", "added_later": {} });
            let targets = read(&json!([entry]).to_string()).unwrap_or_default();
            let follow = targets.into_iter().next().and_then(|target| target.follow);
            follow.unwrap_or_else(|| panic!("{matched_by} is followed"))
        };
        for (matched_by, attempt, expected) in [
            ("id", None, Some(1)),
            ("marker", Some(2), Some(2)),
            ("timing", None, Some(1)),
            ("url", None, None),
            ("url", Some(3), Some(3)),
        ] {
            let follow = results(matched_by, attempt);
            assert_eq!(follow.runs[0].attempt, expected, "{matched_by}");
            assert_eq!(follow.runs[0].number, None);
            assert_eq!(follow.trigger_id.as_deref(), Some(UUID));
            let is_own = ["id", "marker"].contains(&matched_by);
            assert_eq!(follow.has_own_run(), is_own, "{matched_by}");
        }
    }

    /// Whatever `results` says, requests only go to a known server, and paths only get ids that are plain.
    fn check(targets: &[Target]) -> Result<(), TestCaseError> {
        for target in targets {
            let server = &target.location.server;
            let host = server.web.host_str().unwrap_or_default();
            let known = [
                "github.com",
                "gitlab.com",
                "bitbucket.org",
                "memory.example",
            ];
            prop_assert!(
                known.contains(&host) || host.ends_with(".ghe.com"),
                "{}",
                host
            );
            for run in target.follow.iter().flat_map(|follow| &follow.runs) {
                let is_plain = |of: char| of.is_ascii_alphanumeric() || "{}-".contains(of);
                prop_assert!(run.id.chars().all(is_plain), "{}", run.id);
                let is_number = run.id.parse::<u64>().is_ok();
                prop_assert!(is_number || target.provider() == ProviderKind::Bitbucket);
                prop_assert!(
                    run.url
                        .starts_with(server.web.origin().ascii_serialization().as_str())
                );
            }
        }
        Ok(())
    }

    fn part() -> impl Strategy<Value = String> {
        let known = [
            "12",
            "../x",
            "",
            "github",
            "gitlab",
            "bitbucket",
            "octo-org/app",
            "4242",
            "{}",
            "https://github.com/octo-org/app/actions/runs/12",
            "https://evil.example/a/b/actions/runs/1",
            "https://github.com@evil.example/a/b",
            "https://gitlab.com/a/b/-/pipelines/1",
            "id",
            "url",
            "https://github.com.evil.example/a",
            "https://x.ghe.com/a/b/actions/runs/1",
            "***",
            "{3b9fd2b1-4a10-4c1c-8b3a-000000000000}",
            "javascript:alert(1)",
        ];
        prop_oneof![
            select(known.to_vec()).prop_map(str::to_owned),
            arbitrary::text()
        ]
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\[?(https://[a-z]{0,3}github.com)?[/a-z0-9{}\\[\\]:,\"%?# .-]{0,40}") {
            if let Ok(targets) = read(&text) {
                check(&targets)?;
            }
        }

        #[test]
        fn forged_results_reach_no_other_server(
            parts in proptest::collection::vec(part(), 6),
            matched_by in select(vec!["id", "marker", "timing", "url"]),
            more in arbitrary::json(),
        ) {
            let [provider, repository, id, url, pipeline, marker] = parts.try_into().unwrap_or_default();
            let run = json!({ "id": id, "url": url, "matched_by": matched_by, "attempt": more });
            let entry = json!({ "provider": provider, "repository": repository, "pipeline": pipeline,
                "trigger_id": marker, "runs": [run] });
            if let Ok(targets) = read(&json!([entry]).to_string()) {
                check(&targets)?;
            }
            let _ = read(&json!([more]).to_string());
        }
    }
}
