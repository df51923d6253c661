//! Other CI systems as hosts: how inputs are set there, and where outputs go.

use sandbox::world::{Scenario, Visibility};
use sandbox::{Provider, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::calls::{SECOND, own_runs, signal, start, with_scenario};
use crate::harness::sandbox;
use crate::program::Program;

/// A job of GitLab CI in the project `octo-group/tools/deployer`, on the sandbox's server.
fn gitlab_job(sandbox: &Sandbox, inputs: &[(&str, &str)]) -> Program {
    let program = Program::new(&[]);
    let (url, folder) = (sandbox.http_url(), program.folder());
    let api = format!("{url}/api/v4");
    let page = format!("{url}/octo-group/tools/deployer/-/pipelines/5");
    program
        .environment(&[
            ("CI", "true"),
            ("GITLAB_CI", "true"),
            ("CI_SERVER_URL", &url),
            ("CI_API_V4_URL", &api),
            ("CI_PROJECT_PATH", "octo-group/tools/deployer"),
            ("CI_PROJECT_DIR", &folder),
            ("CI_PIPELINE_URL", &page),
            ("CI_JOB_TIMEOUT", "3600"),
        ])
        .environment(inputs)
}

#[test]
fn a_gitlab_job_triggers_its_own_project_by_default() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::failing(SECOND));
    let program = gitlab_job(
        &sandbox,
        &[
            ("INPUT_TOKEN", demo::GITLAB_DEVELOPER),
            ("INPUT_REF", "main"),
            ("INPUT_WAIT", "true"),
            ("INPUT_CALLER", "CALLER"),
        ],
    );
    let ended = program.run().code(1);
    let run = &own_runs(&sandbox)[0];
    assert_eq!(run.repository, "octo-group/tools/deployer", "{ended}");
    let variables = &sandbox.trigger_requests()[0].json().unwrap()["variables"];
    let page = format!(
        "{}/octo-group/tools/deployer/-/pipelines/5",
        sandbox.http_url()
    );
    assert_eq!(variables[0]["value"], page.as_str());

    let expected = format!(
        "TRIGGER_PIPELINE_OUTCOME=accepted\nTRIGGER_PIPELINE_RUN_ID={}\nTRIGGER_PIPELINE_RUN_URL={}/octo-group/tools/deployer/-/pipelines/{}\nTRIGGER_PIPELINE_CONCLUSION=failure\n",
        run.id,
        sandbox.http_url(),
        run.id
    );
    assert_eq!(program.read("trigger-pipeline.env"), expected, "{ended}");
    let results: Value =
        serde_json::from_str(&program.read("trigger-pipeline.results.json")).unwrap();
    assert_eq!(results[0]["conclusion"], "failure", "{results}");
    let links: Value =
        serde_json::from_str(&program.read("trigger-pipeline.annotations.json")).unwrap();
    let link = &links["Triggered runs"][0]["external_link"];
    assert_eq!(link["url"], results[0]["runs"][0]["url"], "{links}");
    assert_eq!(
        link["label"],
        format!(
            "octo-group/tools/deployer #{}",
            results[0]["runs"][0]["number"]
        )
        .as_str(),
        "{links}"
    );

    // The failed job's log is a section, which begins and ends with an escape sequence.
    assert!(ended.stdout.contains("\u{1b}[0Ksection_start:"), "{ended}");
    assert!(ended.stdout.contains("section_end:"), "{ended}");
    assert!(!ended.stdout.contains(demo::GITLAB_DEVELOPER), "{ended}");
}

#[test]
fn a_job_token_triggers_its_own_server_and_no_other() {
    let sandbox = sandbox();
    let token = [("CI_JOB_TOKEN", demo::GITLAB_TRIGGER)];
    let ended = gitlab_job(&sandbox, &[("INPUT_REF", "main")])
        .environment(&token)
        .run()
        .code(0);
    assert_eq!(sandbox.trigger_requests().len(), 1, "{ended}");
    assert!(!ended.stdout.contains(demo::GITLAB_TRIGGER), "{ended}");

    let other = Sandbox::start(World::demo()).unwrap();
    let elsewhere = gitlab_job(
        &sandbox,
        &[
            ("INPUT_REF", "main"),
            ("INPUT_REPOSITORY", "octo-group/tools/deployer"),
        ],
    )
    .environment(&token)
    .environment(&[("INPUT_SERVER_URL", &other.http_url())]);
    elsewhere.run().code(2).says("`token`: is missing");
    let given = gitlab_job(
        &sandbox,
        &[
            ("INPUT_REF", "main"),
            ("INPUT_REPOSITORY", "octo-group/tools/deployer"),
            ("INPUT_TRIGGER_TOKEN", demo::GITLAB_TRIGGER),
        ],
    )
    .environment(&token)
    .environment(&[("INPUT_SERVER_URL", &other.http_url())]);
    given
        .run()
        .code(2)
        .says("is this job's `CI_JOB_TOKEN`, which is only sent to the server that runs the job");
    assert_eq!(other.requests().len(), 0);
}

/// A job token can trigger, but it can't read the pipeline.
#[test]
fn waiting_with_only_a_job_token_is_refused_before_anything_is_triggered() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::passing(SECOND));
    sandbox.with_world(|world| world.gitlab.projects[0].visibility = Visibility::Private);
    let waiting = [("INPUT_REF", "main"), ("INPUT_WAIT", "true")];
    let job_token = [("CI_JOB_TOKEN", demo::GITLAB_TRIGGER)];
    let ended = gitlab_job(&sandbox, &waiting)
        .environment(&job_token)
        .run()
        .code(3)
        .says("a trigger token can't read a project that isn't public");
    assert_eq!(sandbox.trigger_requests().len(), 0, "{ended}");

    let token = [("INPUT_TOKEN", demo::GITLAB_DEVELOPER)];
    let both = [("INPUT_TRIGGER_TOKEN", demo::GITLAB_TRIGGER)];
    let job = gitlab_job(&sandbox, &waiting).environment(&job_token);
    let ended = job.environment(&token).environment(&both).run().code(0);
    let body = sandbox.trigger_requests()[0].body.clone();
    assert!(
        String::from_utf8_lossy(&body).contains(demo::GITLAB_TRIGGER),
        "{ended}"
    );
}

/// Anybody can read the log of a job in a public project.
#[test]
fn logs_of_a_private_target_are_not_shown_in_a_public_project() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::failing(SECOND));
    sandbox.with_world(|world| world.gitlab.projects[0].visibility = Visibility::Private);
    let inputs = [
        ("INPUT_TOKEN", demo::GITLAB_DEVELOPER),
        ("INPUT_REF", "main"),
        ("INPUT_WAIT", "true"),
    ];
    let public = [("CI_PROJECT_VISIBILITY", "public")];
    let job = gitlab_job(&sandbox, &inputs).environment(&public);
    let ended = job
        .run()
        .code(1)
        .says("the logs of failed jobs aren't shown");
    assert!(!ended.stdout.contains("section_start"), "{ended}");
}

/// The runner stops a job with SIGTERM.
#[test]
fn a_stopped_gitlab_job_cancels_its_run() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::passing(SECOND * 60));
    let program = gitlab_job(
        &sandbox,
        &[
            ("INPUT_TOKEN", demo::GITLAB_DEVELOPER),
            ("INPUT_REF", "main"),
            ("INPUT_WAIT", "true"),
        ],
    );
    let child = program.start();
    program.until_said("running");
    signal(&child, "TERM");
    let ended = program.finish(child).code(143);
    assert!(own_runs(&sandbox)[0].conclusion.is_some(), "{ended}");
    assert!(
        program
            .read("trigger-pipeline.env")
            .contains("CONCLUSION=cancelled"),
        "{ended}"
    );
}

#[test]
fn gitlab_outputs_that_cannot_be_written_prevent_the_trigger() {
    let sandbox = sandbox();
    let program = gitlab_job(
        &sandbox,
        &[
            ("INPUT_TOKEN", demo::GITLAB_DEVELOPER),
            ("INPUT_REF", "main"),
        ],
    )
    .environment(&[("CI_PROJECT_DIR", "/nonexistent")]);
    program.run().code(3).says("can't be written");
    assert_eq!(sandbox.requests().len(), 0);
}

/// A pipe in the repository `octo-workspace/service`, on the sandbox's server.
fn pipe(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Program {
    let program = Program::new(&[]);
    let folder = program.folder();
    let outputs = program.file("variables", "OTHER=1\nTRIGGER_PIPELINE_OUTCOME=old\n");
    program
        .environment(&[
            ("CI", "true"),
            ("BITBUCKET_BUILD_NUMBER", "12"),
            ("BITBUCKET_REPO_FULL_NAME", "octo-workspace/service"),
            ("BITBUCKET_CLONE_DIR", &folder),
            ("BITBUCKET_PIPE_STORAGE_DIR", &folder),
            ("BITBUCKET_PIPELINES_VARIABLES_PATH", &outputs),
            ("SERVER_URL", &sandbox.http_url()),
        ])
        .environment(variables)
}

#[test]
fn a_pipe_reads_bare_names_and_sets_output_variables() {
    let sandbox = with_scenario(Provider::Bitbucket, Scenario::passing(SECOND));
    let program = pipe(
        &sandbox,
        &[
            ("TOKEN", demo::BITBUCKET_ACCESS),
            ("REPOSITORY", "octo-workspace/service"),
            ("REF", "main"),
            ("WAIT", "true"),
            ("CALLER", "CALLED_BY"),
        ],
    );
    let ended = program.run().code(0);
    let run = &own_runs(&sandbox)[0];
    assert_eq!(run.repository, "octo-workspace/service", "{ended}");
    let variables = &sandbox.trigger_requests()[0].json().unwrap()["variables"];
    let page = "https://bitbucket.org/octo-workspace/service/pipelines/results/12";
    assert_eq!(variables[0]["value"], page);
    let outputs = program.read("variables");
    let first: Vec<_> = outputs.lines().take(2).collect();
    assert_eq!(
        first,
        ["OTHER=1", "TRIGGER_PIPELINE_OUTCOME=accepted"],
        "{outputs}"
    );
    assert!(
        outputs.contains("TRIGGER_PIPELINE_CONCLUSION=success\n"),
        "{outputs}"
    );
    let results: Value =
        serde_json::from_str(&program.read("trigger-pipeline.results.json")).unwrap();
    assert_eq!(results[0]["conclusion"], "success", "{results}");
}

/// The names of a pipe's variables are those of many other variables.
#[test]
fn bare_names_are_only_read_in_a_pipe() {
    let sandbox = sandbox();
    let script = pipe(
        &sandbox,
        &[("TOKEN", demo::BITBUCKET_ACCESS), ("REF", "main")],
    );
    let script = script.environment(&[("BITBUCKET_PIPE_STORAGE_DIR", "")]);
    script.run().code(2).says("`token`: is missing");
    let gitlab = gitlab_job(
        &sandbox,
        &[("TOKEN", demo::GITLAB_DEVELOPER), ("REF", "main")],
    );
    gitlab.run().code(2).says("`token`: is missing");
    assert_eq!(sandbox.requests().len(), 0);
}

#[test]
fn a_plugin_reads_settings() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let url = sandbox.http_url();
    for ci in [("CI", "woodpecker"), ("DRONE", "true")] {
        let program = Program::new(&[]).environment(&[
            ci,
            ("CI_FORGE_TYPE", "github"),
            ("CI_FORGE_URL", &url),
            ("CI_REPO", "octo-org/caller"),
            ("PLUGIN_SERVER_URL", &url),
            ("PLUGIN_REPOSITORY", "octo-org/app"),
            ("PLUGIN_WORKFLOW", "build.yml"),
            ("PLUGIN_INPUTS", r#"{"version":"1.10"}"#),
            ("PLUGIN_TOKEN", demo::GITHUB_CLASSIC),
            ("PLUGIN_WAIT", "true"),
            ("PLUGIN_RESULTS_FILE", "results.json"),
        ]);
        let ended = program.run().code(0);
        let trigger = sandbox.trigger_requests().pop().expect("it was sent");
        assert_eq!(
            trigger.json().unwrap()["inputs"],
            json!({"version": "1.10"}),
            "{ended}"
        );
        let results: Value = serde_json::from_str(&program.read("results.json")).unwrap();
        assert_eq!(results[0]["conclusion"], "success", "{results}");
    }
}

#[test]
fn other_systems_fold_and_mask_in_their_own_words() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::failing(SECOND));
    let flags = [
        "--server-url",
        &sandbox.http_url(),
        "--repository",
        "octo-org/app",
        "--workflow",
        "build.yml",
        "--wait",
    ];
    let run = |variable| {
        let variables = [(variable, "True"), ("GH_TOKEN", demo::GITHUB_CLASSIC)];
        Program::new(&flags).environment(&variables).run().code(1)
    };
    let azure = run("TF_BUILD");
    let mask = format!("##vso[task.setsecret]{}\n", demo::GITHUB_CLASSIC);
    assert!(azure.stdout.starts_with(&mask), "{azure}");
    assert!(azure.stdout.contains("\n##[group]"), "{azure}");
    assert!(azure.stdout.contains("\n##[endgroup]\n"), "{azure}");
    let buildkite = run("BUILDKITE");
    assert!(buildkite.stdout.contains("\n--- "), "{buildkite}");
    for plain in [run("CIRCLECI"), run("JENKINS_URL"), run("CI")] {
        assert!(!plain.stdout.contains("##"), "{plain}");
        assert!(!plain.stdout.contains(demo::GITHUB_CLASSIC), "{plain}");
    }
}

/// A job that is stopped anywhere cancels its run, as long as the system sends a signal first.
#[test]
fn a_stopped_plugin_cancels_its_run() {
    let sandbox = start(World::demo().scenario(Provider::GitHub, Scenario::passing(SECOND * 60)));
    let program = Program::new(&[]).environment(&[
        ("CI", "woodpecker"),
        ("PLUGIN_SERVER_URL", &sandbox.http_url()),
        ("PLUGIN_REPOSITORY", "octo-org/app"),
        ("PLUGIN_WORKFLOW", "build.yml"),
        ("PLUGIN_TOKEN", demo::GITHUB_CLASSIC),
        ("PLUGIN_WAIT", "true"),
    ]);
    let child = program.start();
    program.until_said("running");
    signal(&child, "TERM");
    let ended = program.finish(child).code(143);
    assert!(own_runs(&sandbox)[0].conclusion.is_some(), "{ended}");
}
