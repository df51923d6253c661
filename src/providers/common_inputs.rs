//! Reads inputs that several providers have: refs, variables and tokens.

use std::collections::HashSet;

use crate::model::Secret;
use crate::providers::provider::InputContext;
use crate::providers::reference::{BRANCHES, Reference, TAGS};
use crate::providers::variable::{Argument, Variable};
use crate::values::{Checked, Errors, Inputs, Node, invalid};

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
        let Some(token) = Secret::token(text) else {
            return invalid(
                input,
                "it has a line break, blank or other character in it that no token has: set the secret again, without what is around the token",
            );
        };
        let has_prefix = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        let mut owners = self.token_prefixes.iter();
        match owners.find(|(_, prefixes)| has_prefix(prefixes)) {
            Some((owner, _)) if *owner != self.provider => invalid(
                input,
                format!(
                    "it looks like a {owner} token, which is never sent to {}",
                    self.provider
                ),
            ),
            _ => Ok(token),
        }
    }

    /// Returns the error for a credential that is set, but empty.
    pub(super) fn empty<T>(&self, input: &str) -> Checked<T> {
        let or_withheld = self.or_withheld;
        let message = format!("it is empty: the secret is not set{or_withheld}");
        invalid(input, message)
    }
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
        return invalid(
            "ref",
            "it must be a branch or tag, like `main` or `refs/tags/v1.0.0`",
        );
    }
    Ok(Some(variant(name.to_owned())))
}

pub(super) fn variables(inputs: &Inputs) -> Checked<Vec<Variable>> {
    let mut errors = Errors::default();
    let plain = errors.take(texts(inputs, "variables"));
    let secret = errors.take(texts(inputs, "secret-variables"));
    let (plain, secret) = errors.finish(|| plain.zip(secret))?;
    let names: HashSet<_> = plain.iter().map(|(key, _)| *key).collect();
    if let Some((key, _)) = secret.iter().find(|(key, _)| names.contains(key)) {
        return invalid(
            "secret-variables",
            format!("`{key}` is in `variables` too: remove one of the two"),
        );
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

pub(super) fn texts<'inputs>(
    inputs: &'inputs Inputs,
    name: &'static str,
) -> Checked<Vec<(&'inputs str, &'inputs str)>> {
    let texts = inputs.document(name)?.map(Node::strings).transpose();
    texts
        .map(Option::unwrap_or_default)
        .map_err(|problem| vec![problem.for_input(name)])
}
