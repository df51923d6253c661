//! Versions: which may be released, and which tag moves with one.

use anyhow::{Context as _, Result};
use semver::Version;
use toml_edit::{DocumentMut, value};

use crate::{action, changelog};

/// Why this version cannot be released from these files; empty where it can. All that is wrong at once.
pub(crate) fn complaints(
    version: &Version,
    manifest: &str,
    changes: &str,
    action: &str,
    tags: &[String],
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    if !version.build.is_empty() {
        wrong.push(
            "no tag of an image can bear build metadata: leave away what comes after the `+`"
                .to_owned(),
        );
    }
    let declared = declared(manifest)?;
    if declared != *version {
        wrong.push(format!(
            "Cargo.toml says {declared}: run `cargo xtask bump {version}`, and merge that first"
        ));
    }
    match changelog::part(changes, version)? {
        None => wrong.push(format!(
            "CHANGELOG.md has no heading for it: run `cargo xtask bump {version}`"
        )),
        Some(part) if part.is_empty() => wrong.push("CHANGELOG.md tells nothing of it".to_owned()),
        Some(_) => {}
    }
    if tags.contains(&format!("v{version}")) {
        wrong.push(format!(
            "the tag v{version} exists: a version is released once"
        ));
    }
    if !action.lines().any(|line| line == action::BUILT) {
        let why = "action.yml names an image already: start from the main branch, which names the Dockerfile";
        wrong.push(why.to_owned());
    }
    Ok(wrong)
}

/// What follows from a version, as lines `name=value` of a step's outputs: the tag, the tag that moves (or nothing),
/// whether it is a pre-release, and the image without its digest. Registries know lower case alone.
pub(crate) fn plan(version: &Version, repository: &str, tags: &[String]) -> String {
    let moving = moving_tag(version, tags).unwrap_or_default();
    let prerelease = !version.pre.is_empty();
    let image = repository.to_lowercase();
    format!("tag=v{version}\nmoving={moving}\nprerelease={prerelease}\nimage=ghcr.io/{image}\n")
}

/// The tag that users of a major version name, if it shall move to this version: it is no pre-release, and none of
/// its major version among the tags is newer. Versions before 1.0.0 have none, for each may break what was.
fn moving_tag(version: &Version, tags: &[String]) -> Option<String> {
    let newest = tags
        .iter()
        .filter_map(|tag| tag.strip_prefix('v')?.parse::<Version>().ok())
        .filter(|other| other.major == version.major && other.pre.is_empty())
        .max();
    let moves = version.major > 0
        && version.pre.is_empty()
        && newest.is_none_or(|newest| newest <= *version);
    moves.then(|| format!("v{}", version.major))
}

/// The workspace's manifest with this version, its comments and order kept.
pub(crate) fn with_version(manifest: &str, version: &Version) -> Result<String> {
    let mut document: DocumentMut = manifest.parse().context("Cargo.toml cannot be read")?;
    let old = document["workspace"]["package"]["version"]
        .as_value_mut()
        .context("Cargo.toml has no workspace.package.version")?;
    let decor = old.decor().clone();
    document["workspace"]["package"]["version"] = value(version.to_string());
    if let Some(new) = document["workspace"]["package"]["version"].as_value_mut() {
        *new.decor_mut() = decor;
    }
    Ok(document.to_string())
}

fn declared(manifest: &str) -> Result<Version> {
    let document: DocumentMut = manifest.parse().context("Cargo.toml cannot be read")?;
    let version = document
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("version")?.as_str())
        .context("Cargo.toml has no workspace.package.version")?;
    version.parse().context("the version in Cargo.toml is none")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "# Words.\n[workspace.package]\nversion = \"1.2.3\" # ours\nedition = \"2024\"\n";
    const CHANGES: &str = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\n- One.\n\n\
        ## [1.2.2] - 2026-11-01\n";
    const ACTION: &str = "runs:\n  using: docker\n  image: Dockerfile\n";

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn tags(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_version_that_all_agree_on_can_be_released() {
        let wrong = complaints(
            &version("1.2.3"),
            MANIFEST,
            CHANGES,
            ACTION,
            &tags(&["v1", "v1.2.2"]),
        )
        .unwrap();
        assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = complaints(
            &version("1.2.4+5"),
            MANIFEST,
            CHANGES,
            "",
            &tags(&["v1.2.4+5"]),
        )
        .unwrap();
        let parts = [
            "build metadata",
            "Cargo.toml says 1.2.3",
            "has no heading",
            "exists",
            "action.yml names an image",
        ];
        assert_eq!(wrong.len(), parts.len(), "{wrong:?}");
        for (said, part) in wrong.iter().zip(parts) {
            assert!(said.contains(part), "{said}");
        }
        let wrong = complaints(&version("1.2.2"), MANIFEST, CHANGES, ACTION, &[]).unwrap();
        assert!(wrong[1].contains("tells nothing"), "{wrong:?}");
    }

    #[test]
    fn the_tag_of_a_major_version_moves_to_its_newest_alone() {
        let released = [
            "v0.9.0",
            "v1",
            "v1.0.0",
            "v1.10.0",
            "v2.0.0-rc.1",
            "v2.0.0",
            "vx",
            "1.99.0",
        ];
        for (number, tag) in [
            ("1.10.1", Some("v1")),
            ("1.9.1", None),
            ("2.0.1", Some("v2")),
            ("2.1.0-rc.1", None),
            ("3.0.0", Some("v3")),
            ("0.10.0", None),
            // Its own tag may be there already.
            ("1.10.0", Some("v1")),
        ] {
            assert_eq!(
                moving_tag(&version(number), &tags(&released)).as_deref(),
                tag,
                "{number}"
            );
        }
    }

    #[test]
    fn the_plan_is_told_as_outputs() {
        let plan = |number| {
            plan(
                &version(number),
                "Octo-Org/Trigger-Pipeline",
                &tags(&["v1.0.0"]),
            )
        };
        let image = "image=ghcr.io/octo-org/trigger-pipeline\n";
        assert_eq!(
            plan("1.0.1"),
            format!("tag=v1.0.1\nmoving=v1\nprerelease=false\n{image}")
        );
        assert_eq!(
            plan("2.0.0-rc.1"),
            format!("tag=v2.0.0-rc.1\nmoving=\nprerelease=true\n{image}")
        );
    }

    #[test]
    fn the_manifest_changes_in_its_version_alone() {
        let new = with_version(MANIFEST, &version("1.3.0-rc.1")).unwrap();
        assert_eq!(new, MANIFEST.replace("1.2.3", "1.3.0-rc.1"));
        assert_eq!(declared(&new).unwrap(), version("1.3.0-rc.1"));
        assert!(with_version("[package]\nname = \"a\"\n", &version("1.0.0")).is_err());
    }

    #[test]
    fn our_own_manifest_has_a_version() {
        let ours = include_str!("../../Cargo.toml");
        assert_eq!(with_version(ours, &declared(ours).unwrap()).unwrap(), ours);
    }
}
