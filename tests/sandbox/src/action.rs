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

/// Returns a line of the log as the runner shows it: the message of an annotation without its title, the heading of a
/// group, and nothing for a mask. Other lines are unchanged.
pub fn shown(line: &str) -> Option<String> {
    let Some((command, data)) = line
        .strip_prefix("::")
        .and_then(|rest| rest.split_once("::"))
    else {
        return Some(line.to_owned());
    };
    let data = data
        .replace("%0A", "\n")
        .replace("%0D", "\r")
        .replace("%25", "%");
    let name = command.split(' ').next().unwrap_or_default();
    match name {
        "error" => Some(format!("Error: {data}")),
        "warning" => Some(format!("Warning: {data}")),
        "group" => Some(format!("▼ {data}")),
        "add-mask" | "debug" | "endgroup" => None,
        _ => Some(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_as_the_runner_shows_them() {
        for (line, expected) in [
            ("octo-org/app: queued", Some("octo-org/app: queued")),
            ("::add-mask::secret", None),
            ("::debug::octo-org/app: sent", None),
            ("::group::octo-org/app", Some("▼ octo-org/app")),
            ("::endgroup::", None),
            (
                "::error title=octo-org/app%3A rejected::100%25%0Ahint: fix it",
                Some("Error: 100%\nhint: fix it"),
            ),
            (
                "::warning::%250A isn't a line break",
                Some("Warning: %0A isn't a line break"),
            ),
            ("| ::error::quoted", Some("| ::error::quoted")),
        ] {
            assert_eq!(shown(line).as_deref(), expected, "{line}");
        }
    }
}
