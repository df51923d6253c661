//! `native/release.json`: where the action for runners without Docker downloads its binary, and the SHA-256 of each. In
//! every commit that isn't a release, the version is 0.0.0 and there is nothing to download.

use anyhow::{Context as _, Result, ensure};
use semver::Version;
use serde_json::{Map, Value, json};

/// The version of commits that aren't releases.
const UNRELEASED: &str = "0.0.0";

/// The binaries of a release, in the order of `sha256sum`.
const BINARIES: [&str; 5] = [
    "trigger-pipeline-linux-amd64",
    "trigger-pipeline-linux-arm64",
    "trigger-pipeline-macos-amd64",
    "trigger-pipeline-macos-arm64",
    "trigger-pipeline-windows-amd64.exe",
];

/// Returns the `release.json` of a version whose files are below this URL. `sums` is what `sha256sum` prints for them.
/// Fails if the current one is that of a release.
pub(crate) fn released(current: &str, version: &Version, url: &str, sums: &str) -> Result<String> {
    let current: Value = serde_json::from_str(current).context("release.json isn't JSON")?;
    ensure!(
        current["version"] == UNRELEASED,
        "native/release.json must have the version {UNRELEASED}, but has {}",
        current["version"]
    );
    let lines = sums.lines().count();
    let sums = sums.lines().map(sum).collect::<Result<Map<_, _>>>()?;
    ensure!(
        lines == BINARIES.len() && sums.keys().eq(BINARIES),
        "there must be one checksum for each of {}, in this order",
        BINARIES.join(", ")
    );
    let release = json!({ "version": version.to_string(), "url": url, "sha256": sums });
    Ok(format!("{release:#}\n"))
}

/// Reads a line such as `0123…  name`.
fn sum(line: &str) -> Result<(String, Value)> {
    let (sum, name) = line
        .split_once("  ")
        .with_context(|| format!("`{line}` isn't a line of sha256sum"))?;
    let is_sum = sum.len() == 64 && sum.chars().all(|of| matches!(of, '0'..='9' | 'a'..='f'));
    ensure!(is_sum, "`{sum}` isn't a SHA-256");
    Ok((name.to_owned(), sum.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURRENT: &str = include_str!("../../native/release.json");
    const URL: &str = "https://github.com/octo-org/trigger-pipeline/releases/download/v1.2.3";

    fn sums() -> String {
        let line = |name| format!("{}  {name}\n", "0f".repeat(32));
        BINARIES.map(line).concat()
    }

    fn with(current: &str, sums: &str) -> Result<String> {
        released(current, &Version::new(1, 2, 3), URL, sums)
    }

    #[test]
    fn a_release_names_its_files_and_their_checksums() {
        let text = with(CURRENT, &sums()).unwrap();
        let release: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(release["version"], "1.2.3");
        assert_eq!(release["url"], URL);
        for name in BINARIES {
            assert_eq!(release["sha256"][name], "0f".repeat(32));
        }
        let error = with(&text, &sums()).unwrap_err().to_string();
        assert!(error.contains("but has \"1.2.3\""), "{error}");
    }

    #[test]
    fn every_binary_needs_one_checksum() {
        let good = sums();
        let first = good.lines().next().unwrap();
        for bad in [
            String::new(),
            good.replacen(first, "", 1),
            format!("{good}{first}-too\n"),
            format!("{good}{first}\n"),
            good.replace("0f0f", "0F0F"),
            good.replacen("0f", "", 1),
            good.replace("  ", " "),
        ] {
            assert!(with(CURRENT, &bad).is_err(), "{bad}");
        }
    }

    /// The action looks for the files that the release has.
    #[test]
    fn the_action_knows_the_same_files() {
        let script = include_str!("../../native/binary.mjs");
        let mut named: Vec<_> = script
            .lines()
            .filter_map(|line| line.trim().strip_suffix("',")?.rsplit_once('\''))
            .map(|(_, name)| name)
            .filter(|name| name.starts_with("trigger-pipeline-"))
            .collect();
        named.sort_unstable();
        assert_eq!(named, BINARIES);
        assert!(script.contains(&format!("const UNRELEASED = '{UNRELEASED}';")));
    }
}
