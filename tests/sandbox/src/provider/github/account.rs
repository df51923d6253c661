//! GitHub's descriptions of users, bots, organizations and teams, as embedded in other responses.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use super::Call;

/// The creation time of everything except runs.
pub(super) const CREATED_AT: &str = "2026-01-01T00:00:00Z";

/// Describes a user, or a bot if the login ends with `[bot]`.
pub(super) fn user(call: &Call<'_>, login: &str) -> Value {
    let kind = if login.ends_with("[bot]") {
        "Bot"
    } else {
        "User"
    };
    describe(call, login, kind)
}

pub(super) fn organization(call: &Call<'_>, login: &str) -> Value {
    describe(call, login, "Organization")
}

/// Describes a user with the additional fields of `GET /user`.
pub(super) fn profile(call: &Call<'_>, login: &str) -> Value {
    let mut profile = user(call, login);
    profile["user_view_type"] = json!("public");
    for name in [
        "name", "company", "blog", "location", "email", "hireable", "bio",
    ] {
        profile[name] = Value::Null;
    }
    for name in ["public_repos", "public_gists", "followers", "following"] {
        profile[name] = json!(0);
    }
    for name in ["created_at", "updated_at"] {
        profile[name] = json!(CREATED_AT);
    }
    profile
}

pub(super) fn team(call: &Call<'_>, organization: &str, slug: &str) -> Value {
    let id = id_of(slug);
    let url = format!(
        "{}/organizations/{}/team/{id}",
        call.base,
        id_of(organization)
    );
    json!({
        "id": id,
        "node_id": node_id("T", id),
        "name": slug,
        "slug": slug,
        "description": null,
        "privacy": "closed",
        "permission": "push",
        "type": "organization",
        "url": url,
        "html_url": format!("{}/orgs/{organization}/teams/{slug}", call.origin),
        "members_url": format!("{url}/members{{/member}}"),
        "repositories_url": format!("{url}/repos"),
        "parent": null,
    })
}

/// Returns a fake id, always the same for the same name.
pub(super) fn id_of(name: &str) -> u64 {
    let digits = |id: u64, byte: u8| (id * 31 + u64::from(byte)) % 100_000_000;
    name.bytes().fold(1, digits)
}

/// Returns a fake GraphQL node id.
pub(super) fn node_id(kind: &str, id: u64) -> String {
    let digits = BASE64_URL_SAFE_NO_PAD.encode(id.to_be_bytes());
    format!("{kind}_{digits}")
}

fn describe(call: &Call<'_>, login: &str, kind: &str) -> Value {
    let id = id_of(login);
    let name = utf8_percent_encode(login, UNSAFE);
    let url = format!("{}/users/{name}", call.base);
    let page = match login.strip_suffix("[bot]") {
        Some(app) => format!("{}/apps/{app}", call.origin),
        None => format!("{}/{login}", call.origin),
    };
    json!({
        "login": login,
        "id": id,
        "node_id": node_id("U", id),
        "avatar_url": format!("{}/avatars/u/{id}?", call.origin),
        "gravatar_id": "",
        "url": url,
        "html_url": page,
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": kind,
        "user_view_type": "public",
        "site_admin": false,
    })
}

/// Characters to percent-encode in a login; only bots' logins contain any.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'[').add(b']').add(b' ').add(b'/');
