//! The bill of materials. cargo-cyclonedx lists the crates; the image holds two things more that can have holes: the C
//! library that is linked in, and the certificates.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

/// The bill, as `CycloneDX` in JSON, with Debian's packages as further components. `packages` has a line for each:
/// name, version, architecture. An error where there is none, or one is there already.
pub(crate) fn with_packages(bill: &str, packages: &str) -> Result<String> {
    let mut bill: Value = serde_json::from_str(bill).context("the bill is no JSON")?;
    let components = bill["components"]
        .as_array_mut()
        .context("the bill has no components")?;
    ensure!(!packages.trim().is_empty(), "no packages are given");
    for line in packages.lines() {
        let [name, version, architecture] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("`{line}` is not a package's name, version and architecture");
        };
        // The only character of a Debian version that a package URL wants escaped.
        let escaped = version.replace('+', "%2B");
        let purl = format!("pkg:deb/debian/{name}@{escaped}?arch={architecture}");
        ensure!(
            components
                .iter()
                .all(|component| component["purl"] != purl.as_str()),
            "{name} is in the bill already"
        );
        components.push(json!({
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
        }));
    }
    Ok(format!("{bill:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILL: &str = r#"{"bomFormat":"CycloneDX","components":[{"name":"anyhow","purl":"pkg:cargo/anyhow@1.0.0"}]}"#;
    const PACKAGES: &str =
        "libc6-dev 2.36-9+deb12u14 amd64\nca-certificates 20230311+deb12u1 all\n";

    #[test]
    fn packages_follow_the_crates() {
        let whole: Value = serde_json::from_str(&with_packages(BILL, PACKAGES).unwrap()).unwrap();
        let urls: Vec<_> = whole["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| of["purl"].as_str().unwrap())
            .collect();
        assert_eq!(
            urls,
            [
                "pkg:cargo/anyhow@1.0.0",
                "pkg:deb/debian/libc6-dev@2.36-9%2Bdeb12u14?arch=amd64",
                "pkg:deb/debian/ca-certificates@20230311%2Bdeb12u1?arch=all",
            ]
        );
        assert_eq!(whole["bomFormat"], "CycloneDX");
    }

    #[test]
    fn what_is_no_list_of_packages_is_refused() {
        for (packages, error) in [
            ("", "no packages"),
            ("libc6-dev 2.36", "is not a package's"),
        ] {
            let said = with_packages(BILL, packages).unwrap_err().to_string();
            assert!(said.contains(error), "{said}");
        }
        let once = with_packages(BILL, PACKAGES).unwrap();
        let said = with_packages(&once, PACKAGES).unwrap_err().to_string();
        assert!(said.contains("already"), "{said}");
    }
}
