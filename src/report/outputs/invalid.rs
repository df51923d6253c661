//! The output `results` of a step whose inputs are invalid.

use serde::Serialize;

use super::Hide;
use crate::model::{InvalidTarget, Outcome};

/// An entry with the same keys as those of targets that were read.
#[derive(Serialize)]
struct InvalidEntry {
    provider: Option<&'static str>,
    repository: Option<String>,
    pipeline: Option<String>,
    outcome: Outcome,
    trigger_id: Option<String>,
    conclusion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    left_running: Option<String>,
    left_running_reason: Option<String>,
    runs: [(); 0],
}

/// Returns an entry for each target: without errors if the list would exceed `max_units` UTF-16 code units, and none if
/// it still would.
pub(super) fn results(targets: &[InvalidTarget], hide: Hide<'_>, max_units: usize) -> String {
    for has_errors in [true, false] {
        let entries: Vec<_> = targets
            .iter()
            .map(|target| entry(target, has_errors, hide))
            .collect();
        let json = serde_json::to_string(&entries)
            .unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"));
        if json.encode_utf16().count() <= max_units {
            return json;
        }
    }
    "[]".to_owned()
}

fn entry(target: &InvalidTarget, has_error: bool, hide: Hide<'_>) -> InvalidEntry {
    let error = hide(&target.error);
    InvalidEntry {
        provider: target.provider,
        repository: target.repository.as_deref().map(hide),
        pipeline: None,
        outcome: Outcome::NotSent,
        trigger_id: None,
        conclusion: None,
        error: has_error.then_some(error),
        left_running: None,
        left_running_reason: None,
        runs: [],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_stays_json_with_one_entry_per_target() {
        let targets: Vec<_> = (0..10)
            .map(|index| InvalidTarget {
                provider: Some("github"),
                repository: Some(format!("octo-org/app-{index}")),
                error: "x".repeat(100),
            })
            .collect();
        let results = |max_units| results(&targets, &str::to_owned, max_units);
        let full: serde_json::Value = serde_json::from_str(&results(100_000)).unwrap();
        assert_eq!(full[9]["error"], "x".repeat(100));
        let short: serde_json::Value = serde_json::from_str(&results(2_500)).unwrap();
        assert_eq!(short.as_array().map(Vec::len), Some(10));
        assert_eq!(short[9]["repository"], "octo-org/app-9");
        assert_eq!(short[9].get("error"), None);
        assert_eq!(results(100), "[]");
    }
}
