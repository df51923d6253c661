//! Values of flags: from files, from standard input, and the repeated ones as one mapping.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::value::RawValue;

use crate::values::{Checked, InputError, json_string};

/// Reads values, and standard input at most once.
#[derive(Default)]
pub(super) struct ValueReader {
    /// The input that was read from standard input.
    from_standard_input: Option<&'static str>,
}

impl ValueReader {
    /// Reads a value that may be `@FILE`, or `-` for standard input.
    pub(super) fn long_value(&mut self, input: &'static str, value: &str) -> Checked<String> {
        if let Some(path) = value.strip_prefix('@') {
            return file(input, Path::new(path));
        }
        if super::is_flag(value.split('=').next().unwrap_or_default()) {
            return argument(input, "is followed by another flag")
                .hint("write its value after it")
                .fail();
        }
        if value != "-" {
            return Ok(value.to_owned());
        }
        if let Some(other) = self.from_standard_input.replace(input) {
            let what =
                format!("is `-`, and so is `--{other}`, but standard input can be read only once");
            return argument(input, &what)
                .hint("use a file for one of them: `@FILE`")
                .fail();
        }
        let mut text = String::new();
        match io::stdin().read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => argument(
                input,
                &format!("can't be read from standard input: {error}"),
            )
            .fail(),
        }
    }
}

/// Reads the file that a flag names.
pub(super) fn file(flag: &str, path: &Path) -> Checked<String> {
    fs::read_to_string(path).or_else(|error| {
        let what = format!(
            "names the file `{}`, which can't be read: {error}",
            path.display()
        );
        argument(flag, &what).fail()
    })
}

fn argument(flag: &str, what: &str) -> InputError {
    InputError::for_argument(&format!("`--{flag}`"), what)
}

/// Returns repeated `NAME=VALUE` as a JSON object of strings. `None` if there are none.
pub(super) fn mapping<'a>(
    flag: &str,
    pairs: impl Iterator<Item = &'a str>,
) -> Checked<Option<String>> {
    object(flag, split(flag, pairs)?, json_string)
}

/// The same, but numbers and booleans keep their type. Where only strings count, they count as written.
pub(super) fn typed_mapping<'a>(
    flag: &str,
    pairs: impl Iterator<Item = &'a str>,
) -> Checked<Option<String>> {
    object(flag, split(flag, pairs)?, |value| {
        let is_plain = serde_json::from_str::<&RawValue>(value).is_ok_and(|json| {
            let first = json.get().as_bytes().first();
            first.is_some_and(|first| first.is_ascii_digit() || *first == b'-')
                || ["true", "false"].contains(&json.get())
        });
        if is_plain {
            value.trim().to_owned()
        } else {
            json_string(value)
        }
    })
}

/// Returns the environment variables with these names as a JSON object.
pub(super) fn from_environment<'a>(
    flag: &str,
    names: impl Iterator<Item = &'a str>,
    environment: &BTreeMap<String, String>,
) -> Checked<Option<String>> {
    let mut pairs = Vec::new();
    for name in names {
        // It may be the value itself, given by mistake.
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match environment.get(name) {
            Some(value) => pairs.push((name, value.as_str())),
            None if is_name => {
                let what = format!("names the environment variable `{name}`, which isn't set");
                return argument(flag, &what)
                    .hint("set and export the variable: its value is the secret")
                    .fail();
            }
            None => {
                let what = "must be the name of an environment variable that holds the secret";
                return argument(flag, what)
                    .hint("write only the name, without `=`")
                    .fail();
            }
        }
    }
    object(flag, pairs, json_string)
}

fn split<'a>(flag: &str, pairs: impl Iterator<Item = &'a str>) -> Checked<Vec<(&'a str, &'a str)>> {
    let pairs = pairs.map(|pair| {
        let split = pair.split_once('=').filter(|(name, _)| !name.is_empty());
        split.ok_or_else(|| {
            vec![argument(
                flag,
                "must be a name and a value, like `version=1.10`",
            )]
        })
    });
    pairs.collect()
}

fn object(
    flag: &str,
    pairs: Vec<(&str, &str)>,
    json: impl Fn(&str) -> String,
) -> Checked<Option<String>> {
    let mut names = HashSet::new();
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !names.insert(*name)) {
        return argument(flag, &format!("sets `{name}` more than once"))
            .hint("set it once")
            .fail();
    }
    if pairs.is_empty() {
        return Ok(None);
    }
    let members = pairs.into_iter();
    let members = members.map(|(name, value)| format!("{}: {}", json_string(name), json(value)));
    Ok(Some(format!(
        "{{{}}}",
        members.collect::<Vec<_>>().join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    fn typed(pairs: &[&str]) -> Option<String> {
        typed_mapping("input", pairs.iter().copied()).unwrap()
    }

    #[test]
    fn repeated_flags_become_one_mapping() {
        assert_eq!(typed(&[]), None);
        let json = typed(&[
            "version=1.10",
            "dry=true",
            "text=a=b",
            "zero=012",
            "none=null",
            "list=[1]",
            "empty=",
        ]);
        let expected = r#"{"version": 1.10, "dry": true, "text": "a=b", "zero": "012", "none": "null", "list": "[1]", "empty": ""}"#;
        assert_eq!(json.as_deref(), Some(expected));
        let plain = mapping("variable", ["A=1"].into_iter()).unwrap();
        assert_eq!(plain.as_deref(), Some(r#"{"A": "1"}"#));
        for (wrong, what) in [
            (vec!["version"], "must be a name and a value"),
            (vec!["=1"], "must be a name and a value"),
            (vec!["a=1", "a=2"], "sets `a` more than once"),
        ] {
            let errors = mapping("variable", wrong.into_iter()).unwrap_err();
            assert!(
                errors[0].sentence().contains(what),
                "{}",
                errors[0].sentence()
            );
        }
    }

    #[test]
    fn a_secret_comes_from_the_environment() {
        let environment = BTreeMap::from([("PASSWORD".to_owned(), "a\"b".to_owned())]);
        let read = |name| from_environment("secret-variable", [name].into_iter(), &environment);
        assert_eq!(
            read("PASSWORD").unwrap().as_deref(),
            Some(r#"{"PASSWORD": "a\"b"}"#)
        );
        let missing = read("OTHER").unwrap_err()[0].sentence();
        assert!(
            missing.contains("names the environment variable `OTHER`, which isn't set"),
            "{missing}"
        );
        let by_mistake = read("PASSWORD=hunter2").unwrap_err()[0].to_string();
        assert!(!by_mistake.contains("hunter2"), "{by_mistake}");
    }

    proptest! {
        #[test]
        fn any_values_become_json(pairs in prop::collection::btree_map("[^=]{1,5}", arbitrary::text(), 0..4)) {
            let given: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let json = typed_mapping("input", given.iter().map(String::as_str)).unwrap();
            let json = json.unwrap_or_else(|| "{}".to_owned());
            let read: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read.len(), pairs.len());
            let plain = mapping("variable", given.iter().map(String::as_str)).unwrap();
            let plain: BTreeMap<String, String> = serde_json::from_str(&plain.unwrap_or_else(|| "{}".to_owned())).unwrap();
            prop_assert_eq!(plain, pairs);
        }
    }
}
