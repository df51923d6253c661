//! A provider in memory, for tests of the engine. It shows what adding a provider takes: this file, its `mod`, and a line in
//! `any.rs`.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use url::Url;

use crate::model::{
    Conclusion, FollowedRun, Job, ProviderStatus, ResultArtifact, Run, Snapshot, State, Times,
};
use crate::providers::added::Added;
use crate::providers::error::Error;
use crate::providers::http::request::json;
use crate::providers::http::{Http, LogTail};
use crate::providers::location::{Location, check_part, two_parts};
use crate::providers::provider::{
    Candidate, Claim, CredentialParts, Depth, InputContext, PollIntervals, Provider, ProviderSpec,
    RequestForm, RunAddress, Secrets, TriggerRequest, is_number,
};
use crate::values::{Checked, Inputs};

/// A target, and counts of the requests for it. The run of `octo-org/passing` succeeds at the third poll; runs of
/// other repositories go on until they are cancelled.
#[derive(Default)]
pub(crate) struct MemorySpec {
    passes: bool,
    added: Added,
    pub(crate) triggers: Cell<u32>,
    pub(crate) polls: Cell<u32>,
    pub(crate) cancels: Cell<u32>,
}

impl ProviderSpec for MemorySpec {
    const ID: &'static str = "memory";
    const NAME: &'static str = "Memory";
    const POLL_INTERVALS: PollIntervals = PollIntervals {
        min: Duration::from_secs(2),
        max: Duration::from_secs(5),
        per_quota: Duration::from_millis(500),
        jobs: Duration::from_secs(10),
    };
    const INPUTS: &'static [&'static str] = &["result-artifact"];
    const CREDENTIALS: &'static [&'static str] = &[];
    const TOKEN_PREFIXES: &'static [&'static str] = &[];
    const DEFAULT_SERVER: &'static str = "https://memory.example";
    const REPOSITORY_FORM: &'static str = "a name";
    const RUN_ADDRESS_FORM: &'static str = "https://memory.example/octo-org/app/runs/1";

    fn api_address(web: &Url) -> Url {
        web.clone()
    }

    fn check_name(name: &str) -> Result<(), &'static str> {
        two_parts(name)?.into_iter().try_for_each(check_part)
    }

    fn run_address(path: &str) -> Option<RunAddress> {
        let (repository, id) = path.split_once("/runs/")?;
        is_number(id).then(|| RunAddress {
            repository: repository.to_owned(),
            id: id.to_owned(),
            attempt: None,
        })
    }

    fn follow(inputs: &Inputs, _context: &InputContext<'_>, _may_cancel: bool) -> Checked<Self> {
        let page = inputs.get("repository").unwrap_or_default();
        Ok(Self {
            passes: page.contains("/octo-org/passing/"),
            ..Self::default()
        })
    }

    fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Self> {
        Ok(Self {
            passes: inputs.get("repository") == Some("octo-org/passing"),
            added: Added::read(inputs, context, Some("marker"))?,
            ..Self::default()
        })
    }

    fn result_artifact(inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
        let name = inputs.get("result-artifact").map(str::to_owned);
        Ok(name.map(ResultArtifact::Named))
    }

    fn pipeline(&self) -> String {
        "pipeline".to_owned()
    }

    fn source(&self) -> Option<String> {
        None
    }

    fn identity(&self) -> String {
        "as anybody".to_owned()
    }

    fn credential_parts(&self, _repository: &str) -> CredentialParts<'_> {
        CredentialParts::new([])
    }

    fn could_be_confused(&self, _other: &Self) -> bool {
        false
    }

    fn request_parts(&self) -> Vec<String> {
        Vec::new()
    }

    fn added(&self) -> &Added {
        &self.added
    }

    fn added_mut(&mut self) -> &mut Added {
        &mut self.added
    }
}

pub(crate) struct Memory<'a>(&'a MemorySpec);

impl<'a> Provider<'a> for Memory<'a> {
    type Spec = MemorySpec;
    type Sessions = ();

    async fn open(
        _location: &'a Location,
        spec: &'a MemorySpec,
        _http: &'a Http<'a>,
        (): &(),
    ) -> Result<Self, Error> {
        Ok(Self(spec))
    }

    fn trigger(&self, _form: RequestForm, _secrets: Secrets) -> TriggerRequest {
        TriggerRequest {
            url: super::location::fixed(MemorySpec::DEFAULT_SERVER),
            body: json(&"pipeline"),
        }
    }

    /// Doesn't return the run, so that the engine has to find it.
    async fn send(&self, _form: RequestForm) -> Result<Option<Run>, Error> {
        self.0.triggers.update(|count| count + 1);
        Ok(None)
    }

    async fn explain(&self, rejection: Error) -> Error {
        rejection
    }

    fn explain_unreadable(&self, error: Error) -> Error {
        error
    }

    async fn list_runs(&self, _since: Option<SystemTime>) -> Result<Vec<Candidate>, Error> {
        let runs = (0..self.0.triggers.get()).map(|number| Candidate {
            id: number.to_string(),
            number: None,
            url: self.runs_page(),
            title: "marker".to_owned(),
            workflow: String::new(),
            claim: Claim::Marked,
        });
        Ok(runs.collect())
    }

    async fn status(&self, _run: &Run, _depth: Depth) -> Result<Snapshot, Error> {
        self.0.polls.update(|count| count + 1);
        let state = if self.0.cancels.get() > 0 {
            State::Completed(Conclusion::Cancelled)
        } else if self.0.passes && self.0.polls.get() >= 3 {
            State::Completed(Conclusion::Success)
        } else {
            State::Running
        };
        Ok(Snapshot {
            state,
            provider_status: ProviderStatus::default(),
            lacks_conclusion: false,
            number: None,
            attempt: None,
            times: Times::default(),
            changed: None,
            blocked_on: None,
            jobs: Some(Vec::new()),
            jobs_cut_at: None,
        })
    }

    async fn followed(&self, given: &FollowedRun) -> Result<Run, Error> {
        Ok(given.run(None, None))
    }

    async fn cancel(&self, _run: &Run, _: impl Future<Output = ()>) -> Result<(), Error> {
        self.0.cancels.update(|count| count + 1);
        Ok(())
    }

    async fn log(&self, _run: &Run, _job: &Job) -> Result<LogTail, Error> {
        Ok(LogTail {
            bytes: Vec::new(),
            is_cut: false,
        })
    }

    async fn result(&self, _run: &Run, _artifact: &ResultArtifact) -> Result<Vec<u8>, Error> {
        Ok(b"{\"version\": 1.10}".to_vec())
    }

    async fn is_public(&self) -> Result<bool, Error> {
        Ok(true)
    }

    fn runs_page(&self) -> String {
        format!("{}/runs", MemorySpec::DEFAULT_SERVER)
    }
}
