//! Where a target is: its server and repository, and rules for their names that several providers share.

use std::rc::Rc;

use url::Url;

/// A repository on a server, and how to reach it.
pub(crate) struct Location {
    pub(crate) server: Server,
    /// `owner/name`, `group/sub/project` or project id, `workspace/repo`.
    pub(crate) repository: String,
    /// PEM, trusted in addition to the public roots.
    pub(crate) certificates: Option<Rc<str>>,
}

/// A provider's server. Neither address ends in a slash where it has a path.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Where people look.
    pub(crate) web: Url,
    /// Where requests go.
    pub(crate) api: Url,
}

/// An address that is written in the code.
pub(crate) fn fixed(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| unreachable!("{text}: {error}"))
}

/// The two parts of a repository's name.
pub(super) fn two_parts(name: &str) -> Result<[&str; 2], &'static str> {
    match parts(name)?[..] {
        [one, other] => Ok([one, other]),
        _ => Err("has more than two parts"),
    }
}

/// The parts of a repository's name, at least two.
pub(super) fn parts(name: &str) -> Result<Vec<&str>, &'static str> {
    let parts: Vec<_> = name.split('/').collect();
    if parts.len() < 2 {
        return Err("has no `/`");
    }
    Ok(parts)
}

/// The characters that are allowed in names, so that no name can become another path.
pub(super) fn check_part(part: &str) -> Result<(), &'static str> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match part {
        "" => Err("has an empty part"),
        "." | ".." => Err("has a part that is no name"),
        _ if part.bytes().all(is_allowed) => Ok(()),
        _ => Err("has a character that no name has"),
    }
}
