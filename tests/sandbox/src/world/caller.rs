//! The workflow run in which a step runs, so that the step can read it.

use std::time::Duration;

use super::{Provider, RefKind, Run, Scenario, Workflow, World};

/// The workflow of the caller, which no dispatch starts.
const WORKFLOW: &str = "ci.yml";
const WORKFLOW_ID: u64 = 901;

impl World {
    /// Adds the workflow run in which the step runs: of a workflow `ci.yml` on the default branch of a GitHub repository.
    /// Its attempts began this long ago, oldest first. The last one is going on, all others failed. For a later attempt
    /// see [`run_again`](Self::run_again). The run goes by the world's clock as it is now, so set that first.
    #[must_use]
    pub fn caller_run(mut self, repository: &str, id: u64, attempts: &[Duration]) -> Self {
        let mut run = Run::new(Provider::GitHub, repository, WORKFLOW, "push");
        run.workflow_id = WORKFLOW_ID;
        run.id = id;
        run.number = 1;
        "Say hello".clone_into(&mut run.title);
        "octocat".clone_into(&mut run.actor);
        run.by_stranger = true;
        let mut repositories = self.github.repositories.iter_mut();
        if let Some(caller) = repositories.find(|known| known.name == repository) {
            let branch = caller.git.default_branch.clone();
            let commit = caller.git.commit_of(RefKind::Branch, &branch);
            commit.unwrap_or_default().clone_into(&mut run.commit);
            run.reference = Some((RefKind::Branch, branch));
            if !caller.workflows.iter().any(|known| known.id == WORKFLOW_ID) {
                let workflow = Workflow::new(WORKFLOW_ID, WORKFLOW, "CI");
                caller.workflows.push(workflow);
            }
        }
        let now = self.now();
        run.clock = self.clock;
        run.scenario = Some(Scenario::endless());
        for (index, ago) in attempts.iter().enumerate() {
            if index == 0 {
                run.created_at = now - *ago;
            } else {
                run.rerun(now - *ago);
            }
            run.refresh(now);
        }
        self.runs.push(run);
        self
    }
}
