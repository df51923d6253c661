//! A GitHub App's installation token, minted for just the target repository and just the permissions
//! that are needed, and good for an hour.
//! Facts: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::api::{Api, Library};
use super::session::Permissions;
use crate::event::Event;
use crate::provider::http::{Answer, Http};
use crate::provider::{Error, Kind, below, judge, parse, wire};
use crate::secret::Secret;
use crate::target::{App, GitHubCall, GitHubPipeline, OnAbandoned, PrivateKey, Target};

/// GitHub takes at most ten minutes; its clock may be a little behind ours.
const LIFETIME_SECONDS: u64 = 9 * 60;
const CLOCK_SKEW_SECONDS: u64 = 60;

/// Of an installation token whose end is not told.
const LIFETIME: Duration = Duration::from_hours(1);
/// So long before its end a token is replaced.
const RESERVE: Duration = Duration::from_mins(5);
/// In bytes. All of GitHub's kinds of tokens have forty and more.
const TOKEN_LENGTHS: RangeInclusive<usize> = 20..=4_096;
/// One token is good for no more, if they are named.
pub(super) const MOST_REPOSITORIES: usize = 500;
/// Most repositories that are asked for one by one where GitHub refuses a token for all of them.
const MOST_ASKED: usize = 50;

/// What a token is to be good for.
pub(super) struct Scope<'a> {
    /// `owner/name` of each, all of one owner.
    pub(super) repositories: &'a BTreeSet<String>,
    pub(super) permissions: &'a Permissions,
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: u64,
    exp: u64,
    iss: &'a str,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
    #[serde(default, deserialize_with = "wire::exact")]
    app_slug: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
    #[serde(default, deserialize_with = "wire::lenient")]
    expires_at: Option<DateTime<Utc>>,
}

/// What is known of an installation besides its token.
pub(super) struct Installed {
    slug: Option<String>,
    /// By our clock; tokens without an end are good for an hour.
    renew_at: Instant,
}

impl Installed {
    pub(super) fn expires_soon(&self) -> bool {
        Instant::now() >= self.renew_at
    }

    /// Whom GitHub names as the one who started a run with the token.
    pub(super) fn actor(&self) -> Option<String> {
        self.slug.as_ref().map(|slug| format!("{slug}[bot]"))
    }
}

/// Asks for a token for all of them; that target's repository tells the installation.
pub(super) async fn installation_token(
    target: &Target,
    app: &App,
    scope: &Scope<'_>,
    library: &Rc<Library>,
    http: &Http<'_>,
) -> Result<(Secret, Installed), Error> {
    let jwt = jwt(app)?;
    http.tell(Event::Minted(&jwt));
    let api = Api::new(library, &jwt)?;
    let asker = Asker { api, http, target };

    let answer = asker.installation(&target.repository).await?;
    let Installation { id, app_slug } = match judge(answer, "the App's installation") {
        Ok(answer) => parse(answer, "the App's installation")?,
        Err(error) => return Err(asker.installation_failure(error, app, scope).await),
    };

    let names: Vec<_> = scope
        .repositories
        .iter()
        .filter_map(|repository| repository.split('/').next_back())
        .collect();
    let body = super::json(&json!({ "repositories": names, "permissions": scope.permissions }));
    let url = below(
        &target.server.api,
        ["app", "installations", &id.to_string(), "access_tokens"],
    );
    let answer = asker.api.post(http, &url, Some(&body)).await?;
    let answer = match judge(answer, "an installation token") {
        Ok(answer) => answer,
        Err(error) if error.status() == Some(StatusCode::UNPROCESSABLE_ENTITY) => {
            return Err(asker.scope_failure(error, app, scope).await);
        }
        Err(error) => return Err(error),
    };
    let Token { token, expires_at } = parse(answer, "the installation token")?;
    let installed = Installed {
        slug: app_slug.filter(|slug| is_slug(slug)),
        renew_at: renew_at(expires_at, http.at_server(SystemTime::now())),
    };
    Ok((minted(&token)?, installed))
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

/// When a token is replaced that ends then by the server's clock, which shows this now.
fn renew_at(expires_at: Option<DateTime<Utc>>, now: SystemTime) -> Instant {
    let lifetime = expires_at
        .and_then(|end| (end - DateTime::<Utc>::from(now)).to_std().ok())
        .unwrap_or(LIFETIME);
    Instant::now() + lifetime - RESERVE.min(lifetime / 2)
}

/// Letters, digits and dashes are all that GitHub makes of an App's name.
fn is_slug(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Just what is needed, so that the token can do nothing else.
pub(super) fn permissions(target: &Target, call: &GitHubCall) -> Permissions {
    let mut permissions = BTreeMap::new();
    if let Some(wait) = &target.wait {
        let may_cancel = wait.on_abandoned == OnAbandoned::Cancel;
        permissions.insert("actions", if may_cancel { "write" } else { "read" });
    }
    match call.pipeline {
        GitHubPipeline::RepositoryDispatch { .. } => permissions.insert("contents", "write"),
        GitHubPipeline::WorkflowDispatch { .. } => permissions.insert("actions", "write"),
    };
    permissions
}

/// Who does not want to cancel needs one permission less.
fn without_cancel(target: &Target) -> &'static str {
    match &target.wait {
        Some(wait) if wait.on_abandoned == OnAbandoned::Cancel => {
            "; with `on-abandoned: leave` reading is enough for waiting"
        }
        _ => "",
    }
}

/// The App itself, asking for what it needs.
struct Asker<'a> {
    api: Api,
    http: &'a Http<'a>,
    target: &'a Target,
}

impl Asker<'_> {
    async fn installation(&self, repository: &str) -> Result<Answer, Error> {
        let parts = ["repos"].into_iter().chain(repository.split('/'));
        let url = below(&self.target.server.api, parts.chain(["installation"]));
        self.api.get(self.http, &url).await
    }

    /// Those on which the App is not installed, as far as they are asked for.
    async fn strange<'a>(&self, scope: &Scope<'a>) -> Vec<&'a str> {
        let mut strange = Vec::new();
        for repository in scope.repositories.iter().take(MOST_ASKED) {
            let answer = self.installation(repository).await;
            if answer.is_ok_and(|answer| answer.status == StatusCode::NOT_FOUND) {
                strange.push(repository.as_str());
            }
        }
        strange
    }

    async fn installation_failure(&self, error: Error, app: &App, scope: &Scope<'_>) -> Error {
        let Some(answer) = error.answer() else {
            return error;
        };
        let unknown_app = answer
            .said()
            .is_some_and(|said| said.contains("Integration not found"));
        match answer.status {
            StatusCode::UNAUTHORIZED => error.adding(
                "GitHub does not take the App's key",
                "check that `client-id` and `private-key` are of the same App, and that the runner's clock is right",
            ),
            StatusCode::NOT_FOUND if unknown_app => error.adding(
                format!("there is no App {}", app.client_id),
                "check `client-id`: it stands in the App's settings; an App of another server is unknown here",
            ),
            StatusCode::NOT_FOUND => not_installed(error, app, &self.strange(scope).await),
            _ => error,
        }
    }

    /// A token for these repositories with these permissions is refused.
    async fn scope_failure(&self, error: Error, app: &App, scope: &Scope<'_>) -> Error {
        let strange = self.strange(scope).await;
        if !strange.is_empty() {
            return not_installed(error, app, &strange);
        }
        let needed: Vec<_> = scope
            .permissions
            .iter()
            .map(|(name, level)| format!("\"{}: {level}\"", super::explain::titled(name)))
            .collect();
        let hint = format!(
            "give the App the repository permissions it needs here ({}), and accept them in its installation{}",
            needed.join(", "),
            without_cancel(self.target)
        );
        error.adding("the App lacks a permission there", hint)
    }
}

fn not_installed(error: Error, app: &App, repositories: &[&str]) -> Error {
    error.adding(
        format!(
            "the App {} is not installed on {}, or there is no such repository",
            app.client_id,
            repositories.join(", ")
        ),
        "install the App on the repository, and check the repository's name",
    )
}

/// A token by which the App proves who it is: RS256, valid for minutes.
fn jwt(app: &App) -> Result<Secret, Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let claims = Claims {
        iat: now.saturating_sub(CLOCK_SKEW_SECONDS),
        exp: now + LIFETIME_SECONDS,
        iss: &app.client_id,
    };
    let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let unsigned = format!(
        "{}.{}",
        encode(r#"{"alg":"RS256","typ":"JWT"}"#),
        encode(super::json(&claims).get())
    );
    let key = match &app.private_key {
        PrivateKey::Pkcs1(der) => KeyPair::from_der(der),
        PrivateKey::Pkcs8(der) => KeyPair::from_pkcs8(der),
    };
    let key = key.map_err(|error| {
        Error::new(
            Kind::Rejected,
            format!("the App's private key cannot be used: {error}"),
        )
        .hint("it must be an RSA key of at least 2,048 bits: give the .pem file that GitHub made")
    })?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        unsigned.as_bytes(),
        &mut signature,
    )
    .map_err(|_| Error::new(Kind::Rejected, "the App's private key cannot sign"))?;
    Ok(Secret::new(format!(
        "{unsigned}.{}",
        URL_SAFE_NO_PAD.encode(signature)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise;
    use proptest::prelude::*;
    use rustls::pki_types::pem::PemObject as _;

    proptest! {
        #[test]
        fn a_token_never_panics(
            installation in noise::answer(json!({ "id": 1, "app_slug": "deployer" })),
            token in noise::answer(json!({ "token": "ghs_x", "expires_at": "2026-11-22T13:00:00Z" })),
            now in noise::http_date(),
        ) {
            let _ = installation.answer().json::<Installation>();
            let now = httpdate::parse_http_date(&now).unwrap_or(UNIX_EPOCH);
            if let Ok(Token { expires_at, .. }) = token.answer().json() {
                renew_at(expires_at, now);
            }
        }
    }

    /// A key is an input, though only its PEM is looked at before.
    #[test]
    fn a_key_never_panics() {
        const KEY: &str = include_str!("../../../tests/sandbox/keys/test-only-app.pkcs1.pem");
        let key = rustls::pki_types::PrivatePkcs1KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let key = key.secret_pkcs1_der().to_vec();
        let place = any::<prop::sample::Index>();
        let changes = prop::collection::vec((place, 1..=u8::MAX), 1..4);
        proptest!(|(changes in changes, cut in any::<prop::sample::Index>(), is_cut in any::<bool>())| {
            let mut key = key.clone();
            for (place, change) in changes {
                let at = place.index(key.len());
                key[at] ^= change;
            }
            if is_cut {
                key.truncate(cut.index(key.len()));
            }
            for private_key in [PrivateKey::Pkcs1(key.as_slice().into()), PrivateKey::Pkcs8(key.as_slice().into())] {
                let _ = jwt(&App { client_id: "Iv1".to_owned(), private_key });
            }
        });
    }
}
