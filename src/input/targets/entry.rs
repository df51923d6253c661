//! Reads one entry of `targets`. Errors give the position of the entry or key.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use super::super::{HostRepository, certificates, location, not_one_line, target, wait};
use super::defaults::{Defaults, WHERE};
use super::{NAME, STEPS_ALONE, Warning};
use crate::model::Secret;
use crate::providers::any::ProviderKind;
use crate::providers::target::Target;
use crate::values::{
    Checked, Errors, InputError, Inputs, Item, Pair, RawInput, declared, nearest_input,
    unknown_input_message,
};

/// Keys whose values may be mappings or lists.
const NESTED: [&str; 5] = [
    "client-payload",
    "inputs",
    "variables",
    "secret-variables",
    "success-conclusions",
];

/// Keys whose values may contain ` #`. After any other value it can only start a comment.
const FREE_TEXT: [&str; 4] = [
    "event-type",
    "workflow",
    "custom-pipeline",
    "result-artifact",
];

/// The source of one target: an entry of `targets`, or the step itself.
#[derive(Default)]
pub(super) struct TargetEntry {
    own: Inputs,
    /// `None` for the step itself.
    position: Option<Position>,
    /// Problems found before the values are interpreted.
    faults: Vec<InputError>,
    /// Whether the entry isn't a mapping, so that there is no target to check.
    is_none: bool,
}

/// Position of an entry in `targets`. Lines are only known for YAML.
pub(super) struct Position {
    /// From 0, as in the output `results`.
    pub(super) index: usize,
    line: Option<usize>,
    /// Lines of its keys.
    lines: BTreeMap<String, usize>,
}

impl TargetEntry {
    /// Creates the entry for a step without `targets`.
    pub(super) fn step(inputs: &Inputs) -> Self {
        Self {
            own: inputs.clone(),
            ..Self::default()
        }
    }

    pub(super) fn new(index: usize, item: Item) -> Self {
        let mut position = Position {
            index,
            line: item.line,
            lines: BTreeMap::new(),
        };
        let mut entry = Self::default();
        if let Some(pairs) = item.pairs {
            for pair in pairs {
                entry.add(pair, &mut position);
            }
        } else {
            let message = "it must be a mapping, like `repository: octo-org/app`";
            entry.faults.push(position.complaint(item.line, message));
            entry.is_none = true;
        }
        entry.position = Some(position);
        entry
    }

    fn add(&mut self, pair: Pair, position: &mut Position) {
        let Pair {
            name,
            line,
            value,
            has_comment,
        } = pair;
        let Some(declared) = declared(&name) else {
            let is_candidate = |known: &str| !STEPS_ALONE.contains(&known);
            if let Some(nearest) = nearest_input(&name, &is_candidate) {
                self.own.mark_unusable(nearest);
            }
            let message = unknown_input_message(&name, "key", &is_candidate);
            self.faults.push(position.complaint(line, message));
            return;
        };
        position.lines.extend(line.map(|line| (name.clone(), line)));
        if has_comment && FREE_TEXT.contains(&name.as_str()) {
            let message = "it is followed by ` #`, which starts a comment in YAML: quote the value, or move the comment to a line of its own";
            self.faults.push(position.complaint_about(&name, message));
        }
        if STEPS_ALONE.contains(&name.as_str()) {
            let message = "it is for the step as a whole: set it beside `targets`";
            self.faults.push(position.complaint_about(&name, message));
        } else if value.is_nested() && !NESTED.contains(&name.as_str()) {
            let message = "it must be a text, not a mapping or list";
            self.faults.push(position.complaint_about(&name, message));
            // The value is unusable, but the key is set, so it must not be inherited.
            self.own.insert(name, Rc::new(RawInput::text("")));
            self.own.mark_unusable(declared.name);
        } else {
            self.own.insert(name, Rc::new(value));
        }
    }

    /// Returns `None` for the step itself.
    pub(super) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Returns the secrets among the entry's own keys. Returns none for the step itself.
    pub(super) fn secrets(&self) -> Vec<(String, Secret)> {
        let secrets = self.position.as_ref().map(|position| {
            let secrets = self.own.secrets().into_iter();
            secrets
                .map(|(name, secret)| (position.name_of(name), secret))
                .collect()
        });
        secrets.unwrap_or_default()
    }

    pub(super) fn read(
        &self,
        defaults: &Defaults<'_>,
        host_repository: &HostRepository,
    ) -> Checked<Target> {
        let mut errors = Errors::default();
        errors.add(self.faults.clone());
        let target = if self.is_none {
            None
        } else {
            errors.take(self.target(defaults, host_repository))
        };
        errors.finish(|| target)
    }

    fn target(&self, defaults: &Defaults<'_>, host_repository: &HostRepository) -> Checked<Target> {
        let mut errors = Errors::default();
        let ground = defaults.ground(&self.own);
        let place = if WHERE.iter().any(|name| ground.is_unusable(name)) {
            None
        } else {
            errors.take(location::read(&ground, host_repository))
        };
        let certificates = certificates(&ground);
        if let Some(place) = &place {
            errors.add(defaults.refused_secrets(&self.own, place));
        }
        let known = place.as_ref().map(|place| place.provider);
        let provider = known.or_else(|| location::likely_provider(&ground, host_repository));
        // Without a provider, only inputs that all providers have in common can be checked.
        let any = provider.unwrap_or(ProviderKind::DEFAULT);
        let inputs = defaults.all(&self.own, &ground, any, place.as_ref());
        let target = if let Some(provider) = provider {
            errors.take(target(
                &inputs,
                host_repository,
                provider,
                place,
                certificates,
            ))
        } else {
            errors.take(certificates);
            errors.take(wait::read(&inputs, any));
            None
        };
        let broken = not_one_line(&inputs);
        let target = errors.finish(|| target.filter(|_| broken.is_empty()));
        target.map_err(|complaints| {
            // Omit errors that only follow from another one.
            let is_new = |complaint: &InputError| {
                let is_told = broken.iter().any(|told| told.input == complaint.input);
                !is_told && !inputs.follows_from_unusable(&complaint.input)
            };
            let complaints: Vec<_> = complaints.into_iter().filter(is_new).collect();
            self.told([broken, complaints].concat(), &inputs)
        })
    }

    /// Adds entry and line to errors about the entry's own keys, and removes names that may be secrets. Errors about
    /// inherited values stay as they are.
    fn told(&self, complaints: Vec<InputError>, inputs: &Inputs) -> Vec<InputError> {
        let Some(position) = &self.position else {
            return complaints;
        };
        complaints
            .into_iter()
            .map(|complaint| {
                let name = &complaint.input;
                if inputs.has(name) && !self.own.has(name) {
                    complaint
                } else {
                    position.complaint_about(name, complaint.message_without_key())
                }
            })
            .collect()
    }
}

impl Position {
    /// `targets[3]`
    pub(super) fn name(&self) -> String {
        format!("{NAME}[{}]", self.index)
    }

    /// `targets[3].workflow`
    fn name_of(&self, key: &str) -> String {
        format!("{}.{key}", self.name())
    }

    fn complaint(&self, line: Option<usize>, message: impl fmt::Display) -> InputError {
        InputError::new(self.name(), at(line, message))
    }

    /// Creates an error about a key, with its line, or that of the entry if the key isn't set.
    fn complaint_about(&self, key: &str, message: impl fmt::Display) -> InputError {
        let line = self.lines.get(key).copied().or(self.line);
        InputError::new(self.name_of(key), at(line, message))
    }

    /// Creates a warning about the entry as a whole.
    pub(super) fn warning(&self, message: impl fmt::Display) -> Warning {
        Warning {
            input: self.name(),
            text: at(self.line, message),
        }
    }
}

fn at(line: Option<usize>, message: impl fmt::Display) -> String {
    match line {
        Some(line) => format!("line {line}: {message}"),
        None => message.to_string(),
    }
}
