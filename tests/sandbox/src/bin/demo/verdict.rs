//! Compares the results with the expected ones.

use sandbox::world::{CommitStatus, StatusState};
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
    if !result.log.contains(scene.says) {
        differences.push(format!(
            "step {number}: its log doesn't say `{}`",
            scene.says
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
    (Provider::GitHub, 7),
    (Provider::GitLab, 3),
    (Provider::Bitbucket, 3),
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

/// The expected commit statuses of the only step that sets some.
const EXPECTED_STATUSES: [(&str, StatusState); 3] = [
    (
        "downstream / octo-group/tools/deployer",
        StatusState::Success,
    ),
    ("downstream / octo-org/app", StatusState::Success),
    ("downstream / octo-workspace/service", StatusState::Failure),
];

/// Returns the difference between the expected and the shown commit statuses.
pub(crate) fn of_statuses(shown: &[CommitStatus]) -> Option<String> {
    let actual = shown
        .iter()
        .map(|status| (status.context.as_str(), status.state));
    (!actual.eq(EXPECTED_STATUSES)).then(|| {
        let list = shown
            .iter()
            .map(|status| format!("{} ({})", status.context, status.state.as_str()));
        let list: Vec<_> = list.collect();
        format!("expected other commit statuses than {}", list.join(", "))
    })
}
