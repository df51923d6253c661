//! The bill of materials. cargo-cyclonedx lists the crates, including Mozilla's certificates. This adds the C
//! library, which is also linked in, and the image that everything was built in.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::action::Image;

/// Returns the bill as `CycloneDX` JSON, with Debian's packages and the base image as further components. `packages`
/// has one line per package: name, version, architecture. Fails if there is no package, or if one is already in the
/// bill.
pub(crate) fn complete(bill: &str, packages: &str, base: &Image) -> Result<String> {
    let mut bill: Value = serde_json::from_str(bill).context("the bill isn't JSON")?;
    let components = bill["components"]
        .as_array_mut()
        .context("the bill has no components")?;
    ensure!(!packages.trim().is_empty(), "the list of packages is empty");
    for line in packages.lines() {
        let [name, version, architecture] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("`{line}` is not a package's name, version and architecture");
        };
        // The only character in a Debian version that must be escaped in a package URL.
        let escaped = version.replace('+', "%2B");
        let purl = format!("pkg:deb/debian/{name}@{escaped}?arch={architecture}");
        ensure!(
            components
                .iter()
                .all(|component| component["purl"] != purl.as_str()),
            "the bill already has {name}"
        );
        components.push(json!({
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
        }));
    }
    components.push(json!({
        "type": "container",
        "bom-ref": base.to_string(),
        "name": base.name(),
        "version": base.digest(),
        "description": "The image in which the binary was built",
        // It isn't part of what runs.
        "scope": "excluded",
    }));
    Ok(format!("{bill:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILL: &str = r#"{"bomFormat":"CycloneDX","components":[{"name":"anyhow","purl":"pkg:cargo/anyhow@1.0.0"}]}"#;
    const PACKAGES: &str = "libc6-dev 2.36-9+deb12u14 amd64\n";

    fn base() -> Image {
        format!("rust:1.95-slim-bookworm@sha256:{}", "0".repeat(64))
            .parse()
            .unwrap()
    }

    #[test]
    fn packages_and_base_image_follow_the_crates() {
        let whole = complete(BILL, PACKAGES, &base()).unwrap();
        let whole: Value = serde_json::from_str(&whole).unwrap();
        let [krate, library, image] = &whole["components"].as_array().unwrap()[..] else {
            panic!("{whole}");
        };
        assert_eq!(krate["purl"], "pkg:cargo/anyhow@1.0.0");
        let purl = "pkg:deb/debian/libc6-dev@2.36-9%2Bdeb12u14?arch=amd64";
        assert_eq!(library["purl"], purl);
        assert_eq!(image["name"], "rust:1.95-slim-bookworm");
        assert_eq!(image["version"], base().digest());
        assert_eq!(image["scope"], "excluded");
        assert_eq!(whole["bomFormat"], "CycloneDX");
    }

    #[test]
    fn an_invalid_list_of_packages_is_rejected() {
        let error_of = |bill, packages| {
            let error = complete(bill, packages, &base()).unwrap_err();
            error.to_string()
        };
        for (packages, error) in [("", "is empty"), ("libc6-dev 2.36", "is not a package's")] {
            let message = error_of(BILL, packages);
            assert!(message.contains(error), "{message}");
        }
        let once = complete(BILL, PACKAGES, &base()).unwrap();
        let message = error_of(&once, PACKAGES);
        assert!(message.contains("already"), "{message}");
    }
}
