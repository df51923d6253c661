//! Which runs there are that the trigger may have started.

use std::rc::Rc;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use url::Url;

use super::GitHub;
use crate::provider::wire::{self, List, MAX_PAGES, PAGE_SIZES, PROOF_SIZES};
use crate::provider::{Candidate, Claim, Error};
use crate::target::{GitHubCredential, GitHubPipeline, short_name};

#[derive(Deserialize)]
struct Runs {
    #[serde(default, deserialize_with = "wire::lenient")]
    total_count: Option<usize>,
    workflow_runs: List<WorkflowRun>,
}

#[derive(Clone, Deserialize)]
struct WorkflowRun {
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
    #[serde(default, deserialize_with = "wire::lenient")]
    actor: Option<User>,
}

#[derive(Clone, Deserialize)]
struct User {
    #[serde(deserialize_with = "wire::word")]
    login: String,
}

impl GitHub<'_> {
    /// The runs of this kind that there are since then, or the newest of any kind.
    pub(in crate::provider) async fn recent(
        &self,
        since: Option<SystemTime>,
    ) -> Result<Vec<Candidate>, Error> {
        self.renew_in_time().await?;
        let actor = match since {
            Some(_) => self.actor().await,
            // Nobody asks whose they are.
            None => None,
        };
        let all = self.repository(["actions", "runs"]);
        let (base, event) = match &self.call.pipeline {
            // That there is no such workflow is better told by the dispatch itself.
            _ if since.is_none() => (all, None),
            GitHubPipeline::RepositoryDispatch { .. } => (all, Some("repository_dispatch")),
            GitHubPipeline::WorkflowDispatch { workflow, .. } => (
                self.repository(["actions", "workflows", workflow, "runs"]),
                Some("workflow_dispatch"),
            ),
        };
        let sizes: &[usize] = match since {
            Some(_) => &PAGE_SIZES,
            None => &PROOF_SIZES,
        };
        let found = wire::in_pages(sizes, async |size| {
            self.list(&base, event, since, size).await
        });
        let actor = actor.as_deref();
        Ok(found
            .await?
            .into_iter()
            .map(|run| self.candidate(run, actor))
            .collect())
    }

    /// All there are since then, or the first page.
    async fn list(
        &self,
        base: &Url,
        event: Option<&str>,
        since: Option<SystemTime>,
        size: usize,
    ) -> Result<Vec<WorkflowRun>, Error> {
        let mut found = Vec::new();
        let mut length = 0;
        for page in 1..=MAX_PAGES {
            let mut url = base.clone();
            {
                let mut query = url.query_pairs_mut();
                query.append_pair("per_page", &size.to_string());
                if let Some(event) = event {
                    query.append_pair("event", event);
                }
                if let Some(since) = since {
                    let since = DateTime::<Utc>::from(since);
                    let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
                    query.append_pair("created", &format!(">={since}"));
                }
                if page > 1 {
                    query.append_pair("page", &page.to_string());
                }
            }
            let runs: Rc<Runs> = self.read(&url, "the list of runs").await?;
            let page = &runs.workflow_runs;
            found.extend(page.entries.iter().cloned());
            length += page.length;
            if since.is_none() || page.is_last(size, length, runs.total_count) {
                break;
            }
        }
        Ok(found)
    }

    fn candidate(&self, run: WorkflowRun, actor: Option<&str>) -> Candidate {
        let title = run.display_title;
        let is_ours = match (actor, &run.actor) {
            (Some(ours), Some(theirs)) => ours == theirs.login,
            _ => true,
        };
        let claim = match &self.call.pipeline {
            GitHubPipeline::RepositoryDispatch {
                marker: Some(marker),
                ..
            } if title.contains(marker.as_str()) => Claim::Marked,
            GitHubPipeline::RepositoryDispatch { event_type, .. }
                if title == *event_type && is_ours =>
            {
                Claim::Fits
            }
            GitHubPipeline::WorkflowDispatch { .. }
                if run.head_branch.as_deref() == Some(short_name(&self.reference)) && is_ours =>
            {
                Claim::Fits
            }
            GitHubPipeline::RepositoryDispatch { .. } | GitHubPipeline::WorkflowDispatch { .. } => {
                Claim::Other
            }
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

    /// Whom GitHub names as the one who started a run by this credential, where that can be told.
    async fn actor(&self) -> Option<String> {
        match &self.call.credential {
            GitHubCredential::WorkflowToken(_) => Some("github-actions[bot]".to_owned()),
            GitHubCredential::App(_) => self.signed_in().installed.as_ref()?.actor(),
            GitHubCredential::Token(_) => {
                let url = crate::provider::below(&self.target.server.api, ["user"]);
                let user: Rc<User> = self.read(&url, "the token's owner").await.ok()?;
                Some(user.login.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::each;
    use super::*;
    use crate::noise;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_candidate_never_panics() {
        let runs = noise::answer(json!({ "total_count": 1, "workflow_runs": [{
            "id": 1, "run_number": 7, "html_url": "https://x.example", "display_title": "deploy", "name": "Build",
            "path": ".github/workflows/build.yml@main", "workflow_id": 3, "head_branch": "main",
            "actor": { "login": "octocat" },
        }]}));
        let actor = proptest::option::of(noise::text());
        each(|github| {
            proptest!(|(runs in &runs, actor in &actor)| {
                for run in runs.answer().json::<Runs>().into_iter().flat_map(|runs| runs.workflow_runs.entries) {
                    github.candidate(run, actor.as_deref());
                }
            });
        });
    }
}
