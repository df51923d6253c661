//! The proxy: forwards, refuses, requires credentials, and records requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use sandbox::{Proxy, ProxyBehaviour, Sandbox, World, demo};

use crate::client::{request, start};

fn connect(proxy: &Proxy, target: &str, headers: &str) -> (String, TcpStream) {
    let url = proxy.url();
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "CONNECT {target} HTTP/1.1\r\n{headers}\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, stream)
}

#[test]
fn connect_is_forwarded_even_to_names_that_only_the_proxy_knows() {
    let sandbox = start();
    let address = ([127, 0, 0, 1], sandbox.http_port()).into();
    let hosts = [("sandbox.test:443", address)];
    let proxy = Proxy::start_knowing(ProxyBehaviour::Forwards, &hosts).unwrap();
    let (status, mut stream) = connect(&proxy, "sandbox.test:443", "");
    assert_eq!(status, "200");
    let request = request(&sandbox, "GET", "/api/v3/repos/octo-org/app");
    assert_eq!(request.exchange(&mut stream).unwrap().status, 200);
    let seen = proxy.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("CONNECT", "sandbox.test:443")
    );
    assert!(seen[0].passed);
}

#[test]
fn plain_http_is_forwarded() {
    let sandbox = start();
    let proxy = Proxy::start(ProxyBehaviour::Forwards).unwrap();
    let target = format!("{}/api/v3/repos/octo-org/app", sandbox.http_url());
    let url = proxy.url();
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let response = request(&sandbox, "GET", &target)
        .exchange(&mut stream)
        .unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(proxy.seen()[0].target, target);
}

#[test]
fn clients_can_be_refused_or_need_credentials() {
    for status in [403, 407, 502] {
        let proxy = Proxy::start(ProxyBehaviour::Refuses(status)).unwrap();
        assert_eq!(connect(&proxy, "127.0.0.1:1", "").0, status.to_string());
        assert!(!proxy.seen()[0].passed);
    }
    let sandbox = start();
    let proxy = Proxy::start(ProxyBehaviour::RequiresCredentials {
        user: "user".to_owned(),
        password: "pass".to_owned(),
    })
    .unwrap();
    let target = format!("127.0.0.1:{}", sandbox.http_port());
    assert_eq!(connect(&proxy, &target, "").0, "407");
    let credentials = "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n";
    assert_eq!(connect(&proxy, &target, credentials).0, "200");
    assert!(
        proxy
            .url_for("user", "pass")
            .starts_with("http://user:pass@127.0.0.1:")
    );
}

/// Reads until the connection is closed.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    rest
}

#[test]
fn connections_can_be_closed_before_and_after_the_response() {
    let sandbox = start();
    let target = format!("127.0.0.1:{}", sandbox.http_port());
    let proxy = Proxy::start(ProxyBehaviour::HangsUp).unwrap();
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    write!(stream, "CONNECT {target} HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(rest(&mut stream), b"");
    assert!(!proxy.seen()[0].passed);

    proxy.set_behaviour(ProxyBehaviour::DropsTunnel);
    let (status, mut stream) = connect(&proxy, &target, "");
    assert_eq!(status, "200");
    assert_eq!(rest(&mut stream), b"");

    proxy.set_behaviour(ProxyBehaviour::Forwards);
    let (status, mut stream) = connect(&proxy, &target, "");
    assert_eq!(status, "200");
    proxy.cut();
    assert_eq!(rest(&mut stream), b"");
    assert_eq!(sandbox.requests().len(), 0);
}

#[test]
fn a_proxy_can_listen_on_ipv6() {
    let sandbox = start();
    let proxy = Proxy::start_on_ipv6(ProxyBehaviour::Forwards).unwrap();
    assert_eq!(
        proxy.url(),
        format!("http://[::1]:{}", proxy.address().port())
    );
    let target = format!("127.0.0.1:{}", sandbox.http_port());
    let (_, mut stream) = connect(&proxy, &target, "");
    let request = request(&sandbox, "GET", "/api/v3/repos/octo-org/app");
    assert_eq!(request.exchange(&mut stream).unwrap().status, 200);
}

/// The server has another name for itself than its clients.
#[test]
fn links_begin_with_the_external_url() {
    let mut world = World::demo();
    world.external_url = Some("https://git.example.com".to_owned());
    let sandbox = Sandbox::start(world).unwrap();
    for (path, url) in [
        ("/api/v3", "https://git.example.com/octo-org/app"),
        (
            "/github/api/v3",
            "https://git.example.com/github/octo-org/app",
        ),
    ] {
        let response = request(&sandbox, "GET", &format!("{path}/repos/octo-org/app"))
            .bearer(demo::GITHUB_CLASSIC)
            .send();
        assert_eq!(response.json()["html_url"], url);
    }
}
