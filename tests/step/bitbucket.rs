//! Bitbucket: the requests, their outcomes, and how rejections are explained.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::world::RefKind;
use sandbox::{Fault, Moment, Occasion, Route, Sandbox, demo};
use serde_json::{Value, json};

use crate::harness::{Step, sandbox};

const PATH: &str = "/2.0/repositories/octo-workspace/service/pipelines";

#[test]
fn each_source_has_its_own_shape() {
    let commit = demo::BITBUCKET_COMMIT;
    let hash = json!({"type": "commit", "hash": commit});
    let deploy = json!({"type": "custom", "pattern": "deploy"});
    for (inputs, target) in [
        (
            vec![("ref", "develop")],
            json!({"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "develop"}),
        ),
        (
            vec![("ref", "main"), ("custom-pipeline", "deploy")],
            json!({"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main", "selector": deploy}),
        ),
        (
            vec![
                ("ref", "main"),
                ("commit", commit),
                ("custom-pipeline", "deploy"),
            ],
            json!({"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main", "commit": hash, "selector": deploy}),
        ),
        (
            vec![("commit", commit)],
            json!({"type": "pipeline_commit_target", "commit": hash, "selector": {"type": "default"}}),
        ),
        (
            vec![("commit", commit), ("custom-pipeline", "nightly")],
            json!({"type": "pipeline_commit_target", "commit": hash, "selector": {"type": "custom", "pattern": "nightly"}}),
        ),
    ] {
        let sandbox = sandbox();
        let step = inputs
            .iter()
            .fold(Step::bitbucket(&sandbox), |step, (name, value)| {
                step.input(name, value)
            });
        let done = step.run().passes();
        let [request] = sandbox.requests().try_into().unwrap();
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", PATH)
        );
        assert_eq!(request.json().unwrap(), json!({ "target": target }));
        assert_eq!(
            request.headers.get("authorization"),
            Some(format!("Bearer {}", demo::BITBUCKET_ACCESS).as_str())
        );
        let [run] = sandbox.runs().try_into().unwrap();
        assert_eq!(done.outputs["run-id"], run.uuid());
        let url = format!(
            "{}/octo-workspace/service/pipelines/results/{}",
            sandbox.http_url(),
            run.number
        );
        assert_eq!(done.outputs["run-url"], url);
        done.outcome("accepted");
        let source = match (
            run.reference_name(),
            inputs.iter().any(|(name, _)| *name == "commit"),
        ) {
            (Some(name), false) => format!(" at {name} on "),
            (Some(name), true) => format!(" at {name}, commit {commit} on "),
            (None, _) => format!(" at commit {commit} on "),
        };
        done.says(&source);
    }
}

#[test]
fn variables_are_strings_and_secret_ones_are_secured() {
    let sandbox = sandbox();
    Step::bitbucket(&sandbox)
        .input("ref", "main")
        .input("custom-pipeline", "deploy")
        .input("variables", "VERSION: 1.10\nEMPTY:\n")
        .input(
            "secret-variables",
            "PASSWORD: |\n  first-secret-line\n  second-secret-line\n",
        )
        .secret("first-secret-line")
        .secret("second-secret-line")
        .run()
        .passes();
    let [request] = sandbox.requests().try_into().unwrap();
    assert_eq!(
        request.json().unwrap()["variables"],
        json!([
            {"key": "VERSION", "value": "1.10", "secured": false},
            {"key": "EMPTY", "value": "", "secured": false},
            {"key": "PASSWORD", "value": "first-secret-line\nsecond-secret-line\n", "secured": true},
        ])
    );
}

#[test]
fn an_api_token_is_sent_with_its_owners_email() {
    let sandbox = sandbox();
    let done = Step::bitbucket(&sandbox)
        .input("token", demo::BITBUCKET_API)
        .input("email", demo::BITBUCKET_EMAIL)
        .run()
        .passes();
    let basic = STANDARD.encode(format!("{}:{}", demo::BITBUCKET_EMAIL, demo::BITBUCKET_API));
    let expected = format!("Basic {basic}");
    assert_eq!(
        sandbox.trigger_requests()[0].headers.get("authorization"),
        Some(expected.as_str())
    );
    assert!(
        done.masks.contains(&basic),
        "what travels is masked too: {done}"
    );
    done.says("the default branch is used: main")
        .says("with the API token of octavia@example.com");
}

#[test]
fn a_bare_name_that_is_no_branch_is_resent_as_a_tag() {
    let sandbox = sandbox();
    Step::bitbucket(&sandbox)
        .input("ref", "v2.0.0")
        .run()
        .passes()
        .says("no branch has that name; trying a tag");
    let [first, second] = sandbox.trigger_requests().try_into().unwrap();
    assert_eq!(first.json().unwrap()["target"]["ref_type"], "branch");
    assert_eq!(second.json().unwrap()["target"], tag_target(&sandbox));
    let [run] = sandbox.runs().try_into().unwrap();
    assert_eq!(run.reference, Some((RefKind::Tag, "v2.0.0".to_owned())));
}

/// The target of a pipeline for the tag `v2.0.0`, with the commit that it points to.
fn tag_target(sandbox: &Sandbox) -> Value {
    let commit = sandbox.with_world(|world| {
        let git = &world.bitbucket.repositories[0].git;
        git.commit_of(RefKind::Tag, "v2.0.0")
            .expect("the demo has it")
            .to_owned()
    });
    json!({
        "type": "pipeline_ref_target", "ref_type": "tag", "ref_name": "v2.0.0",
        "commit": {"type": "commit", "hash": commit},
    })
}

/// Some servers fail if a tag's commit isn't named.
#[test]
fn a_tag_is_sent_with_its_commit() {
    for reference in ["refs/tags/v2.0.0", "v2.0.0"] {
        let sandbox = sandbox();
        sandbox.with_world(|world| world.bitbucket.fails_for_tags_without_commit = true);
        let done = Step::bitbucket(&sandbox).input("ref", reference).run();
        done.clone().passes().outcome("accepted");
        let triggers = sandbox.trigger_requests();
        let trigger = triggers.last().unwrap();
        assert_eq!(trigger.json().unwrap()["target"], tag_target(&sandbox));
        let [run] = sandbox.runs().try_into().unwrap();
        assert_eq!(run.reference, Some((RefKind::Tag, "v2.0.0".to_owned())));
    }
    let sandbox = sandbox();
    let dry = Step::bitbucket(&sandbox).input("ref", "refs/tags/v2.0.0");
    let dry = dry.input("dry-run", "true").run().passes();
    dry.says(&tag_target(&sandbox)["commit"].to_string());
}

/// Reading the tag needs a scope that triggering doesn't. Without it, only the tag's name is sent.
#[test]
fn a_tag_that_cannot_be_read_is_sent_without_its_commit() {
    for reference in ["refs/tags/v2.0.0", "v2.0.0"] {
        let sandbox = sandbox();
        sandbox.with_world(|world| {
            world.bitbucket.tokens[0]
                .scopes
                .retain(|scope| scope != "repository");
        });
        let done = Step::bitbucket(&sandbox)
            .input("ref", reference)
            .debugging()
            .run()
            .passes();
        done.says(
            "the tag's commit can't be read, so the trigger is sent without it: reading the tag failed (Bitbucket answered 403: Your credentials lack",
        );
        let triggers = sandbox.trigger_requests();
        let mut target = tag_target(&sandbox);
        target.as_object_mut().unwrap().remove("commit");
        assert_eq!(triggers.last().unwrap().json().unwrap()["target"], target);
        assert_eq!(sandbox.runs().len(), 1);
    }
}

/// Nothing was sent yet, so a failed read is safe to repeat.
#[test]
fn a_failed_read_of_a_tag_is_retried() {
    for reference in ["refs/tags/v2.0.0", "v2.0.0"] {
        let sandbox = sandbox();
        let read = Route::any().path("/refs/tags/v2.0.0");
        sandbox.fault(
            read,
            Occasion::Nth(1),
            Fault::status(Moment::BeforeActing, 502),
        );
        Step::bitbucket(&sandbox)
            .input("ref", reference)
            .run()
            .passes()
            .outcome("accepted");
        let triggers = sandbox.trigger_requests();
        assert_eq!(
            triggers.last().unwrap().json().unwrap()["target"],
            tag_target(&sandbox)
        );
        assert_eq!(sandbox.runs().len(), 1);
    }
}

#[test]
fn a_missing_tag_is_reported_as_missing() {
    let sandbox = sandbox();
    Step::bitbucket(&sandbox)
        .input("ref", "refs/tags/nowhere")
        .run()
        .fails(&["no tag is named `nowhere` (Bitbucket answered 404)"])
        .outcome("rejected");
}

#[test]
fn a_full_ref_has_no_fallback() {
    let sandbox = sandbox();
    Step::bitbucket(&sandbox)
        .input("ref", "refs/heads/v2.0.0")
        .run()
        .fails(&["no branch is named `v2.0.0` (Bitbucket answered 404)\nhint: check the spelling of `ref`"])
        .outcome("rejected");
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

/// The first request may have started something, so there is no second one.
#[test]
fn an_unknown_outcome_has_no_fallback() {
    let sandbox = sandbox();
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::status(Moment::AfterActing, 500),
    );
    Step::bitbucket(&sandbox)
        .input("ref", "v2.0.0")
        .run()
        .fails(&["The pipeline may or may not have been started"]);
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

#[test]
fn rejections_are_explained() {
    let api = |token: &'static str| vec![("token", token), ("email", demo::BITBUCKET_EMAIL)];
    for (inputs, error) in [
        (
            vec![("token", "ATCTT3xWrong000000000000000000000000000000000000")],
            "Bitbucket doesn't accept the token (Bitbucket answered 401",
        ),
        (
            vec![
                ("token", demo::BITBUCKET_API),
                ("email", "somebody@example.com"),
            ],
            "hint: the token is mistyped, expired or revoked, or `email` isn't its owner's address",
        ),
        (
            vec![("token", demo::BITBUCKET_ACCESS_READ_ONLY)],
            "the token lacks the scope `pipeline:write` (Bitbucket answered 403; its scopes: pipeline)",
        ),
        (
            api(demo::BITBUCKET_API_WRITE_ONLY),
            "the token lacks the scope `",
        ),
        (
            vec![("repository", "octo-workspace/nowhere")],
            "the repository doesn't exist, or the token can't access it (Bitbucket answered 404 to both requests)",
        ),
        (
            vec![("repository", "octo-workspace/hidden")],
            "or the token can't access it",
        ),
        (
            vec![("ref", "nowhere")],
            "no branch or tag is named `nowhere` (Bitbucket answered 404)\nhint: check the spelling of `ref`, or leave it out to use the main branch",
        ),
        (
            vec![("custom-pipeline", "dpeloy")],
            "bitbucket-pipelines.yml has no custom pipeline `dpeloy` on `main` (Bitbucket answered 400)\nhint: check the spelling of `custom-pipeline`, or add the pipeline under `pipelines: custom:`",
        ),
        (vec![("ref", "experiment")], "(Bitbucket answered 4"),
        (
            vec![("commit", "abcdefabcdef"), ("ref", "")],
            "(Bitbucket answered 4",
        ),
    ] {
        let sandbox = sandbox();
        let step = Step::bitbucket(&sandbox).input("ref", "main");
        let step = inputs
            .iter()
            .fold(step, |step, (name, value)| step.input(name, value));
        let done = step.run().fails(&[error]);
        done.outcome("rejected");
        assert!(!done.log.contains("<html"), "{done}");
        assert_eq!(sandbox.runs().len(), 0, "{done}");
    }
}

#[test]
fn the_default_branch_needs_a_scope_of_its_own() {
    let sandbox = sandbox();
    Step::bitbucket(&sandbox)
        .input("token", demo::BITBUCKET_API_WRITE_ONLY)
        .input("email", demo::BITBUCKET_EMAIL)
        .run()
        .fails(&["the token lacks the scope"])
        .outcome("not-sent");
    assert_eq!(sandbox.trigger_requests().len(), 0);
}
