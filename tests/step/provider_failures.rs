//! Failures while the step waits for a run: which are transient, and which mean that the run is lost.

use std::time::{Duration, Instant};

use sandbox::world::{Scenario, State};
use sandbox::{Fault, Moment, Occasion, Provider, Response, Route, Sandbox};
use serde_json::{Value, json};

use crate::calls::{
    PROVIDERS, SECOND, call, dispatch, in_parallel, status_requests, until, with_scenario,
};
use crate::harness::Done;

fn html() -> Response {
    let page = "<html>login ::set-output name=outcome::x ##[add-mask]y</html>";
    Response::body(200, "text/html", page)
}

/// Each failure is transient.
fn transient_failures() -> Vec<(&'static str, Fault)> {
    let hanging = Fault::Delay(Moment::BeforeActing, 10 * SECOND);
    vec![
        ("502", Fault::status(Moment::BeforeActing, 502)),
        ("500 after all", Fault::status(Moment::AfterActing, 500)),
        ("reset", Fault::Reset(Moment::BeforeActing)),
        ("closed", Fault::Close(Moment::AfterActing)),
        ("hanging", hanging),
        ("HTML", Fault::Response(Moment::BeforeActing, html())),
        ("truncated", Fault::Truncate),
        (
            "other JSON",
            Fault::Response(
                Moment::BeforeActing,
                Response::json(200, serde_json::json!([1])),
            ),
        ),
        ("404", Fault::status(Moment::BeforeActing, 404)),
        ("403", Fault::status(Moment::BeforeActing, 403)),
        ("401", Fault::status(Moment::BeforeActing, 401)),
        ("302", Fault::redirect(302, "http://localhost:1/elsewhere")),
    ]
}

/// Reads of the run's jobs.
fn jobs(provider: Provider) -> Route {
    Route::any().method("GET").path(match provider {
        Provider::GitHub | Provider::GitLab => "/jobs",
        Provider::Bitbucket => "/steps",
    })
}

/// Checks that the step waited to the end.
fn assert_waited_to_the_end(sandbox: &Sandbox, done: &Done, name: &str) {
    assert_eq!(done.code, Some(0), "{name}\n{done}");
    assert_eq!(done.outputs["conclusion"], "success", "{name}\n{done}");
    assert!(!done.log.contains("<html"), "{name}\n{done}");
    assert_eq!(sandbox.trigger_requests().len(), 1);
    assert!(sandbox.runs().iter().all(|run| !run.cancelled));
}

#[test]
fn a_failed_poll_does_not_end_the_wait() {
    let cases: Vec<_> = PROVIDERS
        .into_iter()
        .flat_map(|provider| {
            transient_failures()
                .into_iter()
                .map(move |trouble| (provider, trouble))
        })
        .collect();
    in_parallel(cases, |(provider, (name, fault))| {
        for occasion in [Occasion::Nth(1), Occasion::Nth(3)] {
            let sandbox = with_scenario(provider, Scenario::passing(7 * SECOND));
            sandbox.fault(status_requests(provider), occasion, fault.clone());
            let done = call(provider, &sandbox).run();
            assert_waited_to_the_end(&sandbox, &done, name);
        }
    });
}

#[test]
fn many_failed_polls_are_logged_once() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let broken = Fault::status(Moment::BeforeActing, 503);
        sandbox.fault(status_requests(provider), Occasion::First(4), broken);
        let done = call(provider, &sandbox).run();
        assert_eq!(done.log.matches("; still waiting").count(), 1, "{done}");
        assert_eq!(done.log.matches("can be read again").count(), 1, "{done}");
        assert_waited_to_the_end(&sandbox, &done, "503");
    });
}

#[test]
fn rate_limits_are_waited_out_while_polling() {
    let soon = |seconds: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap().as_secs() + seconds
    };
    let cases = vec![
        (Provider::GitHub, Fault::github_secondary_limit(Some(4))),
        (Provider::GitHub, Fault::github_primary_limit(403, soon(5))),
        (Provider::GitHub, Fault::github_primary_limit(429, soon(5))),
        (Provider::GitHub, Fault::github_secondary_limit(None)),
        (Provider::GitLab, Fault::gitlab_limit(Some(4))),
        (Provider::Bitbucket, Fault::bitbucket_limit(Some(6))),
        (Provider::Bitbucket, Fault::bitbucket_limit(None)),
    ];
    in_parallel(cases, |(provider, fault)| {
        let is_unsaid = matches!(&fault, Fault::Response(_, response) if response.headers.iter().all(|(name, _)| {
            !["Retry-After", "X-RateLimit-Reset"].contains(&name.as_str())
        }));
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        sandbox.fault(status_requests(provider), Occasion::First(1), fault);
        let began = Instant::now();
        let done = call(provider, &sandbox).run();
        let slept = began.elapsed();
        let minimum = if is_unsaid { 60 * SECOND } else { 3 * SECOND };
        assert!(slept >= minimum, "{provider}: {slept:?}\n{done}");
        assert!(
            slept < minimum + 20 * SECOND,
            "{provider}: {slept:?}\n{done}"
        );
        done.says("too many requests");
        assert_waited_to_the_end(&sandbox, &done, "rate limit");
    });
}

/// Even if only the optional follow-up reads are rate-limited.
#[test]
fn rate_limits_on_jobs_are_waited_out() {
    let cases = vec![
        (Provider::GitHub, Fault::github_secondary_limit(Some(4))),
        (Provider::GitLab, Fault::gitlab_limit(Some(4))),
        (Provider::Bitbucket, Fault::bitbucket_limit(Some(4))),
    ];
    in_parallel(cases, |(provider, fault)| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        sandbox.fault(jobs(provider), Occasion::First(1), fault);
        let began = Instant::now();
        let done = call(provider, &sandbox).run();
        assert!(began.elapsed() >= 3 * SECOND, "{provider}\n{done}");
        done.says("too many requests");
        assert_waited_to_the_end(&sandbox, &done, "rate limit");
    });
}

/// The end is known, whatever else can't be read.
#[test]
fn a_rate_limit_on_jobs_does_not_hide_the_end() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(Duration::ZERO));
        sandbox.fault(
            jobs(provider),
            Occasion::Every,
            Fault::gitlab_limit(Some(600)),
        );
        let step = call(provider, &sandbox).input("timeout", "40s");
        assert_waited_to_the_end(&sandbox, &step.run(), "rate limit");
    });
}

/// Only the list of jobs says which of them failed.
#[test]
fn failed_reads_of_jobs_at_the_end_are_retried() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::failing(3 * SECOND));
        let step = call(provider, &sandbox);
        let child = step.start();
        step.until_said(": running");
        let broken = Fault::status(Moment::BeforeActing, 502);
        sandbox.fault(jobs(provider), Occasion::First(3), broken);
        let done = step.finish(child);
        assert_eq!(done.outputs["conclusion"], "failure", "{done}");
        done.says("the end of the log of job build");
    });
}

/// Waits for a run that can't be read any more after `happens`. Also returns why it may be left running.
fn lost(provider: Provider, happens: impl FnOnce(&Sandbox)) -> (Sandbox, Done, String) {
    let sandbox = with_scenario(provider, Scenario::endless());
    let step = call(provider, &sandbox);
    let child = step.start();
    step.until_said(": running");
    happens(&sandbox);
    let done = step.finish(child);
    assert_eq!(done.outputs["conclusion"], "lost", "{done}");
    let left = done.result()["runs"][0]["left_running"].clone();
    let left = left.as_str().expect("it may be going on").to_owned();
    (sandbox, done, left)
}

#[test]
fn a_deleted_run_is_lost() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let (sandbox, done, _) = lost(provider, |sandbox| {
            let id = sandbox.runs()[0].id;
            sandbox.with_world(|world| world.delete_run(provider, id));
        });
        let done = done.fails(&["can't be read any more: reading the "]);
        let refused = sandbox.requests();
        let refused = refused
            .iter()
            .filter(|request| request.response == sandbox::RecordedResponse::Status(404));
        assert!(refused.count() >= 5, "five in a row");
        assert!(cancels(&sandbox) > 0, "{done}");
    });
}

/// Number of cancel requests.
fn cancels(sandbox: &Sandbox) -> usize {
    let requests = sandbox.requests();
    let posts = requests.iter().filter(|request| request.method == "POST");
    posts.filter(|request| !request.is_trigger()).count()
}

/// Providers sometimes refuse existing runs for seconds, and proxies show their own pages.
#[test]
fn transient_refusals_lose_no_run() {
    let page = Response::body(403, "text/html", "<html>blocked</html>");
    let faults = [
        ("404", Fault::status(Moment::BeforeActing, 404)),
        ("401", Fault::status(Moment::BeforeActing, 401)),
        ("410", Fault::status(Moment::BeforeActing, 410)),
        ("a page", Fault::Response(Moment::BeforeActing, page)),
        ("302", Fault::redirect(302, "http://localhost:1/elsewhere")),
    ];
    let cases = PROVIDERS.map(|provider| faults.clone().map(|fault| (provider, fault)));
    in_parallel(
        cases.as_flattened().to_vec(),
        |(provider, (name, fault))| {
            let sandbox = with_scenario(provider, Scenario::passing(20 * SECOND));
            let step = call(provider, &sandbox);
            let child = step.start();
            step.until_said(": running");
            sandbox.fault(status_requests(provider), Occasion::For(15 * SECOND), fault);
            let done = step.finish(child);
            assert_waited_to_the_end(&sandbox, &done, name);
            done.says("; still waiting").says("can be read again");
            assert_eq!(cancels(&sandbox), 0, "{done}");
        },
    );
}

/// A run that can't be read may still be cancellable.
#[test]
fn a_lost_run_is_cancelled() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let (sandbox, done, left) = lost(provider, |sandbox| {
            let refused = Fault::status(Moment::BeforeActing, 403);
            sandbox.fault(Route::any().method("GET"), Occasion::Every, refused);
        });
        let done = done.fails(&[
            "can't be read any more: a proxy, firewall or login page refused the request",
        ]);
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert!(left.contains("the cancel request was accepted"), "{left}");
    });
}

/// GitHub reports that a run has completed before it reports the conclusion.
#[test]
fn a_completed_run_without_a_conclusion_is_polled_again() {
    let cases = [
        (10 * SECOND, "success"),
        (Duration::from_hours(1), "failure"),
    ];
    in_parallel(cases.to_vec(), |(after, conclusion)| {
        let scenario = Scenario::passing(SECOND).concluded_after(after);
        let sandbox = with_scenario(Provider::GitHub, scenario);
        let began = Instant::now();
        let done = call(Provider::GitHub, &sandbox).run();
        assert_eq!(done.outputs["conclusion"], conclusion, "{done}");
        assert!(began.elapsed() > 9 * SECOND && began.elapsed() < 60 * SECOND);
        assert_eq!(cancels(&sandbox), 0, "{done}");
    });
}

#[test]
fn a_revoked_token_loses_the_run() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let (sandbox, done, _) = lost(provider, |sandbox| {
            sandbox.with_world(|world| {
                world.github.tokens.clear();
                world.gitlab.tokens.clear();
                world.bitbucket.tokens.clear();
            });
        });
        done.fails(&["can't be read any more: reading the "]);
        assert_eq!(sandbox.unfinished_runs().len(), 1);
    });
}

/// The credential isn't sent there, and the run counts as running.
#[test]
fn a_poll_redirected_to_another_server_does_not_end_the_wait() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let elsewhere = with_scenario(provider, Scenario::endless());
        let sandbox = with_scenario(provider, Scenario::endless());
        let target = format!("{}/api/v3/stolen", elsewhere.http_url());
        sandbox.fault(
            status_requests(provider),
            Occasion::Every,
            Fault::redirect(302, &target),
        );
        let done = call(provider, &sandbox).input("timeout", "6s").run();
        done.says("redirected to another server, which isn't followed (302); still waiting");
        assert_eq!(done.outputs["conclusion"], "timed-out", "{done}");
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(elsewhere.requests().len(), 0);
    });
}

/// A renamed repository is still the same one.
#[test]
fn a_poll_follows_a_redirect_on_the_same_server() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let step = call(Provider::GitHub, &sandbox).input("repository", "octo-org/renamed-app");
    let done = step.run().passes();
    assert_eq!(done.outputs["conclusion"], "success");
}

/// A new run may not be visible to readers yet.
#[test]
fn a_404_for_a_new_run_is_retried() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let missing = Fault::status(Moment::BeforeActing, 404);
        sandbox.fault(status_requests(provider), Occasion::First(5), missing);
        let done = call(provider, &sandbox).run();
        assert_waited_to_the_end(&sandbox, &done, "404");
    });
}

/// A run that is listed late is found late.
#[test]
fn a_search_survives_transient_failures() {
    in_parallel(transient_failures(), |(name, fault)| {
        let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
        let step = dispatch(&sandbox, "release");
        let child = step.start();
        until(&sandbox, "the trigger has come", |sandbox| {
            !sandbox.trigger_requests().is_empty()
        });
        let searches = Route::any().method("GET").path("/actions/runs");
        sandbox.fault(searches, Occasion::First(2), fault);
        let done = step.finish(child);
        assert_waited_to_the_end(&sandbox, &done, name);
    });
}

#[test]
fn an_end_seen_late_is_reported() {
    let sandbox = with_scenario(Provider::GitLab, Scenario::passing(Duration::ZERO));
    let hanging = Fault::Delay(Moment::AfterActing, 3 * SECOND);
    sandbox.fault(status_requests(Provider::GitLab), Occasion::Every, hanging);
    let done = call(Provider::GitLab, &sandbox).run();
    assert!(
        sandbox
            .runs()
            .iter()
            .all(|run| run.state == State::Completed)
    );
    assert_waited_to_the_end(&sandbox, &done, "late");
}

/// It says nothing about the token, so no permission is guessed.
#[test]
fn a_403_page_of_a_proxy_is_named_as_that() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let page = Response::body(403, "text/html", "<html>Blocked by the firewall</html>");
        sandbox.fault(
            Route::triggers(),
            Occasion::Every,
            Fault::Response(Moment::BeforeActing, page),
        );
        let done = call(provider, &sandbox).run();
        let done =
            done.fails(&["a proxy, firewall or login page refused the request in place of "]);
        done.outcome("rejected")
            .says("(403 with text/html, 36 bytes)")
            .says("hint: allow requests from this runner to that server");
    });
}

/// Each provider has its own place for it, and GitHub only a word. The log, the summary and `results` show it.
#[test]
fn the_reason_of_a_failed_run_is_shown() {
    let no_start: fn(&mut Value) = |run| {
        if run["conclusion"] == "failure" && run.get("run_number").is_some() {
            run["conclusion"] = json!("startup_failure");
        }
    };
    let no_minutes: fn(&mut Value) = |jobs| {
        for job in jobs.as_array_mut().into_iter().flatten() {
            job["failure_reason"] = json!("ci_quota_exceeded");
        }
    };
    let no_image: fn(&mut Value) = |pipeline| {
        if pipeline["state"]["name"] == "COMPLETED" {
            let error = json!({ "message": "no such image" });
            pipeline["state"]["result"] = json!({ "name": "ERROR", "error": error });
        }
    };
    let cases = vec![
        (
            Provider::GitHub,
            no_start,
            "startup_failure",
            "the workflow couldn't start. Most likely its file, or that of a workflow it calls, is invalid; the run's page shows the error",
        ),
        (
            Provider::GitLab,
            no_minutes,
            "failed",
            "job build: the namespace has used up its compute minutes",
        ),
        (Provider::Bitbucket, no_image, "ERROR", "no such image"),
    ];
    in_parallel(cases, |(provider, edit, word, reason)| {
        let sandbox = with_scenario(provider, Scenario::failing(SECOND));
        sandbox.fault(
            status_requests(provider),
            Occasion::Every,
            Fault::Edit(edit),
        );
        let done = call(provider, &sandbox).run();
        assert_eq!(done.outputs["conclusion"], "failure", "{done}");
        done.says(&format!(": {word}: {reason})"));
        let in_summary = format!("&#58; {}&#41;", reason.replace(": ", "&#58; "));
        assert!(done.summary.contains(&in_summary), "{done}");
        assert_eq!(done.result()["runs"][0]["provider_reason"], reason);
    });
}
