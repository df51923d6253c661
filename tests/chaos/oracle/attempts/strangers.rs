//! Other people's runs are left alone.

use super::super::Violations;
use super::super::view::{asks, is_cancel};
use super::view::View;

/// A run that the step counts as certainly its own was started by this target, in this attempt or an earlier one.
pub(super) fn their_runs_are_not_taken_up(view: &View<'_>, violations: &mut Violations) {
    for target in &view.targets {
        for entry in view.entries(target) {
            for listed in entry.listed().filter(|listed| listed.is_certain()) {
                if target.started(listed).is_none() {
                    let what = format!("run {} is not its own", listed.id());
                    violations.add(target.in_attempt(entry.attempt, &what));
                }
            }
        }
    }
}

pub(super) fn their_runs_are_not_cancelled(view: &View<'_>, violations: &mut Violations) {
    for request in view
        .observed
        .requests
        .iter()
        .filter(|request| is_cancel(request))
    {
        let mut targets = view.targets.iter();
        let is_own = targets.any(|target| {
            let may_cancel = target
                .target
                .wait
                .is_some_and(|wait| wait.cancels_abandoned);
            may_cancel && target.runs.iter().any(|started| asks(request, started.run))
        });
        if !is_own {
            violations.add(format!("cancelled without a right: {}", request.path));
        }
    }
}
