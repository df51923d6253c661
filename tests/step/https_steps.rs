//! What the tests of proxies, certificates and servers share: steps that reach the sandbox by https and read all that
//! there is to read of a run.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use sandbox::world::{JobScenario, Log, Scenario};
use sandbox::{Provider, Proxy, Sandbox, World};

use crate::calls::{PROVIDERS, call};
use crate::harness::{Done, Step};

/// Stands in the log of each run of [`telling`].
pub(crate) const SAID: &str = "what the remote job said";

/// The demo's world, where each run fails at once and says why, so that whoever waits looks at it, at its jobs and at
/// their logs, which GitHub and Bitbucket keep on another host.
pub(crate) fn telling() -> World {
    saying(SAID)
}

pub(crate) fn saying(text: &str) -> World {
    let log = Log::text(&format!("{text}\n"));
    let scenario = Scenario::new().job(JobScenario::new("build", Duration::ZERO).fails().log(log));
    PROVIDERS
        .into_iter()
        .fold(World::demo(), |world, provider| {
            world.scenario(provider, scenario.clone())
        })
}

/// A call to the sandbox at that address, by a machine that trusts some authority, but not the sandbox's, so that
/// the test says the same everywhere.
pub(crate) fn call_at(provider: Provider, sandbox: &Sandbox, server: &str) -> Step {
    distrusting(call(provider, sandbox)).input("server-url", server)
}

/// The same, and trusts the sandbox by `ca-certificates`.
pub(crate) fn secure_call(provider: Provider, sandbox: &Sandbox) -> Step {
    call_at(provider, sandbox, &sandbox.https_url()).input("ca-certificates", sandbox.ca_pem())
}

/// A trigger on GitLab.
pub(crate) fn secure_trigger(sandbox: &Sandbox) -> Step {
    untrusted_trigger(sandbox).input("ca-certificates", sandbox.ca_pem())
}

/// The same, where the sandbox's certificate is not trusted.
pub(crate) fn untrusted_trigger(sandbox: &Sandbox) -> Step {
    let step = Step::gitlab(sandbox)
        .input("server-url", &sandbox.https_url())
        .input("ref", "main");
    distrusting(step)
}

/// A machine that trusts an authority that nobody has a certificate of.
pub(crate) fn distrusting(step: Step) -> Step {
    let file = step.file("stranger.pem", strangers_ca());
    step.environment("SSL_CERT_FILE", &file)
}

pub(crate) fn strangers_ca() -> &'static str {
    static CA: OnceLock<String> = OnceLock::new();
    CA.get_or_init(|| crate::harness::sandbox().ca_pem().to_owned())
}

/// The whole of a call in the world of [`telling`]: one run, seen to its end, its log read.
#[track_caller]
pub(crate) fn has_told_all(done: &Done, sandbox: &Sandbox) {
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
    done.outcome("accepted").says(&format!("| {SAID}"));
    assert_eq!(done.errors().len(), 1, "{done}");
    assert_eq!(sandbox.runs().len(), 1, "{done}");
    assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    for request in sandbox.requests() {
        assert_eq!(request.objections, Vec::<String>::new(), "{}", request.path);
    }
}

/// Where a proxy was asked to connect to.
pub(crate) fn asked_for(proxy: &Proxy) -> BTreeSet<String> {
    let seen = proxy.seen().into_iter();
    seen.map(|asked| {
        assert_eq!(asked.method, "CONNECT", "nothing but tunnels");
        asked.target
    })
    .collect()
}
