//! Routes each request to its provider, and checks what a client must never send to any of them.

mod bitbucket;
mod github;
mod gitlab;
mod storage;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::endpoint;
use crate::request::Request;
use crate::response::Response;
use crate::world::{Provider, World};

/// Returns the provider by host and path, or `None` for the storage hosts of logs and artifacts.
pub(crate) fn of(request: &Request) -> Option<Provider> {
    endpoint::of(request, "").map(|endpoint| endpoint.provider)
}

pub(crate) fn respond(world: &mut World, request: &Request) -> Response {
    let Some(endpoint) = endpoint::of(request, &endpoint::origin(world, request)) else {
        return storage::respond(world, request);
    };
    match endpoint.provider {
        Provider::GitHub => github::respond(world, request, endpoint),
        Provider::GitLab => gitlab::respond(world, request, endpoint),
        Provider::Bitbucket => bitbucket::respond(world, request, endpoint),
    }
}

/// Returns what the client must not send, even if a real server might accept it.
pub(crate) fn objections(request: &Request, provider: Option<Provider>) -> Vec<String> {
    let mut objections = Vec::new();
    for (name, value) in request.query_pairs() {
        let token_names = ["token", "access_token", "private_token", "job_token"];
        if token_names.contains(&name.as_str()) || provider_by_prefix(&value).is_some() {
            objections.push(format!("a token in the URL's query, as {name:?}"));
        }
    }
    let Some(provider) = provider else {
        // Storage hosts belong to third parties, which must not get a credential.
        for (name, _) in credentials(request) {
            objections.push(format!("a credential for a storage, in {name}"));
        }
        return objections;
    };
    let in_body = (provider == Provider::GitLab).then(|| gitlab::token_in_body(request));
    let in_body = in_body.flatten().map(|value| ("the body", value));
    for (name, value) in credentials(request).into_iter().chain(in_body) {
        if provider_by_prefix(&value).is_some_and(|owner| owner != provider) {
            objections.push(format!("another provider's credential, in {name}"));
        }
    }
    let gitlab_only = request.headers.get("private-token").is_some();
    if gitlab_only && provider != Provider::GitLab {
        objections.push("GitLab's header PRIVATE-TOKEN".to_owned());
    }
    objections
}

/// Finds an item by its case-insensitive name. Tries the exact name first, which is faster with a thousand items.
fn find_by_name<'all, T>(
    all: &'all [T],
    name: &str,
    name_of: impl Fn(&T) -> &str,
) -> Option<&'all T> {
    let same = |one: &&T| name_of(one) == name;
    let same_ignoring_case = |one: &&T| name_of(one).eq_ignore_ascii_case(name);
    all.iter()
        .find(same)
        .or_else(|| all.iter().find(same_ignoring_case))
}

/// One page of a list.
struct Page {
    /// Counted from 1.
    number: usize,
    /// Maximum number of entries.
    size: usize,
    /// Number of the last page.
    last: usize,
    entries: Vec<Value>,
}

impl Page {
    /// Returns the page that the query requests. `size` is the name of the parameter for the page size.
    fn of<T>(
        request: &Request,
        (size, default): (&str, usize),
        all: &[T],
        describe: impl Fn(&T) -> Value,
    ) -> Self {
        let size = request.query_number(size, default).clamp(1, 100);
        let number = request.query_number("page", 1).max(1);
        let shown = all.iter().skip((number - 1) * size).take(size);
        Self {
            number,
            size,
            last: all.len().div_ceil(size).max(1),
            entries: shown.map(describe).collect(),
        }
    }
}

/// Returns the query of the request with another page number.
fn query_for_page(request: &Request, number: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let pairs = request.query_pairs().into_iter();
    query.extend_pairs(pairs.filter(|(name, _)| name != "page"));
    query.append_pair("page", &number.to_string()).finish()
}

/// Whether `text` is the canonical decimal form of `number`.
fn is_id(text: &str, number: u64) -> bool {
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    is_plain && text.parse() == Ok(number)
}

/// Returns the response to a request with an objection.
pub(crate) fn refuse(objection: &str) -> Response {
    Response::json(
        400,
        json!({"message": format!("refused by the sandbox: {objection}")}),
    )
}

/// Returns the provider of a token by its prefix.
fn provider_by_prefix(value: &str) -> Option<Provider> {
    let prefixes = [
        ("ghp_", Provider::GitHub),
        ("gho_", Provider::GitHub),
        ("ghu_", Provider::GitHub),
        ("ghs_", Provider::GitHub),
        ("github_pat_", Provider::GitHub),
        ("glpat-", Provider::GitLab),
        ("glptt-", Provider::GitLab),
        ("ATCTT3x", Provider::Bitbucket),
        ("ATATT3x", Provider::Bitbucket),
    ];
    prefixes
        .into_iter()
        .find_map(|(prefix, owner)| value.starts_with(prefix).then_some(owner))
}

/// Returns the credentials in the headers, each with its header's name.
fn credentials(request: &Request) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for scheme in ["Bearer", "token"] {
        if let Some(value) = request.authorization(scheme) {
            found.push(("Authorization", value.to_owned()));
        }
    }
    if let Some((_, password)) = basic_credentials(request) {
        found.push(("Authorization", password));
    }
    if let Some(value) = request.headers.get("private-token") {
        found.push(("PRIVATE-TOKEN", value.to_owned()));
    }
    found
}

/// Returns the user and password of Basic credentials.
fn basic_credentials(request: &Request) -> Option<(String, String)> {
    let bytes = BASE64_STANDARD
        .decode(request.authorization("Basic")?)
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
