//! A GitHub App's installation token, minted for just the target repository and just the permissions
//! that are needed, and good for an hour.
//! Facts: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>.

use std::collections::BTreeMap;
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

use super::{Api, repository};
use crate::event::Event;
use crate::provider::http::Http;
use crate::provider::{Error, Kind, below, judge};
use crate::secret::Secret;
use crate::target::{App, GitHubCall, GitHubPipeline, OnAbandoned, PrivateKey, Target};

/// GitHub takes at most ten minutes; its clock may be a little behind ours.
const LIFETIME_SECONDS: u64 = 9 * 60;
const CLOCK_SKEW_SECONDS: u64 = 60;

/// Of an installation token whose end is not told.
const LIFETIME: Duration = Duration::from_hours(1);
/// So long before its end a token is replaced.
const RESERVE: Duration = Duration::from_mins(5);

#[derive(Serialize)]
struct Claims<'a> {
    iat: u64,
    exp: u64,
    iss: &'a str,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
    app_slug: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
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

pub(super) async fn installation_token<'a>(
    target: &Target,
    call: &GitHubCall,
    app: &App,
    http: &'a Http<'a>,
) -> Result<(Secret, Installed), Error> {
    let jwt = jwt(app)?;
    http.tell(Event::Minted(&jwt));
    let api = Api::new(&target.server.api, &jwt, http)?;

    let answer = api.get(&repository(target, ["installation"])).await?;
    let answer = judge(answer, "the App's installation")
        .map_err(|error| installation_failure(error, target, app))?;
    let Installation { id, app_slug } = answer.json().map_err(|why| {
        Error::new(
            Kind::Unknown,
            format!("the App's installation cannot be read: {why}"),
        )
    })?;

    let name = target.repository.split('/').next_back().unwrap_or_default();
    let permissions = permissions(target, call);
    let body = super::json(&json!({ "repositories": [name], "permissions": permissions }));
    let url = below(
        &target.server.api,
        ["app", "installations", &id.to_string(), "access_tokens"],
    );
    let answer = judge(api.post(&url, &body).await?, "an installation token").map_err(|error| {
        if error.answer().is_some_and(|answer| answer.status == StatusCode::UNPROCESSABLE_ENTITY) {
            let needed: Vec<_> = permissions
                .iter()
                .map(|(name, level)| format!("\"{}: {level}\"", super::explain::titled(name)))
                .collect();
            let hint = format!("give the App the repository permissions it needs here ({}), and accept them in its installation{}", needed.join(", "), without_cancel(target));
            error.adding("the App lacks a permission there", hint)
        } else {
            error
        }
    })?;
    let Token { token, expires_at } = answer.json().map_err(|why| {
        Error::new(
            Kind::Unknown,
            format!("the installation token cannot be read: {why}"),
        )
    })?;
    let lifetime = expires_at
        .and_then(|end| {
            let now = DateTime::<Utc>::from(http.at_server(SystemTime::now()));
            (end - now).to_std().ok()
        })
        .unwrap_or(LIFETIME);
    let installed = Installed {
        slug: app_slug,
        renew_at: Instant::now() + lifetime - RESERVE.min(lifetime / 2),
    };
    Ok((Secret::new(token), installed))
}

/// Just what is needed, so that the token can do nothing else.
fn permissions(target: &Target, call: &GitHubCall) -> BTreeMap<&'static str, &'static str> {
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

fn installation_failure(error: Error, target: &Target, app: &App) -> Error {
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
        StatusCode::NOT_FOUND => error.adding(
            format!("the App {} is not installed on {}, or there is no such repository", app.client_id, target.repository),
            "install the App on the repository, and check the repository's name",
        ),
        _ => error,
    }
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
