//! Ports, TLS with the sandbox's CA, the record, and requests that no client may send.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sandbox::{Certificate, Provider, RecordedResponse, Sandbox, TlsFront, World, demo};
use serde_json::json;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{Response, request, start};

/// Requests a repository over https, trusting the sandbox's CA and verifying that name.
fn get_over_tls(sandbox: &Sandbox, name: &'static str) -> io::Result<Response> {
    let address = ([127, 0, 0, 1], sandbox.https_port()).into();
    get_over_tls_at(address, sandbox.ca_pem(), sandbox, name)
}

fn get_over_tls_at(
    address: SocketAddr,
    ca_pem: &str,
    sandbox: &Sandbox,
    name: &'static str,
) -> io::Result<Response> {
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name).unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address)?;
    let mut stream = StreamOwned::new(client, stream);
    request(sandbox, "GET", "/api/v3/repos/octo-org/app").exchange(&mut stream)
}

#[test]
fn https_is_valid_for_all_its_names() {
    let sandbox = Sandbox::builder(World::demo())
        .certificate_name("extra.test")
        .start()
        .unwrap();
    for name in [
        "127.0.0.1",
        "::1",
        "localhost",
        "sandbox.test",
        "extra.test",
    ] {
        let response = get_over_tls(&sandbox, name).unwrap();
        let page = response.json()["html_url"].to_string();
        assert!(page.contains("https://127.0.0.1:"), "{page}");
    }
    assert!(sandbox.requests().iter().all(|request| request.tls));
}

/// It has its own CA, and the server behind it gets plain http.
#[test]
fn a_tls_front_terminates_tls() {
    let sandbox = start();
    let behind = ([127, 0, 0, 1], sandbox.http_port()).into();
    let front = TlsFront::start(behind, &["extra.test"]).unwrap();
    for name in ["127.0.0.1", "extra.test"] {
        let response = get_over_tls_at(front.address(), front.ca_pem(), &sandbox, name).unwrap();
        assert_eq!(response.status, 200);
    }
    let error = get_over_tls_at(front.address(), sandbox.ca_pem(), &sandbox, "127.0.0.1");
    let error = error.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert_eq!(sandbox.requests().len(), 2);
    assert!(sandbox.requests().iter().all(|request| !request.tls));
}

#[test]
fn invalid_certificates_are_rejected() {
    for (certificate, message) in [
        (Certificate::Expired, "expired"),
        (Certificate::WrongName, "not valid for name"),
    ] {
        let sandbox = Sandbox::builder(World::demo())
            .certificate(certificate)
            .start()
            .unwrap();
        let error = get_over_tls(&sandbox, "localhost").unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert!(sandbox.requests().is_empty());
        assert_eq!(sandbox.connections(), 1);
    }
}

#[test]
fn a_reserved_port_refuses_until_it_is_used() {
    let port = Sandbox::reserve_port().unwrap();
    let number = port.number();
    let error = TcpStream::connect(("127.0.0.1", number)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let sandbox = Sandbox::builder(World::demo())
        .http_on(port)
        .start()
        .unwrap();
    assert_eq!(sandbox.http_port(), number);
    assert!(TcpStream::connect(("127.0.0.1", number)).is_ok());
    drop(sandbox);
    assert!(TcpStream::connect(("127.0.0.1", number)).is_err());
}

#[test]
fn a_closed_sandbox_refuses_until_it_is_opened() {
    let sandbox = start();
    let connect = || TcpStream::connect(("127.0.0.1", sandbox.http_port()));
    for _ in 0..3 {
        let mut inside = connect().unwrap();
        sandbox.close();
        // The open connection is closed or reset.
        assert!(matches!(
            io::Read::read(&mut inside, &mut [0]),
            Ok(0) | Err(_)
        ));
        let error = connect().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        sandbox.open();
        while connect().is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        let response = request(&sandbox, "GET", "/api/v3/repos/octo-org/app").send();
        assert_eq!(response.status, 200);
    }
}

#[test]
fn ipv6_works_if_the_machine_has_it() {
    let Ok(sandbox) = Sandbox::builder(World::demo()).ipv6().start() else {
        return;
    };
    let url = sandbox.ipv6_http_url().unwrap();
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let request = request(&sandbox, "GET", "/api/v3/repos/octo-org/app");
    assert_eq!(request.exchange(&mut stream).unwrap().status, 200);
}

#[test]
fn the_record_keeps_what_arrived() {
    let sandbox = start();
    request(&sandbox, "GET", "/nowhere?a=1").send();
    let path = "/2.0/repositories/octo-workspace%2Fservice/pipelines/";
    let request = request(&sandbox, "POST", path).header("X-Mixed-Case", "kept");
    request.json(r#"{"number": 1.10}"#).send();
    let requests = sandbox.requests();
    let first = &requests[0];
    assert_eq!(
        (first.order, first.provider, first.query.as_str()),
        (0, None, "a=1")
    );
    assert_eq!(first.response, RecordedResponse::Status(404));
    let second = &requests[1];
    assert_eq!(
        (second.order, second.provider),
        (1, Some(Provider::Bitbucket))
    );
    assert_eq!(second.path, path);
    assert_eq!(second.headers.get("x-mixed-case"), Some("kept"));
    assert_eq!(second.json().unwrap().to_string(), r#"{"number":1.10}"#);
    assert_eq!(sandbox.trigger_requests().len(), 1);
    assert!(!second.tls);
}

#[test]
fn tokens_in_urls_and_foreign_credentials_are_refused_and_recorded() {
    let sandbox = start();
    let trigger = "/api/v4/projects/4242/trigger/pipeline";
    let github = "/api/v3/repos/octo-org/app";
    let requests = [
        request(
            &sandbox,
            "POST",
            &format!("{trigger}?token={}&ref=main", demo::GITLAB_TRIGGER),
        ),
        request(
            &sandbox,
            "GET",
            &format!("{github}?x={}", demo::GITHUB_CLASSIC),
        ),
        request(&sandbox, "GET", github).header("PRIVATE-TOKEN", "anything"),
        request(&sandbox, "GET", github).bearer(demo::BITBUCKET_ACCESS),
        request(&sandbox, "GET", "/api/v4/projects/4242").bearer(demo::GITHUB_CLASSIC),
        request(&sandbox, "GET", github).bearer("glptt-anything"),
        request(&sandbox, "GET", "/2.0/repositories/octo-workspace/service")
            .bearer(demo::GITLAB_DEVELOPER),
    ];
    for request in requests {
        let response = request.json(json!({})).send();
        assert_eq!(response.status, 400, "{}", response.text());
    }
    let in_body = json!({"token": demo::GITHUB_WORKFLOW, "ref": "main"});
    assert_eq!(
        request(&sandbox, "POST", trigger)
            .json(in_body)
            .send()
            .status,
        400
    );
    for request in sandbox.requests() {
        assert!(!request.objections.is_empty(), "{}", request.path);
    }
    assert!(sandbox.runs().is_empty());
}
