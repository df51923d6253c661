//! Permissions of an App's token: only what its target needs.

use std::collections::BTreeMap;

use crate::model::{OnAbandoned, WaitOptions};
use crate::providers::github::spec::{GitHubCredential, GitHubPipeline, GitHubSpec};

const ACTIONS: &str = "actions";
const CONTENTS: &str = "contents";

/// Permission names with their levels, as in the API: `contents` and `write`.
pub(super) type Permissions = BTreeMap<&'static str, &'static str>;

/// Returns the permissions that an App's token needs for a target. Empty for other tokens, whose
/// permissions are already fixed.
pub(super) fn permissions(spec: &GitHubSpec, wait: Option<&WaitOptions>) -> Permissions {
    let mut permissions = BTreeMap::new();
    if !matches!(spec.credential, GitHubCredential::App(_)) {
        return permissions;
    }
    if let Some(wait) = wait {
        let may_cancel = wait.on_abandoned == OnAbandoned::Cancel
            && !matches!(
                spec.pipeline,
                GitHubPipeline::Followed { may_cancel: false }
            );
        let may_write = may_cancel || wait.retries > 0;
        permissions.insert(ACTIONS, if may_write { "write" } else { "read" });
    }
    match spec.pipeline {
        GitHubPipeline::RepositoryDispatch { .. } => {
            permissions.insert(CONTENTS, "write");
        }
        GitHubPipeline::WorkflowDispatch { .. } => {
            permissions.insert(ACTIONS, "write");
        }
        GitHubPipeline::Followed { .. } => {}
    }
    permissions
}

/// Returns a hint for Apps that aren't allowed to cancel, or to run failed jobs again. Empty for a `workflow_dispatch`,
/// which needs `actions: write` anyway.
pub(super) fn without_cancel(permissions: &Permissions) -> &'static str {
    let writes_to_cancel = permissions.get(ACTIONS) == Some(&"write");
    if writes_to_cancel && permissions.contains_key(CONTENTS) {
        ". With `on-abandoned: leave` and no `retries`, \"Actions: read\" is enough"
    } else {
        ""
    }
}
