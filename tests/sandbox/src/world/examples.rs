//! Adds the targets of the examples in the README and `docs/examples` to the demo world, with their scenarios, and a
//! flaky workflow for the demo.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{
    Access, GitHubRepository, GitLabProject, InputKind, JobScenario, Log, Provider, Scenario,
    Workflow, World, demo,
};

/// Number of services that a release of the library updates: `octo-org/service-01` and so on.
const SERVICES: u64 = 20;
/// Another service, whose runs fail.
const FAILING_SERVICE: &str = "octo-org/service-99";
/// The repositories that a pull request tests: one is flaky, the other one passes.
const FLAKY_CLIENT: &str = "octo-org/client-web";
const CLIENT: &str = "octo-org/client-mobile";
/// The repository whose workflow deploys releases.
const INFRASTRUCTURE: &str = "octo-org/infrastructure";
/// The project that contains `docs/examples/gitlab/.gitlab-ci.yml`.
const GITLAB_PROJECT: &str = "octo-group/app";
/// The custom pipeline of `docs/examples/bitbucket/bitbucket-pipelines.yml`.
const BITBUCKET_PIPELINE: &str = "pull-request";

/// Adds the examples to the demo world. Their scenarios take precedence over the demo's.
pub(super) fn add(world: World) -> World {
    flaky(deployment(clients(bitbucket(gitlab(services(world))))))
}

/// Adds repositories of the GitHub App, each with a workflow that has the marker in its run title.
fn services(mut world: World) -> World {
    let names = (1..=SERVICES).map(|number| format!("octo-org/service-{number:02}"));
    for (id, name) in (2001..).zip(names.chain([FAILING_SERVICE.to_owned()])) {
        let workflow = Workflow::new(id, "update.yml", "Update")
            .on_repository_dispatch(&["library-released"])
            .run_name("Update ${{ github.event.client_payload.trigger_id }}");
        for installation in world
            .github
            .apps
            .iter_mut()
            .flat_map(|app| &mut app.installations)
        {
            installation.repositories.push(name.clone());
        }
        world = world.github_repository(GitHubRepository::new(id, &name).workflow(workflow));
    }
    let update = JobScenario::new("update", Duration::from_secs(1))
        .fails_in("Take the new version")
        .log(Log::text("error[E0308]: mismatched types\n"));
    let fails = Scenario::new().job(update);
    world.scenario_of(Provider::GitHub, FAILING_SERVICE, "update.yml", fails)
}

/// Adds the repositories that `docs/examples/downstream-checks.yml` tests. Its workflow runs in `octo-org/app`.
fn clients(mut world: World) -> World {
    for (id, name) in [(2101, FLAKY_CLIENT), (2102, CLIENT)] {
        let workflow = Workflow::new(id, "test-client.yml", "Test the client")
            .input("commit", true, None)
            .input("caller", false, None)
            .run_name("Test with ${{ inputs.commit }} for ${{ inputs.caller }}");
        world = repository(world, id, name, workflow);
    }
    world
        .grant(demo::GITHUB_WORKFLOW, "statuses", Access::Write)
        .scenario_of(
            Provider::GitHub,
            FLAKY_CLIENT,
            "test-client.yml",
            flaky_scenario(),
        )
}

/// Adds the repository whose workflow `docs/examples/deploy-and-test.yml` calls.
fn deployment(world: World) -> World {
    let workflow = Workflow::new(2103, "deploy.yml", "Deploy")
        .input("version", true, None)
        .input("trigger_id", false, None)
        .run_name("Deploy ${{ inputs.trigger_id }}");
    repository(world, 2103, INFRASTRUCTURE, workflow)
}

/// Adds a repository that the classic token can access, with one workflow.
fn repository(mut world: World, id: u64, name: &str, workflow: Workflow) -> World {
    for token in &mut world.github.tokens {
        if token.value == demo::GITHUB_CLASSIC {
            Arc::make_mut(&mut token.repositories).push(name.to_owned());
        }
    }
    world.github_repository(GitHubRepository::new(id, name).workflow(workflow))
}

/// Adds a project that deploys, rolls back, and reports the deployment in an artifact.
fn gitlab(mut world: World) -> World {
    let project = GitLabProject::new(4246, GITLAB_PROJECT)
        .input("task", InputKind::String, Some(json!("deploy")))
        .input("environment", InputKind::String, Some(json!("staging")))
        .input("image", InputKind::String, Some(json!("")));
    for token in &mut world.gitlab.tokens {
        if let Some(role) = token.role_in("octo-group/tools/deployer") {
            Arc::make_mut(&mut token.roles).push((GITLAB_PROJECT.to_owned(), role));
        }
    }
    let deployment = json!({
        "url": "https://app.example.com",
        "image": "registry.example.com/app@sha256:0123456789abcdef",
    });
    let deploy = JobScenario::new("deploy", Duration::from_secs(1))
        .file("deployment.json", deployment.to_string());
    let scenario = Scenario::new().job(deploy);
    let world = world.gitlab_project(project);
    world.scenario_of(Provider::GitLab, GITLAB_PROJECT, ".gitlab-ci.yml", scenario)
}

fn bitbucket(mut world: World) -> World {
    let service = world
        .bitbucket
        .repositories
        .iter_mut()
        .find(|repository| repository.name == "octo-workspace/service");
    if let Some(service) = service {
        service.custom_pipelines.push(BITBUCKET_PIPELINE.to_owned());
    }
    world
}

/// Adds a flaky workflow.
fn flaky(mut world: World) -> World {
    let workflow = Workflow::new(110, "flaky.yml", "Flaky").on_workflow_dispatch();
    let mut repositories = world.github.repositories.iter_mut();
    if let Some(app) = repositories.find(|repository| repository.name == "octo-org/app") {
        app.workflows.push(workflow);
    }
    let scenario = flaky_scenario();
    world.scenario_of(Provider::GitHub, "octo-org/app", "flaky.yml", scenario)
}

/// A run whose job `test` fails in the first attempt and passes in the next one.
fn flaky_scenario() -> Scenario {
    let second = Duration::from_secs(1);
    let jobs = |test| {
        Scenario::new()
            .job(JobScenario::new("build", second))
            .job(test)
    };
    let test = JobScenario::new("test", second);
    let fails = test
        .clone()
        .fails_in("Run the tests")
        .log(Log::text("test login ... FAILED: no answer within 5 s\n"));
    jobs(fails).on_rerun(jobs(test))
}
