//! Compares the results with the expected ones.

use sandbox::{Provider, RecordedRequest, Run};

use crate::scene::Scene;
use crate::step::StepResult;

/// Returns the differences between a step's expected and actual results.
pub(crate) fn of_step(number: usize, scene: &Scene, result: &StepResult) -> Vec<String> {
    let mut differences = Vec::new();
    let outcome = result.output("outcome");
    if outcome != scene.outcome {
        differences.push(format!(
            "step {number}: expected the outcome {}, got {}",
            shown(scene.outcome),
            shown(outcome)
        ));
    }
    let conclusion = result.output("conclusion");
    if conclusion != scene.conclusion {
        differences.push(format!(
            "step {number}: expected the conclusion {}, got {}",
            shown(scene.conclusion),
            shown(conclusion)
        ));
    }
    let code = i32::from(!scene.passes());
    if result.code != Some(code) {
        differences.push(format!(
            "step {number}: expected the exit code {code}, got {}",
            result.exit_code()
        ));
    }
    differences
}

fn shown(value: &str) -> String {
    if value.is_empty() {
        "(none)".to_owned()
    } else {
        format!("`{value}`")
    }
}

/// The expected number of runs, by provider.
const EXPECTED_RUNS: [(Provider, usize); 3] = [
    (Provider::GitHub, 5),
    (Provider::GitLab, 2),
    (Provider::Bitbucket, 2),
];

/// Returns the differences between the expected and the actual runs, and requests that a client must not send.
pub(crate) fn of_world(runs: &[Run], requests: &[RecordedRequest]) -> Vec<String> {
    let mut differences = Vec::new();
    for (provider, expected) in EXPECTED_RUNS {
        let started = runs.iter().filter(|run| run.provider == provider).count();
        if started != expected {
            differences.push(format!(
                "{provider}: expected {expected} runs, got {started}"
            ));
        }
    }
    let objections = requests.iter().flat_map(|request| {
        let objections = request.objections.iter();
        objections.map(|objection| format!("the sandbox objects: {objection}"))
    });
    differences.extend(objections);
    differences
}
