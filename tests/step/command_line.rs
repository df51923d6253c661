//! The command line: each input as a flag, secrets from elsewhere, and exit codes.

use sandbox::world::Scenario;
use sandbox::{Fault, Moment, Occasion, Provider, Route, World, demo};
use serde_json::json;

use crate::calls::{SECOND, own_runs, start, with_scenario};
use crate::harness::sandbox;
use crate::program::Program;

const SECRET: &str = "hunter2-hunter2";

/// Flags for the sandbox's GitHub, and more.
fn github(server: &str, more: &[&str]) -> Program {
    let server = ["--server-url", server, "--repository", "octo-org/app"];
    Program::new(&[&server, more].concat()).environment(&[("GH_TOKEN", demo::GITHUB_CLASSIC)])
}

#[test]
fn flags_set_inputs() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let flags = [
        "--workflow",
        "build.yml",
        "--ref",
        "main",
        "--input",
        "version=1.10",
        "--input",
        "environment=staging",
        "--wait",
    ];
    let ended = github(&sandbox.http_url(), &flags).run().code(0);
    let ended = ended.says("✓ octo-org/app build.yml");
    assert!(!ended.stdout.contains(demo::GITHUB_CLASSIC), "{ended}");
    assert_eq!(ended.stderr, "");
    let runs = own_runs(&sandbox);
    assert_eq!(runs.len(), 1, "{ended}");
    let inputs = json!({"version": "1.10", "environment": "staging"});
    assert_eq!(
        sandbox.trigger_requests()[0].json().unwrap()["inputs"],
        inputs,
        "{ended}"
    );
}

#[test]
fn help_and_version_send_nothing() {
    let help = Program::new(&["--help"]).run().code(0);
    for flag in ["--event-type", "--token-file", "--json", "Exit codes:"] {
        assert!(help.stdout.contains(flag), "{help}");
    }
    for hidden in ["--github-token", "--token ", "--status"] {
        assert!(!help.stdout.contains(hidden), "{hidden}\n{help}");
    }
    let version = Program::new(&["--version"]).run().code(0);
    let expected = concat!("trigger-pipeline ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(version.stdout, expected);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = Program::new(&["--completions", shell]).run().code(0);
        assert!(script.stdout.contains("event-type"), "{shell}: {script}");
    }
}

#[test]
fn wrong_arguments_are_explained_and_nothing_is_sent() {
    let sandbox = sandbox();
    for (flags, message) in [
        (
            &["--evnt-type", "deploy"][..],
            "`--evnt-type`: isn't a flag of this program\n| hint: did you mean `--event-type`?",
        ),
        (
            &["deploy"],
            "(not shown): isn't a flag. All values follow a flag",
        ),
        (&["--event-type"], "`--event-type`: has no value"),
        (
            &["--targets", "--wait"],
            "`--targets`: is followed by another flag",
        ),
        (
            &["--ref", "a", "--ref", "b"],
            "`--ref`: is set more than once",
        ),
        (
            &["--wait=maybe"],
            "`--wait`: must be one of `true`, `false`, `start`",
        ),
        (
            &["--inputs", "{}", "--input", "a=1"],
            "can't be combined with",
        ),
        (
            &["--input", "version"],
            "`--input`: must be a name and a value, like `version=1.10`",
        ),
        (
            &["--client-payload", "@missing.json"],
            "`--client-payload`: names the file `missing.json`, which can't be read",
        ),
        (
            &["--client-payload", "-", "--targets", "-"],
            "`--targets`: is `-`, and so is `--client-payload`",
        ),
        (
            &["--token", SECRET],
            "`--token`: is a secret, and other users of this machine can read the arguments of a program\n| hint: use `--token-file`",
        ),
        (
            &["--private-key=hunter2-hunter2"],
            "`--private-key`: is a secret",
        ),
        (
            &["--secret-variable", "PASSWORD"],
            "`--secret-variable`: names the environment variable `PASSWORD`, which isn't set",
        ),
        (
            &["--secret-variable", "PASSWORD=hunter2-hunter2"],
            "`--secret-variable`: must be the name of an environment variable",
        ),
        (&[SECRET], "isn't a flag"),
        (
            &["--token-file", "missing"],
            "`--token-file`: names the file `missing`, which can't be read",
        ),
    ] {
        let ended = github(&sandbox.http_url(), flags)
            .run()
            .code(2)
            .says(message);
        assert!(ended.stdout.ends_with("nothing was sent\n"), "{ended}");
        assert!(!ended.stdout.contains(SECRET), "{ended}");
        assert_eq!(ended.stderr, "", "{ended}");
    }
    assert_eq!(sandbox.requests().len(), 0);
}

#[test]
fn long_values_come_from_files_and_standard_input() {
    let sandbox = sandbox();
    let payload = json!({"version": "1.10"});
    for value in ["@payload.json", "-"] {
        let flags = ["--event-type", "deploy", "--client-payload", value];
        let program = github(&sandbox.http_url(), &flags).stdin(&payload.to_string());
        program.file("payload.json", &payload.to_string());
        let ended = program.run().code(0);
        let trigger = sandbox.trigger_requests().pop().expect("it was sent");
        assert_eq!(
            trigger.json().unwrap()["client_payload"],
            payload,
            "{ended}"
        );
    }
}

#[test]
fn secrets_come_from_variables_and_files() {
    let sandbox = sandbox();
    let url = sandbox.http_url();
    let common = [
        "--provider",
        "gitlab",
        "--server-url",
        &url,
        "--repository",
        "octo-group/tools/deployer",
        "--ref",
        "main",
        "--secret-variable",
        "PASSWORD",
    ];
    let password = [("PASSWORD", SECRET)];
    let by_file = Program::new(&[&common[..], &["--token-file", "token"]].concat());
    by_file.file("token", &format!("{}\n", demo::GITLAB_DEVELOPER));
    let by_variable = |name| Program::new(&common).environment(&[(name, demo::GITLAB_DEVELOPER)]);
    for program in [
        by_file,
        by_variable("GITLAB_TOKEN"),
        by_variable("INPUT_TOKEN"),
    ] {
        let ended = program.environment(&password).run().code(0);
        for secret in [SECRET, demo::GITLAB_DEVELOPER] {
            assert!(!ended.stdout.contains(secret), "{ended}");
        }
        let trigger = sandbox.trigger_requests().pop().expect("it was sent");
        let variables = &trigger.json().unwrap()["variables"];
        assert_eq!(variables[0]["value"], SECRET, "{variables}");
    }
}

/// A token from a variable of another tool is only sent where the step's own inputs, or the provider's public server, say.
#[test]
fn a_token_from_a_variable_is_not_sent_to_the_server_of_an_entry() {
    let sandbox = sandbox();
    let targets = format!(
        "- {{repository: octo-org/app, event-type: deploy, server-url: {}}}",
        sandbox.http_url()
    );
    let program = Program::new(&["--targets", &targets]);
    let ended = program
        .environment(&[("GH_TOKEN", demo::GITHUB_CLASSIC)])
        .run()
        .code(2)
        .says("`token` is missing");
    assert_eq!(sandbox.requests().len(), 0, "{ended}");
}

#[test]
fn flags_win_over_variables() {
    let sandbox = sandbox();
    let variables = [
        ("INPUT_EVENT_TYPE", "other"),
        ("INPUT_EVENT-TYPE", "different"),
    ];
    let program = github(&sandbox.http_url(), &["--event-type", "deploy"]).environment(&variables);
    program.run().code(0);
    assert_eq!(
        sandbox.trigger_requests()[0].json().unwrap()["event_type"],
        "deploy"
    );
    let program = github(&sandbox.http_url(), &[]).environment(&variables);
    program.run().code(2).says(
        "input `event-type`: is set by `INPUT_EVENT-TYPE` and by `INPUT_EVENT_TYPE`, to different values\n| hint: remove one of the two",
    );
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

#[test]
fn results_can_be_read_by_a_program() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let flags = [
        "--workflow",
        "build.yml",
        "--json",
        "--results-file",
        "results.json",
    ];
    let program = github(&sandbox.http_url(), &flags);
    let ended = program.run().code(0);
    let results = ended.json();
    assert_eq!(results[0]["outcome"], "accepted", "{ended}");
    assert!(ended.stderr.contains("octo-org/app"), "the log: {ended}");
    let file: serde_json::Value = serde_json::from_str(&program.read("results.json")).unwrap();
    assert_eq!(file, results);

    let wrong = github(&sandbox.http_url(), &["--json"]).run().code(2);
    assert_eq!(wrong.json()[0]["outcome"], "not-sent", "{wrong}");
    // Standard output stays JSON even if an argument can't be parsed.
    let unknown = github(&sandbox.http_url(), &["--json", "--no-such"])
        .run()
        .code(2);
    assert!(unknown.json().is_array(), "{unknown}");
}

#[test]
fn a_results_file_that_cannot_be_written_prevents_the_trigger() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let flags = [
        "--workflow",
        "build.yml",
        "--results-file",
        "missing/results.json",
    ];
    let ended = github(&sandbox.http_url(), &flags).run().code(3);
    let ended = ended.says("missing/results.json: can't be written: ");
    assert_eq!(sandbox.requests().len(), 0, "{ended}");
}

#[test]
fn exit_codes_tell_what_happened() {
    let workflow = ["--workflow", "build.yml", "--ref", "main"];
    let waiting = [&workflow[..], &["--wait"]].concat();
    let failing = with_scenario(Provider::GitHub, Scenario::failing(SECOND));
    github(&failing.http_url(), &waiting).run().code(1);

    let refusing = sandbox();
    let unknown = ["--workflow", "missing.yml"];
    github(&refusing.http_url(), &unknown).run().code(3);

    let unclear = sandbox();
    let fault = Fault::status(Moment::BeforeActing, 502);
    unclear.fault(Route::any().method("POST"), Occasion::Every, fault);
    let ended = github(&unclear.http_url(), &["--workflow", "build.yml"]).run();
    ended.code(4).says("unknown");

    let slow = with_scenario(Provider::GitHub, Scenario::passing(SECOND * 60));
    let timeout = [&waiting[..], &["--timeout", "1s"]].concat();
    github(&slow.http_url(), &timeout).run().code(5);
    assert!(own_runs(&slow)[0].conclusion.is_some(), "it was cancelled");
}

#[test]
fn a_signal_cancels_the_run_and_is_the_exit_code() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let world = World::demo().scenario(Provider::GitHub, Scenario::passing(SECOND * 60));
        let sandbox = start(world);
        let program = github(&sandbox.http_url(), &["--workflow", "build.yml", "--wait"]);
        let child = program.start();
        program.until_said("running");
        crate::calls::signal(&child, signal);
        let ended = program.finish(child).code(code);
        assert!(own_runs(&sandbox)[0].conclusion.is_some(), "{ended}");
    }
}

/// In a script of a workflow the program is a command like any other.
#[test]
fn a_script_of_a_workflow_can_use_flags() {
    let sandbox = sandbox();
    let program = github(&sandbox.http_url(), &["--workflow", "build.yml"]);
    let output = program.file("output", "");
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_OUTPUT", output.as_str()),
    ];
    let program = program.environment(&variables);
    let child = program.start();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", program.read("stdout"));
    assert!(program.read("output").contains("accepted"));
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

#[test]
fn a_script_that_is_run_again_triggers_nothing_twice() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let url = sandbox.http_url();
    let flags = [
        "--workflow=titled.yml",
        "--ref=main",
        "--marker-input=trigger_id",
        "--on-rerun=once",
        "--call-key=script",
        "--wait",
    ];
    let attempt = |number: &str| {
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", &url),
            ("GITHUB_REPOSITORY", "octo-org/caller"),
            ("GITHUB_RUN_ID", "17"),
            ("GITHUB_RUN_ATTEMPT", number),
        ];
        let program = github(&url, &flags).environment(&variables);
        let ended = program.start().wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", program.read("stdout"));
    };
    attempt("1");
    attempt("2");
    assert_eq!(sandbox.trigger_requests().len(), 1);
}
