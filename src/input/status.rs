//! Reads `status` and `status-commit`: whether and where the targets are shown as commit statuses.

use super::{HostRepository, certificates, has_line_break};
use crate::model::Secret;
use crate::providers::calling_repository::CallerAccess;
use crate::providers::location::Location;
use crate::providers::reference::{COMMIT_LENGTH, is_commit};
use crate::providers::target::StatusOptions;
use crate::values::{Checked, Errors, InputError, Inputs};

const STATUS: &str = "status";
const COMMIT: &str = "status-commit";
const TOKEN: &str = "github-token";

/// Maximum length of a name, in characters. The target's name may follow, and all of it is shown in pull requests.
const MAX_NAME: usize = 100;

/// Returns `None` if no statuses are set.
pub(super) fn read(
    step: &Inputs,
    host_repository: &HostRepository,
) -> Checked<Option<StatusOptions>> {
    let mut errors = Errors::default();
    let name = errors.take(name(step));
    if let Some(Switch::Off) = name {
        return errors.finish(|| Some(None));
    }
    let commit = errors.take(commit(step));
    let caller = errors.take(caller(step, host_repository));
    errors.finish(|| {
        let Switch::On(name) = name? else { return None };
        Some(Some(StatusOptions {
            repository: caller?,
            commit: commit?,
            name,
            has_list: step.raw("targets").is_some(),
        }))
    })
}

/// Reads how to reach the repository whose job runs this step.
pub(super) fn caller(step: &Inputs, host_repository: &HostRepository) -> Checked<CallerAccess> {
    let mut errors = Errors::default();
    let repository = errors.take(repository(host_repository));
    let token = errors.take(token(step));
    let certificates = errors.take(certificates(step));
    errors.finish(|| {
        Some(CallerAccess {
            location: Location {
                server: host_repository.server.clone(),
                repository: repository?,
                certificates: certificates?,
            },
            token: token?,
        })
    })
}

enum Switch {
    Off,
    /// With the name of the statuses, unless they have the default one.
    On(Option<String>),
}

fn name(step: &Inputs) -> Checked<Switch> {
    let Some(text) = step.get(STATUS) else {
        return Ok(Switch::Off);
    };
    if let Ok(is_on) = step.boolean(STATUS) {
        return Ok(if is_on { Switch::On(None) } else { Switch::Off });
    }
    let length = text.chars().count();
    let what = if has_line_break(text) {
        "contains a line break or another control character".to_owned()
    } else if length > MAX_NAME {
        format!("has {length} characters, but a name may have at most {MAX_NAME}")
    } else {
        return Ok(Switch::On(Some(text.to_owned())));
    };
    InputError::new(STATUS, what)
        .hint("use `true`, or a short name")
        .fail()
}

fn commit(step: &Inputs) -> Checked<String> {
    let error = |what: &str| {
        InputError::new(COMMIT, what)
            .hint("leave `status-commit` out to use the commit that the workflow runs for")
    };
    let Some(text) = step.get(COMMIT) else {
        return error("is empty").fail();
    };
    if is_commit(text) {
        return Ok(text.to_lowercase());
    }
    let what = format!("must be a full commit hash of {COMMIT_LENGTH} hexadecimal digits");
    error(&what).not(text).fail()
}

/// Returns the name of the repository whose job runs this step.
fn repository(host_repository: &HostRepository) -> Checked<String> {
    let provider = host_repository.provider;
    let name = provider.name();
    if let Some(forge) = host_repository.forge {
        let what = format!(
            "only works on {name}: this workflow runs on {forge}, whose API isn't {name}'s"
        );
        return InputError::new(STATUS, what).hint("remove `status`").fail();
    }
    let repository = host_repository.repository.clone();
    let valid = repository.filter(|name| provider.check_name(name).is_ok());
    valid.ok_or_else(|| {
        let what =
            format!("only works in a job on {name}: it sets statuses of the job's own commit");
        vec![InputError::new(STATUS, what).hint("remove `status`")]
    })
}

fn token(step: &Inputs) -> Checked<Secret> {
    let error = |what: &str| {
        InputError::new(STATUS, what)
            .hint("remove `github-token` from `with:`, so that it is `GITHUB_TOKEN`")
    };
    let Some(text) = step.get(TOKEN) else {
        return error("needs `github-token`, which is empty").fail();
    };
    let token = Secret::token(text);
    token.map_or_else(
        || error("needs `github-token`, which isn't a token").fail(),
        Ok,
    )
}
