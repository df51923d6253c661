//! Proxies: which are used for which requests, with which credentials, and how failures are reported.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sandbox::world::Scenario;
use sandbox::{Fault, Moment, Occasion, Provider, Proxy, ProxyBehaviour, Route, Sandbox, TlsFront};

use crate::calls::{PROVIDERS, SECOND, in_parallel, start, until, with_scenario};
use crate::harness::{Step, sandbox};
use crate::https_steps::{
    LOG_LINE, assert_complete, failing_world, failing_world_with_log, secure_call, secure_trigger,
    tunnel_targets,
};

const LOOPBACK: &str = "loopback has free ports";

/// A proxy that demands credentials.
fn proxy_with_credentials(user: &str, password: &str) -> Proxy {
    Proxy::start(ProxyBehaviour::RequiresCredentials {
        user: user.to_owned(),
        password: password.to_owned(),
    })
    .expect(LOOPBACK)
}

fn passing() -> Proxy {
    Proxy::start(ProxyBehaviour::Forwards).expect(LOOPBACK)
}

#[test]
fn all_requests_of_a_step_go_through_the_proxy() {
    let variables = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    for (provider, variable) in PROVIDERS.into_iter().cycle().zip(variables) {
        let sandbox = start(failing_world());
        let proxy = passing();
        let done = secure_call(provider, &sandbox)
            .environment(variable, &proxy.url())
            .run();
        assert_complete(&done, &sandbox);
        // The storage of the sandbox has another host name.
        let mut expected = BTreeSet::from([format!("127.0.0.1:{}", sandbox.https_port())]);
        if provider != Provider::GitLab {
            expected.insert(format!("localhost:{}", sandbox.https_port()));
        }
        assert_eq!(tunnel_targets(&proxy), expected, "{variable}");
        assert_eq!(proxy.seen().len(), sandbox.connections(), "{variable}");
    }
}

/// Empty variables count as unset, and the first of several wins.
#[test]
fn the_first_non_empty_variable_wins() {
    let sandbox = sandbox();
    let (used, other) = (
        passing(),
        Proxy::start(ProxyBehaviour::Refuses(403)).unwrap(),
    );
    for set in [
        [("HTTPS_PROXY", &used), ("https_proxy", &other)],
        [("HTTPS_PROXY", &used), ("ALL_PROXY", &other)],
        [("https_proxy", &used), ("all_proxy", &other)],
        [("ALL_PROXY", &used), ("all_proxy", &other)],
        // `REQUEST_METHOD` is set in CGI scripts, and doesn't matter here.
        [("HTTPS_PROXY", &used), ("REQUEST_METHOD", &other)],
        [("HTTPS_PROXY", &used), ("HTTP_PROXY", &other)],
    ] {
        let before = used.seen().len();
        let step = secure_trigger(&sandbox).environment("HTTPS_PROXY", "");
        set.iter()
            .fold(step, |step, (name, proxy)| {
                step.environment(name, &proxy.url())
            })
            .run()
            .passes();
        assert_eq!(used.seen().len(), before + 1);
    }
    assert_eq!(other.seen().len(), 0);
}

/// The token would be sent unencrypted, and `127.0.0.1` would mean the proxy's own machine.
#[test]
fn plain_http_goes_through_no_proxy() {
    let proxy = Proxy::start(ProxyBehaviour::Refuses(403)).unwrap();
    for provider in PROVIDERS {
        let sandbox = start(failing_world());
        let step = crate::calls::call(provider, &sandbox);
        let variables = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
        let done = variables
            .into_iter()
            .fold(step, |step, name| step.environment(name, &proxy.url()))
            .run();
        assert_complete(&done, &sandbox);
    }
    assert_eq!(proxy.seen().len(), 0);
}

#[test]
fn exempt_servers_are_reached_directly() {
    let sandbox = Sandbox::builder(sandbox::World::demo())
        .ipv6()
        .start()
        .unwrap();
    let proxy = passing();
    let address = sandbox.https_url();
    let name = address.replace("127.0.0.1", "localhost");
    let sixth = sandbox.ipv6_https_url().unwrap();
    let port = sandbox.https_port();
    for (server, exempt, is_direct) in [
        (&address, "127.0.0.1".to_owned(), true),
        (&address, "10.0.0.1, 127.0.0.1".to_owned(), true),
        (&address, "127.0.0.0/8".to_owned(), true),
        (&address, format!("127.0.0.1:{port}"), true),
        (&address, "*".to_owned(), true),
        (&address, "127.0.0.1:1".to_owned(), false),
        (&address, "10.0.0.0/8".to_owned(), false),
        (&address, String::new(), false),
        (&name, "localhost".to_owned(), true),
        (&name, ".localhost".to_owned(), true),
        (&name, "*.localhost".to_owned(), true),
        (&name, "git.example,\tLOCALHOST ".to_owned(), true),
        (&name, format!("localhost:{port}"), true),
        (&name, "host".to_owned(), false),
        // Names aren't resolved for this.
        (&name, "127.0.0.0/8".to_owned(), false),
        (&sixth, "::1".to_owned(), true),
        (&sixth, "[::1]".to_owned(), true),
        (&sixth, "::/64".to_owned(), true),
    ] {
        for variable in ["NO_PROXY", "no_proxy"] {
            let before = proxy.seen().len();
            secure_trigger(&sandbox)
                .input("server-url", server)
                .environment("HTTPS_PROXY", &proxy.url())
                .environment(variable, &exempt)
                .run()
                .passes();
            let tunnels = proxy.seen().len() - before;
            assert_eq!(tunnels, usize::from(!is_direct), "{server} {exempt:?}");
        }
    }
}

/// The proxy was configured on purpose, so nothing is sent around it.
#[test]
fn an_invalid_proxy_is_reported_and_never_bypassed() {
    let sandbox = sandbox();
    let (url, no_address) = (
        "http://me:proxy-password@127.0.0.1:1",
        "isn't a valid proxy URL",
    );
    let path = "must end with the port";
    for (variable, value, error) in [
        ("HTTPS_PROXY", "::", no_address),
        ("https_proxy", "http://", no_address),
        (
            "ALL_PROXY",
            "http://me:proxy-password@proxy:port",
            no_address,
        ),
        (
            "HTTPS_PROXY",
            "http://me:proxy-password#@proxy:1",
            no_address,
        ),
        ("HTTPS_PROXY", &format!("{url}/proxy.pac"), path),
        ("HTTPS_PROXY", "http://proxy:1/me:proxy-password@", path),
        (
            "HTTPS_PROXY",
            &url.replace("http", "socks5"),
            "has the scheme `socks5`, which isn't supported",
        ),
        (
            "all_proxy",
            &url.replace("http", "socks5h"),
            "has the scheme `socks5h`, which isn't supported",
        ),
        (
            "HTTPS_PROXY",
            &url.replace("http", "ftp"),
            "has the scheme `ftp`, which isn't supported",
        ),
    ] {
        let expected = format!("environment variable `{variable}`: {error}");
        let done = secure_trigger(&sandbox)
            .environment(variable, value)
            .input("dry-run", "perhaps")
            .secret("proxy-password")
            .debugging()
            .run()
            .fails(&["input `dry-run`", &expected]);
        done.says("nothing was sent");
    }
    assert_eq!(sandbox.connections(), 0);
}

#[test]
fn proxy_credentials_are_used_and_never_shown() {
    let travels = |user: &str, password: &str| BASE64_STANDARD.encode(format!("{user}:{password}"));
    for (account, user, password) in [
        ("me:proxy-password", "me", "proxy-password"),
        ("me%40work:p%40ss%3Aw%C3%B6rd%2F1", "me@work", "p@ss:wörd/1"),
        ("me:pass@word", "me", "pass@word"),
        ("key-of-the-proxy", "key-of-the-proxy", ""),
        ("key-of-the-proxy:", "key-of-the-proxy", ""),
    ] {
        let proxy = proxy_with_credentials(user, password);
        let written = account
            .split_once(':')
            .map_or(account, |(_, password)| password);
        let secrets = [written, password, &travels(user, password)].map(str::to_owned);
        let secrets = secrets.map(|secret| match secret.as_str() {
            "" => user.to_owned(),
            _ => secret,
        });
        // The remote job logs all of them.
        let sandbox = start(failing_world_with_log(&format!(
            "{LOG_LINE} {}",
            secrets.join(" ")
        )));
        let address = proxy
            .url()
            .replace("http://", &format!("http://{account}@"));
        let step = secure_call(Provider::GitHub, &sandbox)
            .environment("HTTPS_PROXY", &address)
            .debugging();
        let step = secrets
            .iter()
            .fold(step, |step, secret| step.secret(secret));
        let done = step.run();
        assert_complete(&done, &sandbox);
        done.says(&format!("| {LOG_LINE} *** *** ***"));
        assert!(done.summary.contains(LOG_LINE), "{done}");
        for secret in &secrets {
            assert!(done.masks.contains(secret), "{secret}\n{done}");
        }

        // Not even wrong credentials are shown.
        proxy.set_behaviour(ProxyBehaviour::Refuses(407));
        let done = step.run().fails(&["requires authentication for 127.0.0.1"]);
        done.outcome("not-sent")
            .says("hint: put user name and password into the URL in `HTTPS_PROXY`");
        assert!(!done.log.contains("retrying in"), "{done}");
    }
}

/// The proxy is retried until it works. No connection came about, so nothing was sent.
#[test]
fn a_failing_proxy_is_retried() {
    let cases = [
        (
            ProxyBehaviour::Refuses(403),
            "refused to connect to 127.0.0.1",
        ),
        (
            ProxyBehaviour::Refuses(502),
            "refused to connect to 127.0.0.1",
        ),
        (ProxyBehaviour::HangsUp, "unexpected end of file"),
        (ProxyBehaviour::DropsTunnel, "eof"),
    ];
    in_parallel(cases.to_vec(), |(behaviour, error)| {
        let sandbox = sandbox();
        let proxy = Proxy::start(behaviour).unwrap();
        let step = secure_trigger(&sandbox).environment("HTTPS_PROXY", &proxy.url());
        let child = step.start();
        step.until_said("retrying in 1 s");
        assert_eq!(sandbox.requests().len(), 0);
        proxy.set_behaviour(ProxyBehaviour::Forwards);
        let done = step.finish(child).passes();
        done.outcome("accepted").says(error);
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    });
}

/// After five attempts it is certain that nothing was started.
#[test]
fn a_proxy_that_keeps_failing_makes_the_outcome_rejected() {
    let cases = [
        (
            ProxyBehaviour::Refuses(403),
            "refused to connect to 127.0.0.1",
            "hint: allow that server in the proxy, or bypass the proxy with `NO_PROXY`",
        ),
        (
            ProxyBehaviour::HangsUp,
            "can't be reached through the proxy 127.0.0.1",
            "hint: check the runner's `HTTPS_PROXY` and `NO_PROXY`",
        ),
        (
            ProxyBehaviour::DropsTunnel,
            "can't be reached through the proxy 127.0.0.1",
            "hint: check the runner's `HTTPS_PROXY` and `NO_PROXY`",
        ),
    ];
    in_parallel(cases.to_vec(), |(behaviour, error, hint)| {
        let sandbox = sandbox();
        let proxy = Proxy::start(behaviour).unwrap();
        let step = secure_trigger(&sandbox).environment("HTTPS_PROXY", &proxy.url());
        let done = step.run().fails(&[error]);
        done.outcome("rejected").says(hint);
        assert_eq!(proxy.seen().len(), 5, "{done}");
        assert_eq!(sandbox.requests().len(), 0);
    });
}

#[test]
fn an_unreachable_proxy_is_named() {
    let sandbox = sandbox();
    let port = Sandbox::reserve_port().unwrap();
    let done = secure_trigger(&sandbox)
        .environment(
            "HTTPS_PROXY",
            &format!("http://127.0.0.1:{}", port.number()),
        )
        .run()
        .fails(&[&format!(
            "can't be reached through the proxy 127.0.0.1:{}",
            port.number()
        )]);
    done.outcome("rejected")
        .says("in the action's container, 127.0.0.1 and localhost are the container itself");
    assert_eq!(sandbox.connections(), 0);
}

/// The tunnel is cut when the server has acted but not yet responded.
#[test]
fn a_trigger_whose_tunnel_is_cut_is_never_resent() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = start(failing_world());
        let proxy = passing();
        sandbox.fault(
            Route::triggers(),
            Occasion::Every,
            Fault::Delay(Moment::AfterActing, 30 * SECOND),
        );
        let step = secure_call(provider, &sandbox).environment("HTTPS_PROXY", &proxy.url());
        let child = step.start();
        until(&sandbox, "it has acted", |sandbox| {
            sandbox.runs().len() == 1
        });
        proxy.cut();
        // The run is found through the next tunnel, but nothing proves that it is the step's own.
        let done = step
            .finish(child)
            .fails(&["This run might be the one: http"]);
        done.says("broke before a response arrived")
            .outcome("unknown");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    });
}

/// A proxy that is down for a while hides the run, but doesn't end the wait.
#[test]
fn a_proxy_outage_loses_no_run() {
    let outages = [ProxyBehaviour::Refuses(503), ProxyBehaviour::HangsUp];
    in_parallel(outages.to_vec(), |outage| {
        let sandbox = with_scenario(Provider::GitLab, Scenario::passing(8 * SECOND));
        let proxy = passing();
        let step = secure_call(Provider::GitLab, &sandbox).environment("HTTPS_PROXY", &proxy.url());
        let child = step.start();
        step.until_said(": running");
        proxy.set_behaviour(outage);
        proxy.cut();
        let before = proxy.seen().len();
        until(&sandbox, "it is asked in vain", |_| {
            proxy.seen().len() >= before + 4
        });
        proxy.set_behaviour(ProxyBehaviour::Forwards);
        let done = step.finish(child).passes();
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
        assert_eq!(sandbox.trigger_requests().len(), 1);
    });
}

#[test]
fn a_proxy_may_be_reached_by_https() {
    let sandbox = start(failing_world());
    let proxy = proxy_with_credentials("me", "proxy-password");
    let front = TlsFront::start(proxy.address(), &[]).unwrap();
    let step = secure_call(Provider::GitHub, &sandbox)
        .environment(
            "HTTPS_PROXY",
            &format!("https://me:proxy-password@{}", front.address()),
        )
        .secret("proxy-password");
    // The server's CA doesn't vouch for the proxy's certificate.
    let done = step.run().fails(&[&format!(
        "TLS handshake with the proxy {} failed: invalid peer certificate: UnknownIssuer\nhint: if the server, or a proxy in between, has a certificate of a private CA",
        front.address()
    )]);
    done.outcome("not-sent");
    assert_eq!((proxy.seen().len(), sandbox.connections()), (0, 0));

    let both = [sandbox.ca_pem(), front.ca_pem()].concat();
    let done = step.input("ca-certificates", &both).run();
    assert_complete(&done, &sandbox);
    assert_eq!(proxy.seen().len(), sandbox.connections());
}

/// The proxy presents a certificate of the company's CA for every server.
#[test]
fn a_tls_intercepting_proxy_is_trusted_if_its_ca_is_configured() {
    let sandbox = start(failing_world());
    let http = ([127, 0, 0, 1], sandbox.http_port()).into();
    let front = TlsFront::start(http, &[]).unwrap();
    let server = format!("127.0.0.1:{}", sandbox.https_port());
    let known = [(server.as_str(), front.address())];
    let proxy = Proxy::start_knowing(ProxyBehaviour::Forwards, &known).unwrap();
    let proxied = |step: Step| step.environment("HTTPS_PROXY", &proxy.url());

    // A step that trusts only the server's own CA notices the interception.
    let real = proxied(secure_call(Provider::GitLab, &sandbox));
    let done = real.run().fails(&[&format!(
        "TLS handshake with {server} failed: invalid peer certificate: UnknownIssuer\nhint: if the server, or a proxy in between, has a certificate of a private CA, add the CA's certificate to `ca-certificates`, which doesn't contain it"
    )]);
    done.outcome("not-sent");
    assert_eq!(sandbox.requests().len(), 0);

    let opened = real.input("ca-certificates", front.ca_pem()).run();
    assert_complete(&opened, &sandbox);
    // The proxy has decrypted the requests.
    assert!(sandbox.requests().iter().all(|request| !request.tls));

    let direct = secure_trigger(&sandbox)
        .environment("HTTPS_PROXY", &proxy.url())
        .environment("NO_PROXY", "127.0.0.1");
    direct.run().passes();
    assert!(sandbox.trigger_requests()[1].tls);
}

#[test]
fn only_the_proxy_may_have_an_ipv6_address() {
    let sandbox = Sandbox::builder(failing_world()).ipv6().start().unwrap();
    let proxy = Proxy::start_on_ipv6(ProxyBehaviour::Forwards).unwrap();
    assert!(proxy.url().starts_with("http://[::1]:"));
    let done = secure_call(Provider::Bitbucket, &sandbox)
        .environment("HTTPS_PROXY", &proxy.url())
        .run();
    assert_complete(&done, &sandbox);
    assert_eq!(proxy.seen().len(), sandbox.connections());

    // The library doesn't accept an IPv6 address as a TLS server name, and nothing is sent without TLS.
    let before = sandbox.requests().len();
    let done = secure_trigger(&sandbox)
        .input("server-url", &sandbox.ipv6_https_url().unwrap())
        .environment("HTTPS_PROXY", &proxy.url())
        .run()
        .fails(&["TLS through a proxy doesn't support IPv6 addresses\nhint: use the server's name, or bypass the proxy with `NO_PROXY`"]);
    done.outcome("rejected");
    assert!(!done.log.contains("retrying in"), "{done}");
    assert_eq!(sandbox.requests().len(), before);
}
