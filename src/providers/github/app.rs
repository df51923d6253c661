//! A GitHub App's installation token, minted for just the target repository and just the permissions
//! that are needed, and good for an hour.
//! Facts: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>.

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
use crate::providers::error::{Error, Kind};
use crate::providers::github::spec::App;
use crate::providers::http::request::below;
use crate::providers::http::{Http, Response};
use crate::providers::location::Location;
use crate::providers::quota::Idempotency;
use crate::providers::reading::parse;
use crate::providers::wire;
use client::AppClient;

/// Of an installation token whose end is not told.
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// So long before its end a token is replaced.
const RENEWAL_MARGIN: Duration = Duration::from_mins(5);
/// In bytes. All of GitHub's kinds of tokens have forty and more.
const TOKEN_LENGTHS: RangeInclusive<usize> = 20..=4_096;
/// One token is good for no more, if they are named.
pub(super) const MAX_REPOSITORIES: usize = 500;

/// GitHub's two reasons for 422.
const REPOSITORY_REFUSED: &str = "at least one repository that does not exist";
const PERMISSIONS_REFUSED: &str = "permissions requested are not granted";

/// What a token is to be good for.
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
    /// When it was made, by the server's clock, as far as it tells it.
    #[serde(skip)]
    issued_at: Option<SystemTime>,
}

/// What is known of an installation besides its token.
pub(super) struct TokenMetadata {
    installation: Installation,
    /// By our clock, as is the end; tokens without an end are good for an hour.
    renew_at: Instant,
    expires_at: Instant,
}

/// How long a token is still good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Good,
    /// It is time for another one.
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

    /// Whom GitHub names as the one who started a run with the token.
    pub(super) fn actor(&self) -> Option<String> {
        let slug = self.installation.app_slug.as_ref();
        let slug = slug.filter(|slug| is_slug(slug));
        slug.map(|slug| format!("{slug}[bot]"))
    }
}

/// Asks for a token for all of them; that target's repository tells the installation, unless it is known by a token
/// that this one replaces. Then repositories that are gone cost the others nothing.
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

/// A token is masked in the whole log, so it must look like one: a server could hide any word else.
fn checked_token(token: &str) -> Result<Secret, Error> {
    let is_long = TOKEN_LENGTHS.contains(&token.len());
    let token = Secret::token(token).filter(|_| is_long);
    token.ok_or_else(|| {
        let what = "the answer holds no valid installation token";
        Error::new(Kind::Rejected, what)
            .hint("check `server-url`; a proxy in between may have changed the answer")
    })
}

/// How long a token is good that ends then by the server's clock, which shows this now.
fn lifetime(expires_at: Option<DateTime<Utc>>, now: SystemTime) -> Duration {
    expires_at
        .and_then(|end| (end - DateTime::<Utc>::from(now)).to_std().ok())
        .unwrap_or(DEFAULT_TOKEN_LIFETIME)
}

/// Letters, digits and dashes are all that GitHub makes of an App's name.
fn is_slug(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What becomes of the others where a repository is not there for the App.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnMissing {
    Fail,
    Omit,
}

/// Repositories, as GitHub takes them. Those with another name are known by their id only.
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
                // The App may have been installed anew.
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
        let response = response.check_status("an installation token")?;
        let issued_at = response.server_time();
        let token: InstallationToken = parse(response, "the installation token")?;
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
