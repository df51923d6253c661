//! The certificate authorities that are compiled into the binary. TLS libraries don't check whether a root has
//! expired, so an outdated list would be trusted without any warning.

use anyhow::Result;
use chrono::{DateTime, Utc};
use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

pub(crate) fn count() -> usize {
    webpki_roots::TLS_SERVER_ROOTS.len()
}

/// Returns the compiled-in roots that have expired by then.
pub(crate) fn problems(now: DateTime<Utc>) -> Result<Vec<String>> {
    let certificates = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    outdated(webpki_roots::TLS_SERVER_ROOTS, certificates, now)
}

/// A root has no dates. They are in its certificate, which is in another crate of the same version.
fn outdated(
    roots: &[TrustAnchor<'_>],
    certificates: &[CertificateDer<'_>],
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for der in certificates {
        let anchor = webpki::anchor_from_trusted_cert(der)?;
        if !roots.iter().any(|root| is_same(root, &anchor)) {
            continue;
        }
        checked += 1;
        let certificate = Certificate::from_der(der)?;
        let certificate = certificate.tbs_certificate();
        let end = certificate.validity().not_after.to_system_time();
        let end = DateTime::<Utc>::from(end);
        if end < now {
            let subject = certificate.subject();
            wrong.push(format!("{subject} expired on {}", end.date_naive()));
        }
    }
    let unknown = roots.len() - checked;
    if unknown > 0 {
        wrong.push(format!(
            "{unknown} roots of webpki-roots have no certificate in webpki-root-certs: both crates must have the same version"
        ));
    }
    Ok(wrong)
}

/// Ignores name constraints, which Mozilla adds to some roots whose certificates have none.
fn is_same(root: &TrustAnchor<'_>, other: &TrustAnchor<'_>) -> bool {
    root.subject == other.subject && root.subject_public_key_info == other.subject_public_key_info
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: &str) -> DateTime<Utc> {
        format!("{date}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn every_compiled_in_root_is_checked() {
        // Today's list would also be valid in the past, but no root is trusted for that long.
        assert_eq!(problems(at("2020-01-01")).unwrap(), [""; 0]);
        let expired = problems(at("2100-01-01")).unwrap();
        assert_eq!(expired.len(), count());
        assert!(count() > 100);
        let known = |text: &&String| text.contains("CN=ISRG Root X1");
        let known = expired.iter().find(known).unwrap();
        assert!(known.ends_with(" expired on 2035-06-04"), "{known}");
    }

    #[test]
    fn only_compiled_in_roots_count() {
        let (roots, certificates) = (
            webpki_roots::TLS_SERVER_ROOTS,
            webpki_root_certs::TLS_SERVER_ROOT_CERTS,
        );
        let few = outdated(&roots[..2], certificates, at("2100-01-01")).unwrap();
        assert_eq!(few.len(), 2, "{few:?}");
        let unknown = outdated(
            roots,
            &certificates[..certificates.len() - 2],
            at("2020-01-01"),
        );
        assert_eq!(
            unknown.unwrap(),
            [
                "2 roots of webpki-roots have no certificate in webpki-root-certs: both crates must have the same version"
            ]
        );
    }
}
