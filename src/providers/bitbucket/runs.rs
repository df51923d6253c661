//! Lists the pipelines that the trigger may have started.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Bitbucket;
use crate::providers::bitbucket::spec::BitbucketSource;
use crate::providers::error::Error;
use crate::providers::pages::{self, List, PAGE_SIZES, PROOF_SIZES};
use crate::providers::provider::{Candidate, Claim};
use crate::providers::reference::Reference;
use crate::providers::wire;

#[derive(Deserialize)]
struct Pipelines {
    values: List<ListedBitbucketPipeline>,
}

#[derive(Deserialize)]
struct ListedBitbucketPipeline {
    #[serde(deserialize_with = "wire::uuid")]
    uuid: String,
    build_number: u64,
    #[serde(default, deserialize_with = "wire::lenient")]
    created_on: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "wire::lenient")]
    target: Option<ListedTarget>,
    #[serde(default, deserialize_with = "wire::lenient")]
    trigger: Option<PipelineTrigger>,
}

/// What started a pipeline: `pipeline_trigger_manual` for an API request, or `…_push`, `…_schedule` and others.
#[derive(Deserialize)]
struct PipelineTrigger {
    #[serde(default, rename = "type", deserialize_with = "wire::name")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct ListedTarget {
    #[serde(default, deserialize_with = "wire::name")]
    ref_type: Option<String>,
    #[serde(default, deserialize_with = "wire::exact")]
    ref_name: Option<String>,
    #[serde(default, deserialize_with = "wire::lenient")]
    commit: Option<ListedCommit>,
    #[serde(default, deserialize_with = "wire::lenient")]
    selector: Option<ListedSelector>,
}

#[derive(Deserialize)]
struct ListedCommit {
    #[serde(deserialize_with = "wire::word")]
    hash: String,
}

#[derive(Deserialize)]
struct ListedSelector {
    #[serde(rename = "type", deserialize_with = "wire::word")]
    kind: String,
    #[serde(default, deserialize_with = "wire::exact")]
    pattern: Option<String>,
}

impl Bitbucket<'_> {
    /// Returns the pipelines created since then, among the newest 100. Without `since`, returns the newest.
    pub(super) async fn candidates(
        &self,
        since: Option<SystemTime>,
    ) -> Result<Vec<Candidate>, Error> {
        let sizes: &[usize] = match since {
            Some(_) => &PAGE_SIZES,
            None => &PROOF_SIZES,
        };
        let page: Pipelines = pages::try_sizes(sizes, async |size| {
            let mut url = self.repository(["pipelines", ""]);
            url.set_query(Some(&format!("sort=-created_on&pagelen={size}")));
            self.read(&url, "listing the pipelines").await
        })
        .await?;
        let since = since.map(DateTime::<Utc>::from);
        Ok(page
            .values
            .entries
            .into_iter()
            .filter(|pipeline| {
                let created_on = pipeline.created_on;
                since.is_none_or(|since| created_on.is_none_or(|at| at >= since))
            })
            .map(|pipeline| self.candidate(pipeline))
            .collect())
    }

    fn candidate(&self, pipeline: ListedBitbucketPipeline) -> Candidate {
        let trigger = pipeline.trigger.and_then(|trigger| trigger.kind);
        let may_be_api_request = trigger.is_none_or(|kind| kind.ends_with("manual"));
        let fits = may_be_api_request
            && pipeline
                .target
                .is_some_and(|target| self.is_requested(&target));
        Candidate {
            id: pipeline.uuid,
            number: Some(pipeline.build_number),
            url: self.run_page(pipeline.build_number),
            title: String::new(),
            workflow: String::new(),
            claim: if fits { Claim::Fits } else { Claim::Other },
        }
    }

    /// Returns whether a pipeline is the requested one: the same ref or commit, and the same custom pipeline.
    fn is_requested(&self, target: &ListedTarget) -> bool {
        let custom = target
            .selector
            .as_ref()
            .filter(|selector| selector.kind == "custom")
            .and_then(|selector| selector.pattern.as_deref());
        let is_at = |hash: &str| {
            target
                .commit
                .as_ref()
                .is_some_and(|commit| starts_with_hash(&commit.hash, hash))
        };
        let is_same_source = match (&self.spec.source, &self.reference) {
            (BitbucketSource::Commit(hash), _) => target.ref_name.is_none() && is_at(hash),
            (BitbucketSource::Reference { commit, .. }, reference) => {
                let kind = match reference {
                    Some(Reference::Branch(_)) => Some("branch"),
                    Some(Reference::Tag(_)) => Some("tag"),
                    Some(Reference::Named(_)) | None => None,
                };
                target.ref_name.as_deref() == Some(self.reference_name())
                    && kind.is_none_or(|kind| target.ref_type.as_deref() == Some(kind))
                    && commit.as_deref().is_none_or(is_at)
            }
        };
        is_same_source && custom == self.spec.custom_pipeline.as_deref()
    }
}

/// Whether a commit's full hash begins with `hash`, which may be shortened and in upper case.
fn starts_with_hash(full: &str, hash: &str) -> bool {
    full.get(..hash.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_compared_without_case() {
        for (hash, expected) in [
            ("ABCDEF12", true),
            ("abcdef1234", true),
            ("abcdef12345", false),
            ("abd", false),
            ("ä", false),
        ] {
            assert_eq!(starts_with_hash("abcdef1234", hash), expected, "{hash}");
        }
    }
}
