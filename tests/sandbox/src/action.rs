//! The inputs that `action.yml` declares, as the runner hands them to the container, so that
//! tests and the demo can start the binary as the runner would. Not here: anything about a provider.

const ACTION: &str = include_str!("../../../action.yml");

/// The environment variable of an input, as the runner names it.
pub fn variable(input: &str) -> String {
    format!("INPUT_{}", input.to_uppercase().replace(' ', "_"))
}

/// Variables and values of all inputs at their defaults, in the order of `action.yml`.
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

/// Empty where there is no such part, and then no step of the demo could pass.
fn between<'text>(text: &'text str, start: &str, end: &str) -> &'text str {
    text.split_once(start)
        .and_then(|(_, rest)| rest.split_once(end))
        .map_or("", |(part, _)| part)
}
