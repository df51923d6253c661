//! Warns about targets that would send the same request, which may be intended or a copied line.

use std::collections::HashMap;

use url::Url;

use super::Warning;
use super::entry::Position;
use crate::providers::any::ProviderKind;
use crate::providers::target::Target;

/// Returns one warning for each group of equal targets.
pub(super) fn warnings<'a>(
    targets: impl Iterator<Item = (&'a Target, &'a Position)>,
) -> Vec<Warning> {
    let mut groups: HashMap<RequestKey<'a>, Vec<&Position>> = HashMap::new();
    for (target, position) in targets {
        groups
            .entry(request_key(target))
            .or_default()
            .push(position);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_unstable_by_key(|group| group[0].index);
    groups.iter().filter_map(|group| warning(group)).collect()
}

fn warning(group: &[&Position]) -> Option<Warning> {
    let [first, second, more @ ..] = group else {
        return None;
    };
    let (others, times) = match more.len() {
        0 => (String::new(), "twice".to_owned()),
        more => (
            format!(", and so are {more} more"),
            format!("{} times", more + 2),
        ),
    };
    let first = first.entry_name();
    Some(second.warning(&format!(
        "is the same as {first}{others}. That pipeline will be triggered {times}"
    )))
}

/// Identifies a request, ignoring the credential, the marker and the wait options.
#[derive(PartialEq, Eq, Hash)]
struct RequestKey<'a> {
    server: &'a Url,
    /// In lower case, because providers ignore case in it.
    repository: String,
    provider: ProviderKind,
    parts: Vec<String>,
}

fn request_key(target: &Target) -> RequestKey<'_> {
    RequestKey {
        server: &target.location.server.web,
        repository: target.location.repository.to_lowercase(),
        provider: target.provider(),
        parts: target.spec.request_parts(),
    }
}
