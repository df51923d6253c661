//! Responses with odd values in unimportant fields, or too large ones: the step goes on without those values. An odd
//! id or state is never interpreted.

use sandbox::world::{JobScenario, Scenario};
use sandbox::{Fault, Moment, Occasion, Provider, Route, Sandbox};
use serde_json::{Value, json};

use crate::calls::{
    PROVIDERS, SECOND, call, dispatch, in_parallel, own_runs, signal, status_requests, trigger,
    with_scenario,
};
use crate::harness::Done;

/// Bytes; more than is read of a response.
const TOO_LONG: usize = 5 * 1024 * 1024;
/// Fields that identify a run or describe its state.
const DECISIVE: [&str; 15] = [
    "id",
    "uuid",
    "build_number",
    "workflow_run_id",
    "status",
    "state",
    "conclusion",
    "result",
    "path",
    "head_branch",
    "display_title",
    "ref",
    "source",
    "key",
    "value",
];

/// Makes every other field odd, and adds unreadable entries to each list.
fn odd(value: &mut Value) {
    if let Some(entries) = value.as_array_mut() {
        entries.iter_mut().for_each(odd);
        entries.insert(0, json!({ "id": "x", "name": 7 }));
        entries.push(Value::Null);
    }
    let fields = value.as_object_mut().into_iter().flatten();
    for (_, field) in fields.filter(|(name, _)| !DECISIVE.contains(&name.as_str())) {
        if field.is_array() || field.is_object() {
            odd(field);
        } else {
            *field = if field.is_string() {
                json!(7)
            } else {
                json!("7")
            };
        }
    }
}

fn with_empty_times(value: &mut Value) {
    let entries = value.as_array_mut().into_iter().flatten();
    entries.for_each(with_empty_times);
    for (name, field) in value.as_object_mut().into_iter().flatten() {
        if ["_at", "_on"].iter().any(|end| name.ends_with(end)) {
            *field = json!("");
        } else {
            with_empty_times(field);
        }
    }
}

fn without_urls(value: &mut Value) {
    value["html_url"] = Value::Null;
    value["web_url"] = Value::Null;
}

fn too_long(value: &mut Value) {
    let padding = json!("x".repeat(TOO_LONG));
    match value.as_array_mut() {
        Some(entries) => entries.push(padding),
        None => value["padding"] = padding,
    }
}

fn reads() -> Route {
    Route::any().method("GET")
}

fn passes(sandbox: &Sandbox, done: &Done) {
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(done.outputs["outcome"], "accepted", "{done}");
    assert_eq!(done.outputs["conclusion"], "success", "{done}");
    assert!(!done.log.contains("; still waiting"), "{done}");
    assert_eq!(sandbox.trigger_requests().len(), 1, "{done}");
}

#[test]
fn a_run_is_monitored_despite_odd_fields() {
    let edits: [fn(&mut Value); 2] = [odd, with_empty_times];
    let cases = PROVIDERS.map(|provider| edits.map(|edit| (provider, edit)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, edit)| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        sandbox.fault(reads(), Occasion::Every, Fault::Edit(edit));
        let step = call(provider, &sandbox).input("timeout", "60s");
        let done = step.run();
        passes(&sandbox, &done);
        let run = &done.result()["runs"][0];
        assert_eq!(run["state"], "completed", "{done}");
    });
}

/// The same for the runs of a search.
#[test]
fn an_odd_run_does_not_hide_the_others() {
    let edits: [fn(&mut Value); 2] = [odd, with_empty_times];
    let providers = [Provider::GitHub, Provider::GitLab];
    let cases = providers.map(|provider| edits.map(|edit| (provider, edit)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, edit)| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        sandbox.fault(reads(), Occasion::Every, Fault::Edit(edit));
        let step = match provider {
            Provider::GitLab | Provider::Bitbucket => {
                let lost = Fault::Close(Moment::AfterActing);
                sandbox.fault(Route::triggers(), Occasion::Every, lost);
                call(provider, &sandbox).input("marker-input", "trigger_id")
            }
            Provider::GitHub => dispatch(&sandbox, "deploy-marked"),
        };
        let done = step.run();
        passes(&sandbox, &done);
        assert_eq!(done.result()["runs"][0]["matched_by"], "marker", "{done}");
    });
}

/// The page's URL can be derived from the id.
#[test]
fn a_response_without_a_url_is_accepted() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        let fault = Fault::Edit(without_urls);
        sandbox.fault(Route::triggers(), Occasion::Every, fault);
        let done = trigger(provider, &sandbox).run().passes();
        done.outcome("accepted");
        assert_eq!(done.result()["runs"][0]["matched_by"], "id", "{done}");
        let run = &own_runs(&sandbox)[0];
        let page = match provider {
            Provider::GitHub => format!("/{}/actions/runs/{}", run.repository, run.id),
            Provider::GitLab => format!("/{}/-/pipelines/{}", run.repository, run.id),
            Provider::Bitbucket => format!("/{}/pipelines/results/{}", run.repository, run.number),
        };
        let url = &done.outputs["run-url"];
        assert!(url.ends_with(&page), "{url} {page}");
    });
}

/// A run without a URL is still this step's own.
#[test]
fn a_run_without_a_url_is_cancelled_after_a_signal() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        let sandbox = with_scenario(provider, Scenario::endless());
        let fault = Fault::Edit(without_urls);
        sandbox.fault(Route::triggers(), Occasion::Every, fault);
        let step = call(provider, &sandbox);
        let child = step.start();
        step.until_said(": running");
        signal(&child, "INT");
        let done = step.finish(child);
        assert!(sandbox.runs()[0].cancelled, "{done}");
        assert_eq!(done.outputs["conclusion"], "cancelled", "{done}");
    });
}

/// The URL may end up in a script.
#[test]
fn only_urls_on_the_targets_server_are_passed_on() {
    let edits: [fn(&mut Value); 4] = [
        |value| each_url(value, |_| "javascript:alert(1)".to_owned()),
        |value| each_url(value, |_| "https://evil.example/octo-org/app".to_owned()),
        |value| each_url(value, |url| format!("{url}$(id)")),
        |value| each_url(value, |url| format!("{url}/{}", "x".repeat(2_000))),
    ];
    let cases =
        [Provider::GitHub, Provider::GitLab].map(|provider| edits.map(|edit| (provider, edit)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, edit)| {
        let job = JobScenario::new("build", SECOND).fails();
        let sandbox = with_scenario(provider, Scenario::new().job(job));
        sandbox.fault(Route::any(), Occasion::Every, Fault::Edit(edit));
        let done = call(provider, &sandbox).run();
        assert_eq!(done.outputs["conclusion"], "failure", "{done}");
        let run = &own_runs(&sandbox)[0];
        let url = &done.outputs["run-url"];
        assert!(url.ends_with(&format!("/{}", run.id)), "{url}");
        for foreign in ["javascript", "evil", "$(id)", "xxx"] {
            assert!(
                !done.log.contains(foreign) && !done.summary.contains(foreign),
                "{done}"
            );
        }
    });
}

fn each_url(value: &mut Value, change: fn(&str) -> String) {
    let entries = value.as_array_mut().into_iter().flatten();
    entries.for_each(|entry| each_url(entry, change));
    for (name, field) in value.as_object_mut().into_iter().flatten() {
        match field.as_str() {
            Some(url) if ["html_url", "web_url"].contains(&name.as_str()) => {
                *field = json!(change(url));
            }
            _ => each_url(field, change),
        }
    }
}

#[test]
fn a_response_about_another_run_or_without_a_state_does_not_end_the_wait() {
    let edits: [fn(&mut Value); 4] = [
        |value| value["id"] = json!(9_999_999),
        |value| value["id"] = json!("7"),
        |value| value["status"] = Value::Null,
        |value| value["conclusion"] = json!(["success"]),
    ];
    let gitlab: [fn(&mut Value); 3] = [edits[0], edits[1], edits[2]];
    let bitbucket: [fn(&mut Value); 4] = [
        |value| value["uuid"] = json!("{3b9fd2b1-4a10-4c1c-8b3a-0000000fffff}"),
        |value| value["uuid"] = json!(".."),
        |value| value["state"] = Value::Null,
        |value| value["state"]["name"] = json!(7),
    ];
    let of = |provider, edits: &[fn(&mut Value)]| {
        let cases = edits.iter().map(|edit| (provider, *edit));
        cases.collect::<Vec<_>>()
    };
    let cases = [
        of(Provider::GitHub, &edits),
        of(Provider::GitLab, &gitlab),
        of(Provider::Bitbucket, &bitbucket),
    ];
    in_parallel(cases.concat(), |(provider, edit)| {
        let sandbox = with_scenario(provider, Scenario::passing(SECOND));
        sandbox.fault(
            status_requests(provider),
            Occasion::First(2),
            Fault::Edit(edit),
        );
        let step = call(provider, &sandbox).input("timeout", "60s");
        let done = step.run().passes();
        done.says("; still waiting").says("can be read again");
        assert_eq!(done.outputs["conclusion"], "success", "{done}");
    });
}

/// A hundred runs with long commit messages exceed the maximum length of a response, and some servers fail at large
/// pages.
#[test]
fn a_smaller_page_is_read_if_a_large_one_fails() {
    let faults: [fn() -> Fault; 2] = [
        || Fault::Edit(too_long),
        || Fault::status(Moment::BeforeActing, 502),
    ];
    let cases = PROVIDERS.map(|provider| faults.map(|fault| (provider, fault)));
    in_parallel(cases.as_flattened().to_vec(), |(provider, fault)| {
        let job = JobScenario::new("build", SECOND);
        let sandbox = with_scenario(provider, Scenario::new().job(job.clone()).job(job));
        sandbox.fault(reads().query("=100"), Occasion::Every, fault());
        let done = call(provider, &sandbox).run();
        passes(&sandbox, &done);
        done.says("job build: success");
    });
    in_parallel(faults.to_vec(), |fault| {
        let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
        sandbox.fault(reads().query("=100"), Occasion::Every, fault());
        let done = dispatch(&sandbox, "deploy-marked").run();
        passes(&sandbox, &done);
    });
}

/// Nothing in them says that somebody else started the pipeline.
#[test]
fn a_bitbucket_pipeline_with_odd_fields_may_be_the_steps_own() {
    let edits: [fn(&mut Value); 4] = [
        |list| each_pipeline(list, |pipeline| pipeline["trigger"] = json!("manual")),
        |list| each_pipeline(list, |pipeline| pipeline["trigger"]["type"] = json!(7)),
        |list| each_pipeline(list, |pipeline| pipeline["created_on"] = json!("")),
        |list| each_pipeline(list, |pipeline| pipeline["created_on"] = Value::Null),
    ];
    in_parallel(edits.to_vec(), |edit| {
        let provider = Provider::Bitbucket;
        let sandbox = with_scenario(provider, Scenario::endless());
        let lost = Fault::Close(Moment::AfterActing);
        sandbox.fault(Route::triggers(), Occasion::Every, lost);
        let lists = reads().path_end("/pipelines");
        sandbox.fault(lists, Occasion::Every, Fault::Edit(edit));
        let done = trigger(provider, &sandbox).run();
        done.fails(&["This run might be the one: http"])
            .outcome("unknown");
    });
}

fn each_pipeline(list: &mut Value, change: fn(&mut Value)) {
    let pipelines = list["values"].as_array_mut().into_iter().flatten();
    pipelines.for_each(change);
}
