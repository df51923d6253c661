//! Reads `on-rerun` and `call-key`, and derives the markers that let another attempt of the job recognise the runs.

use std::collections::HashMap;

use uuid::Uuid;

use super::{HostRepository, one_of};
use crate::model::CallingRun;
use crate::providers::target::Target;
use crate::values::{Checked, Errors, InputError, Inputs};

const ON_RERUN: &str = "on-rerun";

/// What to do when the job is run again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnRerun {
    /// Trigger again.
    Repeat,
    /// Take up what an earlier attempt has started.
    Once,
}

pub(super) fn read(inputs: &Inputs) -> Checked<OnRerun> {
    let words = [("repeat", OnRerun::Repeat), ("once", OnRerun::Once)];
    one_of(inputs, ON_RERUN, &words)
}

/// Sets the markers of the targets that are to be triggered once. Every attempt derives the same ones.
pub(super) fn set_markers(
    targets: &mut [Target],
    step: &Inputs,
    host_repository: &HostRepository,
) -> Checked<()> {
    let mut errors = Errors::default();
    let mut ordinals: HashMap<String, u32> = HashMap::new();
    for target in targets {
        if target.recall.is_none() {
            continue;
        }
        let Some(run) = &host_repository.calling_run else {
            let what = "can't be `once`, because this step isn't part of a workflow run";
            return InputError::new(ON_RERUN, what)
                .hint("remove `on-rerun`")
                .fail();
        };
        if target.spec.marker().is_none() {
            let what = format!("can't be `once` for {target}, whose runs carry no marker");
            let hint = "set `marker-input` for it, or use `on-rerun: repeat`";
            errors.add([InputError::new(ON_RERUN, what).hint(hint)]);
            continue;
        }
        let identity = identity(target);
        let ordinal = ordinals.entry(identity.clone()).or_default();
        *ordinal += 1;
        let call = Call {
            host_repository,
            run,
            key: step.get("call-key").unwrap_or(&run.job),
            target: format!("{identity}\n{ordinal}"),
        };
        target.spec.set_marker(&call.marker(run.attempt));
        if let Some(recall) = &mut target.recall {
            recall.markers = (1..run.attempt)
                .map(|attempt| call.marker(attempt))
                .collect();
        }
    }
    errors.finish(|| Some(()))
}

/// What identifies a trigger among all of a workflow run.
struct Call<'a> {
    host_repository: &'a HostRepository,
    run: &'a CallingRun,
    key: &'a str,
    target: String,
}

impl Call<'_> {
    fn marker(&self, attempt: u64) -> String {
        let Self {
            host_repository,
            run,
            key,
            target,
        } = self;
        let server = &host_repository.server.web;
        let repository = host_repository.repository.as_deref().unwrap_or_default();
        let id = run.id;
        let name = format!("{server}\n{repository}\n{id}\n{attempt}\n{key}\n{target}");
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
    }
}

/// Identifies a target without its arguments, which may differ between attempts: they may contain a time.
fn identity(target: &Target) -> String {
    let location = &target.location;
    let parts = [
        target.provider().as_str(),
        location.server.web.as_str(),
        &location.repository.to_lowercase(),
        &target.spec.pipeline(),
        &target.spec.source().unwrap_or_default(),
    ];
    parts.join("\n")
}
