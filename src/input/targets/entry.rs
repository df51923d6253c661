//! Reads one entry of `targets`. Errors give the position of the entry or key.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use super::super::{HostRepository, certificates, destination, not_single_line, target, wait};
use super::defaults::{DESTINATION_KEYS, Defaults};
use super::{NAME, STEP_ONLY, Warning};
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
    form_errors: Vec<InputError>,
    /// Whether the entry isn't a mapping, so that there is no target to check.
    is_not_a_mapping: bool,
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
            entry.form_errors.push(position.error(item.line, message));
            entry.is_not_a_mapping = true;
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
            let is_candidate = |known: &str| !STEP_ONLY.contains(&known);
            if let Some(nearest) = nearest_input(&name, &is_candidate) {
                self.own.mark_unusable(nearest);
            }
            let message = unknown_input_message(&name, "key", &is_candidate);
            self.form_errors.push(position.error(line, message));
            return;
        };
        position.lines.extend(line.map(|line| (name.clone(), line)));
        if has_comment && FREE_TEXT.contains(&name.as_str()) {
            let message = "it is followed by ` #`, which starts a comment in YAML: quote the value, or move the comment to a line of its own";
            self.form_errors.push(position.key_error(&name, message));
        }
        if STEP_ONLY.contains(&name.as_str()) {
            let message = "it is for the step as a whole: set it beside `targets`";
            self.form_errors.push(position.key_error(&name, message));
        } else if value.is_nested() && !NESTED.contains(&name.as_str()) {
            let message = "it must be a text, not a mapping or list";
            self.form_errors.push(position.key_error(&name, message));
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
        errors.add(self.form_errors.clone());
        let target = if self.is_not_a_mapping {
            None
        } else {
            errors.take(self.target(defaults, host_repository))
        };
        errors.finish(|| target)
    }

    fn target(&self, defaults: &Defaults<'_>, host_repository: &HostRepository) -> Checked<Target> {
        let mut errors = Errors::default();
        let destination_inputs = defaults.destination_inputs(&self.own);
        let destination = if DESTINATION_KEYS
            .iter()
            .any(|name| destination_inputs.is_unusable(name))
        {
            None
        } else {
            errors.take(destination::read(&destination_inputs, host_repository))
        };
        let certificates = certificates(&destination_inputs);
        if let Some(destination) = &destination {
            errors.add(defaults.secrets_not_inherited(&self.own, destination));
        }
        let known = destination.as_ref().map(|destination| destination.provider);
        let provider =
            known.or_else(|| destination::guess_provider(&destination_inputs, host_repository));
        // Without a provider, only inputs that all providers have in common can be checked.
        let assumed = provider.unwrap_or(ProviderKind::DEFAULT);
        let inputs = defaults.all(
            &self.own,
            &destination_inputs,
            assumed,
            destination.as_ref(),
        );
        let target = if let Some(provider) = provider {
            errors.take(target(
                &inputs,
                host_repository,
                provider,
                destination,
                certificates,
            ))
        } else {
            errors.take(certificates);
            errors.take(wait::read(&inputs, assumed));
            None
        };
        let line_breaks = not_single_line(&inputs);
        let target = errors.finish(|| target.filter(|_| line_breaks.is_empty()));
        target.map_err(|errors| {
            // Omit errors that only follow from another one.
            let is_new = |error: &InputError| {
                let is_reported = line_breaks
                    .iter()
                    .any(|reported| reported.input == error.input);
                !is_reported && !follows_from_unusable(&error.input, &inputs)
            };
            let errors: Vec<_> = errors.into_iter().filter(is_new).collect();
            self.located([line_breaks, errors].concat(), &inputs)
        })
    }

    /// Adds entry and line to errors about the entry's own keys, and removes names that may be secrets. Errors about
    /// inherited values stay as they are.
    fn located(&self, errors: Vec<InputError>, inputs: &Inputs) -> Vec<InputError> {
        let Some(position) = &self.position else {
            return errors;
        };
        errors
            .into_iter()
            .map(|error| {
                let name = &error.input;
                if inputs.has(name) && !self.own.has(name) {
                    error
                } else {
                    position.key_error(name, error.message_without_key())
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

    fn error(&self, line: Option<usize>, message: impl fmt::Display) -> InputError {
        InputError::new(self.name(), with_line(line, message))
    }

    /// Creates an error about a key, with its line, or that of the entry if the key isn't set.
    fn key_error(&self, key: &str, message: impl fmt::Display) -> InputError {
        let line = self.lines.get(key).copied().or(self.line);
        InputError::new(self.name_of(key), with_line(line, message))
    }

    /// Creates a warning about the entry as a whole.
    pub(super) fn warning(&self, message: impl fmt::Display) -> Warning {
        Warning {
            input: self.name(),
            text: with_line(self.line, message),
        }
    }
}

fn with_line(line: Option<usize>, message: impl fmt::Display) -> String {
    match line {
        Some(line) => format!("line {line}: {message}"),
        None => message.to_string(),
    }
}

/// Whether an error about a missing input only follows from an unusable value of it, or of an alternative to it.
fn follows_from_unusable(name: &str, inputs: &Inputs) -> bool {
    let is_default = name == "token" && inputs.get(name) == inputs.get("github-token");
    if !is_default && inputs.raw(name).is_some() {
        return false;
    }
    let alternatives = ProviderKind::alternatives(name);
    inputs.has_unusable(name) || alternatives.iter().any(|name| inputs.has_unusable(name))
}
