//! The trusted CAs: Mozilla's list, which is compiled in, or the certificates in `SSL_CERT_FILE` and `SSL_CERT_DIR`
//! instead; and those of `ca-certificates`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_native_certs::load_certs_from_paths;

use crate::providers::error::{Error, ErrorKind, innermost};

const IN_CONTAINER: &str = "use a path that exists where the action runs: in its container, the workspace is `/github/workspace`. If the variable isn't set, public CAs are trusted";

/// Returns the trusted CAs: the default ones, and the `additional` PEM certificates.
pub(super) fn roots(additional: Option<&str>) -> Result<RootCertStore, Error> {
    let file = env::var_os("SSL_CERT_FILE");
    let folders = env::var_os("SSL_CERT_DIR");
    select(file.as_deref(), folders.as_deref(), additional)
}

fn select(
    file: Option<&OsStr>,
    folders: Option<&OsStr>,
    additional: Option<&str>,
) -> Result<RootCertStore, Error> {
    let folders: Vec<_> = folders
        .into_iter()
        .flat_map(env::split_paths)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    let mut roots = if file.is_none() && folders.is_empty() {
        mozilla_roots()
    } else {
        from_paths(file.map(Path::new), &folders)?
    };
    add_pem(&mut roots, additional.unwrap_or_default())?;
    if roots.is_empty() {
        return Err(
            unusable("SSL_CERT_DIR: none of its folders contains a usable certificate")
                .hint(IN_CONTAINER),
        );
    }
    Ok(roots)
}

/// `webpki_roots` is pre-parsed, so no certificate is parsed at start-up.
fn mozilla_roots() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// Skips certificates that can't be parsed, because system-wide bundles often contain some. Folders may be missing or
/// empty, as with OpenSSL, but an unusable file is an error.
fn from_paths(file: Option<&Path>, folders: &[PathBuf]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = file {
        add_file(&mut roots, file).map_err(|error| error.hint(IN_CONTAINER))?;
    }
    for folder in folders {
        roots.add_parsable_certificates(load_certs_from_paths(None, Some(folder)).certs);
    }
    Ok(roots)
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), Error> {
    if file.as_os_str().is_empty() {
        return Err(unusable("SSL_CERT_FILE: must not be empty"));
    }
    let shown = file.display();
    let found = load_certs_from_paths(Some(file), None);
    if found.certs.is_empty() {
        let none = || unusable(format!("SSL_CERT_FILE: `{shown}` contains no certificate"));
        return Err(found.errors.first().map_or_else(none, |error| {
            let reason = innermost(error);
            unusable(format!("SSL_CERT_FILE: `{shown}` can't be read: {reason}")).because(error)
        }));
    }
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let message = format!("SSL_CERT_FILE: `{shown}` contains no usable certificate");
        return Err(unusable(message));
    }
    Ok(())
}

fn add_pem(roots: &mut RootCertStore, pem: &str) -> Result<(), Error> {
    // The input was checked to be PEM.
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).flatten();
    for (index, certificate) in certificates.enumerate() {
        roots.add(certificate).map_err(|error| {
            let number = index + 1;
            unusable(format!(
                "input `ca-certificates`: certificate {number} can't be used"
            ))
            .hint("set it to the certificates of your CA, as PEM")
            .because(&error)
        })?;
    }
    Ok(())
}

fn unusable(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Rejected, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Certificates of the operating system, such as a file in `/etc`, are ignored.
    #[test]
    fn without_variables_only_mozillas_list_is_trusted() {
        for folders in [None, Some(OsStr::new("")), Some(OsStr::new(":"))] {
            let roots = select(None, folders, None).ok().unwrap();
            assert_eq!(roots.roots, webpki_roots::TLS_SERVER_ROOTS);
            assert!(roots.len() > 100);
        }
    }

    /// GitHub, GitLab and Bitbucket use certificates from some of these.
    #[test]
    fn mozillas_list_has_the_authorities_of_public_servers() {
        let roots = mozilla_roots().roots;
        for name in [
            "USERTrust ECC",
            "Sectigo Public Server",
            "GTS Root R1",
            "DigiCert Global Root G2",
            "ISRG Root X1",
            "Amazon Root CA 1",
        ] {
            let has = |subject: &[u8]| {
                subject
                    .windows(name.len())
                    .any(|part| part == name.as_bytes())
            };
            assert!(roots.iter().any(|root| has(&root.subject)), "{name}");
        }
    }
}
