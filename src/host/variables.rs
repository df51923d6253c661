//! Environment variables: inputs by one rule on every host, and credentials.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::model::{
    Conflict, EnvironmentVariable, GivenInputs, HostCredential, Secret, ServerScope,
};

/// Prefix of the variables in which GitHub's runner passes inputs. Every host takes them.
const COMMON_PREFIX: &str = "INPUT_";

/// Variables in which other tools expect tokens, too: the variable, the provider, the first of a provider first.
const TOKENS: [(&str, &str); 4] = [
    ("GH_TOKEN", "github"),
    ("GITHUB_TOKEN", "github"),
    ("GITLAB_TOKEN", "gitlab"),
    ("BITBUCKET_TOKEN", "bitbucket"),
];

/// The variables that the process was started with. An empty one counts as unset.
#[derive(Clone)]
pub(super) struct Environment(Rc<BTreeMap<String, String>>);

impl Environment {
    pub(super) fn new(variables: &BTreeMap<String, String>) -> Self {
        Self(Rc::new(variables.clone()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        (!value.is_empty()).then_some(value)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    pub(super) fn variable(&self, name: &'static str) -> Option<EnvironmentVariable> {
        let value = self.text(name)?;
        Some(EnvironmentVariable { name, value })
    }

    /// Whether the variable exists, even if it's empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns all variables, also the empty ones.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }
}

/// Returns the tokens in variables that users of other tools have set already.
pub(super) fn credentials(environment: &Environment) -> Vec<HostCredential> {
    let tokens = TOKENS.into_iter().filter_map(|(variable, provider)| {
        Some(HostCredential {
            variable,
            provider,
            input: "token",
            secret: Secret::new(environment.get(variable)?),
            scope: ServerScope::PublicOrStep,
        })
    });
    tokens.collect()
}

/// How a host names its own variables for inputs, apart from the common ones.
#[derive(Clone, Copy)]
pub(super) enum OwnVariables {
    None,
    /// With a prefix, such as `PLUGIN_EVENT_TYPE`.
    Prefixed(&'static str),
    /// The bare name, such as `EVENT_TYPE`. Other variables have such names, too, so only declared inputs are read.
    Bare,
}

/// Reads the inputs. `event-type` is set by `INPUT_EVENT-TYPE`, `INPUT_EVENT_TYPE` or the host's own variable: most hosts
/// don't allow dashes in the names of variables. The first that isn't empty counts; different values are a conflict.
pub(super) fn read(environment: &Environment, own: OwnVariables, declared: &[&str]) -> GivenInputs {
    let mut read = VariableReader::default();
    // `-` sorts before `_`, so the exact name comes first.
    for (variable, value) in environment.iter() {
        if let Some(name) = variable.strip_prefix(COMMON_PREFIX) {
            read.add(name, variable, value);
        }
    }
    for (variable, value) in environment.iter() {
        match own {
            OwnVariables::None => {}
            OwnVariables::Prefixed(prefix) => {
                if let Some(name) = variable.strip_prefix(prefix) {
                    read.add(name, variable, value);
                }
            }
            OwnVariables::Bare => {
                if declared.contains(&input_name(variable).as_str()) {
                    read.add(variable, variable, value);
                }
            }
        }
    }
    read.given
}

#[derive(Default)]
struct VariableReader<'a> {
    given: GivenInputs,
    /// The variable that each input was taken from.
    sources: BTreeMap<String, &'a str>,
}

impl<'a> VariableReader<'a> {
    fn add(&mut self, name: &str, variable: &'a str, value: &str) {
        let name = input_name(name);
        let known = self.given.values.get(&name);
        match known.map(|known| known.trim()) {
            None | Some("") => {
                self.given.values.insert(name.clone(), value.to_owned());
                self.sources.insert(name, variable);
            }
            Some(known) if value.trim().is_empty() || known == value.trim() => {}
            Some(_) => {
                let source = self.sources.get(&name).copied().unwrap_or_default();
                self.given.conflicts.push(Conflict {
                    input: name,
                    variables: [source, variable].map(str::to_owned),
                });
            }
        }
    }
}

/// Returns the input that a variable is for, given its name without a prefix.
fn input_name(variable: &str) -> String {
    variable.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    fn given(own: OwnVariables, variables: &[(&str, &str)]) -> GivenInputs {
        let variables = variables.iter();
        let environment = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read(
            &Environment::new(&environment.collect()),
            own,
            &["event-type", "ref"],
        )
    }

    #[test]
    fn dashes_may_be_underscores() {
        use OwnVariables::{Bare, None, Prefixed};
        for (own, variables, expected) in [
            (None, vec![("INPUT_EVENT-TYPE", "a")], "a"),
            (None, vec![("INPUT_EVENT_TYPE", "a")], "a"),
            (
                None,
                vec![("INPUT_EVENT-TYPE", ""), ("INPUT_EVENT_TYPE", "a")],
                "a",
            ),
            (
                None,
                vec![("INPUT_EVENT-TYPE", "a "), ("INPUT_EVENT_TYPE", "a")],
                "a ",
            ),
            (
                None,
                vec![("INPUT_EVENT-TYPE", "a"), ("INPUT_EVENT_TYPE", " ")],
                "a",
            ),
            (Prefixed("PLUGIN_"), vec![("PLUGIN_EVENT_TYPE", "a")], "a"),
            (Bare, vec![("EVENT_TYPE", "a"), ("HOME", "/root")], "a"),
        ] {
            let expected = BTreeMap::from([("event-type".to_owned(), expected.to_owned())]);
            let given = given(own, &variables);
            assert_eq!(given, GivenInputs::from(expected), "{variables:?}");
        }
        for own in [None, Prefixed("PLUGIN_")] {
            let bare = [("EVENT_TYPE", "a"), ("PATH", "/bin")];
            assert_eq!(given(own, &bare), GivenInputs::default());
        }
        // That it isn't an input is reported elsewhere.
        let unknown = given(None, &[("INPUT_NO_SUCH", "a")]);
        assert!(unknown.values.contains_key("no-such"));
    }

    #[test]
    fn different_values_are_a_conflict() {
        for (own, variables) in [
            (
                OwnVariables::None,
                [("INPUT_EVENT-TYPE", "a"), ("INPUT_EVENT_TYPE", "b")],
            ),
            (
                OwnVariables::Prefixed("PLUGIN_"),
                [("INPUT_EVENT_TYPE", "a"), ("PLUGIN_EVENT_TYPE", "b")],
            ),
            (
                OwnVariables::Bare,
                [("INPUT_EVENT-TYPE", "a"), ("EVENT_TYPE", "b")],
            ),
        ] {
            let given = given(own, &variables);
            let expected = Conflict {
                input: "event-type".to_owned(),
                variables: variables.map(|(name, _)| name.to_owned()),
            };
            assert_eq!(given.conflicts, [expected]);
            assert_eq!(given.values["event-type"], "a");
        }
    }

    proptest! {
        #[test]
        fn any_environment_can_be_read(
            environment in prop::collection::btree_map(arbitrary::text(), arbitrary::text(), 0..4),
        ) {
            for own in [OwnVariables::None, OwnVariables::Prefixed("PLUGIN_"), OwnVariables::Bare] {
                read(&Environment::new(&environment), own, &["ref"]);
            }
        }
    }
}
