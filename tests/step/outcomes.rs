//! Outcomes of a trigger when something fails on the way: sent at most once, and never failing silently.

use std::thread;
use std::time::{Duration, Instant};

use sandbox::world::RefKind;
use sandbox::{Fault, Moment, Occasion, Provider, Response, Route, Run, Sandbox, World};

use crate::calls::{PROVIDERS, in_parallel, signal, trigger};
use crate::harness::{Step, sandbox};

/// Faults that leave the outcome unknown, whether the run was started or not.
fn unclear() -> Vec<(&'static str, Fault)> {
    let html = |status| {
        Response::body(
            status,
            "text/html",
            "<html>proxy ::error::x ##[error]y</html>",
        )
    };
    vec![
        ("reset before acting", Fault::Reset(Moment::BeforeActing)),
        ("reset after acting", Fault::Reset(Moment::AfterActing)),
        ("closed before acting", Fault::Close(Moment::BeforeActing)),
        ("closed after acting", Fault::Close(Moment::AfterActing)),
        ("408", Fault::status(Moment::BeforeActing, 408)),
        ("500", Fault::status(Moment::AfterActing, 500)),
        ("502", Fault::status(Moment::AfterActing, 502)),
        ("503", Fault::status(Moment::BeforeActing, 503)),
        ("504", Fault::status(Moment::AfterActing, 504)),
        ("truncated", Fault::Truncate),
        (
            "200 with HTML",
            Fault::Response(Moment::AfterActing, html(200)),
        ),
        (
            "201 with HTML",
            Fault::Response(Moment::AfterActing, html(201)),
        ),
        (
            "201 with other JSON",
            Fault::Response(
                Moment::AfterActing,
                Response::json(201, serde_json::json!({"id": "x"})),
            ),
        ),
        (
            "200 with nothing",
            Fault::Response(
                Moment::AfterActing,
                Response::body(200, "application/json", ""),
            ),
        ),
        (
            "10 MB",
            Fault::Huge {
                moment: Moment::AfterActing,
                status: 201,
                length: 10_000_000,
            },
        ),
        ("300", Fault::redirect(300, "/elsewhere")),
        ("301", Fault::redirect(301, "/elsewhere")),
        ("302", Fault::redirect(302, "/elsewhere")),
        ("303", Fault::redirect(303, "/elsewhere")),
    ]
}

/// Each fault on each provider, in parallel, because the search after an unknown outcome takes time.
#[test]
fn an_unclear_response_leads_to_a_search_and_is_never_resent() {
    thread::scope(|scope| {
        for provider in PROVIDERS {
            for (name, fault) in unclear() {
                scope.spawn(move || search_after(provider, name, fault));
            }
        }
    });
}

fn search_after(provider: Provider, name: &str, fault: Fault) {
    let sandbox = sandbox();
    sandbox.fault(Route::triggers(), Occasion::Every, fault);
    let done = trigger(provider, &sandbox).run();
    done.says(". It's unclear whether the trigger was accepted");
    assert!(!done.log.contains("<html"), "{done}");
    let sent = sandbox.trigger_requests().len();
    assert_eq!(sent, 1, "{provider} {name}\n{done}");
    // Only the marker or an id would prove it, and there is neither.
    let found = match sandbox.runs().as_slice() {
        [run] => format!("This run might be the one: {}", page(&sandbox, run)),
        _ => "No new run appeared within 30 s".to_owned(),
    };
    let error = format!("The pipeline may or may not have been started. {found}");
    let done = done.fails(&[&error]);
    done.outcome("unknown")
        .says("The trigger isn't repeated automatically")
        .says("check whether it is running before you start it again");
    assert_eq!(done.outputs["run-id"], "");
    assert_eq!(done.outputs["run-url"], "");
    assert_eq!(done.result()["outcome"], "unknown");
    assert!(done.summary.contains("unknown"));
}

/// The URL of a run's page.
fn page(sandbox: &Sandbox, run: &Run) -> String {
    let (server, repository) = (sandbox.http_url(), &run.repository);
    match run.provider {
        Provider::GitHub => format!("{server}/{repository}/actions/runs/{}", run.id),
        Provider::GitLab => format!("{server}/{repository}/-/pipelines/{}", run.id),
        Provider::Bitbucket => format!("{server}/{repository}/pipelines/results/{}", run.number),
    }
}

/// If the provider failed, a run that merely matches by time is more likely somebody else's.
#[test]
fn a_run_of_somebody_else_does_not_resolve_an_unknown_outcome() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = sandbox();
        let failed = Fault::status(Moment::BeforeActing, 503);
        sandbox.fault(Route::triggers(), Occasion::Every, failed);
        let step = trigger(provider, &sandbox);
        let child = step.start();
        step.until_said("It's unclear whether the trigger was accepted");
        // A run of the same kind, by the same person, which matches in everything but the trigger.
        sandbox.clear_faults();
        trigger(provider, &sandbox).run().passes();
        let theirs = sandbox.runs()[0].clone();
        let done = step.finish(child);
        let done = done.fails(&[&page(&sandbox, &theirs)]);
        done.outcome("unknown");
        assert_eq!(done.outputs["run-id"], "");
    });
}

/// A trigger never starts a push's pipeline.
#[test]
fn a_push_is_not_even_named() {
    let sandbox = sandbox();
    let failed = Fault::status(Moment::BeforeActing, 503);
    sandbox.fault(Route::triggers(), Occasion::Every, failed);
    let step = trigger(Provider::Bitbucket, &sandbox);
    let child = step.start();
    step.until_said("It's unclear whether the trigger was accepted");
    sandbox.with_world(|world| {
        let main = Some((RefKind::Branch, "main".to_owned()));
        for event in ["push", "schedule"] {
            let mut run = Run::new(
                Provider::Bitbucket,
                "octo-workspace/service",
                "default",
                event,
            );
            run.reference.clone_from(&main);
            world.start_as("octavia", run);
        }
    });
    let done = step.finish(child);
    done.fails(&["No new run appeared within 30 s"])
        .outcome("unknown");
    assert_eq!(sandbox.runs().len(), 2);
}

#[test]
fn an_outcome_that_cannot_be_checked_stays_unknown() {
    for provider in PROVIDERS {
        let sandbox = sandbox();
        let unclear = Fault::status(Moment::AfterActing, 502);
        sandbox.fault(Route::triggers(), Occasion::Every, unclear);
        let refused = Fault::status(Moment::BeforeActing, 403);
        sandbox.fault(Route::any().method("GET"), Occasion::Every, refused);
        let done = trigger(provider, &sandbox).run().fails(&[
            "The pipeline may or may not have been started. The list of runs can't be read: a proxy, firewall or login page refused the request in place of ",
        ]);
        done.outcome("unknown")
            .says("check whether it is running before you start it again");
        assert_eq!(sandbox.trigger_requests().len(), 1);
    }
}

/// Several runs of one workflow match, and nothing tells them apart.
#[test]
fn several_possible_runs_leave_the_outcome_unknown() {
    for provider in PROVIDERS {
        let owner = match provider {
            Provider::GitHub => "octocat",
            Provider::GitLab => "octavia",
            Provider::Bitbucket => "service-access-token",
        };
        let sandbox = Sandbox::start(World::demo().strangers(&[owner])).unwrap();
        let unclear = Fault::status(Moment::AfterActing, 502);
        sandbox.fault(Route::triggers(), Occasion::Every, unclear);
        let done = trigger(provider, &sandbox).run();
        let done = done
            .fails(&["may or may not have been started. One of these runs might be the one: http"]);
        done.outcome("unknown");
        assert_eq!(done.outputs["run-id"], "");
        assert_eq!(sandbox.trigger_requests().len(), 1);
    }
}

#[test]
fn a_repository_dispatch_with_an_unexpected_response_leads_to_a_search() {
    let sandbox = sandbox();
    let response = Fault::status(Moment::AfterActing, 200);
    sandbox.fault(Route::triggers(), Occasion::Every, response);
    let done = Step::github(&sandbox).input("event-type", "deploy").run();
    let done = done.fails(&["unexpected response to the trigger (GitHub answered 2"]);
    done.outcome("unknown");
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

/// The timeout of one minute is longer than any provider takes.
#[test]
fn a_trigger_without_a_response_leads_to_a_search_after_a_minute() {
    let sandbox = sandbox();
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::Delay(Moment::AfterActing, Duration::from_secs(70)),
    );
    let step = trigger(Provider::GitLab, &sandbox);
    let started = Instant::now();
    let child = step.start();
    step.until_said_within("checking for a new run", Duration::from_secs(68));
    assert!(started.elapsed() > Duration::from_secs(58));
    let done = step.finish(child);
    done.fails(&["This run might be the one: http"])
        .outcome("unknown");
    assert_eq!(sandbox.trigger_requests().len(), 1);
    assert_eq!(sandbox.runs().len(), 1);
}

#[test]
fn a_client_error_is_final_whatever_its_body() {
    for provider in PROVIDERS {
        for (status, body) in [
            (400, "{"),
            (404, "<html>"),
            (409, ""),
            (410, "[]"),
            (418, "null"),
            (422, "{}"),
        ] {
            let sandbox = sandbox();
            let response = Response::body(status, "application/json", body);
            sandbox.fault(
                Route::triggers(),
                Occasion::Every,
                Fault::Response(Moment::BeforeActing, response),
            );
            let done = trigger(provider, &sandbox)
                .run()
                .fails(&[&status.to_string()]);
            done.outcome("rejected");
            assert_eq!(
                sandbox.trigger_requests().len(),
                1,
                "{provider} {status}\n{done}"
            );
        }
    }
}

#[test]
fn a_refused_connection_is_retried() {
    for provider in PROVIDERS {
        let port = Sandbox::reserve_port().unwrap();
        let url = format!("http://127.0.0.1:{}", port.number());
        let other = sandbox();
        let step = trigger(provider, &other)
            .environment("GITHUB_SERVER_URL", &url)
            .environment("GITHUB_API_URL", &format!("{url}/api/v3"))
            .input("server-url", &url);
        let child = step.start();
        step.until_said("retrying in 1 s");
        let sandbox = Sandbox::builder(World::demo())
            .http_on(port)
            .start()
            .unwrap();
        let done = step.finish(child).passes();
        done.outcome("accepted")
            .says("Connection refused")
            .says("retrying in 1 s");
        assert_eq!(sandbox.runs().len(), 1, "{done}");
    }
}

#[test]
fn rate_limits_are_waited_out_as_the_provider_says() {
    let soon = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 2;
    for (provider, fault) in [
        (Provider::GitHub, Fault::github_secondary_limit(Some(1))),
        (Provider::GitHub, Fault::github_primary_limit(403, soon)),
        (Provider::GitHub, Fault::github_primary_limit(429, soon)),
        (Provider::GitLab, Fault::gitlab_limit(Some(1))),
        (Provider::Bitbucket, Fault::bitbucket_limit(Some(1))),
    ] {
        let sandbox = sandbox();
        sandbox.fault(Route::triggers(), Occasion::First(2), fault);
        let done = trigger(provider, &sandbox).run().passes();
        done.outcome("accepted")
            .says("too many requests")
            .says("retrying in");
        assert_eq!(sandbox.trigger_requests().len(), 3, "{done}");
        assert_eq!(sandbox.runs().len(), 1, "{done}");
    }
}

/// `Retry-After: 0` on every response would allow an endless loop.
#[test]
fn a_retry_after_of_zero_is_not_retried_endlessly() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = sandbox();
        let limited = match provider {
            Provider::GitHub => Fault::github_secondary_limit(Some(0)),
            Provider::GitLab => Fault::gitlab_limit(Some(0)),
            Provider::Bitbucket => Fault::bitbucket_limit(Some(0)),
        };
        sandbox.fault(Route::triggers(), Occasion::Every, limited);
        let step = trigger(provider, &sandbox);
        let child = step.start();
        step.until_said("retrying in 4 s");
        signal(&child, "INT");
        step.finish(child)
            .fails(&["not triggered because the step was stopped"])
            .outcome("not-sent");
        assert_eq!(sandbox.trigger_requests().len(), 3);
    });
}

#[test]
fn a_rate_limit_that_is_too_long_is_reported() {
    let sandbox = sandbox();
    sandbox.fault(
        Route::triggers(),
        Occasion::Every,
        Fault::github_secondary_limit(Some(301)),
    );
    Step::github(&sandbox)
        .input("event-type", "deploy")
        .run()
        .fails(&["the provider asks to wait 301 s, longer than the 300 s limit\nhint: run the workflow again later"])
        .outcome("rejected");
    assert_eq!(sandbox.trigger_requests().len(), 1);
}

/// Reads have no side effects, so a transient failure is retried before anything is sent.
#[test]
fn a_failed_read_before_the_trigger_is_retried() {
    for (provider, fault) in [
        (Provider::GitHub, Fault::status(Moment::BeforeActing, 502)),
        (Provider::GitLab, Fault::Reset(Moment::BeforeActing)),
        (Provider::Bitbucket, Fault::Close(Moment::BeforeActing)),
    ] {
        let sandbox = sandbox();
        sandbox.fault(Route::any().method("GET"), Occasion::First(1), fault);
        trigger(provider, &sandbox)
            .input("ref", "")
            .run()
            .passes()
            .says("retrying in 1 s");
        assert_eq!(sandbox.trigger_requests().len(), 1);
        assert_eq!(sandbox.runs().len(), 1);
    }
}

#[test]
fn an_unreadable_default_branch_prevents_the_trigger() {
    let sandbox = sandbox();
    let html = Response::body(200, "text/html", "<html>login</html>");
    sandbox.fault(
        Route::any().method("GET"),
        Occasion::Every,
        Fault::Response(Moment::BeforeActing, html),
    );
    Step::github(&sandbox)
        .input("workflow", "build.yml")
        .run()
        .fails(&["the default branch can't be read: the response isn't JSON but text/html, 18 bytes\nhint: set `ref`"])
        .outcome("not-sent");
    assert_eq!(sandbox.trigger_requests().len(), 0);
}

#[test]
fn redirects_stay_on_the_same_server() {
    let elsewhere = sandbox();
    let target = format!(
        "{}/api/v3/repos/octo-org/app/dispatches",
        elsewhere.http_url()
    );
    let cases = vec![
        (
            Fault::redirect(307, &target),
            "redirected to another server, which isn't followed (307)",
        ),
        (
            Fault::redirect(308, &target),
            "redirected to another server, which isn't followed (308)",
        ),
        (
            Fault::redirect(302, "/login"),
            "redirected in a way that drops what was sent, which isn't followed (302)",
        ),
        (
            Fault::redirect(301, "/login"),
            "redirected in a way that drops what was sent, which isn't followed (301)",
        ),
        (
            Fault::redirect(300, "/login"),
            "redirected in a way that drops what was sent, which isn't followed (300)",
        ),
        (
            Fault::status(Moment::BeforeActing, 307),
            "redirected without a usable address, which isn't followed (307)",
        ),
        (
            Fault::redirect(307, "/api/v3/repos/octo-org/app/dispatches"),
            "redirected more than 5 times",
        ),
    ];
    in_parallel(cases, |(fault, error)| {
        let sandbox = sandbox();
        sandbox.fault(Route::triggers(), Occasion::Every, fault);
        let done = Step::github(&sandbox)
            .input("event-type", "deploy")
            .run()
            .fails(&[error]);
        // Some servers redirect after they have acted.
        done.outcome("unknown")
            .says("The trigger isn't repeated automatically");
        assert_eq!(sandbox.runs().len(), 0, "{done}");
    });
    assert_eq!(
        elsewhere.requests().len(),
        0,
        "no credential went anywhere else"
    );
}
