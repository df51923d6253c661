//! Checks that `action.yml`, the README, the other documents and the binary agree. The code's own tables are compared
//! with `action.yml` in unit tests, in `src/values/table.rs` and `src/report.rs`.

mod architecture;
mod documents;
mod examples;
mod forms;
mod language;
mod migrating;
mod packages;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sandbox::{Sandbox, World, action, demo};
use serde_json::{Value, json};

use self::architecture::{source, sources};
use self::documents::{anchors, declared, document, documents, root, rows, yaml};
use self::examples::{examples, first_example, proxy, visible_log, world};
use crate::calls::in_parallel;
use crate::harness::{self, Step};
use crate::troubleshooting;

/// The README has the common inputs and all outputs, and links every name to its description in the reference.
#[test]
fn readme_tables_match_action_yml() {
    let readme = document("README.md");
    for (heading, what, page) in [
        ("## Inputs", "inputs", "docs/reference/inputs.md"),
        ("## Outputs", "outputs", "docs/reference/outputs.md"),
    ] {
        let written = rows(readme.section(heading));
        let all = declared(what).into_iter();
        let all: Vec<_> = all
            .map(|(name, _, description)| vec![format!("[`{name}`]({page}#{name})"), description])
            .collect();
        let in_order = all
            .iter()
            .filter(|row| written.iter().any(|shown| shown == *row));
        assert!(written.iter().eq(in_order), "{written:?}");
        assert!(
            what == "inputs" || written.len() == all.len(),
            "{written:?}"
        );
    }
}

#[test]
fn readme_fits_on_one_page() {
    assert!(document("README.md").text.lines().count() <= 250);
}

/// The page has a heading for each input, in the order of `action.yml`. Below it are the description, the default if
/// there is one, and more.
#[test]
fn input_reference_matches_action_yml() {
    let page = document("docs/reference/inputs.md");
    let inputs = declared("inputs");
    let headings: Vec<_> = page
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let names: Vec<_> = inputs.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(headings, names);
    for (name, default, description) in &inputs {
        let section = page.section(&format!("### `{name}`"));
        let mut start = format!("\n{description}.\n\n");
        if !default.is_empty() {
            start = format!("{start}Default: `{default}`\n\n");
        }
        let explanation = section
            .strip_prefix(&start)
            .unwrap_or_else(|| panic!("`{name}` doesn't start with:{start}"));
        assert!(!explanation.trim().is_empty(), "{name}");
        assert!(!explanation.contains("Default: `"), "{name} has no default");
    }
}

/// Only in a cancelled job does the runner start the second entry point, which the image has beside the first.
#[test]
fn a_cancelled_job_calls_the_second_entry_point() {
    let action = yaml(&document("action.yml").text).expect("action.yml is YAML");
    let runs = &action["runs"];
    let path = format!("/{}", harness::SECOND_CHANCE);
    assert_eq!(runs["using"], "docker");
    assert_eq!(runs["post-entrypoint"], path.as_str());
    assert_eq!(runs["post-if"], "cancelled()");
    assert!(runs["entrypoint"].is_null() && runs["pre-entrypoint"].is_null());
    let image = document("Dockerfile").text;
    assert!(image.contains(&format!("ln -s trigger-pipeline /image{path}\n")));
}

/// For runners without Docker. From `inputs` to `outputs` the file is a copy of the other one.
#[test]
fn native_action_has_the_same_inputs_and_outputs() {
    let part = |path: &str| {
        let text = document(path).text;
        let (_, rest) = text.split_once("\ninputs:\n").expect("it has inputs");
        let (part, _) = rest.split_once("\nruns:\n").expect("`runs` is last");
        part.to_owned()
    };
    assert_eq!(part("native/action.yml"), part("action.yml"));
}

/// `cancelled()` starts the binary again, under its second name.
#[test]
fn native_action_has_a_post_step_for_cancelled_jobs() {
    let action = yaml(&document("native/action.yml").text).expect("native/action.yml is YAML");
    let runs = &action["runs"];
    assert_eq!(runs["using"], "node24");
    assert_eq!(runs["post-if"], "cancelled()");
    let script = |key: &str| {
        let name = runs[key].as_str().expect("a script");
        document(format!("native/{name}")).text
    };
    let second = format!("'{}')", harness::SECOND_CHANCE);
    assert!(script("post").contains(&second));
    assert!(script("main").contains("'trigger-pipeline')"));
}

#[test]
fn output_reference_matches_action_yml() {
    let page = document("docs/reference/outputs.md");
    let outputs: Vec<_> = declared("outputs")
        .into_iter()
        .map(|(name, _, description)| vec![format!("`{name}`"), description])
        .collect();
    assert_eq!(rows(&page.text), outputs);
}

#[test]
fn harness_lists_every_input_and_output() {
    let inputs: Vec<_> = declared("inputs")
        .into_iter()
        .map(|(name, default, _)| (action::variable(&name), default))
        .collect();
    assert_eq!(action::defaults("${{ github.token }}"), inputs);
    let outputs: Vec<_> = declared("outputs")
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(harness::OUTPUTS.as_slice(), outputs);
}

#[test]
fn every_outcome_is_documented() {
    let (_, _, description) = declared("outputs").swap_remove(0);
    let conclusions = document("docs/reference/conclusions.md");
    let documented: Vec<_> = rows(conclusions.section("## Outcomes"))
        .iter()
        .map(|row| row[0])
        .collect();
    let (_, words) = description.split_once(": ").unwrap();
    assert_eq!(
        documented,
        words
            .split([',', ' '])
            .filter(|word| word.starts_with('`'))
            .collect::<Vec<_>>()
    );
}

#[test]
fn examples_use_every_declared_input_and_no_other() {
    let declared: BTreeSet<_> = declared("inputs")
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    let examples = examples();
    assert!(examples.len() >= 10, "they are found");
    for example in &examples {
        for (name, _) in &example.inputs {
            assert!(
                declared.contains(name),
                "{}: `{name}` is no input",
                example.place
            );
        }
        for (name, value) in example.keys() {
            let is_credential = ["token", "trigger-token", "private-key"].contains(&name);
            let is_secret = ["${{ secrets.", "${{ toJSON(secrets."]
                .iter()
                .any(|start| value.starts_with(start));
            assert!(
                !is_credential || is_secret,
                "{}: `{name}` is no secret",
                example.place
            );
        }
    }
    // Every input is shown in some example, except the internal one.
    let used: BTreeSet<_> = examples
        .iter()
        .flat_map(|example| example.inputs.iter().map(|(name, _)| name.clone()))
        .chain(["github-token".to_owned()])
        .collect();
    assert_eq!(used, declared);
}

/// The real binary accepts each example, and its dry run shows the request that the text after the example promises.
#[test]
fn the_binary_accepts_every_example() {
    let mut promises = 0;
    // A step that only follows has nothing to show.
    for example in examples().iter().filter(|example| !example.follows()) {
        let sandbox = Sandbox::start(world()).unwrap();
        let done = example.step(&sandbox).input("dry-run", "true").run();
        assert_eq!(done.code, Some(0), "{}\n{done}", example.place);
        done.outcome("not-sent");
        assert_eq!(done.warnings(), Vec::<String>::new(), "{}", example.place);
        assert_eq!(sandbox.runs().len(), 0, "{}", example.place);
        let line = done
            .log
            .lines()
            .find_map(|line| line.split_once(": would send "))
            .map(|(_, request)| request.to_owned());
        let sent = line.unwrap_or_else(|| panic!("{} shows no request\n{done}", example.place));
        if let Some((_, promise)) = example.after.split_once("Sends `POST ") {
            let (path, _) = promise.split_once('`').unwrap();
            assert!(
                sent.starts_with("POST ") && sent.ends_with(path),
                "{}: {sent}, not {path}",
                example.place
            );
            promises += 1;
        }
    }
    assert!(promises >= 6, "the words are found");
}

/// The sandbox, which is as strict as the providers, accepts what each example sends. In parallel, because most of
/// them wait.
#[test]
fn every_example_runs_against_the_sandbox() {
    in_parallel(examples(), |example| {
        // The demo world has no workflow in the host's own repository.
        let dry = example.input("dry-run").is_some();
        let names = ["repository", "targets", "follow"];
        let own = names.iter().all(|name| example.input(name).is_none());
        let sandbox = Sandbox::start(world()).unwrap();
        let done = example.step(&sandbox).run();
        assert_eq!(done.code, Some(0), "{}\n{done}", example.place);
        done.outcome(match dry {
            _ if example.follows() => "",
            true => "not-sent",
            false => "accepted",
        });
        let waited = example.input("wait") == Some("true") || example.follows();
        let conclusion = if waited { "success" } else { "" };
        assert_eq!(done.outputs["conclusion"], conclusion, "{}", example.place);
        assert_eq!(
            sandbox.runs().is_empty(),
            dry || own,
            "{}\n{done}",
            example.place
        );
        let tunnels = proxy().seen().into_iter().filter(|request| {
            request.passed && request.target == format!("127.0.0.1:{}", sandbox.https_port())
        });
        let direct = sandbox.connections() - tunnels.count();
        let expected = if example.is_proxied() {
            0
        } else {
            sandbox.connections()
        };
        assert_eq!(direct, expected, "{}\n{done}", example.place);
        for request in sandbox.requests() {
            assert!(
                request.objections.is_empty(),
                "{}: {:?}",
                example.place,
                request.objections
            );
        }
    });
}

#[test]
fn the_documented_dry_run_log_is_real() {
    const PAGE: &str = "docs/guides/dry-run.md";
    let [log] = document(PAGE)
        .blocks()
        .into_iter()
        .filter(|block| block.language == "text")
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|_| panic!("one log"));
    let sandbox = harness::sandbox();
    assert_eq!(
        visible_log(&first_example(PAGE).step(&sandbox).run(), &sandbox),
        log.code
    );
}

#[test]
fn the_log_in_the_readme_is_real() {
    let sandbox = Sandbox::start(world()).unwrap();
    let done = first_example("README.md").step(&sandbox).run().passes();
    assert_shows_part_of("README.md", &visible_log(&done, &sandbox));
}

#[test]
fn the_documented_log_of_a_failure_is_real() {
    let sandbox = Sandbox::start(world()).unwrap();
    let done = Step::bitbucket(&sandbox)
        .input("ref", "develop")
        .input("custom-pipeline", "nightly")
        .input("wait", "true")
        .run();
    let log = done
        .log
        .replace(&sandbox.http_url(), "https://bitbucket.org");
    assert_shows_part_of("docs/start.md", &as_shown_by_the_runner(&log));
}

#[test]
fn the_documented_end_of_a_log_of_several_targets_is_real() {
    const PAGE: &str = "docs/guides/many-targets.md";
    let sandbox = Sandbox::start(world()).unwrap();
    let server = sandbox.http_url();
    let targets = json!([
        { "repository": "octo-org/app", "workflow": "build.yml", "token": demo::GITHUB_CLASSIC },
        {
            "provider": "gitlab",
            "server-url": server,
            "repository": "octo-group/tools/deployer",
            "token": demo::GITLAB_DEVELOPER,
        },
        {
            "provider": "bitbucket",
            "server-url": server,
            "repository": "octo-workspace/service",
            "custom-pipeline": "nightly",
            "token": demo::BITBUCKET_ACCESS,
        },
    ]);
    let done = Step::on(&server)
        .input("targets", &targets.to_string())
        .input("ref", "main")
        .input("wait", "true")
        .run();
    let log = done.log.replace(&server, "https://bitbucket.org");
    let log = as_shown_by_the_runner(&log);
    assert_shows_part_of(PAGE, &log);
    // It is the end.
    let shown = document(PAGE).text;
    assert!(shown.contains(log.lines().last().unwrap()), "{log}");
}

/// Every line of the only log on a page appears in the real one, in that order. Numbers may differ, and `…` stands for
/// any lines.
fn assert_shows_part_of(page: &str, real: &str) {
    let [log] = document(page)
        .blocks()
        .into_iter()
        .filter(|block| block.language == "text")
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|_| panic!("{page}: one log"));
    let real_lines = without_numbers(real);
    let mut rest = real_lines.lines();
    for line in without_numbers(&log.code)
        .lines()
        .filter(|line| *line != "…")
    {
        assert!(
            rest.any(|real| real == line),
            "{page}: no line says: {line}\n{real}"
        );
    }
}

/// Errors without their titles, and groups without their commands.
fn as_shown_by_the_runner(log: &str) -> String {
    let lines = log.lines().map(|line| {
        if let Some((_, message)) = line
            .strip_prefix("::error ")
            .and_then(|error| error.split_once("::"))
        {
            return format!("Error: {}\n", message.replace("%0A", "\n"));
        }
        format!("{}\n", line.strip_prefix("::group::").unwrap_or(line))
    });
    lines.collect()
}

fn without_numbers(text: &str) -> String {
    text.chars().filter(|of| !of.is_ascii_digit()).collect()
}

#[test]
fn the_documented_results_are_real() {
    const PAGE: &str = "docs/reference/outputs.md";
    let [results] = document(PAGE)
        .blocks()
        .into_iter()
        .filter(|block| block.language == "json")
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|_| panic!("one example of `results`"));
    let sandbox = Sandbox::start(World::demo_with_scenarios().faster(3)).unwrap();
    let done = first_example(PAGE).step(&sandbox).run().passes();
    let shown: Value = serde_json::from_str(&results.code).unwrap();
    let real = done.outputs["results"].replace(&sandbox.http_url(), "https://github.com");
    let mut real: Value = serde_json::from_str(&real).unwrap();
    for (name, value) in real[0]["runs"][0].as_object_mut().unwrap() {
        if name.ends_with("_at") {
            assert!(
                value.as_str().is_some_and(|time| time.ends_with('Z')),
                "{value}"
            );
            *value = shown[0]["runs"][0][name].clone();
        }
    }
    assert_eq!(real, shown);
}

/// The source folder of each provider, and the minimum number of its reasons for rejections.
const EXPLAINED: [(&str, usize); 3] = [
    ("providers/github", 17),
    ("providers/gitlab", 17),
    ("providers/bitbucket", 9),
];

/// Each documented error appears in a single line of the source code.
#[test]
fn documented_errors_exist() {
    let lines: Vec<_> = sources()
        .iter()
        .map(|path| source(path).replace("\\\"", "\""))
        .flat_map(|source| source.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let errors: Vec<_> = troubleshooting::headings().collect();
    assert!(errors.len() >= 90, "they are found");
    for error in errors {
        assert!(
            lines
                .iter()
                .any(|line| troubleshooting::matches(line, error)),
            "{}: no error says: {error}",
            troubleshooting::PATH
        );
    }
}

/// Each reason that a provider's code can give for a rejection has a heading.
#[test]
fn every_explained_rejection_is_documented() {
    for (folder, minimum) in EXPLAINED {
        let reasons: Vec<_> = sources()
            .iter()
            .filter(|path| path.starts_with(folder))
            .flat_map(|path| reasons(&source(path)))
            .collect();
        assert!(reasons.len() >= minimum, "{folder}: they are found");
        for reason in reasons {
            assert!(
                troubleshooting::headings()
                    .any(|heading| troubleshooting::matches(&reason, heading)),
                "{} does not explain: {reason}",
                troubleshooting::PATH
            );
        }
    }
}

/// The first arguments of `with_reason`, `with_message` and `with_evidence` that are string literals.
fn reasons(source: &str) -> Vec<String> {
    let (source, _) = source.split_once("#[cfg(test)]").unwrap_or((source, ""));
    let literal = |arguments: &str| {
        let first = arguments.trim_start();
        let first = first.strip_prefix("format!(").unwrap_or(first).trim_start();
        let mut characters = first.strip_prefix('"')?.chars();
        let mut text = String::new();
        loop {
            match characters.next()? {
                '"' => return Some(text),
                '\\' => text.push(characters.next()?),
                other => text.push(other),
            }
        }
    };
    ["with_reason(", "with_message(", "with_evidence("]
        .into_iter()
        .flat_map(|call| source.split(call).skip(1))
        .filter_map(literal)
        .collect()
}

/// The binary enforces the limits that GitHub's page says are checked before anything is sent.
#[test]
fn documented_limits_are_enforced() {
    let object = |count: usize| {
        let members: Vec<_> = (0..count)
            .map(|number| format!("\"a{number}\":\"\""))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let long = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
    let page = document("docs/github.md");
    let mut limits: Vec<_> = rows(page.section("## Limits"));
    limits.retain(|row| row[2] == "an error before anything is sent");
    let event = |payload: String| {
        [
            ("event-type", "deploy".to_owned()),
            ("client-payload", payload),
        ]
    };
    let inputs = |inputs: String| [("workflow", "build.yml".to_owned()), ("inputs", inputs)];
    // In the order of the page: the maximum, and one more.
    let cases = [
        (
            100,
            [100, 101].map(|length| {
                [
                    ("event-type", "x".repeat(length)),
                    ("client-payload", "{}".to_owned()),
                ]
            }),
        ),
        (10, [10, 11].map(|count| event(object(count)))),
        (65_535, [65_527, 65_528].map(|length| event(long(length)))),
        (25, [25, 26].map(|count| inputs(object(count)))),
        (65_535, [65_534, 65_535].map(|length| inputs(long(length)))),
    ];
    assert_eq!(limits.len(), cases.len());
    let sandbox = harness::sandbox();
    let step = |given: &[(&str, String)]| {
        let step = Step::github(&sandbox).input("dry-run", "true");
        given
            .iter()
            .fold(step, |step, (name, value)| step.input(name, value))
    };
    for (row, (maximum, [within, beyond])) in limits.iter().zip(cases) {
        let number: String = row[1]
            .chars()
            .take_while(|of| *of != ' ')
            .filter(char::is_ascii_digit)
            .collect();
        assert_eq!(number, maximum.to_string(), "{row:?}");
        step(&within).run().passes();
        step(&beyond)
            .run()
            .fails(&[&format!("GitHub accepts at most {maximum}")]);
    }
    assert_eq!(sandbox.trigger_requests().len(), 0);
}

#[test]
fn every_link_resolves() {
    for document in documents() {
        let place = document.path.display();
        let prose = document.prose();
        for after in prose.split("](").skip(1) {
            let (link, _) = after
                .split_once(')')
                .unwrap_or_else(|| panic!("{place}: a link has no end"));
            if link.starts_with("https://") {
                continue;
            }
            // The README's badges, which show the state of the repository or fork that it is read in.
            if let Some(page) = link.strip_prefix("../../actions/workflows/") {
                let workflow = page.trim_end_matches("/badge.svg");
                let path = root().join(".github/workflows").join(workflow);
                assert!(path.exists(), "{place}: there is no {link}");
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = document.path.parent().unwrap();
            let target = if file.is_empty() {
                document.path.clone()
            } else {
                folder.join(file)
            };
            assert!(root().join(&target).exists(), "{place}: there is no {link}");
            if !anchor.is_empty() {
                let anchors = anchors(&self::document(target));
                assert!(
                    anchors.contains(anchor),
                    "{place}: there is no {link}; there are {anchors:?}"
                );
            }
        }
    }
}

/// The table of contents of the book has every page in `docs`, and nothing else.
#[test]
fn summary_lists_every_page() {
    const SUMMARY: &str = "docs/SUMMARY.md";
    let summary = document(SUMMARY);
    let listed: Vec<_> = summary
        .text
        .split("](")
        .skip(1)
        .filter_map(|after| Some(Path::new("docs").join(after.split_once(')')?.0)))
        .collect();
    let pages: BTreeSet<_> = documents()
        .into_iter()
        .map(|document| document.path)
        .filter(|path| path.starts_with("docs") && path != Path::new(SUMMARY))
        .collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), pages);
    assert_eq!(listed.len(), pages.len(), "each is listed once");
}

#[test]
fn tests_named_in_the_guarantees_exist() {
    let guarantees = document("docs/guarantees.md");
    let named: BTreeSet<_> = guarantees
        .text
        .split('`')
        .filter_map(|word| word.split_once("::"))
        .collect();
    assert!(named.len() > 40, "they are found");
    for (file, test) in named {
        let path = root().join(format!("tests/step/{file}.rs"));
        let source =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(
            source.contains(&format!("#[test]\nfn {test}() {{")),
            "there is no {file}::{test}"
        );
    }
}
