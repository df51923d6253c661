//! A GitHub App's installation token, minted for just the target repository and just the permissions
//! that are needed, and good for an hour.
//! Facts: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>.

mod jwt;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ::http::StatusCode;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use super::api::{Api, Library};
use super::permissions::{Permissions, without_cancel};
use crate::model::{Event, Secret};
use crate::providers::error::{Error, Kind};
use crate::providers::github::spec::App;
use crate::providers::http::request::below;
use crate::providers::http::{Http, Response};
use crate::providers::location::Location;
use crate::providers::quota::Idempotency;
use crate::providers::reading::parse;
use crate::providers::wire;
use jwt::jwt;

/// Clocks that are no further apart are no reason to refuse a JWT.
const MIN_CLOCK_DIFFERENCE: Duration = Duration::from_secs(30);
/// A clock that is further off isn't believed: nobody gets a JWT for a time of their choice.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_hours(24);

/// Of an installation token whose end is not told.
const TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// So long before its end a token is replaced.
const RENEWAL_MARGIN: Duration = Duration::from_mins(5);
/// In bytes. All of GitHub's kinds of tokens have forty and more.
const TOKEN_LENGTHS: RangeInclusive<usize> = 20..=4_096;
/// One token is good for no more, if they are named.
pub(super) const MAX_REPOSITORIES: usize = 500;
/// Repositories that are looked up at once where GitHub refuses a token for all of them.
const PARALLEL_LOOKUPS: usize = 8;

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
struct Minted {
    token: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    expires_at: Option<DateTime<Utc>>,
    /// When it was made, by the server's clock, as far as it tells it.
    #[serde(skip)]
    made_at: Option<SystemTime>,
}

/// What is known of an installation besides its token.
pub(super) struct Installed {
    installation: Installation,
    /// By our clock, as is the end; tokens without an end are good for an hour.
    renew_at: Instant,
    ends_at: Instant,
}

/// How long a token is still good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Good,
    /// It is time for another one.
    EndsSoon,
    Over,
}

impl Installed {
    pub(super) fn validity(&self) -> Validity {
        let now = Instant::now();
        if now >= self.ends_at {
            Validity::Over
        } else if now >= self.renew_at {
            Validity::EndsSoon
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
    before: Option<&Installed>,
    library: &Rc<Library>,
    http: &Http<'_>,
) -> Result<(Secret, Installed), Error> {
    let ours = SystemTime::now();
    let theirs = http.at_server(Instant::now());
    let is_credible = apart(ours, theirs) <= MAX_CLOCK_DIFFERENCE;
    let now = if is_credible { theirs } else { ours };
    let client = AppClient {
        app,
        scope,
        library,
        http,
        location,
        signed: RefCell::new(sign(app, now, library, http)?),
    };
    let known = before.map(|before| before.installation.clone());
    let (token, installation) = client.any_token(known).await?;
    let made_at = token.made_at.unwrap_or_else(SystemTime::now);
    let lifetime = lifetime(token.expires_at, made_at);
    let installed = Installed {
        installation,
        renew_at: Instant::now() + lifetime - RENEWAL_MARGIN.min(lifetime / 2),
        ends_at: Instant::now() + lifetime,
    };
    Ok((minted(&token.token)?, installed))
}

/// A token is masked in the whole log, so it must look like one: a server could hide any word else.
fn minted(token: &str) -> Result<Secret, Error> {
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
        .unwrap_or(TOKEN_LIFETIME)
}

/// Letters, digits and dashes are all that GitHub makes of an App's name.
fn is_slug(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The App itself, asking for what it needs.
struct AppClient<'a> {
    app: &'a App,
    scope: &'a Scope<'a>,
    library: &'a Rc<Library>,
    http: &'a Http<'a>,
    location: &'a Location,
    signed: RefCell<Signed>,
}

/// The API with a JWT in it.
#[derive(Clone)]
struct Signed {
    api: Rc<Api>,
    /// By the clock that it was signed by.
    at: SystemTime,
}

/// What becomes of the others where a repository is not there for the App.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnGone {
    Fail,
    LeaveOut,
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

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    let later = one.duration_since(other);
    later.unwrap_or_else(|error| error.duration())
}

fn sign(
    app: &App,
    at: SystemTime,
    library: &Rc<Library>,
    http: &Http<'_>,
) -> Result<Signed, Error> {
    let jwt = jwt(app, at)?;
    http.emit(Event::Minted(&jwt));
    let api = Rc::new(Api::new(library, &jwt)?);
    Ok(Signed { api, at })
}

impl AppClient<'_> {
    /// Asks, and asks once more where GitHub does not take the JWT and its clock shows another time than it was
    /// signed by.
    async fn ask<T>(
        &self,
        request: impl AsyncFn(Rc<Api>) -> Result<T, Error>,
        response: impl Fn(&T) -> &Response,
    ) -> Result<T, Error> {
        let Signed { api, at } = self.signed.borrow().clone();
        let first = request(api).await?;
        let is_refused = response(&first).status == StatusCode::UNAUTHORIZED;
        let theirs = response(&first).server_time().filter(|theirs| {
            let is_credible = apart(*theirs, SystemTime::now()) <= MAX_CLOCK_DIFFERENCE;
            is_refused && is_credible && apart(*theirs, at) > MIN_CLOCK_DIFFERENCE
        });
        let Some(theirs) = theirs else {
            return Ok(first);
        };
        let signed = sign(self.app, theirs, self.library, self.http)?;
        self.signed.replace(signed.clone());
        request(signed.api).await
    }

    /// The App's installation at a repository, with the address that it is at by now.
    async fn installation(&self, repository: &str) -> Result<(Response, Url), Error> {
        let parts = ["repos"].into_iter().chain(repository.split('/'));
        let url = below(&self.location.server.api, parts.chain(["installation"]));
        let request = async |api: Rc<Api>| api.get_at(self.http, &url).await;
        self.ask(request, |(response, _)| response).await
    }

    async fn find(&self) -> Result<Installation, Error> {
        const WHAT: &str = "the App's installation";
        let (response, _) = self.installation(&self.location.repository).await?;
        match response.check_status(WHAT) {
            Ok(response) => parse(response, WHAT),
            Err(error) => Err(self.installation_failure(error)),
        }
    }

    async fn any_token(
        &self,
        known: Option<Installation>,
    ) -> Result<(Minted, Installation), Error> {
        let on_gone = known.as_ref().map_or(OnGone::Fail, |_| OnGone::LeaveOut);
        if let Some(installation) = known {
            match self.token(&installation, on_gone).await {
                // The App may have been installed anew.
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {}
                token => return Ok((token?, installation)),
            }
        }
        let installation = self.find().await?;
        Ok((self.token(&installation, on_gone).await?, installation))
    }

    async fn token(&self, installation: &Installation, on_gone: OnGone) -> Result<Minted, Error> {
        let names = self.scope.repositories.iter();
        let all = names.filter_map(|name| name.split('/').next_back());
        let all = self.repositories(all.collect(), Vec::new());
        let error = match self.mint(installation, &all).await {
            Err(error) if error.status() == Some(StatusCode::UNPROCESSABLE_ENTITY) => error,
            minted => return minted,
        };
        let said = error
            .response()
            .and_then(Response::error_message)
            .unwrap_or_default();
        if said.contains(PERMISSIONS_REFUSED) {
            return Err(self.lacks_permission(error));
        }
        let (found, gone) = self.found(installation).await;
        let nothing_new = gone.is_empty() && found.ids.is_empty();
        if nothing_new && said.contains(REPOSITORY_REFUSED) {
            return Err(self.not_installed(error, &self.all()));
        }
        if nothing_new {
            return Err(self.lacks_permission(error));
        }
        let is_nothing_left = found.names.is_empty() && found.ids.is_empty();
        if is_nothing_left || (on_gone == OnGone::Fail && !gone.is_empty()) {
            return Err(self.not_installed(error, &gone));
        }
        self.mint(installation, &found).await
    }

    async fn mint(
        &self,
        installation: &Installation,
        repositories: &Repositories<'_>,
    ) -> Result<Minted, Error> {
        let id = installation.id.to_string();
        let parts = ["app", "installations", &id, "access_tokens"];
        let url = below(&self.location.server.api, parts);
        let body = super::json(repositories);
        let request = async |api: Rc<Api>| {
            let body = Some(&*body);
            api.post(self.http, Idempotency::Repeatable, &url, body)
                .await
        };
        let response = self.ask(request, |response| response).await?;
        let response = response.check_status("an installation token")?;
        let made_at = response.server_time();
        let token: Minted = parse(response, "the installation token")?;
        Ok(Minted { made_at, ..token })
    }

    fn repositories<'a>(&'a self, names: Vec<&'a str>, ids: Vec<u64>) -> Repositories<'a> {
        Repositories {
            names,
            ids,
            permissions: self.scope.permissions,
        }
    }

    fn all(&self) -> Vec<&str> {
        self.scope.repositories.iter().map(String::as_str).collect()
    }

    /// The repositories that are there for the installation, renamed ones by their ids, and those that are not.
    async fn found(&self, installation: &Installation) -> (Repositories<'_>, Vec<&str>) {
        let (mut names, mut ids, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let lookups = self.scope.repositories.iter();
        let lookups = lookups.map(async |name| (name, self.installation(name).await));
        let mut lookups = stream::iter(lookups).buffered(PARALLEL_LOOKUPS);
        while let Some((repository, found)) = lookups.next().await {
            let name = repository.split('/').next_back().unwrap_or_default();
            match found {
                Ok((response, at)) if response.status.is_success() => {
                    let read = response.json::<Installation>();
                    if read.is_ok_and(|read| read.id != installation.id) {
                        gone.push(repository.as_str());
                    } else if let Some(id) = repository_id(&at) {
                        ids.push(id);
                    } else {
                        names.push(name);
                    }
                }
                Ok((response, _)) if response.status == StatusCode::NOT_FOUND => {
                    gone.push(repository.as_str());
                }
                Ok(_) | Err(_) => names.push(name),
            }
        }
        (self.repositories(names, ids), gone)
    }

    fn installation_failure(&self, error: Error) -> Error {
        let Some(response) = error.response() else {
            return error;
        };
        let unknown_app = response
            .error_message()
            .is_some_and(|said| said.contains("Integration not found"));
        match response.status {
            StatusCode::UNAUTHORIZED => error.with_reason(
                "GitHub does not take the App's key",
                "check that `client-id` and `private-key` are of the same App, and that the runner's clock is right",
            ),
            StatusCode::NOT_FOUND if unknown_app => error.with_reason(
                format!("there is no App {}", self.app.client_id),
                "check `client-id`: it stands in the App's settings; an App of another server is unknown here",
            ),
            StatusCode::NOT_FOUND => {
                self.not_installed(error, &[&self.location.repository])
            }
            _ => error,
        }
    }

    fn lacks_permission(&self, error: Error) -> Error {
        let permissions = self.scope.permissions.iter();
        let needed: Vec<_> = permissions
            .map(|(name, level)| format!("\"{}: {level}\"", super::explain::titled(name)))
            .collect();
        let hint = format!(
            "give the App the repository permissions it needs here ({}), and accept them in its installation{}",
            needed.join(", "),
            without_cancel(self.scope.permissions)
        );
        error.with_reason("the App lacks a permission there", hint)
    }

    fn not_installed(&self, error: Error, repositories: &[&str]) -> Error {
        let web = &self.location.server.web;
        let owner = self
            .location
            .repository
            .split('/')
            .next()
            .unwrap_or_default();
        let page = below(web, ["organizations", owner, "settings", "installations"]);
        let own_page = below(web, ["settings", "installations"]);
        error.with_reason(
            format!(
                "the App {} is not installed on {}, or there is no such repository",
                self.app.client_id,
                repositories.join(", ")
            ),
            format!(
                "check the repository's name, and install the App on it: {page}, or for a user's repositories {own_page}"
            ),
        )
    }
}

/// The repository's id in an address that redirects of a former name lead to.
fn repository_id(address: &Url) -> Option<u64> {
    let mut segments = address.path_segments()?.rev();
    let is_of_id = segments.next() == Some("installation");
    let id = segments.next()?.parse().ok();
    id.filter(|_| is_of_id && segments.next() == Some("repositories"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    #[test]
    fn a_renamed_repository_is_known_by_its_id() {
        for (path, id) in [
            ("/repositories/1001/installation", Some(1001)),
            ("/api/v3/repositories/1001/installation", Some(1001)),
            ("/repos/octo-org/app/installation", None),
            ("/repos/repositories/1001/installation/x", None),
            ("/repositories/app/installation", None),
            ("/installation", None),
            ("/", None),
        ] {
            let url = Url::parse("https://git.example").unwrap();
            assert_eq!(repository_id(&url.join(path).unwrap()), id, "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_end_of_a_token_never_panics(end in arbitrary::time(), now in arbitrary::http_date()) {
            let now = httpdate::parse_http_date(&now).unwrap_or(SystemTime::UNIX_EPOCH);
            let _ = Instant::now() + lifetime(end.parse().ok(), now);
        }
    }
}
