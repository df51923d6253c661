//! `targets`: several targets in one step, and the step's own inputs as their defaults.
//!
//! A step without `targets` is read the same way: it is one entry that has all of the step's inputs for its
//! own. What an entry inherits is decided in `defaults`; what its values mean, where those of a step are read.

mod defaults;
mod duplicates;
mod entry;
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

/// Inputs that are about the step as a whole.
const STEPS_ALONE: [&str; 5] = [NAME, "max-parallel", "fail-fast", "dry-run", "github-token"];

/// Nobody mends more at once.
const MAX_ERRORS: usize = 50;

/// What the step is given, nothing interpreted yet: its inputs, and the entries of `targets` among them.
pub(crate) struct RawRequest {
    pub(super) step: Inputs,
    /// What entries inherit: nothing where there is only the step itself.
    defaults: Inputs,
    entries: Checked<Vec<TargetEntry>>,
}

/// What the user should know of a request that is right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// The input that it is about, or the entry, like `targets[4]`.
    pub(crate) input: String,
    pub(crate) text: String,
}

impl RawRequest {
    /// Reads values by the names of their inputs.
    pub(crate) fn new(given: &BTreeMap<String, String>) -> Self {
        let step = Inputs::new(given);
        match step.written(NAME) {
            None => Self {
                entries: Ok(vec![TargetEntry::step(&step)]),
                defaults: Inputs::default(),
                step,
            },
            Some(written) => Self {
                entries: entries(written.as_text().unwrap_or_default()),
                defaults: step.clone(),
                step,
            },
        }
    }

    /// Every secret with the name of its input, also where something is wrong. Of a list of targets that
    /// cannot be read at all there is none, and nothing of it is ever printed.
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

/// The targets in order, and what seems strange about them.
pub(super) fn read(
    raw_request: &RawRequest,
    host_repository: &HostRepository,
) -> Checked<(Vec<Target>, Vec<Warning>)> {
    let entries = raw_request.entries.as_ref().map_err(Clone::clone)?;
    let defaults = Defaults::new(&raw_request.defaults, host_repository);
    let mut targets = Vec::with_capacity(entries.len());
    let mut complaints = Vec::new();
    for entry in entries {
        match entry.read(&defaults, host_repository) {
            Ok(target) => targets.push(target),
            Err(found) => complaints.extend(found),
        }
    }
    if !complaints.is_empty() {
        return Err(in_short(complaints));
    }
    let positions = entries.iter().filter_map(TargetEntry::position);
    let warnings = duplicates::warnings(targets.iter().zip(positions));
    Ok((targets, warnings))
}

/// Each complaint once, since many entries may inherit what is wrong, and not more than anybody reads.
fn in_short(complaints: Vec<InputError>) -> Vec<InputError> {
    let mut known = HashSet::new();
    let mut distinct: Vec<_> = complaints
        .into_iter()
        .filter(|complaint| known.insert((complaint.input.clone(), complaint.message.clone())))
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
    let items = list(text).map_err(|problem| vec![problem.complaint(NAME)])?;
    if items.is_empty() {
        let message = "there is none in it: nothing would be triggered";
        return Err(vec![InputError::new(NAME, message)]);
    }
    let entries = items.into_iter().enumerate();
    Ok(entries
        .map(|(index, item)| TargetEntry::new(index, item))
        .collect())
}
