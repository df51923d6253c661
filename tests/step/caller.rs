//! `caller`: the called pipeline receives the address of the calling run.

use sandbox::{Provider, Sandbox};
use serde_json::Value;

use crate::calls::{in_parallel, trigger};
use crate::harness::{Step, sandbox};
use crate::inputs::fails_with;

/// Creates a step whose target is on this server.
type MakeStep = fn(&Sandbox) -> Step;

/// What was sent under that name in the only trigger.
fn sent(sandbox: &Sandbox, name: &str) -> Value {
    let requests = sandbox.trigger_requests();
    let body = requests[0].json().expect("is JSON");
    let variables = body["variables"].as_array().cloned().unwrap_or_default();
    let variable = variables
        .into_iter()
        .find(|variable| variable["key"] == name);
    variable
        .map_or_else(
            || {
                body["inputs"]
                    .get(name)
                    .or(body["client_payload"].get(name))
                    .cloned()
            },
            |variable| Some(variable["value"].clone()),
        )
        .unwrap_or_default()
}

#[test]
fn the_address_of_the_calling_run_is_sent() {
    let cases: [(&str, MakeStep); 4] = [
        ("event", |sandbox| {
            Step::github(sandbox)
                .input("event-type", "deploy")
                .input("client-payload", "version: 1")
        }),
        ("workflow", |sandbox| trigger(Provider::GitHub, sandbox)),
        ("variable", |sandbox| trigger(Provider::GitLab, sandbox)),
        ("custom", |sandbox| {
            trigger(Provider::Bitbucket, sandbox).input("custom-pipeline", "deploy")
        }),
    ];
    in_parallel(cases.to_vec(), |(case, step)| {
        let sandbox = sandbox();
        let step = step(&sandbox).input("caller", "caller");
        let done = step.environment("GITHUB_RUN_ATTEMPT", "2").run();
        done.outcome("accepted");
        let server = sandbox.http_url();
        let expected = format!("{server}/octo-org/caller/actions/runs/17/attempts/2");
        assert_eq!(
            sent(&sandbox, "caller"),
            expected.as_str(),
            "{case}\n{done}"
        );
    });
}

#[test]
fn a_name_that_cannot_be_used_is_refused() {
    let sandbox = sandbox();
    let event = || Step::github(&sandbox).input("event-type", "deploy");
    let step = event().input("client-payload", "caller: me");
    fails_with(
        &sandbox,
        &step.input("caller", "caller"),
        &[
            "input `client-payload`: has the property `caller`, which the step adds itself\nhint: rename yours",
        ],
    );
    let same = trigger(Provider::GitHub, &sandbox)
        .input("caller", "trigger_id")
        .input("marker-input", "trigger_id");
    fails_with(
        &sandbox,
        &same,
        &["input `marker-input`: is the name of an argument that is set already (`trigger_id`)"],
    );
    let nowhere = event().input("caller", "caller").without("GITHUB_RUN_ID");
    fails_with(
        &sandbox,
        &nowhere,
        &[
            "input `caller`: is set, but this step isn't part of a workflow run\nhint: remove `caller`",
        ],
    );
}
