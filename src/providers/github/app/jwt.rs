//! The JWT that a GitHub App authenticates with.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use serde::Serialize;

use crate::model::Secret;
use crate::providers::error::{Error, ErrorKind};
use crate::providers::github::spec::{App, PrivateKey};
use crate::providers::http::request::json;

/// GitHub accepts at most ten minutes.
const LIFETIME: Duration = Duration::from_mins(9);
/// How far GitHub's clock may be behind.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

#[derive(Serialize)]
struct Claims<'a> {
    iat: u64,
    exp: u64,
    iss: &'a str,
}

/// Signs a JWT with RS256. It's valid until [`LIFETIME`] after `now`.
pub(super) fn jwt(app: &App, now: SystemTime) -> Result<Secret, Error> {
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let claims = Claims {
        iat: now.saturating_sub(CLOCK_SKEW.as_secs()),
        exp: now + LIFETIME.as_secs(),
        iss: &app.client_id,
    };
    let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let unsigned = format!(
        "{}.{}",
        encode(r#"{"alg":"RS256","typ":"JWT"}"#),
        encode(json(&claims).get())
    );
    let key = match &app.private_key {
        PrivateKey::Pkcs1(der) => KeyPair::from_der(der),
        PrivateKey::Pkcs8(der) => KeyPair::from_pkcs8(der),
    };
    let key = key.map_err(|error| {
        Error::new(
            ErrorKind::Rejected,
            format!("the App's private key can't be used: {error}"),
        )
        .hint("set `private-key` to the .pem file that GitHub generated: an RSA key of at least 2,048 bits")
    })?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        unsigned.as_bytes(),
        &mut signature,
    )
    .map_err(|_| {
        Error::new(
            ErrorKind::Rejected,
            "the App's private key can't be used to sign",
        )
    })?;
    Ok(Secret::new(format!(
        "{unsigned}.{}",
        URL_SAFE_NO_PAD.encode(signature)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustls::pki_types::pem::PemObject as _;

    /// The key is user input, and validation only checks its PEM.
    #[test]
    fn signing_with_a_damaged_key_never_panics() {
        const KEY: &str = include_str!("../../../../tests/sandbox/keys/test-only-app.pkcs1.pem");
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
                let _ = jwt(&App { client_id: "Iv1".to_owned(), private_key }, SystemTime::now());
            }
        });
    }
}
