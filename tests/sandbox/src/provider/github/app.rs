//! GitHub Apps: verifies their JWTs (RS256), finds their installation, and mints and revokes installation tokens.
//! `access` checks what those may do.

use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Map, Value, json};

use super::access::{self, Caller};
use super::account::{CREATED_AT, organization};
use super::error::Failure;
use super::{ApiResult, Call, json_body, repository, workflow};
use crate::clock;
use crate::response::Response;
use crate::world::{
    Access, GitHubApp, GitHubToken, GitHubTokenKind, Installation, MINTED_PREFIX, Permissions,
    World,
};

pub(super) const INSTALLATION_PAGE: &str = "https://docs.github.com/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app";
pub(super) const REPOSITORIES_PAGE: &str = "https://docs.github.com/rest/apps/installations#list-repositories-accessible-to-the-app-installation";
pub(super) const MINT_PAGE: &str =
    "https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app";

pub(super) const REVOKE_PAGE: &str =
    "https://docs.github.com/rest/apps/installations#revoke-an-installation-access-token";

/// Maximum lifetime of a JWT, in seconds.
const MAX_LIFETIME: u64 = 600;
/// Clock skew that GitHub tolerates, in seconds.
const CLOCK_SKEW: u64 = 60;

/// Verifies a JWT, and returns the id of the App that signed it.
pub(super) fn verify(world: &World, token: &str) -> Result<u64, Failure> {
    let undecodable = || Failure::new(401, "A JSON web token could not be decoded");
    let (signed, signature) = token.rsplit_once('.').ok_or_else(undecodable)?;
    let (header, claims) = signed.split_once('.').ok_or_else(undecodable)?;
    let header = decode(header).ok_or_else(undecodable)?;
    let claims = decode(claims).ok_or_else(undecodable)?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
    let signature = signature.map_err(|_| undecodable())?;
    if header.get("alg").and_then(Value::as_str) != Some("RS256") {
        return Err(undecodable());
    }
    let issuer = claims.get("iss").map(|issuer| {
        let text = issuer.as_str().map(str::to_owned);
        text.unwrap_or_else(|| issuer.to_string())
    });
    let issuer = issuer.ok_or_else(|| {
        Failure::new(
            401,
            "'Issuer' claim ('iss') must be an Integer or a client id",
        )
    })?;
    let app = world
        .github
        .apps
        .iter()
        .find(|app| app.client_id == issuer || app.id.to_string() == issuer)
        .ok_or_else(|| Failure::new(404, "Integration not found"))?;
    let key = public_key(app).ok_or_else(undecodable)?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| undecodable())?;
    check_times(&claims, world.now())?;
    Ok(app.id)
}

fn check_times(claims: &Map<String, Value>, now: SystemTime) -> Result<(), Failure> {
    let now = clock::seconds(now);
    let number = |name: &str| claims.get(name).and_then(Value::as_u64);
    let expires = number("exp").filter(|expires| *expires > now).ok_or_else(|| {
        Failure::new(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
             assertion expires",
        )
    })?;
    number("iat").filter(|issued| *issued <= now + CLOCK_SKEW).ok_or_else(|| {
        Failure::new(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )
    })?;
    if expires > now + MAX_LIFETIME {
        let message = "'Expiration time' claim ('exp') is too far in the future";
        return Err(Failure::new(401, message));
    }
    Ok(())
}

fn decode(part: &str) -> Option<Map<String, Value>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn public_key(app: &GitHubApp) -> Option<Vec<u8>> {
    let lines = app.public_key_pem.lines();
    let text: String = lines.filter(|line| !line.starts_with("-----")).collect();
    BASE64_STANDARD.decode(text).ok()
}

fn calling_app<'world>(
    world: &'world World,
    call: &Call<'_>,
) -> Result<&'world GitHubApp, Failure> {
    let id = match call.caller {
        Caller::App(id) => Some(id),
        Caller::Anonymous | Caller::Token(_) => None,
    };
    world
        .github
        .apps
        .iter()
        .find(|app| Some(app.id) == id)
        .ok_or_else(|| Failure::new(401, "A JSON web token could not be decoded"))
}

/// `GET /repos/{owner}/{repo}/installation`
pub(super) fn installation(world: &World, call: &Call<'_>, repository: &str) -> ApiResult {
    let app = calling_app(world, call)?;
    let found = access::find(world, repository).ok_or_else(Failure::not_found)?;
    let installed = |installation: &&Installation| installation.repositories.contains(&found.name);
    let installation = app.installations.iter().find(installed);
    let installation = installation.ok_or_else(Failure::not_found)?;
    access::redirect_former_name(call, found, repository, &["installation"])?;
    let owner = repository.split('/').next().unwrap_or_default();
    let account = organization(call, owner);
    let (base, origin, id) = (&call.base, &call.origin, installation.id);
    Ok(Response::json(
        200,
        json!({
            "id": id,
            "client_id": app.client_id,
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": account["id"],
            "target_type": "Organization",
            "account": account,
            "repository_selection": "selected",
            "access_tokens_url": format!("{base}/app/installations/{id}/access_tokens"),
            "repositories_url": format!("{base}/installation/repositories"),
            "html_url": format!("{origin}/organizations/{owner}/settings/installations/{id}"),
            "permissions": to_json(&installation.permissions),
            "events": [],
            "single_file_name": null,
            "created_at": CREATED_AT,
            "updated_at": CREATED_AT,
            "suspended_by": null,
            "suspended_at": null,
        }),
    ))
}

/// `POST /app/installations/{id}/access_tokens`
pub(super) fn mint(world: &mut World, call: &Call<'_>, id: &str) -> ApiResult {
    let app = calling_app(world, call)?;
    let owner = format!("{}[bot]", app.slug);
    let known = |installation: &&Installation| installation.id.to_string() == id;
    let installation = app.installations.iter().find(known);
    let installation = installation.ok_or_else(Failure::not_found)?;
    let body = json_body::parse(
        call.request,
        &["repositories", "repository_ids", "permissions"],
    )?;
    let repositories = repositories(world, installation, &body)?;
    let permissions = permissions(installation, &body)?;

    let expires_at = world.now() + world.github.token_lifetime;
    world.github.minted += 1;
    let value = format!("{MINTED_PREFIX}{:023}", world.github.minted);
    let response = json!({
        "token": value,
        "expires_at": clock::timestamp(expires_at),
        "permissions": to_json(&permissions),
        "repository_selection": "selected",
        "repositories": describe_all(world, call, &repositories),
    });
    let kind = GitHubTokenKind::Installation { permissions };
    let mut token = GitHubToken::new(&value, &owner, kind);
    token.repositories = repositories.into();
    token.expires_at = Some(expires_at);
    world.github.tokens.push(token);
    Ok(Response::json(201, response))
}

/// `DELETE /installation/token`: revokes the token of the call.
pub(super) fn revoke(world: &mut World, call: &Call<'_>) -> ApiResult {
    let value = installation_token(call)?.value.clone();
    world.github.tokens.retain(|token| token.value != value);
    Ok(Response::status(204))
}

fn installation_token<'call>(call: &'call Call<'_>) -> Result<&'call GitHubToken, Failure> {
    let token = call.caller.token().filter(|token| match token.kind {
        GitHubTokenKind::Installation { .. } => true,
        GitHubTokenKind::Classic { .. } | GitHubTokenKind::FineGrained { .. } => false,
    });
    token.ok_or_else(|| {
        let message =
            "You must authenticate with an installation access token in order to call this.";
        Failure::new(403, message)
    })
}

/// `GET /installation/repositories`: lists the repositories of an installation token.
pub(super) fn repositories_of_token(world: &World, call: &Call<'_>) -> ApiResult {
    let token = installation_token(call)?;
    let all = describe_all(world, call, &token.repositories);
    let path = format!("{}/installation/repositories", call.base);
    Ok(workflow::page("repositories", &all, call, &path))
}

fn describe_all(world: &World, call: &Call<'_>, names: &[String]) -> Vec<Value> {
    let all = world.github.repositories.iter();
    all.filter(|repository| names.contains(&repository.name))
        .map(|repository| repository::in_list(call, repository))
        .collect()
}

/// Returns the requested repositories, by bare name or id, or all of the installation if none are requested.
fn repositories(
    world: &World,
    installation: &Installation,
    body: &Map<String, Value>,
) -> Result<Vec<String>, Failure> {
    let requested: Vec<&Value> = ["repositories", "repository_ids"]
        .into_iter()
        .filter_map(|key| body.get(key))
        .flat_map(|list| list.as_array().into_iter().flatten())
        .collect();
    if requested.is_empty() {
        return Ok(installation.repositories.clone());
    }
    let id_of = |name: &str| {
        let mut all = world.github.repositories.iter();
        all.find(|repository| repository.name == name)
            .map(|repository| json!(repository.id))
    };
    let find = |requested: &Value| {
        let mut names = installation.repositories.iter();
        names
            .find(|name| {
                name.split('/').next_back() == requested.as_str()
                    || id_of(name).as_ref() == Some(requested)
            })
            .cloned()
    };
    requested.into_iter().map(find).collect::<Option<_>>().ok_or_else(|| {
        Failure::new(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    })
}

fn permissions(
    installation: &Installation,
    body: &Map<String, Value>,
) -> Result<Permissions, Failure> {
    let requested = json_body::object(body, "permissions", 100)?;
    if requested.is_empty() {
        return Ok(installation.permissions.clone());
    }
    let mut permissions = Permissions::default();
    for (name, access) in requested {
        let access = match access.as_str() {
            Some("read") => Access::Read,
            Some("write") => Access::Write,
            _ => {
                let key = format!("permissions/{name}");
                return Err(json_body::wrong_type(&key, &access, "one of read, write"));
            }
        };
        if !installation.permissions.cover(&name, access) {
            let message = "The permissions requested are not granted to this installation.";
            return Err(Failure::new(422, message));
        }
        permissions.0.insert(name, access);
    }
    Ok(permissions)
}

fn to_json(permissions: &Permissions) -> Value {
    let pairs = permissions.0.iter();
    pairs
        .map(|(name, access)| (name.clone(), json!(access.to_string())))
        .collect::<Map<_, _>>()
        .into()
}
