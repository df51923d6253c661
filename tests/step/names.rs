//! Names that others choose, of jobs, steps, branches and pipelines: they can't become links, mentions or markup, and
//! can't rearrange the line they are in.

use sandbox::world::{JobScenario, Log, Scenario};
use sandbox::{Provider, World};

use crate::calls::{PROVIDERS, SECOND, call, in_parallel, with_scenario};
use crate::harness::Done;

/// Names that GitHub's pages would turn into links or mentions, or that imitate other output.
const NAMES: [&str; 9] = [
    "www.evil.example",
    "bob@evil.example",
    "@octocat",
    "#1",
    "octo-org/app#1",
    "https://evil.example/x",
    "a|b",
    "`c` [d](https://evil.example) <img>",
    "\u{202e}drawkcab\u{2066}\u{200f}\u{61c}",
];

fn failing(name: &str) -> Scenario {
    let job = JobScenario::new(name, SECOND).fails_in(name);
    Scenario::new().job(job.log(Log::text(&format!("{name}\n"))))
}

/// The part of the summary that is interpreted as Markdown: without the diagram, blocks of HTML, and the action's own
/// links.
fn markdown(done: &Done) -> String {
    let parts = done.summary.split("```").step_by(2);
    let lines = parts.flat_map(str::lines);
    let mut is_html = false;
    let prose = lines.filter(|line| {
        is_html |= line.starts_with("<pre>");
        let is_prose = !is_html;
        is_html &= !line.ends_with("</pre>");
        is_prose
    });
    let prose: String = prose.flat_map(|line| [line, "\n"]).collect();
    let prose = without(&prose, "](http://127.0.0.1:", ")");
    without(&prose, "<a href=\"http://127.0.0.1:", "\">")
}

/// Removes everything from each `start` to the next `end`.
fn without(text: &str, start: &str, end: &str) -> String {
    let mut parts = text.split(start);
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once(end).expect("it ends").1);
    [first].into_iter().chain(rest).collect()
}

/// Checks that nothing in the summary's Markdown is a link, a mention or markup of others.
fn check(markdown: &str) {
    for part in [
        // Both as they are and HTML-escaped, because unescaping comes first.
        "www.",
        "bob@evil",
        "bob&#64;evil",
        "@octocat",
        "&#64;octocat",
        "#1 ",
        "#1\n",
        "#1<",
        "&#35;1",
        "://",
        "&#58;//",
        "](https",
        "<img",
        "a|b",
        "`",
    ] {
        assert!(!markdown.contains(part), "{part}\n{markdown}");
    }
}

#[test]
fn names_never_become_links_or_mentions() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        in_parallel(NAMES.to_vec(), |name| {
            let sandbox = with_scenario(provider, failing(name));
            let done = call(provider, &sandbox).run();
            assert_eq!(done.code, Some(1), "{done}");
            let markdown = markdown(&done);
            check(&markdown);
            // As code, in which GitHub doesn't look for mentions.
            assert!(markdown.contains(" in job <code>"), "{done}");
        });
    });
}

/// As far as such names may contain these characters.
#[test]
fn names_of_branches_and_pipelines_never_become_links_or_mentions() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        in_parallel(NAMES[..8].to_vec(), |name| {
            let sandbox = with_scenario(provider, Scenario::failing(SECOND));
            sandbox.with_world(|world| add(world, provider, name));
            let step = call(provider, &sandbox);
            let done = match provider {
                Provider::GitHub | Provider::GitLab => step.input("ref", &branch(name)),
                Provider::Bitbucket => step.input("custom-pipeline", name),
            }
            .run();
            assert_eq!(done.outputs["conclusion"], "failure", "{done}");
            check(&markdown(&done));
        });
    });
}

/// A branch can't contain all of these characters.
fn branch(name: &str) -> String {
    name.replace([' ', '[', ':'], "")
}

/// Adds a branch of this name, or a custom pipeline on Bitbucket. On GitHub, workflow and run get it as their title.
fn add(world: &mut World, provider: Provider, name: &str) {
    let branch = (
        branch(name),
        "0123456789abcdef0123456789abcdef01234567".to_owned(),
    );
    match provider {
        Provider::GitHub => {
            let repository = &mut world.github.repositories[0];
            repository.git.branches.push(branch);
            repository.workflows[0].run_name = Some(name.to_owned());
            name.clone_into(&mut repository.workflows[0].name);
        }
        Provider::GitLab => world.gitlab.projects[0].git.branches.push(branch),
        Provider::Bitbucket => {
            let pipelines = &mut world.bitbucket.repositories[0].custom_pipelines;
            pipelines.push(name.to_owned());
        }
    }
}

#[test]
fn bidirectional_control_characters_are_shown() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, failing(NAMES[8]));
        let done = call(provider, &sandbox).run();
        let hidden = ['\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}'];
        assert!(!done.log.contains(hidden), "{done}");
        assert!(!done.summary.contains(hidden), "{done}");
        done.says("job \\u{202e}drawkcab\\u{2066}\\u{200f}\\u{61c}: failure");
    });
}
