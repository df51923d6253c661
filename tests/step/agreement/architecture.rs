//! Checks `src` against docs/architecture.md: the list of files, the dependencies between its modules, and the words
//! that only a host may use.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::documents::{document, names, root, rows};

pub(super) fn source(path: &str) -> String {
    fs::read_to_string(root().join("src").join(path)).expect("the source is there")
}

/// Paths of the files in `src`, relative to it, without `tests.rs` files.
pub(super) fn sources() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for name in names(folder) {
            let path = folder.join(name);
            if path.is_dir() {
                walk(&path, found);
            } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                found.push(path);
            }
        }
    }
    let source = root().join("src");
    let mut found = Vec::new();
    walk(&source, &mut found);
    found.sort();
    let below = found
        .iter()
        .filter_map(|path| path.strip_prefix(&source).ok());
    below.map(|path| path.display().to_string()).collect()
}

#[test]
fn architecture_lists_every_source_file() {
    let architecture = document("docs/architecture.md");
    let section = architecture.section("## Rooms");
    let named: BTreeSet<_> = rows(section)
        .iter()
        .map(|row| row[0].trim_matches('`').to_owned())
        .collect();
    assert_eq!(named, sources().into_iter().collect());
}

/// Names that only one host has: its variables, its commands, and the users it gives no secrets to.
const HOST_WORDS: [&str; 11] = [
    "GITHUB_",
    "INPUT_",
    "RUNNER_",
    "STATE_",
    "GITEA_",
    "FORGEJO_",
    "::add-mask",
    "::error",
    "::warning",
    "::group",
    "Dependabot",
];

/// Lines of a source file that use such a name, without the tests at the end of the file.
fn lines_with_host_words(source: &str) -> Vec<&str> {
    let (source, _) = source
        .split_once("#[cfg(test)]\nmod tests {")
        .unwrap_or((source, ""));
    let names = |line: &str| {
        let begins = |(at, _): (usize, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|of| of.is_ascii_alphanumeric() || of == '_')
        };
        let mut words = HOST_WORDS.iter();
        words.any(|word| line.match_indices(word).any(begins))
    };
    // `GITHUB_TOKEN` is the name of one of the provider GitHub's credentials, not only of a variable.
    let names_host = |line: &str| names(&line.replace("GITHUB_TOKEN", ""));
    source.lines().filter(|line| names_host(line)).collect()
}

/// A host must cost only one file, so only `host/github_actions.rs` knows GitHub Actions. Other hosts and the help of
/// the command line also name inputs `INPUT_…`.
#[test]
fn only_a_host_uses_its_own_words() {
    let (github_actions, others): (Vec<_>, Vec<_>) = sources()
        .into_iter()
        .filter(|path| !path.starts_with("testing"))
        .partition(|path| path.starts_with("host/github_actions"));
    for path in others {
        let source = source(&path);
        let mut found = lines_with_host_words(&source);
        let names_inputs = path.starts_with("host") || path == "command_line.rs";
        found.retain(|line| !(names_inputs && line.contains("INPUT_")));
        assert!(found.is_empty(), "src/{path} knows a host: {found:#?}");
    }
    let known = github_actions
        .iter()
        .map(|path| lines_with_host_words(&source(path)).len());
    assert!(known.sum::<usize>() > 10, "they are found");
    assert_eq!(
        lines_with_host_words("MAX_STATE_X\nset `GITHUB_SHA`"),
        ["set `GITHUB_SHA`"]
    );
}

/// Names that only hosts other than GitHub Actions have.
const OTHER_HOST_WORDS: [&str; 8] = [
    "CI_JOB",
    "CI_PROJECT",
    "CI_SERVER",
    "BITBUCKET_PIPE",
    "BITBUCKET_BUILD",
    "PLUGIN_",
    "BUILDKITE",
    "##vso",
];

#[test]
fn only_hosts_use_the_words_of_other_hosts() {
    let uses_one = |path: &String| {
        let source = source(path);
        OTHER_HOST_WORDS.iter().any(|word| source.contains(word))
    };
    let (hosts, others): (Vec<_>, Vec<_>) = sources()
        .into_iter()
        .partition(|path| path.starts_with("host/"));
    assert_eq!(hosts.iter().filter(|path| uses_one(path)).count(), 6);
    let others: Vec<_> = others.iter().filter(|path| uses_one(path)).collect();
    assert!(others.is_empty(), "they know a host: {others:#?}");
}

/// The top-level modules of `src`, each with the modules that it may use, as in the diagram in docs/architecture.md.
const ALLOWED_DEPENDENCIES: [(&str, &[&str]); 10] = [
    ("model", &[]),
    ("text", &[]),
    ("values", &["model", "text"]),
    ("command_line", &["values", "text"]),
    ("providers", &["values", "model", "text"]),
    ("engine", &["providers", "model", "text"]),
    ("report", &["providers", "model", "text"]),
    ("host", &["model", "text"]),
    ("input", &["providers", "values", "model", "text"]),
    (
        "app",
        &[
            "host",
            "input",
            "engine",
            "report",
            "providers",
            "model",
            "text",
        ],
    ),
];

/// Tests may use any module.
#[test]
fn dependencies_point_down_only() {
    let mut seen = 0;
    for path in sources() {
        let room = path.split(['/', '.']).next().unwrap_or_default();
        let Some((_, allowed)) = ALLOWED_DEPENDENCIES.iter().find(|(name, _)| *name == room) else {
            continue;
        };
        if path.ends_with("tests.rs") || path.ends_with("simulation.rs") {
            continue;
        }
        let source = source(&path);
        let (code, _) = source
            .split_once("#[cfg(test)]\nmod tests")
            .unwrap_or((&source, ""));
        for taken in code.split("crate::").skip(1) {
            let other = taken.split(|of: char| !of.is_alphanumeric()).next();
            let other = other.unwrap_or_default();
            let is_room = ALLOWED_DEPENDENCIES.iter().any(|(name, _)| *name == other);
            seen += 1;
            assert!(
                !is_room || other == room || allowed.contains(&other),
                "src/{path} takes from {other}"
            );
        }
    }
    assert!(seen > 200, "they are found");
}
