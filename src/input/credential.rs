//! Whose token: which credential a target is triggered with, and where one must never go.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::HostRepository;
use super::location::Location;
use crate::model::Secret;
use crate::providers::any::ProviderKind;
use crate::providers::bitbucket::spec::BitbucketCredential;
use crate::providers::github::spec::{App, GitHubCredential, PrivateKey};
use crate::providers::gitlab::spec::GitLabCredential;
use crate::values::{Checked, Errors, Inputs, RawInput, complain, with_line_breaks};

/// How tokens of each provider begin. A token is never sent to another provider.
const PREFIXES: [(&str, ProviderKind); 15] = [
    ("ghp_", ProviderKind::GitHub),
    ("gho_", ProviderKind::GitHub),
    ("ghu_", ProviderKind::GitHub),
    ("ghs_", ProviderKind::GitHub),
    ("ghr_", ProviderKind::GitHub),
    ("github_pat_", ProviderKind::GitHub),
    ("glpat-", ProviderKind::GitLab),
    ("glptt-", ProviderKind::GitLab),
    ("gldt-", ProviderKind::GitLab),
    ("glcbt-", ProviderKind::GitLab),
    ("glrt-", ProviderKind::GitLab),
    ("gloas-", ProviderKind::GitLab),
    ("ATCTT3x", ProviderKind::Bitbucket),
    ("ATATT3x", ProviderKind::Bitbucket),
    ("ATBB", ProviderKind::Bitbucket),
];

const TRIGGER_TOKEN_PREFIX: &str = "glptt-";

/// Complains about a credential that is there, but empty.
fn empty<T>(input: &str, host_repository: &HostRepository) -> Checked<T> {
    let or_withheld = &host_repository.or_withheld;
    let message = format!("it is empty: the secret is not set{or_withheld}");
    complain(input, message)
}

/// What the `token` input says.
enum Token {
    /// Not set, or the default.
    NotGiven {
        own: Option<Secret>,
    },
    Empty,
    Given(Secret),
}

fn token(inputs: &Inputs, provider: ProviderKind) -> Checked<Token> {
    let own = inputs.get("github-token").map(Secret::new);
    match inputs.get("token") {
        None if inputs.is_empty("token") => Ok(Token::Empty),
        Some(text) if own.as_ref().is_none_or(|own| own.expose() != text) => {
            check(text, "token", provider).map(Token::Given)
        }
        Some(_) | None => Ok(Token::NotGiven { own }),
    }
}

/// A credential that can travel, to the provider that it is of.
fn check(text: &str, input: &str, provider: ProviderKind) -> Checked<Secret> {
    let Some(token) = Secret::token(text) else {
        return complain(
            input,
            "it has a line break, blank or other character in it that no token has: set the secret again, without what is around the token",
        );
    };
    match PREFIXES.iter().find(|(prefix, _)| text.starts_with(prefix)) {
        Some((_, owner)) if *owner != provider => complain(
            input,
            format!(
                "it looks like a {} token, which is never sent to {}",
                owner.name(),
                provider.name()
            ),
        ),
        _ => Ok(token),
    }
}

pub(super) fn github(
    inputs: &Inputs,
    host_repository: &HostRepository,
    place: Option<&Location>,
) -> Checked<GitHubCredential> {
    let mut errors = Errors::default();
    let token = errors.take(token(inputs, ProviderKind::GitHub));
    let app = errors.take(app(inputs, host_repository));
    let credential = token.zip(app).and_then(|(token, app)| {
        errors.take(match (token, app) {
            (Token::Given(_), Some(_)) => complain(
                "token",
                "there is a GitHub App too (`client-id`): give one of the two",
            ),
            (_, Some(app)) => Ok(GitHubCredential::App(app)),
            (Token::Given(token), None) => Ok(GitHubCredential::Token(token)),
            (Token::Empty, None) => empty("token", host_repository),
            (Token::NotGiven { own }, None) => match place {
                Some(place) => workflow_token(own, inputs, host_repository, place),
                None => Err(Vec::new()),
            },
        })
    });
    errors.finish(|| credential)
}

fn app(inputs: &Inputs, host_repository: &HostRepository) -> Checked<Option<App>> {
    match (inputs.get("client-id"), inputs.written("private-key")) {
        (None, None) => Ok(None),
        (Some(client_id), Some(key)) => {
            let private_key = key.parsed(private_key)?;
            Ok(Some(App {
                client_id: client_id.to_owned(),
                private_key,
            }))
        }
        (Some(_), None) if inputs.is_empty("private-key") => empty("private-key", host_repository),
        (Some(_), None) => complain("private-key", "it is needed with `client-id`"),
        (None, Some(_)) => complain("client-id", "it is needed with `private-key`"),
    }
}

/// The workflow's own token, where that will do.
fn workflow_token(
    token: Option<Secret>,
    inputs: &Inputs,
    host_repository: &HostRepository,
    place: &Location,
) -> Checked<GitHubCredential> {
    let own = host_repository.repository.as_deref();
    let at_home = host_repository.is_at(&place.server.web);
    let is_own = own.is_none_or(|own| own.eq_ignore_ascii_case(&place.repository));
    let known = token.is_some();
    match token {
        Some(token) if at_home && is_own => return Ok(GitHubCredential::WorkflowToken(token)),
        Some(_) | None => {}
    }
    let permission = match inputs.get("workflow") {
        Some(_) => "Actions: write",
        None => "Contents: write",
    };
    let needed =
        format!("a token with the permission \"{permission}\" for this repository is needed");
    let message = if !known {
        needed
    } else if at_home {
        format!(
            "{needed}. The workflow's own token can trigger only {}, not this repository",
            own.unwrap_or_default()
        )
    } else {
        format!("{needed}. The workflow's own token is never sent to another server than its own")
    };
    complain("token", message)
}

pub(super) fn gitlab(
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Checked<GitLabCredential> {
    let mut errors = Errors::default();
    let token = errors.take(token(inputs, ProviderKind::GitLab));
    let trigger = errors.take(trigger_token(inputs));
    let credential = token.zip(trigger).and_then(|(token, trigger)| {
        errors.take(match (trigger, token) {
            (Some(_), Token::Given(token)) if is_trigger_token(token.expose()) => complain(
                "token",
                "it looks like a trigger token, and `trigger-token` has one already: leave one out",
            ),
            (Some(trigger), Token::Given(reader)) => Ok(GitLabCredential::Trigger {
                token: trigger,
                reader: Some(reader),
            }),
            (Some(trigger), Token::NotGiven { .. } | Token::Empty) => {
                Ok(GitLabCredential::Trigger {
                    token: trigger,
                    reader: None,
                })
            }
            (None, Token::Given(token)) if is_trigger_token(token.expose()) => {
                Ok(GitLabCredential::Trigger {
                    token,
                    reader: None,
                })
            }
            (None, Token::Given(token)) => Ok(GitLabCredential::Access(token)),
            (None, Token::Empty) => empty("token", host_repository),
            (None, Token::NotGiven { .. }) => complain(
                "token",
                format!(
                    "a GitLab access token is needed, or a `trigger-token`. If one was meant to be there, its secret is not set{}",
                    host_repository.or_withheld
                ),
            ),
        })
    });
    errors.finish(|| credential)
}

fn trigger_token(inputs: &Inputs) -> Checked<Option<Secret>> {
    const NAME: &str = "trigger-token";
    let Some(text) = inputs.get(NAME) else {
        return Ok(None);
    };
    if text.starts_with("glpat-") {
        let message = "it looks like an access token, which goes into `token`";
        return complain(NAME, message);
    }
    check(text, NAME, ProviderKind::GitLab).map(Some)
}

/// Whether a token can trigger pipelines of a GitLab project, and do nothing else.
pub(super) fn is_trigger_token(token: &str) -> bool {
    token.starts_with(TRIGGER_TOKEN_PREFIX)
}

pub(super) fn bitbucket(
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Checked<BitbucketCredential> {
    let mut errors = Errors::default();
    let token = errors.take(match token(inputs, ProviderKind::Bitbucket) {
        Ok(Token::Given(token)) => Ok(token),
        Ok(Token::Empty) => empty("token", host_repository),
        Ok(Token::NotGiven { .. }) => complain(
            "token",
            "a Bitbucket access token is needed, or an API token together with `email`",
        ),
        Err(found) => Err(found),
    });
    let email = errors.take(email(inputs));
    errors.finish(|| {
        let token = token?;
        Some(match email? {
            None => BitbucketCredential::Access(token),
            Some(email) => BitbucketCredential::Api { email, token },
        })
    })
}

fn email(inputs: &Inputs) -> Checked<Option<String>> {
    const NAME: &str = "email";
    let Some(email) = inputs.get(NAME) else {
        return Ok(None);
    };
    if !email.contains('@') || email.contains(':') || email.contains(char::is_whitespace) {
        return complain(
            NAME,
            "it must be the e-mail address of the API token's owner, not the user name",
        );
    }
    Ok(Some(email.to_owned()))
}

/// A key as GitHub hands it out, or as it gets through places that keep no line breaks.
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
        Some(_) | None => complain(
            "private-key",
            "it is not a private key: give the whole .pem file that GitHub made, `-----BEGIN RSA PRIVATE KEY-----` and what follows, as it is, with `\\n` for the line breaks, or in base64",
        ),
    }
}
