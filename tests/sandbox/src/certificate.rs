//! The sandbox's certificate authority and the valid or invalid certificates it issues. TLS connections are in
//! `server`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificate of the https port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// Valid for `127.0.0.1`, `::1`, `localhost`, `sandbox.test` and the builder's extra names.
    #[default]
    Good,
    /// For the same names, but expired in 2001.
    Expired,
    /// Valid only for `elsewhere.test`.
    WrongName,
}

/// A CA certificate as PEM, and a TLS configuration with a certificate issued by that CA.
pub(crate) struct Issued {
    pub(crate) ca_pem: String,
    pub(crate) tls: Arc<rustls::ServerConfig>,
}

pub(crate) fn issue(certificate: Certificate, extra_names: &[String]) -> io::Result<Issued> {
    let authority_key = KeyPair::generate().map_err(io::Error::other)?;
    let authority = authority_params();
    let authority_certificate = authority
        .self_signed(&authority_key)
        .map_err(io::Error::other)?;
    let ca_pem = pem("CERTIFICATE", authority_certificate.der());
    let issuer = Issuer::new(authority, authority_key);

    let leaf_key = KeyPair::generate().map_err(io::Error::other)?;
    let leaf = leaf_params(certificate, extra_names)?
        .signed_by(&leaf_key, &issuer)
        .map_err(io::Error::other)?;
    let chain = vec![CertificateDer::from(leaf)];
    let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    Ok(Issued {
        ca_pem,
        tls: Arc::new(tls),
    })
}

/// Gives each CA a different name, as real CAs have.
fn authority_params() -> CertificateParams {
    static NEXT_NUMBER: AtomicUsize = AtomicUsize::new(1);
    let name = format!(
        "sandbox test authority {}",
        NEXT_NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn leaf_params(certificate: Certificate, extra_names: &[String]) -> io::Result<CertificateParams> {
    let names = match certificate {
        Certificate::Good | Certificate::Expired => {
            let standard = ["127.0.0.1", "::1", "localhost", "sandbox.test"].map(str::to_owned);
            [&standard, extra_names].concat()
        }
        Certificate::WrongName => vec!["elsewhere.test".to_owned()],
    };
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "sandbox");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    if certificate == Certificate::Expired {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    }
    Ok(params)
}

/// Returns a PEM block, with Base64 in lines of 64 characters as PEM parsers expect.
fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut block = format!("-----BEGIN {label}-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            block.push('\n');
        }
        block.push(character);
    }
    block + &format!("\n-----END {label}-----\n")
}
