//! Secrets that a remote sends back, wherever the step truncates or rewrites what it received: neither the whole
//! secret nor a part of it is shown.

use std::time::Duration;

use sandbox::world::{Artifact, JobScenario, Log, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, Response, Route, demo};
use serde_json::{Value, json};

use crate::calls::{PROVIDERS, call, in_parallel, trigger, with_scenario};
use crate::harness::Step;

const SECRET: &str = "hunter2-hunter2-hunter2-hunter2";
/// The beginning of the secret, which must not be shown either.
const BEGINNING: &str = "hunt";

/// The first four characters of a token are no secret, because all tokens begin like that.
fn token(provider: Provider) -> &'static str {
    match provider {
        Provider::GitHub => demo::GITHUB_CLASSIC,
        Provider::GitLab => demo::GITLAB_DEVELOPER,
        Provider::Bitbucket => demo::BITBUCKET_ACCESS,
    }
}

fn with_secret(step: Step, secret: &str) -> Step {
    let variables = json!({ "PASSWORD": secret }).to_string();
    step.input("secret-variables", &variables).secret(secret)
}

fn fails(name: &str, log: &str) -> Scenario {
    let job = JobScenario::new(name, Duration::ZERO).fails();
    Scenario::new().job(job.log(Log::text(log)))
}

#[test]
fn a_secret_is_hidden_in_a_truncated_log_line() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let token = token(provider);
        let lines: Vec<_> = (470..=500)
            .map(|before| format!("{}{token}\n", "x".repeat(before)))
            .collect();
        let sandbox = with_scenario(provider, fails("deploy", &lines.concat()));
        // The first quarter of the token.
        let part = &token[..token.len() / 4];
        let done = call(provider, &sandbox).secret(part).run();
        assert_eq!(done.code, Some(1), "{done}");
        done.says("xxx***");
    });
}

#[test]
fn a_secret_is_hidden_in_a_truncated_error() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        for before in [970, 985, 996] {
            let token = token(provider);
            let message = format!("{}{token}", "y".repeat(before));
            let response = match provider {
                Provider::Bitbucket => json!({ "error": { "message": message } }),
                Provider::GitHub | Provider::GitLab => json!({ "message": message }),
            };
            let sandbox = with_scenario(provider, Scenario::new());
            let refused = Fault::Response(Moment::BeforeActing, Response::json(422, response));
            sandbox.fault(Route::triggers(), Occasion::Every, refused);
            let part = &token[..token.len() / 4];
            let done = trigger(provider, &sandbox)
                .secret(&part.replace('_', "&#95;"))
                .secret(part)
                .run();
            done.fails(&["yyy***"]);
        }
    });
}

/// Names are put on one line, and tabs are made visible.
#[test]
fn a_secret_is_hidden_after_whitespace_is_normalised() {
    let secret = "correct  horse\tbattery\n\nstaple\r\nof four";
    in_parallel(vec![Provider::GitLab, Provider::Bitbucket], |provider| {
        let name = format!("deploy {secret} now");
        let log = format!("it is {secret}\nand\tcorrect  horse\tbattery.\n");
        let sandbox = with_scenario(provider, fails(&name, &log));
        let done = with_secret(call(provider, &sandbox), secret)
            .secret("horse")
            .secret("staple")
            .run();
        assert_eq!(done.code, Some(1), "{done}");
        done.says("job deploy *** now");
    });
}

/// The secret is printed by a program that colours parts of its output.
#[test]
fn a_secret_is_hidden_after_colours_are_stripped() {
    let (one, other) = SECRET.split_at(9);
    let log = format!("{}{one}\u{1b}[1m{other}\u{1b}[0m\n", "x".repeat(480));
    let sandbox = with_scenario(Provider::GitLab, fails("deploy", &log));
    let step = with_secret(call(Provider::GitLab, &sandbox), SECRET);
    let done = step.secret(BEGINNING).run();
    assert_eq!(done.code, Some(1), "{done}");
    done.says("xxx***");
}

/// Only the last 64 KiB of a log are shown, which may begin inside a secret.
#[test]
fn a_secret_is_hidden_at_the_start_of_a_log_tail() {
    let log = format!("{}.", SECRET.repeat(5_000));
    for provider in [Provider::GitLab, Provider::Bitbucket] {
        let sandbox = with_scenario(provider, fails("deploy", &log));
        let step = with_secret(call(provider, &sandbox), SECRET);
        let done = step.secret("unter2").run();
        assert_eq!(done.code, Some(1), "{done}");
        done.says("the last line is too long to show");
    }
}

#[test]
fn each_line_of_a_secret_is_hidden() {
    let lines: Vec<_> = demo::GITHUB_APP_PRIVATE_KEY.lines().collect();
    let log: Vec<_> = lines.iter().map(|line| format!("> {line}\n")).collect();
    let sandbox = with_scenario(Provider::GitLab, fails("deploy", &log.concat()));
    let step = with_secret(
        call(Provider::GitLab, &sandbox),
        demo::GITHUB_APP_PRIVATE_KEY,
    );
    let done = lines
        .iter()
        .fold(step, |step, line| step.secret(line))
        .run();
    assert_eq!(done.code, Some(1), "{done}");
    done.says("| > ***\n");
}

/// The runner masks each line of a value, so masking the whole secret would hide every brace in the log.
#[test]
fn lines_shorter_than_four_characters_are_not_masked() {
    let secret = "{\n  \"key\": \"hunter2-hunter2\",\n  \"a\":\n1\n}";
    let sandbox = with_scenario(Provider::GitLab, fails("deploy", "{ \"fine\": true }\n}\n"));
    let done = with_secret(call(Provider::GitLab, &sandbox), secret)
        .secret("hunter2-hunter2")
        .run();
    let masks: Vec<_> = done
        .masks
        .iter()
        .filter(|mask| mask.contains(['{', '}', '"', '1']))
        .filter(|mask| !mask.contains("-demo") && mask.len() < 30)
        .collect();
    assert_eq!(masks, ["\"key\": \"hunter2-hunter2\",", "\"a\":"], "{done}");
    done.says("| { \"fine\": true }\n| }\n");
}

/// The same secret in one piece: its short lines are hidden too.
#[test]
fn a_multi_line_secret_is_hidden_as_a_whole() {
    let secret = "first-line\nxyz\nlast-line";
    let sandbox = with_scenario(Provider::GitLab, fails("deploy", &format!("{secret}\n")));
    let step = with_secret(call(Provider::GitLab, &sandbox), secret);
    let done = step.secret("xyz").run();
    assert_eq!(done.code, Some(1), "{done}");
}

fn result(secrets: &[&str], text: &str) -> Value {
    let job = JobScenario::new("deploy", Duration::ZERO).file("r.json", text);
    let sandbox = with_scenario(Provider::GitLab, Scenario::new().job(job));
    let variables: serde_json::Map<_, _> = secrets
        .iter()
        .enumerate()
        .map(|(index, secret)| (format!("SECRET_{index}"), Value::from(*secret)))
        .collect();
    let step = call(Provider::GitLab, &sandbox)
        .input("secret-variables", &Value::from(variables).to_string())
        .input("result-artifact", "deploy:r.json");
    let done = step.run().passes();
    for secret in secrets {
        assert!(!done.outputs["result"].contains(secret), "{done}");
    }
    serde_json::from_str(&done.outputs["result"]).unwrap_or_else(|error| panic!("{error}\n{done}"))
}

#[test]
fn a_result_stays_json_whatever_the_secrets_are() {
    let text = r#"{"deployed": true, "port": 8080, "version": 1.10, "by": "a hunter2-hunter2 b",
        "hunter2-hunter2": [-8080, false, "\u0068unter2-hunter2", "18080 x"]}"#;
    assert_eq!(
        result(&["true", "8080", "hunter2-hunter2"], text).to_string(),
        r#"{"deployed":"***","port":"***","version":1.10,"by":"a *** b","***":["***",false,"***","1*** x"]}"#
    );
    assert_eq!(result(&["\"id\""], r#"{"id": 1}"#), json!({ "***": 1 }));
    // A secret that spans several values hides them all.
    assert_eq!(result(&[r#""a": 1, "b""#], r#"{"a": 1, "b": 2}"#), "***");
}

#[test]
fn a_result_without_secrets_is_unchanged() {
    let text = "{\"version\": 1.10,\n  \"z\": [1e3, \"\\u00e4\"], \"z\": 2}";
    let sandbox = with_scenario(
        Provider::GitHub,
        Scenario::new().artifact(Artifact::new("result").file("r.json", text)),
    );
    let step = call(Provider::GitHub, &sandbox).input("result-artifact", "result");
    assert_eq!(step.run().passes().outputs["result"], text);
}
