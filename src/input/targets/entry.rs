//! One entry of `targets`: its keys, and complaints that say where they stand.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::rc::Rc;

use super::super::complaint::{Complaint, Part, both};
use super::super::document::{Item, Pair};
use super::super::raw::{Inputs, no_such};
use super::super::written::Written;
use super::super::{Home, certificates, place, table, target};
use super::inherit::{Defaults, WHERE};
use super::{NAME, STEPS_ALONE};
use crate::secret::Secret;
use crate::target::Target;

/// Keys whose values may be mappings or lists of their own.
const NESTED: [&str; 5] = [
    "client-payload",
    "inputs",
    "variables",
    "secret-variables",
    "success-conclusions",
];

/// What one target is read from.
#[derive(Default)]
pub(super) struct Entry {
    own: Inputs,
    /// `None`: it is the step itself.
    position: Option<Position>,
    /// What is wrong with its form.
    faults: Vec<Complaint>,
    /// Keys whose values are not known for that: more need not be said of them.
    faulty: HashSet<String>,
}

/// Where an entry stands, by lines of the text of `targets`.
pub(super) struct Position {
    /// From 0, as in the output `results`.
    index: usize,
    pub(super) line: usize,
    /// Of its keys.
    lines: BTreeMap<String, usize>,
}

/// Equal texts of entries, each kept once.
#[derive(Default)]
pub(super) struct Shared(HashMap<Rc<str>, Rc<Written>>);

impl Entry {
    /// The step itself.
    pub(super) fn step(inputs: &Inputs) -> Self {
        Self {
            own: inputs.clone(),
            ..Self::default()
        }
    }

    pub(super) fn new(index: usize, item: Item, shared: &mut Shared) -> Self {
        let mut position = Position {
            index,
            line: item.line,
            lines: BTreeMap::new(),
        };
        let mut entry = Self::default();
        if let Some(pairs) = item.pairs {
            for pair in pairs {
                entry.add(pair, &mut position, shared);
            }
        } else {
            let message = "it must be a mapping, like `repository: octo-org/app`";
            entry.faults.push(position.complaint(item.line, message));
            entry.faulty.extend(WHERE.map(str::to_owned));
        }
        entry.position = Some(position);
        entry
    }

    fn add(&mut self, pair: Pair, position: &mut Position, shared: &mut Shared) {
        let Pair { name, line, value } = pair;
        if table::declared(&name).is_none() {
            let could_be = |known: &str| !STEPS_ALONE.contains(&known);
            let message = no_such(&name, "key", &could_be);
            self.faults.push(position.complaint(line, message));
            return;
        }
        position.lines.insert(name.clone(), line);
        if STEPS_ALONE.contains(&name.as_str()) {
            let message = "it is for the step as a whole: set it beside `targets`";
            self.faults.push(position.complaint_about(&name, message));
        } else if value.is_nested() && !NESTED.contains(&name.as_str()) {
            let message = "it must be a text, not a mapping or list";
            self.faults.push(position.complaint_about(&name, message));
            // What it would have been is not known, but that nothing shall be inherited.
            self.own.insert(&name, shared.keep(Written::text("")));
            self.faulty.insert(name);
        } else {
            self.own.insert(name, shared.keep(value));
        }
    }

    /// Where it stands; `None`: it is the step itself.
    pub(super) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// The secrets of its own keys. Those of the step itself are not an entry's.
    pub(super) fn secrets(&self) -> Vec<(String, Secret)> {
        let secrets = self.position.as_ref().map(|position| {
            let secrets = self.own.secrets().into_iter();
            secrets
                .map(|(name, secret)| (position.name_of(name), secret))
                .collect()
        });
        secrets.unwrap_or_default()
    }

    pub(super) fn read(&self, defaults: &Defaults<'_>, home: &Home) -> Part<Target> {
        // Nothing can be said of a target as long as it is not known where it is.
        if WHERE.iter().any(|name| self.faulty.contains(*name)) {
            return Err(self.faults.clone());
        }
        match self.target(defaults, home) {
            Ok(target) if self.faults.is_empty() => Ok(target),
            Ok(_) => Err(self.faults.clone()),
            Err(complaints) => Err([self.faults.clone(), complaints].concat()),
        }
    }

    fn target(&self, defaults: &Defaults<'_>, home: &Home) -> Part<Target> {
        let ground = defaults.ground(&self.own);
        let (place, certificates) = both(place::read(&ground, home), certificates(&ground))
            .map_err(|complaints| self.told(complaints, &ground))?;
        let inputs = defaults.all(&self.own, &ground, &place);
        target(&inputs, home, place, certificates)
            .map_err(|complaints| self.told(complaints, &inputs))
    }

    /// Complaints about values that hold for the entry, wherever they are from, as the user is to see
    /// them: about its own by entry and line, and never with its text, which may hold secrets.
    fn told(&self, complaints: Vec<Complaint>, inputs: &Inputs) -> Vec<Complaint> {
        let Some(position) = &self.position else {
            return complaints;
        };
        complaints
            .into_iter()
            .filter(|complaint| !self.faulty.contains(&complaint.input))
            .map(|complaint| {
                let name = complaint.input.clone();
                let message = complaint.message_without(|of| self.own.has(of));
                if inputs.has(&name) && !self.own.has(&name) {
                    Complaint::new(name, message)
                } else {
                    position.complaint_about(&name, message)
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

    fn complaint(&self, line: usize, message: impl fmt::Display) -> Complaint {
        Complaint::new(self.name(), format!("line {line}: {message}"))
    }

    /// About a key, at its line or, where it is not set, at that of the entry.
    fn complaint_about(&self, key: &str, message: impl fmt::Display) -> Complaint {
        let line = self.lines.get(key).unwrap_or(&self.line);
        Complaint::new(self.name_of(key), format!("line {line}: {message}"))
    }
}

impl Shared {
    fn keep(&mut self, written: Written) -> Rc<Written> {
        match written.as_text().map(Rc::clone) {
            Some(text) => Rc::clone(self.0.entry(text).or_insert_with(|| Rc::new(written))),
            None => Rc::new(written),
        }
    }
}
