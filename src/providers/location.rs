//! A target's server and repository, and the rules for repository names that several providers share.

use std::rc::Rc;

use url::Url;

use crate::providers::wire;

/// A repository on a server.
pub(crate) struct Location {
    pub(crate) server: Server,
    /// `owner/name`, `group/sub/project` or project id, `workspace/repo`.
    pub(crate) repository: String,
    /// PEM certificates, trusted in addition to the default roots.
    pub(crate) certificates: Option<Rc<str>>,
}

/// A provider's server. An address with a path doesn't end in a slash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// The address for browsers.
    pub(crate) web: Url,
    /// The base address of the API.
    pub(crate) api: Url,
}

impl Server {
    /// Returns the address of a web page if it's on this server and can be shown. See [`wire::page_at`].
    pub(crate) fn page(&self, url: &str) -> Option<String> {
        wire::page_at(Some(url), &self.web)
    }
}

/// Returns the path of an address relative to a server, if it's on that server.
pub(crate) fn path_on<'a>(server: &Url, address: &'a Url) -> Option<&'a str> {
    let below = server.path().trim_end_matches('/');
    let path = address.path().strip_prefix(below)?.strip_prefix('/')?;
    (server.origin() == address.origin()).then(|| path.trim_end_matches('/'))
}

/// Parses a URL literal. Panics if it isn't valid.
pub(crate) fn fixed(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| unreachable!("{text}: {error}"))
}

/// Splits a repository's name into exactly two parts.
pub(super) fn two_parts(name: &str) -> Result<[&str; 2], &'static str> {
    match parts(name)?[..] {
        [one, other] => Ok([one, other]),
        _ => Err("has more than two parts"),
    }
}

/// Splits a repository's name at `/` into at least two parts.
pub(super) fn parts(name: &str) -> Result<Vec<&str>, &'static str> {
    let parts: Vec<_> = name.split('/').collect();
    if parts.len() < 2 {
        return Err("contains no `/`");
    }
    Ok(parts)
}

/// Checks the characters of a name's part, so that no name can change the path of a URL.
pub(super) fn check_part(part: &str) -> Result<(), &'static str> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match part {
        "" => Err("has an empty part"),
        "." | ".." => Err("has `.` or `..` between its slashes"),
        _ if part.bytes().all(is_allowed) => Ok(()),
        _ => Err("contains a character that isn't allowed in a repository's name"),
    }
}
