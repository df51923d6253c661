//! The migration pages: the replaced step and its replacement send what the page shows, and start the same runs.

mod predecessor;
mod request;

use std::collections::BTreeSet;
use std::process::Command;

use sandbox::{Run, Sandbox};
use serde_json::Value;

use self::predecessor::{Inputs, PREDECESSORS, Predecessor, gh_workflow_run};
use self::request::{TriggerRequest, on};
use super::documents::{Block, declared, document, rows, yaml};
use super::examples::{ACTION, Example, evaluated, examples, world};
use crate::calls::in_parallel;

const CURL: &str = "docs/migrating/curl.md";
const GH: &str = "docs/migrating/gh-workflow-run.md";

/// A step before the migration and the one that replaces it.
struct Pair {
    /// The document and line of the replaced step.
    place: String,
    /// The replaced step: `uses` and `with`, or `run` and `env`.
    before: Value,
    /// The step of the same block that waits for its run.
    before_waits: Option<Value>,
    /// The request that it sends, as the page shows it.
    before_sends: String,
    after: Example,
    after_sends: String,
}

fn uses_this_action(step: &Value) -> bool {
    let uses = step["uses"].as_str().unwrap_or_default();
    uses.starts_with(ACTION)
}

/// Pairs in the order of the page: a step of the other action, its request, a step of this action, and its request if
/// it differs. Blocks in other languages are ignored.
fn pairs(page: &str) -> Vec<Pair> {
    let document = document(page);
    let blocks = document.blocks();
    let steps: Vec<(&Block, Option<Vec<Value>>)> = blocks
        .iter()
        .filter(|block| ["yaml", "http"].contains(&block.language.as_str()))
        .map(|block| {
            let steps = (block.language == "yaml").then(|| {
                let steps =
                    yaml(&block.code).unwrap_or_else(|why| panic!("{}: {why}", block.place));
                steps.as_array().expect("a list of steps").clone()
            });
            (block, steps)
        })
        .collect();
    let mut pairs = Vec::new();
    let mut rest = steps.as_slice();
    while let [(before, Some(steps)), after @ ..] = rest {
        rest = after;
        let [step, others @ ..] = steps.as_slice() else {
            panic!("{}: no step", before.place);
        };
        assert!(others.len() <= 1, "{}: too many steps", before.place);
        let before_waits = others.first().cloned();
        // An additional example of this action.
        if uses_this_action(step) {
            continue;
        }
        let [
            (before_sends, None),
            (after, Some(replacement)),
            others @ ..,
        ] = rest
        else {
            panic!(
                "{}: what does it send, and what comes after it?",
                before.place
            );
        };
        assert!(
            uses_this_action(&replacement[0]),
            "{}: this is no after",
            after.place
        );
        rest = others;
        let mut after_sends = &before_sends.code;
        if let [(different, None), others @ ..] = rest {
            after_sends = &different.code;
            assert_ne!(after_sends, &before_sends.code, "{}", different.place);
            rest = others;
        }
        let example = examples()
            .into_iter()
            .find(|example| example.place == after.place);
        pairs.push(Pair {
            place: before.place.clone(),
            before: step.clone(),
            before_waits,
            before_sends: before_sends.code.clone(),
            after: example.expect("an after is an example"),
            after_sends: after_sends.clone(),
        });
    }
    assert!(rest.is_empty(), "{page}: a request of nobody's");
    pairs
}

fn all_pairs() -> Vec<Pair> {
    let pages = PREDECESSORS.iter().map(|predecessor| predecessor.page);
    pages.chain([CURL, GH]).flat_map(pairs).collect()
}

fn string_map(node: &Value, sandbox: &Sandbox) -> Inputs {
    let members = node.as_object().expect("a mapping").iter();
    let text = |value: &Value| evaluated(value.as_str().expect("a string"), sandbox);
    Inputs(
        members
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
    )
}

/// The properties of the started runs that must be equal.
fn started_runs(sandbox: &Sandbox) -> Vec<String> {
    let what = |run: &Run| {
        format!(
            "{} {} {} {} {:?} {} {:?} {:?} {:?}",
            run.provider,
            run.repository,
            run.pipeline,
            run.event,
            run.reference,
            run.commit,
            run.inputs,
            run.variables,
            run.client_payload
        )
    };
    sandbox.runs().iter().map(what).collect()
}

#[test]
fn every_page_has_its_pairs() {
    for Predecessor { page, .. } in PREDECESSORS {
        assert_eq!(pairs(page).len(), 1, "{page}");
    }
    assert_eq!(pairs(CURL).len(), 6);
    assert_eq!(pairs(GH).len(), 1);
}

#[test]
fn the_replacement_sends_only_what_the_page_shows() {
    in_parallel(all_pairs(), |pair| {
        let place = &pair.after.place;
        let sandbox = Sandbox::start(world()).unwrap();
        let done = pair.after.step(&sandbox).run().passes();
        done.outcome("accepted");
        let sent: Vec<_> = sandbox
            .trigger_requests()
            .iter()
            .map(|request| TriggerRequest::recorded(request, &sandbox))
            .collect();
        let written = TriggerRequest::written(&pair.after_sends, &sandbox);
        assert_eq!(sent, [written], "{place}");
        if pair.after.input("wait").is_none() {
            assert_eq!(sandbox.request_count(), 1, "{place}");
        }
    });
}

/// If the page shows two requests, their difference has no effect.
#[test]
fn before_and_after_start_the_same_runs() {
    in_parallel(all_pairs(), |pair| {
        let before = Sandbox::start(world()).unwrap();
        let status = TriggerRequest::written(&pair.before_sends, &before).send(&before);
        assert!((200..300).contains(&status), "{}: {status}", pair.place);
        let after = Sandbox::start(world()).unwrap();
        pair.after.step(&after).run().passes();
        assert!(!started_runs(&after).is_empty(), "{}", pair.place);
        assert_eq!(
            started_runs(&before),
            started_runs(&after),
            "{}",
            pair.place
        );
    });
}

/// Checks which action a step uses, and that it sets only inputs of that action.
fn assert_uses(step: &Value, action: &str, inputs: &[&str]) {
    let uses = step["uses"].as_str().expect("an action");
    let (name, _) = uses.split_once('@').expect("a version");
    assert_eq!(name, action);
    for name in step["with"].as_object().expect("a mapping").keys() {
        assert!(
            inputs.contains(&name.as_str()),
            "{action} has no input `{name}`"
        );
    }
}

#[test]
fn gh_sends_what_its_page_shows() {
    for pair in pairs(GH) {
        let sandbox = Sandbox::start(world()).unwrap();
        let command = pair.before["run"].as_str().expect("a command");
        let environment = string_map(&pair.before["env"], &sandbox);
        assert_eq!(
            gh_workflow_run(command, &environment, &sandbox),
            TriggerRequest::written(&pair.before_sends, &sandbox),
            "{}",
            pair.place
        );
    }
}

#[test]
fn other_actions_send_what_their_pages_show() {
    for predecessor in PREDECESSORS {
        for pair in pairs(predecessor.page) {
            let sandbox = Sandbox::start(world()).unwrap();
            let inputs = string_map(&pair.before["with"], &sandbox);
            assert_uses(&pair.before, predecessor.action, predecessor.inputs);
            assert_eq!(
                pair.before_waits.is_some(),
                predecessor.waiter.is_some(),
                "{}",
                pair.place
            );
            if let (Some(step), Some((action, inputs))) = (&pair.before_waits, predecessor.waiter) {
                assert_uses(step, action, inputs);
            }
            assert_eq!(
                (predecessor.sends)(&inputs, &sandbox),
                TriggerRequest::written(&pair.before_sends, &sandbox),
                "{}",
                pair.place
            );
        }
    }
}

/// The table has one row for each of them, and names only existing inputs and outputs as replacements.
#[test]
fn inputs_and_outputs_of_the_other_actions_are_documented() {
    let own_names: BTreeSet<_> = ["inputs", "outputs"]
        .into_iter()
        .flat_map(declared)
        .map(|(name, ..)| name)
        .collect();
    let first = |cell: &str| {
        let (word, _) = cell.strip_prefix('`')?.split_once('`')?;
        Some(word.to_owned())
    };
    for predecessor in PREDECESSORS {
        let page = document(predecessor.page);
        let table = rows(page.section("## Inputs"));
        let documented: Vec<_> = table.iter().filter_map(|row| first(row[0])).collect();
        let waiter = predecessor.waiter.map_or(&[][..], |(_, inputs)| inputs);
        let known = [predecessor.inputs, predecessor.outputs, waiter].concat();
        assert_eq!(documented, known, "{}", predecessor.page);
        for row in table {
            if let Some(name) = first(row[1]) {
                assert!(own_names.contains(&name), "{}: `{name}`", predecessor.page);
            }
        }
    }
}

/// Runs the commands as the runner would, with the sandbox in place of the public servers.
#[test]
#[ignore = "needs bash and curl"]
fn curl_sends_what_its_page_shows() {
    for pair in pairs(CURL) {
        let sandbox = Sandbox::start(world()).unwrap();
        let script = pair.before["run"].as_str().expect("a script");
        let ended = Command::new("bash")
            .args(["-e", "-c", &on(&sandbox, &evaluated(script, &sandbox))])
            .envs(string_map(&pair.before["env"], &sandbox).0)
            // Ignore the user's own configuration.
            .env("HOME", env!("CARGO_TARGET_TMPDIR"))
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .expect("bash is there");
        assert!(ended.status.success(), "{}: {ended:?}", pair.place);
        let sent: Vec<_> = sandbox
            .requests()
            .iter()
            .map(|request| TriggerRequest::recorded(request, &sandbox))
            .collect();
        let written = TriggerRequest::written(&pair.before_sends, &sandbox);
        assert_eq!(sent, [written], "{}", pair.place);
    }
}
