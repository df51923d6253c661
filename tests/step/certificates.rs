//! Certificates: which are trusted, for each way to configure them, and how untrusted or invalid ones are reported.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use sandbox::world::Scenario;
use sandbox::{Certificate, Provider, Sandbox, World, demo};

use crate::calls::{PROVIDERS, in_parallel, start, with_scenario};
use crate::harness::{Step, sandbox};
use crate::https_steps::{
    assert_complete, call_at, failing_world, secure_trigger, unrelated_ca, untrusted_trigger,
};

/// A private CA, configured in each possible way, and in none.
#[test]
fn a_ca_is_trusted_whichever_way_it_is_configured() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let at = |sandbox: &Sandbox| call_at(provider, sandbox, &sandbox.https_url());

        let only_the_input = start(failing_world());
        let step = at(&only_the_input).input("ca-certificates", only_the_input.ca_pem());
        assert_complete(&step.run(), &only_the_input);

        let only_the_file = start(failing_world());
        let step = at(&only_the_file);
        let file = step.file("ca.pem", &[unrelated_ca(), only_the_file.ca_pem()].concat());
        let step = step.environment("SSL_CERT_FILE", &file);
        assert_complete(&step.run(), &only_the_file);

        let only_a_folder = start(failing_world());
        let step = at(&only_a_folder);
        let folder = step.folder("authorities");
        // File names don't matter.
        step.file("authorities/stranger.crt", unrelated_ca());
        step.file("authorities/our-own.pem", only_a_folder.ca_pem());
        let step = step.without("SSL_CERT_FILE");
        let step = step.environment("SSL_CERT_DIR", &format!("{folder}-that-is-not:{folder}"));
        assert_complete(&step.run(), &only_a_folder);

        // The compiled-in list has no certificate for the sandbox.
        let none = start(failing_world());
        let done = at(&none).without("SSL_CERT_FILE").run();
        let done = done.fails(&["UnknownIssuer"]);
        done.outcome("not-sent")
            .says("set `ca-certificates` to the CA's certificate");
        assert_eq!(none.requests().len(), 0);

        for sandbox in [only_the_input, only_the_file, only_a_folder] {
            assert!(sandbox.requests().iter().all(|request| request.tls));
        }
    });
}

/// PEM whose line breaks were lost, several certificates, and text around them.
#[test]
fn cas_may_be_written_in_several_ways() {
    let sandbox = sandbox();
    let ca = sandbox.ca_pem();
    for pem in [
        ca.replace('\n', "\\n"),
        ca.replace('\n', "\r\n"),
        format!("{}{ca}", unrelated_ca()),
        format!("# Our own\n{ca}\nand that is all\n"),
    ] {
        let step = untrusted_trigger(&sandbox);
        step.input("ca-certificates", &pem).run().passes();
    }
    assert_eq!(sandbox.runs().len(), 4);
}

/// `SSL_CERT_FILE` replaces the system's certificates; `ca-certificates` is added to either.
#[test]
fn ssl_cert_file_replaces_the_systems_certificates() {
    let sandbox = sandbox();
    let step = untrusted_trigger(&sandbox);
    let file = step.file("ca.pem", sandbox.ca_pem());
    let folder = step.folder("empty");
    step.environment("SSL_CERT_FILE", &file)
        .environment("SSL_CERT_DIR", &folder)
        .run()
        .passes();
    let other = crate::harness::sandbox();
    let step = untrusted_trigger(&other).input("ca-certificates", sandbox.ca_pem());
    let file = step.file("ca.pem", other.ca_pem());
    step.environment("SSL_CERT_FILE", &file).run().passes();
    let elsewhere = secure_trigger(&other);
    let file = elsewhere.file("ca.pem", sandbox.ca_pem());
    elsewhere.environment("SSL_CERT_FILE", &file).run().passes();
}

/// Falling back to the compiled-in list, or using only `ca-certificates`, would hide the mistake.
#[test]
fn an_unusable_certificate_file_is_an_error() {
    let sandbox = sandbox();
    let empty_folder = untrusted_trigger(&sandbox);
    let folder = empty_folder.folder("empty");
    let written = |text: &str| empty_folder.file(&format!("{}.pem", text.len()), text);
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (file, problem) in [
        (
            "/nowhere/ca.pem".to_owned(),
            "`/nowhere/ca.pem` can't be read: No such file or directory (os error 2)".to_owned(),
        ),
        (
            folder.clone(),
            format!("`{folder}` can't be read: Is a directory (os error 21)"),
        ),
        (String::new(), "must not be empty".to_owned()),
        (
            written(""),
            format!("`{}` contains no certificate", written("")),
        ),
        (
            written("not PEM"),
            format!("`{}` contains no certificate", written("not PEM")),
        ),
        (
            written(junk),
            format!("`{}` contains no usable certificate", written(junk)),
        ),
    ] {
        for step in [untrusted_trigger(&sandbox), secure_trigger(&sandbox)] {
            let step = step.environment("SSL_CERT_FILE", &file);
            let done = step
                .run()
                .fails(&[&format!("SSL_CERT_FILE: {problem}\nhint: ")]);
            done.outcome("not-sent").says("/github/workspace");
        }
    }
    assert_eq!(sandbox.requests().len(), 0);
}

/// Unlike a file, a folder may be missing or empty, as with OpenSSL.
#[test]
fn a_certificate_folder_may_be_empty() {
    let sandbox = sandbox();
    let at = |step: Step, folders: &str| {
        let step = step.without("SSL_CERT_FILE");
        step.environment("SSL_CERT_DIR", folders).run()
    };
    let step = untrusted_trigger(&sandbox);
    let folder = step.folder("empty");
    let folders = format!("/nowhere:{folder}");
    let done = at(step, &folders)
        .fails(&["SSL_CERT_DIR: none of its folders contains a usable certificate\nhint: "]);
    done.outcome("not-sent").says("/github/workspace");
    // Without a folder, the compiled-in certificates are used.
    at(untrusted_trigger(&sandbox), "").fails(&["UnknownIssuer"]);
    assert_eq!(sandbox.requests().len(), 0);
    at(secure_trigger(&sandbox), &folders).passes();
}

#[test]
fn an_invalid_certificate_is_named() {
    let sandbox = sandbox();
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let both = format!("{}{junk}", sandbox.ca_pem());
    let step = untrusted_trigger(&sandbox).input("ca-certificates", &both);
    let done = step
        .run()
        .fails(&["input `ca-certificates`: certificate 2 can't be used\nhint: "]);
    done.outcome("not-sent");
    assert_eq!(sandbox.requests().len(), 0);
}

/// A CA that one entry trusts isn't trusted by the others.
#[test]
fn each_target_has_its_own_cas() {
    let (first, second) = (sandbox(), sandbox());
    let entry = |server: &Sandbox, trusts: &Sandbox| {
        serde_json::json!({
            "server-url": server.https_url(),
            "ca-certificates": trusts.ca_pem(),
            "token": demo::GITLAB_DEVELOPER,
        })
    };
    let both = |entries: [serde_json::Value; 2]| {
        let step = untrusted_trigger(&first).input("server-url", "");
        let step = step.input("token", demo::GITHUB_WORKFLOW_OF_CALLER);
        let entries = serde_json::Value::from(entries.to_vec()).to_string();
        step.input("targets", &entries).run()
    };
    both([entry(&first, &first), entry(&second, &second)]).passes();
    both([entry(&first, &second), entry(&second, &first)])
        .fails(&["UnknownIssuer", "UnknownIssuer"]);
    assert_eq!((first.runs().len(), second.runs().len()), (1, 1));
}

#[test]
fn an_untrusted_certificate_is_final() {
    for (certificate, trusted, error) in [
        (
            Certificate::Good,
            false,
            "UnknownIssuer\nhint: if the server, or a proxy in between, has a certificate of a private CA, set `ca-certificates` to the CA's certificate. If you did, the variable or secret in it is empty\n",
        ),
        (Certificate::Expired, true, "expired"),
        (Certificate::WrongName, true, "not valid for name"),
    ] {
        let sandbox = Sandbox::builder(World::demo())
            .certificate(certificate)
            .start()
            .unwrap();
        let step = untrusted_trigger(&sandbox);
        let step = if trusted {
            step.input("ca-certificates", sandbox.ca_pem())
        } else {
            step
        };
        let done = step.run().fails(&[error]);
        done.outcome("rejected").says("ca-certificates");
        assert!(!done.log.contains("retrying in"), "{done}");
        assert_eq!(sandbox.requests().len(), 0);
    }
}

/// An unset variable in `ca-certificates` looks like an input that isn't set, so the error has to lead there.
#[test]
fn an_unknown_issuer_says_what_is_wrong_with_the_input() {
    let sandbox = sandbox();
    for (certificates, hint) in [
        ("", "If you did, the variable or secret in it is empty"),
        (
            unrelated_ca(),
            "add the CA's certificate to `ca-certificates`, which doesn't contain it",
        ),
    ] {
        let step = untrusted_trigger(&sandbox).input("ca-certificates", certificates);
        step.run().fails(&["UnknownIssuer"]).says(hint);
    }
    assert_eq!(sandbox.requests().len(), 0);
}

/// Forwards connections to the port that `to` holds. Returns its own port.
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

/// Whoever answers now is a stranger who must learn nothing. The run that can't be read any more is named.
#[test]
fn a_certificate_that_turns_bad_does_not_end_the_wait() {
    let certificates = [
        (Certificate::Expired, "expired"),
        (Certificate::WrongName, "not valid for name"),
    ];
    in_parallel(certificates.to_vec(), |(certificate, error)| {
        let sandbox = with_scenario(Provider::GitLab, Scenario::endless());
        let impostor = Sandbox::builder(World::demo())
            .certificate(certificate)
            .start()
            .unwrap();
        let leads_to = Arc::new(AtomicU16::new(sandbox.https_port()));
        let port = relay(Arc::clone(&leads_to));
        let step = untrusted_trigger(&sandbox)
            .input("server-url", &format!("https://127.0.0.1:{port}"))
            .input(
                "ca-certificates",
                &[sandbox.ca_pem(), impostor.ca_pem()].concat(),
            )
            .input("wait", "true")
            .input("timeout", "8s");
        let child = step.start();
        step.until_said(": running");
        leads_to.store(impostor.https_port(), Ordering::Relaxed);
        drop(sandbox);
        let done = step.finish(child);
        done.says(error).says("; still waiting");
        assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
        assert!(done.result()["runs"][0]["left_running"].is_string());
        assert_eq!(impostor.requests().len(), 0);
    });
}
