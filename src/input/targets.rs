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

use std::collections::{BTreeMap, HashSet};

use self::defaults::Defaults;
use self::entry::TargetEntry;
use super::HostRepository;
use crate::model::Secret;
use crate::providers::target::Target;
use crate::values::{Checked, InputError, Inputs, list};

const NAME: &str = "targets";

/// Inputs that apply to the step as a whole.
const STEP_ONLY: [&str; 5] = [NAME, "max-parallel", "fail-fast", "dry-run", "github-token"];

/// Limits the list to what a user can fix at once.
const MAX_ERRORS: usize = 50;

/// The step's inputs and the entries of `targets`, before they are interpreted.
pub(crate) struct RawRequest {
    pub(super) step: Inputs,
    /// The inputs that entries inherit from. Empty without `targets`.
    defaults: Inputs,
    entries: Checked<Vec<TargetEntry>>,
}

/// A warning about a valid request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// Name of the input, or the entry, such as `targets[4]`.
    pub(crate) input: String,
    pub(crate) text: String,
}

impl RawRequest {
    /// Takes the values by the names of their inputs.
    pub(crate) fn new(given: &BTreeMap<String, String>) -> Self {
        let step = Inputs::new(given);
        match step.raw(NAME) {
            None => Self {
                entries: Ok(vec![TargetEntry::step(&step)]),
                defaults: Inputs::default(),
                step,
            },
            Some(raw) => Self {
                entries: entries(raw.as_text().unwrap_or_default()),
                defaults: step.clone(),
                step,
            },
        }
    }

    /// Returns every secret with the name of its input, even if other inputs are invalid. If `targets` can't be parsed,
    /// its secrets are unknown, but nothing from it is ever printed.
    pub(crate) fn secrets(&self) -> Vec<(String, Secret)> {
        let of_step = self.step.secrets().into_iter();
        let mut secrets: Vec<_> = of_step
            .map(|(name, secret)| (name.to_owned(), secret))
            .collect();
        for entry in self.entries.iter().flatten() {
            secrets.extend(entry.secrets());
        }
        secrets
    }
}

/// Reads the targets in order, with warnings about them.
pub(super) fn read(
    raw_request: &RawRequest,
    host_repository: &HostRepository,
) -> Checked<(Vec<Target>, Vec<Warning>)> {
    let entries = raw_request.entries.as_ref().map_err(Clone::clone)?;
    let defaults = Defaults::new(&raw_request.defaults, host_repository);
    let mut targets = Vec::with_capacity(entries.len());
    let mut errors = Vec::new();
    for entry in entries {
        match entry.read(&defaults, host_repository) {
            Ok(target) => targets.push(target),
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(deduplicated(errors));
    }
    names::assign(&mut targets);
    let positions = entries.iter().filter_map(TargetEntry::position);
    let warnings = duplicates::warnings(targets.iter().zip(positions));
    Ok((targets, warnings))
}

/// Removes duplicates, because many entries may inherit the same problem, and limits the number of errors.
fn deduplicated(errors: Vec<InputError>) -> Vec<InputError> {
    let mut known = HashSet::new();
    let mut distinct: Vec<_> = errors
        .into_iter()
        .filter(|error| known.insert((error.input.clone(), error.message.clone())))
        .collect();
    let more = distinct.len().saturating_sub(MAX_ERRORS);
    if more > 0 {
        distinct.truncate(MAX_ERRORS);
        let message = format!("there are {more} more complaints: mend those above first");
        distinct.push(InputError::new(NAME, message));
    }
    distinct
}

fn entries(text: &str) -> Checked<Vec<TargetEntry>> {
    let items = list(text).map_err(|problem| vec![problem.for_input(NAME)])?;
    if items.is_empty() {
        let message = "there is none in it: nothing would be triggered";
        return Err(vec![InputError::new(NAME, message)]);
    }
    let entries = items.into_iter().enumerate();
    Ok(entries
        .map(|(index, item)| TargetEntry::new(index, item))
        .collect())
}
