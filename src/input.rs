//! `INPUT_*` to a [`Request`], or every complaint at once. Nothing is read but the environment given.

mod complaint;
mod credential;
mod document;
mod pipeline;
mod place;
mod raw;
mod table;
mod wait;

use std::collections::BTreeMap;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::Url;

pub(crate) use complaint::Complaint;
use complaint::{Part, both, complain, none_of};
pub(crate) use raw::Inputs;

use crate::secret::Secret;
use crate::target::{Mode, Provider, Request, Server, Target};

/// Where the workflow itself runs.
pub(crate) struct Home {
    server: Server,
    /// `None` by hand.
    repository: Option<String>,
}

impl Home {
    /// Reads `GITHUB_SERVER_URL`, `GITHUB_API_URL` and `GITHUB_REPOSITORY`; by hand it is github.com.
    pub(crate) fn from_environment(environment: &BTreeMap<String, String>) -> Part<Self> {
        let get = |name: &str| {
            environment
                .get(name)
                .map(String::as_str)
                .filter(|value| !value.is_empty())
        };
        let url = |name: &str, text: &str| {
            place::server_address(text).or_else(|message| complain(name, message))
        };
        let web = url(
            "GITHUB_SERVER_URL",
            get("GITHUB_SERVER_URL").unwrap_or("https://github.com"),
        )?;
        let api = match get("GITHUB_API_URL") {
            Some(text) => url("GITHUB_API_URL", text)?,
            None => place::api_address(Provider::GitHub, &web),
        };
        Ok(Self {
            server: Server { web, api },
            repository: get("GITHUB_REPOSITORY").map(str::to_owned),
        })
    }

    fn is_at(&self, server: &Url) -> bool {
        self.server.web == *server
    }
}

/// Passwords that stand in proxies' addresses; the HTTP client reads the same variables.
pub(crate) fn proxy_passwords(environment: &BTreeMap<String, String>) -> Vec<Secret> {
    let is_proxy = |name: &str| {
        ["https_proxy", "http_proxy", "all_proxy"].contains(&name.to_lowercase().as_str())
    };
    environment
        .iter()
        .filter(|(name, _)| is_proxy(name))
        .filter_map(|(_, value)| Some(Secret::new(Url::parse(value).ok()?.password()?)))
        .collect()
}

/// Makes a request of the inputs. Errors are all that is wrong with them, at least one.
pub(crate) fn read(inputs: &Inputs, home: &Home) -> Part<Request> {
    let ((), (mode, target)) = both(
        none_of(inputs.undeclared()),
        both(mode(inputs), target(inputs, home)),
    )?;
    let targets = vec![target];
    Ok(Request {
        targets,
        mode,
        max_parallel: std::num::NonZeroUsize::MIN,
        on_failure: crate::target::OnFailure::GoOn,
    })
}

fn target(inputs: &Inputs, home: &Home) -> Part<Target> {
    let (place, certificates) = both(place::read(inputs, home), certificates(inputs))?;
    let ((), (call, wait)) = both(
        none_of(senseless(inputs, place.provider)),
        both(
            pipeline::read(inputs, home, &place),
            wait::read(inputs, place.provider),
        ),
    )?;
    Ok(Target {
        server: place.server,
        repository: place.repository,
        call,
        certificates,
        wait,
    })
}

/// Keys that are set but mean nothing for the provider.
fn senseless(inputs: &Inputs, provider: Provider) -> Vec<Complaint> {
    inputs
        .set()
        .filter(|input| !input.providers.contains(&provider))
        .map(|input| {
            let owners = input.providers.iter().map(|owner| owner.name());
            let message = format!(
                "it means nothing for {}: it is for {} alone. Remove it, or set `provider`",
                provider.name(),
                owners.collect::<Vec<_>>().join(" and ")
            );
            Complaint::new(input.name, message)
        })
        .collect()
}

fn mode(inputs: &Inputs) -> Part<Mode> {
    boolean(inputs, "dry-run").map(|dry| if dry { Mode::DryRun } else { Mode::Send })
}

/// Booleans as YAML 1.2 writes them; unset is `false`, the default of each.
fn boolean(inputs: &Inputs, name: &str) -> Part<bool> {
    match inputs.get(name) {
        Some("true" | "True" | "TRUE") => Ok(true),
        None | Some("false" | "False" | "FALSE") => Ok(false),
        Some(_) => complain(name, "it must be `true` or `false`"),
    }
}

/// One word of a few; unset is the first of them, the default.
fn one_of<T: Copy>(inputs: &Inputs, name: &str, words: &[(&str, T)]) -> Part<T> {
    let word = inputs.get(name).unwrap_or(words[0].0);
    if let Some((_, meaning)) = words.iter().find(|(known, _)| *known == word) {
        return Ok(*meaning);
    }
    let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    complain(name, format!("it must be {}", words.join(" or ")))
}

fn certificates(inputs: &Inputs) -> Part<Option<String>> {
    const NAME: &str = "ca-certificates";
    const REMEDY: &str = "give PEM, `-----BEGIN CERTIFICATE-----` and what follows";
    let Some(text) = inputs.get(NAME).map(with_line_breaks) else {
        return Ok(None);
    };
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        if let Err(error) = certificate {
            return complain(NAME, format!("it cannot be read ({error}): {REMEDY}"));
        }
        count += 1;
    }
    if count == 0 {
        return complain(NAME, format!("there is no certificate in it: {REMEDY}"));
    }
    Ok(Some(text))
}

/// PEM that went through a place that keeps no line breaks has them written out.
fn with_line_breaks(text: &str) -> String {
    text.replace("\\n", "\n")
}
