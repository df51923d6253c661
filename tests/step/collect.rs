//! What is read back from a run: the logs of failed jobs, shown in log and summary, and a result. Both may contain
//! anything.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use sandbox::world::{
    Artifact, Conclusion, Digest, GitLabVersion, JobScenario, Log, Scenario, Visibility,
};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox, World};
use serde_json::json;

use crate::calls::{PROVIDERS, SECOND, call, in_parallel, start, with_scenario};
use crate::harness::Done;

/// Hostile output or name of a remote job.
const HOSTILE: &str = "::set-output name=outcome::accepted ##[add-mask]a\r##[error]b\n::error::c\n</pre></details><script>d</script>\n```\n| a | b |\n[e](https://evil.example.com) ![f](g) `h` <!-- \u{1b}[31mred\u{1b}[0m\t#;:%%{init: {}}%% section x\n";

fn fails(log: Log) -> Scenario {
    let steps = JobScenario::new("integration", Duration::ZERO).fails_in("Run the tests");
    Scenario::new().job(steps.log(log))
}

#[test]
fn the_end_of_a_failed_jobs_log_is_shown() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let lines: Vec<_> = (1..=150).map(|line| format!("line {line}\n")).collect();
        let sandbox = with_scenario(provider, fails(Log::text(&lines.concat())));
        let done = call(provider, &sandbox).run();
        assert_eq!(done.code, Some(1), "{done}");
        done.says("the end of the log of job integration")
            .says("| line 51\n")
            .says("| line 150\n");
        assert!(
            !done.log.contains("| line 50\n"),
            "a hundred lines are shown"
        );
        assert_eq!(done.log.matches("::group::").count(), 1);
        assert_eq!(done.log.matches("::endgroup::").count(), 1);
        assert!(
            done.summary.contains("<details>") && done.summary.contains("line 150"),
            "{done}"
        );
        if provider == Provider::GitHub {
            done.says("failed in step \"Run the tests\"");
            assert!(done.errors()[0].contains("Run the tests"), "{done}");
            assert!(!done.log.contains("Z line 150"), "without times");
        }
    });
}

#[test]
fn logs_are_not_shown_if_turned_off() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, fails(Log::text("secret of the remote\n")));
        let done = call(provider, &sandbox).input("logs", "none").run();
        assert_eq!(done.code, Some(1), "{done}");
        assert!(!done.log.contains("secret of the remote"), "{done}");
        let requests = sandbox.requests();
        let is_log = |path: &str| {
            path.ends_with("/logs") || path.ends_with("/log") || path.ends_with("/trace")
        };
        assert!(requests.iter().all(|request| !is_log(&request.path)));
    });
}

/// It becomes no command (the harness checks that for every step), and no Markdown or HTML.
#[test]
fn remote_text_is_never_interpreted() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let job = JobScenario::new(HOSTILE, SECOND)
            .fails_in(HOSTILE)
            .log(Log::text(HOSTILE));
        let sandbox = with_scenario(provider, Scenario::new().job(job));
        let done = call(provider, &sandbox).run();
        assert_eq!(done.code, Some(1), "{done}");
        assert_eq!(done.outputs["outcome"], "accepted");
        assert_eq!(done.outputs["conclusion"], "failure");
        let summary = &done.summary;
        assert!(!summary.contains("<script>"), "{summary}");
        assert!(!summary.contains('\u{1b}'), "{summary}");
        // Inside `<pre>`, only its end tag means anything.
        let outside: Vec<_> = summary
            .split("<pre>")
            .filter_map(|part| part.split("</pre>").last())
            .collect();
        let outside = outside.concat();
        assert!(!outside.contains("](https://evil"), "{summary}");
        let fences = outside.matches("```").count();
        assert_eq!(fences, 2, "one diagram alone\n{summary}");
        let titles = summary
            .lines()
            .filter(|line| line.starts_with("<details><summary>"));
        assert!(
            titles.clone().all(|line| line.ends_with("</summary>")),
            "{summary}"
        );
        assert_eq!(titles.count(), 1);
        assert_eq!(summary.matches("</details>").count(), 1, "{summary}");
        assert_eq!(
            summary.matches("<pre>").count(),
            summary.matches("</pre>").count()
        );
        let diagram = summary.split("```").nth(1).expect("a diagram");
        // The first line sets where the bars begin; no other line is interpreted as a Mermaid setting.
        let (settings, diagram) = diagram.split_once("}}}%%\n").expect("settings");
        assert!(settings.starts_with("mermaid\n%%{init: {\"gantt\": {\"leftPadding\": "));
        assert!(
            !diagram.contains("%%") && !diagram.contains("\nsection x"),
            "{diagram}"
        );
        // Masks and annotations come only from this step.
        assert!(
            done.masks.iter().all(|mask| !mask.starts_with('a')),
            "{done}"
        );
        assert_eq!(done.errors().len(), 1, "{done}");
    });
}

/// Names that mean something to Mermaid, once did, or look as if they might.
const NAMES: [&str; 40] = [
    "section x",
    "title x",
    "gantt",
    "end",
    "done",
    "crit, done",
    "after 1",
    "until 2",
    "click 1 href x",
    "todayMarker off",
    "dateFormat x",
    "axisFormat %H",
    "tickInterval 1day",
    "excludes weekends",
    "weekday monday",
    "includes 2026-01-01",
    "inclusiveEndDates",
    "topAxis",
    "displayMode: compact",
    "accTitle: x",
    "accDescr { x }",
    "%% a comment",
    "%%{init: {}}%%",
    "---",
    "```",
    "~~~",
    "<br>x",
    "\"quoted\" 'names'",
    "a:b:c",
    "a;b;c",
    "a#b#35;",
    "call x()",
    "vert, milestone",
    "1d, 2d",
    "{a} [b] (c)",
    "\\\\ \u{0} \u{1b}[0m \u{202e}",
    "日本語 العربية 🚀",
    "$x^2$",
    "",
    "  ",
];

/// Keeps its summary for Mermaid's own parser (see `.ci/run`).
#[test]
fn every_name_fits_into_a_diagram() {
    let long = ["n".repeat(3_000), "section ".repeat(100)];
    let names = NAMES
        .into_iter()
        .chain(long.iter().map(String::as_str))
        .chain([HOSTILE]);
    let scenario = names.fold(Scenario::new(), |scenario, name| {
        scenario.job(JobScenario::new(name, SECOND))
    });
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("summaries");
    fs::create_dir_all(&folder).expect("a folder");
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = start(
            World::demo()
                .scenario(provider, scenario.clone())
                .faster(20),
        );
        let done = call(provider, &sandbox).run().passes();
        let diagram = done.summary.split("```").nth(1).expect("a diagram");
        assert_eq!(
            diagram.matches(" :done, ").count(),
            NAMES.len() + 3,
            "{diagram}"
        );
        fs::write(folder.join(format!("{provider}.md")), &done.summary).expect("a file");
    });
}

/// Only the end of the log is downloaded if the provider supports that. Otherwise it is read without filling the
/// memory.
#[test]
fn a_log_of_200_megabytes_uses_little_memory() {
    let cases = [
        (Provider::GitHub, GitLabVersion::New),
        (Provider::GitLab, GitLabVersion::New),
        (Provider::GitLab, GitLabVersion::Old),
        (Provider::Bitbucket, GitLabVersion::New),
    ];
    in_parallel(cases.to_vec(), |(provider, version)| {
        let log = Log::text("the very end\n").after(200_000_000);
        let sandbox = with_scenario(provider, fails(log));
        sandbox.with_world(|world| world.gitlab.version = version);
        let done = call(provider, &sandbox).run();
        assert_eq!(done.code, Some(1), "{done}");
        done.says("| the very end\n");
        assert!(done.log.len() < 50_000 && done.summary.len() < 50_000);
        let requests = sandbox.requests();
        let ranged = requests.iter().any(|request| {
            request.headers.get("range").is_some() || request.query.contains("byte_offset=")
        });
        assert!(ranged);
    });
}

#[test]
fn long_lines_are_cut() {
    let sandbox = with_scenario(Provider::GitLab, fails(Log::text(&"x".repeat(50_000))));
    let done = call(Provider::GitLab, &sandbox).run();
    let longest = done.log.lines().map(str::len).max().unwrap_or(0);
    assert!(longest < 2_000, "{longest}");
}

#[test]
fn an_unreadable_log_is_reported() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, fails(Log::text("x\n")));
        for path in ["/logs", "/trace", "/log"] {
            let gone = Fault::status(Moment::BeforeActing, 410);
            sandbox.fault(Route::any().method("GET").path(path), Occasion::Every, gone);
        }
        let done = call(provider, &sandbox).run();
        done.says("the log can't be shown: downloading the log failed (");
        assert_eq!(done.outputs["conclusion"], "failure");
    });
}

/// Forty jobs fail one after another, each with a long name and a long log.
#[test]
fn a_summary_stays_below_a_mebibyte() {
    let lines: Vec<_> = (0..200)
        .map(|_| format!("{}\n", "<&>".repeat(300)))
        .collect();
    let log = Log::text(&lines.concat());
    let scenario = (0..40).fold(Scenario::new(), |scenario, index| {
        let name = format!("job {index} {}", "n".repeat(3_000));
        let job = JobScenario::new(&name, SECOND).log(log.clone());
        scenario.job(job.concludes(Conclusion::Failure).is_not_needed())
    });
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let world = World::demo()
            .scenario(provider, scenario.clone())
            .faster(20);
        let done = call(provider, &start(world)).run();
        assert_eq!(done.code, Some(1), "{}", done.log.len());
        assert!(done.summary.len() < 1_048_576, "{}", done.summary.len());
        assert!(done.log.len() < 1_048_576, "{}", done.log.len());
        assert!(done.summary.contains("more sections didn't fit here"));
        assert_eq!(done.log.matches("::group::").count(), 10);
        done.says("the logs of 30 more failed jobs aren't shown");
    });
}

fn with_result(artifact: Artifact) -> Sandbox {
    with_scenario(Provider::GitHub, Scenario::new().artifact(artifact))
}

fn step_with_result(sandbox: &Sandbox) -> Done {
    let step = call(Provider::GitHub, sandbox).input("result-artifact", "result");
    step.run()
}

#[test]
fn a_result_comes_back() {
    let text = "{\"version\": 1.10, \"z\": [1e3, \"\\u00e4\"]}";
    let cases = [
        Artifact::new("result").file("result.json", text),
        Artifact::new("result").file("anything", text),
        Artifact::new("result")
            .file("notes.txt", "no JSON")
            .file("out/r.json", text),
        Artifact::new("result")
            .file("r.json", text)
            .digest(Digest::Missing),
        Artifact::new("result").file("r.json", format!("\n  {text}\n\n")),
        Artifact::new("result").file("r.json", format!("\u{feff}{text}")),
        // `archive: false`, with any content.
        Artifact::raw("result", text),
        Artifact::raw("result", format!("\u{feff}{text}\n")),
    ];
    for artifact in cases {
        let sandbox = with_result(artifact);
        let done = step_with_result(&sandbox).passes();
        // Numbers and keys stay as they were written.
        assert_eq!(done.outputs["result"], text);
    }
    let job = JobScenario::new("test:unit", Duration::ZERO).file("out/r.json", text);
    let sandbox = with_scenario(Provider::GitLab, Scenario::new().job(job));
    let step = call(Provider::GitLab, &sandbox);
    let done = step
        .input("result-artifact", "test:unit:out/r.json")
        .run()
        .passes();
    assert_eq!(done.outputs["result"], text);
}

#[test]
fn a_missing_or_invalid_result_fails_the_step() {
    let result = |content: &str| Artifact::new("result").file("result.json", content);
    let cases = [
        (
            Artifact::new("other").file("result.json", "{}"),
            "the run has no artifact `result`",
        ),
        (
            result("{").file("x", ""),
            "not valid JSON (line 1, column 1)",
        ),
        (result(""), "not valid JSON"),
        (result("{}").expired(), "has expired"),
        (
            result("{}").digest(Digest::Wrong),
            "its SHA-256 doesn't match the one GitHub reports",
        ),
        (Artifact::new("result"), "is empty"),
        (Artifact::raw("result", "<html>"), "not valid JSON"),
        (
            Artifact::raw("result", "{}").digest(Digest::Wrong),
            "its SHA-256 doesn't match the one GitHub reports",
        ),
        (
            Artifact::raw("result", format!("\"{}\"", "x".repeat(1_048_576))),
            "larger than the limit of 1048576 bytes",
        ),
        (
            result("{}").file("more.json", "{}"),
            "contains several files: result.json, more.json",
        ),
        (
            Artifact::new("result").file("a", "1").file("b", "2"),
            "contains several files: a, b",
        ),
        (
            result(&format!("\"{}\"", "x".repeat(1_048_576))),
            "larger than the limit of 1048576 bytes",
        ),
        (
            result(&format!("\"{}\"", "x".repeat(30_000_000))),
            "larger than the limit of 1048576 bytes",
        ),
    ];
    in_parallel(cases.to_vec(), |(artifact, why)| {
        let sandbox = with_result(artifact);
        let done = step_with_result(&sandbox).fails(&[why]);
        done.says("the result can't be read");
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
        assert_eq!(done.outputs["result"], "");
    });
    let job = JobScenario::new("deploy", Duration::ZERO).file("r.json", "no");
    for (artifact, why) in [
        ("deploy:r.json", "not valid JSON"),
        (
            "deploy:other.json",
            "the job `deploy` has no artifact `other.json`",
        ),
        (
            "ship:r.json",
            "the pipeline has no job `ship`. Its jobs are: deploy",
        ),
    ] {
        let sandbox = with_scenario(Provider::GitLab, Scenario::new().job(job.clone()));
        let step = call(Provider::GitLab, &sandbox).input("result-artifact", artifact);
        let done = step.run().fails(&[why]);
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
    }
}

/// The failure of the run counts, and it is reported once.
#[test]
fn a_failed_run_needs_no_result() {
    let sandbox = with_scenario(Provider::GitHub, fails(Log::text("x\n")));
    let done = step_with_result(&sandbox);
    assert_eq!(done.errors().len(), 1, "{done}");
    assert_eq!(done.outputs["result"], "");
}

#[test]
fn a_redirected_download_carries_no_credential() {
    let scenario = fails(Log::text("x\n"));
    let world = World::demo()
        .scenario(Provider::GitHub, scenario.clone())
        .scenario(Provider::Bitbucket, scenario);
    let sandbox = start(world);
    for provider in [Provider::GitHub, Provider::Bitbucket] {
        call(provider, &sandbox).run().says("| x\n");
    }
    let stored: Vec<_> = sandbox
        .requests()
        .into_iter()
        .filter(|request| request.provider.is_none())
        .collect();
    assert_eq!(stored.len(), 2);
    for request in stored {
        assert!(request.path.starts_with("/storage/"));
        assert_eq!(request.objections, Vec::<String>::new());
        assert_eq!(request.headers.get("authorization"), None);
    }
}

#[test]
fn an_interrupted_download_is_retried() {
    let artifact = Artifact::new("result").file("result.json", "{\"a\": 1}");
    let sandbox = with_result(artifact);
    sandbox.fault(
        Route::any().path("/storage/"),
        Occasion::First(1),
        Fault::Truncate,
    );
    let done = step_with_result(&sandbox).passes();
    assert_eq!(done.outputs["result"], "{\"a\": 1}");
}

/// Storage may lag behind the end of the run: anything that appears within ten seconds is read.
#[test]
fn late_logs_and_results_are_still_read() {
    const TEXT: &str = "{\"a\": 1}";
    let unlisted = Fault::Edit(|response| response["artifacts"] = serde_json::json!([]));
    let missing = || Fault::status(Moment::BeforeActing, 404);
    let github = |route: &'static str, fault: Fault| {
        let sandbox = with_result(Artifact::new("result").file("result.json", TEXT));
        sandbox.fault(Route::any().path(route), Occasion::First(2), fault);
        let done = step_with_result(&sandbox).passes();
        assert_eq!(done.outputs["result"], TEXT, "{done}");
    };
    let gitlab = || {
        let job = JobScenario::new("build", Duration::ZERO).file("r.json", TEXT);
        let sandbox = with_scenario(Provider::GitLab, Scenario::new().job(job));
        let route = Route::any().path("/artifacts/");
        sandbox.fault(route, Occasion::First(2), missing());
        let step = call(Provider::GitLab, &sandbox).input("result-artifact", "build:r.json");
        let done = step.run().passes();
        assert_eq!(done.outputs["result"], TEXT, "{done}");
    };
    let log = |provider| {
        let sandbox = with_scenario(provider, fails(Log::text("the reason\n")));
        let route = Route::any().path(match provider {
            Provider::GitHub => "/logs",
            Provider::GitLab => "/trace",
            Provider::Bitbucket => "/log",
        });
        sandbox.fault(route, Occasion::First(2), missing());
        call(provider, &sandbox).run().says("| the reason\n");
    };
    thread::scope(|scope| {
        scope.spawn(|| github("/artifacts", unlisted.clone()));
        scope.spawn(|| github("/zip", missing()));
        scope.spawn(gitlab);
        for provider in PROVIDERS {
            scope.spawn(move || log(provider));
        }
    });
}

/// The step doesn't wait for a log that is gone, nor for the result of a run that failed.
#[test]
fn logs_that_are_gone_and_results_of_failed_runs_are_not_retried() {
    let sandbox = with_scenario(Provider::GitHub, fails(Log::text("x\n")));
    let route = || Route::any().path("/logs");
    let gone = Fault::status(Moment::BeforeActing, 410);
    sandbox.fault(route(), Occasion::Every, gone);
    let done = step_with_result(&sandbox);
    assert_eq!(done.errors().len(), 1, "{done}");
    let read = |end: &str| {
        let requests = sandbox.requests();
        let read = requests
            .iter()
            .filter(|request| request.path.ends_with(end));
        read.count()
    };
    assert_eq!((read("/logs"), read("/artifacts")), (1, 1), "{done}");
}

/// Once redirected away from the API, a download never carries the credential again, even if the storage redirects it
/// back.
#[test]
fn a_download_redirected_back_carries_no_credential() {
    let sandbox = with_scenario(Provider::GitHub, fails(Log::text("x\n")));
    let back = format!("{}/api/v3/repos/octo-org/app/back", sandbox.http_url());
    let fault = Fault::redirect(302, &back);
    sandbox.fault(Route::any().path("/storage/"), Occasion::Every, fault);
    let done = call(Provider::GitHub, &sandbox).run();
    assert_eq!(done.code, Some(1), "{done}");
    let requests = sandbox.requests();
    let mut returned = requests
        .iter()
        .filter(|request| request.path.ends_with("/back"))
        .peekable();
    assert!(returned.peek().is_some(), "{done}");
    for request in returned {
        assert_eq!(request.headers.get("authorization"), None);
    }
}

/// More people could see them in the caller's log than at the target.
#[test]
fn logs_of_a_private_target_are_not_shown_in_a_public_repository() {
    let cases = PROVIDERS.map(|provider| {
        [
            // The caller's repository, the target, `logs`, and whether the logs are shown.
            (provider, "public", "private", "", false),
            (provider, "public", "private", "failed", true),
            (provider, "private", "private", "", true),
            (provider, "unknown", "private", "", true),
            (provider, "public", "public", "", true),
        ]
    });
    in_parallel(
        cases.as_flattened().to_vec(),
        |(provider, caller, target, logs, is_shown)| {
            if (provider, target) == (Provider::Bitbucket, "public") {
                // The sandbox has no public Bitbucket repository.
                return;
            }
            let job = JobScenario::new("deploy", SECOND)
                .fails_in("Roll out")
                .log(Log::text("the password of the door\n"));
            let sandbox = with_scenario(provider, Scenario::new().job(job));
            sandbox.with_world(|world| {
                let is_private = target == "private";
                world.github.repositories[0].private = is_private;
                world.gitlab.projects[0].visibility = if is_private {
                    Visibility::Private
                } else {
                    Visibility::Public
                };
            });
            let step = call(provider, &sandbox).input("logs", logs);
            let event = json!({ "repository": { "private": caller == "private" } });
            let step = if caller == "unknown" {
                step
            } else {
                let path = step.file("event.json", &event.to_string());
                step.environment("GITHUB_EVENT_PATH", &path)
            };
            let done = step.run();
            assert_eq!(done.outputs["conclusion"], "failure", "{done}");
            done.says("job deploy");
            for text in [&done.log, &done.summary] {
                assert_eq!(
                    text.contains("the password of the door"),
                    is_shown,
                    "{done}"
                );
            }
            let is_said = done.log.contains("the logs of failed jobs aren't shown");
            assert_eq!(is_said, !is_shown, "{done}");
        },
    );
}
