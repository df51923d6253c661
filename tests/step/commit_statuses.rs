//! `status`: each target is shown as a commit status of the calling repository.

use std::collections::BTreeSet;
use std::process::Child;
use std::time::Instant;

use sandbox::world::{Access, CommitStatus, Conclusion, JobScenario, Scenario, StatusState};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::calls::{PROVIDERS, SECOND, call, in_parallel, signal, start, trigger, until};
use crate::harness::{Done, Step};

const CALLING_RUN: &str = "/octo-org/caller/actions/runs/17";

/// The demo world, in which the caller's `GITHUB_TOKEN` may set statuses.
fn world() -> World {
    World::demo().grant(demo::GITHUB_WORKFLOW_OF_CALLER, "statuses", Access::Write)
}

fn with_scenario(provider: Provider, scenario: Scenario) -> Sandbox {
    start(world().scenario(provider, scenario))
}

fn status_requests() -> Route {
    Route::any().method("POST").path("/statuses/")
}

fn count_requests(sandbox: &Sandbox) -> usize {
    let requests = sandbox.requests();
    let about_statuses = requests
        .iter()
        .filter(|request| request.path.contains("statuses"));
    about_statuses.count()
}

fn last(sandbox: &Sandbox) -> CommitStatus {
    sandbox.statuses().pop().expect("there is a status")
}

/// Starts the step and returns once its run is going on.
fn start_and_wait_for_run(step: &Step) -> Child {
    let child = step.start();
    step.until_said(": running");
    child
}

/// Sends a signal and checks that the step ends within seven seconds: the runner kills it after ten.
fn stop(step: &Step, child: Child) -> Done {
    let signalled = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    let took = signalled.elapsed();
    assert!(took < 7 * SECOND, "{took:?}\n{done}");
    done
}

#[test]
fn a_target_is_shown_from_the_trigger_to_the_end() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let job = |name: &str| JobScenario::new(name, 3 * SECOND);
        let scenario = Scenario::new()
            .job(job("hidden-plan"))
            .job(job("hidden-test"));
        let sandbox = with_scenario(provider, scenario);
        let step = call(provider, &sandbox).input("status", "true");
        let child = step.start();
        until(&sandbox, "the run is triggered", |sandbox| {
            !sandbox.runs().is_empty()
        });
        let first = sandbox.statuses().remove(0);
        let done = step.finish(child).passes();
        assert_eq!(done.warnings(), Vec::<String>::new());

        // It was pending before the trigger, and links to the calling run until the triggered one is known.
        assert_eq!(first.state, StatusState::Pending);
        assert_eq!(first.description.as_deref(), Some("starting"));
        let calling_run = format!("{}{CALLING_RUN}", sandbox.http_url());
        assert_eq!(first.target_url, Some(calling_run));
        let all = sandbox.statuses();
        let repository = done.result()["repository"].as_str().unwrap().to_owned();
        for status in &all {
            assert_eq!(status.repository, "octo-org/caller");
            assert_eq!(status.sha, demo::GITHUB_CALLER_COMMIT);
            assert_eq!(status.context, format!("trigger-pipeline / {repository}"));
            let description = status.description.clone().unwrap();
            assert!(!description.contains("hidden"), "{description}");
        }
        let run = Some(done.outputs["run-url"].clone());
        assert!(
            all[1..].iter().all(|status| status.target_url == run),
            "{all:#?}"
        );
        let end = all.last().unwrap();
        assert_eq!(end.state, StatusState::Success);
        let description = end.description.clone().unwrap();
        assert!(description.starts_with("passed after "), "{description}");
        let pending = all
            .iter()
            .filter(|status| status.state == StatusState::Pending);
        assert_eq!(pending.count(), all.len() - 1);
        for request in sandbox.requests() {
            assert_eq!(request.objections, Vec::<String>::new());
        }
    });
}

/// How a step ends, what happens meanwhile, and the last status.
type Case = (
    &'static str,
    fn() -> Scenario,
    &'static [(&'static str, &'static str)],
    fn(&Sandbox, Provider),
    (StatusState, &'static str),
);

const CASES: [Case; 7] = [
    (
        "a run fails",
        || {
            let failing = JobScenario::new("hidden", SECOND)
                .fails_in("hidden")
                .may_fail();
            let failing = Scenario::new().job(failing);
            failing.job(JobScenario::new("hidden-too", SECOND).fails())
        },
        &[],
        |_, _| {},
        (StatusState::Failure, "failed after "),
    ),
    (
        "somebody cancels the run",
        Scenario::endless,
        &[],
        |sandbox, _| sandbox.with_world(|world| world.runs[0].complete(Conclusion::Cancelled)),
        (StatusState::Failure, "was cancelled"),
    ),
    (
        "the run needs a person",
        || {
            Scenario::new()
                .job(JobScenario::new("deploy", SECOND).needs_approval("hidden", &["octocat"]))
        },
        &[("on-blocked", "fail")],
        |_, _| {},
        (StatusState::Failure, "waits for a person"),
    ),
    (
        "the time is up",
        Scenario::endless,
        &[("timeout", "4s")],
        |_, _| {},
        (StatusState::Error, "timed out after 4s"),
    ),
    (
        "the run disappears",
        Scenario::endless,
        &[],
        |sandbox, provider| {
            let id = sandbox.runs()[0].id;
            sandbox.with_world(|world| world.delete_run(provider, id));
        },
        (StatusState::Error, "was lost"),
    ),
    (
        "a failure passes",
        || Scenario::failing(SECOND),
        &[("success-conclusions", "failure")],
        |_, _| {},
        (StatusState::Success, "passed after "),
    ),
    (
        "there is no result",
        || Scenario::passing(SECOND),
        &[("result-artifact", "build:result.json")],
        |_, _| {},
        (StatusState::Error, "passed, but the step failed"),
    ),
];

#[test]
fn the_last_status_says_how_the_target_ended() {
    let cases = PROVIDERS.map(|provider| CASES.map(|case| (provider, case)));
    let mut cases = cases.as_flattened().to_vec();
    // Bitbucket has no results.
    cases.retain(|(provider, (name, ..))| {
        *provider != Provider::Bitbucket || *name != "there is no result"
    });
    in_parallel(
        cases,
        |(provider, (name, scenario, inputs, happening, expected))| {
            let sandbox = with_scenario(provider, scenario());
            let step = call(provider, &sandbox).input("status", "true");
            let step = inputs
                .iter()
                .fold(step, |step, (name, value)| step.input(name, value));
            let child = step.start();
            step.until_said(": accepted");
            happening(&sandbox, provider);
            let done = step.finish(child);
            let end = last(&sandbox);
            let description = end.description.unwrap();
            let (state, start) = expected;
            assert_eq!(end.state, state, "{name}\n{done}");
            assert!(description.starts_with(start), "{name}: {description}");
            assert!(!description.contains("hidden"), "{description}");
            assert_eq!(
                end.target_url.as_ref(),
                Some(&done.outputs["run-url"]),
                "{name}"
            );
            assert_eq!(
                done.code == Some(0),
                state == StatusState::Success,
                "{name}\n{done}"
            );
            // A run that can't be read any more may still be running, but there is no status left to set.
            let mut saved = step.saved().into_values();
            assert!(saved.all(|text| text.contains("\"status\":null")), "{name}");
        },
    );
}

#[test]
fn a_target_that_is_not_triggered_has_an_error() {
    let sandbox = start(world());
    let calling_run = format!("{}{CALLING_RUN}", sandbox.http_url());
    let rejected = Step::github(&sandbox)
        .input("workflow", "nowhere.yml")
        .input("ref", "main");
    rejected.input("status", "true").run().outcome("rejected");
    let end = last(&sandbox);
    let shown = (
        end.state,
        end.description.as_deref(),
        end.target_url.as_ref(),
    );
    assert_eq!(
        shown,
        (
            StatusState::Error,
            Some("was not triggered"),
            Some(&calling_run)
        )
    );

    // One target can't be prepared, so the other isn't triggered either.
    let sandbox = start(world());
    let targets = json!([
        {"repository": "octo-org/app", "workflow": "build.yml", "ref": "main"},
        {"repository": "octo-org/nowhere", "workflow": "build.yml"},
    ]);
    let done = Step::github(&sandbox)
        .input("repository", "")
        .input("targets", &targets.to_string())
        .input("status", "deploy")
        .run();
    done.outcome("not-sent");
    let mut ends = sandbox.statuses();
    ends.retain(|status| status.state != StatusState::Pending);
    let ends: BTreeSet<_> = ends
        .into_iter()
        .map(|end| (end.context, end.description.unwrap()))
        .collect();
    let expected = ["app", "nowhere"].map(|name| {
        let context = format!("deploy / octo-org/{name}");
        (context, "was not triggered".to_owned())
    });
    assert_eq!(ends, BTreeSet::from(expected));

    let sandbox = start(world());
    let fault = Fault::status(Moment::BeforeActing, 502);
    sandbox.fault(Route::triggers(), Occasion::Every, fault);
    let step = trigger(Provider::GitLab, &sandbox).input("status", "true");
    step.run().outcome("unknown");
    let end = last(&sandbox);
    let description = end.description.as_deref();
    assert_eq!(end.state, StatusState::Error);
    assert_eq!(description, Some("may or may not have been triggered"));
}

/// Without `wait`, the trigger is all that there is to show.
#[test]
fn a_target_that_is_not_waited_for_was_triggered() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = trigger(provider, &sandbox).input("status", "deploy");
        let done = step.run().passes();
        let end = last(&sandbox);
        assert_eq!(end.context, "deploy");
        assert_eq!(end.state, StatusState::Success);
        assert_eq!(end.description.as_deref(), Some("was triggered"));
        assert_eq!(end.target_url.as_ref(), Some(&done.outputs["run-url"]));
    });
}

fn entry(sandbox: &Sandbox, provider: Provider, number: usize) -> Value {
    let number = number.to_string();
    let server = sandbox.http_url();
    match provider {
        Provider::GitHub => json!({
            "repository": "octo-org/app", "workflow": "build.yml", "ref": "main",
            "token": demo::GITHUB_CLASSIC, "inputs": {"version": number},
        }),
        Provider::GitLab => json!({
            "provider": "gitlab", "server-url": server, "repository": "octo-group/tools/deployer",
            "ref": "main", "token": demo::GITLAB_DEVELOPER, "variables": {"NUMBER": number},
        }),
        Provider::Bitbucket => json!({
            "provider": "bitbucket", "server-url": server, "repository": "octo-workspace/service",
            "ref": "main", "token": demo::BITBUCKET_ACCESS, "variables": {"NUMBER": number},
        }),
    }
}

/// A step with twenty targets, of each provider in turn.
fn twenty(sandbox: &Sandbox) -> Step {
    let providers = PROVIDERS.into_iter().cycle().take(20);
    let targets = providers
        .enumerate()
        .map(|(number, provider)| entry(sandbox, provider, number));
    let targets: Vec<_> = targets.collect();
    let step = Step::on(&sandbox.http_url())
        .input("targets", &Value::from(targets).to_string())
        .input("status", "true");
    let tokens = [
        demo::GITHUB_CLASSIC,
        demo::GITLAB_DEVELOPER,
        demo::BITBUCKET_ACCESS,
    ];
    tokens.into_iter().fold(step, Step::secret)
}

#[test]
fn twenty_targets_are_twenty_statuses() {
    let mut world = world();
    for provider in PROVIDERS {
        world = world.scenario(provider, Scenario::passing(SECOND));
    }
    let sandbox = start(world);
    let done = twenty(&sandbox).input("wait", "true").run().passes();
    assert_eq!(done.warnings(), Vec::<String>::new());
    let all = sandbox.statuses();
    let contexts = |state: StatusState| -> BTreeSet<_> {
        let of_state = all.iter().filter(|status| status.state == state);
        of_state.map(|status| status.context.clone()).collect()
    };
    let succeeded = contexts(StatusState::Success);
    assert_eq!(succeeded.len(), 20, "{succeeded:#?}");
    assert_eq!(contexts(StatusState::Pending), succeeded);
    assert!(succeeded.contains("trigger-pipeline / octo-org/app workflow build.yml [1]"));
    // Nothing overtakes the end.
    for context in succeeded {
        let last = all
            .iter()
            .rfind(|status| status.context == context)
            .unwrap();
        assert_eq!(last.state, StatusState::Success);
    }
    // Nothing was triggered before all of them were pending.
    let requests = sandbox.requests();
    let first_trigger = requests
        .iter()
        .position(sandbox::RecordedRequest::is_trigger)
        .unwrap();
    let pending = requests[..first_trigger].iter();
    let pending = pending
        .filter(|request| request.path.contains("/statuses/"))
        .count();
    assert_eq!(pending, 20);
}

/// GitHub keeps few statuses, and limits how often they are set.
#[test]
fn progress_is_shown_at_most_every_fifteen_seconds() {
    let jobs = (0..12).map(|number| JobScenario::new(&number.to_string(), 3 * SECOND));
    let sandbox = with_scenario(Provider::GitLab, jobs.fold(Scenario::new(), Scenario::job));
    let step = call(Provider::GitLab, &sandbox).input("status", "true");
    step.run().passes();
    let all = sandbox.statuses();
    let progress: Vec<_> = all
        .iter()
        .filter(|status| {
            status
                .description
                .as_deref()
                .is_some_and(|text| text.contains(" of 12 jobs done"))
        })
        .filter(|status| status.state == StatusState::Pending)
        .collect();
    assert!((2..=3).contains(&progress.len()), "{all:#?}");
    for pair in progress.windows(2) {
        let between = pair[1].at.duration_since(pair[0].at).unwrap();
        assert!(between >= 15 * SECOND, "{between:?}");
    }
    assert_eq!(all.last().unwrap().state, StatusState::Success);
}

#[test]
fn a_missing_permission_is_one_warning_and_nothing_else() {
    let sandbox = start(World::demo());
    let done = twenty(&sandbox).run().passes();
    assert_eq!(sandbox.trigger_requests().len(), 20);
    let warnings = done.warnings();
    assert_eq!(warnings.len(), 1, "{done}");
    for part in [
        "input `status`: the commit statuses can't be set: `GITHUB_TOKEN` lacks `statuses: write`",
        "add `statuses: write` to the job's `permissions:`",
        "a pull request from a fork",
    ] {
        assert!(warnings[0].contains(part), "{warnings:?}");
    }
    // It is reported while the targets are prepared.
    let warned = done.log.find("::warning").unwrap();
    assert!(warned < done.log.find(": accepted").unwrap(), "{done}");
    assert_eq!(sandbox.statuses(), []);

    for (status, part) in [
        (404, "doesn't exist, or the token can't access it"),
        (401, "doesn't accept the token"),
    ] {
        let sandbox = start(world());
        let fault = Fault::status(Moment::BeforeActing, status);
        sandbox.fault(status_requests(), Occasion::Every, fault);
        let done = trigger(Provider::GitLab, &sandbox)
            .input("status", "true")
            .run()
            .passes();
        let warnings = done.warnings();
        assert_eq!(warnings.len(), 1, "{done}");
        assert!(warnings[0].contains(part), "{warnings:?}");
    }
}

#[test]
fn an_unknown_commit_is_a_warning() {
    let sandbox = start(world());
    let unknown = "0123456789012345678901234567890123456789";
    let step = trigger(Provider::GitLab, &sandbox).input("status", "true");
    let done = step.input("status-commit", unknown).run().passes();
    let warnings = done.warnings();
    assert_eq!(warnings.len(), 1, "{done}");
    assert!(
        warnings[0].contains(&format!("octo-org/caller has no commit {unknown}")),
        "{warnings:?}"
    );
}

/// Neither the trigger nor the result of the step depends on the statuses.
#[test]
fn a_failing_server_costs_only_the_statuses() {
    let cases = [
        ("500", Fault::status(Moment::BeforeActing, 500)),
        ("hangs", Fault::Delay(Moment::BeforeActing, 300 * SECOND)),
        ("rate limit", Fault::github_secondary_limit(Some(300))),
    ];
    in_parallel(cases.to_vec(), |(name, fault)| {
        let sandbox = with_scenario(Provider::GitLab, Scenario::passing(SECOND));
        sandbox.fault(status_requests(), Occasion::Every, fault);
        let began = Instant::now();
        let step = call(Provider::GitLab, &sandbox).input("status", "true");
        let child = step.start();
        step.until_said("accepted");
        let triggered = began.elapsed();
        assert!(triggered < 6 * SECOND, "{name}: {triggered:?}");
        let done = step.finish(child).passes();
        let took = began.elapsed();
        assert!(took < 105 * SECOND, "{name}: {took:?}");
        assert_eq!(done.outputs["conclusion"], "success");
        let warnings = done.warnings();
        assert_eq!(warnings.len(), 1, "{done}");
        let expected = "octo-group/tools/deployer: the commit status can't be set: ";
        assert!(warnings[0].contains(expected), "{warnings:?}");
    });
}

#[test]
fn a_status_is_set_after_temporary_failures() {
    let faults = [
        Fault::status(Moment::BeforeActing, 502),
        Fault::Reset(Moment::BeforeActing),
        Fault::Close(Moment::AfterActing),
        Fault::github_secondary_limit(Some(2)),
    ];
    in_parallel(faults.to_vec(), |fault| {
        let sandbox = with_scenario(Provider::GitLab, Scenario::passing(SECOND));
        sandbox.fault(status_requests(), Occasion::First(2), fault);
        let step = call(Provider::GitLab, &sandbox).input("status", "true");
        let done = step.run().passes();
        assert_eq!(done.warnings(), Vec::<String>::new());
        assert_eq!(last(&sandbox).state, StatusState::Success, "{done}");
    });
}

#[test]
fn a_stopped_step_has_an_error() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = call(provider, &sandbox).input("status", "true");
        let child = start_and_wait_for_run(&step);
        let done = stop(&step, child);
        assert!(sandbox.runs()[0].cancelled, "{done}");
        let end = last(&sandbox);
        assert_eq!(end.state, StatusState::Error);
        let description = end.description.unwrap();
        assert!(description.starts_with("was cancelled"), "{description}");
        assert_eq!(end.target_url, Some(done.outputs["run-url"].clone()));
        assert_eq!(step.saved().len(), 0);
        step.second_chance().run().passes().says("nothing to do");
    });
}

/// The cancel goes out at once, and the second process sets what the first one couldn't.
#[test]
fn a_stop_waits_for_no_server_and_the_second_chance_sets_the_status() {
    let hanging = Fault::Delay(Moment::BeforeActing, 60 * SECOND);
    for fault in [hanging, Fault::status(Moment::BeforeActing, 500)] {
        in_parallel(PROVIDERS.to_vec(), |provider| {
            let sandbox = with_scenario(provider, Scenario::endless());
            let step = call(provider, &sandbox).input("status", "true");
            let child = start_and_wait_for_run(&step);
            sandbox.fault(status_requests(), Occasion::Every, fault.clone());
            let done = stop(&step, child);
            assert!(sandbox.runs()[0].cancelled, "{done}");
            assert_ne!(last(&sandbox).state, StatusState::Error);
            assert_eq!(step.saved().len(), 1, "{done}");
            sandbox.clear_faults();
            let second = step.second_chance().run().passes();
            let end = last(&sandbox);
            assert_eq!(end.state, StatusState::Error, "{second}");
            assert!(end.description.unwrap().starts_with("was cancelled"));
            assert_eq!(end.target_url, Some(done.outputs["run-url"].clone()));
            assert_eq!(second.warnings(), Vec::<String>::new());
        });
    }
}

/// The second process cancels the run of a process that was killed, and says so on the commit.
#[test]
fn the_second_chance_ends_the_statuses_of_a_killed_process() {
    let cases = PROVIDERS.map(|provider| [(provider, true), (provider, false)]);
    in_parallel(cases.as_flattened().to_vec(), |(provider, waits)| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let step = if waits {
            call(provider, &sandbox).input("status", "true")
        } else {
            // Its run is not cancelled, but its status must not stay pending.
            call(provider, &sandbox)
                .input("status", "true")
                .input("on-abandoned", "leave")
        };
        let mut child = start_and_wait_for_run(&step);
        let run = last(&sandbox).target_url;
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        assert_eq!(last(&sandbox).state, StatusState::Pending);
        let second = step.second_chance().run().passes();
        assert_eq!(sandbox.runs()[0].cancelled, waits, "{second}");
        let end = last(&sandbox);
        let expected = if waits {
            "was cancelled"
        } else {
            "was not finished when the step was stopped"
        };
        assert_eq!(
            (end.state, end.target_url),
            (StatusState::Error, run),
            "{second}"
        );
        assert!(end.description.unwrap().starts_with(expected), "{second}");
    });
}

/// The run ended by itself before the second process could cancel it.
#[test]
fn the_second_chance_shows_a_run_that_passed() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::passing(5 * SECOND));
    let step = call(Provider::GitLab, &sandbox).input("status", "true");
    let mut child = start_and_wait_for_run(&step);
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    std::thread::sleep(6 * SECOND);
    step.second_chance().run().passes();
    assert_eq!(last(&sandbox).state, StatusState::Success);
}

#[test]
fn nothing_is_set_without_status_or_in_a_dry_run() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let step = call(provider, &sandbox).input("status", "false");
        step.run().passes();
        assert_eq!(count_requests(&sandbox), 0);
        let step = call(provider, &sandbox).input("status", "true");
        let done = step.input("dry-run", "true").run().passes();
        done.says(": would set the commit status \"trigger-pipeline / octo-");
        assert_eq!(count_requests(&sandbox), 0);
    });
}

/// GitHub ignores the case of contexts, and masks nothing in them.
#[test]
fn contexts_differ_and_show_no_secret() {
    let sandbox = start(world());
    let targets = json!([
        {"repository": "octo-org/app", "workflow": "build.yml"},
        {"repository": "octo-org/APP", "workflow": "build.yml"},
        {"repository": "octo-org/private", "workflow": "deploy.yml"},
        {
            "provider": "gitlab", "server-url": sandbox.http_url(), "repository": "octo-group/tools/deployer",
            "token": demo::GITLAB_DEVELOPER, "secret-variables": {"WHERE": "private"},
        },
    ]);
    let done = Step::github(&sandbox)
        .input("repository", "")
        .input("ref", "main")
        .input("targets", &targets.to_string())
        .input("status", "deploy")
        .secret(demo::GITLAB_DEVELOPER)
        .run()
        .passes();
    let contexts: BTreeSet<_> = sandbox
        .statuses()
        .into_iter()
        .map(|status| status.context)
        .collect();
    let expected = [
        "deploy / octo-org/app",
        "deploy / octo-org/APP [2]",
        "deploy / octo-org/***",
        "deploy / octo-group/tools/deployer",
    ];
    let expected: BTreeSet<_> = expected.map(str::to_owned).into();
    assert_eq!(contexts, expected, "{done}");
}

#[test]
fn a_status_that_cannot_be_set_is_refused_before_anything_is_sent() {
    let sandbox = start(world());
    let refused = |step: Step, error: &str| {
        let done = step.run().fails(&[error]);
        done.outcome("not-sent");
        assert_eq!(sandbox.requests().len(), 0);
    };
    let step = || trigger(Provider::GitLab, &sandbox).input("status", "true");
    refused(
        step().input("github-token", ""),
        "input `status`: needs `github-token`, which is empty\nhint: remove `github-token` from `with:`",
    );
    refused(
        step().input("status-commit", "main"),
        "input `status-commit`: must be a full commit hash of 40 hexadecimal digits, not `main`\nhint: leave `status-commit` out",
    );
    refused(
        step().input("status-commit", ""),
        "input `status-commit`: is empty\nhint: leave `status-commit` out",
    );
    refused(
        step().without("GITHUB_REPOSITORY"),
        "input `status`: only works in a job on GitHub: it sets statuses of the job's own commit\nhint: remove `status`",
    );
    refused(
        step().environment("GITEA_ACTIONS", "true"),
        "input `status`: only works on GitHub: this workflow runs on Gitea, whose API isn't GitHub's\nhint: remove `status`",
    );
    refused(
        step().input("status", "two\nlines"),
        "input `status`: contains a line break or another control character\nhint: use `true`, or a short name",
    );
    refused(
        step().input("status", &"x".repeat(101)),
        "input `status`: has 101 characters, but a name may have at most 100\nhint: use `true`, or a short name",
    );
    let entry = json!([{"repository": "octo-group/tools/deployer", "status": "true"}]);
    refused(
        step()
            .input("repository", "")
            .input("targets", &entry.to_string()),
        "octo-group/tools/deployer (entry 1): `status` applies to the whole step",
    );
}
