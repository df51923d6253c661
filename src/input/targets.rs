//! Reads `targets`: several targets in one step, with the step's own inputs as their defaults.
//!
//! A step without `targets` is read the same way, as one entry with the step's inputs as its keys. `defaults` decides
//! what an entry inherits. Values are interpreted by the same code for entries and steps.

mod defaults;
mod duplicates;
mod entry;
mod names;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use self::defaults::Defaults;
use self::entry::TargetEntry;
use super::follow::FOLLOW;
use super::{HostRepository, destination, rerun};
use crate::model::{Caller, Conflict, GivenInputs, InvalidTarget, Secret};
use crate::providers::any::ProviderKind;
use crate::providers::target::Target;
use crate::values::{Checked, InputError, Inputs, list};

const NAME: &str = "targets";

/// Inputs that apply to the step as a whole.
const STEP_ONLY: [&str; 8] = [
    NAME,
    "max-parallel",
    "fail-fast",
    "dry-run",
    "github-token",
    "call-key",
    "status",
    "status-commit",
];

/// The step's inputs and the entries of `targets`, before they are interpreted.
pub(crate) struct RawRequest {
    pub(super) step: Inputs,
    /// The inputs that entries inherit from. Empty without `targets`.
    defaults: Inputs,
    entries: Checked<Vec<TargetEntry>>,
    pub(super) conflicts: Vec<Conflict>,
}

/// A warning about a valid request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) title: String,
    /// Begins with what it's about.
    pub(crate) text: String,
}

impl RawRequest {
    pub(crate) fn new(given: GivenInputs) -> Self {
        let step = Inputs::new(&given.values);
        let (entries, defaults) = match step.raw(NAME) {
            None => (Ok(vec![TargetEntry::step(&step)]), Inputs::default()),
            Some(raw) => (
                entries(raw.as_text().unwrap_or_default(), &step),
                step.clone(),
            ),
        };
        Self {
            step,
            defaults,
            entries,
            conflicts: given.conflicts,
        }
    }

    /// Returns every secret with the subject of messages about it, even if other inputs are invalid. If `targets` can't
    /// be parsed, its secrets are unknown, but nothing from it is ever printed.
    pub(crate) fn secrets(&self) -> Vec<(String, Secret)> {
        let of_step = self.step.secrets().into_iter();
        let mut secrets: Vec<_> = of_step
            .map(|(name, secret)| (format!("input `{name}`"), secret))
            .collect();
        for entry in self.entries.iter().flatten() {
            secrets.extend(entry.secrets());
        }
        secrets
    }
}

/// Reads the targets in order, with warnings about them. `has_statuses`: whether they are shown as commit statuses.
pub(super) fn read(
    raw_request: &RawRequest,
    host_repository: &HostRepository,
    has_statuses: bool,
) -> Checked<(Vec<Target>, Vec<Warning>)> {
    let entries = raw_request.entries.as_ref().map_err(Clone::clone)?;
    let defaults = Defaults::new(&raw_request.defaults, host_repository);
    let mut targets = Vec::with_capacity(entries.len());
    let mut positions = Vec::with_capacity(entries.len());
    let (mut errors, mut has_failed) = (Vec::new(), false);
    for entry in entries {
        match entry.read(&defaults, host_repository) {
            Ok(read) => {
                positions.extend(read.iter().map(|_| entry.position()));
                targets.extend(read);
            }
            Err(found) => {
                has_failed = true;
                errors.extend(found);
            }
        }
    }
    let unfollowed = unfollowed(entries, &defaults);
    has_failed |= !unfollowed.is_empty();
    errors.extend(unfollowed);
    // An entry without errors of its own may have failed because of another input's.
    if has_failed {
        return Err(errors);
    }
    if targets.is_empty() {
        let what = "names no run of that `provider`: there is nothing to follow";
        return InputError::new(FOLLOW, what).fail();
    }
    names::assign(&mut targets);
    rerun::remember(
        &mut targets,
        &raw_request.step,
        host_repository,
        has_statuses,
    )?;
    let triggered = targets.iter().zip(positions);
    let triggered = triggered.filter(|(target, _)| target.follow.is_none());
    let triggered = triggered.filter_map(|(target, position)| Some((target, position?)));
    let warnings = duplicates::warnings(triggered);
    Ok((targets, warnings))
}

/// Rejects runs in the step's own `follow` that no entry of `targets` follows: nobody would notice how they end.
fn unfollowed(entries: &[TargetEntry], defaults: &Defaults<'_>) -> Vec<InputError> {
    let named = defaults.named();
    let is_named = |provider: &ProviderKind| {
        named
            .iter()
            .any(|named| named.provider() == Some(*provider))
    };
    let is_followed = |provider: &ProviderKind| {
        let mut entries = entries.iter();
        entries.any(|entry| entry.follows_step_on(*provider, defaults))
    };
    let all = ProviderKind::ALL.iter().copied().filter(is_named);
    let unfollowed = all.filter(|provider| !is_followed(provider));
    let error = |provider: ProviderKind| {
        let (name, id) = (provider.name(), provider.as_str());
        let what = format!("names a run on {name}, which no entry of `targets` follows");
        InputError::new(FOLLOW, what).hint(format!(
            "add an entry with `provider: {id}`, or set `follow` only in the entries that need it"
        ))
    };
    unfollowed.map(error).collect()
}

/// Describes the targets of a request that is invalid. Empty if `targets` can't be parsed.
pub(crate) fn invalid_targets(
    raw_request: &RawRequest,
    caller: &Caller,
    errors: &[InputError],
) -> Vec<InvalidTarget> {
    let host_repository = HostRepository::read(caller).ok();
    let mut by_entry: HashMap<usize, Vec<String>> = HashMap::new();
    for error in errors {
        for entry in error.entries() {
            let of_entry = by_entry.entry(entry.index).or_default();
            of_entry.push(error.sentence_for(entry));
        }
    }
    let of_step = errors.iter().filter(|error| error.entries().is_empty());
    let of_step: Vec<_> = of_step.map(InputError::sentence).collect();
    let entries = raw_request.entries.iter().flatten().enumerate();
    let targets = entries.map(|(index, entry)| {
        let host_repository = host_repository.as_ref();
        let destination = host_repository
            .and_then(|host| entry.guess_destination(&raw_request.defaults, host));
        let (provider, repository) = destination.unzip();
        let all: Vec<_> = by_entry.get(&index).into_iter().flatten().chain(&of_step).map(String::as_str).collect();
        let error = if all.is_empty() {
            "not triggered because another target has an error (see its message); nothing was started".to_owned()
        } else {
            all.join("; ")
        };
        InvalidTarget {
            provider: provider.map(ProviderKind::as_str),
            repository: repository.flatten(),
            error,
        }
    });
    targets.collect()
}

fn entries(text: &str, step: &Inputs) -> Checked<Vec<TargetEntry>> {
    let items = list(text).map_err(|problem| vec![problem.for_input(NAME)])?;
    if items.is_empty() {
        return InputError::new(NAME, "is an empty list: nothing would be triggered").fail();
    }
    let provider = destination::provider(step).ok().flatten();
    let entries = items.into_iter().enumerate();
    Ok(entries
        .map(|(index, item)| TargetEntry::new(index, item, provider))
        .collect())
}
