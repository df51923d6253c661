//! The log as the runner shows it: of an annotation only its message, and ten of a kind on the page. Each failure shows
//! what failed, why, what to do, and a link.

use sandbox::world::{JobScenario, Log, RunDetails, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World, demo};
use serde_json::{Value, json};

use crate::calls::{PROVIDERS, SECOND, call, in_parallel, start, trigger, with_scenario};
use crate::harness::{Done, Step, sandbox};
use crate::troubleshooting::{self, anchor};

/// Number of annotations of a kind that the page of a run shows for each step.
const MAX_ANNOTATIONS: usize = 10;

/// Returns the log as the runner shows it.
fn shown(done: &Done) -> String {
    let lines = done.log.lines().filter_map(shown_line);
    lines.collect::<Vec<_>>().join("\n")
}

fn shown_line(line: &str) -> Option<String> {
    let Some(command) = line.strip_prefix("::") else {
        return Some(line.to_owned());
    };
    let (command, data) = command.split_once("::").expect("a command's form");
    let data = data.replace("%0A", "\n").replace("%25", "%");
    match command.split(' ').next().unwrap_or_default() {
        "error" => Some(format!("Error: {data}")),
        "warning" => Some(format!("Warning: {data}")),
        "group" => Some(data),
        _ => None,
    }
}

/// A failure, and what the log must show of it.
struct Case {
    name: &'static str,
    fail: fn() -> (Sandbox, Done),
    /// The beginning of its error.
    subject: &'static str,
    cause: &'static str,
    what_to_do: &'static str,
}

fn run(sandbox: Sandbox, step: impl FnOnce(&Sandbox) -> Step) -> (Sandbox, Done) {
    let done = step(&sandbox).run();
    (sandbox, done)
}

fn reviewed() -> Scenario {
    Scenario::new()
        .job(JobScenario::new("deploy", SECOND).needs_approval("production", &["octocat"]))
}

fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "a failed run",
            fail: || {
                let job = JobScenario::new("deploy", SECOND).fails_in("helm upgrade");
                let job = job.log(Log::text("timed out waiting for the condition\n"));
                let sandbox = with_scenario(Provider::GitHub, Scenario::new().job(job));
                run(sandbox, |sandbox| call(Provider::GitHub, sandbox))
            },
            subject: "octo-org/app: run #1 failed after 1s",
            cause: "in job deploy, step \"helm upgrade\"",
            what_to_do: "timed out waiting for the condition",
        },
        Case {
            name: "a timeout",
            fail: || {
                let sandbox = with_scenario(Provider::GitLab, Scenario::endless());
                run(sandbox, |sandbox| {
                    call(Provider::GitLab, sandbox).input("timeout", "3s")
                })
            },
            subject: "octo-group/tools/deployer: run #1 was still running",
            cause: "after 3s (`timeout`)",
            what_to_do: "hint: increase `timeout`",
        },
        Case {
            name: "a timeout while a person is awaited",
            fail: || {
                let sandbox = with_scenario(Provider::GitHub, reviewed());
                run(sandbox, |sandbox| {
                    call(Provider::GitHub, sandbox).input("timeout", "3s")
                })
            },
            subject: "octo-org/app: run #1 was still waiting",
            cause: "for approval of the environment production by octocat after 3s (`timeout`)",
            what_to_do: "hint: next time, approve or start it on the run's page before `timeout` passes",
        },
        Case {
            name: "a blocked run",
            fail: || {
                let sandbox = with_scenario(Provider::GitHub, reviewed());
                run(sandbox, |sandbox| {
                    call(Provider::GitHub, sandbox).input("on-blocked", "fail")
                })
            },
            subject: "octo-org/app: run #1 was waiting for approval",
            cause: "of the environment production by octocat, and `on-blocked` is `fail`",
            what_to_do: "hint: start the pipeline again when somebody can approve it",
        },
        Case {
            name: "an unknown outcome",
            fail: || {
                let sandbox = sandbox();
                let reset = Fault::Reset(Moment::BeforeActing);
                sandbox.fault(Route::triggers(), Occasion::Every, reset);
                run(sandbox, |sandbox| trigger(Provider::Bitbucket, sandbox))
            },
            subject: "octo-workspace/service: ",
            cause: "The pipeline may or may not have been started. No new run appeared within 30 s",
            what_to_do: "hint: check whether it is running before you start it again",
        },
        Case {
            name: "several possible runs",
            fail: || {
                let sandbox = start(World::demo().strangers(&["octocat"]));
                sandbox.with_world(|world| {
                    world.github.run_details = RunDetails::RejectedWith(422);
                });
                run(sandbox, |sandbox| call(Provider::GitHub, sandbox))
            },
            subject: "octo-org/app: several runs of ",
            cause: "started after the trigger, and the step can't tell which one is its own: http",
            what_to_do: "hint: don't start other runs of that workflow at the same time",
        },
        Case {
            name: "no result",
            fail: || {
                let sandbox = with_scenario(Provider::GitHub, Scenario::new());
                run(sandbox, |sandbox| {
                    call(Provider::GitHub, sandbox).input("result-artifact", "result")
                })
            },
            subject: "octo-org/app: the result can't be read: ",
            cause: "result",
            what_to_do: "hint: ",
        },
        Case {
            name: "a cancelled run",
            fail: || {
                let scenario = Scenario::new().shows_final_status("cancelled");
                let sandbox = with_scenario(Provider::GitHub, scenario);
                run(sandbox, |sandbox| call(Provider::GitHub, sandbox))
            },
            subject: "octo-org/app: run #1 was cancelled after",
            cause: "`success-conclusions` doesn't include `cancelled`",
            what_to_do: "",
        },
    ]
}

#[test]
fn every_failure_shows_what_failed_why_what_to_do_and_a_link() {
    in_parallel(cases(), |case| {
        let (sandbox, done) = (case.fail)();
        assert_eq!(done.code, Some(1), "{}\n{done}", case.name);
        let shown = shown(&done);
        let begins = format!("\nError: {}", case.subject);
        assert!(shown.contains(&begins), "{}\n{shown}", case.name);
        for part in [case.cause, case.what_to_do] {
            assert!(shown.contains(part), "{}: {part}\n{shown}", case.name);
        }
        let (_, error) = shown.split_once(&begins).unwrap();
        let address = sandbox.http_url();
        let mut own = error.lines().filter(|line| !line.starts_with("help: "));
        let has_link = own.any(|line| line.contains(&address));
        assert!(has_link, "{}: a link\n{shown}", case.name);
        // The verdict is the last line, and also says which run.
        let last = shown.lines().last().unwrap_or_default();
        let (target, _) = case.subject.split_once(':').unwrap();
        assert!(last.starts_with(&format!("✗ {target} ")), "{last}");
        assert!(last.contains(&address), "{last}");
        assert_eq!(done.log.lines().last(), Some(last));
    });
}

/// An error, what it says and what to do, and the heading that explains it.
struct Explained {
    step: fn(&Sandbox) -> Step,
    says: &'static str,
    hint: &'static str,
    heading: &'static str,
}

fn explained() -> Vec<Explained> {
    vec![
        Explained {
            step: |sandbox| trigger(Provider::GitHub, sandbox).input("token", ""),
            says: "input `token`: is empty. The secret isn't set",
            hint: "",
            heading: "is empty. The secret isn't set…",
        },
        Explained {
            step: |sandbox| {
                trigger(Provider::GitHub, sandbox).environment("SSL_CERT_FILE", "/no/file")
            },
            says: "octo-org/app: SSL_CERT_FILE: `/no/file` can't be read",
            hint: "hint: use a path that exists where the action runs",
            heading: "SSL_CERT_FILE: … can't be read: …",
        },
        Explained {
            step: |sandbox| trigger(Provider::GitHub, sandbox).input("token", "ghp_wrong"),
            says: "octo-org/app: GitHub doesn't accept the token (GitHub answered 401",
            hint: "hint: the token is mistyped, expired or revoked",
            heading: "GitHub doesn't accept the token",
        },
        Explained {
            step: |sandbox| {
                trigger(Provider::GitLab, sandbox).input("repository", "octo-group/missing")
            },
            says: "octo-group/missing: the project doesn't exist, or the token can't access it",
            hint: "hint: check the spelling of `repository`",
            heading: "… doesn't exist, or the token can't access it",
        },
        Explained {
            step: |sandbox| {
                trigger(Provider::Bitbucket, sandbox).input("ref", "refs/heads/missing")
            },
            says: "octo-workspace/service: no branch is named `missing`",
            hint: "hint: check the spelling of `ref`",
            heading: "no … is named `…`",
        },
        Explained {
            step: |sandbox| call(Provider::GitLab, sandbox).input("timeout", "2s"),
            says: "octo-group/tools/deployer: run #1 was still running after 2s (`timeout`)",
            hint: "hint: increase `timeout`",
            heading: "… after … (`timeout`)",
        },
        Explained {
            step: |sandbox| {
                sandbox.fault(
                    Route::triggers(),
                    Occasion::Every,
                    Fault::status(Moment::AfterActing, 502),
                );
                trigger(Provider::GitHub, sandbox)
            },
            says: "The pipeline may or may not have been started",
            hint: "hint: check whether it is running before you start it again",
            heading: "The pipeline may or may not have been started",
        },
    ]
}

/// The errors as the runner shows them.
fn shown_errors(done: &Done) -> Vec<String> {
    let errors = done.log.lines().filter(|line| line.starts_with("::error "));
    errors.filter_map(shown_line).collect()
}

/// At night, the next thing to read is one click away: in the log and in the summary.
#[test]
fn an_error_ends_with_a_link_to_what_explains_it() {
    in_parallel(explained(), |case| {
        let sandbox = with_scenario(Provider::GitLab, Scenario::endless());
        let step = (case.step)(&sandbox);
        let done = step.run();
        assert_eq!(done.code, Some(1), "{done}");
        let errors = shown_errors(&done);
        let [error] = errors.as_slice() else {
            panic!("one error\n{done}");
        };
        let link = format!("{}#{}", step.page().unwrap(), anchor(case.heading));
        assert!(error.contains(case.says), "{}\n{error}", case.says);
        assert!(error.contains(case.hint), "{}\n{error}", case.hint);
        assert_eq!(error.lines().last(), Some(&*format!("help: {link}")));
        let in_summary = format!("<br>[More about this]({link})\n");
        assert!(done.summary.contains(&in_summary), "{done}");
        let entry = troubleshooting::entry(case.heading);
        assert!(entry.ends_with('.'), "it says what to do: {entry}");
        for result in done.results() {
            let error = result["error"].as_str().unwrap();
            assert!(!error.contains("help:"), "only a sentence: {error}");
        }
    });
}

/// A local action (`uses: ./`) has no repository.
#[test]
fn without_a_known_version_there_is_no_link() {
    let sandbox = sandbox();
    let wrong = || trigger(Provider::GitLab, &sandbox).input("token", "glpat-wrong");
    let local = wrong()
        .without("GITHUB_ACTION_REPOSITORY")
        .without("GITHUB_ACTION_REF");
    for (done, code) in [(local.run(), 1), (wrong().by_hand().run(), 3)] {
        assert_eq!(done.code, Some(code), "{done}");
        done.says("hint: the token is mistyped, expired or revoked");
        assert!(!done.log.contains("help:"), "{done}");
        assert!(!done.summary.contains("More about"), "{done}");
    }
}

fn missing_workflows(sandbox: &Sandbox, count: usize) -> Done {
    let target = |number: usize| {
        let workflow = format!("nothing-like-it-{number}.yml");
        json!({ "repository": "octo-org/app", "workflow": workflow, "ref": "main" })
    };
    let targets: Vec<_> = (0..count).map(target).collect();
    Step::on(&sandbox.http_url())
        .input("token", demo::GITHUB_CLASSIC)
        .input("targets", &Value::from(targets).to_string())
        .input("fail-fast", "true")
        .input("max-parallel", "32")
        .run()
}

/// Errors of the same cause are one message, however many targets have it.
#[test]
fn equal_errors_of_several_targets_are_one_message() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::endless());
    let target = |version: usize| json!({ "inputs": { "version": version.to_string() } });
    let targets: Vec<_> = (0..12).map(target).collect();
    let done = Step::github(&sandbox)
        .input("workflow", "build.yml")
        .input("ref", "main")
        .input("targets", &Value::from(targets).to_string())
        .input("wait", "true")
        .input("timeout", "5s")
        .input("on-abandoned", "leave")
        .run()
        .fails(&["and 2 more: the run was still running after 5s (`timeout`)"]);
    let error = &done.errors()[0];
    assert!(
        error.starts_with("12 targets: timed-out: octo-org/app workflow build.yml [1], "),
        "{error}"
    );
    let first = &sandbox.runs()[0];
    assert!(
        error.contains(&format!("/actions/runs/{}", first.id)),
        "{error}"
    );
    let warnings = done.warnings();
    assert_eq!(warnings.len(), 1, "{done}");
    let why = "and 2 more: 12 runs may still be running: `on-abandoned` is `leave`";
    assert!(warnings[0].contains(why), "{done}");
    assert_eq!(done.log.lines().last(), Some("✗ 12 targets: 12 timed out"));
}

/// One wrong token for many repositories is one mistake. The error names them, and says only once what is wrong.
#[test]
fn repositories_that_one_token_cannot_access_are_one_message() {
    in_parallel(PROVIDERS.to_vec(), |provider: Provider| {
        let sandbox = sandbox();
        let (name, owner, what, token) = match provider {
            Provider::GitHub => ("github", "octo-org", "repository", demo::GITHUB_CLASSIC),
            Provider::GitLab => ("gitlab", "octo-group", "project", demo::GITLAB_DEVELOPER),
            Provider::Bitbucket => (
                "bitbucket",
                "octo-workspace",
                "repository",
                demo::BITBUCKET_ACCESS,
            ),
        };
        let step = |wait: &str| {
            let target = |number: usize| json!({ "repository": format!("{owner}/gone-{number}"), "ref": "main" });
            let targets: Vec<_> = (1..=12).map(target).collect();
            let step = Step::on(&sandbox.http_url())
                .input("provider", name)
                .input("server-url", &sandbox.http_url())
                .input("token", token)
                .input("targets", &Value::from(targets).to_string())
                .input("wait", wait);
            match provider {
                Provider::GitHub => step.input("workflow", "build.yml"),
                Provider::GitLab | Provider::Bitbucket => step,
            }
        };
        // With `wait` a read fails first, otherwise the trigger.
        for wait in ["true", "false"] {
            let names: Vec<_> = (1..=10)
                .map(|number| format!("{owner}/gone-{number}"))
                .collect();
            let names = names.join(", ");
            let done = step(wait).run().fails(&[&format!(
                "12 targets: not triggered: {names} and 2 more: the {what} doesn't exist, or the token can't access it"
            )]);
            assert_eq!(done.errors().len(), 1, "{done}");
        }
    });
}

/// The page shows no more, so the last one names the rest.
#[test]
fn no_annotation_is_lost_on_the_page() {
    let sandbox = sandbox();
    let done = missing_workflows(&sandbox, 14);
    let errors = done.errors();
    assert_eq!(errors.len(), MAX_ANNOTATIONS, "{done}");
    let last = &errors[MAX_ANNOTATIONS - 1];
    assert!(
        last.contains("and 5 more: octo-org/app workflow nothing-like-it-9.yml, "),
        "{last}"
    );
    assert_eq!(done.log.lines().last(), Some("✗ 14 targets: 14 rejected"));
}

/// Whoever reads from the top finds the cause first.
#[test]
fn causes_come_before_consequences() {
    let sandbox = sandbox();
    let target = |repository: &str| json!({ "repository": repository, "workflow": "build.yml", "ref": "main", "wait": true });
    let targets = [
        target("octo-org/app"),
        target("octo-org/private"),
        target("octo-org/missing"),
    ];
    let done = Step::on(&sandbox.http_url())
        .input("token", demo::GITHUB_CLASSIC)
        .input("targets", &Value::from(targets.as_slice()).to_string())
        .run()
        .fails(&[
            ": octo-org/missing: ",
            ": octo-org/app, octo-org/private: not triggered because another target has an error",
        ]);
    let table = done.summary.find("<code>octo-org/missing</code>").unwrap();
    assert!(table < done.summary.find("<code>octo-org/app</code>").unwrap());
    for entry in done.results() {
        assert!(entry["error"].is_string(), "{done}");
    }
}

#[test]
fn the_last_line_is_the_verdict() {
    let sandbox = start(World::demo().scenario(Provider::GitHub, Scenario::passing(SECOND)));
    let done = call(Provider::GitHub, &sandbox).run().passes();
    let page = format!(
        "{}/octo-org/app/actions/runs/{}",
        sandbox.http_url(),
        sandbox.runs()[0].id
    );
    let last = done.log.lines().last().unwrap();
    assert_eq!(
        last,
        format!("✓ octo-org/app build.yml #1 succeeded after 1s {page}")
    );
    // By hand, the outputs are printed before it.
    let done = call(Provider::GitLab, &sandbox)
        .input("wait", "false")
        .by_hand()
        .run();
    let last = done.log.lines().last().unwrap();
    assert!(
        last.starts_with("✓ octo-group/tools/deployer pipeline #1 was triggered http"),
        "{last}"
    );
}
