//! Which connection a request uses. A server may close an idle connection at any moment, and a trigger sent on it
//! would be lost without anyone knowing whether it arrived.

use sandbox::{Fault, HangUp, Occasion, Provider, Route, Sandbox};
use serde_json::json;

use crate::calls::{PROVIDERS, in_parallel};
use crate::harness::{Step, sandbox};

/// A step that reads the default branch before it triggers.
fn step(provider: Provider, sandbox: &Sandbox) -> Step {
    match provider {
        Provider::GitHub => Step::github(sandbox).input("workflow", "build.yml"),
        Provider::GitLab => Step::gitlab(sandbox),
        Provider::Bitbucket => Step::bitbucket(sandbox),
    }
}

fn secure(step: Step, sandbox: &Sandbox) -> Step {
    let server = sandbox.https_url();
    step.input("server-url", &server)
        .input("ca-certificates", sandbox.ca_pem())
}

const HANG_UPS: [HangUp; 3] = [HangUp::Close, HangUp::Reset, HangUp::ResetAtNextRequest];

#[test]
fn a_trigger_never_rides_on_the_connection_of_a_read() {
    let cases = PROVIDERS.into_iter().flat_map(|provider| {
        HANG_UPS.map(|how| [true, false].map(|is_secure| (provider, how, is_secure)))
    });
    in_parallel(cases.flatten().collect(), |(provider, how, is_secure)| {
        let sandbox = sandbox();
        sandbox.fault(
            Route::any().method("GET"),
            Occasion::Every,
            Fault::HangUp(how),
        );
        let step = step(provider, &sandbox);
        let step = if is_secure {
            secure(step, &sandbox)
        } else {
            step
        };
        step.run().passes().outcome("accepted");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{provider} {how:?}");
        assert_eq!(sandbox.runs().len(), 1, "{provider} {how:?}");
    });
}

/// An App's sign-in before the trigger ends with a POST.
#[test]
fn a_trigger_never_rides_on_the_connection_of_a_sign_in() {
    for how in HANG_UPS {
        let sandbox = sandbox();
        sandbox.fault(
            Route::any().path("/access_tokens"),
            Occasion::Every,
            Fault::HangUp(how),
        );
        Step::on(&sandbox.http_url())
            .input("repository", "octo-org/app")
            .input("workflow", "build.yml")
            .input("ref", "main")
            .signed_in_as_app()
            .run()
            .passes()
            .outcome("accepted");
        assert_eq!(sandbox.runs().len(), 1, "{how:?}");
    }
}

/// Many targets don't need one connection each: a trigger takes the one that the previous trigger has just returned.
#[test]
fn a_trigger_may_reuse_the_connection_of_the_previous_trigger() {
    let sandbox = sandbox();
    let targets: Vec<_> = (0..20)
        .map(|version| json!({"inputs": {"version": version.to_string()}}))
        .collect();
    Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("ref", "main")
        .input("max-parallel", "2")
        .input("targets", &json!(targets).to_string())
        .run()
        .passes();
    assert_eq!(sandbox.runs().len(), 20);
    assert!(sandbox.connections() < 10, "{}", sandbox.connections());
}
