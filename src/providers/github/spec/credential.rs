//! The credential for GitHub: a token, an App, or `GITHUB_TOKEN`.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::model::Secret;
use crate::providers::common_inputs::Token;
use crate::providers::provider::{Distance, InputContext};
use crate::values::{Checked, Errors, InputError, Inputs, RawInput, with_line_breaks};

pub(crate) enum GitHubCredential {
    Token(Secret),
    /// The job's `GITHUB_TOKEN`, which is only valid for the workflow's repository.
    WorkflowToken(Secret),
    App(App),
}

pub(crate) struct App {
    /// Client ID or App ID.
    pub(crate) client_id: String,
    pub(crate) private_key: PrivateKey,
}

/// An RSA key in DER, in either encoding. Many targets may share it. It has no `Debug`, like [`Secret`].
#[derive(Clone)]
pub(crate) enum PrivateKey {
    Pkcs1(Rc<[u8]>),
    Pkcs8(Rc<[u8]>),
}

pub(super) fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<GitHubCredential> {
    let mut errors = Errors::default();
    let token = errors.take(context.token(inputs));
    let app = errors.take(app(inputs, context));
    let credential = token.zip(app).and_then(|(token, app)| {
        errors.take(match (token, app) {
            (Token::Given(_), Some(_)) => {
                InputError::new("token", "is set, and so is `client-id` of a GitHub App")
                    .hint("use one of the two")
                    .fail()
            }
            (_, Some(app)) => Ok(GitHubCredential::App(app)),
            (Token::Given(token), None) => Ok(GitHubCredential::Token(token)),
            (Token::Empty, None) => context.empty("token"),
            (Token::NotGiven { own }, None) => match &context.distance {
                Some(distance) => workflow_token(own, inputs, distance),
                None => Err(Vec::new()),
            },
        })
    });
    errors.finish(|| credential)
}

fn app(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Option<App>> {
    match (inputs.get("client-id"), inputs.raw("private-key")) {
        (None, None) => Ok(None),
        (Some(client_id), Some(key)) => {
            let mut errors = Errors::default();
            errors.add(invalid_client_id(client_id));
            let private_key = errors.take(key.parsed(private_key));
            errors.finish(|| {
                let client_id = client_id.to_owned();
                Some(Some(App {
                    client_id,
                    private_key: private_key?,
                }))
            })
        }
        (Some(_), None) if inputs.is_empty("private-key") => context.empty("private-key"),
        (Some(_), None) => InputError::new("private-key", "is missing")
            .hint("pass the private key of the GitHub App in `client-id`")
            .fail(),
        (None, Some(_)) => InputError::new("client-id", "is missing")
            .hint("pass the client ID of the GitHub App that `private-key` belongs to")
            .fail(),
    }
}

/// Rejects what a copied client ID or App ID may have around it. GitHub would only answer that it's unknown.
fn invalid_client_id(text: &str) -> Option<InputError> {
    let what = if text.contains(['"', '\'']) {
        "contains quotes"
    } else if text.contains(|of: char| !of.is_ascii_graphic()) {
        "contains a space or an invisible character"
    } else {
        return None;
    };
    let hint = "copy the client ID again, with nothing around it";
    Some(InputError::new("client-id", what).hint(hint))
}

/// Returns `GITHUB_TOKEN` if it can trigger or read the target.
fn workflow_token(
    token: Option<Secret>,
    inputs: &Inputs,
    distance: &Distance<'_>,
) -> Checked<GitHubCredential> {
    let follows = inputs.raw("follow").is_some();
    let reason = match (token, distance) {
        (Some(token), Distance::SameRepository) => {
            return Ok(GitHubCredential::WorkflowToken(token));
        }
        (Some(_), Distance::SameServer { own }) if follows => {
            format!(". `GITHUB_TOKEN` can only read runs of {own}, not of other repositories")
        }
        (Some(_), Distance::SameServer { own }) => {
            format!(
                ". `GITHUB_TOKEN` can only trigger workflows of {own}, not of other repositories"
            )
        }
        (Some(_), Distance::OtherServer) => {
            ". `GITHUB_TOKEN` is only sent to the server that this workflow runs on".to_owned()
        }
        (None, _) => String::new(),
    };
    let permission = match inputs.get("workflow") {
        _ if follows => "Actions: read",
        Some(_) => "Actions: write",
        None => "Contents: write",
    };
    InputError::new("token", format!("is missing{reason}"))
        .hint(format!(
            "pass a token with the permission \"{permission}\" for this repository"
        ))
        .fail()
}

/// Reads a key in PEM as GitHub provides it, or with escaped line breaks or in base64 for places that don't keep line
/// breaks.
fn private_key(written: &RawInput) -> Checked<PrivateKey> {
    let text = written.as_text().unwrap_or_default();
    let pem = if text.contains("-----BEGIN") {
        Some(with_line_breaks(text).into_bytes())
    } else {
        let compact: String = text.split_whitespace().collect();
        STANDARD.decode(compact).ok()
    };
    match pem.map(|pem| PrivateKeyDer::from_pem_slice(&pem)) {
        Some(Ok(PrivateKeyDer::Pkcs1(key))) => Ok(PrivateKey::Pkcs1(key.secret_pkcs1_der().into())),
        Some(Ok(PrivateKeyDer::Pkcs8(key))) => Ok(PrivateKey::Pkcs8(key.secret_pkcs8_der().into())),
        Some(_) | None => InputError::new("private-key", "isn't a private key")
            .hint("pass the whole .pem file from GitHub, from `-----BEGIN RSA PRIVATE KEY-----` to the end: as it is, with `\\n` for the line breaks, or in base64")
            .fail(),
    }
}
