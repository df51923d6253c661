//! Which pipeline of GitLab's is triggered with what, and by which token: its inputs.

use std::rc::Rc;

use serde_json::value::RawValue;

use super::spec::{GitLabCredential, GitLabSpec};
use crate::model::{ResultArtifact, Secret};
use crate::providers::inputs::{InputContext, Token, reference, variables};
use crate::values::{Checked, Errors, Inputs, complain};

pub(super) fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<GitLabSpec> {
    let mut errors = Errors::default();
    let variables = errors.take(variables(inputs));
    let pipeline_inputs = errors.take(pipeline_inputs(inputs));
    let reference = errors.take(reference(inputs));
    let credential = errors.take(credential(inputs, context));
    errors.finish(|| {
        Some(GitLabSpec {
            reference: reference?,
            variables: variables?,
            inputs: pipeline_inputs?,
            credential: credential?,
        })
    })
}

/// An object. What is null has its default; GitLab knows no input that could be null.
fn pipeline_inputs(inputs: &Inputs) -> Checked<Option<Rc<RawValue>>> {
    const NAME: &str = "inputs";
    let Some(document) = inputs.document(NAME)? else {
        return Ok(None);
    };
    let typed = document.without_nulls().and_then(|set| {
        let is_empty = set.pairs()?.is_empty();
        Ok((!is_empty).then_some(set.typed()?.into()))
    });
    typed.map_err(|problem| vec![problem.complaint(NAME)])
}

/// A job and a path in its artifacts.
pub(super) fn result_artifact(inputs: &Inputs) -> Checked<Option<ResultArtifact>> {
    const NAME: &str = "result-artifact";
    let Some(text) = inputs.get(NAME) else {
        return Ok(None);
    };
    // A job's name may have colons, as `test:unit` has; a file's path hardly ever.
    match text.rsplit_once(':') {
        Some((job, path)) if !job.trim().is_empty() && !path.trim().is_empty() => {
            Ok(Some(ResultArtifact::OfJob {
                job: job.trim().to_owned(),
                path: path.trim().trim_start_matches('/').to_owned(),
            }))
        }
        _ => complain(
            NAME,
            "for GitLab it must be a job and a path in its artifacts, like `build:out/result.json`",
        ),
    }
}

fn credential(inputs: &Inputs, context: &InputContext<'_>) -> Checked<GitLabCredential> {
    let mut errors = Errors::default();
    let token = errors.take(context.token::<GitLabSpec>(inputs));
    let trigger = errors.take(trigger_token(inputs, context));
    let credential = token.zip(trigger).and_then(|(token, trigger)| {
        errors.take(match (trigger, token) {
            (Some(_), Token::Given(token)) if is_trigger_token(token.expose()) => complain(
                "token",
                "it looks like a trigger token, and `trigger-token` has one already: leave one out",
            ),
            (Some(trigger), Token::Given(reader)) => Ok(GitLabCredential::Trigger {
                token: trigger,
                reader: Some(reader),
            }),
            (Some(trigger), Token::NotGiven { .. } | Token::Empty) => {
                Ok(GitLabCredential::Trigger {
                    token: trigger,
                    reader: None,
                })
            }
            (None, Token::Given(token)) if is_trigger_token(token.expose()) => {
                Ok(GitLabCredential::Trigger {
                    token,
                    reader: None,
                })
            }
            (None, Token::Given(token)) => Ok(GitLabCredential::Access(token)),
            (None, Token::Empty) => context.empty("token"),
            (None, Token::NotGiven { .. }) => complain(
                "token",
                format!(
                    "a GitLab access token is needed, or a `trigger-token`. If one was meant to be there, its secret is not set{}",
                    context.or_withheld
                ),
            ),
        })
    });
    errors.finish(|| credential)
}

fn trigger_token(inputs: &Inputs, context: &InputContext<'_>) -> Checked<Option<Secret>> {
    const NAME: &str = "trigger-token";
    let Some(text) = inputs.get(NAME) else {
        return Ok(None);
    };
    if text.starts_with("glpat-") {
        let message = "it looks like an access token, which goes into `token`";
        return complain(NAME, message);
    }
    context.check_token::<GitLabSpec>(text, NAME).map(Some)
}

/// Whether a token can trigger pipelines of a GitLab project, and do nothing else.
pub(super) fn is_trigger_token(token: &str) -> bool {
    token.starts_with("glptt-")
}
