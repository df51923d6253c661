//! Servers that cannot be reached, certificates and proxies.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use sandbox::world::Life;
use sandbox::{Certificate, Provider, Proxy, ProxyManners, Sandbox, World, demo};

use crate::calls::{at_once, living};
use crate::harness::{Step, sandbox};

/// A step that trusts some authority, but not the sandbox's, so that the test says the same everywhere.
fn https(sandbox: &Sandbox) -> Step {
    let step = Step::gitlab(sandbox)
        .input("server-url", &sandbox.https_url())
        .input("ref", "main");
    let stranger = crate::harness::sandbox();
    let file = step.file("stranger.pem", stranger.ca_pem());
    step.environment("SSL_CERT_FILE", &file)
}

#[test]
fn a_server_that_is_not_there_is_told_after_five_tries() {
    let port = Sandbox::reserve_port().unwrap();
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("server-url", &format!("http://127.0.0.1:{}", port.number()))
        .input("ref", "main")
        .run()
        .fails(&[&format!(
            "127.0.0.1:{} cannot be reached: Connection refused",
            port.number()
        )]);
    done.outcome("rejected").says("hint: check `server-url`");
    assert_eq!(done.log.matches("tried again in").count(), 4, "{done}");
}

#[test]
fn certificates_are_trusted_where_they_are_given() {
    let sandbox = sandbox();
    https(&sandbox)
        .input("ca-certificates", sandbox.ca_pem())
        .run()
        .passes();
    https(&sandbox)
        .input("ca-certificates", &sandbox.ca_pem().replace('\n', "\\n"))
        .run()
        .passes();
    let step = https(&sandbox);
    let file = step.file("ca.pem", sandbox.ca_pem());
    step.environment("SSL_CERT_FILE", &file).run().passes();
    assert_eq!(sandbox.runs().len(), 3);
    assert!(sandbox.requests().iter().all(|request| request.tls));
}

#[test]
fn a_certificate_that_is_not_trusted_is_final() {
    for (certificate, trusted, error) in [
        (
            Certificate::Good,
            false,
            "UnknownIssuer\nhint: where the server, or a proxy in between, has a certificate of your own authority, give that authority's certificate in `ca-certificates`",
        ),
        (Certificate::Expired, true, "expired"),
        (Certificate::WrongName, true, "not valid for name"),
    ] {
        let sandbox = Sandbox::builder(World::demo())
            .certificate(certificate)
            .start()
            .unwrap();
        let step = https(&sandbox);
        let step = if trusted {
            step.input("ca-certificates", sandbox.ca_pem())
        } else {
            step
        };
        let done = step.run().fails(&[error]);
        done.outcome("rejected").says("ca-certificates");
        assert!(!done.log.contains("tried again"), "{done}");
        assert_eq!(sandbox.requests().len(), 0);
    }
}

/// Passes on whatever comes to the port where that points to. Tells its own port.
fn relay(to: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it has an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to.load(Ordering::Relaxed))) else {
                continue;
            };
            for (mut from, mut to) in [
                (client.try_clone(), server.try_clone()),
                (Ok(server), Ok(client)),
            ]
            .map(|(from, to)| (from.expect("a socket"), to.expect("a socket")))
            {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    port
}

/// Whoever answers now is somebody else, who learns nothing. The run that is not read any more is named.
#[test]
fn a_certificate_that_turns_bad_while_waiting_loses_the_run() {
    let certificates = [
        (Certificate::Expired, "expired"),
        (Certificate::WrongName, "not valid for name"),
    ];
    at_once(certificates.to_vec(), |(certificate, error)| {
        let sandbox = living(Provider::Gitlab, Life::endless());
        let impostor = Sandbox::builder(World::demo())
            .certificate(certificate)
            .start()
            .unwrap();
        let leads_to = Arc::new(AtomicU16::new(sandbox.https_port()));
        let port = relay(Arc::clone(&leads_to));
        let step = https(&sandbox)
            .input("server-url", &format!("https://127.0.0.1:{port}"))
            .input(
                "ca-certificates",
                &[sandbox.ca_pem(), impostor.ca_pem()].concat(),
            )
            .input("wait", "true");
        let child = step.start();
        step.until_said(": running");
        leads_to.store(impostor.https_port(), Ordering::Relaxed);
        drop(sandbox);
        let done = step.finish(child).fails(&[error]);
        assert_eq!(done.outputs["conclusion"], "lost", "{done}");
        assert!(done.result()["runs"][0]["left_running"].is_string());
        assert_eq!(impostor.requests().len(), 0);
    });
}

#[test]
fn a_server_without_tls_is_told() {
    let sandbox = sandbox();
    let done = https(&sandbox)
        .input(
            "server-url",
            &format!("https://127.0.0.1:{}", sandbox.http_port()),
        )
        .run()
        .fails(&[
            "hint: is there a server that speaks https at this address? Look at `server-url`",
        ]);
    done.outcome("rejected");
}

#[test]
fn a_proxy_is_used_or_told() {
    let sandbox = sandbox();
    let trusting = || https(&sandbox).input("ca-certificates", sandbox.ca_pem());
    let proxy = Proxy::start(ProxyManners::Passes).unwrap();
    trusting()
        .environment("HTTPS_PROXY", &proxy.url())
        .run()
        .passes();
    assert_eq!(proxy.seen().len(), 1);
    trusting()
        .environment("HTTPS_PROXY", &proxy.url())
        .environment("NO_PROXY", "127.0.0.1")
        .run()
        .passes();
    assert_eq!(proxy.seen().len(), 1);

    let manners = || ProxyManners::Demands {
        user: "me".to_owned(),
        password: "proxy-password".to_owned(),
    };
    let strict = Proxy::start(manners()).unwrap();
    trusting()
        .environment("HTTPS_PROXY", &strict.url_for("me", "proxy-password"))
        .secret("proxy-password")
        .run()
        .passes();
    let wrong = trusting()
        .environment("HTTPS_PROXY", &strict.url_for("me", "wrong-password"))
        .secret("wrong-password")
        .debugging()
        .run()
        .fails(&["wants a user name and password for 127.0.0.1"]);
    wrong
        .outcome("rejected")
        .says("hint: put them into the URL in HTTPS_PROXY");
    assert!(!wrong.log.contains("tried again"), "{wrong}");

    let refusing = Proxy::start(ProxyManners::Refuses(403)).unwrap();
    trusting()
        .environment("HTTPS_PROXY", &refusing.url())
        .run()
        .fails(&["refuses to connect to 127.0.0.1"])
        .outcome("rejected");
    assert_eq!(sandbox.runs().len(), 3);
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let sandbox = sandbox();
    let port = Sandbox::reserve_port().unwrap();
    let done = https(&sandbox)
        .environment(
            "HTTPS_PROXY",
            &format!("http://127.0.0.1:{}", port.number()),
        )
        .run()
        .fails(&[&format!(
            "cannot be reached through the proxy 127.0.0.1:{}",
            port.number()
        )]);
    done.outcome("rejected")
        .says("hint: check HTTPS_PROXY and NO_PROXY");
}

#[test]
fn a_name_without_an_address_is_told() {
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("server-url", "https://nowhere.invalid")
        .input("token", demo::GITLAB_DEVELOPER)
        .input("ref", "main")
        .run()
        .fails(&["nowhere.invalid cannot be reached"]);
    done.outcome("rejected").says("tried again in 1 s");
}

#[test]
fn a_machine_without_certificates_is_told() {
    let sandbox = sandbox();
    let step = https(&sandbox);
    let file = step.file("none.pem", "");
    step.environment("SSL_CERT_FILE", &file)
        .run()
        .fails(&["no HTTP client can be made: the certificates cannot be used\nhint: look at `ca-certificates` and at the file that SSL_CERT_FILE names"])
        .outcome("not-sent");
}
