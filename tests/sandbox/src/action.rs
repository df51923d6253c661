//! The inputs declared in `action.yml`, as the runner passes them to the container. Tests and the demo use them to
//! start the binary as the runner would.

const ACTION: &str = include_str!("../../../action.yml");

/// Returns the environment variable in which the runner passes an input.
pub fn variable(input: &str) -> String {
    format!("INPUT_{}", input.to_uppercase().replace(' ', "_"))
}

/// Returns the variables of all inputs with their default values, in the order of `action.yml`.
pub fn defaults(workflow_token: &str) -> Vec<(String, String)> {
    let inputs = between(ACTION, "\ninputs:\n", "\noutputs:\n");
    let mut defaults: Vec<(String, String)> = Vec::new();
    for line in inputs.lines() {
        let unindented = line.strip_prefix("  ").unwrap_or_default();
        if let Some(name) = unindented.strip_suffix(':') {
            defaults.push((variable(name), String::new()));
        } else if let Some(default) = line.trim_start().strip_prefix("default: ")
            && let Some((_, value)) = defaults.last_mut()
        {
            let text = default.trim_matches('\'').replace("''", "'");
            *value = text.replace("${{ github.token }}", workflow_token);
        }
    }
    defaults
}

/// Returns an empty string if a delimiter is missing; no step of the demo can pass then.
fn between<'text>(text: &'text str, start: &str, end: &str) -> &'text str {
    text.split_once(start)
        .and_then(|(_, rest)| rest.split_once(end))
        .map_or("", |(part, _)| part)
}
