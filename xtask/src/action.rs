//! Which image `action.yml` names. In the commit of a release it is an image in a registry, by its digest; everywhere
//! else it is the Dockerfile.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail, ensure};

/// The line of `action.yml` that makes every user build the image.
pub(crate) const BUILT: &str = "  image: Dockerfile";

/// An image named by its content: `registry/name@sha256:…`, or only `sha256:…` on the machine that has it. A name
/// with a tag isn't accepted, because the registry's owner could move the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image(String);

impl FromStr for Image {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let image = Self(text.to_owned());
        let (name, digest) = (image.name(), image.digest());
        let hexadecimal = |of: char| matches!(of, '0'..='9' | 'a'..='f');
        let is_digest = digest
            .strip_prefix("sha256:")
            .is_some_and(|hash| hash.len() == 64 && hash.chars().all(hexadecimal));
        ensure!(
            is_digest,
            "`{text}` has no digest: it must end in @sha256: and 64 hexadecimal digits"
        );
        // Only characters that registries allow, so that nothing in a name can become YAML or a word in a shell.
        let fits =
            |of: char| of.is_ascii_lowercase() || of.is_ascii_digit() || "._-/:".contains(of);
        ensure!(
            !name.is_empty() && name.chars().all(fits),
            "`{name}` isn't a valid image name: only lower-case letters, digits and ._-/: are allowed"
        );
        Ok(image)
    }
}

impl Image {
    /// The name, without a digest.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit_once('@').map_or("local", |(name, _)| name)
    }

    /// `sha256:…`
    pub(crate) fn digest(&self) -> &str {
        self.0
            .rsplit_once('@')
            .map_or(&self.0, |(_, digest)| digest)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns `action.yml` with this image in place of the Dockerfile, and otherwise unchanged. Fails unless the line is
/// there exactly once: otherwise the file is already pinned, or has changed its form.
pub(crate) fn pinned(action: &str, image: &Image) -> Result<String> {
    let lines = action.lines().filter(|line| *line == BUILT).count();
    if lines != 1 {
        bail!("action.yml must have the line `{BUILT}` once, but has it {lines} times");
    }
    let pinned = action.lines().map(|line| {
        if line == BUILT {
            format!("  image: docker://{image}\n")
        } else {
            format!("{line}\n")
        }
    });
    Ok(pinned.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    const ACTION: &str = include_str!("../../action.yml");

    fn image() -> Image {
        format!("ghcr.io/octo-org/trigger-pipeline@{DIGEST}")
            .parse()
            .unwrap()
    }

    #[test]
    fn one_line_of_the_action_changes() {
        let pinned = pinned(ACTION, &image()).unwrap();
        let changed: Vec<_> = ACTION
            .lines()
            .zip(pinned.lines())
            .filter(|(old, new)| old != new)
            .collect();
        let line = format!("  image: docker://ghcr.io/octo-org/trigger-pipeline@{DIGEST}");
        assert_eq!(changed, [(BUILT, line.as_str())]);
        assert_eq!(ACTION.len() - BUILT.len() + line.len(), pinned.len());
    }

    #[test]
    fn a_pinned_action_is_not_pinned_again() {
        let once = pinned(ACTION, &image()).unwrap();
        let error = pinned(&once, &image()).unwrap_err().to_string();
        assert!(error.contains("but has it 0 times"), "{error}");
        let twice = format!("{ACTION}{BUILT}\n");
        let error = pinned(&twice, &image()).unwrap_err().to_string();
        assert!(error.contains("but has it 2 times"), "{error}");
    }

    #[test]
    fn an_image_needs_a_digest() {
        for good in [DIGEST.to_owned(), format!("localhost:5000/a/b@{DIGEST}")] {
            assert_eq!(good.parse::<Image>().unwrap().to_string(), good);
        }
        for bad in [
            "ghcr.io/octo-org/trigger-pipeline:1.2.3".to_owned(),
            "ghcr.io/octo-org/trigger-pipeline@sha256:5f70".to_owned(),
            format!(
                "ghcr.io/octo-org/trigger-pipeline@{}",
                DIGEST.to_uppercase()
            ),
            format!("ghcr.io/Octo-Org/trigger-pipeline@{DIGEST}"),
            format!("ghcr.io/octo-org/a b@{DIGEST}"),
            format!("@{DIGEST}"),
            String::new(),
        ] {
            assert!(bad.parse::<Image>().is_err(), "{bad}");
        }
    }
}
