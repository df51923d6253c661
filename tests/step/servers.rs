//! Servers as companies run them: under their own names, under a path, at a port, behind another name, in older
//! versions, with IPv6 addresses.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use sandbox::world::{JobScenario, RunDetails, Scenario};
use sandbox::{Provider, Proxy, ProxyBehaviour, Sandbox, World, demo};

use crate::calls::{PROVIDERS, call, in_parallel, start};
use crate::harness::Step;
use crate::https_steps::{
    assert_complete, call_at, failing_world, secure_call, tunnel_targets, without_trust,
};

/// The host names of the servers in these tests, and of their log storage.
const NAMES: [&str; 10] = [
    "github.com",
    "api.github.com",
    "octo.ghe.com",
    "api.octo.ghe.com",
    "gitlab.com",
    "bitbucket.org",
    "api.bitbucket.org",
    "git.example.com",
    "gitlab",
    "storage.test",
];

/// One sandbox that plays all those servers for requests through the proxy.
struct Servers {
    sandbox: Sandbox,
    proxy: Proxy,
}

impl Servers {
    fn new() -> Self {
        let builder = NAMES
            .into_iter()
            .fold(Sandbox::builder(failing_world()), |builder, name| {
                builder.certificate_name(name)
            });
        let sandbox = builder.start().expect("loopback has free ports");
        let address = SocketAddr::from(([127, 0, 0, 1], sandbox.https_port()));
        let hosts = NAMES.map(|name| format!("{name}:443"));
        let hosts: Vec<_> = hosts.iter().map(|host| (host.as_str(), address)).collect();
        let proxy = Proxy::start_knowing(ProxyBehaviour::Forwards, &hosts).expect("and more");
        Self { sandbox, proxy }
    }

    /// A step that waits, in a workflow on that server.
    fn step(&self, home: &str, api: &str, inputs: &[(&str, &str)]) -> Step {
        let step = without_trust(Step::on(home))
            .environment("GITHUB_API_URL", api)
            .environment("HTTPS_PROXY", &self.proxy.url())
            .input("ca-certificates", self.sandbox.ca_pem())
            .input("ref", "main")
            .input("wait", "true");
        let set = |step: Step, (name, value): &(&str, &str)| step.input(name, value);
        inputs.iter().fold(step, set)
    }
}

const GITHUB: [(&str, &str); 3] = [
    ("repository", "octo-org/app"),
    ("workflow", "build.yml"),
    ("token", demo::GITHUB_CLASSIC),
];
const GITLAB: [(&str, &str); 3] = [
    ("provider", "gitlab"),
    ("repository", "octo-group/tools/deployer"),
    ("token", demo::GITLAB_DEVELOPER),
];
const BITBUCKET: [(&str, &str); 3] = [
    ("provider", "bitbucket"),
    ("repository", "octo-workspace/service"),
    ("token", demo::BITBUCKET_ACCESS),
];
const GITHUB_COM: (&str, &str) = ("https://github.com", "https://api.github.com");
const GHE_COM: (&str, &str) = ("https://octo.ghe.com", "https://api.octo.ghe.com");

/// Only the inputs and their defaults decide where a request goes.
#[test]
fn each_server_is_reached_only_at_its_own_api() {
    let at = |inputs: &[(&'static str, &'static str)], more: &[(&'static str, &'static str)]| {
        [inputs, more].concat()
    };
    let url = |url| ("repository", url);
    for (home, inputs, hosts, page) in [
        (
            GITHUB_COM,
            at(&GITHUB, &[]),
            "api.github.com storage.test",
            "https://github.com/octo-org/app/actions/runs/",
        ),
        (
            GITHUB_COM,
            at(&GITHUB, &[url("https://github.com/octo-org/app.git")]),
            "api.github.com storage.test",
            "https://github.com/octo-org/app/actions/runs/",
        ),
        // The runner belongs to another server.
        (
            GHE_COM,
            at(&GITHUB, &[("server-url", "https://github.com")]),
            "api.github.com storage.test",
            "https://github.com/octo-org/app/actions/runs/",
        ),
        (
            GHE_COM,
            at(&GITHUB, &[]),
            "api.octo.ghe.com storage.test",
            "https://octo.ghe.com/octo-org/app/actions/runs/",
        ),
        (
            GITHUB_COM,
            at(&GITHUB, &[url("https://octo.ghe.com/octo-org/app")]),
            "api.octo.ghe.com storage.test",
            "https://octo.ghe.com/octo-org/app/actions/runs/",
        ),
        (
            GITHUB_COM,
            at(&GITHUB, &[("server-url", "https://octo.ghe.com/")]),
            "api.octo.ghe.com storage.test",
            "https://octo.ghe.com/octo-org/app/actions/runs/",
        ),
        (
            GITHUB_COM,
            at(&GITHUB, &[("server-url", "https://git.example.com")]),
            "git.example.com storage.test",
            "https://git.example.com/octo-org/app/actions/runs/",
        ),
        (
            GITHUB_COM,
            at(&GITLAB, &[]),
            "gitlab.com",
            "https://gitlab.com/octo-group/tools/deployer/-/pipelines/",
        ),
        (
            GITHUB_COM,
            at(
                &GITLAB,
                &[
                    ("provider", ""),
                    url("https://gitlab.com/octo-group/tools/deployer"),
                ],
            ),
            "gitlab.com",
            "https://gitlab.com/octo-group/tools/deployer/-/pipelines/",
        ),
        (
            GITHUB_COM,
            at(&GITLAB, &[("server-url", "https://git.example.com/gitlab")]),
            "git.example.com",
            "https://git.example.com/gitlab/octo-group/tools/deployer/-/pipelines/",
        ),
        (
            GITHUB_COM,
            at(&BITBUCKET, &[]),
            "api.bitbucket.org storage.test",
            "https://bitbucket.org/octo-workspace/service/pipelines/results/",
        ),
        (
            GITHUB_COM,
            at(
                &BITBUCKET,
                &[
                    ("provider", ""),
                    url("https://bitbucket.org/octo-workspace/service"),
                ],
            ),
            "api.bitbucket.org storage.test",
            "https://bitbucket.org/octo-workspace/service/pipelines/results/",
        ),
    ] {
        let world = Servers::new();
        let done = world.step(home.0, home.1, &inputs).run();
        assert_complete(&done, &world.sandbox);
        let hosts: BTreeSet<_> = hosts.split(' ').map(|host| format!("{host}:443")).collect();
        assert_eq!(tunnel_targets(&world.proxy), hosts, "{done}");
        assert!(done.outputs["run-url"].starts_with(page), "{done}");
    }
}

/// A name in /etc/hosts, of a service container, or below a search domain of the network.
#[test]
fn a_server_may_have_a_name_without_a_domain() {
    let world = Servers::new();
    let inputs = [&GITLAB[..], &[("server-url", "https://gitlab")]].concat();
    let done = world.step(GITHUB_COM.0, GITHUB_COM.1, &inputs).run();
    assert_complete(&done, &world.sandbox);
    let hosts = BTreeSet::from(["gitlab:443".to_owned()]);
    assert_eq!(tunnel_targets(&world.proxy), hosts, "{done}");
    let page = "https://gitlab/octo-group/tools/deployer/-/pipelines/";
    assert!(done.outputs["run-url"].starts_with(page), "{done}");
}

/// An App signs in at the API of its target's server.
#[test]
fn an_app_signs_in_at_the_targets_api() {
    let inputs = [
        GITHUB[0],
        GITHUB[1],
        ("client-id", demo::GITHUB_APP_CLIENT_ID),
        ("private-key", demo::GITHUB_APP_PRIVATE_KEY),
    ];
    for (home, api) in [GITHUB_COM, GHE_COM] {
        let world = Servers::new();
        let done = world.step(home, api, &inputs).run();
        assert_complete(&done, &world.sandbox);
        let host = api.replace("https://", "");
        let hosts = [format!("{host}:443"), "storage.test:443".to_owned()];
        assert_eq!(
            tunnel_targets(&world.proxy),
            BTreeSet::from(hosts),
            "{done}"
        );
        let minted = |path: &str| path.ends_with("/access_tokens");
        assert!(
            world
                .sandbox
                .requests()
                .iter()
                .any(|request| minted(&request.path))
        );
    }
}

/// Checks that all paths but those of the storage begin like this.
#[track_caller]
fn assert_all_below(sandbox: &Sandbox, path: &str) {
    for request in sandbox.requests() {
        let is_below = request.path.starts_with(path) || request.provider.is_none();
        assert!(is_below, "{} is not below {path}", request.path);
    }
}

/// On the host's own server no input is needed, whatever its path and port.
#[test]
fn a_github_server_may_have_a_port_and_a_path() {
    let cases = ["", "/github"].map(|path| [true, false].map(|at_home| (path, at_home)));
    in_parallel(cases.concat(), |(path, at_home)| {
        for as_web_url in [true, false] {
            let sandbox = start(failing_world());
            let web = format!("{}{path}", sandbox.https_url());
            let step = secure_call(Provider::GitHub, &sandbox);
            let step = if at_home {
                step.input("server-url", "")
                    .environment("GITHUB_SERVER_URL", &web)
                    .environment("GITHUB_API_URL", &format!("{web}/api/v3"))
            } else {
                step.input("server-url", &web).input("provider", "github")
            };
            let step = if as_web_url {
                step.input("repository", &format!("{web}/octo-org/app"))
            } else {
                step
            };
            let done = step.run();
            assert_complete(&done, &sandbox);
            assert_all_below(&sandbox, &format!("{path}/api/v3/repos/octo-org/app/"));
            let page = format!("{web}/octo-org/app/actions/runs/");
            assert!(done.outputs["run-url"].starts_with(&page), "{done}");
        }
    });
}

/// `GITHUB_TOKEN` is only sent to its own server, not to another one on the same host.
#[test]
fn a_server_under_another_path_is_another_server() {
    let sandbox = start(failing_world());
    let web = sandbox.https_url();
    let at_home = |server: &str| {
        without_trust(Step::on(&format!("{web}/github")))
            .input("ca-certificates", sandbox.ca_pem())
            .input("event-type", "deploy")
            .input("repository", "octo-org/caller")
            .input("server-url", server)
    };
    at_home(&web)
        .run()
        .fails(&["input `token`: is missing. `GITHUB_TOKEN` is only sent to the server that this workflow runs on"]);
    assert_eq!(sandbox.requests().len(), 0);
    at_home(&format!("{web}/github")).run().passes();
    assert_all_below(&sandbox, "/github/api/v3/repos/octo-org/caller/dispatches");
    assert_eq!(sandbox.requests().len(), 1);
}

#[test]
fn a_gitlab_server_may_have_a_port_and_a_path() {
    in_parallel(vec!["", "/gitlab"], |path| {
        for as_web_url in [true, false] {
            let sandbox = start(failing_world());
            let web = format!("{}{path}", sandbox.https_url());
            let step = secure_call(Provider::GitLab, &sandbox).input("server-url", &web);
            let step = if as_web_url {
                step.input("repository", &format!("{web}/octo-group/tools/deployer"))
            } else {
                step
            };
            let done = step.run();
            assert_complete(&done, &sandbox);
            assert_all_below(&sandbox, &format!("{path}/api/v4/"));
            let page = format!("{web}/octo-group/tools/deployer/-/pipelines/");
            assert!(done.outputs["run-url"].starts_with(&page), "{done}");
        }
    });
}

/// GHES before 3.21, whose dispatch doesn't name the run, under a path and over https.
#[test]
fn runs_of_an_older_github_server_are_found_and_waited_for() {
    in_parallel(vec![400, 422], |status| {
        let sandbox = start(failing_world());
        sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(status));
        let web = format!("{}/github", sandbox.https_url());
        let done = secure_call(Provider::GitHub, &sandbox)
            .input("server-url", &web)
            .run();
        done.outcome("accepted").says("retried without it");
        assert_eq!(done.outputs["conclusion"], "failure", "{done}");
        assert_eq!(done.result()["runs"][0]["matched_by"], "timing");
        let page = format!("{web}/octo-org/app/actions/runs/");
        assert!(done.outputs["run-url"].starts_with(&page), "{done}");
        assert_all_below(&sandbox, "/github/api/v3/");
        assert_eq!(sandbox.runs().len(), 1);
    });
}

/// The server calls itself by another name than the configured one. Its links and pagination lead there, but no
/// credential does.
#[test]
fn links_to_another_name_of_the_server_are_not_followed_with_a_credential() {
    const JOBS: usize = 130;
    let many = |scenario: Scenario| {
        (0..JOBS).fold(scenario, |scenario, number| {
            scenario.job(JobScenario::new(&format!("job {number}"), Duration::ZERO))
        })
    };
    in_parallel(vec![Provider::GitHub, Provider::GitLab], |provider| {
        let sandbox = start(World::demo().scenario(provider, many(Scenario::new())));
        let name = sandbox.https_url().replace("127.0.0.1", "localhost");
        sandbox.with_world(|world| world.external_url = Some(name.clone()));
        let path = if provider == Provider::GitLab {
            "/gitlab"
        } else {
            "/github"
        };
        let server = format!("{}{path}", sandbox.https_url());
        let done = call_at(provider, &sandbox, &server)
            .input("ca-certificates", sandbox.ca_pem())
            .run()
            .passes();
        // The jobs of all pages.
        assert_eq!(done.log.matches(": success after ").count(), JOBS, "{done}");
        // The link uses the configured name of the server.
        assert!(done.outputs["run-url"].starts_with(&server), "{done}");
        let host = format!("127.0.0.1:{}", sandbox.https_port());
        for request in sandbox.requests() {
            assert_eq!(
                request.headers.get("host"),
                Some(host.as_str()),
                "{}",
                request.path
            );
        }
        assert_all_below(&sandbox, path);
    });
}

#[test]
fn servers_may_have_ipv6_addresses() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        for by_https in [false, true] {
            let sandbox = Sandbox::builder(failing_world()).ipv6().start().unwrap();
            let https = sandbox.ipv6_https_url().unwrap();
            let http = sandbox.ipv6_http_url().unwrap();
            let server = if by_https { https } else { http };
            let done = call_at(provider, &sandbox, &server)
                .input("ca-certificates", sandbox.ca_pem())
                .run();
            assert_complete(&done, &sandbox);
            assert!(
                done.outputs["run-url"].starts_with(&format!("{server}/")),
                "{done}"
            );
            let host = server.split_once("://").map(|(_, host)| host);
            for request in sandbox.requests() {
                assert_eq!(request.tls, by_https);
                let is_storage = request.provider.is_none();
                assert!(is_storage || request.headers.get("host") == host);
            }
        }
    });
}

/// The host's own server has only an IPv6 address.
#[test]
fn the_hosts_own_server_may_have_an_ipv6_address() {
    let sandbox = Sandbox::builder(failing_world()).ipv6().start().unwrap();
    let web = sandbox.ipv6_https_url().unwrap();
    let step = call(Provider::GitHub, &sandbox)
        .environment("GITHUB_SERVER_URL", &web)
        .environment("GITHUB_API_URL", &format!("{web}/api/v3"))
        .input("repository", &format!("{web}/octo-org/app"))
        .input("ca-certificates", sandbox.ca_pem());
    assert_complete(&without_trust(step).run(), &sandbox);
}
