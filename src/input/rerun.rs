//! Reads `on-rerun` and `call-key`, and derives the markers and keys that let another attempt of the job recognise what
//! this one has started.

use std::collections::HashMap;

use uuid::Uuid;

use super::{HostRepository, one_of, status};
use crate::model::CallingRun;
use crate::providers::calling_repository::CallerAccess;
use crate::providers::status_note::KEY_LENGTH;
use crate::providers::target::{Recall, StatusKey, Target};
use crate::values::{Checked, Errors, InputError, Inputs};

const ON_RERUN: &str = "on-rerun";
const MARKER_INPUT: &str = "marker-input";

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

/// Decides by what another attempt recognises what the targets with `once` have started: by markers, which every attempt
/// derives in the same way, or else by commit statuses.
pub(super) fn remember(
    targets: &mut [Target],
    step: &Inputs,
    host_repository: &HostRepository,
    has_statuses: bool,
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
        let identity = identity(target);
        let ordinal = ordinals.entry(identity.clone()).or_default();
        *ordinal += 1;
        let call = Call {
            host_repository,
            run,
            key: step.get("call-key").unwrap_or(&run.job),
            target: format!("{identity}\n{ordinal}"),
        };
        target.recall = if target.spec.marker().is_some() {
            target.spec.set_marker(&call.marker(run.attempt));
            let earlier = (1..run.attempt).map(|attempt| call.marker(attempt));
            Some(Recall::Markers(earlier.collect()))
        } else if has_statuses {
            Some(Recall::Statuses(StatusKey {
                calling_run: run.clone(),
                key: call.status_key(),
            }))
        } else {
            errors.add([no_memory(target)]);
            continue;
        };
    }
    errors.finish(|| Some(()))
}

fn no_memory(target: &Target) -> InputError {
    let what = format!("can't be `once` for {target}, whose runs carry no marker");
    let hint = if target.provider().knows(MARKER_INPUT) {
        "set `marker-input` for it, or set `status`; or use `on-rerun: repeat`"
    } else {
        "set `status`, or use `on-rerun: repeat`"
    };
    InputError::new(ON_RERUN, what).hint(hint)
}

/// Returns the calling run if it may have earlier attempts with markers, and can perhaps be read.
pub(super) fn calling_run(
    step: &Inputs,
    host_repository: &HostRepository,
    targets: &[Target],
) -> Option<(CallerAccess, u64)> {
    let has_earlier = |target: &Target| match &target.recall {
        Some(Recall::Markers(earlier)) => !earlier.is_empty(),
        Some(Recall::Statuses(_)) | None => false,
    };
    targets.iter().any(has_earlier).then_some(())?;
    let run = host_repository.calling_run.as_ref()?;
    Some((status::caller(step, host_repository).ok()?, run.id))
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
        self.uuid(&attempt.to_string()).to_string()
    }

    /// The same in every attempt, and in no other run.
    fn status_key(&self) -> String {
        let digits = self.uuid("status").simple().to_string();
        digits.chars().take(KEY_LENGTH).collect()
    }

    fn uuid(&self, purpose: &str) -> Uuid {
        let Self {
            host_repository,
            run,
            key,
            target,
        } = self;
        let server = &host_repository.server.web;
        let repository = host_repository.repository.as_deref().unwrap_or_default();
        let id = run.id;
        let name = format!("{server}\n{repository}\n{id}\n{purpose}\n{key}\n{target}");
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
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
