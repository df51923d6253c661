//! YAML and JSON in inputs: the values are sent as they were written, or nothing is sent.

use sandbox::demo;
use serde_json::json;

use crate::harness::{Step, sandbox};

fn dispatch(payload: &str) -> (sandbox::Sandbox, Step) {
    let sandbox = sandbox();
    let step = Step::github(&sandbox)
        .input("event-type", "nobody-listens")
        .input("client-payload", payload);
    (sandbox, step)
}

/// The JSON of the payload that was sent.
fn sent_payload(payload: &str) -> String {
    let (sandbox, step) = dispatch(payload);
    step.run().passes();
    let requests = sandbox.trigger_requests();
    assert_eq!(requests.len(), 1);
    let body = String::from_utf8_lossy(&requests[0].body);
    let start = r#"{"event_type":"nobody-listens","client_payload":"#;
    let payload = body.strip_prefix(start).expect("it is a dispatch");
    payload.strip_suffix('}').expect("it ends").to_owned()
}

#[test]
fn a_hash_in_a_plain_value_is_sent() {
    let text = "# on a line of its own\nMSG: fix #12 now\nQUOTED: \"a\" # comment\nBLOCK: | # comment\n  a #1\n";
    let expected = [("MSG", "fix #12 now"), ("QUOTED", "a"), ("BLOCK", "a #1\n")];
    let world = sandbox();
    Step::github(&world)
        .input("workflow", "build.yml")
        .input("inputs", "environment: fix #12 now\nversion: '1' # comment")
        .run()
        .passes();
    let [run] = world.runs().try_into().unwrap();
    assert_eq!(run.inputs["environment"], "fix #12 now");
    assert_eq!(run.inputs["version"], "1");
    for step in [Step::gitlab, Step::bitbucket] {
        let sandbox = sandbox();
        let done = step(&sandbox)
            .input("ref", "main")
            .input("variables", text)
            .input("secret-variables", "PW: hunter2 #tail")
            .secret("hunter2 #tail")
            .run()
            .passes();
        let [run] = sandbox.runs().try_into().unwrap();
        let sent: Vec<_> = run
            .variables
            .iter()
            .map(|variable| (variable.key.as_str(), variable.value.as_str()))
            .collect();
        let expected = expected.into_iter().chain([("PW", "hunter2 #tail")]);
        assert_eq!(sent, expected.collect::<Vec<_>>());
        assert!(done.masks.contains(&"hunter2 #tail".to_owned()), "{done}");
    }
}

#[test]
fn a_hash_in_a_mapping_of_an_entry_is_sent() {
    let sandbox = sandbox();
    let targets = format!(
        "- provider: gitlab # comment\n  server-url: {}\n  repository: octo-group/tools/deployer\n  token: {}\n  \
         variables:\n    MSG: fix #12 now\n  secret-variables:\n    PW: hunter2 #tail\n",
        sandbox.http_url(),
        demo::GITLAB_DEVELOPER
    );
    let done = Step::on(&sandbox.http_url())
        .input("targets", &targets)
        .secret("hunter2 #tail")
        .run()
        .passes();
    let [run] = sandbox.runs().try_into().unwrap();
    assert_eq!(run.variables[0].value, "fix #12 now");
    assert_eq!(run.variables[1].value, "hunter2 #tail");
    assert!(done.masks.contains(&"hunter2 #tail".to_owned()), "{done}");
}

/// Repository names contain no spaces, so ` #` after one can only start a comment. Other values are ambiguous.
#[test]
fn a_hash_after_an_entrys_value_is_a_comment_only_if_unambiguous() {
    let world = sandbox();
    let step = |targets: &str| {
        Step::on(&world.http_url())
            .input("targets", targets)
            .input("token", demo::GITHUB_CLASSIC)
    };
    let error = "is followed by ` #`, which starts a comment in YAML\nhint: quote the value";
    step("- repository: octo-org/app # the app\n  event-type: deploy #prod\n- repository: octo-org/app\n  workflow: Build #1\n")
        .run()
        .fails(&[
            &format!("input `targets`, octo-org/app (line 2): `event-type` {error}"),
            &format!("input `targets`, octo-org/app (line 4): `workflow` {error}"),
        ]);
    assert_eq!(world.requests().len(), 0);
    step("- repository: octo-org/app # the app\n  event-type: 'deploy' # prod\n")
        .run()
        .passes();
    let body = world.trigger_requests()[0].json().unwrap();
    assert_eq!(body["event_type"], "deploy");
}

#[test]
fn a_hash_in_a_typed_value_is_refused() {
    let error = "the value of `message` is followed by ` #`, which starts a comment in YAML\nhint: quote the value or use `toJSON()`";
    let (sandbox, step) = dispatch("message: fix #12 now");
    step.run()
        .fails(&[&format!("input `client-payload`: {error}")]);
    assert_eq!(sandbox.requests().len(), 0);
    Step::gitlab(&sandbox)
        .input("inputs", "message: fix #12 now")
        .run()
        .fails(&[&format!("input `inputs`: {error}")]);
    assert_eq!(sandbox.requests().len(), 0);
    let payload = sent_payload("# comment\nmessage: \"fix #12\" # comment\ncount: 3");
    assert_eq!(payload, r#"{"message":"fix #12","count":3}"#);
}

#[test]
fn input_that_begins_as_json_is_json_or_refused() {
    let line_break = "isn't valid JSON at line 1: a string contains a raw line break or other control character\nhint: use `toJSON()` for the value";
    for (text, error) in [
        ("{\"message\": \"a\nb\", \"version\": 1.10}", line_break),
        ("{'message': 'a\nb', 'version': 1.10,}", line_break),
        (
            "{\"path\": \"C:\\app\"}",
            "isn't valid JSON at line 1, column 14",
        ),
        ("{\"a\": NaN}", "isn't valid JSON at line 1, column 7"),
        ("{\"a\": }", "isn't valid JSON at line 1, column 7"),
        ("{a: 1}", "isn't valid JSON at line 1, column 2"),
    ] {
        let (sandbox, step) = dispatch(text);
        step.run()
            .fails(&[&format!("input `client-payload`: {error}")]);
        Step::github(&sandbox)
            .input("workflow", "build.yml")
            .input("inputs", text)
            .run()
            .fails(&[&format!("input `inputs`: {error}")]);
        for name in ["inputs", "variables", "secret-variables"] {
            let step = Step::gitlab(&sandbox).input(name, text);
            step.run().fails(&[&format!("input `{name}`: {error}")]);
        }
        let targets = format!("[{{\"repository\": \"octo-org/app\", \"client-payload\": {text}}}]");
        let start = error.split(" column").next().unwrap();
        Step::github(&sandbox)
            .input("event-type", "deploy")
            .input("targets", &targets)
            .run()
            .fails(&[&format!("input `targets`: {start}")]);
        assert_eq!(sandbox.requests().len(), 0, "{text}");
    }
    for (text, expected) in [
        (
            r#"{"version": 1.10, "count": 3,}"#,
            r#"{"version":1.10,"count":3}"#,
        ),
        (
            "{'message': 'it''s', \"list\": [1,],}",
            r#"{"message":"it's","list":[1]}"#,
        ),
    ] {
        assert_eq!(sent_payload(text), expected);
    }
}

/// What an expression in quotes, or without `toJSON()`, makes of a payload.
#[test]
fn quoting_mistakes_are_named() {
    for (text, error) in [
        (
            "{\"message\": \"Revert \"fix\" again\"}",
            "isn't valid JSON at line 1, column 22: a string contains an unescaped `\"`\nhint: use `toJSON()` for the value, without quotes around the expression",
        ),
        (
            "'{\"a\": 1}'",
            "is JSON in quotes, which makes it a string\nhint: remove the quotes",
        ),
        (
            "message: fix: bug",
            "isn't valid YAML at line 1, column 13: a value contains `: ` or the indentation is wrong\nhint: quote the value, or use `toJSON()` for it",
        ),
    ] {
        let (sandbox, step) = dispatch(text);
        step.run()
            .fails(&[&format!("input `client-payload`: {error}")]);
        Step::gitlab(&sandbox)
            .input("variables", text)
            .run()
            .fails(&[&format!("input `variables`: {error}")]);
        assert_eq!(sandbox.requests().len(), 0, "{text}");
    }
}

#[test]
fn a_json_null_is_left_out() {
    let sandbox = sandbox();
    Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("inputs", r#"{"environment": null, "version": "null"}"#)
        .run()
        .passes();
    let body = sandbox.trigger_requests()[0].json().unwrap();
    assert_eq!(body["inputs"], json!({"version": "null"}));
    Step::gitlab(&sandbox)
        .input("ref", "main")
        .input("inputs", r#"{"environment": null}"#)
        .input("variables", r#"{"A": null, "B": "b"}"#)
        .run()
        .passes();
    let body = sandbox.trigger_requests()[1].json().unwrap();
    assert_eq!(body.get("inputs"), None);
    assert_eq!(body["variables"].as_array().unwrap().len(), 1);
    // An unset secret still causes a warning.
    let done = Step::bitbucket(&sandbox)
        .input("ref", "main")
        .input("secret-variables", r#"{"PASSWORD": null}"#)
        .run()
        .passes();
    assert!(
        done.warnings()[0].contains("a secret is empty or `null`"),
        "{done}"
    );
    let body = sandbox.trigger_requests()[2].json().unwrap();
    assert_eq!(body.get("variables"), None);
}

#[test]
fn a_json_number_stays_a_number_in_gitlab_inputs() {
    for inputs in [
        r#"{"replicas": 3.0, "regions": [1e3, 12345678901234567890]}"#,
        r"{'replicas': 3.0, 'regions': [1e3, 12345678901234567890,]}",
    ] {
        let sandbox = sandbox();
        Step::gitlab(&sandbox)
            .input("ref", "main")
            .input("inputs", inputs)
            .run()
            .passes();
        let [request] = sandbox.trigger_requests().try_into().unwrap();
        let body = String::from_utf8(request.body).unwrap();
        let sent = r#""inputs":{"replicas":3.0,"regions":[1e3,12345678901234567890]}"#;
        assert!(body.contains(sent), "{body}");
    }
}

#[test]
fn an_empty_payload_is_refused() {
    for empty in ["", "  \n"] {
        let (sandbox, step) = dispatch(empty);
        step.run()
            .fails(&["input `client-payload`: is empty\nhint: check its expression"]);
        assert_eq!(sandbox.requests().len(), 0);
    }
    assert_eq!(sent_payload("{}"), "{}");
    // A `workflow` has no payload that could be empty.
    let sandbox = sandbox();
    Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("client-payload", "")
        .run()
        .passes();
}

#[test]
fn an_indented_mapping_is_read_and_a_merge_key_refused() {
    assert_eq!(
        sent_payload("\n  a: 1\n  b:\n    - c\n"),
        r#"{"a":1,"b":["c"]}"#
    );
    let (sandbox, step) = dispatch("a: &a {b: 1}\nc:\n  <<: *a\n  d: 2");
    step.run().fails(&[
        "input `client-payload`: has the merge key `<<` at line 3, which isn't supported\nhint: write the keys out",
    ]);
    Step::github(&sandbox)
        .input("event-type", "deploy")
        .input("targets", "- &a\n  repository: octo-org/app\n- <<: *a")
        .run()
        .fails(&["input `targets`: has the merge key `<<` at line 3, which isn't supported\nhint: write the keys out"]);
    assert_eq!(sandbox.requests().len(), 0);
}
