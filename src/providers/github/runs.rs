//! Lists the runs that the trigger may have started.

use std::rc::Rc;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use url::Url;

use super::GitHub;
use crate::model::State;
use crate::providers::error::Error;
use crate::providers::github::spec::{GitHubCredential, GitHubPipeline};
use crate::providers::pages::{self, List, MAX_PAGES, PAGE_SIZES, PROOF_SIZES};
use crate::providers::provider::{Candidate, Claim, EarlierRuns, Provider as _};
use crate::providers::reading::optional_read;
use crate::providers::reference::short_name;
use crate::providers::wire;

#[derive(Deserialize)]
struct RunList {
    #[serde(default, deserialize_with = "wire::lenient")]
    total_count: Option<usize>,
    workflow_runs: List<ListedRun>,
}

#[derive(Clone, Deserialize)]
struct ListedRun {
    id: u64,
    #[serde(default, deserialize_with = "wire::lenient")]
    run_number: Option<u64>,
    #[serde(default, deserialize_with = "wire::url")]
    html_url: Option<String>,
    #[serde(default, deserialize_with = "wire::title")]
    display_title: String,
    #[serde(default, deserialize_with = "wire::name")]
    name: Option<String>,
    #[serde(default, deserialize_with = "wire::exact")]
    path: Option<String>,
    #[serde(default, deserialize_with = "wire::lenient")]
    workflow_id: u64,
    #[serde(default, deserialize_with = "wire::exact")]
    head_branch: Option<String>,
    #[serde(default, deserialize_with = "wire::exact")]
    event: Option<String>,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    actor: Option<UserLogin>,
}

/// A page of a list of runs, newest first.
struct RunPage {
    runs: Vec<ListedRun>,
    /// Whether the list ends with this page.
    is_complete: bool,
}

#[derive(Clone, Deserialize)]
struct UserLogin {
    #[serde(deserialize_with = "wire::word")]
    login: String,
}

impl GitHub<'_> {
    /// Returns the runs of the target's event and workflow since then, and older ones with the marker. Without `since`,
    /// returns the repository's newest runs.
    pub(super) async fn candidates(
        &self,
        since: Option<SystemTime>,
    ) -> Result<Vec<Candidate>, Error> {
        self.make_ready().await?;
        let (found, actor) = match since {
            Some(since) => (self.runs_since(since.into()).await?, self.actor().await),
            // Only checks that runs are readable, so the actor doesn't matter. It lists the repository's runs and not
            // the workflow's, because the dispatch itself gives the better error for a missing workflow.
            None => (
                self.page(&self.all_runs(), &PROOF_SIZES, 1).await?.runs,
                None,
            ),
        };
        let candidates = found.into_iter();
        let candidates = candidates.map(|run| self.candidate(run, actor.as_deref()));
        Ok(candidates.collect())
    }

    fn all_runs(&self) -> Url {
        self.repository_url(["actions", "runs"])
    }

    /// Returns the runs of the target's event and workflow since then. Reads pages without filters, and adds a filtered
    /// list if they don't reach back far enough.
    pub(super) async fn earlier_runs(&self, since: SystemTime) -> Result<EarlierRuns, Error> {
        self.make_ready().await?;
        let since = DateTime::<Utc>::from(since);
        let Some((base, event)) = self.list_of_kind() else {
            return Ok(EarlierRuns::default());
        };
        let mut all = Vec::new();
        let mut is_complete = false;
        for number in 1..=MAX_PAGES {
            let read = self.page(&base, &PAGE_SIZES[..1], number).await?;
            let is_old = |run: &ListedRun| run.created_at.is_some_and(|at| at < since);
            is_complete = read.is_complete || read.runs.iter().any(is_old);
            all.extend(read.runs);
            if is_complete {
                break;
            }
        }
        if !is_complete {
            let read = pages::try_sizes(&PAGE_SIZES, async |size| {
                self.search(&base, event, since, size).await
            });
            let (found, is_all) = read.await?;
            all.extend(found);
            is_complete = is_all;
        }
        all.retain(|run| run.event.as_deref().is_none_or(|known| known == event));
        let actor = self.actor().await;
        let candidates = all.into_iter();
        let candidates = candidates.map(|run| self.candidate(run, actor.as_deref()));
        Ok(EarlierRuns {
            candidates: candidates.collect(),
            is_complete,
        })
    }

    /// Returns the list with the target's runs, and their event. `None` if it starts none.
    fn list_of_kind(&self) -> Option<(Url, &'static str)> {
        match &self.spec.pipeline {
            GitHubPipeline::RepositoryDispatch { .. } => {
                Some((self.all_runs(), "repository_dispatch"))
            }
            GitHubPipeline::WorkflowDispatch { .. } => Some((
                self.repository_url(["actions", "workflows", self.workflow(), "runs"]),
                "workflow_dispatch",
            )),
            GitHubPipeline::Followed { .. } => None,
        }
    }

    /// Reads the newest page without filters, since filtered lists come from a search index that may lag by hours. Only
    /// adds a filtered list if that page doesn't reach back far enough.
    async fn runs_since(&self, since: DateTime<Utc>) -> Result<Vec<ListedRun>, Error> {
        let Some((base, event)) = self.list_of_kind() else {
            return Ok(Vec::new());
        };
        let RunPage {
            mut runs,
            is_complete,
        } = self.page(&base, &PAGE_SIZES, 1).await?;
        let is_old = |run: &ListedRun| run.created_at.is_some_and(|at| at < since);
        if !is_complete && !runs.iter().any(is_old) {
            let read = pages::try_sizes(&PAGE_SIZES, async |size| {
                self.search(&base, event, since, size).await
            });
            let (found, _) = optional_read(read.await, State::Queued)?.unwrap_or_default();
            runs.extend(found);
        }
        runs.retain(|run| {
            let event_matches = run.event.as_deref().is_none_or(|known| known == event);
            event_matches && (!is_old(run) || self.is_marked(run))
        });
        Ok(runs)
    }

    /// Reads a page without filters; the first one has the newest runs.
    async fn page(&self, base: &Url, sizes: &[usize], number: usize) -> Result<RunPage, Error> {
        pages::try_sizes(sizes, async |size| {
            let mut url = base.clone();
            url.set_query(Some(&match number {
                1 => format!("per_page={size}"),
                _ => format!("per_page={size}&page={number}"),
            }));
            let runs: Rc<RunList> = self.read(&url, "listing the runs").await?;
            let page = &runs.workflow_runs;
            Ok(RunPage {
                runs: page.entries.clone(),
                is_complete: page.is_last(
                    size,
                    size * (number - 1) + page.length,
                    runs.total_count,
                ),
            })
        })
        .await
    }

    /// Returns an event's runs since then, as far as GitHub's search index knows them, and whether these are all.
    async fn search(
        &self,
        base: &Url,
        event: &str,
        since: DateTime<Utc>,
        size: usize,
    ) -> Result<(Vec<ListedRun>, bool), Error> {
        let created = format!(">={}", since.to_rfc3339_opts(SecondsFormat::Secs, true));
        let mut found = Vec::new();
        let mut length = 0;
        for page in 1..=MAX_PAGES {
            let mut url = base.clone();
            url.query_pairs_mut()
                .append_pair("per_page", &size.to_string())
                .append_pair("event", event)
                .append_pair("created", &created)
                .append_pair("page", &page.to_string());
            let runs: Rc<RunList> = self.read(&url, "listing the runs").await?;
            let page = &runs.workflow_runs;
            found.extend(page.entries.iter().cloned());
            length += page.length;
            if page.is_last(size, length, runs.total_count) {
                return Ok((found, true));
            }
        }
        Ok((found, false))
    }

    fn is_marked(&self, run: &ListedRun) -> bool {
        self.spec.added.marks(&run.display_title)
    }

    fn candidate(&self, run: ListedRun, actor: Option<&str>) -> Candidate {
        let is_marked = self.is_marked(&run);
        let title = run.display_title;
        let actor_matches = match (actor, &run.actor) {
            (Some(expected), Some(actor)) => expected == actor.login,
            _ => true,
        };
        let claim = match &self.spec.pipeline {
            _ if is_marked => Claim::Marked,
            GitHubPipeline::RepositoryDispatch { event_type, .. }
                if title == *event_type && actor_matches =>
            {
                Claim::Fits
            }
            GitHubPipeline::WorkflowDispatch { .. }
                if run.head_branch.as_deref() == Some(short_name(&self.reference))
                    && actor_matches
                    && !self.spec.added.is_marked_by_another(&title) =>
            {
                Claim::Fits
            }
            GitHubPipeline::RepositoryDispatch { .. }
            | GitHubPipeline::WorkflowDispatch { .. }
            | GitHubPipeline::Followed { .. } => Claim::Other,
        };
        let workflow = match (run.path, run.name) {
            (Some(path), _) => path.split('@').next().unwrap_or_default().to_owned(),
            (None, Some(name)) => name,
            (None, None) => run.workflow_id.to_string(),
        };
        Candidate {
            id: run.id.to_string(),
            number: run.run_number,
            url: self.run_page(run.html_url.as_deref(), run.id),
            title,
            workflow,
            claim,
        }
    }

    /// Returns the login that GitHub shows as the actor of runs started with this credential, if it can be determined.
    async fn actor(&self) -> Option<String> {
        match &self.spec.credential {
            GitHubCredential::WorkflowToken(_) => Some("github-actions[bot]".to_owned()),
            GitHubCredential::App(_) => self.signed_in().app_token.as_ref()?.actor(),
            GitHubCredential::Token(_) => {
                let url =
                    crate::providers::http::request::below(&self.location.server.api, ["user"]);
                let user: Rc<UserLogin> = self.read(&url, "the token's owner").await.ok()?;
                Some(user.login.clone())
            }
        }
    }
}
