//! A GitHub App's installation token, limited to the targets' repositories and the permissions they need. It's valid
//! for an hour.
//! Source: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>.

mod client;
mod explain;
mod jwt;
mod lookup;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::api::{Api, OctocrabClients};
use super::permissions::Permissions;
use crate::model::Secret;
use crate::providers::error::{Error, ErrorKind};
use crate::providers::github::spec::App;
use crate::providers::http::request::below;
use crate::providers::http::{Http, Response};
use crate::providers::location::Location;
use crate::providers::quota::Idempotency;
use crate::providers::reading::parse_json;
use crate::providers::wire;
use client::AppClient;

/// Assumed lifetime of an installation token if GitHub returns no valid `expires_at`.
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// How long before its expiry a token is replaced.
const RENEWAL_MARGIN: Duration = Duration::from_mins(5);
/// In bytes. Every kind of GitHub token has at least forty.
const TOKEN_LENGTHS: RangeInclusive<usize> = 20..=4_096;
/// GitHub's limit for the repositories named in one token request.
pub(super) const MAX_REPOSITORIES: usize = 500;

// GitHub's two reasons for answering 422.
const REPOSITORY_REFUSED: &str = "at least one repository that does not exist";
const PERMISSIONS_REFUSED: &str = "permissions requested are not granted";

/// What a token is requested for.
pub(super) struct Scope<'a> {
    /// `owner/name` of each, all of one owner.
    pub(super) repositories: &'a BTreeSet<String>,
    pub(super) permissions: &'a Permissions,
}

#[derive(Clone, Deserialize)]
struct Installation {
    id: u64,
    #[serde(default, deserialize_with = "wire::exact")]
    app_slug: Option<String>,
}

#[derive(Deserialize)]
struct InstallationToken {
    token: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    expires_at: Option<DateTime<Utc>>,
    /// The response's `Date` header, if it has one: the time by the server's clock.
    #[serde(skip)]
    issued_at: Option<SystemTime>,
}

/// Which installation a token belongs to, and until when it's valid.
pub(super) struct TokenMetadata {
    installation: Installation,
    // Both by the local clock.
    renew_at: Instant,
    expires_at: Instant,
}

/// State of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Good,
    /// Still valid, but due for renewal.
    ExpiresSoon,
    Expired,
}

impl TokenMetadata {
    pub(super) fn validity(&self) -> Validity {
        let now = Instant::now();
        if now >= self.expires_at {
            Validity::Expired
        } else if now >= self.renew_at {
            Validity::ExpiresSoon
        } else {
            Validity::Good
        }
    }

    /// Returns the login that GitHub shows as the actor of runs started with this token.
    pub(super) fn actor(&self) -> Option<String> {
        let slug = self.installation.app_slug.as_ref();
        let slug = slug.filter(|slug| is_slug(slug));
        slug.map(|slug| format!("{slug}[bot]"))
    }
}

/// Requests one token for all repositories in `scope`. Looks up the installation on the repository in `location`,
/// unless `previous` already names it. With a `previous` token, repositories that have disappeared are left out instead
/// of failing the request.
pub(super) async fn installation_token(
    location: &Location,
    app: &App,
    scope: &Scope<'_>,
    previous: Option<&TokenMetadata>,
    octocrab: &Rc<OctocrabClients>,
    http: &Http<'_>,
) -> Result<(Secret, TokenMetadata), Error> {
    let client = AppClient::new(app, scope, location, octocrab, http)?;
    let known = previous.map(|previous| previous.installation.clone());
    let (token, installation) = client.obtain_token(known).await?;
    let issued_at = token.issued_at.unwrap_or_else(SystemTime::now);
    let lifetime = lifetime(token.expires_at, issued_at);
    let metadata = TokenMetadata {
        installation,
        renew_at: Instant::now() + lifetime - RENEWAL_MARGIN.min(lifetime / 2),
        expires_at: Instant::now() + lifetime,
    };
    Ok((checked_token(&token.token)?, metadata))
}

/// Checks that a token looks like one. It's masked in the whole log, so a server could otherwise hide any word.
fn checked_token(token: &str) -> Result<Secret, Error> {
    let is_long = TOKEN_LENGTHS.contains(&token.len());
    let token = Secret::token(token).filter(|_| is_long);
    token.ok_or_else(|| {
        let what = "the response contains no valid installation token";
        Error::new(ErrorKind::Rejected, what)
            .hint("check `server-url`, and whether a proxy in between changes responses")
    })
}

/// Returns the time from `now` until `expires_at`. Both are by the server's clock.
fn lifetime(expires_at: Option<DateTime<Utc>>, now: SystemTime) -> Duration {
    expires_at
        .and_then(|end| (end - DateTime::<Utc>::from(now)).to_std().ok())
        .unwrap_or(DEFAULT_TOKEN_LIFETIME)
}

/// GitHub turns an App's name into letters, digits and dashes.
fn is_slug(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What to do about repositories that the App can't reach.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnMissing {
    Fail,
    Omit,
}

/// Body of a token request. Renamed repositories are listed by id, because only their id is known.
#[derive(Serialize)]
struct Repositories<'a> {
    #[serde(rename = "repositories", skip_serializing_if = "Vec::is_empty")]
    names: Vec<&'a str>,
    #[serde(rename = "repository_ids", skip_serializing_if = "Vec::is_empty")]
    ids: Vec<u64>,
    permissions: &'a Permissions,
}

impl AppClient<'_> {
    async fn obtain_token(
        &self,
        known: Option<Installation>,
    ) -> Result<(InstallationToken, Installation), Error> {
        let on_missing = known.as_ref().map_or(OnMissing::Fail, |_| OnMissing::Omit);
        if let Some(installation) = known {
            match self.token_for(&installation, on_missing).await {
                // The App may have been reinstalled.
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {}
                token => return Ok((token?, installation)),
            }
        }
        let installation = self.find_installation().await?;
        let token = self.token_for(&installation, on_missing).await?;
        Ok((token, installation))
    }

    async fn token_for(
        &self,
        installation: &Installation,
        on_missing: OnMissing,
    ) -> Result<InstallationToken, Error> {
        let names = self.scope.repositories.iter();
        let names = names.filter_map(|name| name.split('/').next_back());
        let all = self.repositories(names.collect(), Vec::new());
        let error = match self.mint(installation, &all).await {
            Err(error) if error.status() == Some(StatusCode::UNPROCESSABLE_ENTITY) => error,
            minted => return minted,
        };
        let message = error
            .response()
            .and_then(Response::error_message)
            .unwrap_or_default();
        if message.contains(PERMISSIONS_REFUSED) {
            return Err(self.lacks_permission(error));
        }
        let (reachable, missing) = self.look_up_repositories(installation).await;
        let is_unexplained = missing.is_empty() && reachable.ids.is_empty();
        if is_unexplained && message.contains(REPOSITORY_REFUSED) {
            return Err(self.not_installed(error, &self.repository_names()));
        }
        if is_unexplained {
            return Err(self.lacks_permission(error));
        }
        let none_left = reachable.names.is_empty() && reachable.ids.is_empty();
        if none_left || (on_missing == OnMissing::Fail && !missing.is_empty()) {
            return Err(self.not_installed(error, &missing));
        }
        self.mint(installation, &reachable).await
    }

    async fn mint(
        &self,
        installation: &Installation,
        repositories: &Repositories<'_>,
    ) -> Result<InstallationToken, Error> {
        let id = installation.id.to_string();
        let parts = ["app", "installations", &id, "access_tokens"];
        let url = below(&self.location.server.api, parts);
        let body = super::json(repositories);
        let request = async |api: Rc<Api>| {
            let body = Some(&*body);
            api.post(self.http, Idempotency::Repeatable, &url, body)
                .await
        };
        let response = self.request(request, |response| response).await?;
        let response = response.check_status("creating the App's token")?;
        let issued_at = response.server_time();
        let token: InstallationToken = parse_json(response, "creating the App's token")?;
        Ok(InstallationToken { issued_at, ..token })
    }

    fn repositories<'a>(&'a self, names: Vec<&'a str>, ids: Vec<u64>) -> Repositories<'a> {
        Repositories {
            names,
            ids,
            permissions: self.scope.permissions,
        }
    }

    fn repository_names(&self) -> Vec<&str> {
        self.scope.repositories.iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn computing_a_token_lifetime_never_panics(end in arbitrary::time(), now in arbitrary::http_date()) {
            let now = httpdate::parse_http_date(&now).unwrap_or(SystemTime::UNIX_EPOCH);
            let _ = Instant::now() + lifetime(end.parse().ok(), now);
        }
    }
}
