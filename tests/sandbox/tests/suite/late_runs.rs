//! Delays in the APIs: runs that appear late in lists or reads, GitHub's lagging search index for filtered lists, and
//! conclusions that appear after the end.

use std::thread;
use std::time::Duration;

use sandbox::world::{Conclusion, Scenario};
use sandbox::{Provider, Run, Sandbox, World};
use serde_json::Value;

use crate::scenarios::{BITBUCKET, GITHUB, GITLAB, SECOND, get, read, start, trigger};

/// 10 s of the world's time pass in 100 ms.
const SPEED: u32 = 100;

const PROVIDERS: [Provider; 3] = [Provider::GitHub, Provider::GitLab, Provider::Bitbucket];

fn listed(sandbox: &Sandbox, provider: Provider, query: &str) -> usize {
    let (path, runs) = match provider {
        Provider::GitHub => (format!("{GITHUB}/runs"), "/workflow_runs"),
        Provider::GitLab => (format!("{GITLAB}/pipelines"), ""),
        Provider::Bitbucket => (BITBUCKET.to_owned(), "/values"),
    };
    let list = read(sandbox, &format!("{path}?{query}"));
    let runs = list.pointer(runs).and_then(Value::as_array);
    runs.expect("a list").len()
}

fn page(provider: Provider, id: u64) -> String {
    match provider {
        Provider::GitHub => format!("{GITHUB}/runs/{id}"),
        Provider::GitLab => format!("{GITLAB}/pipelines/{id}"),
        Provider::Bitbucket => format!("{BITBUCKET}/{id}"),
    }
}

fn wait(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds) / SPEED);
}

/// Compares the number of listed runs and the status of a read, first at once and then later.
#[test]
fn lists_and_reads_can_be_delayed_independently() {
    let late = 100 * SECOND;
    let cases = [
        (Scenario::endless().listed_after(late), (0, 200)),
        (Scenario::endless().readable_after(late), (1, 404)),
    ];
    for ((scenario, at_first), provider) in
        cases.iter().flat_map(|case| PROVIDERS.map(|p| (case, p)))
    {
        let world = World::demo().faster(SPEED);
        let sandbox = start(world.scenario(provider, scenario.clone()));
        let id = trigger(&sandbox, provider);
        let shown = || {
            let status = get(&sandbox, &page(provider, id)).send().status;
            (listed(&sandbox, provider, ""), status)
        };
        assert_eq!(shown(), *at_first, "{provider}");
        wait(110);
        assert_eq!(shown(), (1, 200), "{provider}");
    }
}

#[test]
fn filtered_lists_of_github_lag_and_the_others_do_not() {
    let mut world = World::demo().faster(SPEED);
    world.github.search_lag = 100 * SECOND;
    let sandbox = start(world);
    trigger(&sandbox, Provider::GitHub);
    let filters = [
        "event=workflow_dispatch",
        "branch=main",
        "actor=octocat",
        "status=queued",
        "created=%3E%3D2020-01-01",
    ];
    for filter in filters {
        assert_eq!(listed(&sandbox, Provider::GitHub, filter), 0, "{filter}");
    }
    assert_eq!(listed(&sandbox, Provider::GitHub, "per_page=100"), 1);
    wait(110);
    for filter in filters {
        assert_eq!(listed(&sandbox, Provider::GitHub, filter), 1, "{filter}");
    }
}

#[test]
fn a_conclusion_can_come_after_the_end() {
    let scenario = Scenario::passing(SECOND).concluded_after(100 * SECOND);
    let world = World::demo()
        .faster(SPEED)
        .scenario(Provider::GitHub, scenario);
    let sandbox = start(world);
    let id = trigger(&sandbox, Provider::GitHub);
    wait(20);
    let run = read(&sandbox, &page(Provider::GitHub, id));
    assert_eq!(run["status"], "completed");
    assert_eq!(run["conclusion"], Value::Null);
    assert_eq!(
        sandbox.runs()[0].conclusion,
        Some(Conclusion::Success),
        "the world already has it"
    );
    wait(100);
    let run = read(&sandbox, &page(Provider::GitHub, id));
    assert_eq!(run["conclusion"], "success");
}

#[test]
fn lists_show_the_trigger_of_a_run() {
    let sandbox = start(World::demo());
    let repository = "octo-workspace/service";
    for event in ["push", "schedule", "manual"] {
        let run = Run::new(Provider::Bitbucket, repository, "default", event);
        sandbox.with_world(|world| world.start_as("octavia", run));
    }
    let list = read(&sandbox, BITBUCKET);
    let triggers: Vec<_> = (0..3)
        .map(|index| {
            let run = &list["values"][index];
            assert_eq!(run["creator"]["nickname"], "octavia");
            run["trigger"]["type"].as_str().unwrap()
        })
        .collect();
    let kinds = ["push", "schedule", "manual"];
    assert_eq!(
        triggers,
        kinds.map(|kind| format!("pipeline_trigger_{kind}"))
    );

    let project = "octo-group/tools/deployer";
    let push = Run::new(Provider::GitLab, project, ".gitlab-ci.yml", "push");
    sandbox.with_world(|world| world.start_as("octavia", push));
    let pushed = format!("{GITLAB}/pipelines?source=push");
    assert_eq!(read(&sandbox, &pushed)[0]["source"], "push");
    assert_eq!(listed(&sandbox, Provider::GitLab, "source=api"), 0);
}

/// Accepted, yet shown as it was: what a client reads at once isn't the end of the re-run.
#[test]
fn a_re_run_can_be_shown_late() {
    let late = 100 * SECOND;
    for (provider, rerun, ended) in [
        (Provider::GitHub, "rerun-failed-jobs", "completed"),
        (Provider::GitLab, "retry", "failed"),
    ] {
        let scenario = Scenario::new().concludes(Conclusion::Failure);
        let scenario = scenario
            .rerun_shown_after(late)
            .on_rerun(Scenario::endless());
        let world = World::demo().faster(SPEED).scenario(provider, scenario);
        let sandbox = start(world);
        let id = trigger(&sandbox, provider);
        let page = page(provider, id);
        let post = get(&sandbox, &format!("{page}/{rerun}")).method("POST");
        assert_eq!(post.send().status, 201, "{provider}");
        let status = || read(&sandbox, &page)["status"].clone();
        assert_eq!(status(), ended, "{provider}");
        let query = format!("status={ended}");
        assert_eq!(listed(&sandbox, provider, &query), 1, "{provider}");
        if provider == Provider::GitHub {
            let next = get(&sandbox, &format!("{page}/attempts/2")).send();
            assert_eq!(next.status, 404);
            // It has begun all the same.
            assert_eq!(post.send().status, 403);
        }
        wait(110);
        let running = if provider == Provider::GitHub {
            "in_progress"
        } else {
            "running"
        };
        assert_eq!(status(), running, "{provider}");
    }
}
