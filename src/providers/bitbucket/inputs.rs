//! Which pipeline of Bitbucket's is triggered with what, and by which token: its inputs.

use super::spec::{BitbucketCredential, BitbucketSource, BitbucketSpec};
use crate::providers::inputs::{InputContext, Token, reference, variables};
use crate::values::{Checked, Errors, Inputs, complain};

pub(super) fn read(inputs: &Inputs, context: &InputContext<'_>) -> Checked<BitbucketSpec> {
    let mut errors = Errors::default();
    let source = errors.take(source(inputs));
    let variables = errors.take(variables(inputs));
    let credential = errors.take(credential(inputs, context));
    errors.finish(|| {
        Some(BitbucketSpec {
            source: source?,
            custom_pipeline: inputs.get("custom-pipeline").map(str::to_owned),
            variables: variables?,
            credential: credential?,
        })
    })
}

fn source(inputs: &Inputs) -> Checked<BitbucketSource> {
    let mut errors = Errors::default();
    let commit = errors.take(commit(inputs));
    let reference = errors.take(reference(inputs));
    errors.finish(|| {
        Some(match (reference?, commit?) {
            (None, Some(commit)) => BitbucketSource::Commit(commit),
            (reference, commit) => BitbucketSource::Reference { reference, commit },
        })
    })
}

fn commit(inputs: &Inputs) -> Checked<Option<String>> {
    const NAME: &str = "commit";
    let commit = inputs.get(NAME).map(str::to_owned);
    let is_hash = |text: &String| {
        (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if commit.as_ref().is_some_and(|commit| !is_hash(commit)) {
        return complain(
            NAME,
            "it must be a commit's hash, 7 to 40 hexadecimal digits",
        );
    }
    Ok(commit)
}

fn credential(inputs: &Inputs, context: &InputContext<'_>) -> Checked<BitbucketCredential> {
    let mut errors = Errors::default();
    let token = errors.take(match context.token::<BitbucketSpec>(inputs) {
        Ok(Token::Given(token)) => Ok(token),
        Ok(Token::Empty) => context.empty("token"),
        Ok(Token::NotGiven { .. }) => complain(
            "token",
            "a Bitbucket access token is needed, or an API token together with `email`",
        ),
        Err(found) => Err(found),
    });
    let email = errors.take(email(inputs));
    errors.finish(|| {
        let token = token?;
        Some(match email? {
            None => BitbucketCredential::Access(token),
            Some(email) => BitbucketCredential::Api { email, token },
        })
    })
}

fn email(inputs: &Inputs) -> Checked<Option<String>> {
    const NAME: &str = "email";
    let Some(email) = inputs.get(NAME) else {
        return Ok(None);
    };
    if !email.contains('@') || email.contains(':') || email.contains(char::is_whitespace) {
        return complain(
            NAME,
            "it must be the e-mail address of the API token's owner, not the user name",
        );
    }
    Ok(Some(email.to_owned()))
}
