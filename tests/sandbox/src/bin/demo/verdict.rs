//! Whether everything went as it should, and what differed. Not here: how that is shown.

use sandbox::{Provider, RecordedRequest, Run};

use crate::scene::Scene;
use crate::step::Done;

/// What a step did differently.
pub(crate) fn of_step(number: usize, scene: &Scene, done: &Done) -> Vec<String> {
    let mut differences = Vec::new();
    let outcome = done.output("outcome");
    if outcome != scene.outcome {
        differences.push(format!(
            "step {number} should be {}, its outcome is {outcome:?}",
            scene.outcome
        ));
    }
    let conclusion = done.output("conclusion");
    if conclusion != scene.conclusion {
        differences.push(format!(
            "step {number} should end as {:?}, its conclusion is {conclusion:?}",
            scene.conclusion
        ));
    }
    let code = i32::from(!scene.passes());
    if done.code != Some(code) {
        differences.push(format!(
            "step {number} should end with exit code {code}, its exit code is {}",
            done.exit_code()
        ));
    }
    differences
}

/// The runs that the steps should start, by provider.
const STARTED: [(Provider, usize); 3] = [
    (Provider::GitHub, 3),
    (Provider::GitLab, 2),
    (Provider::Bitbucket, 2),
];

/// Just the runs that should be there, and no request that a client should not send.
pub(crate) fn of_world(runs: &[Run], requests: &[RecordedRequest]) -> Vec<String> {
    let mut differences = Vec::new();
    for (provider, expected) in STARTED {
        let started = runs.iter().filter(|run| run.provider == provider).count();
        if started != expected {
            differences.push(format!(
                "{expected} runs should have started on {provider}, there are {started}"
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
