//! Which pipelines there are that the trigger may have started.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Bitbucket;
use crate::provider::{Candidate, Claim, Error};
use crate::target::{BitbucketSource, Reference};

#[derive(Deserialize)]
struct Pipelines {
    values: Vec<Pipeline>,
}

#[derive(Deserialize)]
struct Pipeline {
    uuid: String,
    build_number: u64,
    created_on: Option<DateTime<Utc>>,
    target: Option<Target>,
    trigger: Option<Trigger>,
}

/// What started it: `pipeline_trigger_manual` for a request like ours, `…_push`, `…_schedule` and others.
#[derive(Deserialize)]
struct Trigger {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    ref_type: Option<String>,
    ref_name: Option<String>,
    commit: Option<Commit>,
    selector: Option<Selector>,
}

#[derive(Deserialize)]
struct Commit {
    hash: String,
}

#[derive(Deserialize)]
struct Selector {
    #[serde(rename = "type")]
    kind: String,
    pattern: Option<String>,
}

impl Bitbucket<'_> {
    /// The newest hundred; those since then, if that is given.
    pub(in crate::provider) async fn recent(
        &self,
        since: Option<SystemTime>,
    ) -> Result<Vec<Candidate>, Error> {
        let mut url = self.repository(["pipelines", ""]);
        url.set_query(Some("sort=-created_on&pagelen=100"));
        let found: Pipelines = self.read(&url, "the list of pipelines").await?;
        let since = since.map(DateTime::<Utc>::from);
        Ok(found
            .values
            .into_iter()
            .filter(|pipeline| {
                since.is_none_or(|since| pipeline.created_on.is_some_and(|at| at >= since))
            })
            .map(|pipeline| self.candidate(pipeline))
            .collect())
    }

    fn candidate(&self, pipeline: Pipeline) -> Candidate {
        let trigger = pipeline.trigger.and_then(|trigger| trigger.kind);
        let is_by_request = trigger.is_none_or(|kind| kind.ends_with("manual"));
        let fits = is_by_request && pipeline.target.is_some_and(|target| self.is_ours(&target));
        Candidate {
            id: pipeline.uuid,
            number: Some(pipeline.build_number),
            url: self.page(pipeline.build_number),
            title: String::new(),
            workflow: String::new(),
            claim: if fits { Claim::Fits } else { Claim::Other },
        }
    }

    /// Whether a pipeline runs on what we asked for.
    fn is_ours(&self, target: &Target) -> bool {
        let custom = target
            .selector
            .as_ref()
            .filter(|selector| selector.kind == "custom")
            .and_then(|selector| selector.pattern.as_deref());
        let at = |hash: &str| {
            target
                .commit
                .as_ref()
                .is_some_and(|commit| commit.hash.starts_with(hash))
        };
        let on = match (&self.call.source, &self.reference) {
            (BitbucketSource::Commit(hash), _) => target.ref_name.is_none() && at(hash),
            (BitbucketSource::Reference { commit, .. }, reference) => {
                let kind = match reference {
                    Some(Reference::Branch(_)) => Some("branch"),
                    Some(Reference::Tag(_)) => Some("tag"),
                    Some(Reference::Named(_)) | None => None,
                };
                target.ref_name.as_deref() == Some(self.reference_name())
                    && kind.is_none_or(|kind| target.ref_type.as_deref() == Some(kind))
                    && commit.as_deref().is_none_or(at)
            }
        };
        on && custom == self.call.custom_pipeline.as_deref()
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
        let pipelines = noise::answer(json!({ "values": [{
            "uuid": "{a}", "build_number": 7, "created_on": "2026-11-22T12:00:00.123Z",
            "trigger": { "type": "pipeline_trigger_manual" },
            "target": {
                "ref_type": "branch", "ref_name": "main", "commit": { "hash": "abcdef1234" },
                "selector": { "type": "custom", "pattern": "deploy" },
            },
        }]}));
        each(|bitbucket| {
            proptest!(|(pipelines in &pipelines)| {
                for pipeline in pipelines.answer().json::<Pipelines>().into_iter().flat_map(|found| found.values) {
                    bitbucket.candidate(pipeline);
                }
            });
        });
    }
}
