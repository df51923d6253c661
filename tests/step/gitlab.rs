//! GitLab: the requests, their outcomes, and how rejections are explained.

use sandbox::{demo, world};
use serde_json::json;

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
        .fails(&["the trigger token reads nothing\nhint: set `ref`, or give an access token that can read in `token`"])
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
        .fails(&["for the project, whose default branch is needed since there is no `ref`: there is no octo-group/nowhere, or the token does not see it\nhint: check `repository`"]);
    done.outcome("not-sent");
    assert!(!done.errors()[0].contains("for the trigger"), "{done}");
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
            "401 (401 Unauthorized) for the trigger: GitLab does not know the token\nhint: it is wrong, expired or revoked",
        ),
        (
            trigger("glptt-wrong0000000000000000000000000000000"),
            "404 for the trigger, yet the project is visible: GitLab does not know the trigger token there",
        ),
        (
            with(
                trigger(demo::GITLAB_TRIGGER),
                "repository",
                "octo-group/nowhere",
            ),
            "404 for the trigger: there is no project octo-group/nowhere, or the trigger token is not of it",
        ),
        (
            vec![("repository", "octo-group/nowhere")],
            "404, for the project itself too: there is no octo-group/nowhere, or the token does not see it\nhint: check `repository`, and that the token is of that project or its owner a member of it; a proxy that changes `%2F` in addresses answers 404 too: then use the project's numeric id",
        ),
        (
            vec![("repository", "octo-group/tools/private")],
            "or the token does not see it",
        ),
        (
            vec![("token", demo::GITLAB_READ_API)],
            "for the trigger: the token lacks the scope `api`\nhint: make an access token with the scope `api`",
        ),
        (
            vec![("token", demo::GITLAB_REPORTER)],
            "for the trigger: the token's role in the project is too low\nhint: running pipelines needs the role Developer",
        ),
        (
            vec![("ref", "nowhere")],
            "400 (Reference not found) for the trigger: there is no branch or tag `nowhere`\nhint: check `ref`",
        ),
        (
            vec![("ref", "production")],
            "`production` is protected\nhint: use a token whose role may merge or push to it, or another `ref`",
        ),
        (
            vec![("repository", "octo-group/tools/idle")],
            "no job of the project's .gitlab-ci.yml runs for this\nhint: let its `rules` or `workflow: rules` allow `$CI_PIPELINE_SOURCE == \"api\"` on `main`",
        ),
        (
            vec![
                ("repository", "octo-group/tools/locked"),
                ("variables", "A: b"),
            ],
            "the project forbids pipeline variables to this token's role\nhint: use an access token in `token` with `inputs`",
        ),
        (
            with(
                trigger(demo::GITLAB_TRIGGER_LOCKED),
                "repository",
                "octo-group/tools/locked",
            ),
            "the project forbids pipeline variables, and a trigger token always brings one\nhint: use an access token",
        ),
        (vec![("inputs", "colour: red")], "400 ("),
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
        .fails(&["for the trigger"])
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
    done.says("400 (Too many pipelines created in the last minute. Try again later.) for the trigger; retrying in 60 s");
    assert_eq!(sandbox.trigger_requests().len(), 3, "{done}");
    assert_eq!(sandbox.runs().len(), 2, "{done}");
}
