//! Shared by the tests of proxies, certificates and servers: steps that use the sandbox over https and read
//! everything there is to read about a run.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use sandbox::world::{JobScenario, Log, Scenario};
use sandbox::{Provider, Proxy, Sandbox, World};

use crate::calls::{PROVIDERS, call};
use crate::harness::{Done, Step};

/// A line in the log of each run in [`failing_world`].
pub(crate) const LOG_LINE: &str = "what the remote job said";

/// The demo world, in which each run fails at once and logs why. A step that waits therefore reads the run, its jobs
/// and their logs, which GitHub and Bitbucket store on another host.
pub(crate) fn failing_world() -> World {
    failing_world_with_log(LOG_LINE)
}

pub(crate) fn failing_world_with_log(text: &str) -> World {
    let log = Log::text(&format!("{text}\n"));
    let scenario = Scenario::new().job(JobScenario::new("build", Duration::ZERO).fails().log(log));
    PROVIDERS
        .into_iter()
        .fold(World::demo(), |world, provider| {
            world.scenario(provider, scenario.clone())
        })
}

/// A step that waits, at that address of the sandbox. It trusts only an unrelated CA, so the test doesn't depend on
/// the machine.
pub(crate) fn call_at(provider: Provider, sandbox: &Sandbox, server: &str) -> Step {
    without_trust(call(provider, sandbox)).input("server-url", server)
}

/// Like [`call_at`], but trusts the sandbox through `ca-certificates`.
pub(crate) fn secure_call(provider: Provider, sandbox: &Sandbox) -> Step {
    call_at(provider, sandbox, &sandbox.https_url()).input("ca-certificates", sandbox.ca_pem())
}

/// A trigger on GitLab that trusts the sandbox.
pub(crate) fn secure_trigger(sandbox: &Sandbox) -> Step {
    untrusted_trigger(sandbox).input("ca-certificates", sandbox.ca_pem())
}

/// A trigger on GitLab that doesn't trust the sandbox.
pub(crate) fn untrusted_trigger(sandbox: &Sandbox) -> Step {
    let step = Step::gitlab(sandbox)
        .input("server-url", &sandbox.https_url())
        .input("ref", "main");
    without_trust(step)
}

/// Trusts only a CA that has issued no server's certificate.
pub(crate) fn without_trust(step: Step) -> Step {
    let file = step.file("stranger.pem", unrelated_ca());
    step.environment("SSL_CERT_FILE", &file)
}

pub(crate) fn unrelated_ca() -> &'static str {
    static CA: OnceLock<String> = OnceLock::new();
    CA.get_or_init(|| crate::harness::sandbox().ca_pem().to_owned())
}

/// Checks a step that waited in the world of [`failing_world`]: one run, monitored to its end, its log read.
#[track_caller]
pub(crate) fn assert_complete(done: &Done, sandbox: &Sandbox) {
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
    done.outcome("accepted").says(&format!("| {LOG_LINE}"));
    assert_eq!(done.errors().len(), 1, "{done}");
    assert_eq!(sandbox.runs().len(), 1, "{done}");
    assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    for request in sandbox.requests() {
        assert_eq!(request.objections, Vec::<String>::new(), "{}", request.path);
    }
}

/// The addresses that the proxy was asked to connect to.
pub(crate) fn tunnel_targets(proxy: &Proxy) -> BTreeSet<String> {
    let seen = proxy.seen().into_iter();
    seen.map(|request| {
        assert_eq!(request.method, "CONNECT", "nothing but tunnels");
        request.target
    })
    .collect()
}
