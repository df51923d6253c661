//! Names for the targets of a step, as short as they can be while no two are the same.

use std::collections::HashMap;

use crate::providers::target::Target;
use crate::text::untrusted::one_line;

/// Names each target after its repository. Where that isn't unique, the name also has the pipeline, such as
/// `octo-org/app workflow build.yml`, then the provider, then the position in the list, from 1.
pub(super) fn assign(targets: &mut [Target]) {
    let forms = targets.iter().enumerate();
    let forms: Vec<_> = forms
        .map(|(index, target)| forms_of(target, index))
        .collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for form in forms.iter().flatten() {
        *counts.entry(form).or_default() += 1;
    }
    for (target, forms) in targets.iter_mut().zip(&forms) {
        let [.., longest] = forms;
        let unique = forms.iter().find(|form| counts[form.as_str()] == 1);
        target.name.clone_from(unique.unwrap_or(longest));
    }
}

/// Returns the names that a target may have, the shortest first.
fn forms_of(target: &Target, index: usize) -> [String; 4] {
    let repository = &target.location.repository;
    let pipeline = format!("{repository} {}", one_line(&target.pipeline()));
    [
        repository.clone(),
        pipeline.clone(),
        format!("{} {pipeline}", target.provider().as_str()),
        format!("{pipeline} [{}]", index + 1),
    ]
}
