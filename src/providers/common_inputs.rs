//! Reads inputs that several providers have: refs, variables and tokens.

use std::collections::HashSet;

use crate::model::Secret;
use crate::providers::provider::InputContext;
use crate::providers::reference::{BRANCHES, Reference, TAGS};
use crate::providers::variable::{Argument, Variable};
use crate::values::{Checked, Errors, InputError, Inputs, Node};

/// The `token` input.
pub(super) enum Token {
    /// Not set, or equal to `github-token`.
    NotGiven {
        own: Option<Secret>,
    },
    Empty,
    Given(Secret),
}

impl InputContext<'_> {
    pub(super) fn token(&self, inputs: &Inputs) -> Checked<Token> {
        let own = inputs.get("github-token").map(Secret::new);
        match inputs.get("token") {
            None if inputs.is_empty("token") => Ok(Token::Empty),
            Some(text) if own.as_ref().is_none_or(|own| own.expose() != text) => {
                self.check_token(text, "token").map(Token::Given)
            }
            Some(_) | None => Ok(Token::NotGiven { own }),
        }
    }

    /// Checks that a credential can be sent in a header, and isn't a token of another provider.
    pub(super) fn check_token(&self, text: &str, input: &str) -> Checked<Secret> {
        if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
            return InputError::new(input, "is in quotes")
                .hint("save the secret again without the quotes")
                .fail();
        }
        let Some(token) = Secret::token(text) else {
            let what =
                "contains a space, line break or other character that can't be part of a token";
            return InputError::new(input, what)
                .hint("save the secret again with nothing around the token")
                .fail();
        };
        let has_prefix = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        let mut owners = self.token_prefixes.iter();
        match owners.find(|(_, prefixes)| has_prefix(prefixes)) {
            Some((owner, _)) if *owner != self.provider => {
                let provider = self.provider;
                let what = format!("looks like a {owner} token, which is never sent to {provider}");
                let id = owner.to_lowercase();
                InputError::new(input, what)
                    .hint(format!(
                        "if the pipeline is on {owner}, set `provider: {id}`; else pass a {provider} token"
                    ))
                    .fail()
            }
            _ => Ok(token),
        }
    }

    /// Returns the error for a credential that is set, but empty.
    pub(super) fn empty<T>(&self, input: &str) -> Checked<T> {
        empty_secret(input, self.or_withheld).fail()
    }
}

/// `or_withheld` says why a secret may be missing besides.
pub(crate) fn empty_secret(input: &str, or_withheld: &str) -> InputError {
    InputError::new(
        input,
        format!("is empty. The secret isn't set{or_withheld}"),
    )
}

pub(super) fn reference(inputs: &Inputs) -> Checked<Option<Reference>> {
    let Some(text) = inputs.get("ref") else {
        return Ok(None);
    };
    let (variant, name): (fn(String) -> Reference, _) =
        if let Some(name) = text.strip_prefix(BRANCHES) {
            (Reference::Branch, name)
        } else if let Some(name) = text.strip_prefix(TAGS) {
            (Reference::Tag, name)
        } else {
            (Reference::Named, text)
        };
    // A subset of git's own rules for ref names.
    if name.is_empty()
        || name.starts_with("refs/")
        || name.contains(|character: char| character.is_whitespace() || character.is_control())
    {
        if text.starts_with("refs/pull/") {
            return merge_ref(text).fail();
        }
        let what = "must be a branch or tag, like `main` or `refs/tags/v1.0.0`";
        return InputError::new("ref", what).not(text).fail();
    }
    Ok(Some(variant(name.to_owned())))
}

/// The error for a pull request's ref, which only exists on GitHub, and only for workflows of that pull request.
pub(super) fn merge_ref(text: &str) -> InputError {
    InputError::new(
        "ref",
        "is a pull request's ref, on which no pipeline can be started",
    )
    .given(text)
    .hint("use the branch: `${{ github.head_ref }}`")
}

pub(super) fn variables(inputs: &Inputs) -> Checked<Vec<Variable>> {
    let mut errors = Errors::default();
    let plain = errors.take(variables_of(inputs, "variables"));
    let secret = errors.take(variables_of(inputs, "secret-variables"));
    let (plain, secret) = errors.finish(|| plain.zip(secret))?;
    let names: HashSet<_> = plain.iter().map(|(key, _)| *key).collect();
    if let Some((key, _)) = secret.iter().find(|(key, _)| names.contains(key)) {
        let what = format!("has `{key}`, and so does `variables`");
        return InputError::new("secret-variables", what)
            .hint("remove one of the two")
            .fail();
    }
    let variable = |key: &str, value| Variable {
        key: key.to_owned(),
        value,
    };
    let plain = plain
        .into_iter()
        .map(|(key, value)| variable(key, Argument::Plain(value.to_owned())));
    let secret = secret
        .into_iter()
        .map(|(key, value)| variable(key, Argument::Secret(Secret::new(value))));
    Ok(plain.chain(secret).collect())
}

pub(super) fn is_variable_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_allowed)
}

/// Checks the names of variables, which become those of environment variables.
fn variables_of<'inputs>(
    inputs: &'inputs Inputs,
    name: &'static str,
) -> Checked<Vec<(&'inputs str, &'inputs str)>> {
    let variables = string_pairs(inputs, name)?;
    match variables.iter().find(|(key, _)| !is_variable_name(key)) {
        Some((key, _)) => InputError::of_key(
            name,
            key,
            "can't be a variable's name. Only letters, digits and `_` are allowed",
        )
        .fail(),
        None => Ok(variables),
    }
}

pub(super) fn string_pairs<'inputs>(
    inputs: &'inputs Inputs,
    name: &'static str,
) -> Checked<Vec<(&'inputs str, &'inputs str)>> {
    let pairs = inputs.document(name)?.map(Node::strings).transpose();
    pairs
        .map(Option::unwrap_or_default)
        .map_err(|error| vec![error.for_input(name)])
}
