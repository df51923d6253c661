//! What an App's token is allowed to do: just what its target needs.

use std::collections::BTreeMap;

use crate::model::OnAbandoned;
use crate::providers::github::spec::{GitHubCredential, GitHubPipeline, GitHubSpec};
use crate::providers::target::Target;

/// Permissions of an App's token, with their levels.
pub(super) type Permissions = BTreeMap<&'static str, &'static str>;

/// What an App's token must allow for that target; of other tokens nobody can say.
pub(super) fn permissions(target: &Target, spec: &GitHubSpec) -> Permissions {
    match spec.credential {
        GitHubCredential::App(_) => needed(target, spec),
        GitHubCredential::Token(_) | GitHubCredential::WorkflowToken(_) => BTreeMap::new(),
    }
}

/// Just what is needed, so that the token can do nothing else.
fn needed(target: &Target, spec: &GitHubSpec) -> Permissions {
    let mut permissions = BTreeMap::new();
    if let Some(wait) = &target.wait {
        let may_cancel = wait.on_abandoned == OnAbandoned::Cancel;
        permissions.insert("actions", if may_cancel { "write" } else { "read" });
    }
    match spec.pipeline {
        GitHubPipeline::RepositoryDispatch { .. } => permissions.insert("contents", "write"),
        GitHubPipeline::WorkflowDispatch { .. } => permissions.insert("actions", "write"),
    };
    permissions
}
