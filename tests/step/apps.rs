//! How a whole step signs in as a GitHub App: the clock it signs with, renamed repositories, failing renewals, and
//! revoking tokens.

use std::time::{Duration, Instant};

use sandbox::world::{Access, JobScenario, Permissions, Scenario};
use sandbox::{
    Fault, Moment, Occasion, Provider, RecordedRequest, RecordedResponse, Response, Route, Sandbox,
    World, demo,
};
use serde_json::json;

use crate::calls::{SECOND, in_parallel, signal, start, until, with_scenario};
use crate::harness::{Step, sandbox};

fn step(sandbox: &Sandbox) -> Step {
    Step::on(&sandbox.http_url())
        .input("repository", "octo-org/app")
        .input("workflow", "build.yml")
        .input("ref", "main")
        .signed_in_as_app()
}

/// A step for `octo-org/app` and `octo-org/private`.
fn step_of_two(sandbox: &Sandbox) -> Step {
    let targets = json!([
        {"repository": "octo-org/app", "workflow": "build.yml"},
        {"repository": "octo-org/private", "workflow": "deploy.yml"},
    ]);
    step(sandbox)
        .input("repository", "")
        .input("workflow", "")
        .input("targets", &targets.to_string())
        .input("wait", "true")
}

fn requests(sandbox: &Sandbox, method: &str, end: &str) -> Vec<RecordedRequest> {
    let mut requests = sandbox.requests();
    requests.retain(|request| request.method == method && request.path.ends_with(end));
    requests
}

fn minted(sandbox: &Sandbox) -> u64 {
    sandbox.with_world(|world| world.github.minted)
}

/// Number of minted tokens that are still valid.
fn unexpired_tokens(sandbox: &Sandbox) -> usize {
    sandbox.with_world(|world| world.github.minted_tokens().len())
}

const REVOCATION: &str = "/installation/token";

/// Requests for signing in: two for the first sign-in, and at least one for each further attempt.
fn sign_ins(sandbox: &Sandbox) -> usize {
    requests(sandbox, "GET", "/installation").len()
        + requests(sandbox, "POST", "/access_tokens").len()
}

fn minting() -> Route {
    Route::any().path("/access_tokens")
}

#[test]
fn a_token_is_revoked_when_the_step_is_over() {
    let scenario = Scenario::passing(3 * SECOND);
    let cases: Vec<fn(Step) -> Step> = vec![
        |step| step,
        |step| step.input("wait", "true"),
        |step| step.input("dry-run", "true"),
        |step| step.input("workflow", "nowhere.yml"),
    ];
    in_parallel(cases, |inputs| {
        let sandbox = with_scenario(Provider::GitHub, scenario.clone());
        let done = inputs(step(&sandbox)).run();
        assert_eq!(minted(&sandbox), 1, "{done}");
        assert_eq!(unexpired_tokens(&sandbox), 0, "{done}");
        let [revocation] = requests(&sandbox, "DELETE", REVOCATION).try_into().unwrap();
        assert_eq!(revocation.response, RecordedResponse::Status(204));
        assert!(
            sandbox
                .requests()
                .last()
                .unwrap()
                .path
                .ends_with(REVOCATION)
        );
    });
}

/// Both tokens for other permissions and renewed tokens.
#[test]
fn all_tokens_are_revoked() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(9 * SECOND));
    sandbox.with_world(|world| world.github.token_lifetime = 4 * SECOND);
    let targets = json!([
        {"workflow": "build.yml", "ref": "main"},
        {"event-type": "deploy-marked"},
    ]);
    let done = step(&sandbox)
        .input("workflow", "")
        .input("ref", "")
        .input("targets", &targets.to_string())
        .input("wait", "true")
        .run()
        .passes();
    assert!(minted(&sandbox) >= 4, "{done}");
    // The others have expired.
    let good = sandbox.with_world(|world| {
        let now = world.now();
        let tokens = world.github.tokens.iter();
        let good = tokens.filter(|token| token.expires_at.is_some_and(|end| end > now));
        good.count()
    });
    assert_eq!(good, 0, "{done}");
    assert!(requests(&sandbox, "DELETE", REVOCATION).len() >= 2);
}

/// Without waiting for the end of the step, which may be hours away.
#[test]
fn a_replaced_token_is_revoked_soon() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(17 * SECOND));
    sandbox.with_world(|world| world.github.token_lifetime = 18 * SECOND);
    let done = step(&sandbox).input("wait", "true").run().passes();
    let revocations = requests(&sandbox, "DELETE", REVOCATION);
    assert_eq!(revocations.len() as u64, minted(&sandbox), "{done}");
    let [first, .., last] = &revocations[..] else {
        panic!("it was never renewed: {done}");
    };
    assert_eq!(first.response, RecordedResponse::Status(204));
    assert!(
        last.order > first.order + 1,
        "the run was polled in between"
    );
    assert_eq!(unexpired_tokens(&sandbox), 0, "{done}");
}

#[test]
fn only_an_apps_token_is_revoked() {
    let sandbox = sandbox();
    for token in [demo::GITHUB_CLASSIC, demo::GITHUB_FINE_GRAINED] {
        let step = Step::github(&sandbox).input("workflow", "build.yml");
        step.input("token", token).run().passes();
    }
    Step::github(&sandbox)
        .input("repository", "octo-org/caller")
        .input("token", demo::GITHUB_WORKFLOW_OF_CALLER)
        .input("event-type", "deploy")
        .run()
        .passes();
    assert_eq!(requests(&sandbox, "DELETE", "").len(), 0);
}

/// A failed revocation neither fails nor delays the step.
#[test]
fn a_token_that_cannot_be_revoked_is_left_to_expire() {
    let faults = vec![
        Fault::status(Moment::BeforeActing, 500),
        Fault::status(Moment::BeforeActing, 401),
        Fault::Reset(Moment::BeforeActing),
        Fault::Delay(Moment::BeforeActing, 30 * SECOND),
    ];
    in_parallel(faults, |fault| {
        let sandbox = sandbox();
        sandbox.fault(Route::any().path(REVOCATION), Occasion::Every, fault);
        let done = step(&sandbox).run().passes();
        assert_eq!(done.warnings(), Vec::<String>::new());
        let [revocation] = requests(&sandbox, "DELETE", REVOCATION).try_into().unwrap();
        let since = revocation.arrived_at.elapsed().unwrap();
        assert!(since < 3 * SECOND, "{since:?}\n{done}");
    });
}

#[test]
fn a_token_is_revoked_after_the_last_cancel() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = step(&sandbox).input("wait", "true");
    let child = step.start();
    step.until_said("accepted");
    signal(&child, "INT");
    let done = step.finish(child);
    assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
    assert_eq!(unexpired_tokens(&sandbox), 0, "{done}");
}

#[test]
fn a_second_signal_skips_the_revocation() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let hangs = Fault::Delay(Moment::BeforeActing, 30 * SECOND);
    sandbox.fault(Route::any().path("/cancel"), Occasion::Every, hangs.clone());
    sandbox.fault(Route::any().path(REVOCATION), Occasion::Every, hangs);
    let step = step(&sandbox).input("wait", "true");
    let child = step.start();
    step.until_said("accepted");
    signal(&child, "INT");
    step.until_said("cancelling");
    let began = Instant::now();
    signal(&child, "TERM");
    let done = step.finish(child);
    assert!(began.elapsed() < SECOND, "{:?}\n{done}", began.elapsed());
    assert_eq!(requests(&sandbox, "DELETE", REVOCATION).len(), 0, "{done}");
}

/// The runner would kill the step after ten seconds.
#[test]
fn a_cancel_and_a_revocation_that_hang_do_not_delay_the_shutdown() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let hangs = Fault::Delay(Moment::BeforeActing, 30 * SECOND);
    sandbox.fault(Route::any().path("/cancel"), Occasion::Every, hangs.clone());
    sandbox.fault(Route::any().path(REVOCATION), Occasion::Every, hangs);
    let step = step(&sandbox).input("wait", "true");
    let child = step.start();
    step.until_said("accepted");
    let began = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(
        began.elapsed() < 7 * SECOND,
        "{:?}\n{done}",
        began.elapsed()
    );
    assert_eq!(requests(&sandbox, "DELETE", REVOCATION).len(), 1, "{done}");
    done.says("may still be running");
}

/// No new token can be minted for a while, but the current one stays valid until that is over, and so does the run.
#[test]
fn a_failed_renewal_loses_nothing_while_the_token_is_valid() {
    let response = |status, message: &str| {
        Fault::Response(
            Moment::BeforeActing,
            Response::json(status, json!({ "message": message })),
        )
    };
    let faults = vec![
        response(401, "A JSON web token could not be decoded"),
        response(403, "This installation has been suspended"),
        response(404, "Not Found"),
        response(
            422,
            "The permissions requested are not granted to this installation.",
        ),
        Fault::status(Moment::BeforeActing, 502),
        Fault::Reset(Moment::BeforeActing),
        Fault::Delay(Moment::BeforeActing, 60 * SECOND),
    ];
    in_parallel(faults, |fault| {
        let scenario = Scenario::passing(18 * SECOND);
        let sandbox = with_scenario(Provider::GitHub, scenario);
        // The token is due for renewal after half its lifetime.
        sandbox.with_world(|world| world.github.token_lifetime = 16 * SECOND);
        let step = step(&sandbox).input("wait", "true");
        let child = step.start();
        step.until_said("accepted");
        sandbox.fault(minting(), Occasion::Every, fault.clone());
        sandbox.fault(
            Route::any().method("GET").path("/installation"),
            Occasion::Every,
            fault.clone(),
        );
        until(&sandbox, "a renewal is tried", |sandbox| {
            sign_ins(sandbox) > 2
        });
        std::thread::sleep(4 * SECOND);
        sandbox.clear_faults();
        let done = step.finish(child).passes();
        assert_eq!(done.outputs["conclusion"], "success", "{fault:?}\n{done}");
        let tries = sign_ins(&sandbox);
        // Attempts are spaced out, although the run was polled all the time.
        assert!((4..=7).contains(&tries), "{tries} {fault:?}\n{done}");
    });
}

/// Changes to one repository must not lose the run of another.
#[test]
fn a_repository_that_disappears_does_not_affect_other_targets() {
    let changes: Vec<fn(&mut World)> = vec![
        |world| {
            let installation = &mut world.github.apps[0].installations[0];
            installation
                .repositories
                .retain(|name| name != "octo-org/private");
        },
        |world| world.rename_github_repository("octo-org/private", "octo-org/hidden"),
    ];
    in_parallel(vec![0, 1], |case: usize| {
        let sandbox = with_scenario(Provider::GitHub, Scenario::passing(12 * SECOND));
        sandbox.with_world(|world| world.github.token_lifetime = 8 * SECOND);
        let step = step_of_two(&sandbox);
        let child = step.start();
        until(&sandbox, "two runs", |sandbox| sandbox.runs().len() == 2);
        sandbox.with_world(changes[case]);
        let done = step.finish(child);
        let conclusions: Vec<_> = done
            .results()
            .iter()
            .map(|result| result["conclusion"].clone())
            .collect();
        assert_eq!(conclusions[0], "success", "{case}\n{done}");
        if case == 1 {
            assert_eq!(conclusions[1], "success", "{case}\n{done}");
        }
    });
}

/// The current token is good enough for a cancel.
#[test]
fn a_renewal_that_hangs_does_not_delay_the_shutdown() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    sandbox.with_world(|world| world.github.token_lifetime = 16 * SECOND);
    let step = step(&sandbox).input("wait", "true");
    let child = step.start();
    step.until_said("accepted");
    let hangs = Fault::Delay(Moment::BeforeActing, 60 * SECOND);
    sandbox.fault(minting(), Occasion::Every, hangs);
    until(&sandbox, "a renewal is tried", |sandbox| {
        requests(sandbox, "POST", "/access_tokens").len() > 1
    });
    let began = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(
        began.elapsed() < 4 * SECOND,
        "{:?}\n{done}",
        began.elapsed()
    );
    assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
}

/// A trigger that waited longer than its token's lifetime needs a new one, but doesn't wait for it indefinitely.
#[test]
fn a_renewal_that_hangs_before_a_trigger_is_retried() {
    let sandbox = sandbox();
    sandbox.with_world(|world| world.github.token_lifetime = 2 * SECOND);
    let limit = Fault::github_secondary_limit(Some(4));
    sandbox.fault(Route::triggers(), Occasion::Nth(1), limit);
    let hangs = Fault::Delay(Moment::BeforeActing, 120 * SECOND);
    sandbox.fault(minting(), Occasion::Nth(2), hangs);
    let done = step(&sandbox).run().passes();
    done.says(
        "the App's token can't be renewed: GitHub didn't return a new one within 20 s; retrying in",
    );
    assert_eq!(sandbox.trigger_requests().len(), 2, "{done}");
    assert_eq!(sandbox.runs().len(), 1);
}

/// The renewal is answered after the signal, but its token is not used for a trigger any more.
#[test]
fn a_stop_during_a_renewal_before_a_trigger_sends_nothing() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    sandbox.with_world(|world| world.github.token_lifetime = 2 * SECOND);
    let limit = Fault::github_secondary_limit(Some(4));
    sandbox.fault(Route::triggers(), Occasion::Nth(1), limit);
    let slow = Fault::Delay(Moment::BeforeActing, 5 * SECOND);
    sandbox.fault(minting(), Occasion::Nth(2), slow);
    let step = step(&sandbox).input("wait", "true");
    let child = step.start();
    until(&sandbox, "a renewal is tried", |sandbox| {
        requests(sandbox, "POST", "/access_tokens").len() > 1
    });
    let began = Instant::now();
    signal(&child, "INT");
    let done = step.finish(child);
    assert!(
        began.elapsed() < 7 * SECOND,
        "{:?}\n{done}",
        began.elapsed()
    );
    // Only the one that was rate-limited.
    assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
    assert_eq!(sandbox.runs().len(), 0, "{done}");
    done.fails(&["not triggered because the step was stopped before that; nothing was started"])
        .outcome("not-sent");
}

/// A cancel that is refused because the token was revoked is sent again with a new token.
#[test]
fn a_cancel_with_a_revoked_token_is_resent_with_a_new_one() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let step = step(&sandbox).input("wait", "true");
    let child = step.start();
    step.until_said("accepted");
    let polls = Route::any().method("GET").path("/actions/runs/");
    let slow = Fault::Delay(Moment::AfterActing, 3 * SECOND);
    sandbox.fault(polls, Occasion::Every, slow);
    std::thread::sleep(Duration::from_millis(2_500));
    sandbox.with_world(|world| {
        let minted = world.github.minted_tokens();
        let minted: Vec<_> = minted.into_iter().map(str::to_owned).collect();
        world
            .github
            .tokens
            .retain(|token| !minted.contains(&token.value));
    });
    signal(&child, "INT");
    let done = step.finish(child);
    assert_eq!(sandbox.unfinished_runs().len(), 0, "{done}");
}

#[test]
fn an_app_signs_by_the_servers_clock() {
    let hour = 3_600 * SECOND;
    for world in [World::demo().ahead(hour), World::demo().behind(hour)] {
        let sandbox = start(world);
        let done = step(&sandbox).run().passes();
        // The server's clock is only known after the first response.
        let attempts = requests(&sandbox, "GET", "/installation");
        let statuses: Vec<_> = attempts.iter().map(|request| request.response).collect();
        assert_eq!(
            statuses,
            [RecordedResponse::Status(401), RecordedResponse::Status(200)],
            "{done}"
        );
        assert_eq!(
            requests(&sandbox, "POST", "/access_tokens").len(),
            1,
            "{done}"
        );
        assert_eq!(sandbox.runs().len(), 1);
    }
}

/// A server must not be able to obtain a JWT that is valid at a time of its choice.
#[test]
fn a_server_clock_that_is_far_off_is_not_used_for_signing() {
    let sandbox = start(World::demo().ahead(48 * 3_600 * SECOND));
    step(&sandbox)
        .run()
        .fails(&["GitHub doesn't accept the App's key (GitHub answered 401"]);
    assert_eq!(sandbox.requests().len(), 1);
}

/// If the clocks agree, signing again can't help.
#[test]
fn a_rejected_key_is_not_used_again() {
    let sandbox = sandbox();
    let refusal = Response::json(
        401,
        json!({"message": "A JSON web token could not be decoded"}),
    );
    let refusal = Fault::Response(Moment::BeforeActing, refusal);
    sandbox.fault(Route::any(), Occasion::Every, refusal);
    step(&sandbox)
        .run()
        .fails(&["GitHub doesn't accept the App's key"]);
    assert_eq!(sandbox.requests().len(), 1);
}

#[test]
fn an_app_follows_a_repository_to_its_new_name() {
    for inputs in [vec![], vec![("wait", "true")], vec![("ref", "")]] {
        let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
        let step = step(&sandbox).input("repository", "octo-org/renamed-app");
        let step = inputs
            .iter()
            .fold(step, |step, (name, value)| step.input(name, value));
        let done = step.run().passes();
        let [run] = sandbox.runs().try_into().unwrap();
        assert_eq!(run.repository, "octo-org/app");
        let minted = requests(&sandbox, "POST", "/access_tokens");
        let body = minted.last().unwrap().json().unwrap();
        assert_eq!(body["repository_ids"], json!([1001]), "{done}");
        assert_eq!(unexpired_tokens(&sandbox), 0);
    }
}

#[test]
fn a_refused_token_names_the_missing_permission() {
    let app = |sandbox: &Sandbox, change: fn(&mut World)| {
        sandbox.with_world(change);
        step(sandbox)
    };
    let sandbox = sandbox();
    app(&sandbox, |world| {
        world.github.apps[0].installations[0].permissions =
            Permissions::new(&[("metadata", Access::Read)]);
    })
    .run()
    .fails(&["the App lacks a permission on the repository (GitHub answered 422: The permissions requested are not granted to this installation)\nhint: give the App these repository permissions: \"Actions: write\". Then"]);
    // No further read was needed to explain it.
    assert_eq!(requests(&sandbox, "GET", "/installation").len(), 1);
}

/// Renewals that fail once the token has expired count as failed polls. The run is read again afterwards.
#[test]
fn a_run_survives_renewals_that_fail_past_the_tokens_expiry() {
    let scenario = Scenario::new().job(JobScenario::new("build", 12 * SECOND));
    let sandbox = with_scenario(Provider::GitHub, scenario);
    sandbox.with_world(|world| world.github.token_lifetime = 4 * SECOND);
    let step = step(&sandbox).input("wait", "true");
    let child = step.start();
    step.until_said("accepted");
    sandbox.fault(
        minting(),
        Occasion::Every,
        Fault::status(Moment::BeforeActing, 503),
    );
    std::thread::sleep(9 * SECOND);
    sandbox.clear_faults();
    let done = step.finish(child).passes();
    assert_eq!(done.outputs["conclusion"], "success", "{done}");
    done.says(
        "the App's token can't be renewed: creating the App's token failed (GitHub answered 503",
    );
}
