//! CHANGELOG.md: turns the unreleased section into a version's, and a version's section into the text of its release.

use anyhow::{Context as _, Result, ensure};
use chrono::NaiveDate;
use semver::Version;

use crate::action::Image;

/// The heading of unreleased changes.
pub(crate) const UNRELEASED: &str = "## [Unreleased]";

/// Returns a version's section of the changelog, without its heading; `None` if there is no such heading.
pub(crate) fn part(changelog: &str, version: &Version) -> Result<Option<String>> {
    let releases =
        parse_changelog::parse(changelog).context("CHANGELOG.md isn't a valid changelog")?;
    let found = releases.get(version.to_string().as_str());
    Ok(found.map(|release| release.notes.trim().to_owned()))
}

/// Returns the changelog with the unreleased changes under this version and day. Fails if there are none, or if it
/// already has the version.
pub(crate) fn released(changelog: &str, version: &Version, day: NaiveDate) -> Result<String> {
    ensure!(
        part(changelog, version)?.is_none(),
        "CHANGELOG.md already has a section for {version}"
    );
    let (before, after) = changelog
        .split_once(&format!("\n{UNRELEASED}\n"))
        .with_context(|| format!("CHANGELOG.md has no heading `{UNRELEASED}`"))?;
    let unreleased = after.split("\n## ").next().unwrap_or_default();
    ensure!(
        !unreleased.trim().is_empty(),
        "CHANGELOG.md has no entries under `{UNRELEASED}`"
    );
    Ok(format!(
        "{before}\n{UNRELEASED}\n\n## [{version}] - {day}\n{after}"
    ))
}

/// Returns the text of the release on GitHub. `base` is the image that was built from, `git_ref` the branch whose
/// workflow built it.
pub(crate) fn notes(
    changelog: &str,
    version: &Version,
    image: &Image,
    base: &Image,
    git_ref: &str,
) -> Result<String> {
    let changes = part(changelog, version)?
        .filter(|part| !part.is_empty())
        .with_context(|| format!("CHANGELOG.md has no entries for {version}"))?;
    // In the changelog, headings are one level deeper than in release notes.
    let changes = changes.replace("\n### ", "\n## ");
    let changes = changes
        .strip_prefix("### ")
        .map_or(changes.clone(), |rest| format!("## {rest}"));
    Ok(format!(
        "{changes}\n\n\
         ## The image\n\n\
         `action.yml` of this version names it by its digest:\n\n\
         ```text\n{image}\n```\n\n\
         Verify that this repository's release workflow built it, from `{git_ref}`. \
         `REPOSITORY` is this repository, as `owner/name`:\n\n\
         ```sh\n\
         gh attestation verify oci://{image} --repo \"$REPOSITORY\" \\\n  \
         --signer-workflow \"$REPOSITORY/.github/workflows/release.yml\" --source-ref {git_ref} \\\n  \
         --deny-self-hosted-runners\n\
         ```\n\n\
         Rebuild it from the same base image:\n\n\
         ```sh\ndocker build --build-arg RUST_IMAGE={base} .\n```\n\n\
         The bill of materials for each platform is attached.\n\n\
         ## The binaries\n\n\
         `native/` of this version downloads the binary for its runner from here, and checks it against the SHA-256 \
         in `native/release.json`. Those for Linux are the ones in the image. Verify a file in the same way:\n\n\
         ```sh\n\
         gh attestation verify trigger-pipeline-linux-amd64 --repo \"$REPOSITORY\" \\\n  \
         --signer-workflow \"$REPOSITORY/.github/workflows/release.yml\" --source-ref {git_ref} \\\n  \
         --deny-self-hosted-runners\n\
         ```\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\nWords.\n\n## [Unreleased]\n\n### Added\n\n- One.\n\n### Fixed\n\n- Two.\n\n\
        ## [0.1.0] - 2026-01-01\n\n- First.\n";

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 12, 1).unwrap()
    }

    fn image() -> Image {
        format!(
            "ghcr.io/octo-org/trigger-pipeline@sha256:{}",
            "0".repeat(64)
        )
        .parse()
        .unwrap()
    }

    fn base() -> Image {
        format!("rust:1.95-slim-bookworm@sha256:{}", "1".repeat(64))
            .parse()
            .unwrap()
    }

    fn notes_of(changelog: &str, number: &str) -> Result<String> {
        notes(
            changelog,
            &version(number),
            &image(),
            &base(),
            "refs/heads/main",
        )
    }

    #[test]
    fn unreleased_changes_become_a_version() {
        let new = released(CHANGELOG, &version("1.0.0"), day()).unwrap();
        assert_eq!(
            new,
            CHANGELOG.replace(
                "## [Unreleased]\n",
                "## [Unreleased]\n\n## [1.0.0] - 2026-12-01\n"
            )
        );
        let expected = "### Added\n\n- One.\n\n### Fixed\n\n- Two.";
        assert_eq!(
            part(&new, &version("1.0.0")).unwrap().as_deref(),
            Some(expected)
        );
        assert_eq!(
            part(&new, &version("0.1.0")).unwrap().as_deref(),
            Some("- First.")
        );
        assert_eq!(part(&new, &version("2.0.0")).unwrap(), None);
    }

    #[test]
    fn a_version_has_one_section_and_it_is_not_empty() {
        let once = released(CHANGELOG, &version("1.0.0"), day()).unwrap();
        for (changelog, number, error) in [
            (once.as_str(), "1.0.0", "already has a section for 1.0.0"),
            (once.as_str(), "1.0.1", "no entries under"),
            (CHANGELOG, "0.1.0", "already has a section for 0.1.0"),
            (
                "# Changelog\n\n## [0.1.0] - 2026-01-01\n\n- First.\n",
                "0.2.0",
                "no heading",
            ),
        ] {
            let message = released(changelog, &version(number), day())
                .unwrap_err()
                .to_string();
            assert!(message.contains(error), "{message}");
        }
    }

    /// Must hold for whatever is in it now.
    #[test]
    fn the_real_changelog_can_be_read() {
        let real = include_str!("../../CHANGELOG.md");
        let text = match released(real, &version("999.0.0"), day()) {
            Ok(new) => notes_of(&new, "999.0.0").unwrap(),
            // Just after a release.
            Err(error) => error.to_string(),
        };
        assert!(
            text.contains("- ") || text.contains("no entries under"),
            "{text}"
        );
    }

    #[test]
    fn the_notes_have_the_changes_and_the_image() {
        let new = released(CHANGELOG, &version("1.0.0"), day()).unwrap();
        let notes = notes_of(&new, "1.0.0").unwrap();
        assert!(
            notes.starts_with("## Added\n\n- One.\n\n## Fixed\n\n- Two.\n\n## The image\n"),
            "{notes}"
        );
        for part in [
            format!("oci://{} --repo", image()),
            "--source-ref refs/heads/main \\\n".to_owned(),
            format!("docker build --build-arg RUST_IMAGE={} .\n", base()),
        ] {
            assert!(notes.contains(&part), "{notes}");
        }
        assert!(!notes.contains("First"), "{notes}");
        let error = notes_of(CHANGELOG, "1.0.0").unwrap_err().to_string();
        assert!(error.contains("no entries for 1.0.0"), "{error}");
    }
}
