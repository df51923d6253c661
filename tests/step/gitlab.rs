//! GitLab: the requests, their outcomes, and how rejections are explained.

use std::time::Duration;

use sandbox::world::Scenario;
use sandbox::{Fault, Moment, Occasion, Response, Route, demo, world};
use serde_json::json;

use crate::calls::with_scenario;
use crate::harness::{Step, sandbox};

#[test]
fn an_access_token_sends_variables_as_a_list_and_typed_inputs() {
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("ref", "release")
        .input(
            "variables",
            "VERSION: 1.10\nMODE: 012\nYES: yes\nQUERY: a=b==c\n",
        )
        .input("secret-variables", "PASSWORD: hunter2-hunter2\n")
        .input(
            "inputs",
            "environment: production\nreplicas: 3\ndebug: true\nregions: [eu, us]\n",
        )
        .secret("hunter2-hunter2")
        .run()
        .passes();
    let [request] = sandbox.requests().try_into().unwrap();
    assert_eq!(
        (
            request.method.as_str(),
            request.path.as_str(),
            request.query.as_str()
        ),
        (
            "POST",
            "/api/v4/projects/octo-group%2Ftools%2Fdeployer/pipeline",
            ""
        )
    );
    assert_eq!(
        request.headers.get("private-token"),
        Some(demo::GITLAB_DEVELOPER)
    );
    assert_eq!(request.headers.get("x-gitlab-event"), None);
    assert_eq!(
        request.json().unwrap(),
        json!({
            "ref": "release",
            "variables": [
                {"key": "VERSION", "value": "1.10", "variable_type": "env_var"},
                {"key": "MODE", "value": "012", "variable_type": "env_var"},
                {"key": "YES", "value": "yes", "variable_type": "env_var"},
                {"key": "QUERY", "value": "a=b==c", "variable_type": "env_var"},
                {"key": "PASSWORD", "value": "hunter2-hunter2", "variable_type": "env_var"},
            ],
            "inputs": {"environment": "production", "replicas": 3, "debug": true, "regions": ["eu", "us"]}
        })
    );
    let [run] = sandbox.runs().try_into().unwrap();
    assert_eq!(
        (run.event.as_str(), run.reference_name()),
        ("api", Some("release"))
    );
    assert_eq!(done.outputs["run-id"], run.id.to_string());
    assert_eq!(
        done.outputs["run-url"],
        format!(
            "{}/octo-group/tools/deployer/-/pipelines/{}",
            sandbox.http_url(),
            run.id
        )
    );
    assert_eq!(done.result()["runs"][0]["number"], run.number);
    assert!(done.masks.contains(&"hunter2-hunter2".to_owned()));
    done.outcome("accepted")
        .says("octo-group/tools/deployer: triggering pipeline at release on http://127.0.0.1:");
}

#[test]
fn a_trigger_token_travels_in_the_body_and_sends_variables_as_a_map() {
    for (name, value) in [
        ("trigger-token", demo::GITLAB_TRIGGER),
        ("token", demo::GITLAB_TRIGGER),
    ] {
        let sandbox = sandbox();
        let done = Step::gitlab(&sandbox)
            .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
            .input("repository", "4242")
            .input("ref", "refs/tags/v3.0.0")
            .input("variables", r#"{"VERSION": 1.10, "EXP": 1e3}"#)
            .input("inputs", r#"{"replicas": 2}"#)
            .input(name, value)
            .run()
            .passes();
        let [request] = sandbox.requests().try_into().unwrap();
        assert_eq!(
            (request.path.as_str(), request.query.as_str()),
            ("/api/v4/projects/4242/trigger/pipeline", "")
        );
        assert_eq!(request.headers.get("private-token"), None);
        assert_eq!(request.headers.get("authorization"), None);
        assert_eq!(
            request.json().unwrap(),
            json!({
                "token": demo::GITLAB_TRIGGER, "ref": "refs/tags/v3.0.0",
                "variables": {"VERSION": "1.10", "EXP": "1e3"}, "inputs": {"replicas": 2}
            })
        );
        let [run] = sandbox.runs().try_into().unwrap();
        assert_eq!(
            (run.event.as_str(), run.reference_name()),
            ("trigger", Some("v3.0.0"))
        );
        done.says("with a pipeline trigger token");
    }
}

#[test]
fn an_omitted_ref_is_the_default_branch_if_it_can_be_read() {
    let sandbox = sandbox();
    Step::gitlab(&sandbox)
        .run()
        .passes()
        .says("the default branch is used: main");
    assert_eq!(
        sandbox.requests()[0].path,
        "/api/v4/projects/octo-group%2Ftools%2Fdeployer"
    );
    assert_eq!(sandbox.runs()[0].reference_name(), Some("main"));

    let step = || {
        Step::gitlab(&sandbox)
            .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
            .input("trigger-token", demo::GITLAB_TRIGGER)
    };
    // A trigger token can't read anything, but a public project can be read without a token.
    step()
        .run()
        .passes()
        .says("the default branch is used: main");
    let read = sandbox
        .requests()
        .into_iter()
        .rev()
        .find(|request| request.method == "GET")
        .unwrap();
    assert_eq!(read.headers.get("private-token"), None);
    step().input("token", demo::GITLAB_READ_API).run().passes();
    let started = sandbox.runs().len();
    step()
        .input("repository", "octo-group/tools/private")
        .run()
        .fails(&["a trigger token can't read the project's default branch (GitLab answered 404: Project Not Found)\nhint: set `ref`, or also pass an access token"])
        .outcome("not-sent");
    assert_eq!(sandbox.runs().len(), started);
}

/// Nothing was triggered, and the project itself was already requested.
#[test]
fn a_refused_read_of_the_default_branch_is_reported_as_such() {
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("repository", "octo-group/nowhere")
        .run()
        .fails(&["the project doesn't exist, or the token can't access it (GitLab answered 404: Project Not Found)\nhint: check the spelling of `repository`"]);
    done.outcome("not-sent");
    assert!(!done.errors()[0].contains("the trigger"), "{done}");
    assert_eq!(sandbox.requests().len(), 1, "{done}");
}

#[test]
fn a_server_may_have_a_path() {
    let sandbox = sandbox();
    Step::gitlab(&sandbox)
        .input("server-url", &format!("{}/gitlab/", sandbox.http_url()))
        .input("ref", "main")
        .run()
        .passes();
    assert_eq!(
        sandbox.requests()[0].path,
        "/gitlab/api/v4/projects/octo-group%2Ftools%2Fdeployer/pipeline"
    );
    Step::gitlab(&sandbox)
        .input("server-url", &format!("{}/gitlab", sandbox.http_url()))
        .input(
            "repository",
            &format!(
                "{}/gitlab/octo-group/tools/deployer.git",
                sandbox.http_url()
            ),
        )
        .input("ref", "main")
        .run()
        .passes();
    assert_eq!(sandbox.runs().len(), 2);
}

#[test]
fn rejections_are_explained() {
    let trigger = |token: &'static str| {
        vec![
            ("token", demo::GITHUB_WORKFLOW_OF_CALLER),
            ("trigger-token", token),
        ]
    };
    let with = |mut inputs: Vec<(&'static str, &'static str)>, name, value| {
        inputs.push((name, value));
        inputs
    };
    for (inputs, error) in [
        (
            vec![("token", "glpat-wrong00000000000000")],
            "GitLab doesn't accept the token (GitLab answered 401: Unauthorized)\nhint: the token is mistyped, expired or revoked",
        ),
        (
            trigger("glptt-wrong0000000000000000000000000000000"),
            "the project doesn't have this trigger token (GitLab answered 404)\nhint: create a trigger token in that project",
        ),
        (
            with(
                trigger(demo::GITLAB_TRIGGER),
                "repository",
                "octo-group/nowhere",
            ),
            "the project doesn't exist, or it doesn't have this trigger token (GitLab answered 404)",
        ),
        (
            vec![("repository", "octo-group/nowhere")],
            "the project doesn't exist, or the token can't access it (GitLab answered 404 to both requests)\nhint: check the spelling of `repository`, and that the token belongs to that project or to one of its members. If a proxy in between decodes `%2F` in URLs, set `repository` to the project's numeric id",
        ),
        (
            vec![("repository", "octo-group/tools/private")],
            "or the token can't access it",
        ),
        (
            vec![("token", demo::GITLAB_READ_API)],
            "the token lacks the scope `api` (GitLab answered 403)\nhint: create an access token with the scope `api`",
        ),
        (
            vec![("token", demo::GITLAB_REPORTER)],
            "the token's role in the project is too low (GitLab answered 403)\nhint: give the token the role Developer",
        ),
        (
            vec![("ref", "nowhere")],
            "no branch or tag is named `nowhere` (GitLab answered 400)\nhint: check the spelling of `ref`",
        ),
        (
            vec![("ref", "production")],
            "the ref `production` is protected (GitLab answered 400)\nhint: use a token whose role is allowed to merge or push to it, or another `ref`",
        ),
        (
            vec![("repository", "octo-group/tools/idle")],
            "no job in the project's .gitlab-ci.yml matches this pipeline (GitLab answered 400)\nhint: allow `$CI_PIPELINE_SOURCE == \"api\"` on `main` in its `rules` or `workflow: rules`",
        ),
        (
            vec![
                ("repository", "octo-group/tools/locked"),
                ("variables", "A: b"),
            ],
            "this token's role isn't allowed to set pipeline variables in the project (GitLab answered 400)\nhint: use an access token in `token`, and `inputs`",
        ),
        (
            with(
                trigger(demo::GITLAB_TRIGGER_LOCKED),
                "repository",
                "octo-group/tools/locked",
            ),
            "the project doesn't allow pipeline variables, and GitLab adds one to every trigger token's request (GitLab answered 400)\nhint: use an access token",
        ),
        (
            vec![("inputs", "colour: red")],
            "the trigger failed (GitLab answered 400: ",
        ),
    ] {
        let sandbox = sandbox();
        let step = Step::gitlab(&sandbox).input("ref", "main");
        let step = inputs
            .iter()
            .fold(step, |step, (name, value)| step.input(name, value));
        let done = step.run().fails(&[error]);
        done.outcome("rejected");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
        assert_eq!(sandbox.runs().len(), 0, "{done}");
    }
}

#[test]
fn a_maintainer_may_run_a_protected_ref() {
    let sandbox = sandbox();
    Step::gitlab(&sandbox)
        .input("token", demo::GITLAB_MAINTAINER)
        .input("ref", "production")
        .run()
        .passes();
    assert_eq!(sandbox.runs().len(), 1);
}

/// GitLab keeps a pipeline that failed to be created, but nothing runs, so the outcome isn't unknown.
#[test]
fn a_pipeline_that_fails_to_be_created_is_rejected() {
    let sandbox = sandbox();
    sandbox.with_world(|world| {
        world.gitlab.projects[0].configuration =
            world::Configuration::Invalid("jobs:test config is wrong".to_owned());
    });
    Step::gitlab(&sandbox)
        .run()
        .fails(&["the project's .gitlab-ci.yml is invalid (GitLab answered 400: jobs:test config is wrong)\nhint: fix it on `main`"])
        .outcome("rejected");
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

/// Nothing was created, so the trigger is sent again after a minute.
#[test]
fn the_limit_on_pipelines_per_minute_is_waited_out() {
    let sandbox = sandbox();
    sandbox.with_world(|world| world.gitlab.max_pipelines_a_minute = Some(1));
    let done = Step::gitlab(&sandbox)
        .input("ref", "main")
        .input("max-parallel", "1")
        .input(
            "targets",
            r#"[{"variables": {"N": "1"}}, {"variables": {"N": "2"}}]"#,
        )
        .run()
        .passes();
    done.says("too many requests (GitLab answered 400: Too many pipelines created in the last minute. Try again later); retrying in 60 s");
    assert_eq!(sandbox.trigger_requests().len(), 3, "{done}");
    assert_eq!(sandbox.runs().len(), 2, "{done}");
}

/// Guessing that the role is too low would mislead.
#[test]
fn a_reason_that_gitlab_gives_for_a_403_is_shown() {
    let sandbox = sandbox();
    let message = "403 Forbidden - You (@octavia) must accept the Terms of Service in order to perform this action.";
    let response = Response::json(403, json!({ "message": message }));
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::Response(Moment::BeforeActing, response),
    );
    let done = Step::gitlab(&sandbox)
        .input("ref", "main")
        .run()
        .fails(&["GitLab denies access (GitLab answered 403: Forbidden - You (@octavia) must accept the Terms of Service in order to perform this action)\nhint: sign in on its web page"]);
    assert!(!done.errors()[0].contains("role"), "{done}");
}

/// Only steps that wait ask for it, and once for all targets with the same token.
#[test]
fn an_access_token_that_expires_soon_is_reported() {
    use chrono::{Days, Utc};
    let own = "/personal_access_tokens/self";
    for (days, expected) in [(5, 1), (30, 0)] {
        let passing = Scenario::passing(Duration::from_millis(100));
        let sandbox = with_scenario(sandbox::Provider::GitLab, passing);
        let day = Utc::now().date_naive() + Days::new(days);
        let response = Response::json(200, json!({ "expires_at": day.to_string() }));
        sandbox.fault(
            Route::any().path(own),
            Occasion::Every,
            Fault::Response(Moment::BeforeActing, response),
        );
        let targets = r#"[{"variables": {"N": "1"}}, {"variables": {"N": "2"}}]"#;
        let done = Step::gitlab(&sandbox)
            .input("ref", "main")
            .input("wait", "true")
            .input("targets", targets)
            .run()
            .passes();
        let warnings = done.warnings();
        assert_eq!(warnings.len(), expected, "{done}");
        let in_summary = done.summary.matches(": the token expires on ");
        assert_eq!(in_summary.count(), expected, "{done}");
        for warning in warnings {
            let text = format!("the token expires on {day}, in 4 days");
            assert!(warning.contains(&text), "{done}");
        }
        let asked = sandbox.requests().into_iter();
        assert_eq!(
            asked.filter(|request| request.path.ends_with(own)).count(),
            1
        );
    }
    let sandbox = sandbox();
    Step::gitlab(&sandbox).input("ref", "main").run().passes();
    assert_eq!(sandbox.requests().len(), 1);
}
