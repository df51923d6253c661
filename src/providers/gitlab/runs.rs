//! Lists the pipelines that the trigger may have started.

use std::time::SystemTime;

use ::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::GitLab;
use crate::providers::error::Error;
use crate::providers::gitlab::spec::GitLabCredential;
use crate::providers::http::request::below;
use crate::providers::pages::{self, List, MAX_PAGES, PAGE_SIZES, PROOF_SIZES};
use crate::providers::provider::{Candidate, Claim, EarlierRuns};
use crate::providers::reference::short_name;
use crate::providers::wire;

/// Maximum number of pipelines whose variables are read: each takes a request.
const MAX_VARIABLES_READ: usize = 100;

#[derive(Deserialize)]
struct ListedGitLabPipeline {
    id: u64,
    #[serde(default, deserialize_with = "wire::lenient")]
    iid: Option<u64>,
    #[serde(default, rename = "ref", deserialize_with = "wire::exact")]
    reference: Option<String>,
    #[serde(default, deserialize_with = "wire::name")]
    source: Option<String>,
    /// As set in `workflow: name`.
    #[serde(default, deserialize_with = "wire::title")]
    name: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::url")]
    web_url: Option<String>,
}

#[derive(Deserialize)]
struct PipelineVariable {
    #[serde(deserialize_with = "wire::word")]
    key: String,
    #[serde(default, deserialize_with = "wire::title")]
    value: String,
}

/// The access token itself, also of a project or group.
#[derive(Deserialize)]
struct GitLabAccessToken {
    #[serde(default, deserialize_with = "wire::lenient")]
    expires_at: Option<NaiveDate>,
}

#[derive(Deserialize)]
struct GitLabUser {
    #[serde(deserialize_with = "wire::word")]
    username: String,
}

impl GitLab<'_> {
    /// Returns the pipelines created since then, and older ones with the marker in their names, among the newest 100 with
    /// this ref, source and user. Without `since`, returns the newest pipelines of any kind.
    pub(super) async fn candidates(
        &self,
        since: Option<SystemTime>,
    ) -> Result<Vec<Candidate>, Error> {
        let source = self.source();
        let actor = match since {
            Some(_) => self.actor().await,
            // This only checks that pipelines can be listed.
            None => None,
        };
        let sizes: &[usize] = match since {
            Some(_) => &PAGE_SIZES,
            None => &PROOF_SIZES,
        };
        let mut url = self.repository(["pipelines"]);
        {
            let mut query = url.query_pairs_mut();
            if since.is_some() {
                query
                    .append_pair("ref", short_name(&self.reference))
                    .append_pair("source", source);
            }
            query
                .append_pair("order_by", "id")
                .append_pair("sort", "desc");
            if let Some(actor) = &actor {
                query.append_pair("username", actor);
            }
        }
        let pipelines: List<ListedGitLabPipeline> = pages::try_sizes(sizes, async |size| {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair("per_page", &size.to_string());
            self.read(&url, "listing the pipelines").await
        })
        .await?;
        if since.is_none() {
            self.check_expiry().await;
        }
        let since = since.map(DateTime::<Utc>::from);
        let candidates = pipelines
            .entries
            .into_iter()
            // Filtered here because servers may ignore `created_after`.
            .filter(|pipeline| {
                let is_old =
                    since.is_some_and(|since| pipeline.created_at.is_some_and(|at| at < since));
                !is_old || self.spec.added.marks(&pipeline.name)
            })
            .map(|pipeline| self.candidate(pipeline, source));
        let mut candidates: Vec<_> = candidates.collect();
        if since.is_some() && self.spec.added.marker.is_some() {
            self.read_marks(&mut candidates).await?;
        }
        Ok(candidates)
    }

    /// Returns the pipelines on this ref created since then by any user: the token may not be that
    /// of an earlier attempt. Their titles are their names and the values of the variable with the marker.
    pub(super) async fn earlier_runs(&self, since: SystemTime) -> Result<EarlierRuns, Error> {
        let since = DateTime::<Utc>::from(since);
        let mut url = self.repository(["pipelines"]);
        url.query_pairs_mut()
            .append_pair("ref", short_name(&self.reference))
            .append_pair("order_by", "id")
            .append_pair("sort", "desc")
            .append_pair("per_page", &PAGE_SIZES[0].to_string());
        let mut candidates = Vec::new();
        let mut is_complete = false;
        for number in 1..=MAX_PAGES {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair("page", &number.to_string());
            let page: List<ListedGitLabPipeline> = self.read(&url, "listing the pipelines").await?;
            let is_last = page.is_last(PAGE_SIZES[0], 0, None);
            let all = page.entries.len();
            let recent = page.entries.into_iter();
            let recent = recent.filter(|pipeline| pipeline.created_at.is_none_or(|at| at >= since));
            let before = candidates.len();
            candidates.extend(recent.map(|pipeline| self.candidate(pipeline, self.source())));
            is_complete = is_last || candidates.len() - before < all;
            if is_complete {
                break;
            }
        }
        let unread = candidates.len().saturating_sub(MAX_VARIABLES_READ);
        candidates.truncate(MAX_VARIABLES_READ);
        self.read_marks(&mut candidates).await?;
        Ok(EarlierRuns {
            candidates,
            is_complete: is_complete && unread == 0,
        })
    }

    /// The source of pipelines that are started with this credential.
    fn source(&self) -> &'static str {
        match self.spec.credential {
            GitLabCredential::Trigger { .. } => "trigger",
            GitLabCredential::Access(_) => "api",
        }
    }

    /// Looks for the marker in the variables of pipelines that fit. Variables that may not be read say nothing.
    async fn read_marks(&self, candidates: &mut [Candidate]) -> Result<(), Error> {
        let Some(marker) = &self.spec.added.marker else {
            return Ok(());
        };
        let fitting = candidates.iter_mut();
        for candidate in fitting.filter(|candidate| candidate.claim == Claim::Fits) {
            let Some(value) = self.variable_of(&candidate.id, &marker.name).await? else {
                continue;
            };
            candidate.claim = if self.spec.added.marks(&value) {
                Claim::Marked
            } else {
                Claim::Other
            };
            candidate.title = format!("{} {value}", candidate.title);
        }
        Ok(())
    }

    /// Returns the value of a pipeline's variable. Variables never change, so they are read once.
    async fn variable_of(&self, id: &str, name: &str) -> Result<Option<String>, Error> {
        if let Some(known) = self.marker_variables.borrow().get(id) {
            return Ok(known.clone());
        }
        let url = self.repository(["pipelines", id, "variables"]);
        let read: Result<List<PipelineVariable>, _> =
            self.read(&url, "reading the pipeline's variables").await;
        let variables = match read {
            Ok(variables) => variables.entries,
            Err(error) if is_forbidden(&error) => Vec::new(),
            // What can't be read now may carry the marker. A new pipeline may not be readable yet.
            Err(error) => return Err(error.temporary()),
        };
        let mut variables = variables.into_iter();
        let value = variables.find(|variable| variable.key == name);
        let value = value.map(|variable| variable.value);
        let mut known = self.marker_variables.borrow_mut();
        known.insert(id.to_owned(), value.clone());
        Ok(value)
    }

    fn candidate(&self, pipeline: ListedGitLabPipeline, source: &str) -> Candidate {
        let fits = pipeline.reference.as_deref() == Some(short_name(&self.reference))
            && pipeline.source.as_deref() == Some(source)
            && !self.spec.added.is_marked_by_another(&pipeline.name);
        let is_marked = self.spec.added.marks(&pipeline.name);
        Candidate {
            id: pipeline.id.to_string(),
            number: pipeline.iid,
            url: self.run_page(pipeline.web_url.as_deref(), pipeline.id),
            title: pipeline.name,
            workflow: String::new(),
            claim: match (is_marked, fits) {
                (true, _) => Claim::Marked,
                (false, true) => Claim::Fits,
                (false, false) => Claim::Other,
            },
        }
    }

    /// Warns if the access token expires soon. That takes a request, so it's sent once per token, and only by steps that
    /// wait. A failure means nothing.
    async fn check_expiry(&self) {
        if self.reader().is_none() || self.http.quota().is_expiry_checked.replace(true) {
            return;
        }
        let url = below(
            &self.location.server.api,
            ["personal_access_tokens", "self"],
        );
        let read: Result<GitLabAccessToken, _> = self.read(&url, "reading the token").await;
        let day = read.ok().and_then(|token| token.expires_at);
        // GitLab's tokens expire when their day begins.
        if let Some(expiry) = day.and_then(|day| day.and_hms_opt(0, 0, 0)) {
            self.http.warn_before_expiry(expiry.and_utc());
        }
    }

    /// Returns the user that GitLab records for pipelines started with this credential. For a trigger token that is
    /// its owner, whom the token can't look up.
    async fn actor(&self) -> Option<String> {
        match self.spec.credential {
            GitLabCredential::Trigger { .. } => None,
            GitLabCredential::Access(_) => {
                let url = below(&self.location.server.api, ["user"]);
                let user: GitLabUser = self.read(&url, "reading the token's owner").await.ok()?;
                Some(user.username)
            }
        }
    }
}

/// Whether GitLab itself says that the token may not read this.
fn is_forbidden(error: &Error) -> bool {
    let response = error.provider_response();
    response.is_some_and(|response| response.status == StatusCode::FORBIDDEN)
}
