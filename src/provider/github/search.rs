//! Which runs there are that the trigger may have started.

use std::rc::Rc;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;

use super::GitHub;
use crate::provider::{Candidate, Claim, Error};
use crate::target::{GitHubCredential, GitHubPipeline, short_name};

/// GitHub itself gives no more than a thousand to one search.
const MOST_PAGES: usize = 10;

#[derive(Deserialize)]
struct Runs {
    total_count: usize,
    workflow_runs: Vec<WorkflowRun>,
}

#[derive(Clone, Deserialize)]
struct WorkflowRun {
    id: u64,
    run_number: Option<u64>,
    html_url: String,
    display_title: Option<String>,
    name: Option<String>,
    path: Option<String>,
    workflow_id: u64,
    head_branch: Option<String>,
    actor: Option<User>,
}

#[derive(Clone, Deserialize)]
struct User {
    login: String,
}

impl GitHub<'_> {
    /// The runs of this kind that there are since then, or the last hundred of any kind.
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
        let mut found = Vec::new();
        for page in 1..=MOST_PAGES {
            let mut url = base.clone();
            {
                let mut query = url.query_pairs_mut();
                query.append_pair("per_page", "100");
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
            let is_last = runs.workflow_runs.is_empty();
            found.extend(runs.workflow_runs.iter().cloned());
            if is_last || since.is_none() || found.len() >= runs.total_count {
                break;
            }
        }
        let actor = actor.as_deref();
        Ok(found
            .into_iter()
            .map(|run| self.candidate(run, actor))
            .collect())
    }

    fn candidate(&self, run: WorkflowRun, actor: Option<&str>) -> Candidate {
        let title = run.display_title.unwrap_or_default();
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
            url: run.html_url,
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
                for run in runs.answer().json::<Runs>().into_iter().flat_map(|runs| runs.workflow_runs) {
                    github.candidate(run, actor.as_deref());
                }
            });
        });
    }
}
