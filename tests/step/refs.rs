//! `ref`: which branch or tag runs if both have the same name, and how such runs are found.

use sandbox::world::{RefKind, RunDetails, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World, demo};

use crate::calls::{SECOND, start};
use crate::harness::{Done, Step};

/// A world in which `octo-org/app` and `octo-group/tools/deployer` have a branch and a tag `v1`.
fn twins() -> World {
    let mut world = World::demo();
    let commit = |digit: &str| digit.repeat(40);
    let repositories = world.github.repositories.iter_mut();
    let projects = world.gitlab.projects.iter_mut();
    let gits = repositories
        .map(|repository| &mut repository.git)
        .chain(projects.map(|project| &mut project.git));
    for git in gits {
        git.branches.push(("v1".to_owned(), commit("b")));
        git.tags.push(("v1".to_owned(), commit("7")));
    }
    world
}

fn github(sandbox: &Sandbox, reference: &str) -> Step {
    Step::github(sandbox)
        .input("workflow", "build.yml")
        .input("ref", reference)
}

fn gitlab(sandbox: &Sandbox, reference: &str) -> Step {
    Step::gitlab(sandbox).input("ref", reference)
}

fn by_trigger_token(sandbox: &Sandbox, reference: &str) -> Step {
    gitlab(sandbox, reference).input("token", demo::GITLAB_TRIGGER)
}

/// The ref in the body of the only trigger.
fn sent(sandbox: &Sandbox) -> String {
    let requests = sandbox.trigger_requests();
    assert_eq!(requests.len(), 1);
    let body = requests[0].json().expect("a trigger is JSON");
    body["ref"].as_str().expect("it is a string").to_owned()
}

fn kind_of_only_run(sandbox: &Sandbox, done: &Done) -> RefKind {
    let runs = sandbox.runs();
    assert_eq!(runs.len(), 1, "{done}");
    let (kind, name) = runs[0].reference.as_ref().expect("it runs on a ref");
    assert_eq!(name, "v1", "{done}");
    *kind
}

#[test]
fn a_full_ref_runs_just_that_branch_or_tag() {
    for (reference, kind) in [
        ("refs/heads/v1", RefKind::Branch),
        ("refs/tags/v1", RefKind::Tag),
    ] {
        for step in [github, gitlab, by_trigger_token] {
            let sandbox = start(twins());
            let done = step(&sandbox, reference).run().passes();
            assert_eq!(sent(&sandbox), reference);
            assert_eq!(kind_of_only_run(&sandbox, &done), kind, "{done}");
            done.says(&format!(" at {reference} on "));
        }
    }
}

/// In a pull request's workflow, `github.ref` and `github.ref_name` are none that GitHub starts workflows on.
#[test]
fn a_merge_ref_or_commit_is_refused() {
    let sandbox = start(twins());
    let merge_ref = "is a pull request's ref, on which no pipeline can be started";
    let branch = "hint: use the branch: `${{ github.head_ref }}`";
    for reference in ["refs/pull/67/merge", "67/merge", "refs/pull/67/head"] {
        github(&sandbox, reference).run().fails(&[&format!(
            "input `ref`: {merge_ref} (`{reference}`)\n{branch}"
        )]);
    }
    gitlab(&sandbox, "refs/pull/67/merge")
        .run()
        .fails(&[&format!("input `ref`: {merge_ref}")]);
    let commit = "0123456789abcdef0123456789ABCDEF01234567";
    github(&sandbox, commit).run().fails(&[&format!(
        "input `ref`: is a commit, but GitHub can only start a workflow on a branch or tag (`{commit}`)\nhint: use a branch"
    )]);
    assert_eq!(sandbox.requests().len(), 0);
    // These can be branches.
    for reference in ["67", "merge", "x/merge", "/merge", "refs/heads/67/merge"] {
        let done = github(&sandbox, reference).run();
        let error = &done.errors()[0];
        assert!(!error.contains("pull request"), "{done}");
    }
}

#[test]
fn a_bare_name_is_resolved_by_the_provider() {
    let sandbox = start(twins());
    let done = github(&sandbox, "v1").run().passes();
    assert_eq!(sent(&sandbox), "v1");
    assert_eq!(kind_of_only_run(&sandbox, &done), RefKind::Branch, "{done}");

    let sandbox = start(twins());
    let done = gitlab(&sandbox, "v1")
        .run()
        .fails(&["both a branch and a tag are named `v1`"]);
    done.outcome("rejected")
        .says("hint: set `ref` to `refs/heads/v1` or `refs/tags/v1`")
        .says("(GitLab answered 400)");
    assert_eq!(sandbox.runs().len(), 0);
}

/// Providers show only the short name of a run's ref.
#[test]
fn a_run_on_a_full_ref_is_found() {
    let world = twins().scenario(Provider::GitHub, Scenario::passing(SECOND));
    let sandbox = start(world);
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let step = github(&sandbox, "refs/tags/v1").input("wait", "true");
    let done = step.run().passes();
    assert_eq!(done.result()["runs"][0]["matched_by"], "timing", "{done}");
    assert_eq!(kind_of_only_run(&sandbox, &done), RefKind::Tag, "{done}");
}

#[test]
fn a_search_for_a_full_ref_uses_the_short_name() {
    let sandbox = start(twins());
    let unclear = Fault::status(Moment::AfterActing, 502);
    sandbox.fault(Route::triggers(), Occasion::Every, unclear);
    let done = gitlab(&sandbox, "refs/tags/v1").run();
    let [run] = sandbox.runs().try_into().unwrap();
    done.says(&format!("/-/pipelines/{}", run.id));
}
