//! Projects and repositories that have been renamed.

use sandbox::world::{JobScenario, Log, Scenario};
use sandbox::{Provider, RecordedRequest, Sandbox, World, demo};

use crate::calls::{SECOND, signal, start};
use crate::harness::Step;

const FORMER: &str = "octo-group/old/deployer";
const BY_ID: &str = "/api/v4/projects/4242/";

fn moved(world: World) -> Sandbox {
    let sandbox = start(world);
    sandbox.with_world(|world| {
        let project = &mut world.gitlab.projects[0];
        assert_eq!(project.id, demo::GITLAB_PROJECT_ID);
        project.former_paths.push(FORMER.to_owned());
    });
    sandbox
}

fn by_trigger_token(sandbox: &Sandbox) -> Step {
    Step::gitlab(sandbox)
        .input("repository", FORMER)
        .input("trigger-token", demo::GITLAB_TRIGGER)
}

/// The requests after the trigger.
fn since_the_trigger(sandbox: &Sandbox) -> Vec<RecordedRequest> {
    let requests = sandbox.requests();
    let trigger = requests.iter().position(RecordedRequest::is_trigger);
    requests[trigger.expect("a trigger") + 1..].to_vec()
}

#[test]
fn an_access_token_learns_the_new_name_of_a_moved_project() {
    for inputs in [vec![("ref", "main")], vec![], vec![("wait", "true")]] {
        let sandbox = moved(World::demo());
        let step = Step::gitlab(&sandbox).input("repository", FORMER);
        let step = inputs
            .iter()
            .fold(step, |step, (name, value)| step.input(name, value));
        let done = step.run().fails(&[
            "the project has moved to octo-group/tools/deployer (GitLab answered 405)\nhint: set `repository` to `octo-group/tools/deployer`",
        ]);
        done.outcome("rejected");
        assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
        assert_eq!(sandbox.runs().len(), 0, "{done}");
    }
}

/// The trigger endpoint accepts the former path, but later requests need the id.
#[test]
fn a_moved_project_is_addressed_by_id_once_known() {
    let scenario = Scenario::new()
        .job(JobScenario::new("downstream", SECOND).starts("octo-group/tools/locked"))
        .job(
            JobScenario::new("deploy", SECOND)
                .fails_in("deploy")
                .log(Log::text("it broke\n")),
        );
    let sandbox = moved(World::demo().scenario(Provider::GitLab, scenario));
    let done = by_trigger_token(&sandbox).input("wait", "true").run();
    assert_eq!(done.outputs["conclusion"], "failure", "{done}");
    assert!(done.summary.contains("it broke"), "{done}");
    let page = format!(
        "{}/octo-group/tools/deployer/-/pipelines/",
        sandbox.http_url()
    );
    assert!(done.outputs["run-url"].starts_with(&page), "{done}");
    for request in since_the_trigger(&sandbox) {
        assert!(request.path.starts_with(BY_ID), "{}", request.path);
    }
}

#[test]
fn the_pipeline_of_a_moved_project_is_cancelled() {
    let sandbox = moved(World::demo().scenario(Provider::GitLab, Scenario::endless()));
    let step = by_trigger_token(&sandbox).input("wait", "true");
    let child = step.start();
    step.until_said("accepted");
    signal(&child, "INT");
    let done = step.finish(child);
    assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
    done.says("was cancelled");
}
