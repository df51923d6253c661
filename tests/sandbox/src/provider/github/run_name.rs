//! A run's title, from the `run-name` of its workflow. Supports the part of GitHub's expression language that markers
//! need: paths, 'literals' and `||`.

use serde_json::{Map, Value};

use crate::world::Workflow;

/// Returns the title of a `repository_dispatch` run; without a `run-name`, the event type.
pub(super) fn of_dispatch(workflow: &Workflow, event_type: &str, payload: &Value) -> String {
    title(workflow, event_type, |path| match path {
        "github.event.action" => event_type.to_owned(),
        _ => path
            .strip_prefix("github.event.client_payload.")
            .and_then(|keys| payload.pointer(&format!("/{}", keys.replace('.', "/"))))
            .map_or_else(String::new, text),
    })
}

/// Returns the title of a `workflow_dispatch` run; without a `run-name`, the name of the workflow.
pub(super) fn of_workflow_dispatch(workflow: &Workflow, inputs: &Map<String, Value>) -> String {
    title(workflow, &workflow.name, |path| {
        ["inputs.", "github.event.inputs."]
            .into_iter()
            .find_map(|prefix| inputs.get(path.strip_prefix(prefix)?))
            .map_or_else(String::new, text)
    })
}

fn title(workflow: &Workflow, default: &str, lookup: impl Fn(&str) -> String) -> String {
    let Some(template) = &workflow.run_name else {
        return default.to_owned();
    };
    let mut title = String::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, following) = after.split_once("}}").unwrap_or((after, ""));
        title.push_str(before);
        title.push_str(&evaluate(expression, &lookup));
        rest = following;
    }
    title.push_str(rest);
    match title.trim() {
        "" => default.to_owned(),
        title => title.to_owned(),
    }
}

/// Returns the first alternative that isn't empty.
fn evaluate(expression: &str, lookup: impl Fn(&str) -> String) -> String {
    expression
        .split("||")
        .map(str::trim)
        .map(|term| {
            let literal = term
                .strip_prefix('\'')
                .and_then(|term| term.strip_suffix('\''));
            literal.map_or_else(|| lookup(term), str::to_owned)
        })
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
