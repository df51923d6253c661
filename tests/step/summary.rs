//! The job summary, rendered as GitHub renders it: links can be followed, code is code, and what others wrote can't
//! become a link, a mention or markup.

use sandbox::world::{JobScenario, Log, RunDetails, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, Response, Route, World, demo};
use serde_json::{Value, json};

use crate::calls::{PROVIDERS, SECOND, call, in_parallel, start, trigger, with_scenario};
use crate::harness::{Done, Step};

/// Strings that would become links, mentions or markup.
const HOSTILE: &str = "www.evil.example https://evil.example/x bob@evil.example @octocat #1 octo-org/app#1 <img src=x> | a|b `c` [d](https://evil.example) **e** \u{202e}f";

/// Renders GitHub Flavored Markdown. GitHub removes dangerous HTML afterwards; the summary must not depend on that.
fn rendered(done: &Done) -> String {
    let mut options = comrak::Options::default();
    options.extension.autolink = true;
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.render.r#unsafe = true;
    comrak::markdown_to_html(&done.summary, &options)
}

/// Text with the elements around it, outermost first.
struct Piece {
    inside: Vec<String>,
    text: String,
}

/// Splits HTML into its text nodes.
fn pieces(html: &str) -> Vec<Piece> {
    let mut inside: Vec<String> = Vec::new();
    let mut pieces = Vec::new();
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        pieces.push(Piece {
            inside: inside.clone(),
            text: unescaped(text),
        });
        let (tag, after) = after.split_once('>').expect("a tag ends");
        rest = after;
        let name = tag.trim_start_matches('/').split([' ', '/']).next();
        let name = name.unwrap_or_default().to_owned();
        match tag.strip_prefix('/') {
            Some(_) => assert_eq!(inside.pop(), Some(name), "{html}"),
            None if ["br", "wbr", "hr", "input"].contains(&name.as_str()) => {}
            None => inside.push(name),
        }
    }
    pieces
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&quot;", "\"").replace("&amp;", "&")
}

/// The targets of all links.
fn links(html: &str) -> Vec<&str> {
    let links = html.split("<a href=\"").skip(1);
    let links = links.map(|link| link.split_once('"').expect("it ends").0);
    links.collect()
}

/// Checks that nothing was interpreted that shouldn't be.
fn assert_harmless(done: &Done, server: &str) {
    let html = rendered(done);
    for link in links(&html) {
        assert!(link.starts_with(server), "{link}\n{}", done.summary);
    }
    assert!(!html.contains("<img"), "{html}");
    assert!(!html.contains("<strong>e</strong>"), "{html}");
    assert!(!html.contains('\u{202e}'), "{html}");
    for Piece { inside, text } in pieces(&html) {
        // GitHub looks for mentions in neither of these.
        if ["code", "pre", "a"]
            .iter()
            .any(|name| inside.iter().any(|of| of == name))
        {
            continue;
        }
        for part in ["@octocat", "#1", "://", "www.", "bob@evil", "`"] {
            assert!(!text.contains(part), "{part} in {text:?}\n{}", done.summary);
        }
    }
    for row in html.split("<tr>").skip(2) {
        let (row, _) = row.split_once("</tr>").expect("it ends");
        let cells = html.matches("<th>").count();
        assert_eq!(row.matches("<td>").count(), cells, "{row}");
    }
}

#[test]
fn names_of_jobs_and_steps_are_only_shown() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let job = JobScenario::new(HOSTILE, SECOND).fails_in(HOSTILE);
        let scenario = Scenario::new().job(job.log(Log::text(HOSTILE)));
        let sandbox = with_scenario(provider, scenario);
        let done = call(provider, &sandbox).run();
        assert_eq!(done.code, Some(1), "{done}");
        assert_harmless(&done, &sandbox.http_url());
        let html = rendered(&done);
        let shown = pieces(&html);
        let in_code: String = shown
            .iter()
            .filter(|piece| piece.inside.iter().any(|name| name == "code"))
            .map(|piece| piece.text.as_str())
            .collect();
        assert!(in_code.contains("www.evil.example"), "{html}");
    });
}

#[test]
fn messages_of_a_provider_are_only_shown() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let body = match provider {
            Provider::GitHub | Provider::GitLab => json!({ "message": HOSTILE }),
            Provider::Bitbucket => json!({ "type": "error", "error": { "message": HOSTILE } }),
        };
        let sandbox = start(World::demo());
        let refused = Fault::Response(Moment::BeforeActing, Response::json(418, body));
        sandbox.fault(Route::triggers(), Occasion::Every, refused);
        let done = trigger(provider, &sandbox).run().fails(&["evil.example"]);
        assert_harmless(&done, &sandbox.http_url());
        assert!(done.summary.starts_with("### ✗ <code>"), "{done}");
        assert!(!done.summary.contains("Triggered pipelines"), "{done}");
    });
}

#[test]
fn links_can_be_followed_and_code_is_code() {
    let reviewed = JobScenario::new("deploy", SECOND).needs_approval("production", &["octocat"]);
    let sandbox = with_scenario(Provider::GitHub, Scenario::new().job(reviewed));
    let done = call(Provider::GitHub, &sandbox)
        .input("on-blocked", "fail")
        .run();
    let html = rendered(&done);
    let page = format!(
        "{}/octo-org/app/actions/runs/{}",
        sandbox.http_url(),
        sandbox.runs()[0].id
    );
    // In the table and in the sentence.
    assert_eq!(links(&html), [page.as_str(); 2], "{html}");
    let cell = format!("<td><a href=\"{page}\">#<wbr>1</a></td>");
    assert!(html.contains(&cell), "{html}");
    let sentence = format!(
        "<strong><code>octo-org/app</code></strong>: <a href=\"{page}\">run #<wbr>1</a> was waiting for approval"
    );
    assert!(html.contains(&sentence), "{html}");
    assert!(
        html.contains("<code>on-blocked</code> is <code>fail</code>"),
        "{html}"
    );
    assert_harmless(&done, &sandbox.http_url());
    assert!(html.contains("<td>✗ blocked</td>"), "{html}");
    assert!(html.contains("<td><code>main</code></td>"), "{html}");
}

/// The addresses of possible runs are links, because they are on the target's own server.
#[test]
fn possible_runs_are_links() {
    let sandbox = start(World::demo().strangers(&["octocat"]));
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let done = call(Provider::GitHub, &sandbox).run();
    let html = rendered(&done);
    for run in sandbox.runs() {
        let page = format!(
            "{}/octo-org/app/actions/runs/{}",
            sandbox.http_url(),
            run.id
        );
        assert!(links(&html).contains(&page.as_str()), "{html}");
    }
    assert_harmless(&done, &sandbox.http_url());
}

#[test]
fn a_match_by_time_is_a_note() {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
    let done = call(Provider::GitHub, &sandbox).run().passes();
    let note = "was identified only by its start time";
    assert_eq!(done.summary.matches(note).count(), 1, "{done}");
    assert!(
        done.summary
            .starts_with("### ✓ <code>octo-org/app</code> passed\n"),
        "{done}"
    );
}

#[test]
fn the_headline_counts_and_bad_targets_come_first() {
    let world = World::demo().scenario(Provider::GitHub, Scenario::passing(SECOND));
    let sandbox = start(world.scenario_of(
        Provider::GitHub,
        "octo-org/private",
        "deploy.yml",
        Scenario::failing(SECOND),
    ));
    let target = |repository: &str, workflow: &str| json!({ "repository": repository, "workflow": workflow, "ref": "main" });
    let targets = [
        target("octo-org/app", "build.yml"),
        target("octo-org/private", "deploy.yml"),
    ];
    let done = Step::on(&sandbox.http_url())
        .input("token", demo::GITHUB_CLASSIC)
        .input("targets", &Value::from(targets.as_slice()).to_string())
        .input("wait", "true")
        .run();
    assert_eq!(done.code, Some(1), "{done}");
    assert!(
        done.summary.starts_with("### ✗ 1 of 2 targets failed\n"),
        "{done}"
    );
    let html = rendered(&done);
    let rows: Vec<_> = html.split("<tr>").skip(2).collect();
    assert!(
        rows[0].contains("octo-org/private") && rows[0].contains("✗ failed"),
        "{html}"
    );
    assert!(
        rows[1].contains("octo-org/app") && rows[1].contains("✓ success"),
        "{html}"
    );
    assert!(
        done.log.ends_with("✗ 2 targets: 1 passed, 1 failed\n"),
        "{done}"
    );
}
