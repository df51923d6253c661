//! Turns the inputs into a [`Request`], or reports everything that is wrong with them. Reads only its arguments.

mod destination;
mod follow;
mod host_credential;
mod host_repository;
mod proxies;
mod rerun;
mod status;
mod targets;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use destination::Destination;
use follow::{FOLLOW, TRIGGER_INPUTS};
use host_repository::HostRepository;
pub(crate) use proxies::proxy_secrets;
use rerun::OnRerun;
pub(crate) use targets::{RawRequest, Warning, invalid_targets};

use crate::model::{Caller, Conflict, Followed};
use crate::providers::any::{AnySpec, ProviderKind, TOKEN_PREFIXES};
use crate::providers::location::Location;
use crate::providers::provider::InputContext;
use crate::providers::target::{Mode, OnFailure, Recall, Request, Target};
pub(crate) use crate::values::{Checked, InputError};
use crate::values::{Errors, INPUTS, Inputs, RawInput, merged, with_line_breaks};

const CERTIFICATES: &str = "ca-certificates";
const DEFAULT_MAX_PARALLEL: NonZeroUsize = NonZeroUsize::new(8).unwrap();
/// More wouldn't be any faster: each trigger uses a connection of its own.
const MAX_MAX_PARALLEL: usize = 1_000;

/// Returns the names of all inputs.
pub(crate) fn names() -> Vec<&'static str> {
    INPUTS.iter().map(|input| input.name).collect()
}

/// Builds a request from the inputs, the calling job, and the environment variables for proxies. Also returns warnings.
/// Otherwise returns every error, at least one.
pub(crate) fn read(
    raw_request: &RawRequest,
    caller: &Caller,
    environment: &BTreeMap<String, String>,
) -> Checked<(Request, Vec<Warning>)> {
    let step = &raw_request.step;
    let mut errors = Errors::default();
    errors.add(step.undeclared());
    errors.add(raw_request.conflicts.iter().map(conflict));
    let mode = errors.take(mode(step));
    let proxies = errors.take(proxies::read(environment));
    let max_parallel = errors.take(max_parallel(step));
    let on_failure = errors.take(on_failure(step));
    let host_repository = errors.take(HostRepository::read(caller));
    let statuses = host_repository
        .as_ref()
        .and_then(|host_repository| errors.take(status::read(step, host_repository)));
    // If `targets` is misspelt, the step's other inputs may only be defaults, so they aren't checked.
    let host_repository = host_repository.filter(|_| !step.is_unusable("targets"));
    // If `status` is wrong, that is the error.
    let has_statuses = statuses.as_ref().is_none_or(Option::is_some);
    let targets = host_repository.as_ref().and_then(|host_repository| {
        errors.take(targets::read(raw_request, host_repository, has_statuses))
    });
    if mode == Some(Mode::DryRun)
        && let Some((targets, _)) = &targets
        && targets.iter().any(|target| target.follow.is_some())
    {
        let what = "doesn't work with `follow`, which triggers nothing";
        errors.add([InputError::new("dry-run", what).hint("remove `dry-run` or `follow`")]);
    }
    let read = errors.finish(|| {
        let (targets, warnings) = targets?;
        let request = Request {
            calling_run: rerun::calling_run(step, &host_repository?, &targets),
            targets,
            mode: mode?,
            max_parallel: max_parallel?,
            on_failure: on_failure?,
            statuses: statuses?,
            proxies: Arc::new(proxies?),
        };
        Some((request, warnings))
    });
    read.map_err(merged)
}

/// The error for an input that two environment variables set to different values.
fn conflict(Conflict { input, variables }: &Conflict) -> InputError {
    let [first, second] = variables;
    let what = format!("is set by `{first}` and by `{second}`, to different values");
    InputError::new(input.as_str(), what).hint("remove one of the two")
}

/// Reads a target of a provider. Without a destination, only checks its inputs.
fn target(
    inputs: &Inputs,
    host_repository: &HostRepository,
    provider: ProviderKind,
    (destination, follow): (Option<Destination>, Option<Followed>),
    certificates: Checked<Option<Rc<str>>>,
) -> Checked<Target> {
    let mut errors = Errors::default();
    let certificates = errors.take(certificates);
    let mut not_applicable = not_applicable(inputs, provider);
    if inputs.raw(FOLLOW).is_some() {
        // These are wrong for any provider, which is reported where `follow` is read.
        not_applicable.retain(|error| !TRIGGER_INPUTS.contains(&error.input.as_str()));
    }
    let is_another_meant = inputs.get("provider").is_none()
        && (!not_applicable.is_empty()
            || destination::looks_like_another_provider(inputs, provider));
    errors.add(not_applicable);
    let context = InputContext {
        provider: provider.name(),
        calling_run: host_repository.calling_page.as_deref(),
        // Invalid values are reported where they're read.
        needs_marker: wait::until(inputs).is_ok_and(|until| until.is_some())
            || rerun::read(inputs) == Ok(OnRerun::Once),
        distance: destination
            .as_ref()
            .map(|destination| host_repository.distance(destination)),
        or_withheld: &host_repository.or_withheld,
        token_prefixes: TOKEN_PREFIXES,
    };
    let spec = if inputs.raw(FOLLOW).is_some() {
        let may_cancel = follow.as_ref().is_some_and(Followed::has_own_run);
        AnySpec::follow(provider, inputs, &context, may_cancel)
    } else {
        AnySpec::read(provider, inputs, &context)
    };
    let spec = spec.map_err(|mut found| {
        if is_another_meant {
            // What this provider lacks isn't a problem with the one that was meant.
            found.retain(|error| is_given(inputs, &error.input));
        }
        found
    });
    let spec = errors.take(spec);
    let wait = errors.take(wait::read(inputs, provider, host_repository.max_timeout));
    let on_rerun = errors.take(rerun::read(inputs));
    if let (Some(spec), Some(Some(wait))) = (&spec, &wait)
        && wait.retries > 0
    {
        errors.take(spec.check_retries());
    }
    errors.finish(|| {
        let destination = destination?;
        Some(Target {
            name: destination.repository.clone(),
            location: Location {
                server: destination.server,
                repository: destination.repository,
                certificates: certificates?,
            },
            spec: spec?,
            wait: wait?,
            recall: match on_rerun? {
                OnRerun::Repeat => None,
                OnRerun::Once => Some(Recall::Markers(Vec::new())),
            },
            follow,
        })
    })
}

/// Whether an input is set, and not to the default token.
fn is_given(inputs: &Inputs, name: &str) -> bool {
    let is_default = name == "token" && inputs.get(name) == inputs.get("github-token");
    !is_default && inputs.raw(name).is_some()
}

/// Inputs that must be one line, and are checked for little else.
const SINGLE_LINE: [&str; 13] = [
    "provider",
    "repository",
    "server-url",
    "event-type",
    "workflow",
    "ref",
    "commit",
    "custom-pipeline",
    "marker-input",
    "caller",
    "email",
    "client-id",
    "result-artifact",
];

/// Whether there is a line break or another control character in it.
fn has_line_break(text: &str) -> bool {
    text.contains(|of: char| of.is_control() || matches!(of, '\u{2028}' | '\u{2029}'))
}

/// Rejects line breaks and other control characters, which no provider accepts here and which would garble the log.
fn not_single_line(inputs: &Inputs) -> Vec<InputError> {
    SINGLE_LINE
        .into_iter()
        .filter(|name| inputs.get(name).is_some_and(has_line_break))
        .map(|name| {
            InputError::new(name, "contains a line break or another control character")
                .hint(format!("write `{name}` on one line"))
        })
        .collect()
}

/// Rejects inputs that are set but don't apply to the provider.
fn not_applicable(inputs: &Inputs, provider: ProviderKind) -> Vec<InputError> {
    inputs
        .set()
        .filter(|input| !provider.knows(input.name))
        .map(|input| {
            let name = input.name;
            let owners = ProviderKind::owners(name);
            let names: Vec<_> = owners.iter().map(|owner| owner.name()).collect();
            let what = format!(
                "only works with {}, but the provider here is {}",
                names.join(" and "),
                provider.name()
            );
            let words: Vec<_> = owners
                .iter()
                .map(|owner| format!("`{}`", owner.as_str()))
                .collect();
            let hint = match owners.as_slice() {
                [owner] => format!("remove `{name}`, or set `provider: {}`", owner.as_str()),
                _ => format!(
                    "remove `{name}`, or set `provider` to {}",
                    words.join(" or ")
                ),
            };
            InputError::new(name, what).hint(hint)
        })
        .collect()
}

fn mode(inputs: &Inputs) -> Checked<Mode> {
    inputs
        .boolean("dry-run")
        .map(|dry| if dry { Mode::DryRun } else { Mode::Send })
}

fn max_parallel(inputs: &Inputs) -> Checked<NonZeroUsize> {
    const NAME: &str = "max-parallel";
    let Some(text) = inputs.get(NAME) else {
        return Ok(DEFAULT_MAX_PARALLEL);
    };
    requires_targets(inputs, NAME)?;
    let number = text.parse().ok();
    number
        .filter(|number: &NonZeroUsize| number.get() <= MAX_MAX_PARALLEL)
        .map_or_else(
            || {
                let what = format!("must be a whole number from 1 to {MAX_MAX_PARALLEL}");
                InputError::new(NAME, what).not(text).fail()
            },
            Ok,
        )
}

/// Rejects an input that is set without `targets`.
fn requires_targets(inputs: &Inputs, name: &str) -> Checked<()> {
    const TARGETS: &str = "targets";
    if inputs.raw(name).is_none() || inputs.raw(TARGETS).is_some() || inputs.is_unusable(TARGETS) {
        return Ok(());
    }
    InputError::new(name, "only works with `targets`")
        .hint(format!("set `targets`, or remove `{name}`"))
        .fail()
}

fn on_failure(inputs: &Inputs) -> Checked<OnFailure> {
    const NAME: &str = "fail-fast";
    requires_targets(inputs, NAME)?;
    let send_no_more = inputs.boolean(NAME)?;
    Ok(if send_no_more {
        OnFailure::SendNoMore
    } else {
        OnFailure::GoOn
    })
}

/// Reads one of a few values. The first one is the default.
fn one_of<T: Copy>(inputs: &Inputs, name: &str, words: &[(&str, T)]) -> Checked<T> {
    let word = inputs.get(name).unwrap_or(words[0].0);
    if let Some((_, meaning)) = words.iter().find(|(known, _)| *known == word) {
        return Ok(*meaning);
    }
    let words: Vec<_> = words
        .iter()
        .map(|(known, _)| format!("`{known}`"))
        .collect();
    InputError::new(name, format!("must be {}", words.join(" or ")))
        .not(word)
        .fail()
}

fn certificates(inputs: &Inputs) -> Checked<Option<Rc<str>>> {
    let Some(raw) = inputs.raw(CERTIFICATES) else {
        return Ok(None);
    };
    let read = |raw: &RawInput| check_certificates(raw.as_text().unwrap_or_default());
    raw.parsed(read).map(Some)
}

/// Checks that the text is PEM with at least one certificate.
fn check_certificates(text: &str) -> Checked<Rc<str>> {
    let error = |what: &str| {
        InputError::new(CERTIFICATES, what)
            .hint("pass certificates in PEM, from `-----BEGIN CERTIFICATE-----` to the end")
    };
    let text = with_line_breaks(text);
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        if certificate.is_err() {
            return error("contains a certificate that can't be read").fail();
        }
        count += 1;
    }
    if count == 0 {
        return error("contains no certificate").fail();
    }
    Ok(text.into())
}
