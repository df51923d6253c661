//! Reads one entry of `targets`. Errors give the position of the entry or key.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::follow::{self, FOLLOW, Named, about_follow};
use super::super::{
    HostRepository, certificates, destination, host_credential, is_given, not_single_line, target,
    wait,
};
use super::defaults::{DESTINATION_KEYS, Defaults};
use super::{STEP_ONLY, Warning};
use crate::model::Secret;
use crate::providers::any::ProviderKind;
use crate::providers::common_inputs::empty_secret;
use crate::providers::target::Target;
use crate::values::{
    Checked, EntryName, Errors, INPUTS, InputError, Inputs, Item, Pair, RawInput, declared,
    hint_for_unknown, nearest_input,
};

/// Keys whose values may be mappings or lists.
const NESTED: [&str; 6] = [
    "client-payload",
    FOLLOW,
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

const EMPTY_FOLLOW_HINT: &str =
    "check that the step or job that it's taken from has run, and the name of its output";

/// The source of targets: an entry of `targets`, or the step itself.
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
    /// `None` if it isn't valid, or if it's the step's own.
    repository: Option<String>,
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

    /// `provider` is the step's, which entries inherit.
    pub(super) fn new(index: usize, item: Item, provider: Option<ProviderKind>) -> Self {
        let mut position = Position {
            index,
            repository: item
                .pairs
                .as_ref()
                .and_then(|pairs| repository(pairs, provider)),
            line: item.line,
            lines: BTreeMap::new(),
        };
        let mut entry = Self::default();
        if let Some(pairs) = item.pairs {
            for pair in pairs {
                entry.add(pair, &mut position);
            }
        } else {
            let error = InputError::new("", "must be a mapping, like `repository: octo-org/app`");
            entry.form_errors.push(position.error(item.line, error));
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
            let hint = hint_for_unknown(&name, "keys", &is_candidate);
            let error = InputError::new("", "has an unknown key").hint(hint);
            self.form_errors.push(position.error(line, error));
            return;
        };
        position.lines.extend(line.map(|line| (name.clone(), line)));
        if has_comment && FREE_TEXT.contains(&name.as_str()) {
            let error =
                InputError::new(&name, "is followed by ` #`, which starts a comment in YAML")
                    .hint("quote the value, or move the comment to its own line");
            self.form_errors.push(position.key_error(error));
        }
        if STEP_ONLY.contains(&name.as_str()) {
            let error = InputError::new(&name, "applies to the whole step")
                .hint(format!("move `{name}` out of the list, next to `targets`"));
            self.form_errors.push(position.key_error(error));
        } else if value.is_nested() && !NESTED.contains(&name.as_str()) {
            let error = InputError::new(&name, "must be a string, not a mapping or list");
            self.form_errors.push(position.key_error(error));
            // The value is unusable, but the key is set, so it must not be inherited.
            self.own.insert(&name, Rc::new(RawInput::text("")));
            self.own.mark_unusable(declared.name);
        } else {
            self.own.insert(&name, Rc::new(value));
        }
    }

    /// Returns `None` for the step itself.
    pub(super) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Returns the secrets among the entry's own keys, each with the subject of messages about it. Returns none for the
    /// step itself.
    pub(super) fn secrets(&self) -> Vec<(String, Secret)> {
        let secrets = self.position.as_ref().map(|position| {
            let secrets = self.own.secrets().into_iter();
            secrets
                .map(|(name, secret)| (position.subject(name), secret))
                .collect()
        });
        secrets.unwrap_or_default()
    }

    pub(super) fn read(
        &self,
        defaults: &Defaults<'_>,
        host_repository: &HostRepository,
    ) -> Checked<Vec<Target>> {
        let mut errors = Errors::default();
        errors.add(self.form_errors.clone());
        let targets = if self.is_not_a_mapping {
            None
        } else {
            errors.take(self.targets(defaults, host_repository))
        };
        errors.finish(|| targets)
    }

    /// Reads the entry's target, or all that its `follow` names.
    fn targets(
        &self,
        defaults: &Defaults<'_>,
        host_repository: &HostRepository,
    ) -> Checked<Vec<Target>> {
        let own = defaults.with_follow(&self.own);
        let mut errors = Errors::default();
        if own.raw(FOLLOW).is_some() {
            errors.add(self.located(follow::conflicts(&self.own), &own));
        } else if self.own.has(FOLLOW) && self.position.is_some() {
            let error = InputError::new(FOLLOW, "is empty").hint(EMPTY_FOLLOW_HINT);
            errors.add(self.located(vec![error], &own));
            return errors.finish(|| None);
        }
        let named = follow::read(&own).map_err(|errors| self.located(errors, &own));
        let targets = match errors.take(named) {
            None => None,
            Some(None) => errors
                .take(self.target(&self.own, None, defaults, host_repository))
                .map(|target| vec![target]),
            Some(Some(named)) => {
                let targets = named.iter().map(|named| {
                    let own = named.place(&own);
                    errors.take(self.target(&own, Some(named), defaults, host_repository))
                });
                // All are read, so that all problems are reported.
                let targets: Vec<_> = targets.collect();
                targets.into_iter().collect()
            }
        };
        errors.finish(|| targets)
    }

    /// Guesses provider and repository of an entry that may be invalid. A repository that isn't valid isn't shown.
    pub(super) fn guess_destination(
        &self,
        step: &Inputs,
        host_repository: &HostRepository,
    ) -> Option<(ProviderKind, Option<String>)> {
        if self.is_not_a_mapping || self.own.raw(FOLLOW).is_some() {
            return None;
        }
        let inputs = Defaults::new(step, host_repository).destination_inputs(&self.own);
        let provider = destination::guess_provider(&inputs, host_repository)?;
        let repository = match inputs.get("repository") {
            Some(text) => destination::valid_name(text, Some(provider)),
            None if provider == host_repository.provider => host_repository.repository.clone(),
            None => None,
        };
        Some((provider, repository))
    }

    /// Whether the step's `follow` is for this entry, and for all of its runs or only those on the entry's provider.
    pub(super) fn follows_step_on(&self, provider: ProviderKind, defaults: &Defaults<'_>) -> bool {
        let inherits = !self.own.has(FOLLOW) && defaults.with_follow(&self.own).has(FOLLOW);
        let own = destination::provider(&self.own);
        // An invalid `provider` is reported where it's read.
        inherits && own.map_or(true, |own| own.is_none_or(|own| own == provider))
    }

    /// Reads one target of the entry, from its own keys and what `follow` names.
    fn target(
        &self,
        own: &Inputs,
        named: Option<&Named>,
        defaults: &Defaults<'_>,
        host_repository: &HostRepository,
    ) -> Checked<Target> {
        let mut errors = Errors::default();
        let destination_inputs = defaults.destination_inputs(own);
        let is_unusable = |name: &&str| destination_inputs.is_unusable(name);
        let place = if DESTINATION_KEYS.iter().any(is_unusable) {
            None
        } else if let Some(named) = named {
            let read = errors.take(named.read(&destination_inputs, host_repository));
            read.map(|(destination, followed)| (destination, Some(followed)))
        } else {
            let read = errors.take(destination::read(&destination_inputs, host_repository));
            read.map(|destination| (destination, None))
        };
        let (destination, followed) = place.unzip();
        let certificates = certificates(&destination_inputs);
        if let Some(destination) = destination.as_ref().filter(|_| named.is_none()) {
            errors.add(defaults.secrets_not_inherited(own, destination));
        }
        let known = destination.as_ref().map(|destination| destination.provider);
        let provider =
            known.or_else(|| destination::guess_provider(&destination_inputs, host_repository));
        // Without a provider, only inputs that all providers have in common can be checked.
        let assumed = provider.unwrap_or(host_repository.provider);
        let mut inputs = defaults.all(own, &destination_inputs, assumed, destination.as_ref());
        if let Some(destination) = &destination {
            let is_step = self.position.is_none() || defaults.is_same_server(destination);
            host_credential::add(&mut inputs, host_repository, destination, is_step);
            errors.add(host_credential::sent_elsewhere(
                &inputs,
                host_repository,
                destination,
            ));
        }
        let empty = self.empty_credentials(own, assumed);
        for name in &empty {
            // An alternative that is missing isn't the problem.
            inputs.mark_unusable(name);
        }
        let target = if let Some(provider) = provider {
            errors.take(target(
                &inputs,
                host_repository,
                provider,
                (destination, followed.flatten()),
                certificates,
            ))
        } else {
            errors.take(certificates);
            errors.take(wait::read(&inputs, assumed, host_repository.max_timeout));
            None
        };
        let mut reported = not_single_line(&inputs);
        let empty = empty.into_iter();
        reported.extend(empty.map(|name| empty_secret(name, &host_repository.or_withheld)));
        let target = errors.finish(|| target.filter(|_| reported.is_empty()));
        target.map_err(|errors| {
            // Omit errors that only follow from another one.
            let is_new = |error: &InputError| {
                let is_reported = reported.iter().any(|known| known.input == error.input);
                !is_reported && !follows_from_unusable(&error.input, &inputs)
            };
            let errors: Vec<_> = errors.into_iter().filter(is_new).collect();
            let mut errors = [reported, errors].concat();
            if named.is_some() {
                errors = errors.into_iter().map(about_follow).collect();
            }
            self.located(errors, &inputs)
        })
    }

    /// Returns the entry's keys for credentials whose values came to nothing. Another credential in their place would be
    /// another identity. The step's own inputs can't be checked like that, because the runner sets those that are left
    /// out to empty strings, too.
    fn empty_credentials(&self, own: &Inputs, provider: ProviderKind) -> Vec<&'static str> {
        if self.position.is_none() {
            return Vec::new();
        }
        let names = INPUTS.iter().map(|declared| declared.name);
        names
            .filter(|name| provider.is_credential(name) && own.is_empty(name))
            .filter(|name| !own.has_unusable(name))
            .collect()
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
                    position.key_error(error)
                }
            })
            .collect()
    }
}

impl Position {
    fn name(&self, line: Option<usize>) -> EntryName {
        EntryName {
            index: self.index,
            repository: self.repository.clone(),
            line,
        }
    }

    /// Names the entry in a sentence.
    pub(super) fn entry_name(&self) -> EntryName {
        self.name(self.line)
    }

    /// Begins messages about a key.
    fn subject(&self, key: &str) -> String {
        let line = self.lines.get(key).copied().or(self.line);
        format!("input `targets`, {}, `{key}`", self.name(line))
    }

    fn error(&self, line: Option<usize>, error: InputError) -> InputError {
        error.in_entry(self.name(line))
    }

    /// Moves an error about a key to its line, or to that of the entry if the key isn't set.
    fn key_error(&self, error: InputError) -> InputError {
        let line = self.lines.get(&error.input).copied().or(self.line);
        self.error(line, error)
    }

    /// Creates a warning about the entry as a whole.
    pub(super) fn warning(&self, text: &str) -> Warning {
        Warning {
            title: "Duplicate target".to_owned(),
            text: format!("input `targets`, {}: {text}", self.entry_name()),
        }
    }
}

/// Returns the repository of an entry if it's valid, without its server.
fn repository(pairs: &[Pair], provider: Option<ProviderKind>) -> Option<String> {
    let value = |name: &str| {
        let pair = pairs.iter().find(|pair| pair.name == name)?;
        pair.value.as_text().filter(|text| !text.is_empty())
    };
    let own = value("provider").and_then(ProviderKind::by_id);
    let provider = own.or(provider);
    destination::valid_name(value("repository")?, provider)
}

/// Whether an error about a missing input only follows from an unusable value of it, or of an alternative to it.
fn follows_from_unusable(name: &str, inputs: &Inputs) -> bool {
    if is_given(inputs, name) {
        return false;
    }
    let alternatives = ProviderKind::alternatives(name);
    inputs.has_unusable(name) || alternatives.iter().any(|name| inputs.has_unusable(name))
}
