//! Many targets in one step: the order of requests, what the targets share, how a failure of one affects the others,
//! and how they are reported.

use std::collections::HashSet;
use std::time::Instant;
use std::{fs, thread};

use sandbox::world::{JobScenario, RunDetails, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, RecordedRequest, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::calls::{PROVIDERS, SECOND, in_parallel, own_runs, signal, start, until, with_scenario};
use crate::harness::{Done, Step, sandbox};

fn github(repository: &str, workflow: &str) -> Value {
    json!({"repository": repository, "workflow": workflow, "ref": "main", "token": demo::GITHUB_CLASSIC})
}

fn gitlab(sandbox: &Sandbox) -> Value {
    json!({
        "provider": "gitlab", "server-url": sandbox.http_url(), "repository": "octo-group/tools/deployer",
        "ref": "main", "token": demo::GITLAB_DEVELOPER,
    })
}

fn bitbucket(sandbox: &Sandbox) -> Value {
    json!({
        "provider": "bitbucket", "server-url": sandbox.http_url(), "repository": "octo-workspace/service",
        "ref": "main", "token": demo::BITBUCKET_ACCESS,
    })
}

/// One target of each provider, in the order of [`PROVIDERS`].
fn one_of_each(sandbox: &Sandbox) -> Vec<Value> {
    vec![
        github("octo-org/app", "build.yml"),
        gitlab(sandbox),
        bitbucket(sandbox),
    ]
}

fn with(target: &Value, key: &str, value: impl Into<Value>) -> Value {
    let mut target = target.clone();
    target[key] = value.into();
    target
}

fn step_with(sandbox: &Sandbox, targets: &[Value]) -> Step {
    let step = Step::on(&sandbox.http_url()).input("targets", &Value::from(targets).to_string());
    [
        demo::GITHUB_CLASSIC,
        demo::GITLAB_DEVELOPER,
        demo::BITBUCKET_ACCESS,
    ]
    .into_iter()
    .fold(step, Step::secret)
}

fn outcomes(done: &Done) -> Vec<String> {
    let results = done.results();
    let outcomes = results.iter().map(|entry| entry["outcome"].as_str());
    outcomes.flatten().map(str::to_owned).collect()
}

fn requests(sandbox: &Sandbox, method: &str, part: &str) -> Vec<RecordedRequest> {
    let mut requests = sandbox.requests();
    requests.retain(|request| request.method == method && request.path.contains(part));
    requests
}

#[test]
fn no_trigger_is_sent_until_all_runs_are_known_to_be_readable() {
    let sandbox = sandbox();
    let mut targets = one_of_each(&sandbox);
    targets.push(with(
        &github("octo-org/app", "strict.yml"),
        "repository",
        "octo-org/missing",
    ));
    let done = step_with(&sandbox, &targets)
        .input("wait", "true")
        .run()
        .fails(&[
            "octo-org/missing: not triggered: octo-org/missing: ",
            "3 targets: not triggered: octo-org/app, octo-group/tools/deployer, octo-workspace/service: not triggered because another target has an error",
        ]);
    assert_eq!(outcomes(&done), ["not-sent"; 4]);
    done.outcome("not-sent");
    assert_eq!(sandbox.trigger_requests().len(), 0, "{done}");
}

#[test]
fn all_reads_come_before_the_first_trigger() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let targets = [
        github("octo-org/app", "build.yml"),
        github("octo-org/private", "deploy.yml"),
    ];
    let done = step_with(&sandbox, &targets)
        .input("wait", "true")
        .run()
        .passes();
    let reads = requests(&sandbox, "GET", "/actions/runs");
    let first = sandbox.trigger_requests()[0].order;
    let before = reads.iter().filter(|read| read.order < first).count();
    assert_eq!(before, 2, "{done}");
}

#[test]
fn max_parallel_limits_the_triggers_in_flight() {
    in_parallel(vec![1, 3], |limit: usize| {
        let sandbox = sandbox();
        let slow = Fault::Delay(Moment::BeforeActing, 4 * SECOND);
        sandbox.fault(Route::triggers(), Occasion::First(limit), slow);
        let target = github("octo-org/app", "build.yml");
        let targets: Vec<_> = (0..5)
            .map(|number| with(&target, "inputs", json!({"version": number.to_string()})))
            .collect();
        let step = step_with(&sandbox, &targets).input("max-parallel", &limit.to_string());
        let child = step.start();
        until(&sandbox, "all lanes are taken", |sandbox| {
            sandbox.trigger_requests().len() == limit
        });
        // Longer than a fast request takes, shorter than the slow ones.
        thread::sleep(SECOND);
        assert_eq!(sandbox.trigger_requests().len(), limit);
        step.finish(child).passes();
        assert_eq!(sandbox.runs().len(), 5);
    });
}

#[test]
fn fail_fast_sends_no_more_triggers_and_waits_for_started_runs() {
    let world = World::demo().scenario(Provider::GitHub, Scenario::passing(2 * SECOND));
    let sandbox = start(world.scenario(Provider::GitLab, Scenario::passing(2 * SECOND)));
    let target = github("octo-org/app", "build.yml");
    let targets = [
        target.clone(),
        github("octo-org/app", "missing.yml"),
        gitlab(&sandbox),
        with(&target, "ref", "release"),
    ];
    let step = step_with(&sandbox, &targets)
        .input("wait", "true")
        .input("max-parallel", "1");
    let done = step.input("fail-fast", "true").run().fails(&[
        "octo-org/app workflow missing.yml: not triggered: octo-org/app workflow missing.yml: the repository has no workflow `missing.yml`",
        "2 targets: not triggered: octo-group/tools/deployer, octo-org/app workflow build.yml [4]: not triggered because another target failed and `fail-fast` is on",
    ]);
    assert_eq!(
        outcomes(&done),
        ["accepted", "rejected", "not-sent", "not-sent"]
    );
    assert_eq!(done.results()[0]["conclusion"], "success");
    done.outcome("rejected");
    assert_eq!(sandbox.runs().len(), 1, "{done}");

    let step = step_with(&sandbox, &targets).input("max-parallel", "1");
    let done = step.run();
    assert_eq!(
        outcomes(&done),
        ["accepted", "rejected", "accepted", "accepted"]
    );
    assert_eq!(done.code, Some(1));
}

#[test]
fn a_rate_limit_pauses_only_targets_with_the_same_credential() {
    let sandbox = sandbox();
    let limit = Fault::github_secondary_limit(Some(3));
    let route = Route::triggers().provider(Provider::GitHub);
    sandbox.fault(route, Occasion::Nth(1), limit);
    let target = github("octo-org/app", "build.yml");
    let targets = [
        target.clone(),
        with(&target, "inputs", json!({"version": "2"})),
        with(&target, "token", demo::GITHUB_FINE_GRAINED),
        gitlab(&sandbox),
    ];
    let done = step_with(&sandbox, &targets)
        .secret(demo::GITHUB_FINE_GRAINED)
        .input("max-parallel", "1")
        .run()
        .passes();
    assert_eq!(outcomes(&done), ["accepted"; 4]);
    assert_eq!(sandbox.runs().len(), 4);
    let triggers = sandbox.trigger_requests();
    let token = |request: &RecordedRequest| {
        let header = request.headers.get("authorization");
        header.is_some_and(|header| header.contains(demo::GITHUB_CLASSIC))
    };
    let whose: Vec<_> = triggers.iter().map(token).collect();
    assert_eq!(whose, [true, false, false, true, true], "{done}");
    let waited = triggers[3]
        .arrived_at
        .duration_since(triggers[0].arrived_at);
    assert!(waited.unwrap() >= 3 * SECOND, "{done}");
    done.says(": too many requests");
}

#[test]
fn reads_before_the_trigger_are_shared_by_all_targets() {
    for provider in PROVIDERS {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let target = &one_of_each(&sandbox)[provider as usize];
        let targets: Vec<_> = (0..5)
            .map(|_| {
                let mut target = target.clone();
                target.as_object_mut().unwrap().remove("ref");
                target
            })
            .collect();
        // Counts the requests made before the first run can be polled.
        let done = step_with(&sandbox, &targets)
            .input("wait", "true")
            .input("timeout", "90s")
            .run();
        let first = sandbox.trigger_requests()[0].order;
        let reads = requests(&sandbox, "GET", "");
        let before = reads.iter().filter(|read| read.order < first).count();
        // The default branch, and the list of runs. GitLab says only in a request of its own when the token expires.
        let expected = if provider == Provider::GitLab { 3 } else { 2 };
        assert_eq!(before, expected, "{provider}\n{done}");
        assert_eq!(sandbox.runs().len(), 5, "{done}");
    }
}

#[test]
fn an_app_signs_in_once_for_each_set_of_permissions() {
    let sandbox = sandbox();
    let app = |target: Value| {
        let target = with(&target, "client-id", demo::GITHUB_APP_CLIENT_ID);
        let mut target = with(&target, "private-key", demo::GITHUB_APP_PRIVATE_KEY);
        target.as_object_mut().unwrap().remove("token");
        target
    };
    let dispatch = json!({"repository": "octo-org/app", "event-type": "deploy"});
    let targets = [
        app(github("octo-org/app", "build.yml")),
        app(github("octo-org/private", "deploy.yml")),
        app(dispatch),
    ];
    let done = step_with(&sandbox, &targets).run().passes();
    assert_eq!(outcomes(&done), ["accepted"; 3]);
    let minted = requests(&sandbox, "POST", "/access_tokens");
    let mut bodies: Vec<_> = minted.iter().filter_map(RecordedRequest::json).collect();
    bodies.sort_by_key(|body| body["repositories"].as_array().map(Vec::len));
    assert_eq!(
        bodies,
        [
            json!({"repositories": ["app"], "permissions": {"contents": "write"}}),
            json!({"repositories": ["app", "private"], "permissions": {"actions": "write"}}),
        ],
        "{done}"
    );
}

/// A trigger may have to wait for longer than a token is valid.
#[test]
fn an_apps_token_is_renewed_before_a_trigger_that_had_to_wait() {
    let sandbox = sandbox();
    sandbox.with_world(|world| world.github.token_lifetime = 2 * SECOND);
    let limit = Fault::github_secondary_limit(Some(4));
    sandbox.fault(Route::triggers(), Occasion::Nth(1), limit);
    let targets = ["1", "2", "3"].map(|version| json!({"inputs": {"version": version}}));
    let done = step_with(&sandbox, &targets)
        .input("repository", "octo-org/app")
        .input("workflow", "build.yml")
        .input("ref", "main")
        .signed_in_as_app()
        .input("max-parallel", "1")
        .run()
        .passes();
    assert_eq!(outcomes(&done), ["accepted"; 3]);
    assert_eq!(sandbox.runs().len(), 3);
    assert_eq!(sandbox.trigger_requests().len(), 4, "{done}");
}

#[test]
fn an_app_that_is_not_installed_everywhere_names_the_repository() {
    let sandbox = sandbox();
    let app = |repository: &str| {
        json!({
            "repository": repository, "workflow": "build.yml", "ref": "main",
            "client-id": demo::GITHUB_APP_CLIENT_ID, "private-key": demo::GITHUB_APP_PRIVATE_KEY,
        })
    };
    let targets = [
        app("octo-org/app"),
        app("octo-org/caller"),
        app("octo-org/private"),
    ];
    let done = step_with(&sandbox, &targets).run();
    let errors = done.errors();
    assert_eq!(errors.len(), 1, "{done}");
    assert!(
        errors[0].contains("3 targets: not triggered")
            && errors[0]
                .contains("isn't installed on octo-org/caller, or the repository doesn't exist"),
        "{done}"
    );
    assert_eq!(sandbox.trigger_requests().len(), 0);
}

/// On Bitbucket, all targets of one credential together send one poll every five seconds.
#[test]
fn polls_with_the_same_credential_are_spaced_out() {
    let sandbox = with_scenario(Provider::Bitbucket, Scenario::passing(SECOND));
    let targets = [
        bitbucket(&sandbox),
        bitbucket(&sandbox),
        bitbucket(&sandbox),
    ];
    let done = step_with(&sandbox, &targets)
        .input("wait", "true")
        .run()
        .passes();
    let mut firsts: Vec<RecordedRequest> = Vec::new();
    for look in requests(&sandbox, "GET", "/pipelines/%7B") {
        let is_first = |first: &RecordedRequest| !look.path.starts_with(&first.path);
        if firsts.iter().all(is_first) {
            firsts.push(look);
        }
    }
    assert_eq!(firsts.len(), 3, "{done}");
    for pair in firsts.windows(2) {
        let apart = pair[1].arrived_at.duration_since(pair[0].arrived_at);
        assert!(apart.unwrap() >= 4 * SECOND, "{done}");
    }
}

/// One target names the project, the other gives its id. A run known by its id belongs to that target only.
#[test]
fn a_project_is_the_same_by_name_and_by_id() {
    let sandbox = sandbox();
    let reset = Fault::Reset(Moment::BeforeActing);
    sandbox.fault(Route::triggers(), Occasion::Nth(1), reset);
    let by_id = with(
        &gitlab(&sandbox),
        "repository",
        demo::GITLAB_PROJECT_ID.to_string(),
    );
    let done = step_with(&sandbox, &[gitlab(&sandbox), by_id])
        .input("max-parallel", "1")
        .run();
    assert_eq!(outcomes(&done), ["unknown", "accepted"], "{done}");
    assert_eq!(sandbox.runs().len(), 1);
}

/// A run that is known to be another target's is no candidate, even if it looks the same.
#[test]
fn an_unanswered_trigger_does_not_claim_another_targets_run() {
    let sandbox = sandbox();
    let reset = Fault::Reset(Moment::AfterActing);
    sandbox.fault(Route::triggers(), Occasion::Nth(1), reset);
    let targets = [gitlab(&sandbox), gitlab(&sandbox), gitlab(&sandbox)];
    let done = step_with(&sandbox, &targets).run();
    let done = done.fails(&["This run might be the one: http"]);
    let (unknown, accepted): (Vec<_>, Vec<_>) = done
        .results()
        .into_iter()
        .partition(|entry| entry["outcome"] == "unknown");
    assert_eq!((unknown.len(), accepted.len()), (1, 2), "{done}");
    // The runs of the others are known, so only its own is left.
    let error = unknown[0]["error"].as_str().unwrap_or_default();
    for run in sandbox.runs() {
        let is_known = accepted
            .iter()
            .any(|entry| entry["runs"][0]["id"] == *run.id.to_string());
        let is_named = error.contains(&format!("/pipelines/{}", run.id));
        assert!(is_known != is_named, "{done}");
    }
    assert_eq!(sandbox.runs().len(), 3);
}

#[test]
fn runs_of_indistinguishable_targets_are_not_guessed() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let target = github("octo-org/app", "build.yml");
    let done = step_with(&sandbox, &[target.clone(), target])
        .input("wait", "true")
        .input("timeout", "30s")
        .run();
    assert_eq!(done.code, Some(1), "{done}");
    assert_eq!(outcomes(&done), ["accepted"; 2]);
    for entry in done.results() {
        assert_eq!(entry["runs"], json!([]), "{done}");
        let left = entry["left_running"].as_str().unwrap_or_default();
        assert!(
            left.contains("these runs might belong to this step, but weren't cancelled"),
            "{done}"
        );
    }
    assert_eq!(sandbox.runs().len(), 2);
}

#[test]
fn each_target_has_a_group_and_all_have_one_diagram() {
    let sandbox = start(
        World::demo()
            .scenario(Provider::GitHub, Scenario::failing(2 * SECOND))
            .scenario(Provider::GitLab, Scenario::passing(2 * SECOND))
            .scenario(Provider::Bitbucket, Scenario::passing(2 * SECOND)),
    );
    let done = step_with(&sandbox, &one_of_each(&sandbox))
        .input("wait", "true")
        .run();
    assert_eq!(done.code, Some(1), "{done}");
    let groups: Vec<_> = done
        .log
        .lines()
        .filter_map(|line| line.strip_prefix("::group::"))
        .collect();
    let group = |start: &str, part: &str| {
        let mut groups = groups.iter();
        assert!(
            groups.any(|group| group.starts_with(start) && group.contains(part)),
            "{start:?} {part:?}\n{done}"
        );
    };
    group(
        "✗ octo-org/app build.yml #1 failed after ",
        "/actions/runs/9",
    );
    group("octo-org/app: the end of the log of job ", "");
    group(
        "✓ octo-group/tools/deployer pipeline #1 succeeded after ",
        "/-/pipelines/7",
    );
    group("✓ octo-workspace/service pipeline #1 succeeded after ", "");
    assert_eq!(done.log.matches("::endgroup::").count(), groups.len());
    // The run's URL survives whatever happens next.
    let accepted = done
        .log
        .find("octo-org/app: accepted, run 9000000")
        .unwrap();
    assert!(accepted < done.log.find("::group::").unwrap(), "{done}");
    assert_eq!(done.summary.matches("```mermaid").count(), 1, "{done}");
    assert_eq!(done.summary.matches("    section ").count(), 3, "{done}");
    assert_eq!(done.outputs["conclusion"], "failure");
    let first = &done.results()[0]["runs"][0];
    assert_eq!(done.outputs["run-url"], first["url"].as_str().unwrap());
}

/// Returns the lines of the log's group with this title, title included.
fn group_lines<'a>(done: &'a Done, title: &str) -> Vec<&'a str> {
    let start = format!("::group::{title}");
    let lines = done
        .log
        .lines()
        .skip_while(|line| !line.starts_with(&start));
    lines.take_while(|line| *line != "::endgroup::").collect()
}

/// The title of a group says how the target ended, and what was logged right above it is still in sight.
#[test]
fn a_group_says_nothing_twice() {
    let sandbox = start(
        World::demo()
            .scenario(Provider::GitHub, Scenario::failing(2 * SECOND))
            .scenario(Provider::GitLab, Scenario::passing(SECOND))
            .scenario(Provider::Bitbucket, Scenario::endless()),
    );
    let mut targets = one_of_each(&sandbox);
    targets.push(github("octo-org/app", "missing.yml"));
    let done = step_with(&sandbox, &targets)
        .input("wait", "true")
        .input("timeout", "7s")
        .run();
    let failed = group_lines(&done, "✗ octo-org/app workflow build.yml #1 failed after ");
    assert!(failed[0].contains(" in job "), "{done}");
    assert!(failed.len() > 3, "it shows what happened: {done}");
    let passed = group_lines(
        &done,
        "✓ octo-group/tools/deployer pipeline #1 succeeded after ",
    );
    let late = group_lines(
        &done,
        "✗ octo-workspace/service pipeline #1 was still running after 7s",
    );
    for (group, said) in [
        (&failed, " failed after "),
        (&passed, "succeeded after "),
        (&late, "was still running"),
    ] {
        let times = group.iter().filter(|line| line.contains(said)).count();
        assert_eq!(times, 1, "{said}\n{done}");
    }
    assert!(
        late.contains(&"hint: increase `timeout` if it needs more time"),
        "{done}"
    );
    let refused = group_lines(
        &done,
        "✗ octo-org/app workflow missing.yml: the repository has no workflow `missing.yml`",
    );
    let times = refused
        .iter()
        .filter(|line| line.contains("has no workflow"))
        .count();
    assert_eq!(times, 1, "{done}");
    assert!(
        refused.iter().any(|line| line.starts_with("hint: ")),
        "{done}"
    );
}

/// Nothing happened to those targets, so one line says so of all of them.
#[test]
fn targets_that_another_ones_error_holds_back_have_no_groups() {
    let sandbox = sandbox();
    let target = github("octo-org/app", "build.yml");
    let mut targets: Vec<_> = (0..9)
        .map(|number| with(&target, "inputs", json!({"version": number.to_string()})))
        .collect();
    targets.push(with(&target, "repository", "octo-org/missing"));
    let done = step_with(&sandbox, &targets)
        .input("wait", "true")
        .run()
        .fails(&[
            "octo-org/missing: the repository doesn't exist",
            "9 targets: not triggered: octo-org/app workflow build.yml [1], ",
        ]);
    assert_eq!(done.log.matches("::group::").count(), 1, "{done}");
    assert_eq!(
        done.log.matches("another target has an error").count(),
        1,
        "{done}"
    );
    assert_eq!(outcomes(&done), ["not-sent"; 10]);
    for entry in &done.results()[..9] {
        let why = entry["error"].as_str().unwrap_or_default();
        assert!(why.contains("another target has an error"), "{done}");
    }
}

#[test]
fn a_signal_cancels_all_own_runs_and_sends_no_more_triggers() {
    let sandbox = start(PROVIDERS.iter().fold(World::demo(), |world, provider| {
        world.scenario(*provider, Scenario::endless())
    }));
    let slow = Fault::Delay(Moment::BeforeActing, 30 * SECOND);
    sandbox.fault(Route::triggers(), Occasion::Nth(6), slow);
    let mut targets = one_of_each(&sandbox);
    targets.extend(one_of_each(&sandbox));
    targets.extend(one_of_each(&sandbox));
    let step = step_with(&sandbox, &targets)
        .input("wait", "true")
        .input("max-parallel", "1");
    let child = step.start();
    until(&sandbox, "the sixth is on the wire", |sandbox| {
        sandbox.trigger_requests().len() == 6
    });
    let signalled = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(signalled.elapsed() < 5 * SECOND, "{done}");
    assert_eq!(
        outcomes(&done),
        [
            "accepted", "accepted", "accepted", "accepted", "accepted", "unknown", "not-sent",
            "not-sent", "not-sent"
        ],
        "{done}"
    );
    assert_eq!(own_runs(&sandbox).len(), 5);
    assert!(sandbox.runs().iter().all(|run| run.cancelled), "{done}");
    assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
}

/// After a kill, the outputs are those of the first target that has a run, wherever it is in the list.
#[test]
fn a_reported_run_survives_a_kill() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let without_listener = json!({
        "repository": "octo-org/app", "event-type": "nobody-listens", "token": demo::GITHUB_CLASSIC,
    });
    let named = github("octo-org/app", "build.yml");
    for targets in [[&without_listener, &named], [&named, &without_listener]] {
        let before = sandbox.runs().len();
        let targets = targets.map(Clone::clone);
        let step = step_with(&sandbox, &targets)
            .input("wait", "true")
            .input("max-parallel", "1");
        let mut child = step.start();
        step.until_said("accepted; looking for the run");
        step.until_said("accepted, run ");
        signal(&child, "KILL");
        child.wait().unwrap();
        let written = fs::read_to_string(step.output_file()).unwrap();
        // The last of several entries counts.
        let (_, last) = written.rsplit_once("run-id<<").unwrap();
        let id = last.lines().nth(1);
        let started = sandbox.runs()[before].id.to_string();
        assert_eq!(id, Some(started.as_str()), "{written}");
    }
}

#[test]
fn a_signal_before_the_first_trigger_is_reported_once() {
    let sandbox = sandbox();
    let slow = Fault::Delay(Moment::BeforeActing, 30 * SECOND);
    sandbox.fault(Route::any().path("/actions/runs"), Occasion::Every, slow);
    let targets = one_of_each(&sandbox);
    let step = step_with(&sandbox, &targets).input("wait", "true");
    let child = step.start();
    // Each lists its runs, and GitLab's token is read.
    until(&sandbox, "all are being prepared", |sandbox| {
        sandbox.requests().len() == 4
    });
    signal(&child, "TERM");
    let done = step
        .finish(child)
        .fails(&["not triggered because the step was stopped before that; nothing was started"]);
    assert_eq!(outcomes(&done), ["not-sent"; 3]);
    assert_eq!(sandbox.trigger_requests().len(), 0);
}

/// Searches are normally spaced out, but not when time is running out: runs found now can still be cancelled.
#[test]
fn a_signal_still_finds_every_searched_run() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let targets: Vec<_> = (0..8)
        .map(|number| json!({"client-payload": {"number": number}}))
        .collect();
    let step = step_with(&sandbox, &targets)
        .input("repository", "octo-org/app")
        .input("event-type", "release")
        .input("token", demo::GITHUB_CLASSIC)
        .input("wait", "true");
    let child = step.start();
    until(&sandbox, "all are triggered", |sandbox| {
        sandbox.runs().len() == targets.len()
    });
    signal(&child, "INT");
    let done = step.finish(child);
    assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
    for entry in done.results() {
        assert_eq!(entry["runs"][0]["matched_by"], "marker", "{done}");
        assert_eq!(entry["runs"][0]["left_running"], Value::Null, "{done}");
    }
}

/// The log stays readable, and the outputs stay within the runner's limits.
#[test]
fn results_of_a_thousand_targets_fit_into_the_outputs() {
    let sandbox = sandbox();
    // An environment variable holds at most 128 KiB, so common values are given only once.
    let targets: Vec<_> = (0..1_000)
        .map(|number| json!({"inputs": {"version": number.to_string()}}))
        .collect();
    let last = 999;
    let refused = Fault::status(Moment::BeforeActing, 404);
    sandbox.fault(Route::triggers(), Occasion::Nth(last), refused);
    let done = step_with(&sandbox, &targets)
        .input("repository", "octo-org/app")
        .input("workflow", "build.yml")
        .input("ref", "main")
        .input("token", demo::GITHUB_CLASSIC)
        .input("max-parallel", "32")
        .run();
    assert_eq!(done.code, Some(1));
    assert_eq!(sandbox.runs().len(), last);
    let all: usize = done
        .outputs
        .values()
        .map(|text| text.encode_utf16().count())
        .sum();
    assert!(all < 500_000, "{all}");
    let results = done.results();
    assert_eq!(results.len(), 1_000);
    let rejected: Vec<_> = results
        .iter()
        .filter(|entry| entry["outcome"] == "rejected")
        .collect();
    assert_eq!(rejected.len(), 1);
    let error = rejected[0]["error"].as_str().unwrap();
    assert!(error.contains("the token lacks"), "{error}");
    // Entries that are shortened still name their runs.
    let ids: HashSet<_> = sandbox
        .runs()
        .iter()
        .map(|run| run.id.to_string())
        .collect();
    for entry in results
        .iter()
        .filter(|entry| entry["outcome"] == "accepted")
    {
        let run = &entry["runs"][0];
        let id = run["id"].as_str().unwrap();
        assert!(ids.contains(id), "{entry}");
        assert!(
            run["url"].as_str().unwrap().ends_with(&format!("/{id}")),
            "{entry}"
        );
        assert_eq!(run["matched_by"], "id", "{entry}");
    }
    assert!(done.summary.len() < 1_000_000);
    assert_eq!(done.errors().len(), 1);
}

/// Each of many runs has a failed job.
#[test]
fn the_summary_has_the_logs_of_the_first_twenty_failed_runs() {
    let job = JobScenario::new("build", SECOND)
        .fails()
        .log(sandbox::world::Log::text("x\n"));
    let sandbox = with_scenario(Provider::GitHub, Scenario::new().job(job));
    let target = github("octo-org/app", "build.yml");
    let targets: Vec<_> = (0..30)
        .map(|number| with(&target, "inputs", json!({"version": number.to_string()})))
        .collect();
    let done = step_with(&sandbox, &targets).input("wait", "true").run();
    let logs = done.log.matches("the end of the log of job build").count();
    assert_eq!(logs, 30);
    assert_eq!(done.summary.matches("<details>").count(), 20);
    assert!(done.summary.contains("_10 more sections didn't fit here"));
}
