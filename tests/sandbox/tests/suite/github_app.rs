//! GitHub Apps: JWTs, the installation, and the rights of minted tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use sandbox::{Sandbox, demo};
use serde_json::{Value, json};

use crate::client::{Response, request, start};

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn sign(claims: &Value) -> String {
    let pem = demo::GITHUB_APP_PRIVATE_KEY.lines();
    let text: String = pem.filter(|line| !line.starts_with("-----")).collect();
    let key = RsaKeyPair::from_der(&BASE64_STANDARD.decode(text).unwrap()).unwrap();
    let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let signed = format!("{header}.{claims}");
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(
        &RSA_PKCS1_SHA256,
        &random,
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn valid_jwt() -> String {
    sign(&json!({"iat": now() - 10, "exp": now() + 500, "iss": demo::GITHUB_APP_CLIENT_ID}))
}

fn installation(sandbox: &Sandbox, token: &str) -> Response {
    let path = "/api/v3/repos/octo-org/app/installation";
    request(sandbox, "GET", path).bearer(token).send()
}

fn mint(sandbox: &Sandbox, body: &Value) -> Response {
    let id = demo::GITHUB_INSTALLATION_ID;
    let path = format!("/api/v3/app/installations/{id}/access_tokens");
    request(sandbox, "POST", &path)
        .bearer(&valid_jwt())
        .json(body)
        .send()
}

#[test]
fn client_id_and_app_id_both_name_the_app() {
    let sandbox = start();
    for issuer in [
        json!(demo::GITHUB_APP_CLIENT_ID),
        json!(demo::GITHUB_APP_ID),
    ] {
        let token = sign(&json!({"iat": now(), "exp": now() + 60, "iss": issuer}));
        let response = installation(&sandbox, &token);
        assert_eq!(response.json()["id"], demo::GITHUB_INSTALLATION_ID);
        assert_eq!(response.json()["permissions"]["contents"], "write");
    }
    let path = "/api/v3/repos/octo-org/caller/installation";
    assert_eq!(
        request(&sandbox, "GET", path)
            .bearer(&valid_jwt())
            .send()
            .status,
        404
    );
}

#[test]
fn invalid_jwts_are_refused() {
    let sandbox = start();
    let app = demo::GITHUB_APP_CLIENT_ID;
    let valid_jwt = valid_jwt();
    let (signed, _) = valid_jwt.rsplit_once('.').unwrap();
    let cases = [
        (format!("{signed}.AAAA"), 401, "could not be decoded"),
        (demo::GITHUB_CLASSIC.to_owned(), 401, "could not be decoded"),
        (
            sign(&json!({"iat": now() - 700, "exp": now() - 100, "iss": app})),
            401,
            "('exp') must be",
        ),
        (
            sign(&json!({"iat": now(), "exp": now() + 3600, "iss": app})),
            401,
            "too far in the future",
        ),
        (
            sign(&json!({"iat": now() + 300, "exp": now() + 500, "iss": app})),
            401,
            "('iat') must be",
        ),
        (
            sign(&json!({"iat": now(), "exp": now() + 60, "iss": "Iv1.unknown"})),
            404,
            "Integration not found",
        ),
    ];
    for (token, status, message) in cases {
        let (answered, said) = installation(&sandbox, &token).status_and_message();
        assert_eq!(answered, status, "{said}");
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn a_minted_token_has_only_the_requested_rights() {
    let sandbox = start();
    let response = mint(
        &sandbox,
        &json!({"repositories": ["app"], "permissions": {"contents": "write"}}),
    );
    assert_eq!(response.status, 201);
    assert_eq!(response.json()["permissions"], json!({"contents": "write"}));
    let token = response.json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("ghs_"));

    let post = |path: &str, body: Value| {
        request(&sandbox, "POST", path)
            .bearer(&token)
            .json(body)
            .send()
            .status
    };
    let event = json!({"event_type": "deploy"});
    assert_eq!(
        post("/api/v3/repos/octo-org/app/dispatches", event.clone()),
        204
    );
    assert_eq!(
        post("/api/v3/repos/octo-org/private/dispatches", event),
        404
    );
    let workflow = "/api/v3/repos/octo-org/app/actions/workflows/101/dispatches";
    assert_eq!(post(workflow, json!({"ref": "main"})), 403);
    assert_eq!(sandbox.runs()[0].actor, "octo-deployer[bot]");
}

#[test]
fn nothing_is_minted_beyond_the_installation() {
    let sandbox = start();
    let refusals = [
        json!({"repositories": ["caller"]}),
        json!({"permissions": {"administration": "write"}}),
        json!({"permissions": {"contents": "everything"}}),
        json!({"repos": ["app"]}),
    ];
    for body in refusals {
        assert_eq!(mint(&sandbox, &body).status, 422, "{body}");
    }
    let path = "/api/v3/app/installations/1/access_tokens";
    assert_eq!(
        request(&sandbox, "POST", path)
            .bearer(&valid_jwt())
            .send()
            .status,
        404
    );
}

#[test]
fn an_expired_minted_token_is_a_bad_credential() {
    let sandbox = start();
    let token = mint(&sandbox, &json!({})).json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let get = || {
        let path = "/api/v3/repos/octo-org/private";
        request(&sandbox, "GET", path).bearer(&token).send().status
    };
    assert_eq!(get(), 200);
    sandbox.with_world(|world| {
        for known in &mut world.github.tokens {
            known.expires_at = known.expires_at.map(|_| UNIX_EPOCH);
        }
    });
    assert_eq!(get(), 401);
}

#[test]
fn only_a_minted_token_can_be_revoked() {
    let sandbox = start();
    let minted = mint(&sandbox, &json!({})).json();
    let minted = minted["token"].as_str().unwrap();
    let revoke = |token: &str| {
        let path = "/api/v3/installation/token";
        request(&sandbox, "DELETE", path)
            .bearer(token)
            .send()
            .status
    };
    assert_eq!(
        sandbox.with_world(|world| world.github.minted_tokens().len()),
        1
    );
    assert_eq!([revoke(minted), revoke(minted)], [204, 401]);
    assert_eq!(revoke(demo::GITHUB_CLASSIC), 403);
    assert_eq!(
        sandbox.with_world(|world| world.github.minted_tokens().len()),
        0
    );
}

#[test]
fn a_renamed_repository_is_installed_under_its_new_name() {
    let sandbox = start();
    sandbox.with_world(|world| world.rename_github_repository("octo-org/app", "octo-org/api"));
    assert_eq!(installation(&sandbox, &valid_jwt()).status, 301);
    assert_eq!(
        mint(&sandbox, &json!({"repositories": ["app"]})).status,
        422
    );
    assert_eq!(
        mint(&sandbox, &json!({"repositories": ["api"]})).status,
        201
    );
    assert_eq!(
        mint(&sandbox, &json!({"repository_ids": [1001]})).status,
        201
    );
}

#[test]
fn only_a_minted_token_lists_its_repositories() {
    let sandbox = start();
    let minted = mint(&sandbox, &json!({"repositories": ["app"]})).json();
    let request_with = |token: &str| {
        let path = "/api/v3/installation/repositories";
        request(&sandbox, "GET", path).bearer(token).send()
    };
    let response = request_with(minted["token"].as_str().unwrap()).json();
    assert_eq!(response["total_count"], 1);
    assert_eq!(response["repositories"][0]["full_name"], "octo-org/app");
    assert_eq!(request_with(demo::GITHUB_CLASSIC).status, 403);
}

#[test]
fn an_installation_is_found_by_a_former_name_too() {
    let sandbox = start();
    let path = "/api/v3/repos/octo-org/renamed-app/installation";
    let moved = request(&sandbox, "GET", path).bearer(&valid_jwt()).send();
    assert_eq!(moved.status, 301);
    let location = moved.headers.get("location").unwrap().to_owned();
    let path = location.strip_prefix(&sandbox.http_url()).unwrap();
    let found = request(&sandbox, "GET", path).bearer(&valid_jwt()).send();
    assert_eq!(found.json(), installation(&sandbox, &valid_jwt()).json());
}
