//! GitHub's descriptions of a repository: on its own, in lists, and in runs.

use serde_json::{Value, json};

use super::account::{CREATED_AT, node_id, organization};
use super::error::Failure;
use super::{ApiResult, Call, RepositoryCall, access};
use crate::response::Response;
use crate::world::{Access, GitHubRepository, RefKind, World};

/// URL templates of a repository's parts, relative to the URL of the repository.
const PARTS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// Describes a repository in a run.
pub(super) fn minimal(call: &Call<'_>, repository: &GitHubRepository) -> Value {
    let (owner, name) = repository.name.split_once('/').unwrap_or_default();
    let mut described = json!({
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": name,
        "full_name": repository.name,
        "private": repository.private,
        "owner": organization(call, owner),
        "html_url": format!("{}/{}", call.origin, repository.name),
        "description": null,
        "fork": false,
    });
    let url = format!("{}/repos/{}", call.base, repository.name);
    for (part, path) in PARTS {
        described[part] = json!(format!("{url}{path}"));
    }
    described
}

/// Describes a single repository.
pub(super) fn full(call: &Call<'_>, repository: &GitHubRepository) -> Value {
    let mut described = in_list(call, repository);
    for name in ["network_count", "subscribers_count"] {
        described[name] = json!(0);
    }
    described
}

/// Describes a repository in a list.
pub(super) fn in_list(call: &Call<'_>, repository: &GitHubRepository) -> Value {
    let mut described = minimal(call, repository);
    let right = |access| access::permits(&call.caller, repository, "contents", access);
    described["default_branch"] = json!(repository.git.default_branch);
    described["visibility"] = json!(if repository.private {
        "private"
    } else {
        "public"
    });
    described["permissions"] = json!({
        "admin": false,
        "maintain": false,
        "push": right(Access::Write),
        "triage": right(Access::Write),
        "pull": right(Access::Read),
    });
    let (_, host) = call.origin.split_once("://").unwrap_or_default();
    let path = &repository.name;
    described["clone_url"] = json!(format!("{}/{path}.git", call.origin));
    described["svn_url"] = json!(format!("{}/{path}", call.origin));
    described["git_url"] = json!(format!("git://{host}/{path}.git"));
    described["ssh_url"] = json!(format!("ssh://git@{host}/{path}.git"));
    for name in ["homepage", "language", "license", "mirror_url"] {
        described[name] = Value::Null;
    }
    for name in ["created_at", "updated_at", "pushed_at"] {
        described[name] = json!(CREATED_AT);
    }
    for name in [
        "forks",
        "forks_count",
        "open_issues",
        "open_issues_count",
        "size",
        "stargazers_count",
        "watchers",
        "watchers_count",
    ] {
        described[name] = json!(0);
    }
    for name in ["has_downloads", "has_issues", "has_projects", "has_wiki"] {
        described[name] = json!(true);
    }
    for name in ["archived", "disabled", "has_discussions", "has_pages"] {
        described[name] = json!(false);
    }
    described
}

/// `GET …/commits/{ref}`
pub(super) fn commit(world: &World, call: &RepositoryCall<'_>, name: &str) -> ApiResult {
    access::require(world, call, "contents", Access::Read)?;
    let sha = resolve(&call.repository, name).ok_or_else(|| no_commit(name))?;
    Ok(Response::json(
        200,
        json!({ "sha": sha, "node_id": node_id("C", 1) }),
    ))
}

/// Returns the full hash of a commit: by itself, or by the name of a branch or tag, which may begin with `heads/` or
/// `tags/`.
pub(super) fn resolve<'name>(
    repository: &'name GitHubRepository,
    name: &'name str,
) -> Option<&'name str> {
    let git = &repository.git;
    if git.knows_commit(name) {
        return Some(name);
    }
    match name.split_once('/') {
        Some(("heads", branch)) => git.commit_of(RefKind::Branch, branch),
        Some(("tags", tag)) => git.commit_of(RefKind::Tag, tag),
        _ => git.resolve(name).map(|resolved| resolved.commit),
    }
}

pub(super) fn no_commit(name: &str) -> Failure {
    Failure::new(422, format!("No commit found for SHA: {name}"))
}
