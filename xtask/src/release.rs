//! Versions: which can be released from where, and which tag moves with one.

use anyhow::{Context as _, Result};
use semver::Version;
use serde_json::Value;
use toml_edit::{DocumentMut, value};

use crate::{action, changelog};

/// What a version is to be released from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) manifest: &'a str,
    pub(crate) changelog: &'a str,
    pub(crate) action: &'a str,
    pub(crate) tags: &'a [String],
    /// The branch that the workflow runs on, as `refs/heads/…`.
    pub(crate) git_ref: &'a str,
    /// GitHub's response about the environment `release`, as JSON.
    pub(crate) environment: &'a str,
}

/// Returns all reasons why this version can't be released from there; empty if it can.
pub(crate) fn problems(version: &Version, source: Source<'_>) -> Result<Vec<String>> {
    let Source {
        manifest,
        changelog: changes,
        action,
        tags,
        git_ref,
        environment,
    } = source;
    let mut wrong = Vec::new();
    if !version.build.is_empty() {
        wrong.push(
            "image tags can't contain build metadata: remove the `+` and what follows it"
                .to_owned(),
        );
    }
    let declared = declared(manifest)?;
    if declared != *version {
        wrong.push(format!(
            "the version in Cargo.toml is {declared}: run `cargo xtask bump {version}`, and merge that first"
        ));
    }
    match changelog::part(changes, version)? {
        None => wrong.push(format!(
            "CHANGELOG.md has no heading for {version}: run `cargo xtask bump {version}`"
        )),
        Some(part) if part.is_empty() => {
            wrong.push(format!("CHANGELOG.md has no entries for {version}"));
        }
        Some(_) => {}
    }
    if tags.contains(&format!("v{version}")) {
        wrong.push(format!(
            "the tag v{version} already exists: release the changes as a new version"
        ));
    }
    if !action.lines().any(|line| line == action::BUILT) {
        let why = "action.yml already names an image: start from the main branch, whose action.yml names the Dockerfile";
        wrong.push(why.to_owned());
    }
    if !is_release_branch(git_ref, version) {
        let branch = release_branch(version);
        wrong.push(format!(
            "`{git_ref}` is not a branch for releases: start the workflow on `main`, or on `{branch}` for an older major version"
        ));
    }
    wrong.extend(unprotected(environment)?);
    Ok(wrong)
}

/// Signatures name the branch, so users can refuse anything that was built from a branch that anybody may push to.
fn is_release_branch(git_ref: &str, version: &Version) -> bool {
    git_ref
        .strip_prefix("refs/heads/")
        .is_some_and(|branch| branch == "main" || branch == release_branch(version))
}

/// The branch for fixes of that major version, once `main` has a newer one.
fn release_branch(version: &Version) -> String {
    format!("release-v{}", version.major)
}

/// What the environment lacks. GitHub creates a missing environment without any protection.
fn unprotected(environment: &str) -> Result<Option<String>> {
    let environment: Value =
        serde_json::from_str(environment).context("the environment isn't JSON")?;
    let rules = environment["protection_rules"].as_array();
    let has_reviewers = rules.into_iter().flatten().any(|rule| {
        let reviewers = rule["reviewers"].as_array();
        rule["type"] == "required_reviewers" && reviewers.is_some_and(|all| !all.is_empty())
    });
    let lacks = if !has_reviewers {
        "has no required reviewer"
    } else if environment["deployment_branch_policy"].is_null() {
        "can be used from every branch"
    } else {
        return Ok(None);
    };
    Ok(Some(format!(
        "the environment `release` {lacks}: set it up as described in docs/releasing.md under *Once, by hand*"
    )))
}

/// Returns the properties of a version as lines `name=value` of a step's outputs: the tag, the tag that moves (or
/// nothing), whether it is a pre-release, the image without its digest, and the image it is built from. Registries
/// only accept lower case.
pub(crate) fn plan(
    version: &Version,
    repository: &str,
    tags: &[String],
    dockerfile: &str,
) -> Result<String> {
    let moving = moving_tag(version, tags).unwrap_or_default();
    let prerelease = !version.pre.is_empty();
    let image = repository.to_lowercase();
    let base = base_image(dockerfile)?;
    Ok(format!(
        "tag=v{version}\nmoving={moving}\nprerelease={prerelease}\nimage=ghcr.io/{image}\nbase={base}\n"
    ))
}

/// The image that the Dockerfile builds from.
fn base_image(dockerfile: &str) -> Result<&str> {
    dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("FROM ")?.strip_suffix(" AS toolchain"))
        .context("the Dockerfile has no line `FROM … AS toolchain`")
}

/// The tag that users of a major version name, if it moves to this version: it isn't a pre-release, and the tags
/// contain no newer one of its major version. Versions before 1.0.0 have none, because each may break compatibility.
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

/// Returns the workspace's manifest with this version, preserving comments and order.
pub(crate) fn with_version(manifest: &str, version: &Version) -> Result<String> {
    let mut document: DocumentMut = manifest.parse().context("Cargo.toml can't be read")?;
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
    let document: DocumentMut = manifest.parse().context("Cargo.toml can't be read")?;
    let version = document
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("version")?.as_str())
        .context("Cargo.toml has no workspace.package.version")?;
    version
        .parse()
        .context("the version in Cargo.toml isn't valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "# A comment.\n[workspace.package]\nversion = \"1.2.3\" # Another.\nedition = \"2024\"\n";
    const CHANGES: &str = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\n- One.\n\n\
        ## [1.2.2] - 2026-11-01\n";
    const ACTION: &str = "runs:\n  using: docker\n  image: Dockerfile\n";

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn tags(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    const ENVIRONMENT: &str = r#"{"name": "release",
        "protection_rules": [{"type": "branch_policy"}, {"type": "required_reviewers", "reviewers": [{"type": "User"}]}],
        "deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}}"#;

    fn source<'a>() -> Source<'a> {
        Source {
            manifest: MANIFEST,
            changelog: CHANGES,
            action: ACTION,
            tags: &[],
            git_ref: "refs/heads/main",
            environment: ENVIRONMENT,
        }
    }

    #[test]
    fn a_version_that_all_agree_on_can_be_released() {
        let tags = tags(&["v1", "v1.2.2"]);
        let tags = &tags;
        let wrong = problems(&version("1.2.3"), Source { tags, ..source() });
        assert_eq!(wrong.unwrap(), [""; 0]);
    }

    #[test]
    fn all_problems_are_reported_together() {
        let bad = Source {
            action: "",
            tags: &tags(&["v1.2.4+5"]),
            git_ref: "refs/heads/feature",
            environment: "{}",
            ..source()
        };
        let wrong = problems(&version("1.2.4+5"), bad).unwrap();
        let parts = [
            "build metadata",
            "Cargo.toml is 1.2.3",
            "has no heading",
            "exists",
            "action.yml already names an image",
            "`refs/heads/feature` is not a branch for releases",
            "has no required reviewer",
        ];
        assert_eq!(wrong.len(), parts.len(), "{wrong:?}");
        for (problem, part) in wrong.iter().zip(parts) {
            assert!(problem.contains(part), "{problem}");
        }
        let wrong = problems(&version("1.2.2"), source()).unwrap();
        assert!(wrong[1].contains("has no entries"), "{wrong:?}");
    }

    #[test]
    fn releases_come_from_main_or_from_their_own_release_branch() {
        for (git_ref, may) in [
            ("refs/heads/main", true),
            ("refs/heads/release-v1", true),
            ("refs/heads/release-v2", false),
            ("refs/heads/release/v1.2.3", false),
            ("refs/heads/feature/main", false),
            ("refs/heads/main2", false),
            ("refs/tags/main", false),
            ("refs/tags/release-v1", false),
            ("refs/pull/1/merge", false),
            ("main", false),
            ("", false),
        ] {
            let wrong = problems(
                &version("1.2.3"),
                Source {
                    git_ref,
                    ..source()
                },
            )
            .unwrap();
            assert_eq!(wrong.is_empty(), may, "{git_ref}: {wrong:?}");
        }
    }

    #[test]
    fn a_release_needs_an_approval() {
        let nobody = ENVIRONMENT.replace(r#"{"type": "User"}"#, "");
        let timer = ENVIRONMENT.replace("required_reviewers", "wait_timer");
        let everywhere = ENVIRONMENT.replace(
            r#"{"protected_branches": false, "custom_branch_policies": true}"#,
            "null",
        );
        for (environment, lacks) in [
            (
                r#"{"message": "Not Found", "status": "404"}"#,
                "no required reviewer",
            ),
            (nobody.as_str(), "no required reviewer"),
            (timer.as_str(), "no required reviewer"),
            (everywhere.as_str(), "from every branch"),
        ] {
            assert_ne!(environment, ENVIRONMENT);
            let wrong = problems(
                &version("1.2.3"),
                Source {
                    environment,
                    ..source()
                },
            );
            let wrong = wrong.unwrap();
            assert!(wrong.len() == 1 && wrong[0].contains(lacks), "{wrong:?}");
        }
        let environment = "";
        assert!(
            problems(
                &version("1.2.3"),
                Source {
                    environment,
                    ..source()
                }
            )
            .is_err()
        );
    }

    #[test]
    fn the_tag_of_a_major_version_only_moves_to_its_newest() {
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
            // Its own tag may already exist.
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
    fn the_plan_is_written_as_outputs() {
        let dockerfile =
            "ARG RUST_IMAGE=toolchain\nFROM rust:1.95-slim-bookworm AS toolchain\nFROM scratch\n";
        let repository = "Octo-Org/Trigger-Pipeline";
        let plan =
            |number, dockerfile| plan(&version(number), repository, &tags(&["v1.0.0"]), dockerfile);
        let rest = "image=ghcr.io/octo-org/trigger-pipeline\nbase=rust:1.95-slim-bookworm\n";
        assert_eq!(
            plan("1.0.1", dockerfile).unwrap(),
            format!("tag=v1.0.1\nmoving=v1\nprerelease=false\n{rest}")
        );
        assert_eq!(
            plan("2.0.0-rc.1", dockerfile).unwrap(),
            format!("tag=v2.0.0-rc.1\nmoving=\nprerelease=true\n{rest}")
        );
        assert!(plan("1.0.1", "FROM scratch\n").is_err());
    }

    #[test]
    fn the_real_dockerfile_has_a_base_image() {
        let base = base_image(include_str!("../../Dockerfile")).unwrap();
        assert!(base.starts_with("rust:"), "{base}");
    }

    #[test]
    fn only_the_version_changes_in_the_manifest() {
        let new = with_version(MANIFEST, &version("1.3.0-rc.1")).unwrap();
        assert_eq!(new, MANIFEST.replace("1.2.3", "1.3.0-rc.1"));
        assert_eq!(declared(&new).unwrap(), version("1.3.0-rc.1"));
        assert!(with_version("[package]\nname = \"a\"\n", &version("1.0.0")).is_err());
    }

    #[test]
    fn the_real_manifest_has_a_version() {
        let real = include_str!("../../Cargo.toml");
        assert_eq!(with_version(real, &declared(real).unwrap()).unwrap(), real);
    }
}
